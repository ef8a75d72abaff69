"""JSON Lines: what is taken, and that each refusal names line, field, value and reason."""

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import records
from contracts.topics import RUNS, TEST_RESULTS
from gateway.ingest import jsonl
from gateway.ingest.refusal import Refusal
from gateway.ingest.row import LONGEST_LINE, Row

RUN = {"project": "acme/app", "run": "7", "job": "build", "outcome": "failure", "finished_ms": 1_790_000_000_000}
TEST = {"test": "s::c::n", "outcome": "pass", "finished_ms": 1_790_000_000_000}
PART = {"project": "acme/app", "run": "7", "job": "test", "report": "r.xml", "k": 1, "n": 2, "tests": [TEST]}


def read(*lines: object) -> list[Row | Refusal]:
    """The rows of lines given as bytes or as what JSON is made of."""
    data = b"\n".join(line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines)
    return list(jsonl.read(io.BytesIO(data), "in.jsonl"))


def only(*lines: object) -> Row | Refusal:
    """The one row of what has one."""
    (row,) = read(*lines)
    return row


def test_a_line_is_a_job_execution_or_a_part_of_a_report_by_its_fields_or_its_type() -> None:
    kinds = [type(row.record) for row in read(RUN, PART, RUN | {"type": RUNS.name}, PART | {"type": TEST_RESULTS.name})]
    assert kinds == [records.JobExecution, records.TestReportPart] * 2


def test_type_wins_over_fields() -> None:
    row = only(RUN | {"type": TEST_RESULTS.name})
    assert isinstance(row, Refusal)
    assert row.field == "report"


def test_arrival_is_read_beside_the_record() -> None:
    row = only(RUN | {"arrived_ms": 1_790_000_000_500})
    assert isinstance(row, Row)
    assert row.arrived_ms == 1_790_000_000_500


def test_unknown_fields_and_blank_lines_and_a_byte_order_mark_do_no_harm() -> None:
    (row,) = read(b"\xef\xbb\xbf" + json.dumps(RUN | {"colour": "red"}).encode(), b"", b"   ")
    assert isinstance(row, Row)


@pytest.mark.parametrize(
    ("line", "field", "told"),
    [
        (b"{", "line", "is not JSON"),
        (b"[" * 100_000, "line", "is not JSON"),
        (b'"text"', "line", "is not a JSON object"),
        (b'{"project":"\\ud800"}', "line", "is not JSON"),
        (b'{"project":"\xff"}', "line", "is not UTF-8"),
        (b'{"a":"' + b"x" * LONGEST_LINE + b'"}', "line", "bytes are the most"),
        (RUN | {"outcome": "perhaps"}, "outcome", "Invalid enum value"),
        (RUN | {"project": "noslash"}, "project", "matching regex"),
        (RUN | {"run": ""}, "run", "length >= 1"),
        (RUN | {"run": "a\nb"}, "run", "matching regex"),
        (RUN | {"finished_ms": 1_790_000_000}, "finished_ms", "`int` >= 1577836800000"),
        (RUN | {"finished_ms": 10**30}, "finished_ms", "is too large"),
        (RUN | {"started_ms": 10**30}, "started_ms", "is too large"),
        (RUN | {"attempt": 0}, "attempt", "`int` >= 1"),
        (RUN | {"type": "argus.nothing"}, "type", "is none of"),
        (RUN | {"type": 7}, "type", "is none of"),
        (RUN | {"arrived_ms": "soon"}, "arrived_ms", "is not epoch milliseconds"),
        ({key: value for key, value in RUN.items() if key != "job"}, "job", "missing required field"),
        (PART | {"tests": [TEST] * 501}, "tests", "length <= 500"),
        (PART | {"k": 3}, "k", "is more than n, 2"),
        (PART | {"tests": [TEST | {"duration_ms": 10**30}]}, "tests[0].duration_ms", "is too large"),
        (PART | {"tests": [TEST | {"details": "x" * 16_000}] * 20}, "size", "bytes are more than"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_and_the_next_line_is_read(line: object, field: str, told: str) -> None:
    bad, good = read(line, RUN)
    assert isinstance(bad, Refusal)
    assert (bad.file, bad.place, bad.field) == ("in.jsonl", "line 1", field)
    assert told in bad.reason
    assert isinstance(good, Row)
    assert good.place == "line 2"


def test_a_refused_value_is_short_and_obeys_no_terminal() -> None:
    row = only(RUN | {"outcome": "\x1b[31m" + "x" * 10_000})
    assert isinstance(row, Refusal)
    assert row.value.isprintable()
    assert len(row.value) <= 120


@given(st.binary(max_size=200))
def test_no_bytes_raise(data: bytes) -> None:
    assert all(isinstance(row, Row | Refusal) for row in jsonl.read(io.BytesIO(data), "f"))


def test_a_few_blank_lines_are_passed_over_and_very_many_are_refused() -> None:
    blank = b"\n" * (jsonl.MOST_BLANK + 2)
    found = list(jsonl.read(io.BytesIO(b"\n\n" + json.dumps(RUN).encode() + b"\n" + blank), "f"))
    assert [type(one).__name__ for one in found] == ["Row", *["Refusal"] * 4]
