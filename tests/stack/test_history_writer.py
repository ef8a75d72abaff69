"""What was known when, in Postgres."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from confluent_kafka import TopicPartition
from prometheus_client import CollectorRegistry

from contracts.errors import Unavailable
from contracts.records import encode
from contracts.topics import PROJECT_HEALTH
from feature_store.connections import postgres_connection
from feature_store.history import HistoryWriter, Measures, Tools
from feature_store.letters import Letters
from feature_store.log import follower, producer
from feature_store.migrate import migrate
from feature_store.processes import group, history_writer
from feature_store.rows import timestamp
from tests.conftest import Stack
from tests.stack.flow import Flow, eventually, flow, health, now_ms, running

DAY_MS = 86_400_000
NOON_MS = 1_795_262_400_000  # 2026-11-21 12:00


@pytest.fixture
def day(stack: Stack) -> Iterator[Flow]:
    with flow(stack.settings(f"history-{uuid4().hex[:8]}")) as one:
        migrate(one.settings.postgres.get_secret_value(), one.settings.namespace)
        yield one


def connected(day: Flow) -> psycopg.Connection:
    return postgres_connection(day.settings.postgres.get_secret_value(), day.settings.namespace, timeout_s=5)


def rows(day: Flow) -> list[tuple[Any, ...]]:
    """Entity, as-of (ms) and the 24 h rate of every row."""
    with connected(day) as connection:
        found = connection.execute(
            "SELECT entity, (extract(epoch FROM event_timestamp) * 1000)::bigint, failure_rate_24h "
            "FROM feature_project_health ORDER BY 1, 2"
        ).fetchall()
    connection.close()
    return found


def committed(day: Flow) -> int:
    """How many records of the view's topic the group has done with."""
    consumer = follower(day.settings.kafka, group("history", day.settings.namespace))
    topic = PROJECT_HEALTH.named(day.settings.namespace)
    at = consumer.committed([TopicPartition(topic, each) for each in range(day.settings.partitions)], timeout=10)
    consumer.close()
    return sum(max(0, each.offset) for each in at)


@contextmanager
def turning(day: Flow, connect: Callable[[], psycopg.Connection]) -> Iterator[None]:
    """The writer with a way to Postgres of the test's choice."""

    def run(stop: threading.Event) -> None:
        consumer = follower(day.settings.kafka, group("history", day.settings.namespace))
        letters = Letters(producer(day.settings.kafka), day.settings.namespace)
        tools = Tools(consumer=consumer, letters=letters, connect=connect, chance=lambda: 0.0)
        writer = HistoryWriter(tools, Measures(CollectorRegistry()), namespace=day.settings.namespace)
        while not stop.is_set():
            writer.turn()
        writer.close()
        consumer.close()

    with running(run):
        yield


def test_a_row_when_a_value_changes_and_one_a_day(day: Flow) -> None:
    told = [(0, 0.5), (1, 0.5), (2, 0.6), (3, 0.6), (4, 0.5), (DAY_MS, 0.5), (DAY_MS + 1, 0.5), (DAY_MS + 2, None)]
    with running(lambda stop: history_writer(day.settings, stop)):
        for late_ms, rate in told:
            day.put(health("acme/app", rate, NOON_MS - 3 * DAY_MS + late_ms))
        eventually("all read", lambda: committed(day), lambda count: count == len(told))
    start = NOON_MS - 3 * DAY_MS
    assert rows(day) == [
        ("acme/app", start, 0.5),
        ("acme/app", start + 2, 0.6),
        ("acme/app", start + 4, 0.5),
        ("acme/app", start + DAY_MS, 0.5),
        ("acme/app", start + DAY_MS + 2, None),
    ]


def test_a_log_that_is_read_again_leaves_the_same_rows(day: Flow) -> None:
    for i in range(50):
        day.put(health(f"acme/p{i % 3}", (i % 5) / 10, NOON_MS - DAY_MS + i))
    with running(lambda stop: history_writer(day.settings, stop)):
        eventually("all read", lambda: committed(day), lambda count: count == 50)
    once = rows(day)
    with connected(day) as connection:
        created = connection.execute("SELECT max(created_timestamp) FROM feature_project_health").fetchone()
    connection.close()
    _rewind(day)
    with running(lambda stop: history_writer(day.settings, stop)):
        eventually("all read again", lambda: committed(day), lambda count: count == 50)
    assert rows(day) == once
    with connected(day) as connection:
        again = connection.execute("SELECT max(created_timestamp) FROM feature_project_health").fetchone()
    connection.close()
    assert again == created


def test_a_correction_of_the_same_instant_replaces_it_or_takes_it_back_where_it_tells_nothing_new(day: Flow) -> None:
    at = NOON_MS - DAY_MS
    with running(lambda stop: history_writer(day.settings, stop)):
        for late_ms, rate in ((0, 0.5), (1, 0.9)):
            day.put(health("acme/app", rate, at + late_ms))
        eventually("two rows", lambda: len(rows(day)), lambda count: count == 2)
        day.put(health("acme/app", 0.6, at + 1))
        eventually("corrected", lambda: rows(day)[1][2], lambda rate: rate == 0.6)
        day.put(health("acme/app", 0.5, at + 1))
        eventually("as if it had never been", lambda: rows(day), lambda found: found == [("acme/app", at, 0.5)])


def test_nothing_is_lost_while_postgres_is_away(day: Flow) -> None:
    tries: list[int] = []

    def connect() -> psycopg.Connection:
        tries.append(1)
        if len(tries) < 4:
            raise Unavailable("Postgres does not answer")
        return connected(day)

    with turning(day, connect):
        for i in range(20):
            day.put(health("acme/app", i / 100, NOON_MS - DAY_MS + i))
        eventually("20 rows", lambda: len(rows(day)), lambda count: count == 20)
        eventually("all committed", lambda: committed(day), lambda count: count == 20)
    assert len(tries) == 4


def test_a_connection_that_breaks_under_the_writer_costs_nothing(day: Flow) -> None:
    with turning(day, partial(connected, day)):
        day.put(health("acme/app", 0.1, NOON_MS - DAY_MS))
        eventually("a row", lambda: len(rows(day)), lambda count: count == 1)
        with connected(day) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE application_name = 'argus' AND pid <> pg_backend_pid() AND query LIKE '%%unnest%%'"
            )
        connection.close()
        day.put(health("acme/app", 0.2, NOON_MS - DAY_MS + 1))
        eventually("another row", lambda: len(rows(day)), lambda count: count == 2)


def test_poison_is_put_aside_and_a_tombstone_leaves_the_past_alone(day: Flow) -> None:
    with running(lambda stop: history_writer(day.settings, stop)):
        day.put(health("acme/app", 0.5, now_ms() - 5))
        day.raw(PROJECT_HEALTH, b"not json", b"acme/app")
        day.raw(PROJECT_HEALTH, None, b"acme/app")
        day.raw(PROJECT_HEALTH, encode(health("acme/app", 0.7, now_ms())), b"acme/app")
        eventually("all read", lambda: committed(day), lambda count: count == 4)
    assert [rate for _, _, rate in rows(day)] == [0.5, 0.7]


def test_the_velocity_is_kept_as_json(day: Flow) -> None:
    with running(lambda stop: history_writer(day.settings, stop)):
        day.put(health("acme/app", 0.5, NOON_MS - DAY_MS, runs=4))
        eventually("a row", lambda: len(rows(day)), lambda count: count == 1)
    with connected(day) as connection:
        found = connection.execute(
            "SELECT failure_velocity -> 'current_minute' ->> 'runs', model_version, event_timestamp "
            "FROM feature_project_health"
        ).fetchone()
    connection.close()
    assert found == ("4", 1, timestamp(NOON_MS - DAY_MS))


def _rewind(day: Flow) -> None:
    consumer = follower(day.settings.kafka, group("history", day.settings.namespace))
    topic = PROJECT_HEALTH.named(day.settings.namespace)
    beginning = [TopicPartition(topic, each, 0) for each in range(day.settings.partitions)]
    consumer.commit(offsets=beginning, asynchronous=False)
    consumer.close()
