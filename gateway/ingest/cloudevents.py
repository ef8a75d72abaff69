"""CloudEvents 1.0 in the body of a request: one in binary mode (its attributes are headers) or in structured mode, or a
batch; data is JSON.

Source: CloudEvents 1.0.2, HTTP protocol binding and JSON event format, github.com/cloudevents/spec.
"""

import json
import re
from base64 import b64decode
from collections.abc import Iterator, Mapping
from urllib.parse import unquote

import msgspec
from msgspec import Struct

from contracts.errors import BadRecord
from gateway.ingest.body import MIB
from gateway.ingest.claims import Fields, document
from gateway.ingest.refusal import Refusal, refusal, refused
from gateway.ingest.row import BOM

FILE = "body"
LARGEST, MOST_EVENTS = 2 * MIB, 1_000
"""Bytes of a body, and events of a batch."""
STRUCTURED, BATCH = "application/cloudevents+json", "application/cloudevents-batch+json"
_ANY_FORMAT = "application/cloudevents"


class CloudEvent(Struct, frozen=True, kw_only=True):
    """One event and where it stood; `source` and `id` together are its name. `time` and `data` are as they came."""

    place: str
    id: str
    source: str
    type: str
    time: object
    data: object


class _Named(Struct):
    source: str
    id: str


_NAMED = msgspec.json.Decoder(_Named)
_EACH = msgspec.json.Decoder(list[msgspec.Raw])


def name(body: bytes, headers: Mapping[str, str]) -> str | None:
    """What the producer calls the one event of a delivery; None for a batch, and for what has no name."""
    kind = _kind(headers)
    if kind == BATCH:
        return None
    try:
        if kind == STRUCTURED:
            named = _NAMED.decode(body.removeprefix(BOM))
        else:
            named = _NAMED.decode(msgspec.json.encode({one: _header(headers, one) for one in ("source", "id")}))
    except (BadRecord, msgspec.DecodeError, RecursionError, UnicodeError):
        return None
    return f"event {msgspec.json.encode([named.source, named.id]).decode()}"


def read(body: bytes, headers: Mapping[str, str]) -> Iterator[CloudEvent | Refusal]:
    """The events of a body, each by itself; names of `headers` are in lower case."""
    kind, body = _kind(headers), body.removeprefix(BOM)
    try:
        texts = _batch(body) if kind == BATCH else [body]
        if kind.startswith(_ANY_FORMAT) and kind not in (STRUCTURED, BATCH):
            raise BadRecord("content-type", kind, f"is not read: send {STRUCTURED} or {BATCH}")
    except BadRecord as bad:
        yield refused(FILE, "body", bad)
        return
    if len(texts) > MOST_EVENTS:
        yield refusal(FILE, "body", "size", len(texts), f"events are more than the {MOST_EVENTS} of one batch")
        return
    for number, text in enumerate(texts, start=1):
        place = f"element {number}" if kind == BATCH else "event"
        try:
            yield _structured(place, text) if kind.startswith(_ANY_FORMAT) else _binary(place, text, headers)
        except BadRecord as bad:
            yield refused(FILE, place, bad)


def _kind(headers: Mapping[str, str]) -> str:
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def _batch(body: bytes) -> list[bytes]:
    try:
        return [bytes(one) for one in _EACH.decode(body)]
    except (msgspec.DecodeError, RecursionError) as bad:
        raise BadRecord("body", body[:200], f"is no JSON array: {bad}") from bad


def _structured(place: str, text: bytes) -> CloudEvent:
    fields = _parsed(text)
    if not isinstance(fields, dict):
        raise BadRecord("event", text[:200], "is not a JSON object")
    packed = fields.get("data_base64")
    if packed is None:
        return _event(place, fields, fields.get("data"))
    if "data" in fields:
        raise BadRecord("data_base64", packed, "stands beside data")
    try:
        data = b64decode(packed, validate=True)
    except (TypeError, ValueError) as bad:
        raise BadRecord("data_base64", packed, "is not base64") from bad
    return _event(place, fields, _parsed(data))


def _binary(place: str, text: bytes, headers: Mapping[str, str]) -> CloudEvent:
    attributes = {one: _header(headers, one) for one in ("specversion", "id", "source", "type", "time")}
    return _event(place, attributes, _parsed(text) if text else None)


def _event(place: str, attributes: Fields, data: object) -> CloudEvent:
    if attributes.get("specversion") != "1.0":
        raise BadRecord("specversion", attributes.get("specversion"), "is not 1.0")
    for one in ("id", "source", "type"):
        value = attributes.get(one)
        if not isinstance(value, str) or not value:
            raise BadRecord(one, value, "has to be some text: it is required of every CloudEvent")
    told = {one: attributes[one] for one in ("id", "source", "type")}
    return CloudEvent(place=place, time=attributes.get("time"), data=data, **told)


def _header(headers: Mapping[str, str], attribute: str) -> str | None:
    """The attribute in a header, its quotes and then its percent-encoding undone. Raises BadRecord."""
    value = headers.get(f"ce-{attribute}")
    if value is None:
        return None
    if len(value) > 1 and value[0] == value[-1] == '"':
        value = re.sub(r"\\(.)", r"\1", value[1:-1])
    try:
        return unquote(value, errors="strict")
    except UnicodeDecodeError as bad:
        raise BadRecord(f"ce-{attribute}", value, "is not percent-encoded UTF-8") from bad


def _parsed(text: bytes) -> object:
    """JSON that everyone reads alike: of two fields of one name some would take the first. Raises BadRecord."""
    found = document(text)
    try:
        json.loads(text, object_pairs_hook=_each_once)
    except (ValueError, RecursionError) as bad:
        raise BadRecord("body", text[:200], f"is not JSON: {bad}") from bad
    return found


def _each_once(pairs: list[tuple[str, object]]) -> None:
    seen: set[str] = set()
    for field, _ in pairs:
        if field in seen:
            raise BadRecord(field[:200], "", "stands twice in one object")
        seen.add(field)
