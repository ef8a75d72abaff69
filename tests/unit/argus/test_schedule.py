"""When a daily job is due, and a job in a process of its own."""

import os
import threading
import time as clock
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from argus.schedule.child import run_in_child
from argus.schedule.due import Past, at_time, is_due, last_night
from argus.schedule.turn import once
from contracts.errors import Misconfigured, Unavailable
from contracts.settings import read_settings

AT = time(2, 30)
NIGHT = datetime(2026, 11, 22, 2, 30, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
KNOWN = Past(since=NIGHT - 9 * DAY, completed=NIGHT - DAY, tried=NIGHT - DAY)


def runs(past: Past, start: datetime, end: datetime, works: Callable[[datetime], bool]) -> list[datetime]:
    """When runs begin while a scheduler looks every ten minutes."""
    begun, now = [], start
    while now <= end:
        if is_due(AT, past, now):
            begun.append(now)
            failures = past.failures if past.tried is not None and past.tried >= last_night(AT, now) else 0
            past = replace(past, tried=now, failures=failures + 1)
            if works(now):
                past = replace(past, completed=now, failures=0)
        now += 10 * MINUTE
    return begun


def test_a_night_begins_at_its_time() -> None:
    assert last_night(AT, NIGHT) == NIGHT
    assert last_night(AT, NIGHT - MINUTE) == NIGHT - DAY
    assert last_night(AT, NIGHT + 23 * HOUR) == NIGHT


def test_a_job_runs_once_every_night_at_its_time() -> None:
    assert runs(KNOWN, NIGHT - HOUR, NIGHT + 2 * DAY, lambda _: True) == [NIGHT, NIGHT + DAY, NIGHT + 2 * DAY]


def test_missed_nights_are_made_up_for_once() -> None:
    start = NIGHT + 3 * DAY + 5 * HOUR
    assert runs(KNOWN, start, start + DAY, lambda _: True) == [start, NIGHT + 4 * DAY]


def test_nights_before_a_job_was_heard_of_are_not_made_up_for() -> None:
    new = Past(since=NIGHT + HOUR)
    assert runs(new, NIGHT + HOUR, NIGHT + DAY, lambda _: True) == [NIGHT + DAY]


def test_a_run_that_fails_is_tried_again_after_an_hour_and_three_times_at_most() -> None:
    assert runs(KNOWN, NIGHT, NIGHT + 20 * HOUR, lambda _: False) == [NIGHT + n * HOUR for n in range(4)]
    assert runs(KNOWN, NIGHT, NIGHT + 20 * HOUR, lambda now: now > NIGHT) == [NIGHT, NIGHT + HOUR]


def test_the_next_night_forgets_the_failures_of_the_last() -> None:
    begun = runs(KNOWN, NIGHT, NIGHT + DAY + 20 * HOUR, lambda _: False)
    assert begun == [NIGHT + day * DAY + n * HOUR for day in range(2) for n in range(4)]


def test_a_run_by_hand_before_the_night_does_not_stand_for_it() -> None:
    assert is_due(AT, replace(KNOWN, completed=NIGHT - MINUTE, tried=NIGHT - MINUTE), NIGHT)
    assert not is_due(AT, replace(KNOWN, completed=NIGHT + MINUTE, tried=NIGHT + MINUTE), NIGHT + HOUR)


@given(st.times(), st.timedeltas(-400 * DAY, 400 * DAY).map(NIGHT.__add__))
def test_the_last_night_is_at_most_a_day_ago_and_has_its_time(at: time, now: datetime) -> None:
    night = last_night(at, now)
    assert now - DAY < night <= now
    assert night.time() == at


def test_every_time_that_the_setting_takes_is_one() -> None:
    assert at_time(read_settings({}, seasonality_at="23:59").seasonality_at) == time(23, 59)
    for wrong in ("24:00", "2:30", "02:60", "02:30\n"):
        with pytest.raises(Misconfigured, match="ARGUS_SEASONALITY_AT"):
            read_settings({"ARGUS_SEASONALITY_AT": wrong})


def test_a_job_that_is_not_there_is_refused_by_name() -> None:
    with pytest.raises(Misconfigured, match="no job 'tidy': there is seasonality"):
        once(read_settings({}), "tidy", threading.Event(), lambda: NIGHT, lambda *_, **__: b"")


def environment(kafka: str) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("ARGUS_")}
    return kept | {"ARGUS_KAFKA": kafka}


def test_a_job_that_cannot_read_its_settings_has_failed() -> None:
    with pytest.raises(Unavailable, match="seasonality ended with exit code"):
        run_in_child("seasonality", NIGHT, threading.Event(), environ=environment("nowhere"), beat=lambda: None)


def test_a_job_is_ended_within_seconds_when_it_is_told_to() -> None:
    stop, beats = threading.Event(), []
    threading.Timer(1.0, stop.set).start()
    began = clock.monotonic()
    did = run_in_child(
        "seasonality", NIGHT, stop, environ=environment("127.0.0.1:1"), beat=lambda: beats.append(clock.monotonic())
    )
    assert did is None
    assert clock.monotonic() - began < 5
    assert len(beats) > 2
