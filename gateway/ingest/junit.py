"""JUnit XML, streamed: a report in parts of at most 500 tests and 256 KB.

Dialects: a root of `testsuites` or `testsuite`, suites in suites; reruns as children of a testcase (`flakyFailure` and
`flakyError` came before a pass, `rerunFailure` and `rerunError` after the first failure) or as testcases of one name:
each is a repetition, in order; tests/fixtures/junit has what real tools write. A test is called
`suites::classname::name`, the suites from the outermost joined by "/", parameters included; a name over 500 characters
is cut and told apart by a hash of the whole. A test finished when its suite began plus the durations so far; where the
suite tells no usable time, when the file was written.

Nothing of the file is believed until its last byte was read: half a report would look like a whole one. A document
type, entities, depth, size and number of tests beyond the limits refuse the file; characters that XML forbids are left
out, since runners write them.
"""

import re
import tempfile
from collections import Counter
from collections.abc import Iterator
from typing import BinaryIO
from xml.sax.handler import ContentHandler
from xml.sax.xmlreader import AttributesImpl

import msgspec
from msgspec import Struct

from contracts.errors import BadRecord
from contracts.records import (
    EARLIEST_MS,
    FUTURE_MS,
    LONGEST_DETAILS,
    LONGEST_ID,
    LONGEST_MESSAGE,
    LONGEST_NAME,
    LONGEST_SUITE,
    TestExecution,
    TestOutcome,
    TestReportPart,
)
from gateway.ingest.csv import epoch_ms
from gateway.ingest.parameters import apart
from gateway.ingest.parts import parts
from gateway.ingest.refusal import Refusal, refusal, refused
from gateway.ingest.row import Row
from gateway.ingest.shortened import shortened
from gateway.ingest.xml import feed

MOST_TESTS = 150_000
MOST_TOLD = 1_000
DEEPEST = 64
LONGEST_DURATION_MS = 30 * 86_400_000

_IN_MEMORY = 8 * 1_048_576
_ZONE = re.compile(r"(Z|[+-]\d\d:?\d\d)\s*$", re.IGNORECASE)

_BEFORE_A_PASS: dict[str, TestOutcome] = {"flakyFailure": "fail", "flakyError": "error"}
_AFTER_A_FAILURE: dict[str, TestOutcome] = {"rerunFailure": "fail", "rerunError": "error"}
_FINAL: dict[str, TestOutcome] = {"failure": "fail", "error": "error", "skipped": "skip"}
_TESTS = msgspec.json.Decoder(list[TestExecution])
_OUTCOMES = {**_BEFORE_A_PASS, **_AFTER_A_FAILURE, **_FINAL}


class _Text(Struct):
    """What stands in an element, as far as it is kept."""

    pieces: list[str] = []
    room: int = LONGEST_DETAILS

    def add(self, text: str) -> None:
        if self.room > 0:
            self.pieces.append(text[: self.room])
            self.room -= len(text)

    def whole(self) -> str:
        return "".join(self.pieces).strip()


class _Told(Struct):
    """One child of a testcase that tells of an outcome; `time` is written for an attempt by some."""

    tag: str
    message: str
    type: str
    time: str
    text: _Text


class _Case(Struct):
    """One testcase while it is read, and what it printed."""

    attributes: dict[str, str]
    told: list[_Told] = []
    printed: _Text | None = None


class _Suite(Struct):
    """One open suite: what it and those around it are called, and the time up to which its tests have run, if known."""

    path: str
    at_ms: int | None


def read(stream: BinaryIO, file: str, report: TestReportPart, written_ms: int) -> Iterator[Row | Refusal]:
    """The parts of one JUnit file.

    `report` says whose it is (its k, n and tests are replaced); `written_ms` is when the file was written.
    """
    with tempfile.SpooledTemporaryFile(_IN_MEMORY) as spool:
        tests = _Tests(file, written_ms)
        sizes: list[int] = []
        try:
            for is_last in feed(stream, tests):
                yield from tests.refusals
                tests.refusals.clear()
                sizes += [spool.write(part) for part in _full_parts(tests, is_last=is_last)]
        except BadRecord as bad:
            yield refused(file, tests.place(), bad)
            return
        spool.seek(0)
        for k, size in enumerate(sizes, start=1):
            part_tests = _TESTS.decode(spool.read(size))
            record = msgspec.structs.replace(report, k=k, n=len(sizes), tests=part_tests)
            yield Row(file=file, place=f"part {k} of {len(sizes)}", record=record)


def identity(suites: str, classname: str, name: str) -> str:
    """What a test is called, the same in every report.

    >>> identity("pytest", "tests.test_a", "test_b[1]")
    'pytest::tests.test_a::test_b[1]'
    """
    return short(_printable("::".join((suites, classname, name))))


def duration_ms(text: str) -> int | None:
    """Seconds as runners write them, in ms; None where that is no time a test can take.

    >>> [duration_ms(text) for text in ("0.0125", "1,234.5", "1,234", "0,5", "-1", "NaN", "")]
    [12, 1234500, 1234000, 500, None, None, None]
    """
    text = text.strip()
    if "," in text:
        thousands = "." in text or re.fullmatch(r"[1-9]\d{0,2}(,\d{3})+", text)
        text = text.replace(",", "" if thousands else ".")
    try:
        found = float(text) * 1000
    except ValueError:
        return None
    return round(found) if 0 <= found <= LONGEST_DURATION_MS else None


class _Tests(ContentHandler):
    """Turns the events of the parser into tests; remembers open suites, the open testcase and what was seen."""

    def __init__(self, file: str, written_ms: int) -> None:
        super().__init__()
        self.refusals: list[Refusal] = []
        self.done: list[TestExecution] = []
        self._file, self._written_ms = file, written_ms
        self._open: list[str] = []
        self._suites: list[_Suite] = []
        self._case: _Case | None = None
        self._told: _Told | None = None
        self._told_within = 0
        self._seen: Counter[str] = Counter()
        self._count = 0
        self._locator: object = None

    def place(self) -> str:
        """Where the parser stands."""
        line = getattr(self._locator, "getLineNumber", lambda: None)()
        return f"line {line}" if line else "the file"

    def setDocumentLocator(self, locator: object) -> None:  # noqa: N802 - the parser's name
        self._locator = locator

    def startElement(self, name: str, attrs: AttributesImpl) -> None:  # noqa: N802 - the parser's name
        tag = name.rpartition(":")[2]
        if not self._open and tag not in ("testsuites", "testsuite"):
            raise BadRecord("root", name, "is neither testsuites nor testsuite")
        if len(self._open) >= DEEPEST:
            raise BadRecord("depth", len(self._open) + 1, f"levels are more than {DEEPEST}")
        self._open.append(tag)
        if tag == "testsuite":
            outer = self._suites[-1] if self._suites else _Suite("", None)
            own_ms, name = self._began(attrs.get("timestamp", "")), _printable(attrs.get("name", ""))
            # cut here, once: each of its tests would have to look at the whole of it again
            path = short("/".join(part for part in (outer.path, name) if part))
            self._suites.append(_Suite(path, own_ms if own_ms is not None else outer.at_ms))
        elif tag == "testcase" and self._case is None:
            self._case = _Case(dict(attrs.items()))
        elif tag in _OUTCOMES and self._case is not None and self._told is None:
            if len(self._case.told) == MOST_TOLD:
                raise BadRecord(tag, MOST_TOLD, "outcomes are the most a testcase may have")
            self._told = _Told(tag, attrs.get("message", ""), attrs.get("type", ""), attrs.get("time", ""), _Text())
            self._told_within = len(self._open) - 1
            self._case.told.append(self._told)

    def characters(self, content: str) -> None:
        is_printed = self._open[-1] in ("system-out", "system-err")
        if self._told is not None and not is_printed:
            self._told.text.add(content)
        elif is_printed and self._case is not None and self._told is None:
            self._case.printed = self._case.printed or _Text()
            self._case.printed.add(content)

    def endElement(self, _name: str) -> None:  # noqa: N802 - the parser's name
        tag = self._open.pop()
        if tag == "testsuite":
            self._suites.pop()
        elif tag == "testcase" and self._case is not None and "testcase" not in self._open:
            self._finish(self._case)
            self._case = None
        elif self._told is not None and len(self._open) == self._told_within:
            self._told = None

    def _finish(self, case: _Case) -> None:
        name, classname = case.attributes.get("name", ""), case.attributes.get("classname", "")
        if not (name or classname):
            self.refusals.append(refusal(self._file, self.place(), "name", case.attributes, "testcase without a name"))
            return
        suites = self._suites[-1].path if self._suites else ""
        test = identity(suites, classname, name)
        took_ms = duration_ms(case.attributes.get("time", ""))
        finished_ms = self._finished_ms(self._began(case.attributes.get("timestamp", "")), took_ms)
        bare, params = apart(name, case.attributes)
        for outcome, told, is_final in _executions(case):
            self._count += 1
            if self._count > MOST_TESTS:
                raise BadRecord("testcase", MOST_TESTS, "tests are the most a report may have")
            message, details = _said(case, told, is_final=is_final)
            self.done.append(
                TestExecution(
                    test=test,
                    outcome=outcome,
                    finished_ms=finished_ms,
                    suite=suites[:LONGEST_SUITE] or None,
                    classname=classname[:LONGEST_SUITE] or None,
                    name=bare[:LONGEST_NAME] or None,
                    params=params if params is None else params[:LONGEST_NAME],
                    repetition=self._seen[test],
                    duration_ms=took_ms if is_final or told is None else duration_ms(told.time),
                    message=message[:LONGEST_MESSAGE] or None,
                    details=details or None,
                )
            )
            self._seen[test] += 1

    def _began(self, text: str) -> int | None:
        """What the file says. A time without a zone may be any place's: after the file was written it tells nothing."""
        at_ms = _time(text)
        if at_ms is not None and at_ms > self._written_ms + FUTURE_MS and not _ZONE.search(text):
            return None
        return at_ms

    def _finished_ms(self, own_ms: int | None, took_ms: int | None) -> int:
        if own_ms is not None:
            return own_ms + (took_ms or 0)
        suite = self._suites[-1] if self._suites else None
        if suite is None or suite.at_ms is None:
            return self._written_ms
        suite.at_ms += took_ms or 0
        return suite.at_ms


def _executions(case: _Case) -> Iterator[tuple[TestOutcome, _Told | None, bool]]:
    """Outcome, what was told, and whether the testcase's time is this one's, in the order in which they ran."""
    worst = min((told for told in case.told if told.tag in _FINAL), key=_rank, default=None)
    for told in case.told:
        if told.tag in _BEFORE_A_PASS:
            yield _OUTCOMES[told.tag], told, False
    if worst is not None:
        yield _OUTCOMES[worst.tag], worst, True
    elif not any(told.tag in _AFTER_A_FAILURE for told in case.told):
        not_run = case.attributes.get("status", "").lower() in ("notrun", "skipped", "disabled", "ignored")
        yield "skip" if not_run else "pass", None, True
    for told in case.told:
        if told.tag in _AFTER_A_FAILURE:
            yield _OUTCOMES[told.tag], told, False


def _rank(told: _Told) -> int:
    """The worst tells the outcome; but a test that is still to be written may fail, as Node.js tells it."""
    return -1 if told.tag == "skipped" and told.type == "todo" else list(_FINAL).index(told.tag)


def _said(case: _Case, told: _Told | None, *, is_final: bool) -> tuple[str, str]:
    """Message and details. Some runners write a failure's text alone (jest-junit), or its output alone (CTest)."""
    if told is None:
        return "", ""
    details = told.text.whole()
    message = told.message or told.type or details.partition("\n")[0]
    if not details and is_final and told.tag != "skipped" and case.printed is not None:
        details = case.printed.whole()
    return message, details


def _full_parts(tests: _Tests, *, is_last: bool) -> Iterator[bytes]:
    """Takes the tests that fill whole parts (all, at the last) and gives the JSON of each part."""
    *full, left = parts(tests.done)
    tests.done = [] if is_last else left
    yield from map(msgspec.json.encode, [*full, left] if is_last else full)


def _time(text: str) -> int | None:
    try:
        found = epoch_ms("timestamp", text)
    except BadRecord:
        return None
    return found if found >= EARLIEST_MS else None


def short(whole: str) -> str:
    """At most LONGEST_ID characters; what is cut is told apart by a hash of the whole."""
    return shortened(whole, LONGEST_ID, whole)


def _printable(text: str) -> str:
    """Control characters as Python writes them: a name is one line."""
    return re.sub(r"[\x00-\x1f\x7f]", lambda found: repr(found[0])[1:-1], text)
