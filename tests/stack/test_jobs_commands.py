"""`argus submit`, `argus jobs`, `argus stop` on the embedded cluster: kept by its supervisor until stopped."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from argus.stack.records import read
from argus.topics import ensure
from contracts.settings import Settings
from tests.conftest import Stack
from tests.stack.flow import eventually


def argus(stack: Stack, *words: str, namespace: str = "", code: int = 0) -> str:
    """What a command prints; on stderr when it is to fail with `code`."""
    done = subprocess.run(
        [sys.executable, "-m", "argus", *words],
        env=stack.environment(namespace), capture_output=True, text=True, timeout=150, check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    return done.stderr if code else done.stdout


def listed(stack: Stack, namespace: str) -> list[dict[str, Any]]:
    """The jobs of a namespace."""
    return [job for job in json.loads(argus(stack, "jobs", "--json")) if job["namespace"] == namespace]


@contextmanager
def with_topics(stack: Stack, namespace: str) -> Iterator[Settings]:
    """A namespace with topics; whatever runs in it is cancelled in the end."""
    settings = stack.settings(namespace)
    ensure(settings, deadline_s=30)
    try:
        yield settings
    finally:
        for job in listed(stack, namespace):
            if job["state"] != "FAILED":
                argus(stack, "stop", job["name"], "--namespace", namespace, "--no-savepoint")


def test_a_job_is_started_kept_and_stopped_with_a_savepoint(stack: Stack) -> None:
    lying_about = {path.name for path in Path("/tmp").glob("flink*")}  # where Java puts things unless told otherwise
    with with_topics(stack, "jobs-1"):
        told = argus(stack, "submit", "project", "--namespace", "jobs-1", "--parallelism", "2")
        assert {path.name for path in Path("/tmp").glob("flink*")} <= lying_about
        assert "jobs-1.argus.jobs.project runs on" in told
        assert "the supervisor keeps it" in told
        (job,) = listed(stack, "jobs-1")
        assert (job["state"], job["running"]) == ("RUNNING", job["tasks"])
        kept = read(stack.data, "project", "jobs-1")
        assert kept is not None
        assert (kept.flink_ids, kept.parallelism) == ([job["flink_id"]], 2)
        refused = argus(stack, "submit", "project", "--namespace", "jobs-1", code=2)
        assert "argus stop project --namespace jobs-1" in refused
        assert job["flink_id"] in argus(stack, "submit", "project", "--if-absent", namespace="jobs-1")
        savepoint = argus(stack, "stop", "project", namespace="jobs-1").strip()
        assert savepoint.startswith("file:")
        assert (stack.data / "flink/savepoints" / savepoint.rpartition("/")[2] / "_metadata").is_file()
        assert listed(stack, "jobs-1") == []
        assert read(stack.data, "project", "jobs-1") is None
        eventually("the supervisor does not bring it back", lambda: stack.status().healthy())
        argus(stack, "submit", "project", "--from-savepoint", savepoint, namespace="jobs-1")
        again = read(stack.data, "project", "jobs-1")
        assert again is not None
        assert again.savepoint == savepoint


def test_a_job_that_cannot_run_is_told_by_its_cause_and_leaves_nothing(stack: Stack) -> None:
    told = argus(stack, "submit", "failure_velocity", "--namespace", "jobs-without-topics", code=2)
    assert "does not start" in told
    assert "UnknownTopicOrPartition" in told
    assert listed(stack, "jobs-without-topics") == []
    assert read(stack.data, "failure_velocity", "jobs-without-topics") is None


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("submit", "velocity"), "no such job: velocity; there are failure_velocity, project"),
        (("submit", "project", "--cluster", "127.0.0.1:1"), "http://127.0.0.1:1 does not answer"),
        (("stop", "project", "--namespace", "nobody"), "no nobody.argus.jobs.project runs"),
    ],
)
def test_what_makes_no_sense_is_refused(stack: Stack, words: tuple[str, ...], told: str) -> None:
    assert told in argus(stack, *words, code=2)
