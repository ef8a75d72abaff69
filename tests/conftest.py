"""What tests share: the embedded stack, started once per session for those that ask for it."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import hypothesis
import pytest

from argus.stack.detached import SUPERVISOR, launch, wait_ready
from argus.stack.folder import opened
from argus.stack.status import ChildStatus, Status, read_status
from contracts.settings import Settings, read_settings

# the same examples each time; `make fuzz` looks for new ones
hypothesis.settings.register_profile("seeded", derandomize=True, deadline=None)
hypothesis.settings.register_profile("fuzz", max_examples=1_000, deadline=None, print_blob=True)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "seeded"))

# whoever runs the tests in the background has their interrupts ignored, which the commands under test would inherit
signal.signal(signal.SIGINT, signal.default_int_handler)

START_S = 180.0
STOP_S = 90.0


@dataclass
class Stack:
    """A running embedded stack; `data` is its folder."""

    data: Path
    process: "subprocess.Popen[bytes]"

    def settings(self, namespace: str = "", clock: Literal["life", "replay"] = "life", **changed: object) -> Settings:
        """Settings that point at this stack, for a namespace of the test's own."""
        return read_settings({}, data=self.data, namespace=namespace, clock=clock, **changed)

    def environment(self, namespace: str = "", clock: str = "life") -> dict[str, str]:
        """The same as settings(), for a command run as a process."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith("ARGUS_")}
        return kept | {"ARGUS_DATA": str(self.data), "ARGUS_NAMESPACE": namespace, "ARGUS_CLOCK": clock}

    def status(self) -> Status:
        """What the supervisor says."""
        return read_status(self.data)

    def child(self, name: str) -> ChildStatus:
        """What the supervisor says of one child."""
        return next(one for one in self.status().children if one.name == name)

    def pid(self, name: str) -> int:
        """Pid of a child, or of the supervisor."""
        if name == SUPERVISOR:
            return self.process.pid
        pid = self.child(name).pid
        assert pid is not None, f"{name} does not run"
        return pid

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal to a child; with SIGKILL, return once the supervisor has seen it die (10 s at most)."""
        before = self.child(name).restarts
        os.kill(self.pid(name), number)
        ends = time.monotonic() + 10
        while number == signal.SIGKILL and self.child(name).restarts == before:
            assert time.monotonic() < ends, f"the supervisor does not see that {name} died"
            time.sleep(0.02)

    def wait_ready(self, deadline_s: float = 60.0) -> None:
        """Until every child is ready and every recorded job runs; AssertionError says what is missing."""
        ends = time.monotonic() + deadline_s
        while not (status := self.status()).healthy():
            assert self.process.poll() is None, "the supervisor has ended"
            assert time.monotonic() < ends, f"not ready within {deadline_s} s: {status}"
            time.sleep(0.05)


def start_stack(data: Path, *jobs: str) -> Stack:
    """Start a stack that ends with this process and wait until it is ready."""
    data = opened(data)
    process, since = launch(data, jobs, outlives_us=False)
    wait_ready(data, process, since=since, deadline_s=START_S, show=lambda _: None)
    return Stack(data, process)


def stop_stack(stack: Stack) -> None:
    """Stop it in order and wait until the supervisor has ended."""
    stack.process.terminate()
    stack.process.wait(STOP_S)


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """The embedded stack without jobs, in a folder of its own below /tmp, which nobody needs to enter as root."""
    data = Path(tempfile.mkdtemp(prefix="argus-stack-"))
    running = start_stack(data)
    try:
        yield running
    finally:
        stop_stack(running)
        shutil.rmtree(data)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Recordings that lie beside the repository; a machine without them skips what needs them."""
    folder = Path(__file__).parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no recordings at {folder}")
    return folder
