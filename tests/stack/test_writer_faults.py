"""Both writers while their stores are killed."""

from collections.abc import Iterator
from uuid import uuid4

import pytest

from feature_store.connections import postgres_connection
from feature_store.migrate import migrate
from feature_store.processes import history_writer, online_writer
from tests.conftest import Stack
from tests.stack.flow import Flow, eventually, flow, health, now_ms, running

RATE = "project:acme/app:failure_rate_24h"


@pytest.fixture
def day(stack: Stack) -> Iterator[Flow]:
    with flow(stack.settings(f"faults-{uuid4().hex[:8]}")) as one:
        migrate(one.settings.postgres.get_secret_value(), one.settings.namespace)
        one.live()
        yield one


def test_a_valkey_that_is_killed_has_the_newest_again_when_it_is_back(stack: Stack, day: Flow) -> None:
    with running(lambda stop: online_writer(day.settings, stop, now_ms)):
        day.put(health("acme/app", 0.1, now_ms()))
        eventually("the first", lambda: day.read(RATE).value, lambda value: value == 0.1)
        stack.kill("valkey")
        for i in range(2, 10):
            day.put(health("acme/app", i / 10, now_ms()))
        stack.wait_ready()
        eventually("the newest", lambda: day.read(RATE).value, lambda value: value == 0.9, 20)
    day.valkey.connection_pool.disconnect()


def test_a_postgres_that_is_killed_has_every_row_when_it_is_back(stack: Stack, day: Flow) -> None:
    def count() -> int:
        dsn = day.settings.postgres.get_secret_value()
        with postgres_connection(dsn, day.settings.namespace, timeout_s=5) as connection:
            found = connection.execute("SELECT count(*) FROM feature_project_health").fetchone()
            assert found is not None
            rows: int = found[0]
            return rows

    start_ms = now_ms() - 100_000
    with running(lambda stop: history_writer(day.settings, stop)):
        for i in range(100):
            day.put(health("acme/app", i / 100, start_ms + i))
            if i == 50:
                stack.kill("postgres")
        stack.wait_ready()
        eventually("100 rows", count, lambda rows: rows == 100, 30)


def test_a_broker_that_is_killed_stops_neither_writer(stack: Stack, day: Flow) -> None:
    with running(lambda stop: online_writer(day.settings, stop, now_ms)):
        day.put(health("acme/app", 0.1, now_ms()))
        eventually("the first", lambda: day.read(RATE).value, lambda value: value == 0.1)
        stack.kill("kafka")
        stack.wait_ready()
        day.put(health("acme/app", 0.2, now_ms()))
        eventually("the next", lambda: day.read(RATE).value, lambda value: value == 0.2, 30)

        def life_ms() -> int:
            day.live()
            day.put(health("acme/app", 0.3, now_ms()))
            return day.read(RATE).life_ms or 0

        eventually("a clock that moves", life_ms, lambda life: life > 297_000, 30)
