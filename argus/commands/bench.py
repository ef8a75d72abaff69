"""`argus bench`: what this machine can do, measured."""

import signal
import sys
from typing import Annotated, Literal

import typer

from argus.commands.figures import show, tell


def bench(
    name: Annotated[
        Literal["velocity", "latency", "up", "ingest", "incidents"], typer.Argument(help="what to measure")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
    scale: Annotated[
        float, typer.Option(min=0.01, max=10, help="how much load, or how long, as a share of the usual")
    ] = 1,
) -> None:
    """Measure throughput, latency, the start, or ingest over HTTP, on a stack of its own.

    Exit code 1 when it could not be measured.
    """
    from importlib import import_module

    from contracts.errors import ArgusError

    signal.signal(signal.SIGTERM, _stopped)
    module = import_module(f"benchmarks.{name}")  # by name: benchmarks stand above the command line
    try:
        measured = module.measure(scale=scale, told=tell)
    except ArgusError as failed:
        tell(f"argus: bench {name}: {failed}")
        raise typer.Exit(1) from failed
    show(measured, as_json=as_json)


def _stopped(*_: object) -> None:
    """Leave through every `finally`: no folder and no process stays behind."""
    tell("argus: bench: stopped by SIGTERM")
    sys.exit(128 + signal.SIGTERM)
