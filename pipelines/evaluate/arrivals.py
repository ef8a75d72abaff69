"""Real arrivals: the commits of OpenStack and Qt by minute, and incidents laid over them.

A series is a project's commits, or those of them that brought a bug, in the 20 consecutive weeks that hold the most.
Commits are no failing runs, but people at work: hours, weekends, holidays and bursts that nobody drew. Every alarm on
them counts as false, though some are real bursts of merges.
"""

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from contracts.errors import Misconfigured
from pipelines.evaluate.population import WEEK_MIN, Incidents, Population

PROJECTS = ("openstack", "qt")
WEEKS, WARM_WEEKS = 20, 12
INCIDENT_MIN, INCIDENT_RATE = 20, 0.4  # minutes, and failing runs a minute above what is there
INCIDENT_EVERY_MIN = 2880
MONDAY = 4 * 1440  # minutes from the epoch, a Thursday, to the first Monday


def read(data: Path) -> dict[str, NDArray[np.int64]]:
    """Minutes since the epoch of each series' arrivals, sorted, by name.

    Raises Misconfigured when the folder or a file is missing, or is of another form.
    """
    series = {}
    for project in PROJECTS:
        path = data / "jit" / f"{project}_k_feature.csv"
        commits = np.array(sorted(_commits(path)), np.int64).reshape(-1, 2)
        if len(commits) == 0:
            raise Misconfigured(f"{path}: holds no commits")
        if commits[-1, 0] - commits[0, 0] < WEEKS * WEEK_MIN:
            raise Misconfigured(f"{path}: holds less than {WEEKS} weeks of commits")
        series[f"{project} commits"] = commits[:, 0]
        series[f"{project} buggy commits"] = commits[commits[:, 1] == 1, 0]
    return series


def densest(minutes: NDArray[np.int64]) -> tuple[int, NDArray[np.int64]]:
    """The first minute of the weeks that hold the most, a Monday 00:00 UTC, and their counts by minute."""
    week = (minutes - MONDAY) // WEEK_MIN
    by_week = np.bincount(week - week[0])
    held = np.convolve(by_week, np.ones(WEEKS, np.int64))[WEEKS - 1 :]
    first = int((week[0] + np.argmax(held[: max(1, len(by_week) - WEEKS + 1)])) * WEEK_MIN + MONDAY)
    inside = minutes[(minutes >= first) & (minutes < first + WEEKS * WEEK_MIN)] - first
    return first, np.bincount(inside, minlength=WEEKS * WEEK_MIN)


def quiet(series: dict[str, NDArray[np.int64]]) -> Population:
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
        with path.open(newline="", encoding="utf-8") as file:
            for number, row in enumerate(csv.DictReader(file), 2):
                yield _commit(path, number, row)
    except (OSError, UnicodeDecodeError, csv.Error) as told:
        raise Misconfigured(f"{path}: cannot be read as CSV ({told}); --data is the folder that holds jit/") from told


def _commit(path: Path, number: int, row: dict[str, str]) -> tuple[int, int]:
    """Minute since the epoch, and whether it brought a bug."""
    missing = [name for name in ("date", "bug") if row.get(name) is None]
    if missing:
        raise Misconfigured(f"{path}, line {number}: has no {' and no '.join(missing)}")
    try:
        return int(row["date"]) // 60, int(float(row["bug"]))
    except ValueError as told:
        raise Misconfigured(f"{path}, line {number}: date and bug are numbers ({told})") from told
