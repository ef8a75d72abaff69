"""The jobs that an embedded cluster has to run: one file each, so that they outlive JobManager and supervisor."""

from pathlib import Path
from typing import Literal

import msgspec

from argus.stack.folder import write_private
from contracts.settings import Settings


class Recorded(msgspec.Struct):
    """One job as it was submitted; `flink_ids` are the ids it has had, the newest last."""

    name: str
    namespace: str = ""
    clock: Literal["life", "replay"] = "life"
    parallelism: int = 1
    checkpoint_interval_s: float = 5
    mini_batch_ms: int = 250
    flink_ids: list[str] = []
    savepoint: str | None = None  # what it was first started from; its own checkpoints go before it
    restored_from: str = ""  # what its newest id was started from
    resubmits: int = 0

    def settings(self, stack: Settings) -> Settings:
        """The stack's settings as this job was given them."""
        return stack.model_copy(
            update={
                "namespace": self.namespace,
                "clock": self.clock,
                "parallelism": self.parallelism,
                "checkpoint_interval_s": self.checkpoint_interval_s,
                "mini_batch_ms": self.mini_batch_ms,
            }
        )


_RECORDED = msgspec.json.Decoder(Recorded)


def record(data: Path, name: str, settings: Settings, *, flink_id: str = "", savepoint: str | None = None) -> Recorded:
    """Note a job so that the supervisor keeps it running; without an id it submits it as soon as it can.

    To be called by whoever has submitted a job to the embedded cluster. It replaces the record of an earlier run of
    the same name: that one's checkpoints are not looked at any more.
    """
    job = Recorded(
        name=name,
        namespace=settings.namespace,
        clock=settings.clock,
        parallelism=settings.parallelism,
        checkpoint_interval_s=settings.checkpoint_interval_s,
        mini_batch_ms=settings.mini_batch_ms,
        flink_ids=[flink_id] if flink_id else [],
        savepoint=savepoint,
        restored_from=savepoint or "",
    )
    write(data, job)
    return job


def write(data: Path, job: Recorded) -> None:
    """Keep it, whole or not at all."""
    write_private(_path(data, job.name, job.namespace), msgspec.json.encode(job))


def forget(data: Path, name: str, namespace: str) -> None:
    """The job was stopped on purpose; the supervisor leaves it alone. To be called before it is stopped."""
    _path(data, name, namespace).unlink(missing_ok=True)


def read(data: Path, name: str, namespace: str) -> Recorded | None:
    """The record of one job, None without one."""
    try:
        return _RECORDED.decode(_path(data, name, namespace).read_bytes())
    except FileNotFoundError:
        return None


def recorded(data: Path) -> list[Recorded]:
    """All records, in a steady order."""
    found = []
    for path in sorted((data / "jobs").glob("*.json")):
        try:
            found.append(_RECORDED.decode(path.read_bytes()))
        except FileNotFoundError:  # forgotten meanwhile
            continue
    return found


def _path(data: Path, name: str, namespace: str) -> Path:
    return data / "jobs" / f"{namespace}.{name}.json"  # a namespace has no dot


def newest_checkpoint(checkpoints: Path, flink_ids: list[str]) -> Path | None:
    """The newest complete checkpoint of the newest id that has one. Complete means that `_metadata` is there."""
    for flink_id in reversed(flink_ids):
        complete = [path.parent for path in (checkpoints / flink_id).glob("chk-*/_metadata")]
        if complete:
            return max(complete, key=lambda path: int(path.name.removeprefix("chk-")))
    return None
