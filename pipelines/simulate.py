"""A seeded CI history with its truth in a file of its own: the same seed gives the same bytes.

Imports no model, so that what a model finds can be held against what was put in. Runs come as a Poisson process that
follows the hour and the weekday; a run is a matrix of jobs; a failed job may be tried again. What was put in (flaky
tests, regressions, outages of the infrastructure, bursts) and what delivery did (duplicates, delays) is the truth.
"""

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from random import Random
from typing import Literal

import msgspec
from msgspec import Struct

from contracts.records import LATE_MS, JobExecution, Outcome
from contracts.topics import RUNS
from pipelines.world import KINDS, Burst, FlakyTest, Incident, Outage, Regression, Window, World

SECOND_MS, MINUTE_MS, HOUR_MS = 1_000, 60_000, 3_600_000
TENANTS = ("acme", "globex", "initech", "umbrella")
NAMES = ("app", "api", "web", "core", "infra", "mobile", "data", "search", "billing", "auth")
PLATFORMS = ("linux-py3.11", "linux-py3.12", "macos-py3.12", "windows-py3.12")
BUILD = "build"
ALWAYS = ("lint", BUILD)  # no test runs on what was not built
LAST_ATTEMPT = 3


@dataclass(frozen=True)
class Simulated:
    """`lines` in the order of arrival, and what is true of them."""

    lines: list["Line"]
    incidents: list[Incident]


class Line(Struct, frozen=True, kw_only=True):
    """One delivery: when it arrives, of which execution, and the number of the line that brought it first."""

    arrived_ms: int
    record: JobExecution
    first_line: int | None = None

    @property
    def fate(self) -> Literal["duplicate", "too-late", "late", "in-time"]:
        """A repeat; more than 24 h old; more than a minute old; or neither."""
        age_ms = self.arrived_ms - self.record.finished_ms
        if age_ms > LATE_MS:
            return "too-late"
        if self.first_line is not None:
            return "duplicate"
        return "late" if age_ms > MINUTE_MS else "in-time"


def simulate(world: World) -> Simulated:
    """Everything that happens in `world`, and its truth."""
    chance = Random(world.seed)
    outages = [Outage(window) for window in _windows(world, chance, world.outages_per_day, world.outage_minutes)]
    incidents: list[Incident] = [*outages]
    executions: list[JobExecution] = []
    for number in range(world.projects):
        project = Project(world, number, chance.getrandbits(64), [outage.window for outage in outages])
        executions += project.history()
        incidents += project.incidents
    return Simulated(_delivered(world, chance, executions), incidents)


class Project:
    """One project's history; remembers its load, its jobs and what is wrong with it."""

    def __init__(self, world: World, number: int, seed: int, outages: list[Window]) -> None:
        self._world, self._outages, self._chance = world, outages, Random(seed)
        name = NAMES[number // len(TENANTS) % len(NAMES)]
        self.name = f"{TENANTS[number % len(TENANTS)]}/{name}-{number:02d}"
        size = math.exp(self._chance.gauss(0, world.size_spread) - world.size_spread**2 / 2)
        self._per_hour = world.runs_per_hour * size
        jobs = self._chance.randint(1, world.matrix_jobs_max)
        self._jobs = [(job, None) for job in ALWAYS] + [
            (f"test ({PLATFORMS[at % len(PLATFORMS)]}, {at // len(PLATFORMS) + 1})", PLATFORMS[at % len(PLATFORMS)])
            for at in range(jobs)
        ]
        self._bursts = [
            Burst(self.name, window)
            for window in _windows(world, self._chance, world.bursts_per_day, world.burst_minutes)
        ]
        self._flaky = [self._flaky_test() for _ in range(_poisson(self._chance, world.flaky_tests_per_project))]
        minutes = world.regression_hours * 60
        self._regressions = [
            Regression(self.name, self._test_job(), _hex(self._chance, 40), window)
            for window in _windows(world, self._chance, world.regressions_per_day * size, minutes)
        ]
        self._begun: list[Regression] = []
        self.incidents: list[Incident] = [*self._flaky, *self._regressions, *self._bursts]

    def history(self) -> Iterator[JobExecution]:
        """All executions of all runs, run by run."""
        number = 0
        for minute in range(int(self._world.hours * 60)):
            at_ms = self._world.start_ms + minute * MINUTE_MS
            for _ in range(_poisson(self._chance, self._load(at_ms) / 60)):
                number += 1
                yield from self._run(number, at_ms + self._chance.randrange(MINUTE_MS))

    def _load(self, at_ms: int) -> float:
        """Runs per hour expected at an instant."""
        hour = at_ms / HOUR_MS % 24
        weekday = (at_ms // (24 * HOUR_MS) + 3) % 7  # 1970-01-01 was a Thursday; Monday is 0
        load = self._per_hour * (1 + self._world.day_swing * math.cos((hour - 14) / 24 * math.tau))
        load *= self._world.weekend_share if weekday >= 5 else 1
        return load * (self._world.burst_factor if self._in_burst(at_ms) else 1)

    def _in_burst(self, at_ms: int) -> bool:
        return any(burst.window.holds(at_ms) for burst in self._bursts)

    def _run(self, number: int, at_ms: int) -> Iterator[JobExecution]:
        chance = self._chance
        is_bot = self._in_burst(at_ms) or chance.random() < 0.2
        branch = "main" if chance.random() < 0.4 else f"change-{number}"
        is_bad = chance.random() < self._world.bad_change_ratio
        active = [one for one in self._regressions if one.window.holds(at_ms)]
        begun = next((one for one in active if one not in self._begun), None)
        self._begun += [begun] if begun else []
        of_run = JobExecution(
            project=self.name,
            run=f"{self.name.partition('/')[2]}-{number}",
            job="",
            workflow="ci",
            outcome="skipped",
            finished_ms=at_ms,
            commit=begun.commit if begun else _hex(chance, 40),
            branch=branch,
            trigger="bot" if is_bot else "human",
        )
        is_unbuilt = False
        for job, environment in self._jobs:
            starts_ms = at_ms + chance.randrange(30 * SECOND_MS)
            of_job = msgspec.structs.replace(of_run, job=job, environment=environment)
            if environment is not None and is_unbuilt:
                yield msgspec.structs.replace(of_job, finished_ms=starts_ms)
                continue
            breaks = (is_bad and chance.random() < 0.4) or any(one.job == job for one in active)
            last: Outcome = "skipped"
            for execution in self._attempts(of_job, starts_ms, breaks):
                last = execution.outcome
                yield execution
            is_unbuilt = job == BUILD and last != "success"

    def _attempts(self, of_job: JobExecution, starts_ms: int, breaks: bool) -> Iterator[JobExecution]:
        chance = self._chance
        for attempt in range(1, LAST_ATTEMPT + 1):
            usual_s = 240 if of_job.environment else 60
            ends_ms = starts_ms + int(SECOND_MS * math.exp(chance.gauss(math.log(usual_s), 0.5)))
            outcome, told = self._outcome(of_job.job, ends_ms, breaks)
            yield msgspec.structs.replace(
                of_job, attempt=attempt, outcome=outcome, started_ms=starts_ms, finished_ms=ends_ms, message=told
            )
            if outcome not in ("failure", "timeout", "error") or chance.random() >= self._world.retry_ratio:
                break
            starts_ms = ends_ms + chance.randrange(5 * SECOND_MS, 5 * MINUTE_MS)

    def _outcome(self, job: str, ends_ms: int, breaks: bool) -> tuple[Outcome, str | None]:
        chance, world = self._chance, self._world
        dies = world.outage_error_ratio if any(window.holds(ends_ms) for window in self._outages) else world.error_ratio
        if chance.random() < dies:
            return "error", "the runner was lost"
        if chance.random() < world.cancelled_ratio:
            return "cancelled", None
        if chance.random() < world.timeout_ratio:
            return "timeout", "no output for 30 minutes"
        if breaks:
            return "failure", f"AssertionError in {job}"
        for flaky in self._flaky:
            if flaky.job == job and chance.random() < flaky.flake_rate:
                return "failure", f"{flaky.test} failed"
        return "success", None

    def _test_job(self) -> str:
        return self._chance.choice(self._jobs[len(ALWAYS) :])[0]

    def _flaky_test(self) -> FlakyTest:
        test = f"pytest::tests.test_{self._chance.choice(NAMES)}::test_{_hex(self._chance, 6)}"
        rate = round(math.exp(self._chance.uniform(math.log(0.01), math.log(self._world.flake_rate_max))), 4)
        return FlakyTest(self.name, self._test_job(), test, rate)


def _delivered(world: World, chance: Random, executions: list[JobExecution]) -> list[Line]:
    """Every execution once or more, in the order of arrival."""
    deliveries = sorted(
        (record.finished_ms + _delay_ms(world, chance), number)
        for number, record in enumerate(executions)
        for _ in range(1 + (chance.random() < world.duplicate_ratio))
    )
    first: dict[int, int] = {}
    lines = []
    for line, (arrived_ms, number) in enumerate(deliveries, start=1):
        lines.append(Line(arrived_ms=arrived_ms, record=executions[number], first_line=first.get(number)))
        first.setdefault(number, line)
    return lines


def _delay_ms(world: World, chance: Random) -> int:
    kind = chance.random()
    if kind < world.too_late_ratio:
        return LATE_MS + 1 + chance.randrange(2 * LATE_MS)
    if kind < world.too_late_ratio + world.late_ratio:
        return int(math.exp(chance.uniform(math.log(MINUTE_MS), math.log(LATE_MS - MINUTE_MS))))
    return int(chance.expovariate(1 / world.delay_ms))


def _windows(world: World, chance: Random, per_day: float, minutes: float) -> list[Window]:
    """Windows of exponential length at times without preference."""
    found = []
    for _ in range(_poisson(chance, per_day * world.hours / 24)):
        begins_ms = world.start_ms + int(chance.random() * world.hours * HOUR_MS)
        found.append(Window(begins_ms, begins_ms + 1 + int(chance.expovariate(1 / minutes) * MINUTE_MS)))
    return sorted(found, key=lambda window: window.begins_ms)


def _poisson(chance: Random, mean: float) -> int:
    """A Poisson number, by the gaps of its process."""
    count, at = 0, chance.expovariate(1)
    while at < mean:
        count, at = count + 1, at + chance.expovariate(1)
    return count


def _hex(chance: Random, digits: int) -> str:
    return f"{chance.getrandbits(4 * digits):0{digits}x}"


def line_json(line: Line) -> bytes:
    """The line as `argus ingest` and `argus replay` read it: the record's fields, its type and its arrival."""
    fields = {"type": RUNS.name, "arrived_ms": line.arrived_ms, **msgspec.to_builtins(line.record)}
    return msgspec.json.encode(fields) + b"\n"


def truth_json(world: World, simulated: Simulated) -> Iterator[bytes]:
    """The truth, as JSON Lines: the world, its incidents, then each line that is late, too late or a duplicate."""
    counts = {"lines": len(simulated.lines), "executions": sum(line.first_line is None for line in simulated.lines)}
    yield msgspec.json.encode({"kind": "world", **asdict(world), **counts}) + b"\n"
    for incident in simulated.incidents:
        yield msgspec.json.encode({"kind": KINDS[type(incident)], **asdict(incident)}) + b"\n"
    for number, line in enumerate(simulated.lines, start=1):
        if line.fate != "in-time" or line.first_line is not None:
            age_ms = line.arrived_ms - line.record.finished_ms
            told = {"kind": "line", "line": number, "fate": line.fate, "age_ms": age_ms, "first_line": line.first_line}
            yield msgspec.json.encode(told) + b"\n"
