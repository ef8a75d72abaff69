"""OTLP over HTTP: the same spans in both encodings, whatever the bytes are, and an answer that exporters read."""

import json
import resource
import time
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from contracts.errors import BadRecord
from gateway.ingest.answer import Answer
from gateway.ingest.otlp import JSON, LARGEST, LARGEST_PIECE, MOST_SPANS, PROTOBUF, read, told
from gateway.ingest.refusal import Refusal, refusal
from gateway.ingest.spans import Span
from tests.unit.gateway.ingest.otlp_requests import (
    BEGAN_MS,
    ENDED_MS,
    REQUESTS,
    TRACE,
    Told,
    json_span,
    protobuf,
)

KINDS = sorted(REQUESTS)


def spans(body: bytes, kind: str) -> list[Span]:
    found = list(read(body, kind))
    assert all(isinstance(one, Span) for one in found), found
    return [one for one in found if isinstance(one, Span)]


@pytest.mark.parametrize("kind", KINDS)
def test_a_span_has_its_attributes_over_those_of_its_scope_and_its_resource(kind: str) -> None:
    one = Told(7, {"a": "span", "n": 3, "list": [1], "half": 0.5, "is": True}, "went wrong")
    (found,) = spans(REQUESTS[kind]([one], {"a": "resource", "b": "resource", "c": "resource"}, {"b": "scope"}), kind)
    assert dict(found.attributes) == {"a": "span", "b": "scope", "c": "resource", "n": 3}
    assert dict(found.own) == {"a": "span", "n": 3}, "what is neither text nor a whole number names nothing"
    assert (found.trace, found.id, found.message) == (TRACE, "0000000000000007", "went wrong")
    assert (found.began_ns, found.ended_ns) == (BEGAN_MS * 1_000_000, ENDED_MS * 1_000_000 + 999_999)


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_thrown_is_told_where_the_status_is_silent(kind: str) -> None:
    thrown = {"exception.message": "no such host", "exception.stacktrace": "at x"}
    silent, loud = spans(REQUESTS[kind]([Told(1, {}, "", thrown), Told(2, {"error.type": "T"}, "loud")]), kind)
    assert (silent.message, silent.details, loud.message, loud.details) == ("no such host", "at x", "loud", "")
    (typed,) = spans(REQUESTS[kind]([Told(1, {"error.type": "Timeout"})]), kind)
    assert typed.message == "Timeout"


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
values = texts | st.integers(-(2**63), 2**63 - 1) | st.booleans() | st.floats(allow_nan=False, allow_infinity=False)
attributes = st.dictionaries(texts, values, max_size=4)
many = st.lists(
    st.builds(Told, st.integers(1, 2**64 - 1), attributes, texts, attributes, st.integers(0, 2**43)), max_size=4
)


@given(many, attributes, attributes)
def test_both_encodings_say_the_same(told: list[Told], resource: dict[str, object], scope: dict[str, object]) -> None:
    in_both = [spans(request(told, resource, scope), kind) for kind, request in REQUESTS.items()]
    flat = [[(one.trace, one.id, one.began_ns, one.ended_ns, dict(one.own), dict(one.attributes), one.message,
              one.details) for one in found] for found in in_both]  # fmt: skip
    assert flat[0] == flat[1]
    assert len(flat[0]) == len(told)


def test_a_bad_span_costs_no_other() -> None:
    good = json_span(Told(1, {}))
    bad = [7, {**good, "traceId": "WPQ="}, {**good, "spanId": ""}, {**good, "endTimeUnixNano": "soon"},
           {**good, "endTimeUnixNano": str(2**64)}, {**good, "attributes": [{"key": "n", "value": {"intValue": "x"}}]},
           {**good, "attributes": [{"value": {}}]}]  # fmt: skip
    found = list(read(json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [*bad, good]}]}]}).encode(), JSON))
    assert isinstance(found[-1], Span)
    refusals = [one for one in found[:-1] if isinstance(one, Refusal)]
    assert [one.place for one in refusals] == [f"span {number}" for number in range(1, 8)]
    assert [one.field for one in refusals] == [
        "span",
        "traceId",
        "spanId",
        "endTimeUnixNano",
        "endTimeUnixNano",
        "n",
        "span",
    ]


def test_a_bad_span_in_protobuf_costs_no_other() -> None:
    request = ExportTraceServiceRequest.FromString(protobuf([Told(1, {"ab": "yz"}), Told(2, {}), Told(3, {})]))
    request.resource_spans[0].scope_spans[0].spans[1].trace_id = b"short"
    first, second, third = read(request.SerializeToString().replace(b"yz", b"\xff\xff"), PROTOBUF)
    assert isinstance(first, Refusal)
    assert (first.place, first.field) == ("span 1", "span")
    assert isinstance(second, Refusal)
    assert second.field == "traceId"
    assert isinstance(third, Span)


@pytest.mark.parametrize(
    ("kind", "body"),
    [(JSON, b""), (JSON, b"[]"), (JSON, b'{"resourceSpans": 7}'), (JSON, b'{"resourceSpans":[{"x":' + b"[" * 100_000),
     (JSON, b'{"resourceSpans":[{"resource":{"attributes":[{"key":"n","value":{"intValue":"x"}}]}}]}'),
     (PROTOBUF, b"\xff\xff"), (PROTOBUF, b"\x0a\x05\x12"), (PROTOBUF, b'{"resourceSpans": []}')],
)  # fmt: skip
def test_what_is_no_request_is_refused_whole(kind: str, body: bytes) -> None:
    with pytest.raises(BadRecord):
        list(read(body, kind))


@pytest.mark.parametrize("kind", KINDS)
def test_an_empty_request_has_no_spans(kind: str) -> None:
    assert spans(b"{}" if kind == JSON else b"", kind) == []
    assert spans(REQUESTS[kind]([]), kind) == []


@pytest.mark.parametrize("kind", KINDS)
def test_too_many_spans_and_too_large_ones_are_refused(kind: str) -> None:
    with pytest.raises(BadRecord, match="spans"):
        list(read(REQUESTS[kind]([Told(1, {})] * (MOST_SPANS + 1)), kind))
    large, small = read(REQUESTS[kind]([Told(1, {"a": "x" * LARGEST_PIECE}), Told(2, {})]), kind)
    assert isinstance(large, Refusal)
    assert large.field == "size"
    assert isinstance(small, Span)
    with pytest.raises(BadRecord, match="size"):
        list(read(REQUESTS[kind]([Told(1, {})], {"a": "x" * LARGEST_PIECE}), kind))


def framed(number: int, inner: bytes) -> bytes:
    """A field of protobuf that holds bytes."""
    size, left = b"", len(inner)
    while left > 127:
        size, left = size + bytes([left % 128 + 128]), left // 128
    return bytes([number * 8 + 2]) + size + bytes([left]) + inner


def refused_in(body: bytes, kind: str) -> str:
    """The field of the one refusal, of a span or of all."""
    try:
        (found,) = read(body, kind)
    except BadRecord as bad:
        return bad.field
    assert isinstance(found, Refusal)
    return found.field


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (JSON, b'{"resourceSpans":[{"scopeSpans":[{"spans":[%s0]}]}]}' % (b"0," * 1_000_000)),
        (JSON, b'{"resourceSpans":[%s{}]}' % (b"{}," * 600_000)),
        (PROTOBUF, framed(1, framed(2, b"\x12\x00" * 4_000_000))),
        (PROTOBUF, b"\x0a\x00" * 4_000_000),
        (PROTOBUF, framed(1, b"\x12\x00" * 4_000_000)),
        (PROTOBUF, framed(1, framed(2, framed(2, b"\x4a\x00" * 4_000_000)))),
    ],
    ids=["spans in JSON", "resources in JSON", "spans", "resources", "scopes", "attributes"],
)
def test_a_request_of_empty_things_is_refused_soon_and_takes_little_memory(kind: str, body: bytes) -> None:
    assert len(body) < LARGEST[kind]
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.monotonic()
    assert refused_in(body, kind) in ("spans", "size")
    assert time.monotonic() - began < 5, "seconds on a busy machine; half a second on a quiet one"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb < 200_000


def whatever(body: bytes, kind: str) -> None:
    with suppress(BadRecord):
        assert all(isinstance(one, Span | Refusal) for one in read(body, kind))


@given(st.binary(max_size=300), st.sampled_from(KINDS))
def test_no_bytes_break_the_reader(body: bytes, kind: str) -> None:
    whatever(body, kind)


@given(st.sampled_from(KINDS), st.integers(0, 2_000), st.binary(min_size=1, max_size=4))
def test_no_change_of_a_request_breaks_the_reader(kind: str, at: int, put: bytes) -> None:
    body = REQUESTS[kind]([Told(1, {"a": "ä", "n": 1}, "m", {"exception.message": "x"})], {"r": "1"}, {"s": "2"})
    at %= len(body)
    whatever(body[:at] + put + body[at + len(put) :], kind)
    whatever(body[:at], kind)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from(sorted(json_span(Told(1, {})))), anything)
def test_no_json_breaks_the_reader(field: str, value: object) -> None:
    span = {**json_span(Told(1, {})), field: value}
    whatever(json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}).encode(), JSON)


def answered(refused: int) -> Answer:
    listed = [refusal("request", f"span {number}", "run", None, "is missing") for number in range(refused)]
    return Answer(accepted=1, duplicate=0, refused=refused, refusals=listed)


def test_the_answer_says_in_the_request_s_encoding_what_was_rejected() -> None:
    assert (told(answered(0), JSON), told(answered(0), PROTOBUF)) == (b"{}", b"")
    partial = json.loads(told(answered(7), JSON))["partialSuccess"]
    assert partial["rejectedSpans"] == "7"
    assert partial["errorMessage"].startswith("span 0: run None is missing; span 1")
    assert partial["errorMessage"].endswith("and 2 more")
    same = ExportTraceServiceResponse.FromString(told(answered(7), PROTOBUF)).partial_success
    assert (same.rejected_spans, same.error_message) == (7, partial["errorMessage"])
