"""What the gateway answers, with the reader as an argument."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

import httpx
import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from contracts.errors import Unavailable
from feature_store.reader import FeatureValue, Status
from gateway.app import application
from gateway.callers import Callers
from gateway.ingest.authors import hashed_by
from gateway.insights.seen import Insights
from tests.unit.gateway.ingest.counting import lax
from tests.unit.gateway.insights.noticed import seen

KEY = "project:acme/app:failure_rate_24h"
URL = f"/api/v1/features/{KEY}"
TOKEN = {"Authorization": "Bearer let-me-in"}


def holding(status: Status, value: object = None):
    def read(keys: Sequence[str]) -> list[FeatureValue]:
        seen = {"as_of_ms": 1_795_253_400_123, "age_ms": 1500, "version": 1} if status != "missing" else {}
        return [FeatureValue(key=key, status=status, value=value, unit="failing runs / runs", **seen) for key in keys]

    return read


def away(_: Sequence[str]) -> list[FeatureValue]:
    raise Unavailable("Valkey does not answer: TimeoutError")


def broken(_: Sequence[str]) -> list[FeatureValue]:
    raise RuntimeError("valkey://:s3cret@db")


class Client:
    """Calls the application without a network."""

    def __init__(self, read=away, token: str | None = "let-me-in", insights: Insights | None = None, **checks) -> None:
        callers = Callers(
            lambda _: None, lambda _: None, admin_token=token, clock=lambda: 0.0, now=lambda: datetime.now(UTC)
        )  # fmt: skip
        self.app = application(
            read=read, callers=callers, secrets=lambda *_: [], intake=None, authors=hashed_by(None), meter=lax(),
            seen=insights or seen(), checks=checks, registry=CollectorRegistry()
        )  # fmt: skip

    def get(self, path: str, headers: dict[str, str] | None = None) -> httpx.Response:
        async def call() -> httpx.Response:
            transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
                return await client.get(path, headers=headers)

        return asyncio.run(call())


def test_a_value_comes_with_all_that_is_known_of_it() -> None:
    answer = Client(holding("present", 0.0)).get(URL, headers=TOKEN)
    assert answer.status_code == 200
    assert answer.json() == {
        "key": KEY,
        "status": "present",
        "value": 0.0,
        "as_of": "2026-11-21T09:30:00.123+00:00",
        "as_of_ms": 1_795_253_400_123,
        "age_ms": 1500,
        "life_ms": None,
        "version": 1,
        "unit": "failing runs / runs",
        "source": "project-health",
    }


@pytest.mark.parametrize(("status", "code"), [("present", 200), ("expired", 410), ("missing", 404)])
def test_missing_expired_and_zero_are_three_answers(status: Status, code: int) -> None:
    answer = Client(holding(status, 0.0 if status == "present" else None)).get(URL, headers=TOKEN)
    assert (answer.status_code, answer.json()["status"]) == (code, status)


def test_a_key_outside_the_catalogue_is_told_what_is_in_it() -> None:
    answer = Client(holding("present", 1)).get("/api/v1/features/project:acme/app:beauty", headers=TOKEN)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert "project:{id}:failure_rate_24h" in answer.json()["detail"]


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic let-me-in"}])
def test_without_the_token_nothing_is_read(headers: dict[str, str]) -> None:
    answer = Client(broken).get(URL, headers=headers)
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")


@pytest.mark.parametrize("token", [None, ""])
def test_where_no_token_is_configured_every_call_is_refused(token: str | None) -> None:
    for headers in ({}, TOKEN, {"Authorization": "Bearer "}):
        assert Client(broken, token).get(URL, headers=headers).status_code == 401


def test_a_valkey_that_is_away_is_told_as_such() -> None:
    answer = Client(away).get(URL, headers=TOKEN)
    assert (answer.status_code, answer.json()["detail"]) == (503, "Valkey does not answer: TimeoutError")


def test_a_fault_shows_neither_its_trace_nor_its_secrets_but_where_the_log_has_it() -> None:
    with capture_logs() as lines:
        answer = Client(broken).get(URL, headers=TOKEN)
    assert answer.status_code == 500
    assert lines[0]["id"] in answer.json()["detail"]
    assert "s3cret" not in answer.text
    assert "Traceback" not in answer.text


def test_ready_names_what_is_missing() -> None:
    wrong = Client(broker=lambda: "timed out", valkey=lambda: None).get("/readyz")
    assert (wrong.status_code, wrong.text) == (503, "broker: timed out\n")
    assert Client(broker=lambda: None).get("/readyz").status_code == 200


def test_requests_are_counted_by_route_and_status_never_by_key() -> None:
    one = Client(broken)
    with capture_logs():
        one.get(URL, headers=TOKEN)
    one.get(URL)
    one.get("/no/such/place")
    text = one.get("/metrics").text
    assert 'argus_http_requests_total{route="/api/v1/features/{key:path}",status="500"} 1.0' in text
    assert 'status="401"} 1.0' in text
    assert 'argus_http_requests_total{route="none",status="404"} 1.0' in text
    assert "acme" not in text
