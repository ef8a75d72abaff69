"""Deliveries that CI systems send by themselves: who sends them, and the rows of one.

What a delivery tells of is taken; one that tells of nothing we keep is taken note of and nothing more.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import BinaryIO
from urllib.parse import parse_qs

from contracts.errors import BadRecord
from gateway.ingest import github, gitlab, sentry
from gateway.ingest.authors import Authors
from gateway.ingest.body import MIB
from gateway.ingest.claims import Claim, Fields, document, rows
from gateway.ingest.refusal import Refusal, refused
from gateway.ingest.row import Row

LARGEST = 5 * MIB
"""Bytes of a delivery, which is read whole: a push of GitHub's most, 2,048 commits, has about half of it."""

FILE = "delivery"


@dataclass(frozen=True)
class Sender:
    """One system: how its deliveries are told genuine, at which epoch second, and what one tells.

    `signature` is the header that has the signature over a body: without it, the body proves nothing. `gives_secret`:
    its secrets are made by itself, and ours would be nothing to it.
    """

    genuine: Callable[[BinaryIO, Mapping[str, str], Iterable[str], float], bool]
    claims: Callable[[Fields, Mapping[str, str], Authors], Iterator[Claim]]
    signature: str
    gives_secret: bool = False


SENDERS = {
    "github": Sender(github.genuine, github.claims, github.SIGNATURE),
    "gitlab": Sender(gitlab.genuine, gitlab.claims, gitlab.SIGNATURE),
    "sentry": Sender(sentry.genuine, partial(sentry.claims, {}), sentry.SIGNATURE, gives_secret=True),
}


def sentry_to(belongs: Mapping[str, str]) -> Sender:
    """Sentry, whose projects belong to these of ours, by their slugs."""
    return replace(SENDERS["sentry"], claims=partial(sentry.claims, belongs))


def read(sender: Sender, body: bytes, headers: Mapping[str, str], authors: Authors) -> Iterator[Row | Refusal]:
    """The rows of one delivery; names of `headers` are in lower case."""
    try:
        claims = sender.claims(_fields(body, headers.get("content-type", "")), headers, authors)
    except BadRecord as bad:
        yield refused(FILE, "body", bad)
        return
    yield from rows(claims, FILE)


def _fields(body: bytes, content_type: str) -> Fields:
    """The delivery's JSON, which GitHub also sends as the field of a form."""
    if content_type.startswith("application/x-www-form-urlencoded"):
        try:
            body = parse_qs(body.decode(), max_num_fields=8).get("payload", [""])[0].encode()
        except (UnicodeDecodeError, ValueError) as bad:
            raise BadRecord("body", body[:200], "is no form with a payload") from bad
    fields = document(body)
    if not isinstance(fields, dict):
        raise BadRecord("body", body[:200], "is not a JSON object")
    return fields
