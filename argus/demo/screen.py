"""How a demonstration looks: a line per project with the course of its day, and what is measured below."""

from dataclasses import dataclass
from datetime import UTC, datetime

from rich.console import Console, Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from argus.demo.recording import Counts

BARS = "▁▂▃▄▅▆▇█"
NARROWEST, WIDEST = 10, 48
BESIDE_COURSE = 72
"""Columns that the rest of a line takes."""
MOST_PROJECTS = 12
RED_RATIO, YELLOW_RATIO = 0.3, 0.12
OUTAGE_RATIO = 0.3
LEGEND = (
    ("under 12 % failing", "green"),
    ("under 30 %", "yellow"),
    ("30 % or more", "red"),
    ("infrastructure", "magenta"),
)


@dataclass(frozen=True)
class Line:
    """One project: now (means per minute over the last minutes), its rate, and its day in cells of equal length."""

    project: str
    runs: float
    failing: float
    errors: float
    rate: float | None
    cells: tuple[Counts | None, ...]


@dataclass(frozen=True)
class Moment:
    """What is known at one moment; times are epoch ms on the replay's clock."""

    lines: tuple[Line, ...]
    hidden: int
    clock_ms: int
    done_ratio: float
    speed: float | None
    events: int
    events_per_s: float
    rows: int
    letters: int
    lag_s: tuple[float, float] | None
    doing: str


def cells_in(width: int) -> int:
    """How many cells of a day fit on a screen of so many columns."""
    return max(NARROWEST, min(WIDEST, width - BESIDE_COURSE))


def course(cells: tuple[Counts | None, ...]) -> Text:
    """Runs as the height of bars, the share of them that fail as their colour; what is still to come is empty."""
    most = max((cell[0] for cell in cells if cell), default=0)
    text = Text()
    for cell in cells:
        if cell is None:
            text.append("·", "bright_black")
        elif cell[0] == 0:
            text.append(" ")
        else:
            text.append(BARS[min(len(BARS) - 1, cell[0] * len(BARS) // (most + 1))], colour(cell))
    return text


def colour(counts: tuple[float, float, float]) -> str:
    """Green, yellow or red by the share of failing runs; magenta where the infrastructure fails.

    >>> colour((10, 1, 0)), colour((10, 3, 0)), colour((10, 0, 5))
    ('green', 'red', 'magenta')
    """
    runs, failing, errors = counts
    if errors > runs * OUTAGE_RATIO:
        return "magenta"
    return "red" if failing >= runs * RED_RATIO else "yellow" if failing >= runs * YELLOW_RATIO else "green"


def shown(moment: Moment, console: Console, *, urls: str = "") -> RenderableType:
    """The whole screen."""
    at = datetime.fromtimestamp(moment.clock_ms / 1000, UTC)
    head = Table.grid(expand=True)
    head.add_column(ratio=1)
    head.add_column(justify="right")
    speed = f", {moment.speed:,.0f} times as fast" if moment.speed else ""
    head.add_row(
        Text.assemble(("Argus ", "bold"), f"{moment.doing}{speed}"), Text(f"{at:%a %d %b %Y  %H:%M} UTC", "bold cyan")
    )
    parts: list[RenderableType] = [head]
    if console.is_terminal:
        parts.append(ProgressBar(total=1, completed=moment.done_ratio, complete_style="cyan", finished_style="cyan"))
    parts += ["", _table(moment), "", _measured(moment)]
    if console.is_terminal:
        legend = Text("colours: ", "bright_black")
        for words, style in LEGEND:
            legend.append("█ ", style).append(f"{words}   ", "bright_black")
        parts += [legend, Text(urls, "bright_black")]
    return Group(*parts)


def _table(moment: Moment) -> Table:
    table = Table(box=None, pad_edge=False, expand=False, header_style="bright_black")
    table.add_column("project", no_wrap=True, max_width=24)
    for name in ("runs/min", "failing/min", "error/min", "failing 24 h"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("its course", no_wrap=True)
    for line in moment.lines:
        rate = Text("–" if line.rate is None else f"{line.rate:.1%}")
        style = colour((line.runs, line.failing, 0)) if line.failing else "bright_black"
        failing = Text(f"{line.failing:.1f}", style)
        errors = Text(f"{line.errors:.1f}", "magenta" if line.errors >= 0.1 else "bright_black")
        table.add_row(line.project, f"{line.runs:.1f}", failing, errors, rate, course(line.cells))
    if moment.hidden:
        table.add_row(Text(f"and {moment.hidden} smaller ones", "bright_black"))
    return table


def _measured(moment: Moment) -> Text:
    lag = "–"
    if moment.lag_s:
        median_s, p99_s = moment.lag_s
        lag = f"{median_s * 1000:,.0f} ms (99 % within {p99_s * 1000:,.0f} ms)"
    return Text.assemble(
        (f"{moment.events:,}", "bold"), " events  ",
        (f"{moment.events_per_s:,.0f}", "bold"), " events/s  ",
        (f"{moment.rows:,}", "bold"), " rows  ",
        (f"{moment.letters:,}", "bold"), " dead letters  event → key ",
        (lag, "bold"),
    )  # fmt: skip
