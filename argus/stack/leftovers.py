"""Children that outlived a supervisor: found by pid and start time, asked to stop, then made to."""

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import msgspec

from argus.stack.process import start_ticks


class Left(msgspec.Struct, frozen=True):
    """One child as it was started; `pid` and `ticks` together are an identity."""

    name: str
    pid: int
    ticks: int
    stop_signal: int

    def alive(self) -> bool:
        """Whether this very process still runs, not another with its pid."""
        return start_ticks(self.pid) == self.ticks


_LEFT = msgspec.json.Decoder(list[Left])


def remember(data: Path, children: list[Left]) -> None:
    """Note who runs, for whoever comes after a kill -9."""
    fresh = data / ".pids.json"
    fresh.write_bytes(msgspec.json.encode(children))
    fresh.replace(data / "pids.json")


def left(data: Path) -> list[Left]:
    """Those of the noted children that still run. A half-written note counts as none."""
    try:
        noted = _LEFT.decode((data / "pids.json").read_bytes())
    except (FileNotFoundError, msgspec.DecodeError):
        return []
    return [child for child in noted if child.alive()]


def reap(data: Path, *, grace_s: float = 20.0, told: Callable[[str], None] = lambda _: None) -> list[str]:
    """Stop what is left of an earlier stack and return the names; after `grace_s` seconds they are killed."""
    found = left(data)
    for child in found:
        told(f"stopping {child.name} (pid {child.pid}), left over from an earlier supervisor")
        _signal(child.pid, child.stop_signal)
    ends = time.monotonic() + grace_s
    while (still := [child for child in found if child.alive()]) and time.monotonic() < ends:
        time.sleep(0.05)
    for child in still:
        kill_group(child.pid)
    (data / "pids.json").unlink(missing_ok=True)
    return [child.name for child in found]


def kill_group(pid: int) -> None:
    """SIGKILL a child and what it started; each child leads its own group."""
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)


def _signal(pid: int, number: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)
