"""The tables and views that SQL jobs and folds share: sql/ with this namespace's names filled in."""

from importlib.resources import files
from string import Template
from typing import TYPE_CHECKING, get_args

from contracts.jobs import Job
from contracts.records import EARLIEST_MS, FUTURE_MS, LATE_MS, PROJECT_PATTERN, Outcome
from contracts.topics import (
    ARRIVED_MS,
    DEAD_LETTERS,
    FAILURE_EXPECTATION,
    FAILURE_VELOCITY,
    INSIGHTS,
    PROJECT_HEALTH,
    RUNS,
    TICK,
)

if TYPE_CHECKING:  # settings stay where a job is submitted: a task manager needs none, nor the library that reads them
    from pyflink.table import StatementSet, TableEnvironment

    from contracts.settings import Settings

FUTURE_S, LATE_S = FUTURE_MS // 1000, LATE_MS // 1000
"""Event time and arrival are compared in whole seconds."""

MAX_ATTEMPT = 10_000

BROKER_S = (
    f"({EARLIEST_MS // 1000}"
    " + TIMESTAMPDIFF(SECOND, CAST(TIMESTAMP '2020-01-01 00:00:00' AS TIMESTAMP_LTZ(3)), stamped))"
)
"""The broker's time stamp in epoch seconds, counted from 2020 because TIMESTAMPDIFF gives 32 bits."""


ARRIVAL_WATERMARK = ", WATERMARK FOR arrival AS {told} - INTERVAL '1' SECOND"
"""Time passes as records arrive, ticks included; nothing that an event says can move it.

`told` is null for what came into a replay's namespace without the replay's clock: such a record has a time of its own,
years after the others, and lets none pass.
"""

DEAD_LETTERS_INSERT = """
INSERT INTO dead_letters
SELECT origin || U&'\\001F{reader}', '{reader}', reason, origin_topic, origin_partition, origin_offset,
       message_key, headers, body
FROM rejected
"""


def literal(text: str) -> str:
    """A binary literal: headers are compared as bytes, which costs no decoding.

    >>> literal("1")
    "x'31'"
    """
    return f"x'{text.encode().hex()}'"


def names(job: Job, settings: "Settings", *, watermark: str = "") -> dict[str, str]:
    """What the templates under sql/ leave open, for one job in one namespace."""
    header_ms = f"TRY_CAST(CAST(headers['{ARRIVED_MS}'] AS STRING) AS BIGINT)"
    replayed = settings.clock == "replay"
    arrived_s = f"COALESCE({header_ms} / 1000, {BROKER_S})" if replayed else BROKER_S
    told = f"TO_TIMESTAMP_LTZ({header_ms}, 3)"
    conditions = {
        # a byte that is not UTF-8 becomes U+FFFD, under which two different names would meet
        "run_ok": "(run <> '' AND run NOT LIKE U&'%\\FFFD%')",
        "attempt_ok": f"(attempt = {literal('1')}"
        f" OR TRY_CAST(CAST(attempt AS STRING) AS INT) BETWEEN 2 AND {MAX_ATTEMPT})",
        "outcome_ok": "(outcome IS NOT NULL)",
        # between LATE_S before and FUTURE_S after, as a distance from the middle: one evaluation rather than two
        "time_ok": f"(ABS(event_ms / 1000 - arrived_s + {(LATE_S - FUTURE_S) // 2}) <= {(LATE_S + FUTURE_S) // 2})",
    }
    needed = " AND ".join(conditions[part] for part in ("run_ok", "attempt_ok", "outcome_ok", "time_ok"))
    return {
        **conditions,
        "countable": f"COALESCE(body IS NOT NULL AND named AND {needed}, FALSE)",
        "project_pattern": PROJECT_PATTERN,
        "outcomes": " ".join(f"WHEN {literal(outcome)} THEN '{outcome}'" for outcome in get_args(Outcome)),
        "tick_type": literal(TICK),
        "earliest_ms": str(EARLIEST_MS),
        "future_s": str(FUTURE_S),
        "arrived_s": arrived_s,
        "arrival": f"COALESCE({told}, stamped)" if replayed else "stamped",
        "kafka": settings.kafka,
        "group": job.group(settings.namespace),
        "runs_topic": RUNS.named(settings.namespace),
        "failure_velocity_topic": FAILURE_VELOCITY.named(settings.namespace),
        "project_health_topic": PROJECT_HEALTH.named(settings.namespace),
        "failure_expectation_topic": FAILURE_EXPECTATION.named(settings.namespace),
        "insights_topic": INSIGHTS.named(settings.namespace),
        "dead_letters_topic": DEAD_LETTERS.named(settings.namespace),
        "dead_letters_max_bytes": str(DEAD_LETTERS.max_bytes),
        "watermark": watermark.format(told=told if replayed else "arrival"),
    }


def read_sql(name: str, filled: dict[str, str]) -> str:
    """The statement in sql/<name>.sql, its places filled; a place without a value is a KeyError."""
    return Template((files("sql") / f"{name}.sql").read_text()).substitute(filled)


def declare(environment: "TableEnvironment", job: Job, settings: "Settings", *tables: str, watermark: str = "") -> None:
    """The tables and views of one job over argus.cicd.runs that fills `tables`."""
    filled = names(job, settings, watermark=watermark)
    needed = ("tables/runs", "views/executions", "views/rejected", "tables/dead_letters")
    for statement in (*needed, *(f"tables/{table}" for table in tables)):
        environment.execute_sql(read_sql(statement, filled))


def insert_dead_letters(statements: "StatementSet", job: Job) -> None:
    """What the job cannot use goes to the dead letters, once for each key whatever is read twice."""
    statements.add_insert_sql(DEAD_LETTERS_INSERT.format(reader=job.name))
