"""Webhooks and bodies: whatever their senders say of them, they are read or refused."""

import asyncio
import gzip
import io
import json
from collections.abc import AsyncIterator

from fastapi import HTTPException
from hypothesis import given
from hypothesis import strategies as st

from gateway.ingest import webhooks
from gateway.ingest.authors import hashed_by
from gateway.ingest.body import Body, Caps, received
from gateway.ingest.row import Row
from gateway.ingest.webhooks import SENDERS, sentry_to
from tests.unit.fuzz.mutation import MUTATIONS, Rows, mutated, sound
from tests.unit.fuzz.test_lines import JSON
from tests.unit.gateway.ingest.payloads import GITHUB, GITLAB
from tests.unit.gateway.ingest.test_sentry import EVENT, ISSUE

AUTHORS = hashed_by("key")
FORM = "application/x-www-form-urlencoded"
FROM = {**SENDERS, "sentry": sentry_to({"": "acme/app"})}
SENTRY = {
    "issue": {"action": "created", "data": {"issue": ISSUE}},
    "event_alert": {"action": "triggered", "data": {"event": EVENT}},
    "error": {"action": "created", "data": {"error": EVENT}},
}
DELIVERIES = [
    *(("github", {}, fields) for fields in GITHUB.values()),
    *(("gitlab", {}, fields) for fields in GITLAB.values()),
    *(("sentry", {"sentry-hook-resource": resource}, fields) for resource, fields in SENTRY.items()),
]
"""Who sends it, with which headers."""
HEADERS = st.dictionaries(
    st.sampled_from(
        [
            "x-hub-signature-256",
            "x-gitlab-token",
            "x-github-event",
            "content-type",
            "webhook-id",
            "webhook-timestamp",
            "webhook-signature",
            "sentry-hook-signature",
            "sentry-hook-resource",
        ]
    ),
    st.text(st.characters(max_codepoint=255), max_size=40)
    | st.sampled_from(["sha256=", "push", "issue", "error", "v1,", "0", FORM]),
)
CAPS = Caps(received=20_000, inflated=100_000)


def paths(value: object) -> list[tuple]:
    """Where a value can be changed: every field of every object in it."""
    found = []
    for name, inner in value.items() if isinstance(value, dict) else ():
        found += [(name,), *((name, *path) for path in paths(inner))]
    return found


def changed(fields: dict, path: tuple, to: object) -> dict:
    """The fields with another value at the end of a path."""
    return {**fields, path[0]: to if len(path) == 1 else changed(fields[path[0]], path[1:], to)}


def by_sender(deliveries: list[tuple]) -> st.SearchStrategy[tuple]:
    """One of the deliveries, of each sender as often."""
    return st.sampled_from(sorted(FROM)).flatmap(
        lambda sender: st.sampled_from([one for one in deliveries if one[0] == sender])
    )


CHANGED = by_sender([(*delivery, path) for delivery in DELIVERIES for path in paths(delivery[2])])


def told(sender: str, body: bytes, headers: dict[str, str]) -> Rows:
    FROM[sender].genuine(io.BytesIO(body), headers, ["secret"], 0)
    return sound(lambda: webhooks.read(FROM[sender], body, headers, AUTHORS))


def test_the_deliveries_of_sentry_that_are_changed_here_are_good() -> None:
    for sender, headers, fields in DELIVERIES:
        if sender == "sentry":
            (row,) = told(sender, json.dumps(fields).encode(), headers)
            assert isinstance(row, Row)


@given(CHANGED, JSON)
def test_any_value_in_any_field_of_a_delivery_is_read_or_refused(where: tuple, value: object) -> None:
    sender, headers, fields, path = where
    told(sender, json.dumps(changed(fields, path, value)).encode(), headers)


@given(by_sender(DELIVERIES), MUTATIONS)
def test_whatever_becomes_of_a_delivery_it_is_read_or_refused(delivery: tuple, mutations: list) -> None:
    sender, headers, fields = delivery
    body = mutated(json.dumps(fields).encode(), mutations)
    told(sender, body, headers)
    told(sender, b"payload=" + body, {**headers, "content-type": FORM})


@given(st.sampled_from(sorted(FROM)), by_sender(DELIVERIES), HEADERS)
def test_whatever_its_headers_a_delivery_is_read_or_refused_by_any(sender: str, delivery: tuple, headers: dict) -> None:
    told(sender, json.dumps(delivery[2]).encode(), headers)


def take(data: bytes, size: int, encoding: str) -> Body | int:
    """The body of a request that comes in pieces of `size`, or the status it is refused with."""

    async def pieces() -> AsyncIterator[bytes]:
        for at in range(0, len(data), size):
            yield data[at : at + size]

    try:
        return asyncio.run(received(pieces(), encoding, CAPS))
    except HTTPException as refused:
        return refused.status_code


@given(st.binary(min_size=1, max_size=50), st.sampled_from([0, 1, 30, 5_000, 50_000]), st.integers(1, 500), MUTATIONS)
def test_whatever_becomes_of_a_packed_body_it_is_no_larger_than_allowed_or_refused(
    said: bytes, times: int, size: int, mutations: list
) -> None:
    whole = said * times * 2
    packed = gzip.compress(said * times, mtime=0) * 2  # two members
    for data in (packed, mutated(packed, mutations)):
        body = take(data, size, "gzip")
        if isinstance(body, Body):
            with body.file:
                came = body.file.read()
            assert len(came) == body.size <= CAPS.inflated
            assert data is not packed or came == whole
        else:
            assert data is not packed or len(whole) > CAPS.inflated or len(packed) > CAPS.received
            assert body in (400, 413)
