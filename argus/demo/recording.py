"""What a demonstration replays, and a plain count of it: no topic, no job, no model."""

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from contracts.records import FUTURE_MS, LATE_MS, JobExecution
from pipelines.replay import Arrival
from pipelines.simulate import line_json, simulate
from pipelines.world import World

MINUTE_MS, DAY_MS = 60_000, 86_400_000
SEED = 3
"""A day with an outage in the afternoon, five regressions and four bursts."""

Counts = tuple[int, int, int]
"""Runs, failing runs and error runs."""
Rows = dict[tuple[str, int], Counts]
"""By project and minute (its start, epoch ms)."""


@dataclass(frozen=True)
class Recording:
    """Arrivals in order, `rows` counted from them, how many came twice or over a minute late, projects by runs."""

    arrivals: Sequence[Arrival]
    rows: Rows
    repeated: int
    late: int
    projects: tuple[str, ...] = field(default=())

    @property
    def first_ms(self) -> int:
        """When the first arrives, epoch ms."""
        return self.arrivals[0].at_ms

    @property
    def last_ms(self) -> int:
        """When the last arrives, epoch ms."""
        return self.arrivals[-1].at_ms


def write_day(path: Path, seed: int) -> None:
    """Simulate a CI day of 8 projects into a file of JSON Lines: what arrives until midnight."""
    world = World(seed=seed, projects=8, hours=24, runs_per_hour=60, outages_per_day=1.2, too_late_ratio=0)
    midnight_ms = world.start_ms + DAY_MS
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    with fresh.open("wb") as file:
        file.writelines(line_json(line) for line in simulate(world).lines if line.arrived_ms < midnight_ms)
    fresh.replace(path)


def recording(arrivals: Sequence[Arrival]) -> Recording:
    """The arrivals in the order of their clock, counted."""
    ordered = sorted(arrivals, key=lambda arrival: arrival.at_ms)
    jobs = [(one.record, one.at_ms) for one in ordered if isinstance(one.record, JobExecution)]
    executions = Counter((record.project, record.run, record.job, record.attempt) for record, _ in jobs)
    late = sum(at_ms - record.finished_ms > MINUTE_MS for record, at_ms in jobs)
    sizes = Counter(project for project, _ in {(record.project, record.run) for record, _ in jobs})
    projects = tuple(sorted(sizes, key=lambda project: (-sizes[project], project)))
    return Recording(ordered, plain_count(ordered), len(jobs) - len(executions), late, projects)


def plain_count(arrivals: Sequence[Arrival]) -> Rows:
    """Runs, failing runs and error runs per project and minute, in the words of docs/words.md.

    An event that arrives more than 24 h late or is more than 5 minutes ahead is not counted, by whole seconds.
    """
    minutes: list[dict[tuple[str, str], int]] = [{}, {}, {}]
    for arrival in arrivals:
        job = arrival.record
        if not isinstance(job, JobExecution):
            continue
        ahead_s = job.finished_ms // 1000 - arrival.at_ms // 1000
        if not -LATE_MS // 1000 <= ahead_s <= FUTURE_MS // 1000:
            continue
        first = job.attempt == 1
        counts = (True, first and job.outcome in ("failure", "timeout"), first and job.outcome == "error")
        run, minute_ms = (job.project, job.run), job.finished_ms // MINUTE_MS * MINUTE_MS
        for least, applies in zip(minutes, counts, strict=True):
            if applies:
                least[run] = min(minute_ms, least.get(run, minute_ms))
    rows: dict[tuple[str, int], list[int]] = {}
    for series, least in enumerate(minutes):
        for (project, _), minute_ms in least.items():
            rows.setdefault((project, minute_ms), [0, 0, 0])[series] += 1
    return {at: (runs, failing, error) for at, (runs, failing, error) in rows.items()}


def rates(rows: Rows, clock_ms: int) -> dict[str, float]:
    """Failing runs over runs of each project in the 24 h that end with the minute of the clock."""
    after_ms = clock_ms // MINUTE_MS * MINUTE_MS - DAY_MS
    runs: Counter[str] = Counter()
    failing: Counter[str] = Counter()
    for (project, minute_ms), counts in rows.items():
        if minute_ms > after_ms:
            runs[project] += counts[0]
            failing[project] += counts[1]
    return {project: failing[project] / count for project, count in runs.items() if count}
