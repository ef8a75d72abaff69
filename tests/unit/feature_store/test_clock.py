"""How far a job has come."""

import pytest

from feature_store.clock import Progress, ViewClock, advance, arrival_ms
from tests.unit.feature_store.fakes import Record


def test_the_least_committed_arrival_is_the_clock_and_the_newest_arrival_the_front() -> None:
    seen = advance(ViewClock(), [Progress(1000, 900), Progress(2000, 500), Progress(1500, 1500)], now_s=7)
    assert (seen.clock_ms, seen.newest_ms) == (500, 2000)


def test_topics_that_hold_nothing_tell_nothing() -> None:
    before = ViewClock(1, 2, 3)
    assert advance(before, [], now_s=9) == before
    assert not ViewClock().known


def test_a_standstill_counts_even_where_nothing_arrives() -> None:
    seen = advance(ViewClock(), [Progress(1000, 1000)], now_s=100)
    still = advance(seen, [Progress(1000, 1000)], now_s=130)
    assert (seen.lag_ms(100, 0), still.lag_ms(130, 0)) == (0, 30_000)
    moved = advance(still, [Progress(4000, 4000)], now_s=131)
    assert moved.lag_ms(131, 0) == 0


@pytest.mark.parametrize(("as_of_ms", "lag_ms"), [(0, 500), (1500, 500), (9000, 8000)])
def test_a_value_known_later_than_the_front_was_seen_moves_the_front(as_of_ms: int, lag_ms: int) -> None:
    assert ViewClock(1000, 1500, 0.0).lag_ms(0.0, as_of_ms) == lag_ms


@pytest.mark.parametrize(
    ("clock", "headers", "arrived_ms"),
    [
        ("life", [("arrived_ms", b"7")], 5),
        ("replay", [("arrived_ms", b"7")], 7),
        ("replay", [], None),
        ("replay", [("arrived_ms", b"soon")], None),
        ("replay", [("arrived_ms", None)], None),
    ],
)
def test_arrival_is_the_broker_s_and_in_a_replay_the_header_s_alone(clock, headers, arrived_ms) -> None:
    assert arrival_ms(Record(b"", arrived_ms=5, extra=headers), clock) == arrived_ms
