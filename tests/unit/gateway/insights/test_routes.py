"""What the gateway answers of insights, with its memory as an argument."""

import asyncio
import json

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.errors import BadRecord, Unavailable
from contracts.insights import FeedbackLabel
from contracts.records import decode
from contracts.topics import DAY_MS, FEEDBACK_LABELS
from gateway.callers import OPERATOR, Caller
from gateway.insights.feedback import spoken
from gateway.insights.kept import Arrived, Kept
from gateway.insights.routes import may_still_see
from gateway.insights.seen import SIDE_BY_SIDE_MS
from gateway.insights.streams import Viewer
from gateway.remembered import FRESH_S, STALE_S
from tests.unit.gateway.insights.noticed import MIDNIGHT_MS, Sent, holding, insight, label, seen
from tests.unit.gateway.test_app import TOKEN, Client
from tests.unit.gateway.test_callers import NOW, SHOWN, Store, Watch, callers, token

ACME = Caller("ab", "acme", frozenset({"read"}))
COURSE = [
    insight("i1-a", at_ms=MIDNIGHT_MS + 1),
    insight("g1", project="globex/app", at_ms=MIDNIGHT_MS + 2),
    insight("i2", project="acme/web", at_ms=MIDNIGHT_MS + 3),
    insight("i1-b", state="resolved", at_ms=MIDNIGHT_MS + 4),
    insight("weak", p=1e-3, at_ms=MIDNIGHT_MS + 5),
]


def listed(query: str, kept: Kept | None = None) -> list[str]:
    answer = Client(insights=seen(kept or holding(*COURSE))).get(f"/api/v1/insights{query}", headers=TOKEN)
    assert answer.status_code == 200, answer.text
    return [one["insight"] for one in answer.json()["incidents"]]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["i1-b", "i2", "g1"]),
        ("?state=open", ["i2", "g1"]),
        ("?state=resolved", ["i1-b"]),
        ("?project=acme/web", ["i2"]),
        ("?project=acme/none", []),
        (f"?since_ms={MIDNIGHT_MS + 3}", ["i1-b", "i2"]),
        ("?limit=1", ["i1-b"]),
        ("?feed=all&limit=2", ["weak", "i1-b"]),
        ("?feed=paging", ["i1-b", "i2", "g1"]),
    ],
)
def test_incidents_are_listed_as_asked_the_newest_first(query: str, names: list[str]) -> None:
    assert listed(query) == names


@pytest.mark.parametrize("query", ["?state=shut", "?feed=mine", "?limit=0", "?limit=1001", "?since_ms=-1"])
def test_a_parameter_that_makes_no_sense_is_named(query: str) -> None:
    answer = Client(insights=seen(holding())).get(f"/api/v1/insights{query}", headers=TOKEN)
    assert (answer.status_code, query[1:].partition("=")[0] in answer.json()["detail"]) == (422, True)


def test_until_the_log_was_read_nobody_is_told_that_there_is_nothing() -> None:
    client = Client(insights=seen(Kept()))
    for path in ("/api/v1/insights", "/api/v1/insights/i1", "/api/v1/ai/insights/stream"):
        answer = client.get(path, headers=TOKEN)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    assert client.get("/api/v1/insights").status_code == 401


def test_a_tenant_sees_his_own_and_cannot_tell_another_s_from_what_is_not() -> None:
    his = seen(holding(*COURSE, insight("g2-x", "i1", project="globex/app")))
    assert [one.insight for one in his.incidents(ACME, None, "project")] == ["i1-b", "i2"]
    assert his.incidents(ACME, "globex/app", "all") == []
    assert (his.story(ACME, "g1"), his.story(ACME, "none")) == (None, None)
    found = his.story(ACME, "i1")
    assert found is not None
    assert [one.insight for one in found.insights] == ["i1-a", "i1-b"]
    assert his.missed(ACME, None, "all", "g1") == his.missed(ACME, None, "all", "none"), "its place is not known to him"
    assert {one.project for one in his.missed(ACME, None, "all", "g1")[0]} == {"acme/app", "acme/web"}


def test_after_an_interruption_comes_what_lies_behind_and_what_may_have_been_overtaken() -> None:
    kept = Kept()
    for one in (
        Arrived(insight("a0"), MIDNIGHT_MS - DAY_MS, 0, 0),
        Arrived(insight("a1"), MIDNIGHT_MS, 0, 1),
        Arrived(insight("b0", project="acme/web"), MIDNIGHT_MS - SIDE_BY_SIDE_MS, 1, 0),
        Arrived(insight("b1", project="acme/web"), MIDNIGHT_MS - 5, 1, 1),
        Arrived(insight("a2"), MIDNIGHT_MS, 0, 2),
        Arrived(insight("a3"), MIDNIGHT_MS + 1, 0, 3),
    ):
        kept.add(one)
    his = seen(kept, now_ms=MIDNIGHT_MS + 1)
    told = {last: [one.insight for one in his.missed(ACME, None, "all", last)[0]] for last in ("a2", "a3", "gone")}
    assert told == {"a2": ["b1", "a3"], "a3": ["b1"], "gone": ["b0", "b1", "a1", "a2", "a3"]}
    assert his.missed(ACME, None, "all", None) == ([], 0)
    assert his.missed(ACME, "acme/app", "all", "a2")[1] == 6
    assert [one.insight for one in his.missed(OPERATOR, None, "all", "a3")[0]] == ["b1"]


def post(client: Client, path: str, body: object) -> httpx.Response:
    async def call() -> httpx.Response:
        transport = httpx.ASGITransport(client.app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as http:
            content = body if isinstance(body, bytes) else json.dumps(body)
            return await http.post(f"/api/v1{path}", content=content, headers=TOKEN)

    return asyncio.run(call())


def test_a_word_is_a_label_on_the_log_and_the_newest_of_a_kind_has_the_same_key() -> None:
    sent = Sent()
    client = Client(insights=seen(holding(*COURSE), hand_in=sent.hand_in))
    words: list[dict] = [
        {"says": "muted", "until_ms": MIDNIGHT_MS + 1}, {"says": "muted", "note": "token=hunter2hunter2"},
        {"says": "useful"},
    ]  # fmt: skip
    answers = [post(client, "/insights/i1/feedback", word) for word in words]
    answers.append(post(client, "/projects/acme/app/feedback", words[0]))
    assert [answer.status_code for answer in answers] == [202] * 4
    labels = [decode(FeedbackLabel, one.value) for one in sent]
    assert [json.loads(answer.text)["label"] for answer in answers] == [one.label for one in labels]
    assert [(one.project, one.subject, one.actor) for one in labels[::3]] == [
        ("acme/app", "i1", "operator"), ("acme/app", "acme/app", "operator")
    ]  # fmt: skip
    assert sent[0].key == sent[1].key
    assert len({one.key for one in sent}) == 3
    assert {one.topic for one in sent} == {FEEDBACK_LABELS.name}
    assert "hunter2" not in str(labels[1].note)


@pytest.mark.parametrize(
    ("path", "body", "status", "told"),
    [
        ("/insights/i1/feedback", {"says": "great"}, 422, "$.says"),
        ("/insights/i1/feedback", {}, 422, "says"),
        ("/insights/i1/feedback", {"says": "muted", "untill_ms": 1}, 422, "untill_ms"),
        ("/insights/i1/feedback", {"says": "muted", "until_ms": MIDNIGHT_MS}, 422, "until_ms"),
        ("/insights/i1/feedback", {"says": "useful", "until_ms": MIDNIGHT_MS + 1}, 422, "until_ms"),
        ("/insights/i1/feedback", {"says": "useful", "note": "x" * 5_000}, 422, "$.note"),
        ("/insights/i1/feedback", b"[" * 9_000, 422, "Expected `object`"),
        ("/insights/i1/feedback", b"x" * 70_000, 413, "65536"),
        ("/insights/none/feedback", {"says": "useful"}, 404, "no incident 'none'"),
        ("/projects/acme/feedback", {"says": "useful"}, 422, "project"),
    ],
)
def test_a_word_that_makes_no_sense_is_told_why(path: str, body: object, status: int, told: str) -> None:
    sent = Sent()
    answer = post(Client(insights=seen(holding(*COURSE), hand_in=sent.hand_in)), path, body)
    assert (answer.status_code, told in answer.json()["detail"]) == (status, True), answer.text
    assert sent == []


def test_a_broker_that_is_away_is_told_as_such() -> None:
    def away(_: object) -> int:
        raise Unavailable("the broker did not acknowledge within 15 s")

    answer = post(Client(insights=seen(holding(*COURSE), hand_in=away)), "/insights/i1/feedback", {"says": "useful"})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")


def test_a_word_takes_effect_once_it_was_read_from_the_log() -> None:
    p = [insight("i1", p=5e-5)]
    assert listed("", holding(*p)) == ["i1"]
    assert listed("", holding(*p, labels=[label("not_useful")])) == []
    assert listed("?feed=all", holding(*p, labels=[label("not_useful")])) == ["i1"]


@given(st.binary() | st.just(b"[" * 100_000))
def test_any_bytes_are_a_word_or_refused(body: bytes) -> None:
    with pytest.raises(BadRecord):
        spoken(body, MIDNIGHT_MS)


def test_what_has_come_is_judged_once_for_all_who_look_on() -> None:
    kept = holding(insight("i1", p=5e-5), insight("i2", p=1e-7), insight("weak", p=1e-3))
    his = seen(kept)
    came = kept.look("acme").arrived

    async def play() -> list[tuple[int, list[str]]]:
        viewer = Viewer("acme", None, "all")
        his.publish(came)  # nobody looks on
        his.streams.enter(viewer)
        await asyncio.to_thread(his.publish, came)
        return [(one.number, sorted(one.feeds)) for one in viewer.waiting]

    assert asyncio.run(play()) == [(1, ["all", "project"]), (2, ["all", "paging", "project"]), (3, ["all"])]


def test_who_looks_on_may_do_so_until_his_token_is_revoked_or_nobody_can_tell() -> None:
    store, watch = Store(token(scopes=["read"])), Watch()
    who = callers(store, watch)
    caller = who.caller(SHOWN)
    assert caller is not None
    assert may_still_see(who, SHOWN, caller)
    for changed in ({"scopes": ["ingest"]}, {"tenant": "globex", "scopes": ["read"]}, {"revoked_at": NOW}):
        watch.s += FRESH_S + 1
        store.found = token(**changed)
        assert not may_still_see(who, SHOWN, caller)
    store.found, watch.s = token(scopes=["read"]), watch.s + FRESH_S + 1
    assert may_still_see(who, SHOWN, caller)
    store.away, watch.s = True, watch.s + STALE_S + 1
    assert not may_still_see(who, SHOWN, caller)
