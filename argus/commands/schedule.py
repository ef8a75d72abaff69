"""`argus schedule`: what must happen at a time of the day."""

import sys
from typing import Annotated

import typer


def schedule(
    once: Annotated[str | None, typer.Option(metavar="JOB", help="run this job now, and end: seasonality")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="with --once: print JSON")] = False,
) -> None:
    """Run every daily job at its time, until stopped: seasonality at ARGUS_SEASONALITY_AT.

    A night that was missed runs once at the start. With --once: exit code 1 when it was broken off.
    """
    import os
    from datetime import UTC, datetime
    from functools import partial

    from argus.process import started
    from argus.schedule.child import run_in_child
    from argus.schedule.turn import once as run_once
    from argus.schedule.turn import schedule as run
    from contracts.settings import read_settings

    settings = read_settings()
    stop = started(settings.log_format)
    in_child, now = partial(run_in_child, environ=os.environ), partial(datetime.now, UTC)
    if once is None:
        run(settings, stop, now, in_child)
        return
    did = run_once(settings, once, stop, now, in_child)
    if did is None:
        print(f"argus: {once} was broken off", file=sys.stderr)
        raise typer.Exit(1)
    if as_json:
        print(did.decode().strip())
    else:
        _show(did)


def _show(did: bytes) -> None:
    """Projects fitted, then those left out and why."""
    import msgspec
    from rich.console import Console
    from rich.table import Table

    told = msgspec.json.decode(did)
    table = Table("project", "zone", "error/h", "week before/h", "left out", box=None)
    for one in told["fitted"]:
        table.add_row(one["project"], one["zone"], f"{one['error']:g}", f"{one['week_before']:g}", "")
    for project, reason in told["left_out"].items():
        table.add_row(project, "", "", "", reason)
    console = Console(highlight=False)
    console.print(table)
    console.print(f"{len(told['fitted'])} fitted, {len(told['left_out'])} left out")
