"""The right answers by another way: pandas, whole tables at a time, sharing no code with jobs, models or ingest.

A run counts in the least minute of its job executions; it is failing in the least minute among first attempts with
outcome failure or timeout, and has an error in the least among those with outcome error. What is counted is decided in
whole seconds between event and arrival. Everything here follows from those words alone.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pandas as pd

MINUTE_MS, EARLIEST_MS = 60_000, 1_577_836_800_000
FUTURE_S, LATE_S = 300, 86_400
WATERMARK_DELAY_MS = 1_000
SERIES = ("runs", "failing_runs", "error_runs")
OUTCOMES = ("success", "failure", "error", "cancelled", "timeout", "skipped")
PROJECT = r"(?=.{1,255}$)[A-Za-z0-9._-]+(?:/[A-Za-z0-9._-]+)+"
HEADERS = ("ce_type", "run", "attempt", "outcome", "event_ms", "arrived_ms")


@dataclass(frozen=True)
class Read:
    """What lay on the log of runs.

    `executions` are those that count, in the order of each partition: project, run, minute (since the epoch), failing,
    erring, arrived_ms, partition, offset. `rejected` are the others without ticks: partition, offset, reason.
    `clock_ms` is how far time has passed everywhere: the least newest arrival of a partition, less a second. What
    came into a replay without its clock lets no time pass.
    """

    executions: pd.DataFrame
    rejected: pd.DataFrame
    clock_ms: int


def read(messages: Iterable[Any], *, partitions: int, clock: Literal["life", "replay"]) -> Read:
    """The messages of the runs topic as a consumer gave them, each partition in its order."""
    rows = [_plain(message) for message in messages]
    log = pd.DataFrame(rows, columns=["partition", "offset", "stamped_ms", "key", "empty", *HEADERS])
    log = log.sort_values(["partition", "offset"], ignore_index=True)
    told_ms = _number(log.arrived_ms) if clock == "replay" else pd.Series(pd.NA, index=log.index, dtype="Int64")
    log["arrived_ms"] = told_ms.fillna(log.stamped_ms.astype("Int64")).astype("int64")
    newest = log[told_ms.notna() | (clock == "life")].groupby("partition").arrived_ms.max()
    clock_ms = int(newest.min()) - WATERMARK_DELAY_MS if len(newest) == partitions else 0
    log = log[(log.ce_type != b"argus.tick") | log.key.notna()].reset_index(drop=True)
    log["reason"] = _reasons(log)
    good = log[log.reason == ""]
    event_ms = _number(good.event_ms).astype("int64")
    outcome, is_first = _text(good.outcome), good.attempt == b"1"
    executions = pd.DataFrame(
        {
            "project": _text(good.key),
            "run": _text(good.run),
            "minute": event_ms // MINUTE_MS,
            "failing": is_first & outcome.isin(["failure", "timeout"]),
            "erring": is_first & (outcome == "error"),
            "arrived_ms": good.arrived_ms,
            "partition": good.partition,
            "offset": good.offset,
        }
    ).reset_index(drop=True)
    rejected = log.loc[log.reason != "", ["partition", "offset", "reason"]].reset_index(drop=True)
    return Read(executions, rejected, clock_ms)


def velocity(executions: pd.DataFrame) -> pd.DataFrame:
    """Runs, failing and error runs by (project, minute_ms), where any is above zero."""
    least = {
        "runs": executions,
        "failing_runs": executions[executions.failing],
        "error_runs": executions[executions.erring],
    }
    counts = {
        name: rows.groupby(["project", "run"]).minute.min().reset_index().groupby(["project", "minute"]).size()
        for name, rows in least.items()
    }
    table = pd.DataFrame(counts, columns=list(SERIES)).fillna(0).astype("int64")
    table.index = table.index.set_levels(table.index.levels[1] * MINUTE_MS, level=1)
    return table.rename_axis(["project", "minute_ms"]).sort_index()


def pytorch_executions(file: Path, *, shifted_ms: int = 0) -> pd.DataFrame:
    """The job executions in PyTorch's recording, from its CSV alone; they arrive when they happen, oldest first."""
    rows = pd.read_csv(file, dtype=str)
    started = pd.to_datetime(rows.start_time, utc=True).dt.as_unit("ms").astype("int64") + shifted_ms
    return pd.DataFrame(
        {
            "project": rows.dynamoKey.str.split("/").str[:2].str.join("/"),
            "run": rows.job_id,
            "minute": started // MINUTE_MS,
            "failing": rows.conclusion == "failure",
            "erring": False,
            "arrived_ms": started,
        }
    ).sort_values("arrived_ms", kind="stable", ignore_index=True)


def _plain(message: Any) -> tuple[Any, ...]:
    headers = dict(message.headers() or ())
    return (
        message.partition(),
        message.offset(),
        message.timestamp()[1],
        message.key(),
        message.value() is None,
        *(headers.get(name) for name in HEADERS),
    )


def _reasons(log: pd.DataFrame) -> pd.Series:
    """Why each row is refused, "" where it counts; the first that applies."""
    attempt, event_ms = _number(log.attempt), _number(log.event_ms)
    age_s = log.arrived_ms // 1000 - event_ms.fillna(0) // 1000
    refusals = {
        "no-key": log.key.isna(),
        "tombstone": log["empty"],
        "key": ~_text(log.key).str.fullmatch(PROJECT).fillna(False).astype(bool),
        "no-run": log.run.isna(),
        "run": _text(log.run).fillna("") == "",
        "no-attempt": log.attempt.isna(),
        "attempt": ~attempt.between(1, 10_000).fillna(False),
        "no-outcome": log.outcome.isna(),
        "outcome": ~_text(log.outcome).isin(OUTCOMES),
        "no-event-time": log.event_ms.isna(),
        "event-time": (event_ms < EARLIEST_MS).fillna(True),
        "future": age_s < -FUTURE_S,
        "too-late": age_s > LATE_S,
    }
    reason = pd.Series("", index=log.index, dtype=object)
    for name, applies in refusals.items():
        reason = reason.mask((reason == "") & applies.astype(bool), name)
    return reason


def _text(values: pd.Series) -> pd.Series:
    """Bytes as text; missing where they are no UTF-8."""
    return values.map(_decoded, na_action="ignore").astype("string")


def _decoded(value: bytes) -> str | None:
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return None
    return None if "\ufffd" in text else text


def _number(values: pd.Series) -> pd.Series:
    """ASCII whole numbers of 64 bits as such; missing where they are none."""
    digits = _text(values).where(lambda text: text.str.fullmatch(r"-?[0-9]{1,19}").fillna(False).astype(bool))
    whole = digits.map(int, na_action="ignore").astype(object)
    return whole.where(whole.map(lambda one: one is pd.NA or abs(one) < 2**63), pd.NA).astype("Int64")
