"""What is right, by pandas: shares no code with what is measured."""

from typing import Any

import pandas as pd

from benchmarks.velocity_load import Load

Counts = dict[tuple[str, int], tuple[int, ...]]
"""By project and start of a minute (epoch ms)."""


def runs_by_minute(load: Load) -> Counts:
    """Runs, failing runs and error runs: each counts in the least minute in which it did so."""
    frame = _frame(load)
    first = frame["attempt"] == 1
    kinds = {
        "runs": frame,
        "failing": frame[first & frame["outcome"].isin(["failure", "timeout"])],
        "error": frame[first & (frame["outcome"] == "error")],
    }
    counted = {
        kind: rows.groupby(["project", "run"])["minute_ms"].min().reset_index().groupby(["project", "minute_ms"]).size()
        for kind, rows in kinds.items()
    }
    return _named(load, pd.DataFrame(counted).fillna(0).astype(int))


def messages_by_minute(load: Load) -> Counts:
    """The plain count: every message, repeats included."""
    sent = _frame(load).iloc[load.order]
    return _named(load, sent.groupby(["project", "minute_ms"]).size().to_frame("messages"))


def wrong_rows(reference: Counts, found: Counts) -> int:
    """How many rows differ, are missing or are too many."""
    return sum(reference.get(key) != found.get(key) for key in reference.keys() | found.keys())


def _frame(load: Load) -> Any:
    columns = {name: getattr(load, name) for name in ("project", "run", "outcome", "attempt", "finished_ms")}
    return pd.DataFrame(columns).assign(minute_ms=load.finished_ms // 60_000 * 60_000)


def _named(load: Load, counts: Any) -> Counts:
    named = {int(number): f"org{number % 10}/proj{number:03d}" for number in pd.unique(pd.Series(load.project))}
    return {
        (named[project], int(minute_ms)): tuple(map(int, row))
        for (project, minute_ms), row in zip(counts.index, counts.to_numpy(), strict=True)
    }
