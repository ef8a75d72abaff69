"""Dead letters sent again: each made anew from its body, so that what a broken producer left out is there now."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import msgspec

from contracts.delivery import ANY_PARTITION, Delivery
from contracts.errors import BadRecord
from contracts.records import DeadLetter
from contracts.topics import DEAD_LETTERS, EVENTS, Message, message_key
from gateway.ingest.aliases import Aliases
from gateway.ingest.jsonl import KINDS, event_of
from gateway.ingest.publish import to_send
from gateway.ingest.refusal import Refusal
from gateway.ingest.row import Row, in_size, in_time

SOURCE = "/argus/dead-letters"


@dataclass
class Again:
    """What became of letters: the origins of those that were `sent`, and of those `kept` with the reason."""

    sent: list[str] = field(default_factory=list)
    kept: list[tuple[str, str]] = field(default_factory=list)


def mended(letter: DeadLetter, aliases: Aliases, *, namespace: str, now_ms: int) -> Message | str:
    """The message that a letter's record is when it is written as it should be, or why it cannot be one now."""
    kind = {topic.named(namespace): KINDS[topic.name] for topic in EVENTS}.get(letter.topic)
    if kind is None:
        return f"{letter.topic} is written by a job of ours: mend that, and it writes the value again"
    try:
        fields = msgspec.json.decode(letter.value or b"")
        if not isinstance(fields, dict):
            return "the body is no JSON object"
        record = event_of(kind, fields)
    except (BadRecord, msgspec.DecodeError, RecursionError, UnicodeError) as bad:
        return f"the body is no {kind.__name__}: {bad}"
    row = in_size(Row(file=letter.origin, place="body", record=record))
    row = in_time(row, now_ms) if isinstance(row, Row) else row
    if isinstance(row, Refusal):
        return f"{row.field}={row.value}: {row.reason}"
    return to_send(row.record, aliases, namespace=namespace, source=SOURCE)


def send_again(
    letters: Iterable[DeadLetter],
    aliases: Aliases,
    *,
    namespace: str,
    now_ms: int,
    delivery: Delivery | None,
) -> Again:
    """Send what can be mended, or without a `delivery` say what would be.

    Once the broker has acknowledged all of it, the letters leave their topic. A crash in between leaves letters whose
    record was sent: sending it again is harmless, an event that comes twice is one. Raises Unavailable or
    DeadlineExceeded when the broker does not take it.
    """
    told, leaving = Again(), []
    for letter in letters:
        found = mended(letter, aliases, namespace=namespace, now_ms=now_ms)
        if isinstance(found, str):
            told.kept.append((letter.origin, found))
            continue
        told.sent.append(letter.origin)
        leaving.append(message_key(DEAD_LETTERS, letter))
        if delivery:
            delivery.send(found)
    if delivery:
        delivery.finish()
        for key in leaving:
            delivery.send_raw(DEAD_LETTERS.named(namespace), None, key, [], ANY_PARTITION)
        delivery.finish()
    return told
