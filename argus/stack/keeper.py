"""Keeps the recorded jobs running: a session cluster forgets them with its JobManager, this submits them again."""

import asyncio
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from argus.stack.records import Recorded, forget, newest_checkpoint, read, recorded, write
from argus.stack.rest import get
from argus.stack.status import JobStatus
from argus.submit import Submitted
from contracts.errors import Unavailable
from contracts.settings import Settings

LOOK_EVERY_S = 0.5
BACKOFF_FIRST_S, BACKOFF_MOST_S = 1.0, 30.0
ORPHANED_AFTER_S = 7 * 86_400
"""Checkpoints of jobs that are neither recorded nor running are deleted after this long."""

Submit = Callable[[Mapping[str, str | None], Settings], Submitted]
"""Submits jobs by name, each from a savepoint or retained checkpoint if it has one (argus.submit.submit_all)."""

Why = Callable[[str], str]
"""What Flink gives as the cause of a job's last failure, in a line; empty without one."""

Overview = Callable[[], Mapping[str, Mapping[str, Any]]]
"""What Flink says of each of its jobs, by id. Raises Unavailable."""


@dataclass
class _Attempt:
    """Submissions of one job that went wrong."""

    backoff_s: float = BACKOFF_FIRST_S
    not_before: float = 0.0


class Keeper:
    """Looks at the records and at Flink, and submits what should run and does not."""

    def __init__(
        self,
        data: Path,
        checkpoints: Path,
        stack: Settings,
        *,
        submit: Submit,
        overview: Overview,
        why: Why,
        changed: Callable[[], None],
    ):
        self._data, self._checkpoints, self._stack = data, checkpoints, stack
        self._submit, self._overview, self._why, self._changed = submit, overview, why, changed
        self._attempts: dict[tuple[str, str], _Attempt] = {}
        self.statuses: list[JobStatus] = []
        self.running = asyncio.Event()

    async def run(self) -> None:
        """For ever: look, submit, tidy up."""
        while True:
            try:
                jobs = recorded(self._data)  # before Flink is asked, so that one submitted in between is not missed
                known = await asyncio.to_thread(self._overview)
            except Unavailable:
                self._say([self._status(job, "unknown", "Flink does not answer") for job in recorded(self._data)])
            else:
                await self.look(jobs, known)
            await asyncio.sleep(LOOK_EVERY_S)

    async def look(self, jobs: list[Recorded], known: Mapping[str, Mapping[str, Any]]) -> None:
        """One turn: bring each recorded job back if Flink does not have it, and forget those that were stopped."""
        missing, now = [], []
        for job in jobs:
            flink = known.get(job.flink_ids[-1]) if job.flink_ids else None
            state = "missing" if flink is None else str(flink["state"])
            if state in ("CANCELED", "FINISHED"):  # somebody stopped it at Flink itself
                forget(self._data, job.name, job.namespace)
                continue
            if state in ("missing", "FAILED"):
                missing.append(job)
            elif flink is not None and state == "RUNNING" and flink["tasks"]["running"] < flink["tasks"]["total"]:
                state = "STARTING"
            ails = state in ("FAILED", "FAILING", "RESTARTING")
            reason = await asyncio.to_thread(self._why, job.flink_ids[-1]) if ails else ""
            now.append(self._status(job, state, reason))
            if state == "RUNNING":
                self._attempts.pop((job.namespace, job.name), None)
                self._tidy(job)
        self._say(now)
        await asyncio.gather(*(self._bring_back(together) for together in self._due(missing)))
        self._drop_orphans({flink_id for job in jobs for flink_id in job.flink_ids} | set(known))
        if all(status.state == "RUNNING" for status in now):
            self.running.set()

    def _due(self, missing: list[Recorded]) -> list[list[Recorded]]:
        """Those whose next try is due, together where one client can submit them: where settings are the same."""
        groups: dict[str, list[Recorded]] = {}
        for job in missing:
            attempt = self._attempts.setdefault((job.namespace, job.name), _Attempt())
            if time.monotonic() >= attempt.not_before:
                attempt.not_before = time.monotonic() + attempt.backoff_s
                attempt.backoff_s = min(attempt.backoff_s * 2, BACKOFF_MOST_S)
                groups.setdefault(str(job.settings(self._stack)), []).append(job)
        return list(groups.values())

    async def _bring_back(self, together: list[Recorded]) -> None:
        """Submit them, each from its newest checkpoint."""
        starts: dict[str, str | None] = {}
        for job in together:
            checkpoint = newest_checkpoint(self._checkpoints, job.flink_ids)
            starts[job.name] = str(checkpoint) if checkpoint else job.savepoint
            self._replace(self._status(job, "submitting"))
        done = await asyncio.to_thread(self._submit, starts, together[0].settings(self._stack))
        for job in together:
            if job.name in done.ids:
                job.resubmits += bool(job.flink_ids)
                job.flink_ids.append(done.ids[job.name])
                job.restored_from = starts[job.name] or ""
                write(self._data, job)
                self._replace(self._status(job, "STARTING"))
            else:
                self._replace(self._status(job, "missing", str(done.failure)))

    def _tidy(self, job: Recorded) -> None:
        """Once a job has a checkpoint of its own under its newest id, nothing needs those of the older ids."""
        older = job.flink_ids[:-1]
        if not older or newest_checkpoint(self._checkpoints, job.flink_ids[-1:]) is None:
            return
        if read(self._data, job.name, job.namespace) != job:  # forgotten or replaced meanwhile
            return
        for flink_id in older:
            shutil.rmtree(self._checkpoints / flink_id, ignore_errors=True)
        job.flink_ids = job.flink_ids[-1:]
        write(self._data, job)

    def _drop_orphans(self, needed: set[str]) -> None:
        """Of jobs that nobody recorded, or that were cancelled long ago."""
        for folder in self._checkpoints.glob("*"):
            if folder.name not in needed and time.time() - folder.stat().st_mtime > ORPHANED_AFTER_S:
                shutil.rmtree(folder, ignore_errors=True)

    def _status(self, job: Recorded, state: str, reason: str = "") -> JobStatus:
        return JobStatus(
            name=job.name,
            namespace=job.namespace,
            parallelism=job.parallelism,
            state=state,
            flink_id=job.flink_ids[-1] if job.flink_ids else "",
            restored_from=job.restored_from,
            resubmits=job.resubmits,
            reason=reason,
        )

    def _replace(self, status: JobStatus) -> None:
        self._say([status if (one.namespace, one.name) == (status.namespace, status.name) else one
                   for one in self.statuses])  # fmt: skip

    def _say(self, statuses: list[JobStatus]) -> None:
        if statuses != self.statuses:
            self.statuses = statuses
            self._changed()


def overview(address: str) -> Mapping[str, Mapping[str, Any]]:
    """Flink's jobs by id, those that ended included for as long as it remembers them."""
    return {job["jid"]: job for job in get(address, "/jobs/overview")["jobs"]}


def why(address: str, flink_id: str) -> str:
    """The first line of the exception that a job failed with last."""
    try:
        told = get(address, f"/jobs/{flink_id}/exceptions?maxExceptions=1")
    except Unavailable:
        return ""
    entries = told.get("exceptionHistory", {}).get("entries", [])
    text = entries[0]["stacktrace"] if entries else told.get("root-exception") or ""
    causes = [line for line in text.splitlines() if line.startswith("Caused by: ")]
    return (causes[-1].removeprefix("Caused by: ") if causes else text.split("\n", 1)[0])[:400]
