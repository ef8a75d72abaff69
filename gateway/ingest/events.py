"""Our own records in the body of a request: one, an array of them, or JSON Lines."""

from collections.abc import Iterator

import msgspec

from contracts.errors import BadRecord
from gateway.ingest import jsonl
from gateway.ingest.body import MIB, Body
from gateway.ingest.refusal import Refusal, refusal, refused
from gateway.ingest.row import BOM, Row, in_size

_EACH = msgspec.json.Decoder(list[msgspec.Raw])

FILE = "body"
LARGEST_DOCUMENT = 2 * MIB
"""One JSON document is read whole, thirty times its size in memory; JSON Lines may be as long as a body."""


def is_document(content_type: str) -> bool:
    """Whether the body is one JSON document, read whole; otherwise it is JSON Lines."""
    return content_type.partition(";")[0].strip().lower() == "application/json"


def read(body: Body, content_type: str) -> Iterator[Row | Refusal]:
    """The rows of a body: one JSON document where `content_type` is JSON's, else JSON Lines."""
    if not is_document(content_type):
        yield from jsonl.read(body.file, FILE)
        return
    if body.size > LARGEST_DOCUMENT:
        reason = f"bytes are more than the {LARGEST_DOCUMENT} of one document: send application/x-ndjson"
        yield refusal(FILE, "body", "size", body.size, reason)
        return
    document = body.file.read().removeprefix(BOM)
    try:
        is_array = document.lstrip()[:1] == b"["
        texts = _EACH.decode(document) if is_array else [msgspec.Raw(document)]
    except (msgspec.DecodeError, RecursionError) as bad:
        yield refusal(FILE, "body", "body", document[:200], f"is no JSON array: {bad}")
        return
    for number, text in enumerate(texts, start=1):
        place = f"element {number}" if is_array else "body"
        try:
            record, arrived_ms = jsonl.parse(bytes(text).decode())
        except UnicodeDecodeError:
            yield refusal(FILE, place, "text", bytes(text)[:200], "is not UTF-8")
        except BadRecord as bad:
            yield refused(FILE, place, bad)
        else:
            yield in_size(Row(file=FILE, place=place, record=record, arrived_ms=arrived_ms))
