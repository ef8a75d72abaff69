"""`argus faults`: what must hold though something is killed, shown by killing it."""

from typing import Annotated, Literal

import typer

from argus.commands.figures import show, tell


def faults(
    name: Annotated[Literal["velocity", "ingest", "incidents"], typer.Argument(help="whose promises")],
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
    seeds: Annotated[int, typer.Option(min=1, max=100, help="how often each fault is injected")] = 5,
) -> None:
    """Kill each part of a stack of its own while it is at work, and compare with the reference.

    Exit code 1 when a row differs, or when it could not be measured.
    """
    from importlib import import_module

    from contracts.errors import ArgusError

    try:
        measured = import_module(f"benchmarks.faults.{name}").measure(seeds=seeds, told=tell)
    except ArgusError as failed:
        tell(f"argus: faults {name}: {failed}")
        raise typer.Exit(1) from failed
    show(measured, as_json=as_json)
    if measured.figures["violations"]:
        tell(f"argus: faults {name}: {measured.figures['violations']:.0f} rows differ from the reference")
        raise typer.Exit(1)
