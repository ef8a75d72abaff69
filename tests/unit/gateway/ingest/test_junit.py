"""JUnit XML: dialects read as they are meant, hostile files refused quickly, parts that fit their topic."""

import io
import resource
import time

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts import records
from contracts.topics import TEST_RESULTS, message
from gateway.ingest import junit
from gateway.ingest.refusal import Refusal
from gateway.ingest.row import Row
from tests.unit.fuzz.mutation import ENCODINGS

WRITTEN_MS = 1_796_000_000_000
START_MS = 1_795_168_800_000  # 2026-11-20T10:00:00Z
REPORT = records.TestReportPart(project="acme/app", run="7", job="test", report="r.xml", k=1, n=1, tests=[])


def read(text: str | bytes) -> list[Row | Refusal]:
    """The rows of one file."""
    data = text.encode() if isinstance(text, str) else text
    return list(junit.read(io.BytesIO(data), "r.xml", REPORT, WRITTEN_MS))


def executions_of(text: str | bytes) -> list[records.TestExecution]:
    """The tests of a file that is taken whole."""
    found = []
    for row in read(text):
        assert isinstance(row, Row), row
        found += row.record.tests
    return found


def case(inner: str = "", attributes: str = 'classname="C" name="n"', suite: str = 'name="s"') -> str:
    """A file with one testcase."""
    return f"<testsuites><testsuite {suite}><testcase {attributes}>{inner}</testcase></testsuite></testsuites>"


def refused(data: str | bytes) -> Refusal:
    """The refusal of a file that is refused as a whole."""
    (row,) = read(data)
    assert isinstance(row, Refusal), row
    return row


@pytest.mark.parametrize(
    ("inner", "outcomes"),
    [
        ("", ["pass"]),
        ('<failure message="m">text</failure>', ["fail"]),
        ("<error/>", ["error"]),
        ("<skipped/>", ["skip"]),
        ("<error/><failure/>", ["fail"]),
        ("<skipped/><failure/>", ["fail"]),
        ('<skipped type="todo"/><failure/>', ["skip"]),
        ("<flakyFailure/><flakyError/>", ["fail", "error", "pass"]),
        ("<failure/><rerunFailure/><rerunError/>", ["fail", "fail", "error"]),
        ("<system-out>noise</system-out><properties><property name='a' value='b'/></properties>", ["pass"]),
    ],
)
def test_children_tell_outcomes_and_reruns_are_repetitions_in_order(inner: str, outcomes: list[str]) -> None:
    found = executions_of(case(inner))
    assert [test.outcome for test in found] == outcomes
    assert [test.repetition for test in found] == list(range(len(outcomes)))


def test_the_testcases_time_is_the_final_execution_s_and_others_have_their_own_or_none() -> None:
    found = executions_of(case('<flakyFailure/><flakyError time="0.5"/>', 'classname="C" name="n" time="1.5"'))
    assert [test.duration_ms for test in found] == [None, 500, 1500]


def test_a_googletest_case_that_did_not_run_is_skipped() -> None:
    assert executions_of(case(attributes='name="n" status="notrun"'))[0].outcome == "skip"


def test_testcases_of_one_name_are_repetitions_and_suites_nest() -> None:
    inner = '<testcase classname="C" name="n"/><testcase classname="C" name="n"><failure/></testcase>'
    found = executions_of(
        f'<testsuite name="a"><testsuite name="b">{inner}</testsuite><testcase name="n"/></testsuite>'
    )
    assert [(test.test, test.repetition, test.outcome) for test in found] == [
        ("a/b::C::n", 0, "pass"),
        ("a/b::C::n", 1, "fail"),
        ("a::::n", 0, "pass"),
    ]


def test_an_outcome_within_an_unknown_element_costs_the_next_testcase_nothing() -> None:
    cases = '<testcase name="a"><x><failure/></x></testcase><testcase name="b"><error/></testcase>'
    assert [test.outcome for test in executions_of(f"<testsuite>{cases}</testsuite>")] == ["fail", "error"]


def test_message_and_details_come_from_attribute_text_and_stack_trace_alone() -> None:
    inner = "a<stackTrace>b</stackTrace><system-out>no</system-out>"
    (test, _) = executions_of(case(f'<flakyFailure message="boom" type="E">{inner}</flakyFailure>'))
    assert (test.message, test.details) == ("boom", "ab")
    assert executions_of(case('<failure type="E">text</failure>'))[0].message == "E"
    assert executions_of(case("<failure>\n one\n two</failure>"))[0].message == "one"


def test_what_a_test_printed_tells_of_a_failure_that_has_no_text_and_of_nothing_else() -> None:
    printed = "<system-out>o</system-out><system-err>e</system-err>"
    assert executions_of(case("<failure/>" + printed))[0].details == "oe"
    assert executions_of(case(printed + "<error>text</error>"))[0].details == "text"
    assert [test.details for test in executions_of(case("<flakyError/>" + printed))] == [None, None]
    assert executions_of(case("<skipped/>" + printed))[0].details is None
    assert len(executions_of(case(f"<failure/><system-out>{'o' * 20_000}</system-out>"))[0].details or "") == 16_384


def test_a_test_finishes_when_its_suite_began_plus_the_durations_so_far() -> None:
    cases = '<testcase name="a" time="1.5"/><testcase name="b" time="1,000.5"/>'
    found = executions_of(f'<testsuite timestamp="2026-11-20T10:00:00">{cases}</testsuite>')
    assert [test.finished_ms - START_MS for test in found] == [1_500, 1_002_000]


@pytest.mark.parametrize("timestamp", ["", "yesterday", "1970-01-01T00:00:00", "9999-99-99", "2099-01-01T00:00:00"])
def test_without_a_usable_time_a_test_finished_when_the_file_was_written(timestamp: str) -> None:
    assert executions_of(case(suite=f'name="s" timestamp="{timestamp}"'))[0].finished_ms == WRITTEN_MS


def test_a_testcase_without_a_name_is_refused_and_the_rest_is_taken() -> None:
    bad, good = read('<testsuite>\n<testcase time="1"/><testcase name="n"/></testsuite>')
    assert isinstance(bad, Refusal)
    assert (bad.place, bad.field) == ("line 2", "name")
    assert isinstance(good, Row)
    assert len(good.record.tests) == 1


def test_a_long_name_is_cut_and_still_told_apart() -> None:
    ids = {junit.identity("s", "c", "n" * 1000 + end) for end in "ab"}
    assert len(ids) == 2
    assert {len(one) for one in ids} == {500}


def test_parameters_are_kept_apart_and_control_characters_in_a_name_are_escaped() -> None:
    (test,) = executions_of(case(attributes='name="t[a&#10;b]"'))
    assert (test.test, test.name, test.params) == ("s::::t[a\\nb]", "t", "a\nb")


@pytest.mark.parametrize(
    ("name", "bare", "params"),
    [
        ("test_x[3-a]", "test_x", "3-a"),
        ("test_x[[1, 2]-a b]", "test_x", "[1, 2]-a b"),
        ("testCompute[0: fib(0)=0]", "testCompute", "0: fib(0)=0"),
        ("parse(String, int)[12]", "parse(String, int)", "12"),
        ("test2{String}[1]", "test2{String}", "1"),
        ("Acme.Adds(x: 1, y: &quot;(a)&quot;)", "Acme.Adds", 'x: 1, y: "(a)"'),
        ("testAdd with data set #0", "testAdd", "#0"),
        ("testAdd with data set &quot;two zeros&quot; (0, 0)", "testAdd", '"two zeros" (0, 0)'),
        ("adds 1 + 2 to equal 3", "adds 1 + 2 to equal 3", None),
        ("returns [1, 2]", "returns [1, 2]", None),
        ("[1] a", "[1] a", None),
        ("add(int, int)", "add(int, int)", None),
        ("TestParse/empty_input", "TestParse/empty_input", None),
    ],
)
def test_parameters_are_told_where_the_form_leaves_no_doubt_and_the_identity_keeps_them(
    name: str, bare: str, params: str | None
) -> None:
    (test,) = executions_of(case(attributes=f'name="{name}"'))
    assert (test.name, test.params) == (bare, params)
    assert test.test == "s::::" + name.replace("&quot;", '"')


def test_a_googletest_with_a_value_has_its_index_apart() -> None:
    (test,) = executions_of(case(attributes='name="Works/0" value_param="3" classname="Inst/Suite"'))
    assert (test.test, test.name, test.params) == ("s::Inst/Suite::Works/0", "Works", "0")


@pytest.mark.parametrize("piece", ["a[", "a(", "a{", "[a]", "(a)", "a: ", "with data set ", "/"])
def test_parameters_of_a_hostile_name_are_looked_for_once(piece: str) -> None:
    began = time.process_time()
    executions_of(case(attributes=f'name="x{piece * 100_000}" value_param=""'))
    assert time.process_time() - began < 2


@pytest.mark.parametrize("forbidden", [b"\x1b[31m", b"\x00", b"&#27;", b"&#x1b;", b"&#0;", b"&#xFFFF;", b"&#1114112;"])
def test_characters_that_xml_forbids_do_not_cost_the_report(forbidden: bytes) -> None:
    (test,) = executions_of(case("<failure>before|after</failure>").encode().replace(b"|", forbidden))
    assert test.details is not None
    assert (test.details[:6], test.details[-5:]) == ("before", "after")


def test_a_forbidden_reference_across_two_chunks_is_found() -> None:
    start = b'<testsuite><testcase name="n"><failure>'
    for offset in range(1, 8):
        pad = b"x" * (1_048_576 - len(start) - offset)
        (test,) = executions_of(start + pad + b"&#27;</failure></testcase></testsuite>")
        assert test.outcome == "fail"


def test_utf16_is_read() -> None:
    (test,) = executions_of(('<?xml version="1.0" encoding="utf-16"?>' + case(attributes='name="ü"')).encode("utf-16"))
    assert test.name == "ü"


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_an_encoding_that_is_not_known_refuses_the_file_by_name(encoding: bytes) -> None:
    begins = b'<?xml version="1.0" encoding="%s"?>' % encoding
    bad = refused(begins + case().encode())
    assert (bad.field, bad.reason[:5]) == ("encoding", "XML: ")
    assert encoding.decode() in bad.value
    assert refused(begins).field in ("encoding", "line"), "told when the file ends, too"


def test_a_large_report_comes_in_parts_that_say_how_many_they_are() -> None:
    rows = read("<testsuite>" + '<testcase name="n"/>' * 1201 + "</testsuite>")
    parts = [row.record for row in rows if isinstance(row, Row)]
    assert [(part.k, part.n, len(part.tests)) for part in parts] == [(1, 3, 500), (2, 3, 500), (3, 3, 201)]
    assert sorted(test.repetition for part in parts for test in part.tests) == list(range(1201))


def test_parts_stay_under_their_size_whatever_the_texts() -> None:
    failing = f'<testcase name="n"><failure message="{"ü" * 5000}">{"&quot;" * 20_000}</failure></testcase>'
    rows = read("<testsuite>" + failing * 40 + "</testsuite>")
    sizes = [len(msgspec.json.encode(row.record.tests)) for row in rows if isinstance(row, Row)]
    assert len(sizes) > 2
    assert max(sizes) <= 262_144 + 1


def test_a_report_without_tests_is_one_empty_part() -> None:
    (row,) = read("<testsuites/>")
    assert isinstance(row, Row)
    assert (row.record.n, row.record.tests) == (1, [])


BOMB = '<!DOCTYPE a [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;">]><testsuite name="&b;"/>'
EXTERNAL = '<!DOCTYPE a [<!ENTITY a SYSTEM "file:///etc/passwd">]><testsuite name="&a;"/>'


@pytest.mark.parametrize(
    ("data", "field"),
    [
        (BOMB, "document type"),
        (EXTERNAL, "document type"),
        ("<!DOCTYPE testsuite><testsuite/>", "document type"),
        ("<testsuite>" + "<a>" * 200_000, "depth"),
        (b'<testsuite name="' + b"a" * 10_000_000 + b'"/>', "tag"),
        (b"<testsuite " + b" ".join(b'a%d="1"' % at for at in range(500_000)) + b"/>", "tag"),
        (b"\x1f\x8b\x08\x00", "file"),
        (b"PK\x03\x04", "file"),
        ("<html/>", "root"),
        ("", "line"),
        ("<testsuite><testcase name='n'/>", "line"),
        (b"<testsuite name='\xff'/>", "line"),
        ("<testsuite>&nosuch;</testsuite>", "line"),
        ("<testsuite><testcase name='n'><failure>]]></failure></testcase></testsuite>", "line"),  # as Node.js 20 has it
        (b"<testsuite>" + b" " * (65 * 1_048_576), "file"),
    ],
    ids=lambda value: value if isinstance(value, str) and value.isalpha() else "data",
)
def test_a_hostile_or_broken_file_is_refused_whole_and_soon(data: str | bytes, field: str) -> None:
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.monotonic()
    assert refused(data).field == field
    assert time.monotonic() - began < 5, "seconds on a busy machine; 1 s on a quiet one"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb < 200_000


def test_more_tests_than_a_report_may_have_are_refused() -> None:
    many = "<testsuite>" + '<testcase name="n"/>' * (junit.MOST_TESTS + 1) + "</testsuite>"
    assert refused(many).field == "testcase"


TAGS = st.sampled_from(
    [
        "testsuites",
        "testsuite",
        "testcase",
        "failure",
        "error",
        "skipped",
        "flakyFailure",
        "rerunError",
        "system-out",
        "x",
    ]
)
ATTRIBUTES = st.dictionaries(
    st.sampled_from(["name", "classname", "time", "timestamp", "message", "type", "status"]),
    st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters='<&"\ufffe\uffff'), max_size=30)
    | st.sampled_from(["1e308", "inf", "-0", "1,2,3", "2026-11-20T10:00:00", "\t"]),
    max_size=4,
)


def xml(node: tuple[str, dict[str, str], list]) -> str:
    """The text of a tree."""
    tag, attributes, children = node
    told = "".join(f' {name}="{value}"' for name, value in attributes.items())
    return f"<{tag}{told}>text{''.join(map(xml, children))}</{tag}>"


TREES = st.recursive(
    st.tuples(TAGS, ATTRIBUTES, st.just([])),
    lambda inner: st.tuples(TAGS, ATTRIBUTES, st.lists(inner, max_size=4)),
    max_leaves=20,
)


@settings(max_examples=80, deadline=None)
@given(st.lists(TREES, max_size=5))
def test_every_tree_of_known_tags_gives_parts_that_keep_the_contract(trees: list) -> None:
    for row in read(xml(("testsuite", {}, trees))):
        if isinstance(row, Row):
            written = message(TEST_RESULTS, row.record, namespace="", source="/t").value
            assert records.decode(records.TestReportPart, written) == row.record
            seen = [(test.test, test.repetition) for test in row.record.tests]
            assert len(seen) == len(set(seen)), "two executions of one identity"


@settings(max_examples=80, deadline=None)
@given(st.binary(max_size=200), st.sampled_from([b"", b"<testsuite>", b'<testsuite><testcase name="a">']))
def test_no_bytes_raise(data: bytes, start: bytes) -> None:
    assert all(isinstance(row, Row | Refusal) for row in read(start + data))


def test_names_of_suites_are_looked_at_once_however_long_and_however_many_tests() -> None:
    name = "s" * 400_000
    many = "".join(f'<testcase name="t{at}"/>' for at in range(20_000))
    found = executions_of(f'<testsuite name="{name}"><testsuite name="{name}">{many}</testsuite></testsuite>')
    assert len({test.test for test in found}) == 20_000
    one = '<testcase name="t0"/>'
    other = executions_of(f'<testsuite name="{name}x"><testsuite name="{name}">{one}</testsuite></testsuite>')
    assert other[0].test != found[0].test


def test_outcomes_of_one_testcase_are_counted() -> None:
    assert refused(case("<error/>" * (junit.MOST_TOLD + 1))).field == "error"
