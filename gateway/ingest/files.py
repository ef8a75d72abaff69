"""Files and folders of CI results: found, told apart, and read into rows."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

import msgspec

from contracts.errors import Misconfigured
from contracts.records import EARLIEST_MS, LONGEST_ID, TestReportPart
from gateway.ingest import archives, csv, github_export, jsonl, junit
from gateway.ingest.refusal import Refusal
from gateway.ingest.row import BOM, Row, event_ms

Format = Literal["auto", "jsonl", "junit", "csv"]
SUFFIXES: dict[str, Format] = {
    ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl", ".xml": "junit", ".csv": "csv",
}  # fmt: skip


@dataclass(frozen=True)
class Reading:
    """How files are read. `report` says whose tests JUnit files hold (its report, k, n and tests are replaced); with an
    `export`, all of them are of GitHub's API."""

    format: Format = "auto"
    fields: csv.Fields | None = None
    needed: frozenset[str] = frozenset()
    report: TestReportPart | None = None
    export: github_export.Export | None = None


def reading(
    format: Format = "auto",  # noqa: A002 - the option's name
    *,
    mapping: Mapping[str, str] | None = None,
    preset: str | None = None,
    report: TestReportPart | None = None,
) -> Reading:
    """How files are read; raises Misconfigured when a mapping or a preset makes no sense."""
    if preset is not None:
        if mapping:
            raise Misconfigured("--map and --preset both name columns: give one of them")
        if preset not in csv.PRESETS:
            raise Misconfigured(f"--preset {preset}: there is {', '.join(csv.PRESETS)}")
        if format not in ("auto", "csv"):
            raise Misconfigured(f"--preset {preset} reads CSV, not {format}")
        return Reading("csv", *csv.PRESETS[preset])
    return Reading(format, *csv.mapped(mapping or {}), report)


def found(paths: Sequence[Path]) -> list[Path]:
    """The files that `paths` name: a folder stands for all *.xml below it.

    Raises Misconfigured when one is not there.
    """
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            below = sorted(one for one in path.rglob("*.xml") if one.is_file())
            if not below:
                raise Misconfigured(f"{path} has no *.xml below it")
            files += below
        elif path.is_file():
            files.append(path)
        else:
            raise Misconfigured(f"there is no file {path}")
    return files


def rows(files: Sequence[Path], how: Reading, on_bytes: Callable[[int], None]) -> Iterator[Row | Refusal]:
    """The rows of all files, in order; `on_bytes` hears now and then how many bytes have been read.

    Raises Misconfigured when a file lacks the columns or the options that its format needs.
    """
    before = 0
    for path in files:
        with path.open("rb") as stream:
            start = stream.read(archives.START)
            stream.seek(0)
            kind = how.format if how.format != "auto" else _told_apart(path, start)
            if how.export is not None:
                read = github_export.read(stream, str(path), how.export)
            elif kind == "jsonl":
                read = jsonl.read(stream, str(path))
            elif kind == "csv":
                fields, needed = (how.fields, how.needed) if how.fields else csv.mapped({})
                read = csv.read(stream, str(path), fields, needed)
            else:
                if how.report is None:
                    raise Misconfigured(
                        f"{path} is JUnit XML, which does not say whose it is: give --project, --run and --job"
                    )
                written_ms = max(EARLIEST_MS, path.stat().st_mtime_ns // 1_000_000)
                read = _reports(stream, path, archives.is_archive(start), how.report, written_ms)
            for count, row in enumerate(read):
                yield row
                if count % 256 == 0:
                    on_bytes(before + stream.tell())
            before += path.stat().st_size
            on_bytes(before)


def _reports(
    stream: BinaryIO, path: Path, is_archive: bool, part: TestReportPart, written_ms: int
) -> Iterator[Row | Refusal]:
    """A JUnit file, or those of an archive, called by their paths."""
    if not is_archive:
        yield from junit.read(stream, str(path), _called(part, path.as_posix()), written_ms)
        return
    for one in archives.members(stream, str(path)):
        if isinstance(one, Refusal):
            yield one
        else:
            called = f"{path.as_posix()}/{one.name}"
            yield from junit.read(one.content, called, _called(part, called), written_ms)


def _called(part: TestReportPart, name: str) -> TestReportPart:
    return msgspec.structs.replace(part, report=name[-LONGEST_ID:])


def newest_ms(read: Iterator[Row | Refusal]) -> int | None:
    """The latest event time among the rows, epoch ms; None when none has one."""
    times = (event_ms(row.record) for row in read if isinstance(row, Row))
    return max((at_ms for at_ms in times if at_ms is not None), default=None)


def shift_to(now_ms: int, newest: int) -> int:
    """What to add to every event time, in whole minutes, so that the newest lies in the minute up to now.

    >>> shift_to(now_ms=1_000_000_000, newest=999_000_001) // 60_000
    16
    """
    return (now_ms - newest) // 60_000 * 60_000


def _told_apart(path: Path, start: bytes) -> Format:
    """By suffix, else by the first character; an archive is one of JUnit files."""
    if known := SUFFIXES.get(path.suffix.lower()):
        return known
    if archives.is_archive(start):
        return "junit"
    first = start.removeprefix(BOM).lstrip()[:1]
    return "jsonl" if first == b"{" else "junit" if first == b"<" else "csv"
