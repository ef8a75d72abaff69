"""CSV of job results: columns to fields, the words and times of others, refusals that go on."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.errors import BadRecord, Misconfigured
from gateway.ingest import csv
from gateway.ingest.refusal import Refusal
from gateway.ingest.row import Row

PLAIN = csv.mapped({})
PYTORCH = '"job_id","start_time","conclusion","dynamoKey","name","job_name"\n'


def read(text: str | bytes, how: tuple[csv.Fields, frozenset[str]] = PLAIN) -> list[Row | Refusal]:
    """The rows of a CSV text."""
    data = text.encode() if isinstance(text, str) else text
    return list(csv.read(io.BytesIO(data), "in.csv", *how))


def test_columns_that_are_called_as_fields_need_no_map() -> None:
    (row,) = read("project,run,job,outcome,finished_ms,attempt,branch,other\nacme/a,1,b,passed,1790000000000,2,,x\n")
    assert isinstance(row, Row)
    record = row.record
    assert (record.project, record.outcome, record.attempt, record.branch) == ("acme/a", "success", 2, None)


def test_a_map_names_the_columns() -> None:
    how = csv.mapped({"repo": "project", "id": "run", "at": "finished_ms", "result": "outcome", "what": "job"})
    (row,) = read("at,id,repo,result,what\n2026-09-01T12:00:00+02:00,1,acme/a,Timed_Out,b\n", how)
    assert isinstance(row, Row)
    assert (row.record.finished_ms, row.record.outcome) == (1_788_256_800_000, "timeout")


@pytest.mark.parametrize(
    ("mapping", "told"),
    [({"a": "colour"}, "no field colour"), ({"a": "run", "b": "run"}, "more than one column")],
)
def test_a_map_that_makes_no_sense_is_refused_at_once(mapping: dict[str, str], told: str) -> None:
    with pytest.raises(Misconfigured, match=told):
        csv.mapped(mapping)


def test_a_file_without_a_needed_column_is_refused_with_the_columns_it_has() -> None:
    with pytest.raises(Misconfigured, match=r"no column job, run; its columns are project, outcome, finished_ms"):
        read("project,outcome,finished_ms\n")


def test_the_pytorch_preset_reads_its_recording() -> None:
    line = '"28789164032","2024-08-14 22:37:28.000000000","failure","pytorch/pytorch-canary/28789164032",'
    (row,) = read(PYTORCH + line + '"linux / test (a, 1)","linux / test "\n', csv.PRESETS["pytorch"])
    assert isinstance(row, Row)
    record = row.record
    assert (record.project, record.workflow, record.job) == ("pytorch/pytorch-canary", "linux", "linux / test ")
    assert (record.run, record.outcome, record.finished_ms) == ("28789164032", "failure", 1_723_675_048_000)


@pytest.mark.parametrize(
    ("line", "field", "told"),
    [
        ("acme/a,1,b,success", "line", "cells stand under 5 columns"),
        ("acme/a,1,b,maybe,1790000000000", "outcome", "Invalid enum value"),
        ("acme/a,1,b,success,yesterday", "finished_ms", "neither epoch milliseconds nor ISO 8601"),
        ("acme/a,1,b,success,1790000000", "finished_ms", ">= 1577836800000"),
        ("acme/a,,b,success,1790000000000", "run", "missing required field"),
        ('acme/a,"1"x,b,success,1790000000000', "line", "is not CSV"),
        ("acme/a,1," + "x" * 140_000 + ",success,1790000000000", "line", "is not CSV"),
    ],
)
def test_a_bad_row_is_named_and_the_next_is_read(line: str, field: str, told: str) -> None:
    bad, good = read(f"project,run,job,outcome,finished_ms\n{line}\nacme/a,1,b,success,1790000000000\n")
    assert isinstance(bad, Refusal)
    assert (bad.place, bad.field) == ("line 2", field)
    assert told in bad.reason
    assert isinstance(good, Row)
    assert good.place == "line 3"


def test_a_line_that_is_not_utf8_is_left_out_and_the_count_of_lines_stays_right() -> None:
    header = b"project,run,job,outcome,finished_ms\n"
    bad, good = read(header + b"acme/a,\xff,b,success,1790000000000\nacme/a,1,b,success,1790000000000\n")
    assert isinstance(bad, Refusal)
    assert (bad.place, bad.reason) == ("line 2", "is not UTF-8")
    assert bad.value.startswith("b'\\xff")
    assert isinstance(good, Row)
    assert good.place == "line 3"


@pytest.mark.parametrize("text", ["", "12345678901234567", "2026-13-01", "2026-01-01T25:00", "١٢٣"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(BadRecord):
        csv.epoch_ms("at", text)


@given(st.datetimes())
def test_a_time_without_an_offset_is_utc_to_the_millisecond(moment: object) -> None:
    assert csv.epoch_ms("at", f"{moment}") == csv.epoch_ms("at", f"{moment}+00:00") == csv.epoch_ms("at", f"{moment}Z")


@given(st.binary(max_size=300))
def test_no_bytes_raise(data: bytes) -> None:
    rows = read(b"project,run,job,outcome,finished_ms\n" + data)
    assert all(isinstance(row, Row | Refusal) for row in rows)
