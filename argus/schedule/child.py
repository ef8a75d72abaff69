"""A job in a process of its own: what it takes of memory and time is gone with it, and it can be ended at any instant.

`python -m argus.schedule.child JOB INSTANT` runs the job as of the instant and prints what it did as JSON.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
from msgspec import Struct

from argus.stack.process import before_exec
from contracts.errors import ArgusError, DeadlineExceeded, Unavailable
from contracts.settings import Settings

LIMIT_S = 3 * 3600.0
ENDS_S, LOOK_S = 3.0, 0.1


def run_in_child(
    job: str, now: datetime, stop: threading.Event, *, environ: Mapping[str, str], beat: Callable[[], None]
) -> bytes | None:
    """What the job did, as JSON; None when it was ended by `stop`. `beat` is called while it runs.

    Raises Unavailable when it fails, DeadlineExceeded when it takes hours. Its log lines go to our standard error.
    """
    with TemporaryDirectory(prefix="argus-schedule-") as scratch:  # who is killed leaves nothing there
        return _watched(_started(job, now, {**environ, "TMPDIR": scratch}), job, stop, beat)


def _started(job: str, now: datetime, environ: Mapping[str, str]) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-m", "argus.schedule.child", job, now.isoformat()],
        env=environ, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, start_new_session=True,
        preexec_fn=before_exec(signal.SIGKILL),
    )  # fmt: skip


def _watched(
    process: "subprocess.Popen[bytes]", job: str, stop: threading.Event, beat: Callable[[], None]
) -> bytes | None:
    told: list[bytes] = []
    reader = threading.Thread(target=_read, args=(process, told), daemon=True)
    reader.start()
    ends = time.monotonic() + LIMIT_S
    try:
        while process.poll() is None:
            beat()
            if stop.is_set():
                return None
            if time.monotonic() > ends:
                raise DeadlineExceeded(f"{job} was ended after {LIMIT_S / 3600:g} h")
            stop.wait(LOOK_S)
    finally:
        _end(process)
        reader.join(ENDS_S)
    if process.returncode:
        raise Unavailable(f"{job} ended with exit code {process.returncode}; its lines in the log say why")
    if not told:
        raise Unavailable(f"{job} ended and its answer was not read within {ENDS_S:g} s")
    return told[0]


def _read(process: "subprocess.Popen[bytes]", told: list[bytes]) -> None:
    """All that it prints, so that it never waits for a reader."""
    if process.stdout is not None:
        with process.stdout as printed:
            told.append(printed.read())


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End it with all that it started: Prophet's fits are programs of their own."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(ENDS_S)
            return


def _jobs() -> dict[str, Callable[[Settings, datetime], Struct]]:
    from argus.seasonality import seasonality

    return {"seasonality": seasonality}


def main(job: str, now: str) -> None:
    """Run one job; exit code 1 with a line in the log when it fails."""
    import structlog

    from argus.process import started
    from contracts.settings import read_settings

    settings = read_settings()
    started(settings.log_format)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever started us decides
    try:
        did: Any = _jobs()[job](settings, datetime.fromisoformat(now))
    except ArgusError as failed:
        structlog.get_logger().error("scheduled job failed", job=job, reason=str(failed))
        sys.exit(1)
    print(msgspec.json.encode(did).decode())


if __name__ == "__main__":
    main(*sys.argv[1:3])
