"""The online writer's turns, with a log, a store and a clock as arguments."""

from itertools import pairwise

import pytest
from confluent_kafka import OFFSET_BEGINNING, KafkaError, TopicPartition
from prometheus_client import CollectorRegistry, generate_latest
from structlog.testing import capture_logs
from valkey import exceptions

from contracts.errors import Unavailable
from contracts.features import PROJECT_HEALTH_VIEW
from contracts.topics import tick_headers
from feature_store.clock import ViewClock
from feature_store.online import Measures, OnlineWriter, Tools
from tests.unit.feature_store.fakes import NOW_MS, TOPIC, Log, Post, Record, Store, end_of, health, record

LIVE = {PROJECT_HEALTH_VIEW.name: ViewClock(NOW_MS, NOW_MS, 0.0)}


class Desk:
    """A writer with everything around it within reach."""

    def __init__(self, *records: Record, end: int = 0, clock: str = "life") -> None:
        self.log, self.store, self.post = Log(records, end), Store(), Post()
        self.clocks, self.now_s, self.registry = LIVE, 0.0, CollectorRegistry()
        tools = Tools(
            consumer=self.log, letters=self.post, guard=self.store, presence=self.store,
            clocks=lambda: self.clocks, now_ms=lambda: NOW_MS + 7, chance=lambda: 1.0, now_s=lambda: self.now_s,
        )  # fmt: skip
        self.writer = OnlineWriter(tools, Measures(self.registry), namespace="", clock=clock)

    def turn(self, times: int = 1) -> None:
        with capture_logs():
            for _ in range(times):
                self.writer.turn()

    def values(self) -> list[tuple[str, bytes]]:
        return [(key.name, key.value) for write in self.store.writes for key in write.keys if "24h" in key.name]

    def metric(self, line: str) -> bool:
        return f"{line}\n" in generate_latest(self.registry).decode()


def test_nothing_is_written_until_the_topic_was_read_to_where_it_ended() -> None:
    desk = Desk(record(health(0.1), 0), record(health(0.2, NOW_MS + 1), 1), end=3)
    desk.turn(3)
    assert (desk.values(), desk.writer.unready()) == ([], "catching up")
    desk.log.waiting.append(record(health(0.3, NOW_MS + 2), 2))
    desk.turn(2)
    assert desk.values() == [("project:acme/app:failure_rate_24h", b"0.3")]
    assert desk.writer.unready() is None


def test_a_topic_whose_last_records_were_compacted_away_ends_all_the_same() -> None:
    desk = Desk(record(health(0.1), 0), end_of(0), end=9)
    desk.turn(2)
    assert len(desk.values()) == 1


def test_it_starts_at_the_beginning_whatever_was_committed() -> None:
    assert [at.offset for at in Desk().log.assigned] == [OFFSET_BEGINNING]


def test_a_null_has_no_life_and_zero_has() -> None:
    desk = Desk(record(health(None)), end=1)
    desk.turn()
    assert {key.name.rpartition(":")[2]: key.life_ms for key in desk.store.writes[0].keys} == {
        "failure_rate_24h": 0, "failure_rate_7d": 0, "failure_velocity": 300_000,
    }  # fmt: skip
    desk.log.waiting.append(record(health(0.0), 1))
    desk.turn()
    assert [key.life_ms for key in desk.store.writes[1].keys] == [300_000, 3_600_000, 300_000]


def test_what_the_job_is_behind_is_taken_from_the_life() -> None:
    desk = Desk(record(health(0.5)), end=1)
    desk.clocks = {PROJECT_HEALTH_VIEW.name: ViewClock(NOW_MS - 400_000, NOW_MS, 0.0)}
    desk.turn()
    assert [key.life_ms for key in desk.store.writes[0].keys] == [-100_000, 3_200_000, -100_000]


def test_while_valkey_is_away_the_newest_is_kept_and_tries_grow_apart() -> None:
    desk = Desk(record(health(0.1)), end=1)
    desk.store.away = exceptions.ConnectionError("gone")
    tries = []
    for i in range(4000):
        before = desk.metric(f'argus_writer_retries_total{{store="valkey"}} {len(tries)}.0')
        desk.now_s = i / 100
        desk.turn()
        if before != desk.metric(f'argus_writer_retries_total{{store="valkey"}} {len(tries)}.0') or not tries:
            tries.append(desk.now_s)
    assert desk.writer.unready() == "Valkey is away"
    gaps = [later - sooner for sooner, later in pairwise(tries)]
    assert gaps[0] < 0.1
    assert 4.5 < gaps[-1] < 5.5
    desk.log.waiting.append(record(health(0.9, NOW_MS + 1), 1))
    desk.store.away, desk.now_s = None, 100.0
    desk.turn(2)
    assert desk.values()[-1] == ("project:acme/app:failure_rate_24h", b"0.9")
    assert desk.writer.unready() is None


def test_a_refusal_that_no_retry_changes_is_not_swallowed() -> None:
    desk = Desk(record(health(0.1)), end=1)
    desk.store.away = exceptions.ResponseError("WRONGTYPE")
    with pytest.raises(exceptions.ResponseError):
        desk.turn()


def test_a_valkey_that_was_emptied_is_filled_again_within_a_second() -> None:
    desk = Desk(record(health(0.1)), end=1)
    desk.turn()
    desk.store.emptied, desk.now_s = True, 1.0
    desk.turn()
    assert len(desk.values()) == 2


def test_ticks_are_nobody_s_value() -> None:
    desk = Desk(Record(b"", None, extra=list(tick_headers())), record(health(0.1), 1), end=2)
    desk.turn(2)
    assert (len(desk.values()), desk.post.letters) == (1, [])


def test_a_record_that_cannot_be_used_becomes_a_letter_and_the_next_is_written() -> None:
    desk = Desk(Record(b"{", b"acme/app"), record(health(0.1), 1), end=2)
    desk.turn(2)
    (letter,) = desk.post.letters
    assert (letter.reader, letter.value, letter.origin) == ("online-writer", b"{", f"{TOPIC}:0:0")
    assert len(desk.values()) == 1


def test_the_time_from_event_to_key_counts_live_values_by_life_s_clock_alone() -> None:
    count = 'argus_event_to_key_seconds_count{view="project-health"} 1.0'
    old, live, replayed = Desk(record(health(0.1)), end=1), Desk(record(health(0.1))), Desk(clock="replay")
    live.turn()
    replayed.turn()
    for desk in (live, replayed):
        desk.log.waiting.append(record(health(0.2), 1))
    for desk in (old, live, replayed):
        desk.turn(2)
    assert [desk.metric(count) for desk in (old, live, replayed)] == [False, True, False]


def test_a_partition_that_goes_to_another_writer_is_not_renewed_here() -> None:
    desk = Desk(record(health(0.1)), end=1)
    desk.turn()
    desk.log.revoke(desk.log, [TopicPartition(TOPIC, 0)])
    desk.store.emptied, desk.now_s = True, 2.0
    desk.log.waiting.append(record(health(0.2), 1))
    desk.turn(2)
    assert len(desk.values()) == 1
    assert desk.writer.unready() == "no partition is assigned"


def test_a_reader_that_the_broker_shut_out_ends() -> None:
    fatal = KafkaError(KafkaError._FATAL, "fenced", True)
    with pytest.raises(Unavailable, match="shut this reader out"):
        Desk(Record(None, trouble=fatal)).turn()
