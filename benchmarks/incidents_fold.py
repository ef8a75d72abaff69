"""What the fold of the job `project` costs, without Flink: processor time and bytes of each project."""

import random
import time
from collections.abc import Callable
from typing import NamedTuple

from contracts.records import JobExecution, encode
from jobs.project import Execution, Zones, instant, next_instant_ms, step
from models.health import Finish

PROJECTS, MINUTES, WEEKS = 200, 60, 4
MINUTE_MS, HOUR_MS = 60_000, 3_600_000
START_MS = 1_767_571_200_000
FAILING = 0.1


class Cost(NamedTuple):
    """Of an update a minute: microseconds of a processor, and how many projects one holds; bytes of their cells."""

    update_us: float
    projects_per_core: float
    state_bytes: float


def fold_cost(told: Callable[[str], None]) -> Cost:
    """Projects that are known for weeks, each with an execution and all its instants every minute for an hour."""
    told(f"the fold of {PROJECTS} projects, an update a minute")
    chance, zones = random.Random(1), Zones("UTC", {})
    cells, memory = _seasoned("bench/p", zones, chance)
    known = [(f"bench/p{number}", (cells.copy(), memory.copy())) for number in range(PROJECTS)]
    began_ms = START_MS + WEEKS * 168 * HOUR_MS
    used_s = time.process_time()
    for minute in range(MINUTES):
        for project, remembered in known:
            at_ms = began_ms + minute * MINUTE_MS + chance.randrange(MINUTE_MS)
            _update(project, remembered, f"now-{minute}", at_ms, zones, failing=chance.random() < FAILING)
    update_us = (time.process_time() - used_s) / (MINUTES * PROJECTS) * 1e6
    size = sum(len(text) for _, (kept, _) in known for name, text in kept.items() if name.startswith("incidents"))
    return Cost(update_us, 60e6 / update_us, size / PROJECTS)


Known = tuple[dict[str, str], dict[str, str]]


def _seasoned(project: str, zones: Zones, chance: random.Random) -> Known:
    known: Known = ({}, {})
    for hour in range(WEEKS * 168):
        at_ms = START_MS + hour * HOUR_MS + chance.randrange(HOUR_MS)
        _update(project, known, f"then-{hour}", at_ms, zones, failing=chance.random() < FAILING)
    return known


def _update(project: str, known: Known, run: str, at_ms: int, zones: Zones, *, failing: bool) -> None:
    cells, memory = known
    while (due_ms := next_instant_ms(cells)) is not None and due_ms <= at_ms:
        for _ in instant(zones, cells, project, due_ms):
            pass
    body = None
    if failing:
        body = encode(JobExecution(project=project, run=run, job="unit", outcome="failure", finished_ms=at_ms))
    finish = Finish(project, run, at_ms // MINUTE_MS * MINUTE_MS, failing, False, at_ms)
    for _ in step(zones, cells, memory, Execution(finish, body)):
        pass
