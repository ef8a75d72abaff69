"""A stack in the background: started, waited for, stopped from another process."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from argus.stack.folder import holder_of, opened
from argus.stack.leftovers import left, reap
from argus.stack.logs import log_path, opened_log, tail
from argus.stack.process import before_exec
from argus.stack.serve import START_DEADLINE_S
from argus.stack.status import Status, read_status
from contracts.errors import DeadlineExceeded, Misconfigured

POLL_S = 0.1
STOP_DEADLINE_S = 90.0
SUPERVISOR = "supervisor"


def start(
    data: Path, *, jobs: tuple[str, ...], show: Callable[[Status], None], deadline_s: float = START_DEADLINE_S
) -> None:
    """Start a supervisor that outlives us and return when everything is ready.

    Raises Misconfigured with its reason when it gave up, DeadlineExceeded (and stops it) after `deadline_s` seconds.
    """
    data = opened(data)
    if holder := holder_of(data):
        raise Misconfigured(
            f"a stack runs on {data} already (supervisor pid {holder}); `argus status` shows it, `argus down` stops it"
        )
    process, since = launch(data, jobs, outlives_us=True)
    wait_ready(data, process, since=since, deadline_s=deadline_s, show=show)


def launch(data: Path, jobs: tuple[str, ...], *, outlives_us: bool) -> "tuple[subprocess.Popen[bytes], int]":
    """Start a supervisor on an opened folder, with its log there; returns it and where its log begins.

    One that does not outlive us is told to stop when we die, however we do.
    """
    with opened_log(data, SUPERVISOR) as log:
        since = log.tell()
        process = subprocess.Popen(
            command(data, jobs),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            preexec_fn=None if outlives_us else before_exec(signal.SIGTERM),
        )
    return process, since


def command(data: Path, jobs: tuple[str, ...]) -> list[str]:
    """The command line of a supervisor."""
    chosen = [part for job in jobs for part in ("--job", job)] or ["--no-jobs"]
    return [sys.executable, "-m", "argus", "up", "--data", str(data), *chosen]


def wait_ready(
    data: Path, process: "subprocess.Popen[bytes]", *, since: int, deadline_s: float, show: Callable[[Status], None]
) -> None:
    """Until the supervisor just started says ready; `since` is where its log began."""
    ends = time.monotonic() + deadline_s
    while True:
        status = read_status(data)
        if status.pid == process.pid:
            show(status)
            if status.phase == "ready":
                return
        if process.poll() is not None:
            status = read_status(data)
            failed = status.pid == process.pid and status.phase == "failed"
            told = status.reason if failed else tail(log_path(data, SUPERVISOR), since=since).removeprefix("argus: ")
            raise Misconfigured(f"the stack did not start: {told}")
        if time.monotonic() > ends:
            waiting = [f"{one.name} ({one.reason or one.state})" for one in status.unready()]
            process.terminate()
            raise DeadlineExceeded(f"not ready within {deadline_s:.0f} s: {', '.join(waiting) or 'the supervisor'}")
        time.sleep(POLL_S)


def stop(data: Path, *, told: Callable[[str], None], deadline_s: float = STOP_DEADLINE_S) -> str:
    """Stop the stack of the folder and return what was done, in words.

    Raises DeadlineExceeded, naming the supervisor, when it has not ended after `deadline_s` seconds.
    """
    pid = holder_of(data)
    if not pid:
        reaped = reap(data, told=told) if left(data) else []
        return f"nothing runs on {data}" + (f"; stopped what was left over: {', '.join(reaped)}" if reaped else "")
    os.kill(pid, signal.SIGTERM)
    ends = time.monotonic() + deadline_s
    while holder_of(data) == pid:
        if time.monotonic() > ends:
            raise DeadlineExceeded(
                f"the supervisor (pid {pid}) has not stopped within {deadline_s:.0f} s; see "
                f"{log_path(data, SUPERVISOR)}, or kill -9 {pid}: its children go with it"
            )
        time.sleep(POLL_S)
    return f"stopped the stack on {data}"
