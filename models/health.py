"""How does a project do?

A run counts in the least minute in which one of its job executions finished, is failing in the least minute in which
the first attempt of a job failed or timed out, and has an error in the least minute in which the first attempt of one
met the infrastructure's. These minutes only ever move back, whatever arrives first and however often, so the sums over
them are the same for every order. A rate is failing runs over runs of the minutes in its window, which ends with the
minute of the project's clock (minutes ahead of it, by a runner's fast clock, are in it too) and slides as time passes.

What is known of one project lies in named cells, each a JSON text that says its version: the head, a page for each
hour of the last 7 days in which something happened, and the least minutes of each run. A call reads and writes the
cells it needs and no others.
"""

from collections.abc import Iterator, MutableMapping

import msgspec
from msgspec import Struct

from contracts.records import CurrentVelocity, MinuteCounts, ProjectHealth

VERSION = 1
MINUTE_MS = 60_000
DAY_MINUTES = 1_440
WEEK_MINUTES = 7 * DAY_MINUTES

Cells = MutableMapping[str, str]
"""Cell by name; a dict in a test, keyed state in a job."""

Counts = tuple[int, int, int]
"""Runs, failing runs and error runs."""

HEAD = "head"


class LeastMinutes(Struct, frozen=True):
    """The minutes (since the epoch) in which a run counts, is failing and has an error; null where it does not."""

    run: int
    failing: int | None = None
    error: int | None = None
    version: int = VERSION


class Finish(Struct, frozen=True):
    """One job execution as the fold sees it: the minute it finished in and its arrival (epoch ms), and what it says."""

    project: str
    run: str
    minute_ms: int
    failing: bool
    erring: bool
    arrived_ms: int


class _Hour(Struct):
    """Counts by minute of the hour."""

    minutes: dict[int, list[int]]
    version: int = VERSION


class _Head(Struct):
    """`minute` is the clock's, to which both windows have slid; `told` is what was last said."""

    minute: int
    as_of_ms: int
    day: list[int]
    week: list[int]
    hours: list[int]
    told: tuple[float | None, float | None, CurrentVelocity] | None = None
    version: int = VERSION


_LEAST = msgspec.json.Decoder(LeastMinutes)
_HOUR = msgspec.json.Decoder(_Hour)
_HEAD = msgspec.json.Decoder(_Head)


class _Pages:
    """The hours of one project, read when needed and written back once; remembers what it has changed."""

    def __init__(self, cells: Cells) -> None:
        self.cells = cells
        self.read: dict[int, dict[int, list[int]]] = {}
        self.changed: set[int] = set()

    def hour(self, hour: int) -> dict[int, list[int]]:
        if hour not in self.read:
            text = self.cells.get(f"hour/{hour}")
            self.read[hour] = _HOUR.decode(text).minutes if text else {}
        return self.read[hour]

    def at(self, minute: int) -> Counts:
        runs, failing, error = self.hour(minute // 60).get(minute % 60, (0, 0, 0))
        return runs, failing, error

    def add(self, minute: int, series: int, change: int) -> None:
        counts = self.hour(minute // 60).setdefault(minute % 60, [0, 0, 0])
        counts[series] += change
        if not any(counts):
            del self.hour(minute // 60)[minute % 60]
        self.changed.add(minute // 60)

    def write(self, head: _Head) -> None:
        for hour in self.changed:
            page = self.hour(hour)
            if page:
                self.cells[f"hour/{hour}"] = msgspec.json.encode(_Hour(page)).decode()
            else:
                self.cells.pop(f"hour/{hour}", None)
        head.hours = sorted((set(head.hours) - self.changed) | {hour for hour in self.changed if self.hour(hour)})
        self.cells[HEAD] = msgspec.json.encode(head).decode()


def least(before: LeastMinutes | None, finish: Finish) -> LeastMinutes:
    """What is known of a run after one more of its executions: each minute only moves back.

    >>> first = least(None, Finish("acme/app", "1", 600_000, False, False, 600_000))
    >>> least(first, Finish("acme/app", "1", 540_000, True, False, 700_000))
    LeastMinutes(run=9, failing=9, error=None, version=1)
    """
    minute = finish.minute_ms // MINUTE_MS
    before = before or LeastMinutes(minute)
    return LeastMinutes(
        min(before.run, minute),
        _earlier(before.failing, minute) if finish.failing else before.failing,
        _earlier(before.error, minute) if finish.erring else before.error,
    )


def known(seen: Cells, run: str) -> LeastMinutes | None:
    """What is known of a run; null where it was never seen."""
    remembered = seen.get(run)
    return _LEAST.decode(remembered) if remembered else None


def learn(cells: Cells, seen: Cells, finish: Finish) -> Iterator[ProjectHealth]:
    """Fold one execution in: first time passes up to its arrival, then it counts.

    `cells` are the project's, `seen` its runs'. Yields what changed, in the order of its instants.
    """
    yield from pass_time(cells, finish.project, finish.arrived_ms)
    pages, head = _Pages(cells), _head(cells, finish.arrived_ms)
    before = known(seen, finish.run)
    after = least(before, finish)
    if after == before:
        return
    seen[finish.run] = msgspec.json.encode(after).decode()
    for series, name in enumerate(("run", "failing", "error")):
        was, now = getattr(before, name, None), getattr(after, name)
        if was != now:
            if was is not None:
                _count(head, pages, was, series, -1)
            _count(head, pages, now, series, 1)
    head.as_of_ms = max(head.as_of_ms, finish.arrived_ms)
    yield from _tell(head, pages, finish.project)
    pages.write(head)


def pass_time(cells: Cells, project: str, to_ms: int) -> Iterator[ProjectHealth]:
    """Slide both windows to the minute of `to_ms`; yields a value at each minute boundary at which it changed.

    A value that stays is told once a day all the same, at midnight UTC, while a run lies in its windows.
    """
    if HEAD not in cells:
        return
    pages, head = _Pages(cells), _head(cells, to_ms)
    last = to_ms // MINUTE_MS
    if last <= head.minute:
        return
    while head.minute < last and head.hours:
        head.minute += 1
        head.as_of_ms = head.minute * MINUTE_MS
        for totals, window in ((head.day, DAY_MINUTES), (head.week, WEEK_MINUTES)):
            if (head.minute - window) // 60 in head.hours:
                for series, count in enumerate(pages.at(head.minute - window)):
                    totals[series] -= count
        yield from _tell(head, pages, project, again=head.minute % DAY_MINUTES == 0 and head.week[0] > 0)
        left = (head.minute - WEEK_MINUTES) // 60
        if head.hours and head.hours[0] < left:  # the whole hour is behind both windows
            cells.pop(f"hour/{head.hours.pop(0)}", None)
    head.minute = last
    pages.write(head)


def next_instant_ms(cells: Cells) -> int | None:
    """When time alone may change the project's values: the next minute (epoch ms), or never."""
    if HEAD not in cells:
        return None
    head = _head(cells, 0)
    return (head.minute + 1) * MINUTE_MS if head.hours else None


def _head(cells: Cells, arrived_ms: int) -> _Head:
    text = cells.get(HEAD)
    if text is None:
        return _Head(arrived_ms // MINUTE_MS, arrived_ms, [0, 0, 0], [0, 0, 0], [])
    return _HEAD.decode(text)


def _count(head: _Head, pages: _Pages, minute: int, series: int, change: int) -> None:
    pages.add(minute, series, change)
    for totals, window in ((head.day, DAY_MINUTES), (head.week, WEEK_MINUTES)):
        if minute > head.minute - window:
            totals[series] += change


def _tell(head: _Head, pages: _Pages, project: str, *, again: bool = False) -> Iterator[ProjectHealth]:
    now = CurrentVelocity(MinuteCounts(*pages.at(head.minute - 1)), MinuteCounts(*pages.at(head.minute)))
    values = (_rate(head.day), _rate(head.week), now)
    if values != head.told or again:
        head.told = values
        yield ProjectHealth(
            project=project,
            failure_rate_24h=values[0],
            failure_rate_7d=values[1],
            failure_velocity=now,
            as_of_ms=head.as_of_ms,
            model_version=VERSION,
        )


def _rate(totals: list[int]) -> float | None:
    """At most 1: a run that is long may lie before the window with the minute in which it failed inside."""
    runs, failing, _ = totals
    return min(1.0, failing / runs) if runs else None


def _earlier(minute: int | None, other: int) -> int:
    return other if minute is None else min(minute, other)
