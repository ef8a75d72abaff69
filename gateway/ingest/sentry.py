"""Webhooks of Sentry's internal integrations: whether one is genuine, and what it tells of.

An integration has one address for all projects of an organization, so the address says which projects are whose.
Source: https://docs.sentry.io/organization/integrations/integration-platform/webhooks/
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import BinaryIO

from contracts.errors import BadRecord
from contracts.records import LONGEST_MESSAGE, ProductionError
from gateway.ingest import github
from gateway.ingest.authors import Authors
from gateway.ingest.claims import Claim, Fields, listed, number, text, time_ms, within

ANY = ""
"""Stands for every Sentry project that is not named."""
SIGNATURE = "sentry-hook-signature"

_BELONGS = re.compile(r"(?:([A-Za-z0-9_-]{1,100}):)?([A-Za-z0-9._-]{1,100}(?:/[A-Za-z0-9._-]{1,100}){1,8})")
_SLUG = re.compile(r"/projects/[^/]{1,100}/([^/]{1,100})/events/")
_SEEN_AGAIN = ("created", "unresolved")
_EVENTS = {"event_alert": ("triggered", "event"), "error": ("created", "error")}


def genuine(body: BinaryIO, headers: Mapping[str, str], secrets: Iterable[str], now_s: float) -> bool:
    """Whether one of these secrets signed the raw body: as GitHub does it, without the name of the hash before it."""
    shown = headers.get(SIGNATURE, "")
    return github.genuine(body, {github.SIGNATURE: f"sha256={shown}"}, secrets, now_s)


def projects(told: Iterable[str]) -> dict[str, str]:
    """Which of our projects each of Sentry's belongs to, by its slug.

    >>> projects(["acme/app", "front-end:acme/web"])
    {'': 'acme/app', 'front-end': 'acme/web'}

    Raises BadRecord.
    """
    found: dict[str, str] = {}
    for one in told:
        named = _BELONGS.fullmatch(one)
        if named is None:
            raise BadRecord("project", one, "is neither <tenant>/<name> nor <Sentry project>:<tenant>/<name>")
        slug = named[1] or ANY
        if slug in found:
            raise BadRecord("project", one, "is told twice")
        found[slug] = named[2]
    return found


def claims(
    belongs: Mapping[str, str], fields: Fields, headers: Mapping[str, str], authors: Authors  # noqa: ARG001
) -> Iterator[Claim]:  # fmt: skip
    """What a delivery tells of: an issue that came up or came back, an event that raised an alert, an error.

    `belongs` is as `projects` gives it. That an issue was resolved, archived or assigned tells of nothing seen in
    production; a metric alert names no issue, and what a user says of his own accord is no error.
    """
    resource = headers.get("sentry-hook-resource", "")
    action, name = _EVENTS.get(resource, ("", ""))
    issue, event = within(fields, "data", "issue"), within(fields, "data", name)
    if resource == "issue" and fields.get("action") in _SEEN_AGAIN and isinstance(issue, Mapping):
        if issue.get("issueCategory") != "feedback":
            yield Claim("issue", ProductionError, partial(_issue, belongs, issue))
    elif name and fields.get("action") == action and isinstance(event, Mapping):
        yield Claim(name, ProductionError, partial(_event, belongs, event))


def _issue(belongs: Mapping[str, str], issue: Fields) -> dict[str, object]:
    slug = within(issue, "project", "slug")
    return {
        "project": _project(belongs, slug),
        "error": text(issue.get("id")),
        "service": slug,
        "message": _cut(issue.get("title")),
        "at_ms": time_ms("lastSeen", issue.get("lastSeen")),
        "count": number(issue.get("count")),
        "users_affected": number(issue.get("userCount")),
        "url": issue.get("web_url") or issue.get("permalink"),
    }


def _event(belongs: Mapping[str, str], event: Fields) -> dict[str, object]:
    url = event.get("url")
    slug = _SLUG.search(url) if isinstance(url, str) else None
    return {
        "project": _project(belongs, slug and slug[1]),
        "error": text(event.get("issue_id")),
        "service": slug and slug[1],
        "message": _cut(event.get("title")),
        "at_ms": time_ms("datetime", event.get("datetime")),
        "environment": event.get("environment") or _tag(event, "environment"),
        "release": event.get("release") or _tag(event, "release"),
        "url": event.get("web_url"),
    }


def _project(belongs: Mapping[str, str], slug: object) -> str:
    project = belongs.get(slug if isinstance(slug, str) else ANY, belongs.get(ANY))
    if project is None:
        raise BadRecord(
            "project", slug, f"of Sentry is none of ours: add project={slug}:<tenant>/<name> to the address"
        )
    return project


def _tag(event: Fields, name: str) -> object:
    return next(
        (tag[1] for tag in listed(event, "tags") if isinstance(tag, list) and tag[:1] == [name] and tag[1:]), None
    )


def _cut(value: object) -> object:
    return value[:LONGEST_MESSAGE] if isinstance(value, str) else value
