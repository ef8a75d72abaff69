"""How far a job has come, asked of the real broker."""

from collections.abc import Iterator
from uuid import uuid4

import pytest

from contracts.jobs import PROJECT_JOB
from contracts.topics import RUNS
from feature_store.clock import JobClock
from tests.conftest import Stack
from tests.stack.flow import Flow, flow

MINUTE_MS = 60_000
MONDAY_MS = 1_767_571_200_000


@pytest.fixture
def recording(stack: Stack) -> Iterator[Flow]:
    """A replay's namespace."""
    with flow(stack.settings(f"clock-{uuid4().hex[:8]}", clock="replay")) as one:
        yield one


def looked(day: Flow) -> tuple[int | None, int | None]:
    """Clock and newest arrival as somebody sees them who has just started."""
    clock = JobClock(PROJECT_JOB, day.settings)
    try:
        seen = clock.look(10)
    finally:
        clock.close()
    return seen.clock_ms, seen.newest_ms


def timeless(day: Flow) -> None:
    """A record without the replay's clock in every partition; the broker stamps it with today."""
    for partition in range(day.settings.partitions):
        day.raw(RUNS, b"{}", b"acme/app", partition=partition)


def test_a_record_without_the_replay_s_clock_lets_no_time_pass(recording: Flow) -> None:
    recording.tick(MONDAY_MS)
    timeless(recording)
    timeless(recording)
    recording.commit()
    assert looked(recording) == (MONDAY_MS, MONDAY_MS)
    recording.tick(MONDAY_MS + MINUTE_MS)
    timeless(recording)
    assert looked(recording) == (MONDAY_MS, MONDAY_MS + MINUTE_MS)


def test_a_replay_in_which_nothing_tells_the_time_has_no_clock(recording: Flow) -> None:
    timeless(recording)
    recording.commit()
    assert looked(recording) == (None, None)
