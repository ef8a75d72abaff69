"""A row that was read: the record, where it stood, and when it arrived if the file says so."""

from collections.abc import Iterable, Iterator
from typing import BinaryIO

import msgspec
from msgspec import Struct

from contracts.records import FUTURE_MS, LATE_MS, JobExecution, TestReportPart, encode
from contracts.topics import RUNS, TEST_RESULTS, Topic
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
    record: JobExecution | TestReportPart
    arrived_ms: int | None = None


def topic_of(record: JobExecution | TestReportPart) -> Topic:
    """Where the record goes."""
    return RUNS if isinstance(record, JobExecution) else TEST_RESULTS


def event_ms(record: JobExecution | TestReportPart) -> int | None:
    """When it happened, epoch ms; a part of a report happened when its last test did, an empty one never."""
    if isinstance(record, JobExecution):
        return record.finished_ms
    return max((test.finished_ms for test in record.tests), default=None)


def shifted(record: JobExecution | TestReportPart, by_ms: int) -> JobExecution | TestReportPart:
    """The record with every time moved by `by_ms`."""
    if isinstance(record, JobExecution):
        started_ms = None if record.started_ms is None else record.started_ms + by_ms
        return msgspec.structs.replace(record, finished_ms=record.finished_ms + by_ms, started_ms=started_ms)
    tests = [msgspec.structs.replace(test, finished_ms=test.finished_ms + by_ms) for test in record.tests]
    return msgspec.structs.replace(record, tests=tests)


def in_time(row: Row, now_ms: int) -> Row | Refusal:
    """The row, or its refusal when it happened too long ago for a live namespace, or has not happened yet."""
    at_ms = event_ms(row.record)
    if at_ms is None:
        return row
    started_ms = row.record.started_ms if isinstance(row.record, JobExecution) else None
    if max(at_ms, started_ms or 0) > now_ms + FUTURE_MS:
        field, value = ("finished_ms", at_ms) if at_ms > now_ms + FUTURE_MS else ("started_ms", started_ms)
        return refusal(row.file, row.place, field, value, "lies more than 5 minutes in the future: check the clock")
    if at_ms < now_ms - LATE_MS:
        reason = "is older than 24 h: replay a recording with `argus replay`, or move it with --shift-to-now"
        return refusal(row.file, row.place, "finished_ms", at_ms, reason)
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
