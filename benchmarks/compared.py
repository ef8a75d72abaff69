"""A namespace beside the reference: the topic, the keys, the history and the dead letters that its log must give."""

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from benchmarks import observed
from benchmarks.reference import Read, read, velocity
from benchmarks.reference_health import VALUES, health
from benchmarks.reference_incidents import insights
from contracts.errors import Unavailable
from contracts.jobs import JOBS
from contracts.settings import Settings
from contracts.topics import RUNS

LOOK_EVERY_S = 0.5
Rows = Mapping[Any, Any]


@dataclass(frozen=True)
class Expected:
    """What the log of runs must give: rows by key for each place where they lie; `told` is every value of a project
    in order, which the topic holds as long as nothing was compacted or sent twice."""

    log: Read
    places: Mapping[str, Rows]
    told: Mapping[str, list[Any]]

    @property
    def rows(self) -> int:
        """How many rows there are to be compared."""
        return sum(len(rows) for rows in self.places.values())


def expected(settings: Settings) -> Expected:
    """By the reference, from the log as it lies on the broker."""
    messages = observed.log_of(settings, RUNS)
    bodies = {(one.partition(), one.offset()): one.value() for one in messages}
    log = read(messages, partitions=settings.partitions, clock=settings.clock)
    values = health(log.executions, log.clock_ms)
    told: dict[str, list[Any]] = {}
    for (project, as_of_ms), row in _rows(values.told):
        told.setdefault(project, []).append((as_of_ms, *row))
    newest = {project: rows[-1] for project, rows in told.items()}
    letters = {
        (partition, offset, reader): reason
        for partition, offset, reason in log.rejected.itertuples(index=False)
        for reader in JOBS
    }
    places: dict[str, Rows] = {
        "velocity": {at: tuple(map(int, row)) for at, row in _rows(velocity(log.executions))},
        "health": newest,
        "keys": {project: row[1:] for project, row in newest.items()},
        "history": dict(_rows(values.history)),
        "insights": insights(log.executions, bodies, log.clock_ms, settings),
        "dead letters": letters,
    }
    return Expected(log, places, told)


def found(settings: Settings, wanted: Expected) -> dict[str, Rows]:
    """The same places as they are now. Raises Unavailable when something does not answer."""
    newest: dict[str, Any] = {}
    for one in observed.told_health(settings):
        if one.project not in newest or newest[one.project][0] <= one.as_of_ms:
            newest[one.project] = (one.as_of_ms, *observed.health_values(one))
    return {
        "velocity": observed.velocity_rows(settings),
        "health": newest,
        "keys": observed.key_values(settings, wanted.places["keys"]),
        "history": observed.history_rows(settings),
        "insights": observed.insights(settings),
        "dead letters": {
            (letter.partition, letter.offset, letter.reader): letter.reason for letter in observed.letters(settings)
        },
    }


def differences(wanted: Expected, seen: Mapping[str, Rows]) -> list[str]:
    """Each row that differs, is missing or is too many, in words."""
    return [
        f"{place} {key}: {rows.get(key)} where the reference has {wanted.places[place].get(key)}"
        for place, rows in seen.items()
        for key in sorted({**rows, **wanted.places[place]}, key=str)
        if rows.get(key) != wanted.places[place].get(key)
    ]


def settled(settings: Settings, wanted: Expected, *, deadline_s: float) -> list[str]:
    """Look until nothing differs; what still differs after `deadline_s` seconds.

    Raises Unavailable when something did not answer until then.
    """
    ends_s = time.monotonic() + deadline_s
    while True:
        is_late = time.monotonic() > ends_s
        try:
            wrong = differences(wanted, found(settings, wanted))
        except Unavailable:
            if is_late:
                raise
        else:
            if is_late or not wrong:
                return wrong
        time.sleep(LOOK_EVERY_S)


def repeated_letters(settings: Settings) -> list[str]:
    """Dead letters that lie on their topic more than once."""
    counts = Counter((one.origin, one.reader) for one in observed.letters(settings))
    return [f"{origin} by {reader}: {count} times" for (origin, reader), count in counts.items() if count > 1]


def _rows(table: pd.DataFrame) -> Iterator[tuple[Any, tuple[Any, ...]]]:
    """Index and plain values of each row; what is missing is None."""
    columns = [
        [None if pd.isna(one) else float(one) for one in table[name]]
        if name in VALUES[:2]
        else table[name].astype("int64").tolist()
        for name in table.columns
    ]
    return zip(table.index.tolist(), zip(*columns, strict=True), strict=True)
