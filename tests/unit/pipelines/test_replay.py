"""A replay's order, clock and ticks, with a producer and a clock in memory."""

from collections import defaultdict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import records
from contracts.topics import RUNS, TEST_RESULTS
from pipelines.replay import GAP_MS, TAIL_MS, Arrival, Replayed, instants, replay

START_MS = 1_790_000_000_250
PARTITIONS = {RUNS.named("day"): 2, TEST_RESULTS.named("day"): 1, "day.other": 4}


class Log:
    """A producer that keeps what it is given and acknowledges it at the next poll."""

    def __init__(self) -> None:
        self.records: list[tuple[str, int, bytes | None, dict[str, bytes]]] = []
        self.reports: list[Any] = []

    def produce(self, topic: str, _value: bytes | None, key: bytes | None, partition: int, **others: Any) -> None:
        self.records.append((topic, partition, key, dict(others["headers"])))
        self.reports.append(others["on_delivery"])

    def poll(self, _timeout: float) -> int:
        reports, self.reports = self.reports, []
        for report in reports:
            report(None, None)
        return len(reports)

    def purge(self) -> None:
        raise AssertionError("nothing was to be dropped")

    def arrivals(self, *, ticks: bool, topic: str = "day.argus.cicd.runs", partition: int | None = None) -> list[int]:
        """When the ticks or events of a topic arrive, in the order in which they were sent."""
        return [
            int(headers["arrived_ms"]) for at, where, _, headers in self.records
            if at == topic and (headers["ce_type"] == b"argus.tick") == ticks and partition in (None, where)
        ]  # fmt: skip


class Clock:
    """A clock that only sleep moves."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now_s += seconds


def arrival(offset_ms: int, run: str = "1") -> Arrival:
    """One execution that arrives so long after the start."""
    at_ms = START_MS + offset_ms
    return Arrival(
        records.JobExecution(project="acme/a", run=run, job="b", outcome="success", finished_ms=at_ms), at_ms
    )


def replayed(*arrivals: Arrival, speed: float | None = None) -> tuple[Log, Replayed, Clock]:
    """What was sent."""
    log, clock = Log(), Clock()
    done = replay(
        arrivals, producer=log, partitions=PARTITIONS, namespace="day", speed=speed, clock=clock, sleep=clock.sleep,
        on_progress=lambda _sent, _clock_ms: None,
    )  # fmt: skip
    assert done is not None
    return log, done, clock


def test_events_go_out_by_arrival_with_their_arrival_and_event_time_kept() -> None:
    late = Arrival(arrival(0, "late").record, START_MS + 90_000)
    log, done, _ = replayed(late, arrival(5_000), arrival(0))
    events = [headers for _, _, _, headers in log.records if headers["ce_type"] == RUNS.name.encode()]
    assert [int(headers["arrived_ms"]) - START_MS for headers in events] == [0, 5_000, 90_000]
    assert [int(headers["event_ms"]) - START_MS for headers in events] == [0, 5_000, 0]
    assert (done.events, done.first_ms, done.last_ms) == (3, START_MS, START_MS + 90_000)


def test_ticks_go_into_every_partition_of_every_topic_that_has_them_and_nowhere_else() -> None:
    log, done, _ = replayed(arrival(0))
    ticked = {(topic, partition) for topic, partition, _, headers in log.records if headers["ce_type"] == b"argus.tick"}
    assert ticked == {("day.argus.cicd.runs", 0), ("day.argus.cicd.runs", 1), ("day.argus.test.results", 0)}
    assert done.ticks == sum(headers["ce_type"] == b"argus.tick" for *_, headers in log.records)


def test_the_clock_runs_on_for_two_minutes_in_seconds() -> None:
    log, done, _ = replayed(arrival(0))
    whole = START_MS // 1000 * 1000
    assert log.arrivals(ticks=True, partition=0) == list(range(whole, whole + TAIL_MS + 1, 1000))
    assert done.clock_ms == whole + TAIL_MS


@given(st.lists(st.integers(0, 400_000), min_size=1, max_size=20), st.sampled_from([None, 60.0, 3600.0]))
def test_arrival_never_goes_back_and_a_tick_stands_right_before_each_event(
    offsets: list[int], speed: float | None
) -> None:
    log, _, _ = replayed(*map(arrival, offsets), speed=speed)
    clock_ms = defaultdict(int)
    ticked_ms = 0
    for topic, partition, _, headers in log.records:
        arrived_ms = int(headers["arrived_ms"])
        assert arrived_ms >= max(clock_ms.values(), default=0) - 999, "no partition is a second ahead of another"
        assert arrived_ms >= clock_ms[topic, partition]
        clock_ms[topic, partition] = arrived_ms
        if headers["ce_type"] == b"argus.tick":
            assert arrived_ms - ticked_ms <= GAP_MS or ticked_ms == 0
            ticked_ms = arrived_ms
        else:
            assert 0 <= arrived_ms - ticked_ms < 1000


def test_a_gap_is_ticked_coarsely_at_full_speed_and_by_the_second_when_watched() -> None:
    fast, _, _ = replayed(arrival(0), arrival(3_600_000))
    watched, _, _ = replayed(arrival(0), arrival(3_600_000), speed=60)
    assert len(fast.arrivals(ticks=True, partition=0)) < 3_600 / 30 + 10 + 125
    assert len(watched.arrivals(ticks=True, partition=0)) >= 3_600 + 120


def test_at_full_speed_there_is_a_tick_for_each_second_while_events_flow() -> None:
    fast, _, _ = replayed(*(arrival(offset_ms) for offset_ms in range(0, 300_000, 2_000)))
    assert len(fast.arrivals(ticks=True, partition=0)) == 298 + 1 + 120


def test_it_takes_as_long_as_the_speed_says() -> None:
    _, done, clock = replayed(arrival(0), arrival(600_000), speed=60)
    assert clock.now_s - 100 == pytest.approx((done.clock_ms - done.first_ms) / 1000 / 60, abs=0.01)


def test_at_full_speed_nothing_sleeps() -> None:
    assert replayed(arrival(0), arrival(600_000))[2].now_s == 100


def test_nothing_to_send_sends_nothing() -> None:
    log, clock = Log(), Clock()
    assert replay(
        [], producer=log, partitions=PARTITIONS, namespace="day", speed=None, clock=clock, sleep=clock.sleep,
        on_progress=lambda _sent, _clock_ms: None,
    ) is None  # fmt: skip
    assert not log.records


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6))
def test_instants_are_whole_seconds_in_order_and_end_at_the_last(after: int, more: int, flows: int) -> None:
    found = list(instants(after, after + more, flows_until_ms=flows, gap_ms=30_000))
    assert found == sorted(set(found))
    assert all(after < one <= after + more and one % 1000 == 0 for one in found)
    if (after + more) // 1000 > after // 1000:
        assert found[-1] == (after + more) // 1000 * 1000
