"""CSV of job results: which column fills which field, and the words and times of other systems made ours.

The first row names the columns. `mapping` says which column fills which field; a column that is called as a field
fills it. Times are epoch milliseconds or ISO 8601; one without an offset is UTC.
"""

import csv
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import BinaryIO

from contracts.errors import BadRecord, Misconfigured
from contracts.records import JobExecution, checked
from gateway.ingest.refusal import Refusal, refusal, refused
from gateway.ingest.row import Row, in_size, lines

FIELDS = JobExecution.__struct_fields__
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
REQUIRED = ("project", "run", "job", "outcome", "finished_ms")

OUTCOMES = {
    "success": "success", "succeeded": "success", "passed": "success", "pass": "success",
    "failure": "failure", "failed": "failure", "fail": "failure",
    "error": "error", "errored": "error", "startup_failure": "error", "infrastructure_failure": "error",
    "cancelled": "cancelled", "canceled": "cancelled", "cancellation": "cancelled", "aborted": "cancelled",
    "stale": "cancelled",
    "timeout": "timeout", "timed_out": "timeout",
    "skipped": "skipped", "skip": "skipped", "neutral": "skipped", "manual": "skipped",
}  # fmt: skip
"""How CI systems call the outcome of a finished job, in lower case."""

Fields = Callable[[Mapping[str, str]], dict[str, object]]
"""The record's fields of one row, given its cells by column."""


def read(stream: BinaryIO, file: str, fields: Fields, needed: frozenset[str]) -> Iterator[Row | Refusal]:
    """The job executions of a CSV stream; `file` is how a refusal calls it.

    Raises Misconfigured when the first row lacks a column of `needed`.
    """
    left_out: list[Refusal] = []
    reader = csv.reader(_texts(stream, file, left_out), strict=True)
    header: list[str] | None = None
    while True:
        try:
            cells = next(reader, None)
        except csv.Error as bad:
            yield refusal(file, f"line {reader.line_num}", "line", "", f"is not CSV: {bad}")
            continue
        yield from left_out
        left_out.clear()
        if cells is None:
            return
        if header is None:
            header = cells
            _check_header(file, header, needed)
        elif cells:
            yield _row(file, f"line {reader.line_num}", header, cells, fields)


def _texts(stream: BinaryIO, file: str, left_out: list[Refusal]) -> Iterator[str]:
    for line in lines(stream, file):
        if isinstance(line, Refusal):
            left_out.append(line)
            yield "\n"  # keeps the count of lines right
        else:
            yield line[1]


def _check_header(file: str, header: list[str], needed: frozenset[str]) -> None:
    if missing := sorted(needed - set(header)):
        raise Misconfigured(f"{file} has no column {', '.join(missing)}; its columns are {', '.join(header)}")
    if doubled := sorted(column for column in needed if header.count(column) > 1):
        raise Misconfigured(f"{file} has more than one column {', '.join(doubled)}")


def _row(file: str, place: str, header: list[str], cells: list[str], fields: Fields) -> Row | Refusal:
    if len(cells) != len(header):
        return refusal(file, place, "line", len(cells), f"cells stand under {len(header)} columns")
    try:
        record = checked(JobExecution, fields(dict(zip(header, cells, strict=True))))
    except BadRecord as bad:
        return refused(file, place, bad)
    return in_size(Row(file=file, place=place, record=record))


def mapped(mapping: Mapping[str, str]) -> tuple[Fields, frozenset[str]]:
    """How rows are read under `mapping`, column to field, and the columns they need.

    >>> fields, needed = mapped({"id": "run", "at": "finished_ms"})
    >>> fields({"id": "7", "at": "2026-01-01T00:00:00Z", "job": "build", "other": "x"})
    {'job': 'build', 'run': '7', 'finished_ms': 1767225600000}
    >>> sorted(needed)
    ['at', 'id', 'job', 'outcome', 'project']

    Raises Misconfigured when a field does not exist or two columns fill one.
    """
    targets = list(mapping.values())
    if unknown := sorted(set(targets) - set(FIELDS)):
        raise Misconfigured(f"--map: there is no field {', '.join(unknown)}; there are {', '.join(FIELDS)}")
    if doubled := sorted({field for field in targets if targets.count(field) > 1}):
        raise Misconfigured(f"--map: {', '.join(doubled)} would be filled by more than one column")

    def fields(cells: Mapping[str, str]) -> dict[str, object]:
        named = {field: cells[field] for field in FIELDS if field in cells and field not in targets}
        named |= {field: cells[column] for column, field in mapping.items()}
        return {field: _typed(field, text) for field, text in named.items() if text != ""}

    return fields, frozenset(mapping) | (set(REQUIRED) - set(targets))


def pytorch(cells: Mapping[str, str]) -> dict[str, object]:
    """A row of PyTorch's recorded job results: `start_time` is the event's time, `job_id` the run."""
    owner, slash, rest = cells["dynamoKey"].partition("/")
    return {
        "project": f"{owner}{slash}{rest.partition('/')[0]}",
        "workflow": cells["name"].split(" / ")[0],
        "job": cells["job_name"],
        "run": cells["job_id"],
        "outcome": _typed("outcome", cells["conclusion"]),
        "finished_ms": _typed("start_time", cells["start_time"]),
    }


PRESETS: dict[str, tuple[Fields, frozenset[str]]] = {
    "pytorch": (pytorch, frozenset({"dynamoKey", "name", "job_name", "job_id", "conclusion", "start_time"})),
}


def _typed(field: str, text: str) -> object:
    if field == "outcome":
        return OUTCOMES.get(text.strip().lower(), text)
    if field == "attempt":
        if not re.fullmatch(r"[0-9]{1,6}", text.strip()):
            raise BadRecord(field, text, "is not a whole number")
        return int(text)
    return epoch_ms(field, text) if field.endswith(("_ms", "_time")) else text


def epoch_ms(field: str, text: str) -> int:
    """A time as epoch ms: whole milliseconds, or ISO 8601 with at most nanoseconds (cut), UTC where no offset is given.

    >>> epoch_ms("at", "2024-08-14 22:38:01.000000000"), epoch_ms("at", "2024-08-15T00:38:01+02:00")
    (1723675081000, 1723675081000)

    Raises BadRecord.
    """
    text = text.strip()
    if re.fullmatch(r"[0-9]{1,16}", text, re.ASCII):
        return int(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as bad:
        raise BadRecord(field, text, "is neither epoch milliseconds nor ISO 8601") from bad
    return ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH) // timedelta(milliseconds=1)
