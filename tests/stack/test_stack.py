"""The embedded stack as its users see it."""

import stat
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest
import valkey
from confluent_kafka import Consumer, Producer

from tests.conftest import Stack


def argus(stack: Stack, *words: str, deadline_s: float = 60) -> subprocess.CompletedProcess[str]:
    """Run a command against the stack."""
    return subprocess.run(
        [sys.executable, "-m", "argus", *words],
        env=stack.environment(),
        capture_output=True,
        text=True,
        timeout=deadline_s,
        check=False,
    )


def test_every_child_is_ready_and_every_step_done(stack: Stack) -> None:
    stack.wait_ready()
    assert {step.state for step in stack.status().steps} == {"ready"}


def test_secrets_are_for_the_owner_alone(stack: Stack) -> None:
    for name in ("argus.env", "stack.json", "status.json", "valkey/valkey.conf"):
        assert stat.S_IMODE((stack.data / name).stat().st_mode) == 0o600, name


def test_secrets_are_not_on_any_command_line(stack: Stack) -> None:
    settings = stack.settings()
    assert settings.admin_token is not None
    secrets = [settings.admin_token.get_secret_value(), settings.valkey.get_secret_value().split(":")[2].split("@")[0]]
    for child in stack.status().children:
        line = Path(f"/proc/{child.pid}/cmdline").read_text()
        assert not any(secret in line for secret in secrets), child.name


def test_a_second_supervisor_is_refused_with_the_remedy(stack: Stack) -> None:
    refused = argus(stack, "up", "--no-jobs")
    assert refused.returncode == 2
    assert "runs on" in refused.stderr
    assert "argus down" in refused.stderr


@pytest.mark.parametrize("name", ["valkey", "postgres", "kafka"])
def test_a_killed_server_comes_back_with_its_data_and_the_reason(stack: Stack, name: str) -> None:
    write, read = {"valkey": (set_key, get_key), "postgres": (insert_row, select_row), "kafka": (produce, consume)}[
        name
    ]
    write(stack)
    before = stack.child(name)
    stack.kill(name)
    stack.wait_ready(30)
    after = stack.child(name)
    assert (after.pid != before.pid, after.restarts) == (True, before.restarts + 1)
    assert "SIGKILL" in after.reason
    assert read(stack) == "kept"


def test_status_is_one_for_machines_too(stack: Stack) -> None:
    stack.wait_ready()
    shown = argus(stack, "status", "--json")
    assert (shown.returncode, '"phase": "ready"' in shown.stdout) == (0, True)


def set_key(stack: Stack) -> None:
    """With an acknowledgement."""
    with valkey.Valkey.from_url(stack.settings().valkey.get_secret_value()) as client:
        client.set("stack-test", "kept")


def get_key(stack: Stack) -> str:
    """What set_key wrote."""
    with valkey.Valkey.from_url(stack.settings().valkey.get_secret_value()) as client:
        return client.get("stack-test").decode()


def insert_row(stack: Stack) -> None:
    """In a table of its own."""
    with psycopg.connect(stack.settings().postgres.get_secret_value()) as connection:
        connection.execute("DROP TABLE IF EXISTS stack_test")
        connection.execute("CREATE TABLE stack_test AS SELECT 'kept' AS word")


def select_row(stack: Stack) -> str:
    """What insert_row wrote."""
    with psycopg.connect(stack.settings().postgres.get_secret_value()) as connection:
        row = connection.execute("SELECT word FROM stack_test").fetchone()
        assert row
        return str(row[0])


def produce(stack: Stack) -> None:
    """One acknowledged message."""
    producer = Producer({"bootstrap.servers": stack.settings().kafka, "acks": "all"})
    producer.produce("argus.dead-letters", b"kept", b"stack-test")
    assert producer.flush(20) == 0


def consume(stack: Stack) -> str:
    """The message of produce, read from the start."""
    consumer = Consumer(
        {"bootstrap.servers": stack.settings().kafka, "group.id": "stack-test", "auto.offset.reset": "earliest"}
    )
    consumer.subscribe(["argus.dead-letters"])
    ends = time.monotonic() + 20
    try:
        while time.monotonic() < ends:
            message = consumer.poll(0.5)
            if message and not message.error() and message.key() == b"stack-test":
                return message.value().decode()
    finally:
        consumer.close()
    return "nothing"


def test_a_killed_taskmanager_comes_back_alone_and_a_killed_jobmanager_with_it(stack: Stack) -> None:
    stack.wait_ready()
    jobmanager, taskmanager = stack.pid("jobmanager"), stack.pid("taskmanager")
    stack.kill("taskmanager")
    stack.wait_ready(60)
    assert (stack.pid("jobmanager") == jobmanager, stack.pid("taskmanager") == taskmanager) == (True, False)
    taskmanager = stack.pid("taskmanager")
    stack.kill("jobmanager")
    stack.wait_ready(60)
    assert (stack.pid("jobmanager") == jobmanager, stack.pid("taskmanager") == taskmanager) == (False, False)
