"""A stack's status as tables for a person."""

import sys

from rich.console import Console
from rich.table import Table

from argus.stack.process import memory_mb
from argus.stack.status import Status

_COLOURS = {"ready": "green", "RUNNING": "green", "restarting": "red", "FAILED": "red"}


def shown(status: Status, console: Console | None = None) -> None:
    """Print it."""
    console = console or Console(width=None if sys.stdout.isatty() else 200)
    console.print(f"{status.phase}  {status.data}" + (f"  {status.reason}" if status.reason else ""), highlight=False)
    children = Table("child", "state", "pid", "MB", "restarts", "why", box=None, pad_edge=False)
    for one in status.children:
        memory = f"{memory_mb(one.pid)[1]:.0f}" if one.pid else ""
        state = f"[{_COLOURS.get(one.state, 'yellow')}]{one.state}[/]"
        children.add_row(one.name, state, str(one.pid or ""), memory, str(one.restarts), one.reason)
    console.print(children)
    if status.jobs:
        jobs = Table("job", "namespace", "state", "id", "resubmitted", "why", box=None, pad_edge=False)
        for job in status.jobs:
            state = f"[{_COLOURS.get(job.state, 'yellow')}]{job.state}[/]"
            jobs.add_row(job.name, job.namespace, state, job.flink_id, str(job.resubmits), job.reason)
        console.print(jobs)
    for name, address in status.addresses.items():
        console.print(f"{name:<10} {address}", highlight=False)
