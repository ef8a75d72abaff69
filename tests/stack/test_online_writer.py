"""The way from a view's topic to a key that can be read."""

import json
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import pytest

from contracts.features import PROJECT_HEALTH_VIEW
from contracts.records import DeadLetter, decode
from contracts.topics import DEAD_LETTERS, PROJECT_HEALTH
from feature_store.log import follower
from feature_store.processes import online_writer
from tests.conftest import Stack
from tests.stack.flow import Flow, eventually, flow, free_port, health, now_ms, running

PROJECT = "acme/app"
RATE = f"project:{PROJECT}:failure_rate_24h"
RATE_7D = f"project:{PROJECT}:failure_rate_7d"
VELOCITY = f"project:{PROJECT}:failure_velocity"


@pytest.fixture
def day(stack: Stack) -> Iterator[Flow]:
    """A namespace whose job is up to date."""
    with flow(stack.settings(f"online-{uuid4().hex[:8]}", metrics_port=free_port())) as one:
        one.live()
        yield one


@contextmanager
def writing(day: Flow) -> Iterator[None]:
    """The writer, once it has caught up."""
    with running(lambda stop: online_writer(day.settings, stop, now_ms)):
        eventually("ready", lambda: fetched(day, "/readyz"), lambda answer: answer[0] == 200)
        yield


def present(day: Flow, key: str, value: object, deadline_s: float = 15):
    return eventually(
        key, lambda: day.read(key), lambda found: (found.status, found.value) == ("present", value), deadline_s
    )


def fetched(day: Flow, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{day.settings.metrics_port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, refused.read().decode()
    except urllib.error.URLError:
        return 0, "nobody listens"


def test_missing_zero_and_expired_are_three_answers(day: Flow) -> None:
    with writing(day):
        assert day.read(RATE).status == "missing"
        day.put(health(PROJECT, 0.0, now_ms()))
        assert present(day, RATE, 0.0).status == "present"
        day.put(health(PROJECT, None, now_ms()))
        eventually("no run in the window", lambda: day.read(RATE).status, lambda status: status == "expired")
        assert day.read(VELOCITY).status == "present"


def test_any_valkey_client_reads_the_value_as_text(day: Flow) -> None:
    with writing(day):
        day.put(health(PROJECT, 0.031, now_ms(), runs=3))
        present(day, RATE, 0.031)
        key = f"{day.settings.namespace}:{VELOCITY}"
        assert day.valkey.get(f"{day.settings.namespace}:{RATE}") == b"0.031"
        assert json.loads(day.valkey.get(key))["current_minute"] == {"runs": 3, "failing_runs": 0, "error_runs": 0}


def test_newer_or_equal_wins_whatever_comes_last(day: Flow) -> None:
    now = now_ms()
    with writing(day):
        day.put(health(PROJECT, 0.5, now))
        present(day, RATE, 0.5)
        day.put(health(PROJECT, 0.1, now - 1))
        day.put(health("acme/other", 0.2, now))
        present(day, "project:acme/other:failure_rate_24h", 0.2)
        assert day.read(RATE).value == 0.5
        day.put(health(PROJECT, 0.6, now))
        found = present(day, RATE, 0.6)
        assert (found.as_of_ms, found.version) == (now, 1)


def test_an_old_value_never_shows_while_the_topic_is_read_again(day: Flow) -> None:
    now = now_ms()
    for i in range(300):
        day.producer.produce(
            PROJECT_HEALTH.named(day.settings.namespace),
            json.dumps(json.loads(_body(health(PROJECT, i / 1000, now + i)))).encode(),
            PROJECT.encode(),
        )
    day.producer.flush(10)
    seen: set[object] = set()
    stop = threading.Event()

    def watch() -> None:
        while not stop.is_set():
            seen.add(day.read(RATE).value)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        for _ in range(2):
            with writing(day):
                present(day, RATE, 0.299)
    finally:
        stop.set()
        watcher.join(10)
    assert seen <= {None, 0.299}


def test_life_is_the_ttl_less_what_the_job_is_behind(stack: Stack) -> None:
    settings = stack.settings(f"online-{uuid4().hex[:8]}", clock="replay", metrics_port=free_port())
    start = 1_790_000_000_000
    with flow(settings) as day:
        day.tick(start)
        day.commit()
        day.tick(start + 200_000)
        with writing(day):
            day.put(health(PROJECT, 0.5, start))
            found = present(day, RATE, 0.5)
            assert found.life_ms is not None
            assert 90_000 < found.life_ms <= 100_000
            day.tick(start + 400_000)
            day.put(health(PROJECT, 0.6, start + 400_000))
            eventually("no life is left", lambda: day.read(RATE).status, lambda status: status == "expired")
            assert present(day, RATE_7D, 0.6).life_ms <= 3_200_000
            day.commit()
            found = present(day, RATE, 0.6)
            assert found.life_ms is not None
            assert 290_000 < found.life_ms <= 300_000


def test_a_restart_while_the_job_stands_still_prolongs_nothing(day: Flow) -> None:
    day.put(health(PROJECT, 0.5, now_ms()))
    with writing(day):
        before = present(day, RATE, 0.5).life_ms
    time.sleep(1.5)
    with writing(day):
        time.sleep(0.5)
        after = day.read(RATE).life_ms
    assert before is not None
    assert after is not None
    assert after <= before - 1500


def test_keys_return_after_a_flush(day: Flow) -> None:
    with writing(day):
        day.put(health(PROJECT, 0.25, now_ms()))
        present(day, RATE, 0.25)
        day.valkey.flushall()
        assert day.read(RATE).status == "missing"
        present(day, RATE, 0.25, deadline_s=5)


def test_nothing_is_shown_before_anything_is_known_of_the_job(stack: Stack) -> None:
    with flow(stack.settings(f"online-{uuid4().hex[:8]}", metrics_port=free_port())) as day, writing(day):
        day.put(health(PROJECT, 0.5, now_ms()))
        time.sleep(0.3)
        assert day.read(RATE).status == "missing"
        day.tick()
        present(day, RATE, 0.5)


def test_a_tombstone_takes_the_keys_away_and_leaves_the_memory_of_them(day: Flow) -> None:
    with writing(day):
        day.put(health(PROJECT, 0.5, now_ms()))
        present(day, RATE, 0.5)
        day.raw(PROJECT_HEALTH, None, PROJECT.encode())
        eventually("withdrawn", lambda: day.read(RATE).status, lambda status: status == "expired")
        day.put(health(PROJECT, 0.6, now_ms()))
        present(day, RATE, 0.6)


def test_namespaces_do_not_see_each_other(day: Flow, stack: Stack) -> None:
    with flow(stack.settings(f"online-{uuid4().hex[:8]}")) as other, writing(day):
        day.put(health(PROJECT, 0.5, now_ms()))
        present(day, RATE, 0.5)
        assert other.read(RATE).status == "missing"


def test_poison_becomes_one_dead_letter_with_its_bytes_and_harms_nobody(day: Flow) -> None:
    good = _body(health(PROJECT, 0.5, now_ms()))
    future = _body(health(PROJECT, 0.5, now_ms() + 3_600_000))
    poison = {
        "not UTF-8": (PROJECT.encode(), b"\xff\xfe"),
        "empty": (PROJECT.encode(), b""),
        "an array": (PROJECT.encode(), b"[1]"),
        "a share of 7": (PROJECT.encode(), good.replace(b"0.5", b"7")),
        "another key": (b"acme/other", good),
        "from the future": (PROJECT.encode(), future),
        "a tombstone without UTF-8": (b"\xff", None),
    }
    with writing(day):
        for key, value in poison.values():
            day.raw(PROJECT_HEALTH, value, key)
        day.put(health(PROJECT, 0.75, now_ms()))
        present(day, RATE, 0.75)
        letters = _letters(day, len(poison))
    assert {(letter.key, letter.value) for letter in letters} == set(poison.values())
    assert {letter.reader for letter in letters} == {"online-writer"}


def test_the_lag_is_exported(day: Flow) -> None:
    with writing(day):
        day.put(health(PROJECT, 0.5, now_ms()))
        present(day, RATE, 0.5)
        text = eventually(
            "the view's lag", lambda: fetched(day, "/metrics")[1], lambda text: 'argus_view_lag_seconds{view="' in text
        )
        view = PROJECT_HEALTH_VIEW.name
        assert f'argus_event_to_key_seconds_count{{view="{view}"}} 1.0' in text
        assert f'argus_clock_age_seconds{{view="{view}"}}' in text
        assert fetched(day, "/healthz") == (200, "ok\n")
        assert fetched(day, "/readyz") == (200, "ok\n")


def _body(record) -> bytes:
    from contracts.records import encode

    return encode(record)


def _letters(day: Flow, count: int) -> list[DeadLetter]:
    consumer = follower(day.settings.kafka, f"letters-{uuid4().hex}")
    consumer.subscribe([DEAD_LETTERS.named(day.settings.namespace)])
    letters: list[DeadLetter] = []
    ends = time.monotonic() + 15
    while len(letters) < count:
        assert time.monotonic() < ends, f"{len(letters)} of {count} dead letters"
        found = consumer.poll(0.2)
        if found is not None and not found.error():
            letters.append(decode(DeadLetter, found.value()))
    extra = consumer.poll(0.5)
    consumer.close()
    assert extra is None
    return letters


def test_a_writer_that_is_killed_loses_nothing(stack: Stack, day: Flow) -> None:
    environment = stack.environment(day.settings.namespace) | {"ARGUS_METRICS_PORT": str(day.settings.metrics_port)}
    command = [sys.executable, "-m", "argus", "online-writer"]

    def started() -> "subprocess.Popen[bytes]":
        process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
        eventually("ready", lambda: fetched(day, "/readyz"), lambda answer: answer[0] == 200, 30)
        return process

    process = started()
    try:
        day.put(health(PROJECT, 0.25, now_ms()))
        present(day, RATE, 0.25)
        process.kill()
        process.wait(10)
        day.put(health(PROJECT, 0.5, now_ms()))
        day.put(health("acme/new", 0.75, now_ms()))
        process = started()
        present(day, RATE, 0.5)
        present(day, "project:acme/new:failure_rate_24h", 0.75)
    finally:
        process.kill()
        process.wait(10)
