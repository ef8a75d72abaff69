"""One embedded stack from start to stop, in the foreground."""

import asyncio
import os
import random
import signal
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from prometheus_client import CollectorRegistry

from argus.stack import children, jars
from argus.stack.flink import checkpoints
from argus.stack.folder import lock, opened, read_known, write_known, write_private
from argus.stack.keeper import Keeper, Submit, overview, why
from argus.stack.leftovers import reap
from argus.stack.measures import Measures
from argus.stack.ports import LOOPBACK, chosen
from argus.stack.process import unprivileged
from argus.stack.records import read, record
from argus.stack.status import Status, write_status
from argus.stack.supervisor import Supervisor, first_told
from contracts.errors import ArgusError, Misconfigured
from contracts.settings import Settings, read_settings
from feature_store.probe import probe

START_DEADLINE_S = 180.0
"""For everything together; each child has its own, shorter one."""

Show = Callable[[Status], None]


def serve(data: Path, *, jobs: tuple[str, ...], submit: Submit, show: Show, told: Callable[[str], None]) -> None:
    """Run the stack until SIGINT, SIGTERM or SIGHUP. Call it on the main thread: children die with that thread.

    `jobs` are submitted unless they are recorded; those that are recorded ran before, and come back. Raises
    Misconfigured when it must not start, and DeadlineExceeded when something does not become ready.
    """
    data = opened(data)
    with lock(data):
        if missing := jars.wrong(jars.locked()):
            raise Misconfigured(f"{len(missing)} jars are missing or damaged ({missing[0].path}); run `argus jars`")
        status = Status(phase="starting", pid=os.getpid(), data=str(data), started_ms=round(time.time() * 1000))
        write_status(data, status)
        reap(data, told=told)
        settings = _prepare(data)
        status.addresses = {"kafka": settings.kafka, "flink": settings.flink, "gateway": f"http://{settings.gateway}"}
        for name in jobs:
            if read(data, name, settings.namespace) is None:
                record(data, name, settings)
        asyncio.run(_serve(data, settings, status, submit, show))


def _prepare(data: Path) -> Settings:
    """Choose ports, make secrets, write argus.env."""
    known = read_known(data)
    known.ports |= chosen(children.PORTS, known.ports, random.SystemRandom())
    for name in children.SECRETS:
        known.secret(name)
    write_known(data, known)
    lines = (f"{key}='{value}'\n" for key, value in children.addresses(known).items())
    write_private(
        data / "argus.env", "# written by `argus up`; read by every argus command in this folder\n" + "".join(lines)
    )
    return read_settings(children.environment(data), data=data, namespace="", clock="life")


async def _serve(data: Path, settings: Settings, status: Status, submit: Submit, show: Show) -> None:
    def changed() -> None:
        status.children, status.steps = supervisor.statuses()
        status.jobs = keeper.statuses
        write_status(data, status)
        measures.update(status)
        show(status)

    registry = CollectorRegistry()
    measures = Measures(registry)
    known = read_known(data)
    status.addresses["supervisor"] = f"http://{LOOPBACK}:{known.ports['supervisor']}"
    table = children.table(data, known, settings, unprivileged())
    supervisor = Supervisor(data, table.children, table.steps, changed)
    keeper = Keeper(
        data,
        checkpoints(data),
        settings,
        submit=submit,
        overview=partial(overview, settings.flink),
        why=partial(why, settings.flink),
        changed=changed,
    )
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop.set)
    with probe(known.ports["supervisor"], registry, healthy=measures.healthy, ready=measures.ready):
        await _until(stop, supervisor, keeper, status, changed)
    (data / "pids.json").unlink(missing_ok=True)


async def _until(
    stop: asyncio.Event, supervisor: Supervisor, keeper: Keeper, status: Status, changed: Callable[[], None]
) -> None:
    """Run until `stop` or a failure, then stop the children. Raises the ArgusError of a failed start."""
    begun = time.monotonic()
    running = asyncio.create_task(_run(supervisor, keeper))
    ready = asyncio.create_task(_ready(supervisor, keeper))
    stopped = asyncio.create_task(stop.wait())
    failure: ArgusError | None = None
    try:
        await asyncio.wait({running, ready, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if ready.done():
            status.phase, status.ready_s = "ready", time.monotonic() - begun
            changed()
            await asyncio.wait({running, stopped}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (running, ready, stopped):
            task.cancel()
        try:
            await running
        except asyncio.CancelledError:
            pass
        except BaseExceptionGroup as group:
            failure = first_told(group)
            if failure is None:
                raise
        finally:
            status.phase = "stopping"
            changed()
            await supervisor.stop()
            status.phase, status.reason = ("failed", str(failure)) if failure else ("stopped", "")
            changed()
    if failure:
        raise failure


async def _run(supervisor: Supervisor, keeper: Keeper) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(supervisor.run())
        await supervisor.ready(*children.JOBS_NEED)
        group.create_task(keeper.run())


async def _ready(supervisor: Supervisor, keeper: Keeper) -> None:
    await supervisor.ready()
    await keeper.running.wait()
