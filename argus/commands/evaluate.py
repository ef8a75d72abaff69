"""`argus evaluate`: how good what Argus believes is, on recorded and simulated histories."""

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer


def evaluate(
    name: Annotated[Literal["velocity"], typer.Argument(help="what to judge")],
    data: Annotated[Path, typer.Option(help="the folder of recorded histories: it holds jit/")],
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Judge a model on recorded and simulated histories, beside simpler ways to do the same.

    Exit code 1 when it could not be judged.
    """
    from importlib import import_module

    from rich.console import Console
    from rich.table import Table

    from contracts.errors import ArgusError
    from pipelines.evaluate.simulated import Fleet
    from pipelines.evaluate.velocity import PROMISED, SEEDS
    from pipelines.evaluate.velocity import evaluate as judged

    report = import_module("benchmarks.report")  # by name: benchmarks stand above the command line
    try:
        found = judged(data, told=_told, seeds=SEEDS, fleet=Fleet())
        measured = report.checked(report.Measured(name, found.figures, found.against, found.setup), PROMISED)
    except ArgusError as failed:
        _told(f"argus: evaluate {name}: {failed}")
        raise typer.Exit(1) from failed
    if as_json:
        print(measured.to_json())
        return
    table = Table("figure", "value", box=None)
    table.columns[1].justify = "right"
    for figure, value in measured.rows():
        table.add_row(figure, value)
    Console(highlight=False).print(table)
    for about, value in measured.setup.items():
        _told(f"{about}: {value}")


def _told(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
