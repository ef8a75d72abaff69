"""The load of the velocity measurement: a seeded CI history, as messages that a topic takes and as columns."""

import random
import string
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from contracts.delivery import Delivery
from contracts.records import JobExecution, encode
from contracts.settings import Settings
from contracts.topics import RUNS, Message, message
from feature_store.log import producer

PROJECTS = 100
RUN_JOBS_MOST = 20
OUTCOMES = ("success", "failure", "error", "timeout")
OUTCOME_SHARES = (0.93, 0.04, 0.02, 0.01)
HOUR_MS = 3_600_000
SPAN_MS = 5 * HOUR_MS
NEWEST_AGE_MS = 60_000
REPEATED_SHARE = 0.01
SECOND_ATTEMPT_SHARE = 0.03
DELAYED_SHARE = 0.02
STALL_S = 60.0


@dataclass(frozen=True)
class Load:
    """Columns of job executions; `order` holds the row that each message carries: some late, some twice."""

    project: Any
    run: Any
    outcome: Any
    attempt: Any
    finished_ms: Any
    order: Any

    def project_name(self, row: int) -> str:
        """The project of a row."""
        number = int(self.project[row])
        return f"org{number % 10}/proj{number:03d}"


def history(messages: int, *, now_ms: int, seed: int = 7) -> Load:
    """`messages` executions and repeats over PROJECTS skewed projects, within the SPAN_MS before `now_ms`."""
    rng = np.random.default_rng(seed)
    executions = int(messages * (1 - REPEATED_SHARE))
    sizes = rng.integers(1, RUN_JOBS_MOST + 1, size=executions)
    run = np.repeat(np.arange(executions), sizes)[:executions]
    runs = int(run[-1]) + 1
    begun_ms = now_ms - SPAN_MS + np.sort(rng.integers(0, SPAN_MS, runs))
    project = np.minimum((rng.pareto(1.2, runs) * 8).astype(int), PROJECTS - 1)
    project[:PROJECTS] = np.arange(PROJECTS)[:runs]  # each has a run
    finished_ms = np.minimum(begun_ms[run] + rng.integers(0, 600_000, executions), now_ms - NEWEST_AGE_MS)
    outcome = np.array(OUTCOMES)[np.searchsorted(np.cumsum(OUTCOME_SHARES)[:-1], rng.random(executions))]
    attempt = np.where(rng.random(executions) < SECOND_ATTEMPT_SHARE, 2, 1)
    delayed_ms = np.where(rng.random(executions) < DELAYED_SHARE, rng.integers(0, 1_800_000, executions), 0)
    sent_ms = finished_ms + rng.integers(0, 30_000, executions) + delayed_ms
    again = rng.choice(executions, messages - executions, replace=False)
    rows = np.concatenate([np.arange(executions), again])
    at_ms = np.concatenate([sent_ms, sent_ms[again] + rng.integers(0, 600_000, len(again))])
    return Load(project[run], run, outcome, attempt, finished_ms, rows[np.argsort(at_ms, kind="stable")])


def messages(load: Load, *, body: int, namespace: str) -> Iterator[Message]:
    """What a producer sends for it, bodies of about `body` bytes: no two bodies of different executions are alike."""
    text = "".join(random.Random(7).choices(string.ascii_letters + string.digits + " ", k=100_000))
    names = [load.project_name(row) for row in range(len(load.project))]
    columns = (load.run.tolist(), load.outcome.tolist(), load.attempt.tolist(), load.finished_ms.tolist())
    bare = len(encode(_execution(names[0], 0, "success", 1, int(load.finished_ms[0]), 0, "")))
    fill = max(body - bare, 0)
    for row in load.order.tolist():
        run, outcome, attempt, finished_ms = (column[row] for column in columns)
        begin = row * 37 % (len(text) - fill)
        record = _execution(names[row], run, outcome, attempt, finished_ms, row, text[begin : begin + fill])
        yield message(RUNS, record, namespace=namespace, source="/argus/bench")


def _execution(
    project: str, run: int, outcome: Any, attempt: int, finished_ms: int, row: int, text: str
) -> JobExecution:
    return JobExecution(
        project=project,
        run=str(28_789_187_194 + run),
        job=f"linux-jammy / test ({row % 97})",
        outcome=outcome,
        finished_ms=finished_ms,
        attempt=attempt,
        started_ms=finished_ms - 1000,
        workflow="pull",
        branch="main",
        environment="linux",
        trigger="human",
        message=text,
    )


def send(load: Load, settings: Settings, *, body: int) -> float:
    """Bring it to the namespace's topic, all acknowledged; returns the mean size of a body in bytes.

    Raises Unavailable when the broker refuses a message, DeadlineExceeded when it acknowledges none for STALL_S.
    """
    size = 0
    client = producer(settings.kafka, **{"linger.ms": 20, "batch.size": 500_000})
    delivery = Delivery(client, stall_s=STALL_S, clock=time.monotonic)
    for one in messages(load, body=body, namespace=settings.namespace):
        delivery.send(one)
        size += len(one.value)
    return size / delivery.finish()
