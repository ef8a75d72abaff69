"""Real arrivals: the commits of projects by minute, and incidents laid over them.

A series is a project's commits, or those of them that brought a bug, in the 20 consecutive weeks that hold the most.
Commits are no failing runs, but people at work: hours, weekends, holidays and bursts that nobody drew. Every alarm on
them counts as false, though some are real bursts of merges.
"""

import csv
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contracts.errors import Misconfigured
from pipelines.evaluate.population import WEEK_MIN, Incidents, Population

WEEKS, WARM_WEEKS = 20, 12
INCIDENT_MIN, INCIDENT_RATE = 20, 0.4  # minutes, and failing runs a minute above what is there
INCIDENT_EVERY_MIN = 2880
MONDAY = 4 * 1440  # minutes from the epoch, a Thursday, to the first Monday
SUFFIX = "_k_feature"  # the end of the published files' names
LATEST_S = 4_102_444_800  # 2100-01-01: what lies beyond are no seconds
COLUMNS = ("date", "bug")


def read(path: Path) -> dict[str, NDArray[np.int64]]:
    """Minutes since the epoch of the arrivals of the two series of a file (CSV or JSONL), sorted, by name.

    A file none of whose commits brought a bug has one. Raises Misconfigured, naming file, line and column, when it is
    of another form or holds less than 20 weeks.
    """
    project = path.stem.removesuffix(SUFFIX)
    commits = np.array(sorted(_commits(path)), np.int64).reshape(-1, 2)
    if len(commits) == 0:
        raise Misconfigured(f"{path}: holds no commits")
    weeks = (commits[-1, 0] - commits[0, 0]) / WEEK_MIN
    if weeks < WEEKS:
        raise Misconfigured(
            f"{path}: holds {weeks:.1f} weeks of commits by the column date, less than {WEEKS} weeks: "
            f"{WARM_WEEKS} teach, {WEEKS - WARM_WEEKS} are judged"
        )
    series = {f"{project} commits": commits[:, 0], f"{project} buggy commits": commits[commits[:, 1] == 1, 0]}
    return {name: minutes for name, minutes in series.items() if len(minutes)}


def densest(minutes: NDArray[np.int64]) -> tuple[int, NDArray[np.int64]]:
    """The first minute of the weeks that hold the most, a Monday 00:00 UTC, and their counts by minute."""
    week = (minutes - MONDAY) // WEEK_MIN
    by_week = np.bincount(week - week[0])
    held = np.convolve(by_week, np.ones(WEEKS, np.int64))[WEEKS - 1 :]
    first = int((week[0] + np.argmax(held[: max(1, len(by_week) - WEEKS + 1)])) * WEEK_MIN + MONDAY)
    inside = minutes[(minutes >= first) & (minutes < first + WEEKS * WEEK_MIN)] - first
    return first, np.bincount(inside, minlength=WEEKS * WEEK_MIN)


def quiet(series: Mapping[str, NDArray[np.int64]]) -> Population:
    """The series side by side as they are, without an incident: all begin on a Monday, which one does not matter."""
    found = [densest(minutes) for minutes in series.values()]
    none = np.empty(0, np.int64)
    counts = np.stack([counts for _, counts in found], axis=1)
    return Population(found[0][0], counts, Incidents(none, none, none), WARM_WEEKS * WEEK_MIN)


def burning(population: Population, seed: int) -> Population:
    """The same with an incident in every second judged day, at an instant and with arrivals from the seed."""
    random = np.random.default_rng(seed)
    counts, judged = population.counts.copy(), population.judged
    starts = np.arange(judged, len(counts) - INCIDENT_EVERY_MIN + 1, INCIDENT_EVERY_MIN)
    series = np.repeat(np.arange(counts.shape[1]), len(starts))
    start = np.tile(starts, counts.shape[1]) + random.integers(0, INCIDENT_EVERY_MIN - 240, len(series))
    for column, at in zip(series, start, strict=True):
        counts[at : at + INCIDENT_MIN, column] += random.poisson(INCIDENT_RATE, INCIDENT_MIN)
    return Population(
        population.first, counts, Incidents(series, start, np.full(len(start), INCIDENT_MIN)), population.judged
    )


def _commits(path: Path) -> Iterator[tuple[int, int]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = (
                enumerate(map(json.loads, file), 1) if path.suffix == ".jsonl" else enumerate(csv.DictReader(file), 2)
            )
            for number, row in rows:
                yield _commit(f"{path}, line {number}", row)
    except (OSError, ValueError, RecursionError, csv.Error) as told:
        raise Misconfigured(f"{path}: cannot be read as {path.suffix[1:].upper()} ({told})") from told


def _commit(where: str, row: Mapping[str, Any]) -> tuple[int, int]:
    """Minute since the epoch, and whether it brought a bug."""
    if not isinstance(row, dict):
        raise Misconfigured(f"{where}: is no object with {' and '.join(COLUMNS)}")
    if missing := [name for name in COLUMNS if row.get(name) is None]:
        raise Misconfigured(f"{where}: has no {' and no '.join(missing)}")
    date, bug = (_number(where, name, row[name]) for name in COLUMNS)
    if not 0 <= date < LATEST_S:
        raise Misconfigured(f"{where}: date {row['date']!r} is no time in seconds since 1970")
    if bug not in (0, 1):
        raise Misconfigured(f"{where}: bug {row['bug']!r} is neither 0 nor 1")
    return int(date) // 60, int(bug)


def _number(where: str, name: str, value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError) as told:
        raise Misconfigured(f"{where}: {name} {str(value)[:80]!r} is no number") from told
