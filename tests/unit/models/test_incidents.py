"""Incidents: what a person would want of a burst, a night's cron, a change of the clock, a dead runner pool."""

from collections.abc import Iterable
from datetime import UTC, datetime
from random import Random
from zoneinfo import ZoneInfo

import pytest

from contracts.insights import FailureExpectation, Insight
from contracts.records import JobExecution, encode
from gateway.insights.feeds import LEAST_ALPHA, PAGING
from models.incidents import DECADES, GRID_MS, Arrival, Told, Watch, learn, next_instant_ms, pass_time

MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000
WEEK_MS = 7 * DAY_MS
MONDAY_MS = 1_788_739_200_000  # 2026-09-07, 00:00 UTC
PROJECT = "acme/app"


class Project:
    """One project's fold, told what arrives when; time passes as its timers ask for it."""

    def __init__(self, watch: Watch | None = None) -> None:
        self.watch = watch or Watch()
        self.cells: dict[str, str] = {}
        self.told: list[Told] = []
        self.runs = 0

    def fail(
        self, at_ms: int, runs: int = 1, *, error: bool = False, finished_ms: int | None = None, **said: str
    ) -> None:
        """So many runs fail at this arrival."""
        minute = (at_ms if finished_ms is None else finished_ms) // MINUTE_MS
        for _ in range(runs):
            self.runs += 1
            execution = JobExecution(
                project=PROJECT, run=f"run-{self.runs}", job=said.get("job", "unit"), outcome="failure",
                finished_ms=minute * MINUTE_MS, branch=said.get("branch", "main"), commit=said.get("commit"),
            )  # fmt: skip
            self.arrive(
                Arrival(PROJECT, execution.run, at_ms, None if error else minute, minute if error else None, execution)
            )

    def passes(self, at_ms: int, runs: int = 1) -> None:
        """So many runs succeed at this arrival."""
        for _ in range(runs):
            self.runs += 1
            self.arrive(Arrival(PROJECT, f"run-{self.runs}", at_ms))

    def arrive(self, arrival: Arrival) -> None:
        """One execution."""
        self.told += learn(self.cells, arrival, self.watch)

    def until(self, to_ms: int) -> "Project":
        """Time passes, instant by instant."""
        while (at_ms := next_instant_ms(self.cells)) is not None and at_ms <= to_ms:
            self.told += pass_time(self.cells, PROJECT, at_ms, self.watch)
        return self

    def insights(self, since_ms: int = 0) -> list[Insight]:
        """What was noticed from then on."""
        return [one for one in self.told if isinstance(one, Insight) and one.at_ms >= since_ms]

    def states(self, since_ms: int = 0) -> list[str]:
        """The same in short."""
        return [one.state for one in self.insights(since_ms)]


def seasoned(weeks: int = 3, *, watch: Watch | None = None, seed: int = 1) -> Project:
    """A project that is known: for weeks a run every two hours, of which one in five fails in working hours."""
    project, chance = Project(watch), Random(seed)
    for hour in range(0, weeks * 168, 2):
        at_ms = MONDAY_MS + hour * HOUR_MS + chance.randrange(HOUR_MS // GRID_MS) * GRID_MS
        if 8 <= hour % 24 < 18 and chance.random() < 0.2:
            project.fail(at_ms)
        else:
            project.passes(at_ms)
    return project.until(MONDAY_MS + weeks * WEEK_MS)


NOW_MS = MONDAY_MS + 3 * WEEK_MS + 10 * HOUR_MS  # a Monday, 10:00


def burst(project: Project, at_ms: int, runs: int = 10, every_ms: int = MINUTE_MS, **said: str) -> int:
    """Runs that fail one after the other; when the last did."""
    for run in range(runs):
        project.fail(at_ms + run * every_ms, **said)
    return at_ms + (runs - 1) * every_ms


def test_a_burst_opens_once_within_the_grid_and_resolves_once_it_is_quiet() -> None:
    project = seasoned()
    last_ms = burst(project, NOW_MS, 20, job="integration", branch="release", commit="c0ffee")
    project.until(last_ms + HOUR_MS)
    opened, *escalated, resolved = project.insights(NOW_MS)
    assert (opened.state, {one.state for one in escalated}, resolved.state) == ("opened", {"escalated"}, "resolved")
    assert opened.at_ms % GRID_MS == 0
    assert opened.at_ms - NOW_MS <= 4 * MINUTE_MS + GRID_MS  # the fifth run at the latest
    assert (opened.series, opened.evidence.jobs[0].value, opened.evidence.first_commit) == (
        "failing",
        "integration",
        "c0ffee",
    )
    assert opened.window is not None
    assert opened.window.ratio > 10
    runs = opened.runs
    assert opened.title.endswith(f": {runs} of {runs} in job integration, {runs} of {runs} on branch release")
    assert resolved.at_ms == (last_ms // MINUTE_MS + 31) * MINUTE_MS  # 30 quiet minutes
    assert (resolved.runs, resolved.subject) == (20, opened.subject)
    assert len({one.insight for one in project.insights()}) == len(project.insights())


def test_a_failure_now_and_then_raises_nothing() -> None:
    project = seasoned(5)
    assert project.states(MONDAY_MS + 2 * WEEK_MS) == []


def test_an_incident_that_goes_on_is_not_raised_twice() -> None:
    project = seasoned()
    burst(project, NOW_MS, 60, 2 * MINUTE_MS)
    project.until(NOW_MS + DAY_MS // 2)
    states = project.states(NOW_MS)
    assert (states[0], states[-1], states.count("opened")) == ("opened", "resolved", 1)
    assert states.count("escalated") <= 5  # two of severity, three of p


@pytest.mark.parametrize("cut", ["by timers", "by arrivals", "anywhere"])
def test_however_the_stream_is_cut_the_same_bytes_come_out(cut: str) -> None:
    def told(cut: str) -> list[bytes]:
        project, arrivals, cuts = Project(), Random(5), Random(6)
        for minute in range(0, 3000, 7):
            at_ms = MONDAY_MS + minute * MINUTE_MS + arrivals.randrange(MINUTE_MS)
            if cut == "by timers":
                project.until(at_ms)
            elif cut == "anywhere":
                project.told += pass_time(project.cells, PROJECT, at_ms - cuts.randrange(6 * MINUTE_MS), project.watch)
            (project.fail if 1500 < minute < 1600 else project.passes)(at_ms)
        return [encode(one) for one in project.until(MONDAY_MS + 3 * DAY_MS).told]

    assert told(cut) == told("by arrivals")
    assert any(b'"opened"' in one for one in told(cut))


def test_a_job_that_was_stopped_for_two_days_says_what_it_would_have_said() -> None:
    ran, stopped = seasoned(), seasoned()
    for project in (ran, stopped):
        last_ms = burst(project, NOW_MS)
        if project is ran:
            project.until(last_ms + 2 * DAY_MS)  # timers fire while it runs; after a stop the next arrival brings all
        project.passes(last_ms + 2 * DAY_MS + 1)
        project.until(last_ms + 3 * DAY_MS)
    assert list(map(encode, ran.told)) == list(map(encode, stopped.told))


def test_a_cron_that_fails_every_night_is_known_after_some_weeks() -> None:
    project = Project()
    for day in range(8 * 7):
        for hour in range(0, 24, 2):
            project.passes(MONDAY_MS + day * DAY_MS + hour * HOUR_MS)
            if hour == 2:
                burst(project, MONDAY_MS + day * DAY_MS + 2 * HOUR_MS + 5 * MINUTE_MS, 5, 3 * MINUTE_MS)
    project.until(MONDAY_MS + 56 * DAY_MS)
    nights = [one.at_ms for one in project.insights() if one.state == "opened"]
    assert nights[:1]
    assert max(nights) < MONDAY_MS + 6 * WEEK_MS
    assert project.states(MONDAY_MS + 6 * WEEK_MS) == []


def test_hours_are_those_of_the_project_when_the_clocks_change() -> None:
    """Its cron fails at 02:30 in Berlin, all the year; the clocks went back on 2026-10-25."""
    berlin = ZoneInfo("Europe/Berlin")
    project = Project(Watch("Europe/Berlin"))
    for day in range(10 * 7):
        date = datetime.fromtimestamp((MONDAY_MS + day * DAY_MS) / 1000, UTC).date()
        at_ms = int(datetime(date.year, date.month, date.day, 4, 5, tzinfo=berlin).timestamp() * 1000)
        for hour in range(0, 24, 4):
            project.passes(at_ms - 4 * HOUR_MS + hour * HOUR_MS)
            if hour == 4:
                burst(project, at_ms, 5, 3 * MINUTE_MS)
    changed_ms = int(datetime(2026, 10, 25, tzinfo=berlin).timestamp() * 1000)
    assert project.until(MONDAY_MS + 71 * DAY_MS).states(changed_ms) == []


def test_a_matrix_build_that_fails_in_200_jobs_is_one_run() -> None:
    project = seasoned()
    project.fail(NOW_MS)
    for _ in range(199):  # the others say nothing new of their run
        project.arrive(Arrival(PROJECT, "matrix", NOW_MS + 1000))
    assert project.until(NOW_MS + HOUR_MS).states(NOW_MS) == []


def test_200_runs_that_fail_in_one_push_are_evidence_for_few() -> None:
    project = seasoned()
    project.fail(NOW_MS, 200, commit="one-push")
    assert project.until(NOW_MS + HOUR_MS).states(NOW_MS) == []


def test_a_project_that_was_silent_for_a_month_may_fail_once() -> None:
    project = seasoned()
    back_ms = NOW_MS + 30 * DAY_MS
    project.fail(back_ms)
    project.passes(back_ms + MINUTE_MS, 5)
    assert project.until(back_ms + HOUR_MS).states(NOW_MS) == []
    burst(project, back_ms + 2 * HOUR_MS)
    assert project.until(back_ms + 5 * HOUR_MS).states(back_ms)[0] == "opened"


def test_a_clock_that_jumps_ahead_raises_nothing_and_time_goes_on_from_there() -> None:
    project = seasoned()
    ahead_ms = NOW_MS + 26 * HOUR_MS
    project.passes(ahead_ms)
    for minute in range(30):  # and back: arrivals are earlier than what was seen
        project.passes(NOW_MS + minute * MINUTE_MS)
    project.fail(NOW_MS + 30 * MINUTE_MS)
    assert project.until(ahead_ms).states(NOW_MS) == []
    burst(project, ahead_ms + HOUR_MS)
    assert project.until(ahead_ms + 3 * HOUR_MS).states(ahead_ms)[0] == "opened"


def test_a_dead_runner_pool_is_told_from_broken_code() -> None:
    project = seasoned()
    for run in range(10):
        project.fail(NOW_MS + run * MINUTE_MS, error=True, job="build")
    opened, *others = project.until(NOW_MS + 2 * HOUR_MS).insights(NOW_MS)
    assert {one.series for one in (opened, *others)} == {"error"}
    assert "met the infrastructure" in opened.title


def test_what_is_known_late_revises_and_raises_nothing() -> None:
    project = seasoned()
    for run in range(10):
        project.fail(NOW_MS + run * 1000, finished_ms=NOW_MS - (6 + run % 8) * MINUTE_MS)
    assert project.until(NOW_MS + HOUR_MS).states(NOW_MS) == []
    stands = [one for one in project.told if isinstance(one, FailureExpectation) and one.as_of_ms >= NOW_MS]
    assert stands[-1].failure_expectation.failing.windows[-1].observed == 10


def test_what_is_known_late_does_not_help_one_failure_of_now_to_an_incident() -> None:
    project = seasoned()
    for run in range(9):
        project.fail(NOW_MS + run * 1000, finished_ms=NOW_MS - (6 + run) * MINUTE_MS)
    project.fail(NOW_MS + 20_000)
    assert project.until(NOW_MS + HOUR_MS).states(NOW_MS) == []


def test_of_an_incident_that_is_over_nothing_is_left_in_what_is_expected() -> None:
    project = seasoned()
    last_ms = burst(project, NOW_MS)
    project.until(last_ms + HOUR_MS)
    resolved, stands = project.told[-2:]
    assert isinstance(resolved, Insight)
    assert isinstance(stands, FailureExpectation)
    assert (resolved.state, stands.as_of_ms) == ("resolved", resolved.at_ms)
    assert (stands.failure_expectation.failing.incident, stands.failure_expectation.failing.severity) == (None, None)


def test_a_series_that_was_busy_and_falls_quiet_has_another_incident_when_it_burns_again() -> None:
    project = Project()
    for minute in range(700):
        project.fail(MONDAY_MS + minute * MINUTE_MS, 3)
    began_ms = MONDAY_MS + 700 * MINUTE_MS
    project.fail(began_ms, 60)
    for minute in range(1, 15):
        project.fail(began_ms + minute * MINUTE_MS, 40)
    again_ms = began_ms + 6 * HOUR_MS
    for minute in range(15):
        project.fail(again_ms + minute * MINUTE_MS, 15)
    states = project.until(again_ms + 6 * HOUR_MS).states(began_ms)
    assert states.count("opened") == states.count("resolved") == 2


def test_the_runs_of_an_incident_are_those_of_its_window_and_what_came_since() -> None:
    project = seasoned()
    last_ms = burst(project, NOW_MS, 10)
    for run in range(50):
        project.fail(last_ms + run, finished_ms=NOW_MS - 20 * HOUR_MS)
    resolved = project.until(last_ms + HOUR_MS).insights(NOW_MS)[-1]
    assert (resolved.state, resolved.runs) == ("resolved", 10)


def test_a_feed_can_tell_every_p_that_it_chooses_by() -> None:
    assert min(DECADES) <= 10.0 ** -(LEAST_ALPHA + PAGING)


def test_news_that_was_a_while_under_way_counts_as_now() -> None:
    project = seasoned()
    for run in range(8):
        project.fail(NOW_MS + run * MINUTE_MS, finished_ms=NOW_MS + (run - 3) * MINUTE_MS)
    assert project.until(NOW_MS + HOUR_MS).states(NOW_MS)[0] == "opened"


def test_a_project_of_which_nothing_is_known_is_silent_at_first() -> None:
    project = Project()
    burst(project, MONDAY_MS, 100)
    assert project.until(MONDAY_MS + 100 * MINUTE_MS).states() == []


def test_it_decides_only_where_something_arrived_and_holds_one_timer_while_it_burns() -> None:
    project = seasoned()
    assert next_instant_ms(project.cells) is None
    last_ms = burst(project, NOW_MS)
    assert next_instant_ms(project.cells) == last_ms // GRID_MS * GRID_MS + GRID_MS
    project.until(last_ms + GRID_MS)
    assert next_instant_ms(project.cells) == (last_ms // MINUTE_MS + 31) * MINUTE_MS
    told = len(project.told)
    project.until(last_ms + 20 * MINUTE_MS)
    assert len(project.told) == told


def test_its_state_is_bounded_whatever_is_sent() -> None:
    project = seasoned()
    sizes = []
    for day in range(3):
        for run in range(400):
            project.fail(
                NOW_MS + day * DAY_MS + run * 30_000,
                job="\U0001f525" * 500,
                branch="\U0001f525" * 500,
                commit="c" * 500,
            )
        sizes.append(size(project.cells.values()))
    assert max(sizes) < 60_000
    assert size(project.until(NOW_MS + 30 * DAY_MS).cells.values()) < 8_000


def size(texts: Iterable[str]) -> int:
    """Bytes."""
    return sum(len(text.encode()) for text in texts)
