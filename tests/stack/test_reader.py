"""Reading keys: guard and reader against a real Valkey."""

import subprocess
import sys
from collections.abc import Iterator
from uuid import uuid4

import pytest
import valkey

from contracts.errors import BadRecord, Unavailable
from feature_store.connections import valkey_client
from feature_store.guard import OUTDATED, Guard, Key, Presence, Write
from feature_store.reader import Reader
from tests.conftest import Stack
from tests.stack.flow import free_port

NOW_MS = 1_795_253_400_000
APP = "project:acme/app"
RATE, RATE_7D, VELOCITY = f"{APP}:failure_rate_24h", f"{APP}:failure_rate_7d", f"{APP}:failure_velocity"


@pytest.fixture
def client(stack: Stack) -> Iterator[valkey.Valkey]:
    client = valkey_client(stack.settings().valkey.get_secret_value(), timeout_s=2)
    yield client
    client.close()


@pytest.fixture
def namespace() -> str:
    return f"reader-{uuid4().hex[:8]}"


def write(namespace: str, as_of_ms: int, clock_ms: int, **values: tuple[bytes, int]) -> Write:
    """A write of acme/app's keys: name = (value, life in ms)."""
    guard = f"{namespace}:{APP}"
    keys = [Key(f"{guard}:{name}", value, life_ms) for name, (value, life_ms) in values.items()]
    return Write(guard, "project-health", keys, as_of_ms, 3, clock_ms)


def test_three_answers_in_one_round_trip(client: valkey.Valkey, namespace: str) -> None:
    put = write(namespace, NOW_MS - 2000, 1, failure_rate_24h=(b"0.0", 60_000), failure_rate_7d=(b"0.1", 0))
    assert Guard(client).write([put]) == [1]
    before = client.info("stats")["total_commands_processed"]
    other = "project:acme/other:failure_rate_24h"
    zero, expired, missing = Reader(client, namespace, lambda: NOW_MS).read([RATE, RATE_7D, other])
    assert client.info("stats")["total_commands_processed"] - before < 15
    assert (zero.status, zero.value, zero.age_ms, zero.as_of_ms, zero.version) == (
        "present", 0.0, 2000, NOW_MS - 2000, 3,
    )  # fmt: skip
    assert zero.life_ms is not None
    assert 55_000 < zero.life_ms <= 60_000
    assert (expired.status, expired.value, expired.as_of_ms) == ("expired", None, NOW_MS - 2000)
    assert (missing.status, missing.value, missing.as_of_ms) == ("missing", None, None)


def test_a_json_value_comes_back_as_it_was(client: valkey.Valkey, namespace: str) -> None:
    Guard(client).write([write(namespace, NOW_MS, 1, failure_velocity=(b'{"last_minute":{"runs":0}}', 60_000))])
    (found,) = Reader(client, namespace, lambda: NOW_MS).read([VELOCITY])
    assert found.value == {"last_minute": {"runs": 0}}


def test_newer_or_equal_wins(client: valkey.Valkey, namespace: str) -> None:
    guard, reader = Guard(client), Reader(client, namespace, lambda: NOW_MS)
    writes = [
        write(namespace, as_of_ms, 1, failure_rate_24h=(value, 60_000))
        for as_of_ms, value in ((5, b"0.5"), (4, b"0.4"), (5, b"0.55"))
    ]
    assert guard.write(writes) == [1, OUTDATED, 1]
    assert reader.read([RATE])[0].value == 0.55


def test_the_same_value_gets_new_life_only_from_a_clock_that_moved(client: valkey.Valkey, namespace: str) -> None:
    guard, reader = Guard(client), Reader(client, namespace, lambda: NOW_MS)
    guard.write([write(namespace, 5, clock_ms=10, failure_rate_24h=(b"0.5", 20_000))])
    guard.write([write(namespace, 5, clock_ms=10, failure_rate_24h=(b"0.5", 90_000))])
    assert (reader.read([RATE])[0].life_ms or 0) <= 20_000
    guard.write([write(namespace, 5, clock_ms=11, failure_rate_24h=(b"0.5", 90_000))])
    assert (reader.read([RATE])[0].life_ms or 0) > 80_000
    client.delete(f"{namespace}:{RATE}")
    guard.write([write(namespace, 5, clock_ms=11, failure_rate_24h=(b"0.5", 90_000))])
    assert reader.read([RATE])[0].status == "expired"


def test_the_guard_outlives_its_keys_by_a_month(client: valkey.Valkey, namespace: str) -> None:
    Guard(client).write([write(namespace, 5, 1, failure_rate_24h=(b"0.5", 1))])
    assert client.ttl(f"{namespace}:{APP}") > 29 * 86_400


def test_a_withdrawal_takes_the_keys_and_leaves_the_guard(client: valkey.Valkey, namespace: str) -> None:
    put = write(namespace, 5, 1, failure_rate_24h=(b"0.5", 60_000))
    guard = Guard(client)
    guard.write([put, Write(put.guard, put.view, put.keys, None, 0, 1)])
    assert Reader(client, namespace, lambda: NOW_MS).read([RATE])[0].status == "expired"


def test_a_valkey_that_forgot_the_script_is_given_it_again(client: valkey.Valkey, namespace: str) -> None:
    guard = Guard(client)
    put = write(namespace, 5, 1, failure_rate_24h=(b"0.5", 60_000))
    guard.write([put])
    client.script_flush()
    assert guard.write([put]) == [1]


def test_a_flush_is_noticed_once_by_each_of_two_writers(client: valkey.Valkey, namespace: str) -> None:
    one, two = (Presence(client, f"{namespace}:mark", lambda: uuid4().hex) for _ in range(2))
    assert [one.lost(), two.lost(), one.lost(), two.lost()] == [True, True, False, False]
    client.delete(f"{namespace}:mark")
    assert [one.lost(), two.lost(), one.lost(), two.lost()] == [True, True, False, False]


def test_what_is_not_in_the_catalogue_is_refused(client: valkey.Valkey, namespace: str) -> None:
    for key in ("project:acme/app:beauty", "test:acme/app:failure_rate_24h", "project:acme:failure_rate_24h", ""):
        with pytest.raises(BadRecord, match="key"):
            Reader(client, namespace, lambda: NOW_MS).read([key])


def test_a_stranger_s_value_is_no_answer(client: valkey.Valkey, namespace: str) -> None:
    Guard(client).write([write(namespace, 5, 1, failure_rate_24h=(b"<html>", 60_000))])
    with pytest.raises(BadRecord, match="failure_rate_24h"):
        Reader(client, namespace, lambda: NOW_MS).read([RATE])


def test_a_valkey_that_is_away_is_unavailable_in_time() -> None:
    nobody = valkey_client(f"valkey://127.0.0.1:{free_port()}/0", timeout_s=0.5)
    with pytest.raises(Unavailable, match="Valkey does not answer"):
        Reader(nobody, "", lambda: NOW_MS).read([RATE])


def test_the_command_has_three_answers(client: valkey.Valkey, stack: Stack, namespace: str) -> None:
    def said(key: str, *options: str) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-m", "argus", "features", "get", key, *options],
            env=stack.environment(namespace), capture_output=True, text=True, timeout=30, check=False,
        )  # fmt: skip
        return done.returncode, done.stdout + done.stderr

    Guard(client).write([write(namespace, NOW_MS, 1, failure_rate_24h=(b"0.0", 60_000), failure_rate_7d=(b"", 0))])
    code, text = said(RATE)
    assert (code, text.splitlines()[0].split()) == (0, ["value", "0.0"])
    assert "2026-11-21T09:30:00.000+00:00" in text
    assert said(RATE_7D, "--json")[0] == 3
    assert '"status":"expired"' in said(RATE_7D, "--json")[1]
    assert said("project:acme/other:failure_rate_24h")[0] == 4
    assert said("project:acme/app:beauty")[0] == 2
