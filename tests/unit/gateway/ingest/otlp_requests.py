"""Trace requests as exporters send them: the same spans as protobuf and as OTLP's JSON."""

import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

from gateway.ingest.otlp import JSON, PROTOBUF

BEGAN_MS, ENDED_MS = 1_795_248_000_000, 1_795_248_600_000
TRACE = "5b8efff798038103d269b633813fc60c"
Attributes = Mapping[str, object]
NONE: Attributes = MappingProxyType({})


class Told(NamedTuple):
    """One span of a test: `number` is its id."""

    number: int
    attributes: Attributes
    message: str = ""
    exception: Attributes = NONE
    ended_ms: int = ENDED_MS


def value(of: object) -> AnyValue:
    """An attribute's value, by its Python type."""
    if isinstance(of, bool):
        return AnyValue(bool_value=of)
    if isinstance(of, int):
        return AnyValue(int_value=of)
    if isinstance(of, float):
        return AnyValue(double_value=of)
    if isinstance(of, list):
        return AnyValue(array_value=ArrayValue(values=[value(one) for one in of]))
    return AnyValue(string_value=str(of))


def keys(of: Attributes) -> list[KeyValue]:
    """Attributes as protobuf has them."""
    return [KeyValue(key=key, value=value(one)) for key, one in of.items()]


def span(told: Told) -> Span:
    """A span as protobuf has it."""
    thrown = [{"exception.message": "before"}, told.exception] if told.exception else []
    events = [Span.Event(name="exception", attributes=keys(one)) for one in thrown]
    return Span(
        trace_id=bytes.fromhex(TRACE), span_id=told.number.to_bytes(8, "big"), name="a span",
        start_time_unix_nano=BEGAN_MS * 1_000_000, end_time_unix_nano=told.ended_ms * 1_000_000 + 999_999,
        attributes=keys(told.attributes), status=Status(message=told.message, code=Status.STATUS_CODE_ERROR),
        events=[Span.Event(name="something else"), *events],
    )  # fmt: skip


def protobuf(spans: Sequence[Told], resource: Attributes = NONE, scope: Attributes = NONE) -> bytes:
    """A request in protobuf."""
    scoped = ScopeSpans(scope=InstrumentationScope(name="tests", attributes=keys(scope)), spans=map(span, spans))
    whole = ResourceSpans(resource=Resource(attributes=keys(resource)), scope_spans=[scoped])
    return ExportTraceServiceRequest(resource_spans=[whole]).SerializeToString()


def in_json(spans: Sequence[Told], resource: Attributes = NONE, scope: Attributes = NONE) -> bytes:
    """The same request in OTLP's JSON: ids in hex, whole numbers of 64 bits as text."""
    scoped = {"scope": {"name": "tests", "attributes": _pairs(scope)}, "spans": [json_span(one) for one in spans]}
    return json.dumps(
        {"resourceSpans": [{"resource": {"attributes": _pairs(resource)}, "scopeSpans": [scoped]}]}
    ).encode()


def json_span(told: Told) -> dict[str, Any]:
    """A span as OTLP's JSON has it."""
    thrown = [{"exception.message": "before"}, told.exception] if told.exception else []
    events = [{"name": "exception", "attributes": _pairs(one)} for one in thrown]
    return {
        "traceId": TRACE.upper(), "spanId": f"{told.number:016x}", "name": "a span", "kind": 1, "flags": None,
        "startTimeUnixNano": str(BEGAN_MS * 1_000_000), "endTimeUnixNano": str(told.ended_ms * 1_000_000 + 999_999),
        "attributes": _pairs(told.attributes), "status": {"message": told.message, "code": 2},
        "events": [{"name": "something else"}, *events],
    }  # fmt: skip


def _pairs(of: Attributes) -> list[dict[str, object]]:
    return [{"key": key, "value": _value(one)} for key, one in of.items()]


def _value(of: object) -> dict[str, object]:
    if isinstance(of, list):
        return {"arrayValue": {"values": [_value(one) for one in of]}}
    names = {bool: "boolValue", int: "intValue", float: "doubleValue", str: "stringValue"}
    return {names[type(of)]: str(of) if type(of) is int else of}


REQUESTS = {JSON: in_json, PROTOBUF: protobuf}
