"""JUnit: whatever becomes of the files of real tools, and every testcase that was put in comes out or is refused."""

import io
import re
import tracemalloc
from collections import Counter
from functools import cache
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from contracts.records import TestReportPart
from gateway.ingest import junit
from gateway.ingest.refusal import Refusal
from gateway.ingest.row import Row
from tests.unit.fuzz.mutation import MUTATIONS, Rows, calls, mutated, sound

FIXTURES = sorted((Path(__file__).parents[2] / "fixtures" / "junit").glob("*/*.xml"))
WRITTEN_MS = 1_796_000_000_000
REPORT = TestReportPart(project="acme/app", run="7", job="test", report="r.xml", k=1, n=1, tests=[])


@cache
def fixture(path: Path) -> bytes:
    return path.read_bytes()


def read(data: bytes) -> Rows:
    rows = sound(lambda: junit.read(io.BytesIO(data), "r.xml", REPORT, WRITTEN_MS))
    parts = [row.record for row in rows if isinstance(row, Row)]
    assert [(part.k, part.n) for part in parts] == [(at + 1, len(parts)) for at in range(len(parts))]
    repetitions = Counter((test.test, test.repetition) for part in parts for test in part.tests)
    assert not repetitions or max(repetitions.values()) == 1, "two executions of one identity"
    return rows


@given(st.sampled_from(FIXTURES), MUTATIONS)
def test_whatever_becomes_of_a_real_report_it_is_read_or_refused(path: Path, mutations: list) -> None:
    rows = read(mutated(fixture(path), mutations))
    assert rows, "neither read nor refused"


@given(st.binary(max_size=300), st.sampled_from([b"", b"<testsuite>", b'<testsuite><testcase name="a">']))
def test_bytes_of_any_kind_are_read_or_refused(data: bytes, start: bytes) -> None:
    assert read(start + data)


TEXTS = st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters='<>&"'), max_size=20)
OUTCOMES = {"Failure": "fail", "Error": "error"}
KINDS = st.lists(st.sampled_from(sorted(OUTCOMES)), max_size=3)
FATES = st.one_of(
    st.sampled_from([
        ("", ["pass"]), ("<failure/>", ["fail"]), ("<error>text</error><failure/>", ["fail"]),
        ("<skipped message='m'/>", ["skip"]), ("<testcase name='in'/><error/>", ["error"]),
        ("<x><failure/></x><system-out>failure</system-out>", ["fail"]),
    ]),
    KINDS.map(lambda kinds: (
        "".join(f"<flaky{kind}>text</flaky{kind}>" for kind in kinds), [*map(OUTCOMES.get, kinds), "pass"],
    )),
    KINDS.map(lambda kinds: (
        "<failure/>" + "".join(f"<rerun{kind}/>" for kind in kinds), ["fail", *map(OUTCOMES.get, kinds)],
    )),
)  # fmt: skip
"""What stands in a testcase, and the outcomes of its attempts."""
CASES = st.tuples(TEXTS, TEXTS, FATES)
SUITES = st.recursive(
    st.lists(CASES, max_size=6).map(lambda cases: (cases, [])),
    lambda inner: st.tuples(st.lists(CASES, max_size=6), st.lists(inner, max_size=3)),
    max_leaves=6,
)


def written(suite: tuple[list, list]) -> tuple[str, list[str], int]:
    """The text of a suite, the outcomes that it tells of, and how many of its testcases have no name."""
    text, outcomes, nameless = "", [], 0
    for classname, name, (inner, told) in suite[0]:
        text += f'<testcase classname="{classname}" name="{name}" time="0.1">{inner}</testcase>'
        outcomes += told if classname or name else []
        nameless += not (classname or name)
    for child in suite[1]:
        its_text, its_outcomes, its_nameless = written(child)
        text, outcomes, nameless = text + its_text, outcomes + its_outcomes, nameless + its_nameless
    return f'<testsuite name="s">{text}</testsuite>', outcomes, nameless


@given(SUITES)
def test_every_attempt_that_is_told_of_comes_out_in_order_and_every_nameless_case_is_refused(suite: tuple) -> None:
    text, outcomes, nameless = written(suite)
    rows = read(text.encode())
    assert [test.outcome for row in rows if isinstance(row, Row) for test in row.record.tests] == outcomes
    assert sum(isinstance(row, Refusal) for row in rows) == nameless


def test_twice_the_report_is_twice_the_work_and_no_more_than_twice_the_memory() -> None:
    inner = b"".join(re.sub(rb"<\?.*?\?>", b"", fixture(path)) for path in FIXTURES)

    def reading(times: int) -> int:
        data = b"<testsuites>" + inner * times + b"</testsuites>"
        tracemalloc.start()
        try:
            assert all(isinstance(row, Row) for row in junit.read(io.BytesIO(data), "r.xml", REPORT, WRITTEN_MS))
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert calls(lambda: reading(6)) < 2.5 * calls(lambda: reading(3))
    assert reading(6) < 3 * reading(3)
