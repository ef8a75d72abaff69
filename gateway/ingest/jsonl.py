"""JSON Lines of our own records.

A line is one record with its fields at the top. `type` says which, by the name of its topic (`argus.cicd.changes`,
`argus.cicd.deploys`, …). Without `type`, a line with `tests` is a part of a test report and any other a job execution.
`arrived_ms` (epoch ms) says when it arrived: a replay obeys it, ingest does not read it. Unknown fields are ignored, as
on topics; blank lines are skipped.
"""

from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

import msgspec
from msgspec import Struct

from contracts.errors import BadRecord
from contracts.records import EARLIEST_MS, Event, TestReportPart, checked
from contracts.topics import EVENTS, RUNS, TEST_RESULTS
from gateway.ingest.refusal import Refusal, refusal, refused
from gateway.ingest.row import Row, in_size, lines

KINDS: dict[str, type[Event]] = {topic.name: topic.record for topic in EVENTS}  # type: ignore[misc]
_LARGEST_INTEGER = 2**53
MOST_BLANK = 1_000
"""Blank lines that are passed over; more are refused, for they cost time and tell nothing."""


def read(stream: BinaryIO, file: str) -> Iterator[Row | Refusal]:
    """The rows of a stream of JSON Lines; `file` is how a refusal calls it."""
    blank = 0
    for line in lines(stream, file):
        if isinstance(line, Refusal):
            yield line
        elif not line[1].strip():
            blank += 1
            if blank > MOST_BLANK:
                yield refusal(file, f"line {line[0]}", "line", "", f"is blank, as {MOST_BLANK} before it")
        else:
            place = f"line {line[0]}"
            try:
                record, arrived_ms = parse(line[1])
            except BadRecord as bad:
                yield refused(file, place, bad)
            else:
                yield in_size(Row(file=file, place=place, record=record, arrived_ms=arrived_ms))


def parse(line: str) -> tuple[Event, int | None]:
    """The record of one line and its `arrived_ms`.

    >>> record, _ = parse('{"project":"acme/a","run":"1","job":"b","outcome":"success","finished_ms":1760000000000}')
    >>> record.outcome
    'success'

    Raises BadRecord, naming the field and its value.
    """
    try:
        fields: Any = msgspec.json.decode(line)
    except (msgspec.DecodeError, RecursionError, UnicodeError) as bad:
        raise BadRecord("line", line[:200], f"is not JSON: {bad}") from bad
    if not isinstance(fields, dict):
        raise BadRecord("line", line[:200], "is not a JSON object")
    arrived_ms = fields.pop("arrived_ms", None)
    if arrived_ms is not None and not (type(arrived_ms) is int and EARLIEST_MS <= arrived_ms < _LARGEST_INTEGER):
        raise BadRecord("arrived_ms", arrived_ms, "is not epoch milliseconds since 2020")
    named = fields.pop("type", TEST_RESULTS.name if "tests" in fields else RUNS.name)
    kind = KINDS.get(named) if isinstance(named, str) else None
    if kind is None:
        raise BadRecord("type", named, f"is none of {', '.join(KINDS)}")
    return event_of(kind, fields), arrived_ms


def event_of(kind: type[Event], fields: Mapping[str, object]) -> Event:
    """The event that plain fields make, fit for every reader of its topic. Raises BadRecord."""
    record = checked(kind, fields)
    fit_64_bits(record)
    return record


def fit_64_bits(record: Event) -> None:
    """JSON has integers of any length; the readers of topics have 64 bits. Raises BadRecord, naming the field."""
    for field, value in _integers(record, ""):
        if value > _LARGEST_INTEGER:
            raise BadRecord(field, value, "is too large")
    if isinstance(record, TestReportPart) and record.k > record.n:
        raise BadRecord("k", record.k, f"is more than n, {record.n}")


def _integers(record: Struct, within: str) -> Iterator[tuple[str, int]]:
    for field in record.__struct_fields__:
        value = getattr(record, field)
        if type(value) is int:
            yield f"{within}{field}", value
        elif type(value) is list:
            for at, one in enumerate(value):
                yield from _integers(one, f"{within}{field}[{at}].")
