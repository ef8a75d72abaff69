"""What a demonstration needs around it, and how it is taken away: a stack, a namespace with its jobs and processes."""

import os
import random
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from argus import cluster, topics
from argus.demo.company import PORTS, company, folder
from argus.demo.sweep import PREFIX, namespaces_left, sweep
from argus.stack.detached import launch, stop, wait_ready
from argus.stack.folder import holder_of, opened, write_private
from argus.stack.keeper import why
from argus.stack.logs import opened_log
from argus.stack.ports import LOOPBACK, chosen
from argus.stack.progress import Progress
from argus.stack.records import forget, record
from argus.stack.serve import START_DEADLINE_S
from argus.stack.status import read_status
from argus.submit import submit_all
from contracts.errors import DeadlineExceeded, Misconfigured, Unavailable
from contracts.jobs import JOBS
from contracts.settings import Settings, read_settings
from feature_store.migrate import migrate

STEP_S = 60.0
STOP_S = 30.0
CHECKPOINT_S = 2.0
"""Seconds between checkpoints: at the end it is waited for one, and views come alive with it."""

PARTITIONS = 2
"""Each gets every tick, and a day has 86,400 of them."""

Told = Callable[[str], None]


@dataclass(frozen=True)
class Stage:
    """A namespace in which everything runs; `keep` says that it is to stay."""

    settings: Settings
    gateway: str
    own_stack: bool
    process: "subprocess.Popen[bytes]"

    def let_run(self, clock_ms: int) -> None:
        """Have the clock run on from here after we have ended."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"tick {clock_ms}\n".encode())
        self.process.stdin.close()


@contextmanager
def stage(data: Path, *, keep: bool, told: Told) -> Iterator[Stage]:
    """Everything that runs, taken away at the end unless `keep`, and in any case when the block fails.

    Raises what a start raises: Misconfigured, Unavailable or DeadlineExceeded with the reason.
    """
    data = opened(data)
    with ExitStack() as leaving:
        own_stack = _stack(data, leaving, keep=keep, told=told)
        live = read_settings({}, data=data)
        for left in namespaces_left(live, deadline_s=STEP_S):
            told(f"removing what an earlier demonstration left: {left}")
            _forget(live.model_copy(update={"namespace": left}))
            sweep(live.model_copy(update={"namespace": left}), deadline_s=STEP_S)
        settings = read_settings(
            {},
            data=data,
            namespace=f"{PREFIX}{secrets.token_hex(2)}",
            clock="replay",
            checkpoint_interval_s=CHECKPOINT_S,
            partitions=PARTITIONS,
        )
        leaving.callback(_sweep, settings, told)
        began = time.monotonic()
        topics.ensure(settings, deadline_s=STEP_S)
        migrate(settings.postgres.get_secret_value(), settings.namespace)
        ports = chosen(PORTS, {}, random.SystemRandom())
        process = _company(settings, ports)
        leaving.callback(_end, process)
        told(f"  {'namespace ' + settings.namespace:<22} ready after {time.monotonic() - began:.1f} s")
        leaving.callback(_cancel, settings, told)
        ids = _submit(settings, told)
        _wait_company(settings, ports, process)
        told(f"  {'writers and gateway':<22} ready after {time.monotonic() - began:.1f} s")
        yield Stage(settings, f"http://{LOOPBACK}:{ports['gateway']}", own_stack, process)
        if keep:
            for name, flink_id in ids.items():
                record(data, name, settings, flink_id=flink_id)
            leaving.pop_all()


def authorization(settings: Settings) -> Path:
    """A file for curl's -H @FILE with the header that the gateway wants."""
    assert settings.admin_token is not None
    path = folder(settings.data.expanduser().resolve()) / "authorization"
    write_private(path, f"Authorization: Bearer {settings.admin_token.get_secret_value()}\n")
    return path


def _stack(data: Path, leaving: ExitStack, *, keep: bool, told: Told) -> bool:
    """Start one unless one runs; whether it is ours."""
    if holder_of(data) is not None:
        status = read_status(data)
        if status.phase != "ready":
            raise Misconfigured(f"the stack on {data} is {status.phase}: try again, or stop it with `argus down`")
        told(f"using the stack on {data}")
        return False
    told(f"starting Kafka, Valkey, Postgres and Flink on {data}")
    process, since = launch(data, (), outlives_us=keep)
    leaving.callback(_stop_stack, data, process, told)
    wait_ready(data, process, since=since, deadline_s=START_DEADLINE_S, show=Progress(told))
    return True


def _stop_stack(data: Path, process: "subprocess.Popen[bytes]", told: Told) -> None:
    told("stopping the stack")
    if holder_of(data):
        stop(data, told=told)
    if process.poll() is None:
        process.terminate()
        process.wait(STOP_S)


def _company(settings: Settings, ports: Mapping[str, int]) -> "subprocess.Popen[bytes]":
    """The namespace's own processes; they end when we let go of their standard input."""
    data = settings.data.expanduser().resolve()
    words = [word for name, port in ports.items() for word in (f"--{name}", str(port))]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ARGUS_")}
    with opened_log(opened(folder(data)), "company") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "argus.demo", "--data", data, "--namespace", settings.namespace, *words],
            env=environment, stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()


def _wait_company(settings: Settings, ports: Mapping[str, int], process: "subprocess.Popen[bytes]") -> None:
    ends = time.monotonic() + STEP_S
    for child in company(settings, ports):
        while waits_for := child.probe():
            if process.poll() is not None or time.monotonic() > ends:
                logs = folder(settings.data.expanduser().resolve()) / "log"
                raise DeadlineExceeded(f"{child.name} of {settings.namespace} waits for {waits_for}; see {logs}")
            time.sleep(0.05)


def _submit(settings: Settings, told: Told) -> Mapping[str, str]:
    """All jobs with one client, running; their ids."""
    began = time.monotonic()
    cluster.check(settings.flink)
    done = submit_all(dict.fromkeys(JOBS), settings)
    if done.failure:
        raise done.failure
    for name, flink_id in done.ids.items():
        cluster.wait_running(settings.flink, flink_id, why=why, deadline_s=STEP_S)
        told(f"  {'job ' + name:<22} running after {time.monotonic() - began:.1f} s")
    return done.ids


def _cancel(settings: Settings, told: Told) -> None:
    for name in JOBS:
        try:
            if found := cluster.living(settings.flink, name, settings.namespace):
                cluster.cancel(settings.flink, found.flink_id, deadline_s=STOP_S)
        except Unavailable as gone:
            told(f"job {name} was not cancelled: {gone}")


def _sweep(settings: Settings, told: Told) -> None:
    _forget(settings)
    try:
        sweep(settings, deadline_s=STOP_S)
    except Unavailable as gone:
        told(f"namespace {settings.namespace} was not removed: {gone}; the next demonstration does it")


def _forget(settings: Settings) -> None:
    for name in JOBS:
        forget(settings.data.expanduser().resolve(), name, settings.namespace)
