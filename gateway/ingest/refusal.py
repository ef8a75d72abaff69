"""What was not taken, where it stood and why."""

from collections.abc import Mapping

from msgspec import Struct

from contracts.errors import BadRecord
from gateway.ingest.redaction import name, prose

LONGEST_VALUE, LONGEST_REASON = 120, 1_000


class Refusal(Struct, frozen=True, kw_only=True):
    """One row that was refused: `field` of `place` in `file` holds `value`, for `reason`."""

    file: str
    place: str
    field: str
    value: str
    reason: str


def refusal(file: str, place: str, field: str, value: object, reason: str) -> Refusal:
    """A refusal cut to what a person reads; control characters of its value are shown escaped.

    Nothing of it has a secret: reasons quote values too, and names of files and fields are the sender's.

    >>> refusal("a.csv", "line 2", "outcome", "perhaps", "is no outcome").value
    "'perhaps'"
    """
    shown = "" if isinstance(value, Mapping) else ascii_safe(value)
    why = prose(reason[: 2 * LONGEST_REASON])[:LONGEST_REASON]
    return Refusal(file=name(file), place=name(place), field=name(field), value=shown, reason=why)


def refused(file: str, place: str, bad: BadRecord) -> Refusal:
    """The refusal that says what `bad` says."""
    return refusal(file, place, bad.field, bad.value, bad.reason)


def ascii_safe(value: object) -> str:
    """The value as Python would write it, at most LONGEST_VALUE characters, without control or invisible ones.

    Secrets are left out: an answer is remembered, and a command prints into the log of a CI job.
    """
    try:
        shown = repr(value[: 2 * LONGEST_VALUE] if isinstance(value, str | bytes) else value)
    except RecursionError:
        return "nested too deep to be shown"
    shown = prose(shown)
    return shown if len(shown) <= LONGEST_VALUE else shown[: LONGEST_VALUE - 3] + "..."


class Refusals:
    """Counts refusals and keeps the first `most` of them."""

    def __init__(self, most: int) -> None:
        self.count = 0
        self.listed: list[Refusal] = []
        self._most = most

    def add(self, one: Refusal) -> None:
        """Remember one."""
        self.count += 1
        if len(self.listed) < self._most:
            self.listed.append(one)
