"""Webhooks of Sentry: which are genuine, what they tell, and whose project it is."""

import hmac
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.errors import BadRecord
from contracts.records import ProductionError
from gateway.ingest import sentry
from gateway.ingest.authors import hashed_by
from gateway.ingest.refusal import Refusal
from gateway.ingest.row import Row
from gateway.ingest.webhooks import SENDERS, read, sentry_to

ISSUE = {
    "id": "1170820242", "title": "ReferenceError: blooopy is not defined", "count": "17", "userCount": 3,
    "firstSeen": "2026-11-20T20:58:37.391000Z", "lastSeen": "2026-11-21T08:10:00.500000Z", "status": "unresolved",
    "project": {"id": "1", "name": "front-end", "slug": "front-end"}, "issueCategory": "error",
    "web_url": "https://sentry.io/organizations/acme/issues/1170820242/",
}  # fmt: skip
EVENT = {
    "issue_id": "1117540176", "title": "ReferenceError: heck is not defined", "datetime": "2026-11-21T08:10:00.500000Z",
    "project": 1, "release": None, "tags": [["browser", "Chrome"], ["environment", "production"], ["release", "1.2.3"]],
    "url": "https://sentry.io/api/0/projects/acme/front-end/events/e4874d664c3540c1a32eab185f12c5ab/",
    "web_url": "https://sentry.io/organizations/acme/issues/1117540176/events/e4874d664c3540c1a32eab185f12c5ab/",
}  # fmt: skip
SEEN_MS = 1_795_248_600_500


def told(
    resource: str, action: object, data: object, belongs: tuple[str, ...] = ("acme/app",)
) -> Row | Refusal | None:  # fmt: skip
    headers = {"content-type": "application/json", "sentry-hook-resource": resource}
    body = json.dumps({"action": action, "data": data}).encode()
    return next(read(sentry_to(sentry.projects(belongs)), body, headers, hashed_by(None)), None)


def error(found: Row | Refusal | None) -> ProductionError:
    assert isinstance(found, Row)
    assert isinstance(found.record, ProductionError)
    return found.record


@pytest.mark.parametrize("action", ["created", "unresolved"])
def test_an_issue_that_came_up_or_back_is_an_error_with_its_totals(action: str) -> None:
    assert error(told("issue", action, {"issue": ISSUE})) == ProductionError(
        project="acme/app", error="1170820242", service="front-end", message="ReferenceError: blooopy is not defined",
        at_ms=SEEN_MS, count=17, users_affected=3, url="https://sentry.io/organizations/acme/issues/1170820242/",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("resource", "action", "name"), [("event_alert", "triggered", "event"), ("error", "created", "error")]
)
def test_an_event_tells_of_its_issue_where_and_in_which_release(resource: str, action: str, name: str) -> None:
    assert error(told(resource, action, {name: EVENT})) == ProductionError(
        project="acme/app", error="1117540176", service="front-end", message="ReferenceError: heck is not defined",
        at_ms=SEEN_MS, environment="production", release="1.2.3", url=EVENT["web_url"],
    )  # fmt: skip
    assert error(told(resource, action, {name: {**EVENT, "release": "2.0"}})).release == "2.0"


@pytest.mark.parametrize(
    ("resource", "action", "data"),
    [
        ("issue", "resolved", {"issue": ISSUE}),
        ("issue", "archived", {"issue": ISSUE}),
        ("issue", "ignored", {"issue": ISSUE}),
        ("issue", "assigned", {"issue": ISSUE}),
        ("issue", "created", {"issue": {**ISSUE, "issueCategory": "feedback"}}),
        ("metric_alert", "critical", {"metric_alert": {"id": "1"}}),
        ("installation", "created", {"installation": {}}),
        ("event_alert", "triggered", {"issue": ISSUE}),
        ("", "created", {"issue": ISSUE}),
        ("issue", "created", None),
    ],
)
def test_what_tells_of_nothing_seen_in_production_is_nothing(resource: str, action: str, data: object) -> None:
    assert told(resource, action, data) is None


def test_one_integration_tells_of_many_projects() -> None:
    belongs = ("front-end:acme/web", "acme/rest")
    assert error(told("issue", "created", {"issue": ISSUE}, belongs)).project == "acme/web"
    assert error(told("error", "created", {"error": EVENT}, belongs)).project == "acme/web"
    other = {**ISSUE, "project": {"slug": "back-end"}}
    assert error(told("issue", "created", {"issue": other}, belongs)).project == "acme/rest"
    unknown = told("issue", "created", {"issue": other}, belongs[:1])
    assert isinstance(unknown, Refusal)
    assert (unknown.field, unknown.value) == ("project", "'back-end'")


@pytest.mark.parametrize("belongs", [("acme",), ("a b:acme/app",), ("acme/app", "acme/lib"), ("x:acme/a", "x:acme/b")])
def test_projects_that_make_no_sense_are_refused(belongs: tuple[str, ...]) -> None:
    with pytest.raises(BadRecord, match="project"):
        sentry.projects(belongs)


@pytest.mark.parametrize(
    ("changed", "field"),
    [({"lastSeen": "soon"}, "lastSeen"), ({"count": "many"}, "count"), ({"lastSeen": None}, "at_ms"),
     ({"project": None}, "service"), ({"title": None}, "message")],
)  # fmt: skip
def test_what_cannot_be_used_is_refused_by_name(changed: dict[str, object], field: str) -> None:
    found = told("issue", "created", {"issue": {**ISSUE, **changed}})
    assert isinstance(found, Refusal)
    assert field in (found.field, found.reason.partition("field `")[2].partition("`")[0])


def test_a_long_title_is_cut() -> None:
    assert len(error(told("issue", "created", {"issue": {**ISSUE, "title": "x" * 9000}})).message) == 4096


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from(sorted({*ISSUE, *EVENT})), anything)
def test_no_delivery_breaks_the_reader(field: str, value: object) -> None:
    assert isinstance(told("issue", "created", {"issue": {**ISSUE, field: value}}), Row | Refusal | None)
    assert isinstance(told("error", "created", {"error": {**EVENT, field: value}}), Row | Refusal | None)


@pytest.mark.parametrize("resource", ["issue", "event_alert", "error"])
@given(anything, anything)
def test_no_action_and_no_data_break_the_reader(resource: str, action: object, data: object) -> None:
    for changed in ({"action": action}, {"data": data}, {"data": {"issue": data, "event": data, "error": data}}):
        good = {"action": "created", "data": {"issue": ISSUE, "error": EVENT, "event": EVENT}}
        assert isinstance(told(resource, **{**good, **changed}), Row | Refusal | None)


def test_the_signature_is_the_hex_of_the_raw_body_s_hmac() -> None:
    body = b'{"a": 1}'
    genuine = SENDERS["sentry"].genuine
    signed = {"sentry-hook-signature": hmac.new(b"new", body, "sha256").hexdigest()}
    assert genuine(io.BytesIO(body), signed, ["old", "new"], 0)
    assert not genuine(io.BytesIO(body + b" "), signed, ["old", "new"], 0)
    assert not genuine(io.BytesIO(body), signed, ["old"], 0)
    assert not genuine(io.BytesIO(body), {}, ["new"], 0)
    assert not genuine(io.BytesIO(body), {"sentry-hook-signature": "ü"}, ["new"], 0)
