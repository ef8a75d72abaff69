"""The gateway as a process beside the real servers."""

import json
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from uuid import uuid4

import pytest
from confluent_kafka import TopicPartition

from contracts.records import DeadLetter
from contracts.topics import DEAD_LETTERS, RUNS, message
from feature_store.guard import Guard, Key, Write
from feature_store.log import follower, is_tick
from gateway.processes import gateway
from tests.conftest import Stack
from tests.stack.flow import Flow, eventually, flow, free_port, now_ms, running

KEY = "project:acme/app:failure_rate_24h"


@pytest.fixture
def day(stack: Stack) -> Iterator[Flow]:
    with flow(stack.settings(f"gateway-{uuid4().hex[:8]}", gateway=f"127.0.0.1:{free_port()}")) as one:
        yield one


@contextmanager
def serving(day: Flow) -> Iterator[None]:
    with running(lambda stop: gateway(day.settings, stop, now_ms)):
        eventually("ready", lambda: asked(day, "/readyz"), lambda answer: answer == (200, "ok\n"))
        yield


def asked(day: Flow, path: str, token: str | None = None) -> tuple[int, str]:
    request = urllib.request.Request(f"http://{day.settings.gateway}{path}")
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, refused.read().decode()
    except urllib.error.URLError:
        return 0, "nobody listens"


def test_a_key_is_read_over_http_by_those_who_have_the_token(day: Flow) -> None:
    guard, key = f"{day.settings.namespace}:project:acme/app", f"{day.settings.namespace}:{KEY}"
    as_of_ms = now_ms()
    assert day.settings.admin_token is not None
    token = day.settings.admin_token.get_secret_value()
    with serving(day):
        path = f"/api/v1/features/{KEY}"
        assert asked(day, path)[0] == 401
        assert json.loads(asked(day, path, token)[1])["status"] == "missing"
        put = Write(guard, "project-health", [Key(key, b"0.5", 60_000)], as_of_ms, 1, as_of_ms)
        Guard(day.valkey).write([put])
        code, text = asked(day, path, token)
        found = json.loads(text)
        assert (code, found["value"], found["as_of_ms"], found["version"]) == (200, 0.5, as_of_ms, 1)
        assert 0 <= found["age_ms"] < 60_000
        day.valkey.delete(key)
        assert asked(day, path, token)[0] == 410


def test_it_ticks_once_a_second_in_every_partition(day: Flow) -> None:
    topic = RUNS.named(day.settings.namespace)
    with serving(day):
        consumer = follower(day.settings.kafka, f"ticks-{uuid4().hex}")
        consumer.assign([TopicPartition(topic, at, 0) for at in range(day.settings.partitions)])
        ticks: dict[int, list[int]] = {}
        ends = time.monotonic() + 15
        while len(ticks) < day.settings.partitions or min(map(len, ticks.values())) < 3:
            assert time.monotonic() < ends, ticks
            found = consumer.poll(0.2)
            if found is not None and not found.error():
                assert (found.key(), found.value(), is_tick(found)) == (None, b"", True)
                ticks.setdefault(found.partition(), []).append(found.timestamp()[1])
        consumer.close()
    for at_ms in ticks.values():
        assert all(800 < later - sooner < 2000 for sooner, later in pairwise(at_ms[1:]))


def test_it_does_not_tick_where_a_replayer_does(stack: Stack) -> None:
    settings = stack.settings(f"gateway-{uuid4().hex[:8]}", "replay", gateway=f"127.0.0.1:{free_port()}")
    with flow(settings) as day, serving(day):
        time.sleep(1.5)
        assert 'argus_ticks_total{topic="' not in asked(day, "/metrics")[1]
        consumer = follower(settings.kafka, f"ticks-{uuid4().hex}")
        assert consumer.get_watermark_offsets(TopicPartition(RUNS.named(settings.namespace), 0), timeout=5) == (0, 0)
        consumer.close()


def test_dead_letters_are_counted_by_reader_and_reason(day: Flow) -> None:
    for offset in (1, 2):
        letter = DeadLetter(reader="project", reason="key: odd", topic="t", partition=0, offset=offset, value=b"\xff")
        sent = message(DEAD_LETTERS, letter, namespace=day.settings.namespace, source="/test")
        day.raw(DEAD_LETTERS, sent.value, sent.key, sent.headers)
    with serving(day):
        eventually(
            "two letters",
            lambda: asked(day, "/metrics")[1],
            lambda text: 'argus_dead_letters_total{reader="project",reason="key"} 2.0' in text,
        )


def test_ready_names_the_server_that_is_away(day: Flow) -> None:
    changed = day.settings.model_copy(update={"kafka": f"127.0.0.1:{free_port()}"})
    with running(lambda stop: gateway(changed, stop, now_ms)):
        _, text = eventually("an answer", lambda: asked(day, "/readyz"), lambda answer: answer[0] == 503)
        assert text.startswith("broker: ")
        assert "valkey" not in text


@pytest.mark.parametrize("command", ["gateway", "tick", "online-writer", "history-writer"])
def test_a_process_starts_logs_json_and_stops_when_told(stack: Stack, day: Flow, command: str) -> None:
    environment = stack.environment(day.settings.namespace) | {"ARGUS_GATEWAY": day.settings.gateway}
    process = subprocess.Popen(
        [sys.executable, "-m", "argus", command], env=environment, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stderr is not None
        first = json.loads(process.stderr.readline())
        assert (first["event"], first["process"], first["level"]) == ("started", command, "info")
        process.send_signal(signal.SIGTERM)
        rest = process.communicate(timeout=20)[1]
        assert process.returncode == 0, rest
        assert json.loads(rest.splitlines()[-1])["event"] == "stopped"
    finally:
        process.kill()
        process.communicate()


def test_an_address_in_use_is_told_in_one_line(stack: Stack, day: Flow) -> None:
    environment = stack.environment(day.settings.namespace) | {"ARGUS_GATEWAY": day.settings.kafka}
    told = subprocess.run(
        [sys.executable, "-m", "argus", "gateway"],
        env=environment, capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert told.returncode == 2
    assert told.stderr.startswith(f"argus: ARGUS_GATEWAY={day.settings.kafka}: Address already in use")
