"""From what somebody says to an incident, or a project, to the label that goes on the log."""

from hashlib import blake2b
from typing import Annotated

from msgspec import Meta, Struct

from contracts.errors import BadRecord
from contracts.insights import FeedbackLabel, Says
from contracts.records import LONGEST_MESSAGE, checked, decode, decoded
from contracts.topics import SEPARATOR
from gateway.ingest.redaction import prose

LAST_MS = 4_102_444_800_000
"""2100-01-01: a mute that is to end later is one without an end."""


@decoded
class Spoken(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A word about an incident or a project; `until_ms` ends a mute, without it `unmuted` does."""

    says: Says
    until_ms: Annotated[int, Meta(ge=0, le=LAST_MS, description="epoch milliseconds, UTC")] | None = None
    note: Annotated[str, Meta(max_length=LONGEST_MESSAGE)] | None = None


def spoken(body: bytes, now_ms: int) -> Spoken:
    """What a body says. Raises BadRecord."""
    told = decode(Spoken, body)
    if told.until_ms is not None and told.says != "muted":
        raise BadRecord("until_ms", told.until_ms, f"ends a mute: {told.says} has no end")
    if told.until_ms is not None and told.until_ms <= now_ms:
        raise BadRecord("until_ms", told.until_ms, f"has passed: it is {now_ms}")
    return told


def label(told: Spoken, *, project: str, subject: str, actor: str, now_ms: int) -> FeedbackLabel:
    """The label: of one actor the newest of its kind about a subject takes the place of the former.

    Its note has no secrets. Raises BadRecord.
    """
    name = SEPARATOR.join((subject, told.says, actor))
    fields = {
        "label": blake2b(name.encode(), digest_size=16).hexdigest(), "project": project, "subject": subject,
        "says": told.says, "at_ms": now_ms, "actor": actor, "until_ms": told.until_ms,
        "note": None if told.note is None else prose(told.note),
    }  # fmt: skip
    return checked(FeedbackLabel, fields)
