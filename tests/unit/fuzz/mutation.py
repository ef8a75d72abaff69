"""What hostile or broken senders make of good bytes, and what must hold whatever they send."""

import re
import sys
from collections.abc import Callable, Iterator
from types import FrameType

from hypothesis import strategies as st

from contracts.records import decode, encode
from gateway.ingest.refusal import LONGEST_REASON, LONGEST_VALUE, Refusal
from gateway.ingest.row import LARGEST_VALUE, Row

Rows = list[Row | Refusal]

_PIECE = re.compile(rb"<[^<>]*>|[{}\[\],:\n]|[^<>{}\[\],:\n]+")
ENCODINGS = [
    b"Shift_JIS", b"Big5", b"UTF-7", b"UTF-32", b"foo", b"rot13", b"hex", b"idna", b"punycode", b"undefined",
]  # fmt: skip
"""Expat knows none of these, and Python's codecs refuse each in their own way."""
_STRANGE = [
    b"", b"\x00", b"\xff", b"\xef\xbb\xbf", b"&#27;", b"&#x110000;", b"&a;", b"]]>", b"<![CDATA[", b"<!--", b"\r\n",
    b"<!DOCTYPE a>", b'<?xml version="1.0" encoding="utf-16"?>', b"<testsuite>", b"</testsuite>", b"</testcase>",
    b"<testcase name='n'>", b"<flakyError>", b"<rerunFailure/>", b"<skipped type='todo'/>", b'time="1e999"',
    b"{", b"}", b"[", b"]", b'"', b"null", b"-1", b"1e400", b"9" * 400, b'"\\ud800"', b'"\\u0000"', b"[" * 3_000,
    b"<a>" * 100,
    *(b'<?xml version="1.0" encoding="%s"?>' % encoding for encoding in ENCODINGS),
]  # fmt: skip

MUTATIONS = st.lists(
    st.tuples(
        st.sampled_from(["flip", "cut", "drop", "double", "nest", "move", "put"]),
        st.integers(0, 10_000),
        st.integers(1, 60),
        st.sampled_from(_STRANGE),
    ),
    min_size=1,
    max_size=6,
)


def mutated(data: bytes, mutations: list[tuple[str, int, int, bytes]]) -> bytes:
    """`data` after each mutation: what it is done to, in ten-thousandths of the whole, and over how many pieces."""
    for kind, share, count, strange in mutations:
        if kind in ("flip", "cut"):
            at = share * len(data) // 10_001
            rest = b"" if kind == "cut" else bytes(one ^ count for one in data[at : at + 1]) + data[at + 1 :]
            data = data[:at] + rest
            continue
        pieces = _PIECE.findall(data)
        at = share * len(pieces) // 10_001
        before, these, after = pieces[:at], pieces[at : at + count], pieces[at + count :]
        changed = {
            "drop": [*before, *after],
            "double": [*before, *these, *these, *after],
            "nest": [*before, b"<testsuite name='in'><testcase name='in'>", *these, b"</testcase></testsuite>", *after],
            "move": [*these, *before, *after],
            "put": [*before, strange, *these, *after],
        }
        data = b"".join(changed[kind])
    return data


def sound(read: Callable[[], Iterator[Row | Refusal]]) -> Rows:
    """The rows and refusals of a reader, the same when it reads again, each of them as its contract has it."""
    rows = list(read())
    assert rows == list(read()), "the same bytes gave other rows"
    for one in rows:
        if isinstance(one, Refusal):
            assert len(one.value) <= LONGEST_VALUE
            assert len(one.reason) <= LONGEST_REASON
            encode(one)  # it goes into an answer
        else:
            written = encode(one.record)
            assert len(written) <= LARGEST_VALUE
            assert decode(type(one.record), written) == one.record
    return rows


def calls(of: Callable[[], object]) -> int:
    """How many functions are called meanwhile: a measure of work that is the same on every machine."""
    count = 0

    def seen(_: FrameType, event: str, __: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(seen)
    try:
        of()
    finally:
        sys.setprofile(before)
    return count
