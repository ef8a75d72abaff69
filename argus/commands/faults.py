"""`argus faults`: what must hold though something is killed, shown by killing it."""

import sys
from typing import Annotated, Literal

import typer


def faults(
    name: Annotated[Literal["velocity", "ingest"], typer.Argument(help="whose promises")],
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
    seeds: Annotated[int, typer.Option(min=1, max=100, help="how often each fault is injected")] = 5,
) -> None:
    """Kill each part of a stack of its own while it is at work, and compare with the reference.

    Exit code 1 when a row differs, or when it could not be measured.
    """
    from importlib import import_module

    from contracts.errors import ArgusError

    try:
        measured = import_module(f"benchmarks.faults.{name}").measure(seeds=seeds, told=_told)
    except ArgusError as failed:
        _told(f"argus: faults {name}: {failed}")
        raise typer.Exit(1) from failed
    if as_json:
        print(measured.to_json())
    else:
        for figure, value in measured.rows():
            print(f"{figure:<18} {value}")
    if measured.figures["violations"]:
        _told(f"argus: faults {name}: {measured.figures['violations']:.0f} rows differ from the reference")
        raise typer.Exit(1)


def _told(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
