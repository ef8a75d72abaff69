"""`argus evaluate`: how good what Argus believes is, on recorded and simulated histories."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from argus.commands.figures import show, tell


def evaluate(
    name: Annotated[Literal["velocity"], typer.Argument(help="what to judge")],
    data: Annotated[Path, typer.Option(help="the folder of recorded histories: it holds jit/")],
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Judge a model on recorded and simulated histories, beside simpler ways to do the same.

    Exit code 1 when it could not be judged.
    """
    from importlib import import_module

    from contracts.errors import ArgusError
    from pipelines.evaluate.simulated import Fleet
    from pipelines.evaluate.velocity import PROMISED, SEEDS
    from pipelines.evaluate.velocity import evaluate as judged

    report = import_module("benchmarks.report")  # by name: benchmarks stand above the command line
    try:
        found = judged(data, told=tell, seeds=SEEDS, fleet=Fleet())
        measured = report.checked(report.Measured(name, found.figures, found.against, found.setup), PROMISED)
    except ArgusError as failed:
        tell(f"argus: evaluate {name}: {failed}")
        raise typer.Exit(1) from failed
    show(measured, as_json=as_json)
