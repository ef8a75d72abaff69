"""What /openapi.json says of ingest: what is taken, and what is answered."""

from typing import Any

from contracts import topics
from gateway.described import Described, header, problem, reference, request_body, told
from gateway.ingest.answer import Answer

RESPONSES: Described = {
    200: told("there was nothing to accept; a webhook that is genuine is never answered 422", Answer),
    202: told("on the log: accepted, duplicate and refused are counted", Answer),
    400: problem("the body ended too soon, or is not what its headers say"),
    401: problem("no token or secret that opens anything"),
    403: problem("the token lacks the scope ingest"),
    408: problem("the body did not come in time"),
    409: problem("the namespace is a replay's"),
    413: problem("the body is too large"),
    415: problem("the body's encoding is not read"),
    422: told("all was refused; a problem where a parameter is wrong", Answer, or_problem=True),
    429: problem("more requests or bytes than the token, or the sender of the tenant, may send"),
    503: problem("too busy, or the broker is away: send it again"),
}
_KEY = header("Idempotency-Key", "how the sender calls this delivery, else it is known by what it says")


def _record(topic: topics.Topic) -> dict[str, Any]:
    named = {"properties": {"type": {"const": topic.name}}}
    told_apart = topic in (topics.RUNS, topics.TEST_RESULTS)
    return {"allOf": [reference(topic.record), named if told_apart else {**named, "required": ["type"]}]}


_RECORDS = {"anyOf": [_record(topic) for topic in topics.EVENTS]}
EVENTS = {
    "parameters": [_KEY],
    "requestBody": request_body(
        "The fields of a record at the top, and `type`, the name of its topic: without it a record with `tests` is a "
        "part of a test report and any other a job execution. Plain, or gzip with Content-Encoding.",
        {
            "application/json": {"anyOf": [_RECORDS, {"type": "array", "items": _RECORDS}]},
            "application/x-ndjson": {"type": "string", "description": "a record on each line"},
        },
    ),
}
_FILE = {"type": "string", "format": "binary"}
JUNIT = {
    "parameters": [_KEY],
    "requestBody": request_body(
        "One JUnit file, or the files of a form, whatever its fields are called. Plain, or gzip with Content-Encoding.",
        {
            "application/xml": {"type": "string"},
            "multipart/form-data": {"type": "object", "properties": {"file": {"type": "array", "items": _FILE}}},
        },
    ),
}
CDEVENTS = {
    "parameters": [_KEY],
    "requestBody": request_body(
        "One CloudEvent in structured mode, a batch of them, or one in binary mode, whose attributes are the headers "
        "`ce-specversion`, `ce-id`, `ce-source` and `ce-type`.",
        {
            "application/cloudevents+json": {"type": "object"},
            "application/cloudevents-batch+json": {"type": "array", "items": {"type": "object"}},
            "application/json": {"type": "object"},
        },
    ),
}
SPANS = {
    "parameters": [_KEY],
    "requestBody": request_body(
        "An ExportTraceServiceRequest of OTLP.",
        {"application/x-protobuf": {"type": "string", "format": "binary"}, "application/json": {"type": "object"}},
    ),
}
EXPORTED: Described = {
    200: {
        "description": "an ExportTraceServiceResponse, in the encoding of the request",
        "content": {
            "application/x-protobuf": {"schema": {"type": "string", "format": "binary"}},
            "application/json": {"schema": {"type": "object"}},
        },
    }
}


def webhook(shown: str) -> dict[str, Any]:
    """A webhook that is told genuine by the header `shown`."""
    delivery = request_body("A delivery as its sender writes it.", {"application/json": {"type": "object"}})
    return {"parameters": [header(shown, "what tells the delivery genuine")], "requestBody": delivery}
