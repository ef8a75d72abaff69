"""How much one may send: together, apart, and while the counter is away."""

import asyncio
from datetime import UTC, datetime

import httpx
import pytest
from fastapi import HTTPException
from prometheus_client import CollectorRegistry

from gateway.app import application
from gateway.callers import OPERATOR, Caller, Callers
from gateway.ingest.authors import hashed_by
from gateway.ingest.meter import AWAY_S, DAY_S, MINUTE_S, Meter
from gateway.tenants import Token, hashed
from tests.unit.gateway.ingest.counting import Store, Watch, meter
from tests.unit.gateway.insights.noticed import seen

NOON_S = 1_795_262_400
ACME = Caller("abcdefgh", "acme", frozenset({"ingest"}))
OTHER = Caller("bcdefghi", "acme", frozenset({"ingest"}))


def passed(one: Meter, caller: Caller, times: int) -> int:
    """How many of so many requests were let in."""
    count = 0
    for _ in range(times):
        try:
            one.request(caller)
            count += 1
        except HTTPException:
            continue
    return count


def test_so_many_requests_a_minute_and_then_one_is_told_when_to_come_again() -> None:
    store, watch = Store(), Watch(NOON_S + 15)
    one = meter(store, watch, requests=3, size=100)
    assert passed(one, ACME, 3) == 3
    with pytest.raises(HTTPException) as refused:
        one.request(ACME)
    assert refused.value.headers == {
        "Retry-After": "45", "RateLimit-Limit": "3", "RateLimit-Remaining": "0", "RateLimit-Reset": "45",
    }  # fmt: skip
    assert "3 requests a minute" in refused.value.detail
    assert (passed(one, OTHER, 1), passed(one, OPERATOR, 9)) == (1, 9)
    watch.s += 44
    assert passed(one, ACME, 1) == 0
    watch.s += 1
    assert passed(one, ACME, 5) == 3


def test_all_gateways_count_together_and_each_asks_once_a_request() -> None:
    store, watch = Store(), Watch(NOON_S)
    two = [meter(store, watch, requests=10, size=100) for _ in range(2)]
    assert [passed(one, ACME, 1) for _ in range(6) for one in two] == [1] * 10 + [0] * 2
    asked = store.asked
    assert asked == 10 + 1
    assert passed(two[0], ACME, 5) == 0
    assert store.asked == asked, "who is known to have had all is refused without asking"
    assert set(store.lives_s.values()) == {MINUTE_S, DAY_S}
    assert all(":acme:abcdefgh:" in key for key in store.totals)


def test_bytes_are_counted_when_they_have_come_and_the_last_body_may_be_more_than_was_left() -> None:
    store, watch = Store(), Watch(NOON_S)
    one, other = (meter(store, watch, requests=100, size=100) for _ in range(2))
    for size in (60, 60):
        one.request(ACME)
        one.received(ACME, size)
    for gateway in (one, other):
        with pytest.raises(HTTPException, match="100 bytes a day") as refused:
            gateway.request(ACME)
        assert refused.value.headers["Retry-After"] == str(DAY_S // 2)
    watch.s += DAY_S // 2
    assert passed(one, ACME, 1) == 1


def test_a_token_s_own_limits_take_the_place_of_the_settings() -> None:
    store, watch = Store(), Watch(NOON_S)
    one = meter(store, watch, requests=3, size=100)
    more = Caller("cdefghij", "acme", frozenset({"ingest"}), requests_per_minute=5, bytes_per_day=1)
    assert passed(one, more, 9) == 5
    watch.s += MINUTE_S
    one.received(more, 1)
    assert passed(one, more, 1) == 0


def test_nobody_is_refused_because_the_counter_is_away_and_each_gateway_then_counts_alone() -> None:
    store, watch = Store(), Watch(NOON_S)
    two = [meter(store, watch, requests=4, size=100) for _ in range(2)]
    assert [passed(one, ACME, 1) for one in two] == [1, 1]
    store.away = True
    asked = store.asked
    assert [passed(one, ACME, 9) for one in two] == [3, 2], "each goes on from what it was told"
    assert store.asked == asked + 2, "nobody waits for it again and again"
    store.away, watch.s = False, NOON_S + int(AWAY_S) + 1
    assert [passed(one, OTHER, 5) for one in two] == [4, 0]


def test_webhooks_are_limited_before_their_body_and_counted_once_they_are_genuine() -> None:
    store, watch = Store(), Watch(NOON_S)
    one = meter(store, watch, requests=2, size=100)
    github, gitlab = (Caller(name, "acme", frozenset({"ingest"})) for name in ("github", "gitlab"))
    for _ in range(9):
        one.refuse_spent(github)
    assert store.totals == {}, "a forged one spends nothing"
    for _ in range(2):
        one.webhook(github, 10)
    with pytest.raises(HTTPException, match="2 requests a minute"):
        one.refuse_spent(github)
    one.refuse_spent(gitlab)
    assert sorted(store.totals.values()) == [2, 20]


def test_over_http_a_refusal_is_a_problem_with_its_headers_and_is_counted_by_limit_alone() -> None:
    secret, registry = "s" * 43, CollectorRegistry()
    token = Token(
        prefix="abcdefgh", tenant="acme", label="", hash=hashed(secret), scopes=["ingest"],
        created_at=datetime(2026, 1, 1, tzinfo=UTC), expires_at=None, revoked_at=None, used_at=None,
        requests_per_minute=1,
    )  # fmt: skip
    callers = Callers(
        lambda _: token, lambda _: None, admin_token=None, clock=lambda: 0.0, now=lambda: datetime.now(UTC)
    )
    app = application(
        read=lambda _: [], callers=callers, secrets=lambda *_: ["s3cret"], intake=None, authors=hashed_by(None),
        meter=meter(Store(), Watch(NOON_S), requests=9, size=9, registry=registry), seen=seen(), checks={},
        registry=registry,
    )  # fmt: skip

    async def call() -> list[httpx.Response]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://gateway") as client:
            headers = {"Authorization": f"Bearer argus_abcdefgh_{secret}"}
            sent = [await client.post("/api/v1/ingest/events", headers=headers, content="{}") for _ in range(2)]
            return [*sent, await client.get("/metrics")]

    first, second, metrics = asyncio.run(call())
    assert (first.status_code, second.status_code) == (409, 429)
    assert second.headers["content-type"] == "application/problem+json"
    assert (second.headers["retry-after"], second.headers["ratelimit-limit"]) == ("60", "1")
    assert 'argus_ingest_limited_total{limit="requests"} 1.0' in metrics.text
    assert "acme" not in metrics.text
