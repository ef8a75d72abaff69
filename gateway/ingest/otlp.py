"""OpenTelemetry's protocol over HTTP: the spans of a request, and the answer that an exporter understands.

The containers are opened first and their spans left as bytes: so a bad span costs no other, and a small body with
millions of empty ones no memory. In protobuf, a message within a message can be read as `bytes` too.
Sources: https://opentelemetry.io/docs/specs/otlp/, https://protobuf.dev/programming-guides/proto3/#updating
"""

import re
from collections import ChainMap
from collections.abc import Callable, Iterable, Iterator
from itertools import count
from typing import Any, NamedTuple, TypeVar

import msgspec
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError
from msgspec import Struct
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1 import trace_pb2

from contracts.errors import BadRecord
from gateway.ingest.answer import Answer
from gateway.ingest.body import MIB
from gateway.ingest.events import LARGEST_DOCUMENT
from gateway.ingest.refusal import Refusal, refusal, refused
from gateway.ingest.row import BOM
from gateway.ingest.spans import FILE, Attributes, Span

T = TypeVar("T")

JSON, PROTOBUF = "application/json", "application/x-protobuf"
LARGEST = {JSON: LARGEST_DOCUMENT, PROTOBUF: 8 * MIB}
"""Bytes of a request, inflated."""
LARGEST_PIECE = MIB // 4
"""Bytes of one span, resource or scope: read, they take thirty times as much."""
MOST_SPANS = 10_000
MOST_TOLD = 5

EXCEPTION = "exception"

_DIGITS = re.compile(r"-?[0-9]{1,20}", re.ASCII)
_UNREADABLE = (msgspec.DecodeError, DecodeError, RecursionError, UnicodeError)

Pieces = Iterator[tuple[Attributes, bytes]]
"""Spans as they came, each with what its scope and its resource say."""


class _Value(Struct, rename="camel"):
    string_value: str | None = None
    int_value: int | str | None = None


class _Attribute(Struct):
    key: str
    value: _Value | None = None


class _Attributed(Struct):
    attributes: list[_Attribute] | None = None


class _Event(_Attributed):
    name: str | None = None


class _Status(Struct):
    message: str | None = None


class _Span(_Attributed, rename="camel"):
    trace_id: str | None = None
    span_id: str | None = None
    start_time_unix_nano: int | str | None = None
    end_time_unix_nano: int | str | None = None
    status: _Status | None = None
    events: list[_Event] | None = None


class _ScopeSpans(Struct):
    scope: msgspec.Raw = msgspec.Raw()
    spans: list[msgspec.Raw] | None = None


class _ResourceSpans(Struct, rename="camel"):
    resource: msgspec.Raw = msgspec.Raw()
    scope_spans: list[_ScopeSpans] | None = None


class _Request(Struct, rename="camel"):
    resource_spans: list[_ResourceSpans] | None = None


_REQUEST = msgspec.json.Decoder(_Request)
_ATTRIBUTED = msgspec.json.Decoder(_Attributed | None)
_SPAN = msgspec.json.Decoder(_Span)


class _Encoding(NamedTuple):
    pieces: Callable[[bytes], Pieces]
    span: Callable[[bytes, Attributes], Span]


def read(body: bytes, kind: str) -> Iterator[Span | Refusal]:
    """The spans of a request in the encoding `kind`.

    Raises BadRecord where it is none, or has too many spans; none has been given by then.
    """
    encoding = _ENCODINGS[kind]
    try:
        pieces = list(encoding.pieces(body))
    except _UNREADABLE as bad:
        raise BadRecord("body", body[:200], f"is no trace request in {kind}: {bad}") from bad
    for number, (outer, span) in enumerate(pieces, start=1):
        place = f"span {number}"
        try:
            yield encoding.span(_sized(span), outer)
        except _UNREADABLE as bad:
            yield refusal(FILE, place, "span", span[:200], f"cannot be read: {bad}")
        except BadRecord as bad:
            yield refused(FILE, place, bad)


def told(answer: Answer, kind: str) -> bytes:
    """The answer as an ExportTraceServiceResponse, which says what was refused and why."""
    if not answer.refused:
        return b"{}" if kind == JSON else b""
    reasons = [f"{one.place}: {one.field} {one.value} {one.reason}" for one in answer.refusals[:MOST_TOLD]]
    if answer.refused > MOST_TOLD:
        reasons.append(f"and {answer.refused - MOST_TOLD} more")
    why = "; ".join(reasons)
    if kind == JSON:
        return msgspec.json.encode({"partialSuccess": {"rejectedSpans": str(answer.refused), "errorMessage": why}})
    partial = ExportTracePartialSuccess(rejected_spans=answer.refused, error_message=why)
    return bytes(ExportTraceServiceResponse(partial_success=partial).SerializeToString())


def _sized(piece: bytes) -> bytes:
    if len(piece) > LARGEST_PIECE:
        raise BadRecord("size", len(piece), f"bytes are more than the {LARGEST_PIECE} of a span, resource or scope")
    return piece


def _few(things: Iterable[T] | None, count: Iterator[int]) -> Iterator[T]:
    """The things, as many as may be in one request; those that share a `count` are counted together."""
    for one in things or ():
        if next(count) == MOST_SPANS:
            raise BadRecord("spans", MOST_SPANS, "spans, or resources and scopes, are the most: send smaller batches")
        yield one


def _json_pieces(body: bytes) -> Pieces:
    outers, spans = count(), count()

    def outer(raw: msgspec.Raw) -> dict[str, str | int]:
        has = _ATTRIBUTED.decode(_sized(bytes(raw) or b"null"))
        return _json_attributes(has.attributes if has else None)

    for one in _few(_REQUEST.decode(body.removeprefix(BOM)).resource_spans, outers):
        resource = outer(one.resource)
        for scoped in _few(one.scope_spans, outers):
            attributes = ChainMap(outer(scoped.scope), resource)
            for span in _few(scoped.spans, spans):
                yield attributes, bytes(span)


def _json_span(raw: bytes, outer: Attributes) -> Span:
    span = _SPAN.decode(raw)
    return _span(
        ids=((span.trace_id or "").lower(), (span.span_id or "").lower()),
        began_ns=_whole("startTimeUnixNano", span.start_time_unix_nano or 0),
        ended_ns=_whole("endTimeUnixNano", span.end_time_unix_nano or 0),
        own=_json_attributes(span.attributes),
        outer=outer,
        message=span.status.message if span.status else None,
        exceptions=[_json_attributes(one.attributes) for one in span.events or [] if one.name == EXCEPTION],
    )


def _json_attributes(told: list[_Attribute] | None) -> dict[str, str | int]:
    found: dict[str, str | int] = {}
    for one in told or []:
        if one.value and one.value.string_value is not None:
            found[one.key] = one.value.string_value
        elif one.value and one.value.int_value is not None:
            found[one.key] = _whole(one.key, one.value.int_value)
    return found


def _whole(field: str, value: int | str) -> int:
    """A whole number of 64 bits, which JSON may have as text."""
    whole = int(value) if isinstance(value, int) or _DIGITS.fullmatch(value) else None
    if whole is None or not -(2**63) <= whole < 2**64:
        raise BadRecord(field, value, "is no whole number of 64 bits")
    return whole


def _container() -> Any:
    """What a request, a ResourceSpans and a ScopeSpans have in common: what is in it, at 1 and at 2, as bytes."""
    file = descriptor_pb2.FileDescriptorProto(name="argus_otlp.proto", package="argus", syntax="proto3")
    fields = [
        {"name": name, "number": number, "label": 3, "type": 12} for number, name in ((1, "first"), (2, "second"))
    ]
    file.message_type.add(name="Container", field=fields)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("argus.Container"))


_Container = _container()


def _protobuf_pieces(body: bytes) -> Pieces:
    outers, spans = count(), count()
    for one in map(_Container.FromString, _few(_Container.FromString(body).first, outers)):
        # protobuf merges a message that comes in several pieces by reading them one after the other
        resource = _protobuf_attributes(Resource.FromString(_sized(b"".join(one.first))).attributes)
        for scoped in map(_Container.FromString, _few(one.second, outers)):
            scope = InstrumentationScope.FromString(_sized(b"".join(scoped.first)))
            attributes = ChainMap(_protobuf_attributes(scope.attributes), resource)
            for span in _few(scoped.second, spans):
                yield attributes, span


def _protobuf_span(raw: bytes, outer: Attributes) -> Span:
    span = trace_pb2.Span.FromString(raw)
    return _span(
        ids=(span.trace_id.hex(), span.span_id.hex()),
        began_ns=span.start_time_unix_nano,
        ended_ns=span.end_time_unix_nano,
        own=_protobuf_attributes(span.attributes),
        outer=outer,
        message=span.status.message,
        exceptions=[_protobuf_attributes(one.attributes) for one in span.events if one.name == EXCEPTION],
    )


def _protobuf_attributes(told: Iterable[KeyValue]) -> dict[str, str | int]:
    found: dict[str, str | int] = {}
    for one in told:
        kind = one.value.WhichOneof("value")
        if kind in ("string_value", "int_value"):
            found[one.key] = getattr(one.value, kind)
    return found


def _span(
    *, ids: tuple[str, str], began_ns: int, ended_ns: int, own: dict[str, str | int], outer: Attributes,
    message: str | None, exceptions: list[dict[str, str | int]],
) -> Span:  # fmt: skip
    for field, value, digits in (("traceId", ids[0], 32), ("spanId", ids[1], 16)):
        if not re.fullmatch(f"[0-9a-f]{{{digits}}}", value):
            raise BadRecord(field, value, f"is not {digits} hexadecimal digits")
    thrown = exceptions[-1] if exceptions else {}
    return Span(
        trace=ids[0], id=ids[1], began_ns=began_ns, ended_ns=ended_ns, own=own,
        attributes=ChainMap(own, outer),  # type: ignore[arg-type] # it is only read
        message=str(message or thrown.get("exception.message") or own.get("error.type", "")),
        details=str(thrown.get("exception.stacktrace", "")),
    )  # fmt: skip


_ENCODINGS = {JSON: _Encoding(_json_pieces, _json_span), PROTOBUF: _Encoding(_protobuf_pieces, _protobuf_span)}
