"""An embedded stack of a measurement's own: in a folder that is removed, leaving nothing running."""

import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from argus.stack.detached import launch, wait_ready
from argus.stack.folder import opened
from argus.stack.status import read_status
from contracts.errors import DeadlineExceeded, Unavailable
from contracts.settings import Settings, read_settings

START_S = 180.0
STOP_S = 90.0


@dataclass(frozen=True)
class Private:
    """A running stack; `data` is its folder."""

    data: Path

    def settings(self, namespace: str = "", **changed: object) -> Settings:
        """Settings that point at it, whatever the environment says."""
        return read_settings({}, data=self.data, namespace=namespace, **changed)

    def pid(self, name: str) -> int:
        """Pid of a child. Raises Unavailable when it does not run."""
        for child in read_status(self.data).children:
            if child.name == name and child.pid is not None:
                return child.pid
        raise Unavailable(f"{name} of the stack on {self.data} does not run")


def memory_mb(pid: int, which: Literal["VmRSS", "VmHWM"]) -> float:
    """Memory of a process that lies in RAM, now or at its peak, in MB. Raises Unavailable when it does not say."""
    found = re.search(rf"^{which}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    if not found:
        raise Unavailable(f"process {pid} does not say its {which}")
    return int(found[1]) / 1024


def reset_peak(pid: int) -> None:
    """Let VmHWM of a process begin anew at what it has now."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


@contextmanager
def private_stack(*jobs: str) -> Iterator[Private]:
    """A stack with these jobs, ready; it ends with the block, and with this process.

    Raises Misconfigured or DeadlineExceeded when it does not start, DeadlineExceeded when it had to be killed.
    """
    data = opened(Path(tempfile.mkdtemp(prefix="argus-bench-")))
    process, since = launch(data, jobs, outlives_us=False)
    try:
        wait_ready(data, process, since=since, deadline_s=START_S, show=lambda _: None)
        yield Private(data)
    finally:
        _stop(process)
        shutil.rmtree(data, ignore_errors=True)


def _stop(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired as late:
        process.kill()  # its children go with it
        process.wait()
        raise DeadlineExceeded(f"the stack did not stop within {STOP_S:.0f} s and was killed") from late
