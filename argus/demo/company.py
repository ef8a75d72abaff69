"""The processes that a demonstration's namespace has for itself: writers and a gateway, beside those of the stack.

`python -m argus.demo` runs them. It ends when its standard input does, unless a line `tick CLOCK_MS` came before: then
it lets the replay's clock run on from there and ends with the stack.
"""

import asyncio
import contextlib
import signal
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from argus.stack.child import Child
from argus.stack.children import ours
from argus.stack.folder import holder_of
from argus.stack.ports import LOOPBACK
from argus.stack.records import forget
from argus.stack.supervisor import Supervisor
from argus.topic_state import partition_counts
from contracts.errors import Unavailable
from contracts.jobs import JOBS
from contracts.settings import Settings
from feature_store.log import producer
from pipelines.replay import go_on_ticking

PORTS = ("online_writer", "history_writer", "gateway")
LOOK_EVERY_S = 0.5
AGAIN_AFTER_S = 1.0
ADMIN_S = 30.0


def company(settings: Settings, ports: Mapping[str, int]) -> tuple[Child, ...]:
    """Online writer, history writer and gateway of the settings' namespace, on these ports."""
    data = settings.data.expanduser().resolve()
    own = {
        "ARGUS_NAMESPACE": settings.namespace,
        "ARGUS_CLOCK": settings.clock,
        "ARGUS_GATEWAY": f"{LOOPBACK}:{ports['gateway']}",
    }
    children = (ours(data, name.replace("_", "-"), ports[name], after=()) for name in PORTS)
    return tuple(replace(child, env={**child.env, **own}) for child in children)


def folder(data: Path) -> Path:
    """Where logs and files of a demonstration lie."""
    return data / "demo"


async def keep(settings: Settings, ports: Mapping[str, int]) -> None:
    """Run the processes until nobody needs them any more."""
    data = settings.data.expanduser().resolve()
    stack = holder_of(data)
    supervisor = Supervisor(folder(data), company(settings, ports), (), lambda: None)
    stop, ticking = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    threading.Thread(target=_listen, args=(settings, loop, stop, ticking), daemon=True).start()
    running = asyncio.create_task(supervisor.run())
    try:
        while not stop.is_set() and not running.done() and holder_of(data) == stack:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), LOOK_EVERY_S)
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
        await supervisor.stop()
        if ticking.is_set():  # the stack has ended: its next start does not bring a demonstration back
            for name in JOBS:
                forget(data, name, settings.namespace)


def _listen(settings: Settings, loop: asyncio.AbstractEventLoop, stop: asyncio.Event, ticking: threading.Event) -> None:
    """Do what standard input says; its end without a word means stop."""
    line = sys.stdin.readline()
    if line.startswith("tick "):
        ticking.set()
        _tick(settings, int(line.removeprefix("tick ")))
    else:
        loop.call_soon_threadsafe(stop.set)


def _tick(settings: Settings, clock_ms: int) -> None:
    """For ever; a broker that is away is waited for."""
    reached = [clock_ms]
    while True:
        try:
            go_on_ticking(
                reached[0],
                producer=producer(settings.kafka),
                partitions=partition_counts(settings, deadline_s=ADMIN_S),
                namespace=settings.namespace,
                clock=time.monotonic,
                sleep=time.sleep,
                on_progress=lambda at_ms: reached.__setitem__(0, at_ms),
            )
        except Unavailable:
            time.sleep(AGAIN_AFTER_S)
