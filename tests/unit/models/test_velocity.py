"""Failure velocity: time passes the same however it is cut, a surprise is scored as one, an alarm teaches nothing."""

import math
from datetime import UTC, datetime

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models import velocity
from models.hours import CELLS, hours_of_week
from models.velocity import (
    FORGOTTEN_MIN,
    OVERDISPERSION,
    RULE,
    SPAN,
    Fleet,
    Velocity,
    Window,
    advance,
    begin,
    closes_at,
    count,
    decide,
    score,
    severity,
    tail,
)

T0 = int(datetime(2026, 1, 5, tzinfo=UTC).timestamp()) // 60  # a Monday
FLEET = Fleet()
DAY, WEEK = 1440, 7 * 1440


def seen(*events: tuple[int, int], zone: str = "UTC", until: int | None = None) -> Velocity:
    """A series that began at T0, with (minute from T0, failing runs), once time has come to `until`."""
    state = begin(T0, zone, FLEET)
    for minute, runs in events:
        state = count(state, T0 + minute, runs, zone, FLEET)
    return state if until is None else advance(state, T0 + until, zone, FLEET)


def same(one: Velocity, other: Velocity) -> None:
    """Equal, but for the last bits of what was multiplied in another order."""
    left, right = msgspec.to_builtins(one), msgspec.to_builtins(other)
    assert left.keys() == right.keys()
    for name, value in left.items():
        assert right[name] == (None if value is None else pytest.approx(value, rel=1e-9, abs=1e-12)), name


def alarmed(state: Velocity) -> str | None:
    """What the last windows say."""
    return severity(score(state))


GAPS = st.lists(st.integers(0, 3000), min_size=1, max_size=6)


@settings(max_examples=60, deadline=None)
@given(GAPS, st.lists(st.tuples(st.integers(0, 400), st.integers(1, 12)), max_size=8))
def test_time_passes_the_same_however_it_is_cut(gaps: list[int], steps: list[tuple[int, int]]) -> None:
    minute, events = 0, []
    for gap, runs in steps:
        minute += gap
        events.append((minute, runs))
    cut = seen(*events)
    for gap in gaps:
        cut = advance(cut, cut.minute + gap, "UTC", FLEET)
    same(cut, seen(*events, until=cut.minute - T0))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 5 * DAY))
def test_silence_in_closed_form_is_silence_minute_by_minute(gap: int) -> None:
    state = seen((0, 2), (7, 1))
    once = advance(state, state.minute + gap, "UTC", FLEET)
    stepped = state
    for _ in range(gap // SPAN):
        stepped = advance(stepped, stepped.minute + SPAN, "UTC", FLEET)
    same(advance(stepped, once.minute, "UTC", FLEET), once)


def test_runs_of_one_minute_count_the_same_together_or_apart() -> None:
    same(seen((5, 3), until=60), seen((5, 1), (5, 1), (5, 1), until=60))


def test_asking_does_not_change_what_comes_after() -> None:
    burst = [(200, 1), (202, 3), (203, 2)]
    asked = seen()
    for minute, runs in burst:
        asked = decide(count(asked, T0 + minute, runs, "UTC", FLEET))
    same(advance(asked, T0 + 400, "UTC", FLEET), seen(*burst, until=400))


def test_a_call_leaves_the_state_it_was_given() -> None:
    state = seen((0, 2))
    before = msgspec.json.encode(state)
    count(advance(state, T0 + 500, "UTC", FLEET), T0 + 500, 4, "UTC", FLEET)
    assert msgspec.json.encode(state) == before


def test_the_state_reads_as_it_was_written_and_stays_small() -> None:
    state = seen(*((minute, 1) for minute in range(0, 4 * WEEK, 97)))
    text = msgspec.json.encode(state)
    assert msgspec.json.decode(text, type=Velocity) == state
    assert state.model_version == velocity.VERSION
    assert len(text) < 8_000
    assert len(msgspec.json.encode(advance(state, state.minute + WEEK, "UTC", FLEET))) < 8_000


def test_a_surprise_is_scored_before_it_teaches() -> None:
    quiet = seen(until=3 * WEEK)
    burst = quiet
    for minute in range(4):
        burst = count(burst, quiet.minute + minute, 3, "UTC", FLEET)
    surprised = score(burst)
    assert alarmed(burst) == "critical"
    same_minute = count(burst, burst.minute, 100, "UTC", FLEET)
    assert [window.expected for window in score(same_minute)] == [window.expected for window in surprised]


def test_runs_that_fail_in_one_minute_are_one_push_and_no_incident_until_it_goes_on() -> None:
    quiet = seen(until=3 * WEEK)
    push = count(quiet, quiet.minute, 200, "UTC", FLEET)
    assert alarmed(push) is None
    assert score(push)[0].observed == 200
    assert alarmed(count(push, push.minute + 1, 3, "UTC", FLEET)) is not None


def test_within_its_minute_p_only_falls_and_at_its_end_it_is_what_fired() -> None:
    state, found = seen(until=WEEK), []
    for _ in range(3):
        state = count(state, state.minute + 1, 1, "UTC", FLEET)
    for _ in range(6):
        state = count(state, state.minute, 1, "UTC", FLEET)
        found.append(min(window.p for window in score(state)))
    assert found == sorted(found, reverse=True)
    assert advance(state, state.minute + 1, "UTC", FLEET).fired == decide(state).fired == state.minute


def test_two_failing_runs_are_no_incident_however_silent_the_project_is() -> None:
    state = seen(until=4 * WEEK)
    assert alarmed(count(state, state.minute, 2, "UTC", FLEET)) is None


def test_an_alarm_does_not_teach_that_burning_is_normal() -> None:
    usual = [(minute, 1) for minute in range(0, 2 * WEEK, 40)]
    at = 2 * WEEK
    burning = seen(*usual, *((at + minute, 4) for minute in range(45)), until=at + 45)
    calm = seen(*usual, *((at + minute, 1) for minute in range(0, 45, 40)), until=at + 45)
    assert burning.fired == T0 + at + 44
    assert burning.base == calm.base
    assert score(burning)[2].expected < 3 * score(calm)[2].expected
    assert sum(burning.sums) - sum(calm.sums) < 50  # of 180 runs


def test_what_burns_for_more_than_a_day_is_how_it_is_now() -> None:
    state = seen(until=WEEK)
    for minute in range(3 * DAY):
        state = count(state, T0 + WEEK + minute, 1 + minute % 2, "UTC", FLEET)
    assert alarmed(seen((0, 1))) is None
    assert alarmed(state) is None


def test_an_incident_is_one_until_thirty_quiet_minutes() -> None:
    first = decide(seen((WEEK, 4), (WEEK + 1, 4)))
    later = decide(seen((WEEK, 4), (WEEK + 1, 4), (WEEK + 28, 3), (WEEK + 29, 3)))
    assert (first.opened, later.opened) == (T0 + WEEK + 1, T0 + WEEK + 1)
    assert closes_at(later) == T0 + WEEK + 29 + RULE.quiet_min
    assert advance(later, closes_at(later), "UTC", FLEET).opened == first.opened
    assert advance(later, closes_at(later) + 1, "UTC", FLEET).opened is None
    again = decide(seen((WEEK, 4), (WEEK + 1, 4), (WEEK + 300, 5), (WEEK + 301, 5)))
    assert again.opened == T0 + WEEK + 301


def test_a_month_of_silence_costs_no_loop_over_its_minutes() -> None:
    passed = 0

    class Profile(tuple):
        """Counts how often an hour begins."""

        __slots__ = ()

        def __getitem__(self, cell: object) -> float:
            nonlocal passed
            passed += 1
            return 1.0

    state = begin(T0, "UTC", FLEET)
    fleet = Fleet(FLEET.rate, Profile((1.0,) * CELLS))
    back = advance(count(state, T0, 3, "UTC", FLEET), T0 + 30 * DAY, "UTC", fleet)
    assert passed == 30 * 24
    assert sum(back.counts) == 0
    assert back.base < FLEET.rate
    assert sum(back.minutes) == pytest.approx(sum(seen((0, 3), until=30 * DAY).minutes))


def test_a_project_that_comes_back_after_a_month_is_not_burning_by_its_first_failure() -> None:
    state = seen(*((minute, 1) for minute in range(0, 2 * WEEK, 60)), until=6 * WEEK)
    assert alarmed(count(state, state.minute, 1, "UTC", FLEET)) is None
    again = count(count(state, state.minute, 3, "UTC", FLEET), state.minute + 1, 3, "UTC", FLEET)
    assert alarmed(again) is not None


def test_a_series_silent_for_longer_than_its_memory_begins_anew() -> None:
    state = seen((0, 3))
    to = T0 + FORGOTTEN_MIN + 1
    assert advance(state, to, "UTC", FLEET) == begin(to, "UTC", FLEET)


def test_a_clock_that_jumps_back_loses_nothing_and_changes_nothing() -> None:
    state = seen((100, 3))
    same(advance(state, T0 + 10, "UTC", FLEET), state)
    same(count(state, T0 + 10, 5, "UTC", FLEET), state)


@pytest.mark.parametrize("late", range(1, SPAN))
def test_a_run_that_comes_late_is_counted_in_its_minute_and_teaches_as_if_in_time(late: int) -> None:
    revised = count(seen((500, 1), until=500 + late), T0 + 500, 1, "UTC", FLEET)
    in_time = seen((500, 2), until=500 + late)
    assert revised.counts == in_time.counts
    assert revised.sums == pytest.approx(in_time.sums)
    assert revised.observed == pytest.approx(in_time.observed)


def test_a_nightly_burst_is_learned_and_no_incident_after_some_weeks() -> None:
    state, found = begin(T0, "UTC", FLEET), []
    for day in range(35):
        for minute, runs in ((182, 2), (183, 1), (184, 1)):
            state = decide(count(state, T0 + day * DAY + minute, runs, "UTC", FLEET))
        found.append(state.fired == state.minute)
    assert found[0]
    assert not any(found[28:])


def test_the_hours_follow_the_local_clock_when_it_changes() -> None:
    before = int(datetime(2026, 3, 29, tzinfo=UTC).timestamp()) // 60  # a Sunday; Berlin skips 02:00 to 03:00
    sunday = 6 * 24
    found = hours_of_week(before, 4 * 60, "Europe/Berlin")[::60]
    assert list(found - sunday) == [1, 3, 4, 5]
    after = int(datetime(2026, 10, 25, tzinfo=UTC).timestamp()) // 60
    assert list(hours_of_week(after, 4 * 60, "Europe/Berlin")[::60] - sunday) == [2, 2, 3, 4]


def test_an_hour_that_is_repeated_fades_once() -> None:
    at = int(datetime(2026, 10, 24, 23, 0, tzinfo=UTC).timestamp()) // 60  # 01:00 in Berlin, a Sunday
    state = begin(at - WEEK, "Europe/Berlin", FLEET)
    twice = advance(state, at + 4 * 60, "Europe/Berlin", FLEET)
    assert twice.minutes[6 * 24 + 2] == pytest.approx(velocity.WEEK_KEPT * 60 + 120)
    assert twice.minutes[6 * 24 + 3] == pytest.approx(velocity.WEEK_KEPT * 60 + 60)


def test_a_habit_moves_with_the_local_clock() -> None:
    """Bursts at 09:00 in Berlin: 08:00 UTC in winter, 07:00 in summer, and silent in both once they are learned."""
    sunday = int(datetime(2026, 3, 29, tzinfo=UTC).timestamp()) // 60
    state, found = begin(sunday - 28 * DAY, "Europe/Berlin", FLEET), {}
    for day in range(-28, 3):
        nine = sunday + day * DAY + (8 if day < 0 else 7) * 60
        for minute, runs in ((2, 2), (3, 1), (4, 1)):
            state = decide(count(state, nine + minute, runs, "Europe/Berlin", FLEET))
        found[day] = state.fired == state.minute
    assert not any(found[day] for day in (-3, -2, -1, 0, 1, 2))


def test_a_new_project_is_silent_until_it_has_been_seen_for_a_while() -> None:
    assert decide(seen((0, 9), (1, 9))).opened is None
    settled = RULE.settled_min
    assert decide(seen((settled, 9), (settled + 1, 9))).opened == T0 + settled + 1


def test_a_busy_new_project_is_known_within_its_first_hours() -> None:
    state = begin(T0, "UTC", FLEET)
    for minute in range(6 * 60):
        state = decide(count(state, T0 + minute, 2, "UTC", FLEET))
    assert state.opened is None


@given(st.integers(1, 2_000), st.floats(1e-6, 1e4))
def test_the_tail_is_a_probability_that_falls_with_the_count(observed: int, expected: float) -> None:
    here, more = float(tail(observed, expected)), float(tail(observed + 1, expected))
    assert 0 <= more <= here * (1 + 1e-12)  # of the last bits, near 1
    assert here <= 1


def test_the_tail_is_the_sum_of_a_negative_binomial() -> None:
    from scipy.stats import nbinom

    for observed, expected in ((1, 0.01), (3, 0.2), (9, 4.0), (80, 40.0)):
        shape = 1 / OVERDISPERSION
        assert float(tail(observed, expected)) == pytest.approx(
            nbinom.sf(observed - 1, shape, shape / (shape + expected))
        )
    assert float(tail(0, 3.0)) == 1


@pytest.mark.parametrize(
    ("window", "wanted"),
    [
        (Window(5, 9, 2.0, 9.0, 4.5, 1e-3), None),
        (Window(5, 2, 0.01, 2.0, 200.0, 1e-9), None),
        (Window(5, 28, 20.0, 28.0, 1.4, 1e-9), None),
        (Window(5, 40, 20.0, 40.0, 2.0, 1e-9), "medium"),
        (Window(5, 7, 2.0, 7.0, 3.5, 1e-5), "high"),
        (Window(5, 12, 2.0, 12.0, 6.0, 1e-8), "critical"),
        (Window(15, 90, 40.0, 90.0, 2.25, 1e-6), None),  # smooth and busy: a tail of its own
        (Window(15, 90, 40.0, 90.0, 2.25, 1e-8), "medium"),
    ],
)
def test_severity_is_by_surprise_and_by_size(window: Window, wanted: str | None) -> None:
    assert severity((window,)) == wanted


def test_numbers_stay_numbers_for_extreme_counts() -> None:
    state = count(seen(until=WEEK), T0 + WEEK, 10**6, "UTC", FLEET)
    assert all(math.isfinite(window.p) and math.isfinite(window.ratio) for window in score(state))
    assert np.isfinite(advance(state, state.minute + 600, "UTC", FLEET).base)
