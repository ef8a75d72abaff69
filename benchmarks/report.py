"""What a measurement says: its figures, those of others beside them, and under what it was taken."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from contracts.errors import Unavailable

Figures = Mapping[str, float]


@dataclass(frozen=True)
class Measured:
    """`against` compares with each peer by name; `setup` tells what a reader needs to judge the figures."""

    name: str
    figures: Figures
    against: Mapping[str, Figures] = field(default_factory=dict)
    setup: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> str:
        """One object on one line."""
        return msgspec.json.encode(
            {"name": self.name, "figures": self.figures, "against": self.against, "setup": self.setup}
        ).decode()

    def rows(self) -> list[tuple[str, str]]:
        """Name and value of every number, for a table."""
        compared = {f"{name}, {peer}": value for peer, values in self.against.items() for name, value in values.items()}
        return [(name, f"{value:,.10g}") for name, value in {**self.figures, **compared}.items()]


def checked(measured: Measured, promised: Sequence[str]) -> Measured:
    """The same, if it has every promised figure and each is a number.

    Raises Unavailable, naming those that are missing or are no numbers.
    """
    missing = [name for name in promised if name not in measured.figures]
    strange = [name for name, value in measured.figures.items() if not _is_number(value)]
    if missing or strange:
        told = [f"no {name}" for name in missing] + [f"{name} is {measured.figures[name]!r}" for name in strange]
        raise Unavailable(f"{measured.name} was not measured: {', '.join(told)}")
    return measured


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
