"""JUnit as real tools wrote it: every attempt of every test of the projects in tests/fixtures/junit arrives.

What is expected was written from what the projects do, and from what their tools can tell of it.
"""

import csv
import io
from pathlib import Path

import pytest

from contracts import records
from gateway.ingest import junit
from gateway.ingest.row import Row

FIXTURES = Path(__file__).parents[3] / "fixtures" / "junit"
_MADE = csv.reader((FIXTURES / "made.csv").read_text().splitlines())
MADE = {file: (int(began), int(ended)) for file, began, ended in _MADE}
REPORT = records.TestReportPart(project="acme/app", run="7", job="test", report="r.xml", k=1, n=1, tests=[])

PASS, FAIL, ERROR, SKIP = ["pass"], ["fail"], ["error"], ["skip"]
ODD = ["1", "two", "a/b::c[d]", "ä☃😀", "<&>\"'"]


def each(form: str, values: list[str], two: list[str]) -> dict[str, list[str]]:
    """A test with parameters, which does not like "two"."""
    return {form.replace("@", value): two if value == "two" else PASS for value in values}


PYTEST = {
    "pytest::::test_broken_module": ERROR,
    "pytest::test_story::test_passes": PASS,
    "pytest::test_story::test_takes_its_time": PASS,
    "pytest::test_story::test_fails": FAIL,  # pytest writes the last attempt alone
    "pytest::test_story::test_errors": ERROR,
    "pytest::test_story::test_passes_and_leaves_a_mess": ERROR,
    "pytest::test_story::test_fails_and_leaves_a_mess": ["fail", "error"],  # two testcases: the test and its teardown
    "pytest::test_story::test_skipped": SKIP,
    "pytest::test_story::test_expected_to_fail": SKIP,
    "pytest::test_story::test_expected_to_fail_and_passes": FAIL,
    "pytest::test_story::test_flaky": PASS,
    **each(
        "pytest::test_story::test_with[@]",
        ["1", "two", "a/b::c[d]", "\\xe4\\u2603\\U0001f600", "<&>\"'", "line\\nbreak", "\\x00\\x1b"],
        FAIL,
    ),
    "pytest::test_story.TestOfAClass.TestWithin::test_in_a_class": PASS,
}

EXPECTED = {
    "pytest/xunit1.xml": PYTEST,
    "pytest/xunit2.xml": PYTEST,
    "surefire/StoryTest.xml": {
        "story.StoryTest::story.StoryTest::passes": PASS,
        "story.StoryTest::story.StoryTest::takesItsTime": PASS,
        "story.StoryTest::story.StoryTest::fails": ["fail", "fail", "fail"],
        "story.StoryTest::story.StoryTest::errors": ["error", "error", "error"],
        "story.StoryTest::story.StoryTest::skipped": SKIP,
        "story.StoryTest::story.StoryTest::failsOnceAndThenPasses": ["fail", "pass"],
        "story.StoryTest::story.StoryTest::errorsOnceThenFailsThenPasses": ["error", "fail", "pass"],
        **{f"story.StoryTest::story.StoryTest::with(String)[{at}]": PASS for at in (1, 3, 4, 5, 6)},
        "story.StoryTest::story.StoryTest::with(String)[2]": ["fail", "fail", "fail"],
        "story.StoryTest::story.StoryTest::displayName": PASS,
    },
    "surefire/BrokenTest.xml": {"story.BrokenTest::story.BrokenTest::": ["error", "error", "error"]},
    "surefire/NestedTest.xml": {},  # its tests stand in the file of the class within
    "surefire/NestedTest$Within.xml": {
        "story.NestedTest$Within::story.NestedTest::outside": PASS,
        "story.NestedTest$Within::story.NestedTest$Within::inside": PASS,
        "story.NestedTest$Within::story.NestedTest$Within::failsOnceAndThenPasses": ["fail", "pass"],
    },
    "gradle/StoryTest.xml": {
        "story.StoryTest::story.StoryTest::passes": PASS,
        "story.StoryTest::story.StoryTest::takesItsTime": PASS,
        "story.StoryTest::story.StoryTest::fails": FAIL,
        "story.StoryTest::story.StoryTest::errors": FAIL,  # Gradle tells no errors
        "story.StoryTest::story.StoryTest::skipped": SKIP,
        "story.StoryTest::story.StoryTest::assumesTooMuch": SKIP,
    },
    "gradle/WithTest.xml": each(
        "story.WithTest::story.WithTest::with[@]", ["1", "two", "a/b::c[d]", "ä☃??", "<&>\"'"], FAIL
    ),
    "gradle/BrokenTest.xml": {"story.BrokenTest::story.BrokenTest::classMethod": FAIL},
    "jest/junit.xml": {
        "undefined:: passes:: passes": PASS,
        "undefined:: takes its time:: takes its time": PASS,
        "undefined:: fails:: fails": FAIL,  # jest-junit writes the last attempt alone
        "undefined:: skipped:: skipped": SKIP,
        "undefined:: to do:: to do": PASS,  # it is not told apart from a pass
        "undefined:: flaky:: flaky": PASS,
        **each("undefined::a class with [@]::a class with [@]", [*ODD, "line break"], FAIL),
        "undefined::a class within in a class::a class within in a class": PASS,
    },
    "vitest/junit.xml": {
        "broken.test.js::broken.test.js::broken.test.js": FAIL,
        "story.test.js::story.test.js::passes": PASS,
        "story.test.js::story.test.js::takes its time": PASS,
        "story.test.js::story.test.js::fails": FAIL,  # the errors of all attempts, not told apart from several of one
        "story.test.js::story.test.js::skipped": SKIP,
        "story.test.js::story.test.js::to do": SKIP,
        "story.test.js::story.test.js::flaky": PASS,
        **each("story.test.js::story.test.js::a class > with [@]", [*ODD, "line break"], FAIL),
        "story.test.js::story.test.js::a class > within > in a class": PASS,
    },
    "playwright/junit.xml": {
        "story.spec.js::story.spec.js::passes": PASS,
        "story.spec.js::story.spec.js::takes its time": PASS,
        "story.spec.js::story.spec.js::fails": ["error", "error", "error"],
        "story.spec.js::story.spec.js::skipped": SKIP,
        "story.spec.js::story.spec.js::flaky": ["error", "pass"],
        **each("story.spec.js::story.spec.js::a class › with [@]", [*ODD, "line break"], ["fail", "fail", "fail"]),
    },
    "node/junit.xml": {
        "::test::passes": PASS,
        "::test::takes its time": PASS,
        "::test::fails": FAIL,
        "::test::errors": FAIL,  # Node.js tells no errors
        "::test::skipped": SKIP,
        "::test::to do": SKIP,  # it fails, as is known
        **each("a class::test::with [@]", [*ODD[:4], "<&>&quot;'", "linebreak"], FAIL),  # as it writes them
        "with steps::test::first": PASS,
        "with steps::test::second": FAIL,
    },
    "gotestsum/reruns.xml": {
        "example.org/story::example.org/story::TestPasses": PASS,
        "example.org/story::example.org/story::TestTakesItsTime": PASS,
        "example.org/story::example.org/story::TestFails": ["fail", "fail", "fail"],
        "example.org/story::example.org/story::TestSkipped": SKIP,
        "example.org/story::example.org/story::TestFlaky": ["fail", "pass"],
        "example.org/story::example.org/story::TestWith": ["fail", "fail", "fail"],
        **each("example.org/story::example.org/story::TestWith/@", [*ODD, "line_break"], ["fail", "fail", "fail"]),
    },
    "gotestsum/broken.xml": {
        "example.org/story/broken::::TestMain": FAIL,
        "example.org/story/panics::example.org/story/panics::TestPanics": FAIL,
    },
    "ctest/junit.xml": {
        "(empty)::passes::passes": PASS,
        "(empty)::takes_its_time::takes_its_time": PASS,
        "(empty)::fails::fails": FAIL,  # CTest writes the last attempt alone
        "(empty)::errors::errors": SKIP,  # a program that is not there was not run
        "(empty)::skipped::skipped": SKIP,
        "(empty)::disabled::disabled": SKIP,
        "(empty)::flaky::flaky": PASS,
        "(empty)::too_slow::too_slow": FAIL,
        "(empty)::with[ä☃ <&>'::]::with[ä☃ <&>'::]": PASS,
        "(empty)::crashes::crashes": FAIL,
    },
    "googletest/junit.xml": {
        "Story::Story::Passes": PASS,
        "Story::Story::TakesItsTime": PASS,
        "Story::Story::Fails": FAIL,  # two of its expectations, in one attempt
        "Story::Story::Errors": FAIL,  # GoogleTest tells no errors
        "Story::Story::Skipped": SKIP,
        "Story::Story::DISABLED_NotRun": SKIP,
        "Each/With::Each/With::Values/0": PASS,
        "Each/With::Each/With::Values/1": FAIL,
        "Each/With::Each/With::Values/2": PASS,
    },
    "phpunit/junit.xml": {
        "/work/phpunit/StoryTest::StoryTest::testPasses": PASS,
        "/work/phpunit/StoryTest::StoryTest::testTakesItsTime": PASS,
        "/work/phpunit/StoryTest::StoryTest::testFails": FAIL,
        "/work/phpunit/StoryTest::StoryTest::testErrors": ERROR,
        "/work/phpunit/StoryTest::StoryTest::testSkipped": SKIP,
        "/work/phpunit/StoryTest::StoryTest::testIncomplete": SKIP,
        "/work/phpunit/StoryTest::StoryTest::testRisky": ERROR,
        **{
            f"/work/phpunit/StoryTest/StoryTest::testWith::StoryTest::testWith with data set {value}": outcomes
            for value, outcomes in {
                '"one"': PASS, '"two"': FAIL, '"odd ä☃<&>"\'"': PASS, "#0": PASS,
            }.items()
        },
    },
}  # fmt: skip


def read(file: str) -> list[records.TestExecution]:
    """The tests of a fixture, which is taken whole, in the order of their parts."""
    _, written_ms = MADE[file]
    tests = []
    for row in junit.read(io.BytesIO((FIXTURES / file).read_bytes()), file, REPORT, written_ms):
        assert isinstance(row, Row), row
        tests += row.record.tests
    return tests


def test_every_fixture_is_expected_and_none_is_missing() -> None:
    there = {path.relative_to(FIXTURES).as_posix() for path in FIXTURES.glob("*/*.xml")}
    assert there == set(EXPECTED) == set(MADE)


@pytest.mark.parametrize("file", EXPECTED)
def test_every_attempt_arrives_in_order_and_none_is_made_up(file: str) -> None:
    arrived: dict[str, dict[int, str]] = {}
    for test in read(file):
        attempts = arrived.setdefault(test.test, {})
        assert test.repetition not in attempts, "two executions of one identity"
        attempts[test.repetition] = test.outcome
    assert {test: [attempts[at] for at in range(len(attempts))] for test, attempts in arrived.items()} == EXPECTED[file]


@pytest.mark.parametrize("file", EXPECTED)
def test_what_broke_says_why(file: str) -> None:
    silent = {
        test.test for test in read(file) if test.outcome in ("fail", "error") and not (test.message and test.details)
    }
    # CTest tells no message, and has no more than what the program printed
    of_ctest = {f"(empty)::{name}::{name}" for name in ("fails", "too_slow", "crashes")}
    assert silent == (of_ctest if file == "ctest/junit.xml" else set())


def test_what_a_program_under_ctest_printed_tells_why_it_failed() -> None:
    told = {test.name: test.details for test in read("ctest/junit.xml")}
    assert (told["fails"], told["too_slow"], told["passes"]) == ("two is not three", None, None)


@pytest.mark.parametrize("file", EXPECTED)
def test_a_test_takes_the_time_that_it_took(file: str) -> None:
    took_ms = {test.name: test.duration_ms or 0 for test in read(file)}
    slow = {name: ms for name, ms in took_ms.items() if name and "its" in name.lower() and "time" in name.lower()}
    assert all(250 <= ms < 500 for ms in slow.values()), slow
    assert len(slow) == any("its" in test.lower() for test in EXPECTED[file])
    assert all(ms < 250 for name, ms in took_ms.items() if name not in slow and name != "too_slow")


def test_playwright_s_attempts_have_their_own_durations() -> None:
    assert all(test.duration_ms is not None for test in read("playwright/junit.xml") if test.outcome != "skip")


@pytest.mark.parametrize("file", EXPECTED)
def test_a_test_finished_while_its_tool_ran(file: str) -> None:
    began_ms, ended_ms = MADE[file]
    late = [test for test in read(file) if not began_ms - 1_000 <= test.finished_ms <= ended_ms + 1_000]
    assert not late, [(test.test, test.finished_ms - ended_ms) for test in late]
