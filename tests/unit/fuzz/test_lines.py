"""Our own records as JSON Lines, as a document and as CSV: each line is a row or a refusal, and none costs another."""

import csv
import io
import json
from functools import partial

from hypothesis import given
from hypothesis import strategies as st

from contracts.errors import Misconfigured
from gateway.ingest import csv as table
from gateway.ingest import events, jsonl
from gateway.ingest.body import Body
from gateway.ingest.refusal import Refusal
from gateway.ingest.row import Row
from tests.unit.fuzz.mutation import MUTATIONS, Rows, calls, mutated, sound

AT_MS = 1_796_000_000_000
RECORDS: list[dict[str, object]] = [
    {"project": "acme/app", "run": "7", "job": "build", "outcome": "failure", "finished_ms": AT_MS, "attempt": 2},
    {
        "project": "acme/app", "run": "7", "job": "test", "report": "r", "k": 1, "n": 1,
        "tests": [{"test": "a::b", "outcome": "fail", "finished_ms": AT_MS, "repetition": 1, "message": "boom"}],
    },
    {
        "type": "argus.cicd.changes", "project": "acme/app", "commit": "abc", "committed_ms": AT_MS,
        "files": [{"path": "a"}],
    },
    {
        "type": "argus.cicd.deploys", "project": "acme/app", "deploy": "9", "environment": "live", "state": "started",
        "at_ms": AT_MS,
    },
    {
        "type": "argus.production.errors", "project": "acme/app", "error": "e", "service": "api", "message": "boom",
        "at_ms": AT_MS, "count": 3,
    },
]  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
FIELDS = sorted({name for record in RECORDS for name in record} | {"arrived_ms", "started_ms"})
CHANGED = st.builds(
    lambda record, changed: {**record, **changed},
    st.sampled_from(RECORDS),
    st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=2),
)
STRANGE = [
    b"[" * 3_000 + b"]" * 3_000, b'{"a":' * 3_000 + b"7" + b"}" * 3_000, b'"\\ud800"', b"9" * 400, b"-1e400", b"nul",
    *(json.dumps({**RECORDS[0], "message": "|"}).encode().replace(b"|", bad) for bad in (b"\\ud800", b"\xff", b"\xed")),
]  # fmt: skip
LINES = "\n".join(map(json.dumps, RECORDS)).encode()


def of_lines(data: bytes) -> Rows:
    return sound(lambda: jsonl.read(io.BytesIO(data), "f"))


def of_document(data: bytes, kind: str = "application/json") -> Rows:
    return sound(lambda: events.read(Body(io.BytesIO(data), len(data), "", len(data)), kind))


def of_table(data: bytes) -> Rows:
    try:
        return sound(lambda: table.read(io.BytesIO(data), "f", *table.mapped({})))
    except Misconfigured:  # it lacks a column
        return []


def test_the_records_that_are_changed_here_are_good() -> None:
    assert all(isinstance(row, Row) for row in [*of_lines(LINES), *of_document(json.dumps(RECORDS).encode())])


@given(st.lists(CHANGED | JSON, max_size=8), st.sampled_from([b"\n", b"\r\n", b"\n\n"]))
def test_every_line_and_every_element_is_a_row_or_a_refusal(values: list, end: bytes) -> None:
    texts = [json.dumps(value).encode() for value in values]
    assert len(of_lines(end.join(texts))) == len(values)
    elements = of_document(b"[" + b",".join(texts) + b"]")
    assert len(elements) == len(values)
    kinds = [type(one) for one in of_lines(end.join(texts))]
    assert [type(one) for one in elements] == kinds, "a line and an element are judged alike"


@given(st.lists(CHANGED.map(lambda one: json.dumps(one).encode()) | st.sampled_from(STRANGE), max_size=6))
def test_a_strange_line_is_refused_and_costs_none_of_its_neighbours(texts: list[bytes]) -> None:
    rows = of_lines(b"\n".join(texts))
    assert [type(row) for row in rows] == [type(row) for text in texts for row in of_lines(text)]
    assert all(isinstance(row, Refusal) for row, text in zip(rows, texts, strict=True) if text in STRANGE)
    assert of_document(b"[" + b",".join(texts) + b"]") or not texts


@given(MUTATIONS)
def test_whatever_becomes_of_lines_and_documents_they_are_read_or_refused(mutations: list) -> None:
    of_lines(mutated(LINES, mutations))
    of_document(mutated(json.dumps(RECORDS).encode(), mutations))
    of_document(mutated(LINES, mutations), "application/x-ndjson")


@given(st.binary(max_size=300))
def test_bytes_of_any_kind_are_read_or_refused(data: bytes) -> None:
    assert of_document(data)
    of_lines(data)
    of_table(data)
    of_table(",".join(table.REQUIRED).encode() + b"\n" + data)


CELLS = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\x00"), max_size=20)
TABLE_ROWS = st.lists(
    st.tuples(CELLS | st.just("acme/app"), CELLS | st.just("7"), CELLS | st.just("build"), st.just("failed"),
              CELLS | st.just("2026-11-21T10:00:00Z")),
    max_size=8,
)  # fmt: skip


def as_csv(rows: list) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows([table.REQUIRED, *rows])
    return text.getvalue().encode()


@given(TABLE_ROWS)
def test_every_row_of_a_table_is_a_row_or_a_refusal(rows: list) -> None:
    assert len(of_table(as_csv(rows))) == len(rows)


@given(MUTATIONS)
def test_whatever_becomes_of_a_table_it_is_read_or_refused(mutations: list) -> None:
    good = as_csv([("acme/app", "7", "build", "failed", "2026-11-21T10:00:00Z")] * 5)
    rows = of_table(mutated(good, mutations))
    assert all(isinstance(row, Row | Refusal) for row in rows)


def test_twice_the_lines_are_twice_the_work() -> None:
    one = json.dumps(RECORDS[1]).encode()
    row = b"acme/app,7,build,failed,2026-11-21T10:00:00Z\n"
    heading = ",".join(table.REQUIRED).encode() + b"\n"
    for read, of in (
        (of_lines, lambda n: (one + b"\n") * n),
        (of_table, lambda n: heading + row * n),
        (of_document, lambda n: b"[" + b",".join([one] * n) + b"]"),
    ):
        assert calls(partial(read, of(200))) < 2.5 * calls(partial(read, of(100)))
