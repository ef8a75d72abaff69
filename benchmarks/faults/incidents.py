"""Incidents though everything they run on is killed: opened, escalated and resolved as by the model alone."""

from collections.abc import Callable
from dataclasses import replace

from benchmarks.faults.case import APART_MS, START_MS, run
from benchmarks.faults.case import Outcome as Came
from benchmarks.faults.kills import FAULTS
from benchmarks.faults.velocity import CHECKPOINT_S, figures
from benchmarks.observed import insights
from benchmarks.private import private_stack
from benchmarks.report import Measured
from benchmarks.running import running
from contracts.errors import Unavailable
from contracts.records import JobExecution, Outcome
from pipelines.replay import Arrival

BURNING, RUNS, MINUTE_MS = 3, 8, 60_000
SETTLED_HOURS = 3
"""A project is silent in its first two hours."""


def measure(*, seeds: int, told: Callable[[str], None]) -> Measured:
    """Each fault once per seed while projects burn, on a stack of its own.

    Raises Unavailable as `argus faults velocity` does, and when a fault came while nothing burned.
    """
    outcomes: list[Came] = []
    opened = 0
    told("starting a stack")
    with private_stack() as stack:
        for seed in range(1, seeds + 1):
            settings = stack.settings(f"burning-{seed}", clock="replay", checkpoint_interval_s=CHECKPOINT_S)
            with running(stack.data, settings) as one:
                outcomes.append(run(one, None, seed, 0, told, burning))
                for at, fault in enumerate(FAULTS):
                    outcomes.append(run(one, fault, seed, SETTLED_HOURS + at, told, burning))
                found = sum('"state":"opened"' in said for said in insights(settings).values())
                if found < BURNING * len(FAULTS):
                    raise Unavailable(f"seed {seed}: {found} incidents, fewer than were lit")
                opened += found
    measured = figures("faults incidents", outcomes)
    return replace(measured, setup={**measured.setup, "incidents": opened})


def burning(number: int) -> list[Arrival]:
    """In each case projects of its own fail in one run a minute, delivered twice; in the first all of them succeed."""
    began_ms = START_MS + number * APART_MS
    if number == 0:
        lit = range(SETTLED_HOURS, SETTLED_HOURS + len(FAULTS))
        projects = [_project(later, one) for later in lit for one in range(BURNING)]
        return [Arrival(_run(project, "0", "success", began_ms), began_ms + 1_000) for project in projects]
    failures = [
        _run(_project(number, one), str(run), "failure", began_ms + (3 + run) * MINUTE_MS + one * 7_000)
        for one in range(BURNING)
        for run in range(RUNS)
    ]
    return [Arrival(failure, failure.finished_ms + delay_ms) for failure in failures for delay_ms in (2_000, 6_000)]


def _project(number: int, one: int) -> str:
    return f"burning/case-{number}-{one}"


def _run(project: str, run: str, outcome: Outcome, at_ms: int) -> JobExecution:
    return JobExecution(
        project=project, run=run, job="unit", outcome=outcome, finished_ms=at_ms, branch="main", commit=f"c{run}"
    )
