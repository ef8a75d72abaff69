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
_DIGITS = re.compile(r"[0-9]{1,15}", re.ASCII)
_UTC = re.compile(r" UTC$")
_URL = re.compile(r"(https?|git|ssh|git\+https?|git\+ssh)://([^/\s]+)/([^\s?#]+)([?#]\S*)?", re.IGNORECASE)
_SCP = re.compile(r"[\w.-]+@[\w.-]+:([^\s:?#]+)", re.ASCII)
_FORGE = re.compile(r"(?:^|[.@])(github|gitlab|bitbucket|codeberg|gitea)\.")


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


def number(value: object) -> object:
    """A count that is told as text, as a number; anything else as it is."""
    return int(value) if isinstance(value, str) and _DIGITS.fullmatch(value) else value


def repository(address: object, *, is_one: bool = False) -> str | None:
    """The project whose repository an address is: one of git, one that ends with .git, or one at a known forge.

    Where it is told that it is a repository's (`is_one`), its host need not be known. None where it is none.

    >>> repository("https://github.com/acme/app/actions/runs/7"), repository("git@git.example:acme/app.git")
    ('acme/app', 'acme/app')
    >>> repository("https://gitlab.example.org/acme/group/app/-/jobs/1"), repository("https://ci.example.org/job/7")
    ('acme/group/app', None)
    >>> repository("https://code.example.org/acme/app", is_one=True)
    'acme/app'
    """
    if not isinstance(address, str):
        return None
    if scp := _SCP.fullmatch(address):
        return scp[1].strip("/").removesuffix(".git") or None
    found = _URL.fullmatch(address)
    if found is None:
        return None
    scheme, host, path = found[1].lower(), found[2].lower(), found[3].partition("/-/")[0].strip("/")
    forge = _FORGE.search(host)
    if path.endswith(".git") or not scheme.startswith("http"):
        path = path.removesuffix(".git")
    elif forge is not None and forge[1] != "gitlab":
        path = "/".join(path.split("/")[:2])
    elif forge is None and not is_one:
        return None
    return path or None


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
