"""Tests that were renamed: what comes in under the old id is taken for the new one."""

from collections.abc import Callable, Mapping
from datetime import datetime

import msgspec
from msgspec import Struct

from contracts.errors import BadRecord, Misconfigured
from contracts.records import Event, Identifier, Project, TestExecution, TestReportPart, checked, decoded
from gateway.ingest.redaction import name

Aliases = Callable[[str], Mapping[str, Mapping[str, str]] | None]
"""tenant -> project -> old id -> the id it has now; raises Unavailable."""

LONGEST_ID = 500
"""Bytes of an id in UTF-8: all tests of a part may come to have it, and a part has a largest size."""


@decoded
class TestAlias(Struct, frozen=True):
    """In `project` the test `old` is called `new`, since then."""

    project: Project
    old: Identifier
    new: Identifier
    since: datetime


def alias(project: str, old: str, new: str, since: datetime) -> TestAlias:
    """An alias of ids as they are when events are renamed, which have lost their secrets before.

    Raises BadRecord for what is no project or test.
    """
    one = checked(TestAlias, {"project": project, "old": name(old), "new": name(new), "since": since})
    for field, test in (("old", one.old), ("new", one.new)):
        if len(test.encode(errors="replace")) > LONGEST_ID:
            raise BadRecord(field, test, f"has more than {LONGEST_ID} bytes")
    return one


def check(alias: TestAlias, known: Mapping[str, str]) -> None:
    """Raises Misconfigured where an alias beside those `known` would say two things of one test, or lead back to it."""
    if alias.old in known:
        raise Misconfigured(f"{alias.old!r} is an alias of {known[alias.old]!r} already: argus tests unalias")
    at = alias.new
    while at != alias.old and at in known:
        at = known[at]
    if at == alias.old:
        raise Misconfigured(f"{alias.new!r} leads back to {alias.old!r}")


def ends(known: Mapping[str, str]) -> dict[str, str]:
    """What each old id is called in the end.

    >>> ends({"a": "b", "b": "c"})
    {'b': 'c', 'a': 'c'}
    """
    last: dict[str, str] = {}
    for old in known:
        path: dict[str, None] = {}
        at = old
        while at in known and at not in last and at not in path:
            path[at] = None
            at = known[at]
        for one in reversed(path):
            last[one] = last.get(at, at)
    return last


def renamed(event: Event, aliases: Aliases) -> Event:
    """The event with its tests called as they are now; itself where none was renamed."""
    if not isinstance(event, TestReportPart):
        return event
    new_of = (aliases(event.project.partition("/")[0]) or {}).get(event.project)
    if not new_of or not any(test.test in new_of for test in event.tests):
        return event
    taken = {(test.test, test.repetition) for test in event.tests if test.test not in new_of}
    return msgspec.structs.replace(event, tests=[_renamed(test, new_of, taken) for test in event.tests])


def _renamed(test: TestExecution, new_of: Mapping[str, str], taken: set[tuple[str, int]]) -> TestExecution:
    """Where both names are in one part, the old one's executions are further repetitions."""
    if test.test not in new_of:
        return test
    new, repetition = new_of[test.test], test.repetition
    while (new, repetition) in taken:
        repetition += 1
    taken.add((new, repetition))
    return msgspec.structs.replace(test, test=new, repetition=repetition)
