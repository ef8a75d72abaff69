"""What is right, by pandas: shares no code with what is measured."""

from typing import Any

import pandas as pd

from benchmarks.reference import MINUTE_MS, velocity
from benchmarks.velocity_load import Load

Counts = dict[tuple[str, int], tuple[int, ...]]
"""By project and start of a minute (epoch ms)."""


def runs_by_minute(load: Load) -> Counts:
    """Runs, failing runs and error runs: each counts in the least minute in which it did so."""
    frame = _frame(load)
    first = frame["attempt"] == 1
    executions = frame.assign(
        failing=first & frame["outcome"].isin(["failure", "timeout"]), erring=first & (frame["outcome"] == "error")
    )
    return _named(load, velocity(executions))


def messages_by_minute(load: Load) -> Counts:
    """The plain count: every message, repeats included."""
    sent = _frame(load).iloc[load.order]
    counts = sent.groupby(["project", "minute"]).size().to_frame("messages")
    counts.index = counts.index.set_levels(counts.index.levels[1] * MINUTE_MS, level=1)
    return _named(load, counts)


def wrong_rows(reference: Counts, found: Counts) -> int:
    """How many rows differ, are missing or are too many."""
    return sum(reference.get(key) != found.get(key) for key in reference.keys() | found.keys())


def _frame(load: Load) -> Any:
    columns = {name: getattr(load, name) for name in ("project", "run", "outcome", "attempt", "finished_ms")}
    return pd.DataFrame(columns).assign(minute=load.finished_ms // MINUTE_MS)


def _named(load: Load, counts: Any) -> Counts:
    named = {int(number): f"org{number % 10}/proj{number:03d}" for number in pd.unique(pd.Series(load.project))}
    return {
        (named[project], int(minute_ms)): tuple(map(int, row))
        for (project, minute_ms), row in zip(counts.index, counts.to_numpy(), strict=True)
    }
