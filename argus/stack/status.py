"""What a stack says about itself: written by the supervisor at every change, read by everybody else."""

from pathlib import Path
from typing import Literal

import msgspec

from argus.stack.folder import holder_of, write_private

State = Literal["waiting", "starting", "ready", "restarting", "stopped"]


class ChildStatus(msgspec.Struct):
    """One child; `reason` is why it died or is not ready yet, with its last log lines."""

    name: str
    state: State = "waiting"
    pid: int | None = None
    restarts: int = 0
    ready_s: float | None = None  # seconds from the start of the stack (of the child, after a restart)
    reason: str = ""


class JobStatus(msgspec.Struct):
    """One recorded job; `state` is Flink's word, or `submitting`, `stopped`, `unknown`."""

    name: str
    namespace: str
    parallelism: int = 1
    state: str = "unknown"
    flink_id: str = ""
    restored_from: str = ""
    resubmits: int = 0
    reason: str = ""


class Status(msgspec.Struct):
    """The whole; `addresses` hold no secret."""

    phase: Literal["starting", "ready", "stopping", "stopped", "failed"] = "stopped"
    pid: int = 0
    data: str = ""
    started_ms: int = 0
    ready_s: float | None = None
    reason: str = ""
    addresses: dict[str, str] = {}
    children: list[ChildStatus] = []
    steps: list[ChildStatus] = []
    jobs: list[JobStatus] = []

    def unready(self) -> list[ChildStatus | JobStatus]:
        """Whatever does not run or answer."""
        waiting: list[ChildStatus | JobStatus] = [one for one in (*self.children, *self.steps) if one.state != "ready"]
        return waiting + [job for job in self.jobs if job.state not in ("RUNNING", "stopped")]

    def healthy(self) -> bool:
        """Everything runs and answers."""
        return self.phase == "ready" and not self.unready()


_STATUS = msgspec.json.Decoder(Status)


def write_status(data: Path, status: Status) -> None:
    """Whole or not at all, so that a reader never sees half of it."""
    write_private(data / "status.json", msgspec.json.encode(status))


def read_status(data: Path) -> Status:
    """What the supervisor wrote last; one that nobody holds the folder for is `stopped` (`failed` stays)."""
    try:
        status = _STATUS.decode((data / "status.json").read_bytes())
    except (FileNotFoundError, msgspec.DecodeError):
        return Status(data=str(data))
    if holder_of(data) != status.pid and status.phase != "failed":
        status.phase = "stopped"
        for child in status.children:
            child.state, child.pid = "stopped", None
        for job in status.jobs:
            job.state = "stopped"
    return status
