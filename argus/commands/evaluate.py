"""`argus evaluate`: how good what Argus believes is, on recorded and simulated histories."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from argus.commands.figures import show, tell


def evaluate(
    name: Annotated[Literal["velocity"], typer.Argument(help="what to judge")],
    data: Annotated[Path, typer.Option(help="the folder of recorded histories: commits, labelled series, or both")],
    plots: Annotated[Path | None, typer.Option(help="a folder for pictures of what was judged, as PNG")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Judge a model on recorded and simulated histories, beside simpler ways to do the same.

    What the folder does not hold has no figures and is told. Exit code 1 when nothing in it could be judged.
    """
    from importlib import import_module

    from contracts.errors import ArgusError
    from pipelines.evaluate.recordings import find
    from pipelines.evaluate.simulated import Fleet
    from pipelines.evaluate.velocity import SEEDS, promised
    from pipelines.evaluate.velocity import evaluate as judged

    report = import_module("benchmarks.report")  # by name: benchmarks stand above the command line
    try:
        recorded = find(data)
        for line in recorded.told:
            tell(f"not judged: {line}")
        found = judged(recorded, told=tell, seeds=SEEDS, fleet=Fleet())
        measured = report.Measured(name, found.figures, found.against, found.setup)
        report.checked(measured, promised(recorded, found))
        if plots is not None:
            from pipelines.evaluate.plots import draw

            for path in draw(plots, found):
                tell(f"drawn: {path}")
    except ArgusError as failed:
        tell(f"argus: evaluate {name}: {failed}")
        raise typer.Exit(1) from failed
    show(measured, as_json=as_json)
