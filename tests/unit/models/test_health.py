"""Health: any order and any repetition give the same sums; windows slide by the clock alone."""

import random
from itertools import pairwise

import pytest

from contracts.records import MinuteCounts, ProjectHealth
from models.health import DAY_MINUTES, MINUTE_MS, WEEK_MINUTES, Finish, learn, next_instant_ms, pass_time

T0 = 1_767_225_600_000  # 2026-01-01 00:00 UTC
PROJECT = "acme/app"


def finish(run: str, minute: int, *, failing: bool = False, erring: bool = False, arrived: int | None = None) -> Finish:
    """`minute` and `arrived` count minutes from T0; it arrives 10 s into its minute unless told otherwise."""
    arrived_ms = T0 + (minute if arrived is None else arrived) * MINUTE_MS + 10_000
    return Finish(PROJECT, run, T0 + minute * MINUTE_MS, failing, erring, arrived_ms)


class Project:
    """One project's cells, and everything it has told."""

    def __init__(self) -> None:
        self.cells: dict[str, str] = {}
        self.seen: dict[str, str] = {}
        self.told: list[ProjectHealth] = []

    def learn(self, *events: Finish) -> "Project":
        for event in events:
            self.told += learn(self.cells, self.seen, event)
        return self

    def at(self, minute: float) -> ProjectHealth:
        self.told += pass_time(self.cells, PROJECT, int(T0 + minute * MINUTE_MS))
        return self.told[-1]


def test_a_run_fails_once_however_many_of_its_jobs_fail_and_a_green_retry_takes_nothing_back() -> None:
    now = (
        Project()
        .learn(finish("1", 0, failing=True), finish("1", 0, failing=True), finish("1", 0), finish("2", 0))
        .told[-1]
    )
    assert now.failure_rate_24h == 0.5
    assert now.failure_velocity.current_minute == MinuteCounts(2, 1, 0)


def test_infrastructure_errors_are_a_series_of_their_own_and_in_no_rate() -> None:
    now = Project().learn(finish("1", 0, erring=True)).told[-1]
    assert (now.failure_rate_24h, now.failure_velocity.current_minute) == (0.0, MinuteCounts(1, 0, 1))


def test_a_duplicate_tells_nothing() -> None:
    project = Project().learn(finish("1", 0, failing=True))
    before = list(project.told)
    assert project.learn(finish("1", 0, failing=True)).told == before


def test_a_run_moves_to_its_earliest_minute_when_an_older_job_comes_late() -> None:
    project = Project().learn(finish("1", 10), finish("1", 9, failing=True, arrived=10))
    assert project.told[-1].failure_velocity.current_minute == MinuteCounts(0, 0, 0)
    assert project.told[-1].failure_velocity.last_minute == MinuteCounts(1, 1, 0)


def test_the_current_minute_becomes_the_last_and_then_nothing() -> None:
    project = Project().learn(finish("1", 5))
    assert project.at(6).failure_velocity.last_minute == MinuteCounts(1, 0, 0)
    assert project.at(7).failure_velocity.last_minute == MinuteCounts(0, 0, 0)


@pytest.mark.parametrize(("window", "rate"), [(DAY_MINUTES, "failure_rate_24h"), (WEEK_MINUTES, "failure_rate_7d")])
def test_a_minute_leaves_its_window_exactly_when_it_is_that_old(window: int, rate: str) -> None:
    project = Project().learn(finish("1", 30, failing=True))
    assert getattr(project.at(30 + window - 0.001), rate) == 1.0
    assert getattr(project.at(30 + window), rate) is None


def test_a_late_event_of_a_minute_that_has_left_the_day_still_counts_in_the_week() -> None:
    project = Project().learn(finish("2", DAY_MINUTES), finish("1", 0, failing=True, arrived=DAY_MINUTES))
    assert (project.told[-1].failure_rate_24h, project.told[-1].failure_rate_7d) == (0.0, 0.5)


def test_a_stable_value_is_told_once_a_day_and_never_again_when_nothing_is_left() -> None:
    project = Project().learn(finish("1", 30))
    project.at(20 * DAY_MINUTES)
    midnights = [told.as_of_ms for told in project.told if (told.as_of_ms - T0) % (DAY_MINUTES * MINUTE_MS) == 0]
    assert midnights == [T0 + day * DAY_MINUTES * MINUTE_MS for day in range(1, 8)]
    assert project.told[-1].failure_rate_7d is None
    assert list(project.cells) == ["head"]
    assert next_instant_ms(project.cells) is None


def test_time_in_one_step_or_in_many_tells_the_same() -> None:
    events = [finish("1", 3, failing=True), finish("2", 50), finish("3", 1500)]
    leap, walk = Project(), Project()
    for event in events:
        for minute in range(event.minute_ms // MINUTE_MS - T0 // MINUTE_MS):
            walk.told += pass_time(walk.cells, PROJECT, T0 + minute * MINUTE_MS)
        walk.learn(event)
        leap.learn(event)
    for minute in range(1500, 3000):
        walk.at(minute)
    leap.at(2999)
    assert leap.told == walk.told


@pytest.mark.parametrize("seed", range(5))
def test_any_order_and_any_repetition_end_in_the_same_values(seed: int) -> None:
    chance = random.Random(seed)
    events = [
        finish(f"{chance.randrange(40)}", chance.randrange(600), failing=chance.random() < 0.3, arrived=700)
        for _ in range(300)
    ]
    ordered = Project().learn(*events).at(701)
    shuffled = events + chance.choices(events, k=100)
    chance.shuffle(shuffled)
    assert Project().learn(*shuffled).at(701) == ordered


@pytest.mark.parametrize("seed", range(3))
def test_the_rates_are_those_of_a_plain_count_at_every_instant(seed: int) -> None:
    chance = random.Random(seed)
    events, minute = [], 0
    for _ in range(400):
        minute += chance.choice((0, 0, 1, 5, 90))
        late = chance.choice((0, 0, 0, 3, 700, DAY_MINUTES - 1))
        events.append(
            finish(f"{chance.randrange(150)}", max(0, minute - late), failing=chance.random() < 0.4, arrived=minute)
        )
    project = Project()
    for done, event in enumerate(events, 1):
        project.learn(event)
        now = event.arrived_ms // MINUTE_MS
        runs: dict[str, int] = {}
        failing: dict[str, int] = {}
        for known in events[:done]:
            at = known.minute_ms // MINUTE_MS
            runs[known.run] = min(at, runs.get(known.run, at))
            if known.failing:
                failing[known.run] = min(at, failing.get(known.run, at))
        for window, rate in (
            (DAY_MINUTES, project.told[-1].failure_rate_24h),
            (WEEK_MINUTES, project.told[-1].failure_rate_7d),
        ):
            inside = sum(at > now - window for at in runs.values())
            assert rate == min(1.0, sum(at > now - window for at in failing.values()) / inside)


def test_instants_are_told_in_their_order() -> None:
    project = Project().learn(*(finish(f"{run}", run * 7, failing=run % 3 == 0) for run in range(300)))
    assert all(one.as_of_ms <= other.as_of_ms for one, other in pairwise(project.told))


def test_every_cell_says_its_version() -> None:
    project = Project().learn(finish("1", 0))
    assert all('"version":1' in text for text in (*project.cells.values(), *project.seen.values()))


def test_a_share_is_never_more_than_one_where_runs_began_before_the_window_and_failed_inside() -> None:
    project = Project()
    for run in ("1", "2"):
        project.learn(finish(run, 0, arrived=0))
        project.learn(finish(run, 30, failing=True, arrived=30))
    project.learn(finish("3", DAY_MINUTES + 10, arrived=DAY_MINUTES + 10))
    assert project.told[-1].failure_rate_24h == 1.0


def test_a_project_whose_last_run_left_both_windows_is_told_no_more() -> None:
    project = Project()
    project.learn(finish("1", 10, arrived=10))
    last = project.at(WEEK_MINUTES + 2 * DAY_MINUTES)
    assert (last.failure_rate_7d, last.as_of_ms) == (None, T0 + (WEEK_MINUTES + 10) * MINUTE_MS)
