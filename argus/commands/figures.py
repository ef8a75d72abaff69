"""What was measured, as a person or a program reads it; and where commands say what they are doing."""

import sys
from typing import Protocol


class Figures(Protocol):
    """What benchmarks/report.py makes of a measurement."""

    setup: dict[str, object]

    def to_json(self) -> str:
        """One JSON object."""

    def rows(self) -> list[tuple[str, str]]:
        """Each figure and its value, those of others after ours."""


def show(measured: Figures, *, as_json: bool) -> None:
    """Print JSON alone, or a table with the set-up below it."""
    from rich.console import Console
    from rich.table import Table

    if as_json:
        print(measured.to_json())
        return
    table = Table("figure", "value", box=None)
    table.columns[1].justify = "right"
    for figure, value in measured.rows():
        table.add_row(figure, value)
    Console(highlight=False).print(table)
    for about, told in measured.setup.items():
        tell(f"{about}: {told}")


def tell(line: str) -> None:
    """A line for the person who waits; what a program reads is on standard output."""
    print(line, file=sys.stderr, flush=True)
