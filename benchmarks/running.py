"""One namespace of a running stack with both jobs and both writers, as an operator would have them."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from argus import cluster
from argus.stack.keeper import why
from argus.stack.logs import opened_log
from argus.stack.process import before_exec
from argus.stack.records import forget, record
from argus.stack.rest import get
from argus.submit import submit_all
from argus.topics import ensure
from benchmarks.compared import Expected, expected, settled
from benchmarks.observed import Progress, until
from contracts.errors import Unavailable
from contracts.jobs import JOBS
from contracts.settings import Settings
from feature_store.migrate import migrate

WRITERS = ("online-writer", "history-writer")
STARTS_S, STOPS_S = 90.0, 30.0


class Running:
    """Remembers the writers' processes. The jobs are recorded, so that the stack's supervisor keeps them running."""

    def __init__(self, data: Path, settings: Settings) -> None:
        self.data, self.settings = data, settings
        self._writers: dict[str, subprocess.Popen[bytes]] = {}

    def prepare(self) -> None:
        """Topics and tables."""
        ensure(self.settings, deadline_s=STARTS_S)
        migrate(self.settings.postgres.get_secret_value(), self.settings.namespace)

    def submit(self, *, savepoints: dict[str, str] | None = None) -> None:
        """Both jobs, each from its savepoint if one is given, and wait until all their tasks run."""
        done = submit_all({name: (savepoints or {}).get(name) for name in JOBS}, self.settings)
        for name, flink_id in done.ids.items():
            record(self.data, name, self.settings, flink_id=flink_id)
        if done.failure:
            raise done.failure
        for flink_id in done.ids.values():
            cluster.wait_running(self.settings.flink, flink_id, why=why, deadline_s=STARTS_S)

    def start_writer(self, name: str) -> int:
        """Start one writer, or the gateway of the namespace; its pid."""
        known = self.environment() | {"ARGUS_METRICS_PORT": "0"}
        with opened_log(self.data, f"{self.settings.namespace}-{name}") as log:
            self._writers[name] = subprocess.Popen(
                [sys.executable, "-m", "argus", name],
                env=known, stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=before_exec(signal.SIGTERM),
            )  # fmt: skip
        return self._writers[name].pid

    def writer_pid(self, name: str) -> int:
        """Pid of what `start_writer` started last under this name."""
        return self._writers[name].pid

    def has_started(self, name: str) -> bool:
        """Whether a process of this name is the namespace's own, not the stack's."""
        return name in self._writers

    def ended(self, name: str) -> int | None:
        """What a process started here ended with, a signal's number below zero; None while it runs."""
        return self._writers[name].poll()

    def kill_writer(self, name: str) -> None:
        """kill -9."""
        self._writers[name].kill()
        self._writers[name].wait(STOPS_S)

    def environment(self) -> dict[str, str]:
        """For a command in this namespace."""
        return {
            "PATH": "/usr/bin:/bin",
            "PYTHONUNBUFFERED": "1",
            "ARGUS_DATA": str(self.data),
            "ARGUS_NAMESPACE": self.settings.namespace,
            "ARGUS_CLOCK": self.settings.clock,
            "ARGUS_GATEWAY": self.settings.gateway,
        }

    def flink_id(self, name: str) -> str | None:
        """Of the job of this name that has not ended. Raises Unavailable when Flink does not answer."""
        job = cluster.living(self.settings.flink, name, self.settings.namespace)
        return job.flink_id if job else None

    def checkpoints(self, name: str) -> dict[str, Any]:
        """What Flink counts of the job's checkpoints: completed, failed, restored, …; nothing while it is away."""
        try:
            flink_id = self.flink_id(name)
            return dict(get(self.settings.flink, f"/jobs/{flink_id}/checkpoints")["counts"]) if flink_id else {}
        except Unavailable:
            return {}

    def drain(self, *, deadline_s: float) -> None:
        """Until each job has a checkpoint behind the last message of the log of runs."""
        for job in JOBS.values():
            progress = Progress(self.settings, job)
            try:
                until(
                    f"{job.group(self.settings.namespace)} at the end of its topic",
                    lambda progress=progress: progress.committed() >= progress.ends(),  # type: ignore[misc]
                    deadline_s=deadline_s,
                )
            finally:
                progress.close()

    def compare(self, *, deadline_s: float) -> tuple[Expected, list[str]]:
        """Drain, then what the log must give and the rows that differ from it after `deadline_s` seconds at most."""
        self.drain(deadline_s=deadline_s)
        wanted = expected(self.settings)
        return wanted, settled(self.settings, wanted, deadline_s=deadline_s)

    def close(self) -> None:
        """Cancel the jobs and end the writers."""
        for name in JOBS:
            forget(self.data, name, self.settings.namespace)
        for process in self._writers.values():
            process.terminate()
        for name in JOBS:
            if flink_id := self.flink_id(name):
                cluster.cancel(self.settings.flink, flink_id, deadline_s=STOPS_S)
        for process in self._writers.values():
            process.wait(STOPS_S)


@contextmanager
def running(data: Path, settings: Settings) -> Iterator[Running]:
    """Everything of the namespace of `settings`, on the stack of the folder, until the end of the block."""
    one = Running(data, settings)
    with ExitStack() as leaving:
        one.prepare()
        leaving.callback(one.close)
        for name in WRITERS:
            one.start_writer(name)
        one.submit()
        yield one
