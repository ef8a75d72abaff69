"""Starting and stopping a job by name, on any cluster; on the embedded one its supervisor is told."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from argus import cluster
from argus.stack import records
from argus.stack.folder import holder_of
from argus.stack.keeper import why
from argus.stack.status import read_status
from contracts.errors import Misconfigured, NotRunning, Unavailable
from contracts.jobs import Job
from contracts.settings import Settings

Submit = Callable[[Job, Settings, str | None], str]
"""(job, settings, savepoint) -> Flink's id; argus.submit.submit."""

LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class Started:
    """A job that runs: Flink's id ("" while a supervisor is about to submit it), and whether it was there before."""

    flink_id: str
    was_there: bool
    is_kept: bool


def embedded(settings: Settings) -> Path | None:
    """The data folder, when the stack that runs on it is the cluster of the settings; else None."""
    data = settings.data.expanduser().resolve()
    if holder_of(data) is None:
        return None
    return data if _place(read_status(data).addresses.get("flink", "")) == _place(settings.flink) else None


def start(
    job: Job,
    settings: Settings,
    *,
    savepoint: str | None,
    if_absent: bool,
    submit: Submit,
    deadline_s: float,
) -> Started:
    """Submit a job and return once all its tasks run; an embedded stack's supervisor then keeps it running.

    Raises Misconfigured when it is there already (unless `if_absent`) or the cluster cannot run it, Unavailable or
    DeadlineExceeded when it does not come up; it is then taken back, so that nothing half started is left.
    """
    data = embedded(settings)
    if there := _there(job, settings, data):
        if if_absent:
            return there
        option = f" --namespace {settings.namespace}" if settings.namespace else ""
        raise Misconfigured(
            f"{job.group(settings.namespace)} is on {settings.flink} already ({there.flink_id or 'about to start'}): "
            f"stop it with `argus stop {job.name}{option}`, or accept it with --if-absent"
        )
    cluster.check(settings.flink)
    flink_id = submit(job, settings, savepoint)
    try:
        cluster.wait_running(settings.flink, flink_id, why=why, deadline_s=deadline_s)
    except Unavailable:
        _take_back(settings.flink, flink_id, deadline_s)
        raise
    if data:
        records.record(data, job.name, settings, flink_id=flink_id, savepoint=savepoint)
    return Started(flink_id, was_there=False, is_kept=data is not None)


def stop(job: Job, settings: Settings, *, folder: str | None, with_savepoint: bool, deadline_s: float) -> str:
    """Stop a job, with a savepoint unless told otherwise; returns the savepoint's path, "" without one.

    A supervisor forgets it first, and is told again when the job could not be stopped. Raises NotRunning when there is
    no such job, Unavailable or DeadlineExceeded when it does not stop.
    """
    data = embedded(settings)
    kept = records.read(data, job.name, settings.namespace) if data else None
    found = cluster.living(settings.flink, job.name, settings.namespace)
    if found is None and kept is None:
        raise NotRunning(
            f"no {job.group(settings.namespace)} runs on {settings.flink}; `argus jobs` lists those that do"
        )
    if data:
        records.forget(data, job.name, settings.namespace)
    if found is None:
        return ""
    try:
        if with_savepoint:
            return cluster.stop(settings.flink, found.flink_id, folder=folder, deadline_s=deadline_s)
        cluster.cancel(settings.flink, found.flink_id, deadline_s=deadline_s)
        return ""
    except Unavailable:
        if data and kept:
            records.write(data, kept)
        raise


def _there(job: Job, settings: Settings, data: Path | None) -> Started | None:
    """The job as it is there: on the cluster, or recorded, so that a supervisor is about to submit it."""
    kept = records.read(data, job.name, settings.namespace) if data else None
    found = cluster.living(settings.flink, job.name, settings.namespace)
    if found:
        return Started(found.flink_id, was_there=True, is_kept=kept is not None)
    return Started("", was_there=True, is_kept=True) if kept else None


def _take_back(address: str, flink_id: str, deadline_s: float) -> None:
    try:
        cluster.cancel(address, flink_id, deadline_s=deadline_s)
    except Unavailable:
        return  # it has ended, or the cluster is gone: what went wrong before is what is told


def _place(address: str) -> tuple[str, int | None]:
    """Host and port, all names of this machine's loopback alike."""
    parts = urlsplit(address)
    return ("127.0.0.1" if parts.hostname in LOOPBACK else str(parts.hostname), parts.port)
