"""The last screen of a demonstration: what each project did, and whether it is what the file says."""

from collections.abc import Mapping
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from argus.demo.recording import Recording, Rows
from argus.demo.screen import Moment, course
from contracts.topics import FAILURE_VELOCITY

MOST_DIFFERENCES = 5


@dataclass(frozen=True)
class Ended:
    """What came out (`rows`, `keys`) beside what was counted from the file (`recorded.rows`, `wanted`)."""

    recorded: Recording
    rows: Rows
    keys: Mapping[str, float | None]
    wanted: Mapping[str, float]
    letters: int
    took_s: float
    lag_s: tuple[float, float] | None
    moment: Moment

    @property
    def wrong_rows(self) -> list[str]:
        """Rows that are missing, too many or different."""
        differ = (at for at in {*self.rows, *self.recorded.rows} if self.rows.get(at) != self.recorded.rows.get(at))
        return [f"{at}: {self.rows.get(at)} instead of {self.recorded.rows.get(at)}" for at in sorted(differ)]

    @property
    def wrong_keys(self) -> list[str]:
        """Keys that are not there or hold another rate."""
        return [
            f"{project}: {self.keys.get(project)} instead of {rate}"
            for project, rate in self.wanted.items()
            if self.keys.get(project) != rate
        ]

    @property
    def exact(self) -> bool:
        """Everything is as counted."""
        return bool(self.rows) and not self.wrong_rows and not self.wrong_keys


def summary(ended: Ended) -> RenderableType:
    """A line per project, then what was compared and measured."""
    table = Table(box=None, pad_edge=False, header_style="bright_black")
    table.add_column("project", no_wrap=True, max_width=24)
    for name in ("runs", "failing", "error", "failing 24 h", "most a minute"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("its course", no_wrap=True)
    for line in ended.moment.lines:
        rows = [counts for (project, _), counts in ended.rows.items() if project == line.project]
        runs, failing, errors = (sum(row[series] for row in rows) for series in range(3))
        rate = ended.keys.get(line.project)
        table.add_row(
            line.project, f"{runs:,}", f"{failing:,}", f"{errors:,}", "–" if rate is None else f"{rate:.1%}",
            f"{max((row[0] for row in rows), default=0):,}", course(line.cells),
        )  # fmt: skip
    if ended.moment.hidden:
        table.add_row(Text(f"and {ended.moment.hidden} smaller ones", "bright_black"))
    return Group("", table, "", *_compared(ended), _measured(ended), "")


def _compared(ended: Ended) -> list[Text]:
    rows = f"rows on {FAILURE_VELOCITY.name}"
    keys = "keys failure_rate_24h in Valkey"
    return [
        line
        for what, count, wrong in (
            (rows, len(ended.rows), ended.wrong_rows),
            (keys, sum(value is not None for value in ended.keys.values()), ended.wrong_keys),
        )
        for line in _one(what, count, wrong)
    ]


def _one(what: str, count: int, wrong: list[str]) -> list[Text]:
    if not wrong:
        return [Text.assemble(("✓ ", "bold green"), (f"{count:,}", "bold"), f" {what}, all as counted from the file")]
    told = Text.assemble(
        ("✗ ", "bold red"), (f"{count:,}", "bold"), f" {what}, {len(wrong):,} not as counted from the file"
    )
    return [told, *(Text(f"    {one}", "red") for one in wrong[:MOST_DIFFERENCES])]


def _measured(ended: Ended) -> Text:
    events = len(ended.recorded.arrivals)
    told = (
        f"  {events:,} events ({ended.recorded.repeated:,} of them repeats, "
        f"{ended.recorded.late:,} more than a minute late) "
        f"in {ended.took_s:.0f} s, {events / ended.took_s:,.0f} a second; {ended.letters:,} dead letters"
    )
    if ended.lag_s:
        median_s, p99_s = ended.lag_s
        told += f"\n  from event to key {median_s * 1000:,.0f} ms (median), {p99_s * 1000:,.0f} ms (99 %)"
    return Text(told)
