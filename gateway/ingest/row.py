"""A row that was read: the record, where it stood, and when it arrived if the file says so."""

from collections.abc import Iterable, Iterator
from typing import BinaryIO

import msgspec
from msgspec import Struct

from contracts.records import FUTURE_MS, LATE_MS, Change, Event, JobExecution, TestReportPart, encode
from gateway.ingest.refusal import Refusal, refusal

LONGEST_LINE = 1_048_576
LARGEST_PART = 262_144
"""Bytes of the tests in one part of a report."""
LARGEST_VALUE = LARGEST_PART + 8_192
"""Bytes of one record: a part's tests and what says whose they are."""
BOM = b"\xef\xbb\xbf"


class Row(Struct, frozen=True, kw_only=True):
    """One record of a file; `arrived_ms` is there in recordings and simulations alone."""

    file: str
    place: str
    record: Event
    arrived_ms: int | None = None


def event_ms(event: Event) -> int | None:
    """When it happened, epoch ms; a part of a report happened when its last test did, an empty one never."""
    if isinstance(event, JobExecution):
        return event.finished_ms
    if isinstance(event, TestReportPart):
        return max((test.finished_ms for test in event.tests), default=None)
    return event.committed_ms if isinstance(event, Change) else event.at_ms


def shifted(event: Event, by_ms: int) -> Event:
    """The event with every time moved by `by_ms`."""
    if isinstance(event, JobExecution):
        started_ms = None if event.started_ms is None else event.started_ms + by_ms
        return msgspec.structs.replace(event, finished_ms=event.finished_ms + by_ms, started_ms=started_ms)
    if isinstance(event, TestReportPart):
        tests = [msgspec.structs.replace(test, finished_ms=test.finished_ms + by_ms) for test in event.tests]
        return msgspec.structs.replace(event, tests=tests)
    if isinstance(event, Change):
        return msgspec.structs.replace(event, committed_ms=max(0, event.committed_ms + by_ms))
    return msgspec.structs.replace(event, at_ms=event.at_ms + by_ms)


def _time_field(event: Event) -> str:
    if isinstance(event, JobExecution | TestReportPart):
        return "finished_ms"
    return "committed_ms" if isinstance(event, Change) else "at_ms"


def in_time(row: Row, now_ms: int) -> Row | Refusal:
    """The row, or its refusal when it happened too long ago for a live namespace, or has not happened yet.

    A commit may be as old as it likes: it is told when it is pushed.
    """
    at_ms = event_ms(row.record)
    if at_ms is None:
        return row
    field = _time_field(row.record)
    started_ms = row.record.started_ms if isinstance(row.record, JobExecution) else None
    if max(at_ms, started_ms or 0) > now_ms + FUTURE_MS:
        field, value = (field, at_ms) if at_ms > now_ms + FUTURE_MS else ("started_ms", started_ms)
        return refusal(row.file, row.place, field, value, "lies more than 5 minutes in the future: check the clock")
    if at_ms < now_ms - LATE_MS and not isinstance(row.record, Change):
        reason = "is older than 24 h: replay a recording with `argus replay`, or move it with --shift-to-now"
        return refusal(row.file, row.place, field, at_ms, reason)
    return row


def live(read: Iterable[Row | Refusal], *, now_ms: int, by_ms: int) -> Iterator[Row | Refusal]:
    """The rows as a live namespace takes them at `now_ms`: moved by `by_ms`, and refused when not in time."""
    for row in read:
        if isinstance(row, Row):
            moved = msgspec.structs.replace(row, record=shifted(row.record, by_ms)) if by_ms else row
            yield in_time(moved, now_ms)
        else:
            yield row


def in_size(row: Row) -> Row | Refusal:
    """The row, or its refusal when its message would be too large or cannot be written."""
    try:
        size = len(encode(row.record))
    except UnicodeEncodeError as bad:
        return refusal(row.file, row.place, "text", bad.object[bad.start : bad.end], "is no Unicode text")
    if size > LARGEST_VALUE:
        return refusal(row.file, row.place, "size", size, f"bytes are more than the {LARGEST_VALUE} of one record")
    return row


def lines(stream: BinaryIO, file: str) -> Iterator[tuple[int, str] | Refusal]:
    """The lines of a file with their numbers from 1; a line too long or not UTF-8 is refused and the next is read."""
    number = 0
    while piece := stream.readline(LONGEST_LINE + 1):
        number += 1
        if number == 1:
            piece = piece.removeprefix(BOM)
        if len(piece) > LONGEST_LINE:
            while piece and not piece.endswith(b"\n"):
                piece = stream.readline(LONGEST_LINE)
            yield refusal(file, f"line {number}", "line", LONGEST_LINE, "bytes are the most a line may have")
            continue
        try:
            yield number, piece.decode()
        except UnicodeDecodeError as bad:
            yield refusal(file, f"line {number}", "line", piece[bad.start : bad.start + 20], "is not UTF-8")
