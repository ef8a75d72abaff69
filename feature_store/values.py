"""A record of a view's topic as the writers take it: an entity with a value, or with its withdrawal."""

from dataclasses import dataclass
from typing import Any

from msgspec import Struct

from contracts.errors import BadRecord
from contracts.features import View
from contracts.records import decode
from contracts.topics import message_key

FUTURE_MS = 5 * 60_000
"""A value may be this much ahead of its record's arrival; further ahead it would outrank every right one."""


@dataclass(frozen=True)
class Value:
    """`record` is None for a tombstone; `as_of_ms` and `version` are then 0."""

    entity: str
    record: Struct | None
    as_of_ms: int
    version: int


def read_value(view: View, message: Any) -> Value:
    """The value in a record of `view`'s topic.

    Raises BadRecord when the key is missing or names another entity than the body, when the body does not match the
    view's record, or when it claims to be known in the future.
    """
    if not message.key():
        raise BadRecord("key", message.key(), "is missing")
    if message.value() is None:
        try:
            return Value(message.key().decode(), None, 0, 0)
        except UnicodeDecodeError as bad:
            raise BadRecord("key", message.key(), "is not UTF-8") from bad
    record: Any = decode(view.topic.record, message.value())
    if message_key(view.topic, record) != message.key():
        raise BadRecord("key", message.key(), f"does not name the {view.entity} of the body")
    if record.as_of_ms > message.timestamp()[1] + FUTURE_MS:
        raise BadRecord("as_of_ms", record.as_of_ms, "is more than 5 minutes after its record's arrival")
    return Value(message.key().decode(), record, record.as_of_ms, record.model_version)
