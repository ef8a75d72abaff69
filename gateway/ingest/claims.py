"""What the JSON of another system claims: each record it tells of by itself, so that a bad one costs no other."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import msgspec

from contracts.errors import BadRecord
from contracts.records import Event, checked
from gateway.ingest.csv import epoch_ms
from gateway.ingest.jsonl import fit_64_bits
from gateway.ingest.refusal import Refusal, refused
from gateway.ingest.row import Row, in_size

Fields = Mapping[str, Any]
_UTC = re.compile(r" UTC$")


class Claim(NamedTuple):
    """One record of a delivery: where it stands there, its kind, and how its fields are made.

    `fields` gives None where the delivery tells of nothing after all, and raises BadRecord; what is None or "" in it is
    left out.
    """

    place: str
    kind: type[Event]
    fields: Callable[[], dict[str, object] | None]


def rows(claims: Iterable[Claim], file: str) -> Iterator[Row | Refusal]:
    """The rows of what is claimed; `file` is how a refusal calls it all."""
    for claim in claims:
        try:
            fields = claim.fields()
            if fields is None:
                continue
            told = {name: value for name, value in fields.items() if value is not None and value != ""}
            record = checked(claim.kind, told)
            fit_64_bits(record)
            yield in_size(Row(file=file, place=claim.place, record=record))
        except BadRecord as bad:
            yield refused(file, claim.place, bad)


def document(body: bytes) -> object:
    """The JSON of a body. Raises BadRecord."""
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeError) as bad:
        raise BadRecord("body", body[:200], f"is not JSON: {bad}") from bad


def within(fields: object, *path: str) -> Any:
    """What lies at the end of a path of objects; None where the path breaks off.

    >>> within({"a": {"b": 7}}, "a", "b"), within({"a": 7}, "a", "b")
    (7, None)
    """
    for name in path:
        fields = fields.get(name) if isinstance(fields, Mapping) else None
    return fields


def listed(fields: object, *path: str) -> list[Any]:
    """The list at the end of a path; an empty one where there is none."""
    found = within(fields, *path)
    return found if isinstance(found, list) else []


def text(value: object) -> object:
    """A number that names something, as text; anything else as it is."""
    return str(value) if type(value) is int else value


def called(names: Mapping[str, Any], value: object) -> Any:
    """What `names` call a value; the value itself where it is no word of theirs."""
    return names.get(value, value) if isinstance(value, str) else value


def time_ms(field: str, value: object) -> int | None:
    """ISO 8601, GitLab's `2026-11-21 08:19:43 UTC`, or epoch seconds as a number, as epoch ms. Raises BadRecord."""
    if value is None:
        return None
    if type(value) is int and 0 <= value < 10**11:
        return value * 1000
    if not isinstance(value, str):
        raise BadRecord(field, value, "is no time")
    return epoch_ms(field, _UTC.sub("Z", value))
