"""The options that say how files of CI results are read, the same for `argus ingest` and `argus replay`."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.ingest.refusal import Refusals

if TYPE_CHECKING:
    from contracts.settings import Settings
    from gateway.ingest.files import Reading

MOST_REFUSALS_SHOWN = 20
MOST_REFUSALS_LISTED = 10_000


Moved = Callable[[int], None]
"""Moves a progress bar to a position."""


class InputFormat(StrEnum):
    """How a file is read."""

    AUTO = "auto"
    JSONL = "jsonl"
    JUNIT = "junit"
    CSV = "csv"


Files = Annotated[
    list[Path] | None, typer.Argument(metavar="FILE...", help="files, or folders of JUnit files", show_default=False)
]
GithubExport = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="in place of files: saved answers of GitHub's REST API, all *.json below it"),
]
Format = Annotated[InputFormat, typer.Option("--format", help="auto tells by suffix, then by content")]
Map = Annotated[
    list[str] | None, typer.Option("--map", metavar="COLUMN=FIELD,…", help="CSV: which column fills which field")
]
Preset = Annotated[str | None, typer.Option(help="CSV of a known source: pytorch")]
ProjectOption = Annotated[str | None, typer.Option("--project", help="JUnit, GitHub: <tenant>/<name>")]
Run = Annotated[str | None, typer.Option(help="JUnit: id of the pipeline execution")]
Job = Annotated[str | None, typer.Option(help="JUnit: the CI job that ran the tests")]
Attempt = Annotated[int, typer.Option(min=1, max=10_000, help="JUnit: attempt of that job")]
Environment = Annotated[str | None, typer.Option(help="JUnit: where the tests ran, such as linux-py3.11")]
Commit = Annotated[str | None, typer.Option(help="JUnit: commit under test")]
Branch = Annotated[str | None, typer.Option(help="JUnit: branch under test")]
AsJson = Annotated[bool, typer.Option("--json", help="print JSON")]


def sources(
    files: list[Path] | None,
    github_export: Path | None,
    settings: "Settings",
    format: InputFormat,  # noqa: A002 - the option's name
    columns: list[str] | None,
    preset: str | None,
    **report: str | int | None,
) -> "tuple[list[Path], Reading]":
    """The files that are named and how they are read; raises Misconfigured, naming what makes no sense."""
    from contracts.errors import Misconfigured
    from gateway.ingest.authors import hashed_by
    from gateway.ingest.files import Reading, found
    from gateway.ingest.github_export import export
    from gateway.ingest.github_export import found as found_below

    if bool(files) == (github_export is not None):
        raise Misconfigured("name files, or a folder with --github-export: one of the two")
    if github_export is None:
        return found(files or []), reading_of(format, columns, preset, **report)
    project = report.pop("project", None)
    others = {name for name, value in report.items() if value is not None} - {"attempt"}
    if others or columns or preset or format is not InputFormat.AUTO:
        raise Misconfigured(
            "--github-export says all of it itself: of the options about files it takes --project alone"
        )
    paths, key = found_below(github_export), settings.author_key
    authors = hashed_by(key.get_secret_value() if key else None)
    return paths, Reading(export=export(paths, None if project is None else str(project), authors))


def reading_of(
    format: InputFormat,  # noqa: A002 - the option's name
    columns: list[str] | None,
    preset: str | None,
    **report: str | int | None,
) -> "Reading":
    """How files are read, from the options; raises Misconfigured, naming the option that makes no sense."""
    from contracts.errors import BadRecord, Misconfigured
    from contracts.records import TestReportPart, checked
    from gateway.ingest.files import reading

    mapping = {}
    for pair in ",".join(columns or []).split(",") if columns else []:
        column, equals, field = pair.partition("=")
        if not equals:
            raise Misconfigured(f"--map {pair!r} is not COLUMN=FIELD")
        mapping[column.strip()] = field.strip()
    given = {name: value for name, value in report.items() if value is not None}
    part = None
    if {"project", "run", "job"} & set(given):
        try:
            part = checked(TestReportPart, {**given, "report": "report", "k": 1, "n": 1, "tests": []})
        except BadRecord as bad:
            raise Misconfigured(f"--{bad.field}: {bad.reason}") from bad
    return reading(format.value, mapping=mapping, preset=preset, report=part)


class Listed(Refusals):
    """What was refused, as a command tells it."""

    def __init__(self) -> None:
        super().__init__(MOST_REFUSALS_LISTED)

    def plain(self) -> list[dict[str, str]]:
        """Those that are kept, for JSON."""
        return [{name: getattr(one, name) for name in one.__struct_fields__} for one in self.listed]

    def show(self) -> None:
        """Tell the first of them on stderr, one a line."""
        for one in self.listed[:MOST_REFUSALS_SHOWN]:
            value = f" {one.value}" if one.value else ""
            print(f"refused {one.file}, {one.place}: {one.field}{value} {one.reason}", file=sys.stderr)
        if self.count > MOST_REFUSALS_SHOWN:
            print(f"refused {self.count - MOST_REFUSALS_SHOWN} more: --json lists them", file=sys.stderr)


@contextmanager
def bar(total: int, label: str, *, quiet: bool) -> Iterator[Moved]:
    """A progress bar on stderr while a person watches; gives the function that moves it to a position."""
    if quiet or not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(label, total=total)
        yield lambda position: progress.update(task, completed=position)
