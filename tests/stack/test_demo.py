"""`argus demo` as a person runs it, with a short day: exact, and gone without a trace, or there and ticking."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from argus.cluster import ENDED, flink_jobs
from argus.stack.folder import holder_of
from contracts.records import LATE_MS
from contracts.settings import Settings
from contracts.topics import RUNS
from feature_store.connections import valkey_client
from feature_store.log import admin_client
from tests.conftest import Stack
from tests.stack.flow import eventually
from tests.stack.topic_reading import everything, headers

EXACT = (
    "rows on argus.metrics.failure-velocity, all as counted from the file",
    "keys failure_rate_24h in Valkey, all as",
)


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some minutes of CI; what comes later than a day is left to other tests."""
    folder = tmp_path_factory.mktemp("day")
    words = ["simulate", "--projects", "3", "--hours", "1", "--out", "all.jsonl", "--truth", "truth.jsonl"]
    subprocess.run([sys.executable, "-m", "argus", *words], cwd=folder, check=True, timeout=60, capture_output=True)
    lines = (folder / "all.jsonl").read_text().splitlines(keepends=True)
    arrivals = [int(re.findall(r'"arrived_ms":(\d+)', line)[0]) for line in lines]
    (folder / "day.jsonl").write_text(
        "".join(line for line, at_ms in zip(lines, arrivals, strict=True) if at_ms < arrivals[0] + LATE_MS // 12)
    )
    return folder / "day.jsonl"


def command(data: Path, day: Path, *words: str) -> list[str]:
    """The command line."""
    return [sys.executable, "-m", "argus", "demo", "--data", str(data), "--from", str(day), "--speed", "max", *words]


def shown(data: Path, day: Path, *words: str) -> str:
    """What a demonstration prints; it is exact."""
    done = subprocess.run(command(data, day, *words), env=clean(), capture_output=True, text=True, timeout=400)
    assert done.returncode == 0, done.stdout + done.stderr
    for told in EXACT:
        assert told in done.stdout
    assert not re.search(r"^✓ 0 ", done.stdout, re.MULTILINE)
    return done.stdout


def clean() -> dict[str, str]:
    """An environment without settings of ours."""
    return {name: value for name, value in os.environ.items() if not name.startswith("ARGUS_")}


def processes(word: str) -> set[int]:
    """Pids of other processes with a word on their command line."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if word in path.read_text().replace("\0", " "):
                found.add(int(path.parent.name))
        except OSError:
            continue
    return found - {os.getpid()}


def traces(settings: Settings, namespace: str) -> list[str]:
    """What a namespace has left on the servers."""
    topics = [
        topic for topic in admin_client(settings.kafka).list_topics(timeout=10).topics if topic.startswith("demo-")
    ]
    jobs = [job.name for job in flink_jobs(settings.flink) if job.state not in ENDED and job.namespace == namespace]
    client = valkey_client(settings.valkey.get_secret_value(), timeout_s=5)
    keys = [key.decode() for key in client.scan_iter(match="demo-*")]
    client.close()
    with psycopg.connect(settings.postgres.get_secret_value()) as connection:
        schemas = connection.execute("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'argus_demo%'").fetchall()
    return [*topics, *jobs, *keys, *(name for (name,) in schemas)]


def namespace_in(told: str) -> str:
    """The demonstration's own."""
    found = re.search(r"namespace (demo-\w+)", told)
    assert found
    return found[1]


@pytest.fixture
def kept(stack: Stack, day: Path) -> Iterator[str]:
    """What a demonstration on the running stack printed that was told to stay; ended after the test."""
    told = shown(stack.data, day, "--keep")
    namespace = namespace_in(told)
    try:
        yield told
    finally:
        for pid in processes(f"argus.demo --data {stack.data}"):
            os.kill(pid, signal.SIGTERM)
        for job in ("project", "failure_velocity"):
            words = ["stop", job, "--namespace", namespace, "--no-savepoint"]
            subprocess.run([sys.executable, "-m", "argus", *words], env=stack.environment(), check=True, timeout=60)
        eventually("its processes end", lambda: processes(f"argus.demo --data {stack.data}"), lambda pids: not pids, 30)


def test_what_is_kept_ticks_on_and_can_be_read_with_the_commands_it_printed(stack: Stack, kept: str) -> None:
    namespace = namespace_in(kept)
    settings = stack.settings(namespace, clock="replay", partitions=2)

    def clock_ms() -> int:
        return max(int(headers(record)["arrived_ms"]) for record in everything(settings, RUNS))

    before_ms = clock_ms()
    assert eventually("the clock runs on", clock_ms, lambda at_ms: at_ms >= before_ms + 2000, deadline_s=30)
    commands = re.findall(r"^    \$ (.+)$", kept, re.MULTILINE)
    assert len(commands) == 3
    for line in commands:
        done = subprocess.run(["bash", "-c", line], env=clean(), capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, f"{line}: {done.stderr}"
        assert done.stdout.strip(), line
    assert '"status":"present"' in subprocess.run(
        ["bash", "-c", commands[1]], env=clean(), capture_output=True, text=True, timeout=60
    ).stdout  # fmt: skip
    assert {job.name for job in stack.status().jobs if job.namespace == namespace} == {"project", "failure_velocity"}


def test_a_demonstration_on_a_running_stack_leaves_it_as_it_was(stack: Stack, day: Path) -> None:
    told = shown(stack.data, day)
    assert "using the stack on" in told
    assert "Nothing was left running" in told
    assert traces(stack.settings(), namespace_in(told)) == [], "nor what an earlier one left"
    assert processes(f"argus.demo --data {stack.data}") == set()
    stack.wait_ready()


def test_an_interrupted_demonstration_takes_everything_away(stack: Stack, day: Path) -> None:
    process = subprocess.Popen(
        [*command(stack.data, day)[:-1], "1x"],
        env=clean(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    seen = []
    for line in process.stdout:
        seen.append(line)
        if "writers and gateway" in line:
            break
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    try:
        rest, _ = process.communicate(timeout=180)
    finally:
        process.kill()
    assert process.returncode != 0
    assert "Traceback" not in rest
    assert traces(stack.settings(), namespace_in("".join(seen))) == []
    assert processes(f"argus.demo --data {stack.data}") == set()


def test_a_demonstration_without_a_stack_starts_one_and_stops_it(day: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    told = shown(data, day)
    assert "starting Kafka" in told
    assert holder_of(data) is None
    assert processes(str(data)) == set()
    shutil.rmtree(data)
