"""The supervisor: starts children in the order they need each other, restarts those that die, stops them in order."""

import asyncio
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from argus.stack.child import Child, Step
from argus.stack.leftovers import Left, kill_group, remember
from argus.stack.logs import cap, log_path, opened_log, tail
from argus.stack.process import before_exec, start_ticks
from argus.stack.status import ChildStatus
from contracts.errors import ArgusError, DeadlineExceeded, Misconfigured

PROBE_EVERY_S = 0.05
CAP_EVERY_S = 5.0
BACKOFF_FIRST_S, BACKOFF_MOST_S = 0.2, 30.0
STEADY_S = 60.0
"""A child that was ready for so long is restarted without delay when it dies."""


@dataclass
class _Kept:
    """One child and what is known of it."""

    child: Child
    status: ChildStatus
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    process: asyncio.subprocess.Process | None = None


class Supervisor:
    """Keeps `children` alive and does `steps` once; `changed` is called at each change of what `statuses` say."""

    def __init__(self, data: Path, children: Sequence[Child], steps: Sequence[Step], changed: Callable[[], None]):
        self._data = data
        self._kept = {child.name: _Kept(child, ChildStatus(child.name)) for child in children}
        self._steps = {step.name: (step, asyncio.Event(), ChildStatus(step.name)) for step in steps}
        self._changed = changed
        self._stopping = False
        self._started = time.monotonic()
        self._running: set[Left] = set()

    def statuses(self) -> tuple[list[ChildStatus], list[ChildStatus]]:
        """Of the children and of the steps."""
        return [kept.status for kept in self._kept.values()], [status for _, _, status in self._steps.values()]

    async def ready(self, *names: str) -> None:
        """Until the named children are ready and steps done; all of them without a name."""
        for name in names or (*self._kept, *self._steps):
            await self._event(name).wait()

    async def run(self) -> None:
        """Until cancelled, or until a first start fails: raises the ArgusError that says why."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._cap_logs())
            for kept in self._kept.values():
                group.create_task(self._keep(kept))
            for step, done, status in self._steps.values():
                group.create_task(self._do(step, done, status))

    async def stop(self) -> None:
        """Stop the children, the highest stage first; one that takes too long is killed with all it started."""
        self._stopping = True
        for stage in sorted({kept.child.stage for kept in self._kept.values()}, reverse=True):
            await asyncio.gather(*(self._stop(kept) for kept in self._kept.values() if kept.child.stage == stage))

    def _event(self, name: str) -> asyncio.Event:
        return self._kept[name].ready if name in self._kept else self._steps[name][1]

    async def _do(self, step: Step, done: asyncio.Event, status: ChildStatus) -> None:
        for name in step.after:
            await self._event(name).wait()
        self._say(status, state="starting")
        await asyncio.to_thread(step.run)
        done.set()
        self._say(status, state="ready", ready_s=time.monotonic() - self._started)

    async def _keep(self, kept: _Kept) -> None:
        """Start the child and start it again, for ever; until it was ready once, its deadline ends the whole start."""
        child, status = kept.child, kept.status
        for name in child.after:
            await self._event(name).wait()
        backoff_s, was_ready = BACKOFF_FIRST_S, False
        first_deadline = time.monotonic() + child.ready_within_s
        while True:
            begun = time.monotonic()
            self._say(status, state="starting")
            if child.prepare:
                await asyncio.to_thread(child.prepare)
            log_from = (
                log_path(self._data, child.name).stat().st_size if log_path(self._data, child.name).exists() else 0
            )
            process = await self._spawn(kept)
            deadline = begun + child.ready_within_s if was_ready else first_deadline
            if await self._becomes_ready(kept, process, deadline):
                if not was_ready:
                    status.reason = ""  # later it goes on telling why the child was started again
                self._say(status, state="ready", ready_s=time.monotonic() - (begun if was_ready else self._started))
                was_ready, ready_since = True, time.monotonic()
                kept.ready.set()
                code = await process.wait()
                kept.ready.clear()
                backoff_s = BACKOFF_FIRST_S if time.monotonic() - ready_since > STEADY_S else backoff_s
            else:
                code = await self._give_up_on(process)
            kill_group(process.pid)  # what it started must not outlive it
            reason = f"{_ending(code)}; {tail(log_path(self._data, child.name), since=log_from)}"
            if not was_ready and time.monotonic() + backoff_s > first_deadline:
                raise DeadlineExceeded(
                    f"{child.name} was not ready within {child.ready_within_s:.0f} s ({status.reason or reason}); "
                    f"see {log_path(self._data, child.name)}"
                )
            for name in child.drags_down:
                self._kill(name)
            status.restarts += 1
            self._say(status, state="restarting", reason=reason, pid=None)
            await asyncio.sleep(backoff_s)
            backoff_s = min(backoff_s * 2, BACKOFF_MOST_S)

    async def _spawn(self, kept: _Kept) -> asyncio.subprocess.Process:
        child = kept.child
        with opened_log(self._data, child.name) as log:
            try:
                # on the loop's thread, the main one: the parent-death signal follows the thread that spawned
                kept.process = await asyncio.create_subprocess_exec(
                    *child.command,
                    cwd=child.cwd,
                    env=dict(child.env) or None,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                    preexec_fn=before_exec(child.stop_signal, child.account),
                    **child.account.popen(),  # type: ignore[arg-type]
                )
            except OSError as failed:
                raise Misconfigured(f"{child.name} cannot be started: {failed}") from failed
        pid = kept.process.pid
        kept.status.pid = pid
        self._running = {left for left in self._running if left.name != child.name}
        self._running.add(Left(child.name, pid, start_ticks(pid) or 0, child.stop_signal))
        remember(self._data, sorted(self._running, key=lambda left: left.name))
        return kept.process

    async def _becomes_ready(self, kept: _Kept, process: asyncio.subprocess.Process, deadline: float) -> bool:
        while process.returncode is None:
            waits_for = await asyncio.to_thread(kept.child.probe)
            if process.returncode is not None:
                return False
            if waits_for is None:
                return True
            if waits_for != kept.status.reason and not kept.status.restarts:
                self._say(kept.status, reason=f"waits for {waits_for}")
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(PROBE_EVERY_S)
        return False

    async def _give_up_on(self, process: asyncio.subprocess.Process) -> int:
        if process.returncode is None:
            kill_group(process.pid)
        return await process.wait()

    def _kill(self, name: str) -> None:
        process = self._kept[name].process
        if process and process.returncode is None:
            kill_group(process.pid)

    async def _stop(self, kept: _Kept) -> None:
        process = kept.process
        if process and process.returncode is None:
            process.send_signal(kept.child.stop_signal)
            try:
                await asyncio.wait_for(process.wait(), kept.child.stops_within_s)
            except TimeoutError:
                kill_group(process.pid)
                await process.wait()
            kill_group(process.pid)
        self._say(kept.status, state="stopped", pid=None)

    async def _cap_logs(self) -> None:
        while True:
            for name in self._kept:
                cap(log_path(self._data, name))
            await asyncio.sleep(CAP_EVERY_S)

    def _say(self, status: ChildStatus, **change: object) -> None:
        for name, value in change.items():
            setattr(status, name, value)
        self._changed()


def _ending(code: int) -> str:
    if code >= 0:
        return f"exited with {code}"
    return f"killed by {signal.Signals(-code).name}"


def first_told(group: BaseExceptionGroup) -> ArgusError | None:
    """The error for a person in what a task group raised; None if there is a bug among them."""
    told, bugs = group.split(ArgusError)
    first: BaseException | None = told
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    return first if isinstance(first, ArgusError) and bugs is None else None
