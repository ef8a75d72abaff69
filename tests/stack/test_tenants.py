"""Who may, and how much: tokens that are rotated, limits, and tenants of whom nothing is left."""

import base64
import hmac
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import uuid4

import httpx
import psycopg
import pytest

from argus.commands.tenants import delete_tenant, list_audit
from argus.erasure import erase
from contracts.errors import Misconfigured
from contracts.insights import Expectation, FailureExpectation, SeriesExpectation
from contracts.records import DeadLetter, FailureVelocity
from contracts.topics import (
    DEAD_LETTERS,
    FAILURE_EXPECTATION,
    FAILURE_VELOCITY,
    FEEDBACK_LABELS,
    INSIGHTS,
    RUNS,
    TOPICS,
    message,
)
from feature_store.connections import postgres_connection
from feature_store.migrate import migrate
from feature_store.processes import history_writer, online_writer
from gateway.aliases import TestAliases
from gateway.processes import gateway
from gateway.tenants import Tenants
from gateway.webhook_secrets import WebhookSecrets
from tests.conftest import Stack
from tests.stack.flow import Flow, eventually, flow, free_port, health, now_ms, running
from tests.stack.topic_reading import everything
from tests.unit.gateway.insights.noticed import insight, label

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
A_MINUTE = 10
MINE, NEIGHBOUR = "acme/canary-7f3a", "acme2/canary-19bc"
HISTORY = ("feature_project_health", "feature_failure_expectation")
KEY = "project:{}:failure_rate_24h"


@pytest.fixture(scope="module")
def day(stack: Stack) -> Iterator[Flow]:
    """A namespace with a gateway and both writers in it."""
    settings = stack.settings(
        f"tenants-{uuid4().hex[:8]}", gateway=f"127.0.0.1:{free_port()}", ingest_requests_per_minute=A_MINUTE
    )
    migrate(settings.postgres.get_secret_value(), settings.namespace)
    with (
        flow(settings) as one,
        running(lambda stop: gateway(settings, stop, now_ms)),
        running(lambda stop: online_writer(settings, stop, now_ms)),
        running(partial(history_writer, settings)),
    ):
        eventually("ready", lambda: answers(one))
        yield one


def answers(day: Flow) -> bool:
    try:
        return httpx.get(f"http://{day.settings.gateway}/readyz", timeout=5).status_code == 200
    except httpx.TransportError:
        return False


def tenants_of(day: Flow, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> Tenants:
    return Tenants.of(day.settings, now)


def secrets_of(day: Flow) -> WebhookSecrets:
    return WebhookSecrets.of(day.settings, lambda: datetime.now(UTC))


def created(day: Flow, name: str, **limits: int) -> str:
    tenants = tenants_of(day)
    tenants.create(name, "test")
    return tenants.create_token(name, label="ci", scopes=["ingest", "read"], life=None, actor="test", **limits)


def post(day: Flow, token: str, project: str, run: str) -> httpx.Response:
    body = {"project": project, "run": run, "job": "build", "outcome": "failure", "finished_ms": now_ms()}
    return httpx.post(
        f"http://{day.settings.gateway}/api/v1/ingest/events", content=json.dumps(body),
        headers={"Authorization": f"Bearer {token}"}, timeout=30,
    )  # fmt: skip


def held(day: Flow) -> dict[str, str]:
    """All that each store has, as text; of a compacted topic the last value of each key."""
    settings = day.settings
    pattern = f"{settings.namespace}:*"
    kinds = {b"string": day.valkey.get, b"hash": day.valkey.hgetall}
    found = {"valkey": repr({key: kinds[day.valkey.type(key)](key) for key in day.valkey.scan_iter(pattern)})}
    with ThreadPoolExecutor(len(TOPICS)) as pool:
        read = list(pool.map(partial(everything, settings), TOPICS))
    for topic, records in zip(TOPICS, read, strict=True):
        live = {(one.partition(), one.key()): one.value() for one in records if "compact" in topic.cleanup}
        kept = {key: shown(value) for key, value in live.items() if value is not None}
        found[topic.name] = repr(kept or [one.value() for one in records if "compact" not in topic.cleanup])
    with rows(day) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()").fetchall()
        for (table,) in tables:
            found[table] = repr(connection.execute(f'SELECT * FROM "{table}"').fetchall())
    return found


def shown(value: bytes) -> str:
    """A value, and what a dead letter has in base64 beside it."""
    fields = json.loads(value)
    return repr((value, [base64.b64decode(fields[name]) for name in ("key", "value") if "reader" in fields]))


def rows(day: Flow) -> psycopg.Connection:
    return postgres_connection(day.settings.postgres.get_secret_value(), day.settings.namespace, timeout_s=5)


def holding(stores: dict[str, str], text: str) -> set[str]:
    return {store for store, seen in stores.items() if text in seen}


def fill(day: Flow, token: str, project: str) -> None:
    """Something of a project in every store."""
    assert post(day, token, project, "1").json()["accepted"] == 1
    day.live()
    now = now_ms()
    day.put(health(project, 0.5, now))
    velocity = FailureVelocity(project=project, minute_ms=now, runs=1, failing_runs=1, error_runs=0)
    letter = DeadLetter(
        reader="failure_velocity", reason="late", topic=RUNS.name, partition=0, offset=len(project),
        key=project.encode(), value=json.dumps({"project": project}).encode(),
    )  # fmt: skip
    quiet = SeriesExpectation(windows=[])
    expected = FailureExpectation(
        project=project, failure_expectation=Expectation(quiet, quiet), as_of_ms=now, model_version=1
    )
    told = (
        (FAILURE_VELOCITY, velocity),
        (DEAD_LETTERS, letter),
        (FAILURE_EXPECTATION, expected),
        (INSIGHTS, insight(f"{project} opened", project=project)),
        (FEEDBACK_LABELS, label("useful", project=project)),
    )
    for topic, record in told:
        sent = message(topic, record, namespace=day.settings.namespace, source="/test")
        day.raw(topic, sent.value, sent.key, sent.headers)
    eventually("the key is there", lambda: day.read(KEY.format(project)).status, lambda status: status == "present")
    eventually("the row is there", lambda: holding_rows(day, project))


def holding_rows(day: Flow, project: str) -> int:
    with rows(day) as connection:
        counts = [
            connection.execute(f"SELECT FROM {table} WHERE entity = %s", [project]).rowcount  # type: ignore[arg-type]
            for table in HISTORY
        ]
        return min(counts)


def incidents(day: Flow, token: str) -> list[dict]:
    url, headers = f"http://{day.settings.gateway}/api/v1/insights", {"Authorization": f"Bearer {token}"}
    found: list[dict] = httpx.get(url, headers=headers, timeout=30).json()["incidents"]
    return found


def test_a_deleted_tenant_is_in_no_store_his_neighbour_in_all_and_his_name_begins_anew(
    stack: Stack, day: Flow, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tokens = {tenant: created(day, tenant) for tenant in ("acme", "acme2")}
    secrets_of(day).create("acme", "github", "test")
    aliases = TestAliases.of(day.settings, lambda: datetime.now(UTC))
    for project in (MINE, NEIGHBOUR):
        aliases.add(project, f"{project}::old", f"{project}::new", "test")
    fill(day, tokens["acme"], MINE)
    fill(day, tokens["acme2"], NEIGHBOUR)
    stores = {"valkey", RUNS.name, INSIGHTS.name, *(topic.name for topic in TOPICS if topic.cleanup != "delete")}
    stores |= {*HISTORY, "test_alias", "audit"}
    before = held(day)
    assert (holding(before, MINE), holding(before, NEIGHBOUR)) == (stores, stores)

    for name, value in stack.environment(day.settings.namespace).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(Misconfigured, match="nothing was deleted"):
        delete_tenant("acme", yes="acme2")

    def crashed(_: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        erase(day.settings, "acme", tenants_of(day), actor="test", now=NOW, deadline_s=30, sleep=crashed)
    delete_tenant("acme", yes="acme", deadline_s=30)
    told = capsys.readouterr().out
    assert "argus.cicd.runs" in told
    assert "single records cannot be deleted" in told
    day.live()  # a writer that still had him in memory would renew his keys
    left = held(day)
    assert holding(left, MINE) == {RUNS.name, INSIGHTS.name, "audit"}, (
        "the log cannot lose single records, and the audit nothing"
    )
    assert holding(left, f"{MINE}::") == set()
    assert holding(left, NEIGHBOUR) == stores
    assert [left[table].count("'acme'") for table in ("tenant", "token", "webhook_secret", "test_alias")] == [0] * 4
    assert not [key for key in left["valkey"].split() if ":acme:" in key]
    assert post(day, tokens["acme"], MINE, "2").status_code == 401
    assert post(day, tokens["acme2"], NEIGHBOUR, "2").status_code == 202

    list_audit("acme", as_json=True)
    actions = [one["action"] for one in json.loads(capsys.readouterr().out)]
    assert actions == [
        "tenant created", "token created", "webhook secret created", "test alias added",
        "tenant deletion begun", "tenant deletion begun", "tenant deleted",
    ]  # fmt: skip
    again = erase(day.settings, "acme", tenants_of(day), actor="test", now=NOW, deadline_s=30, sleep=lambda _: None)
    assert sum(one.removed for one in again) == 0
    with pytest.raises(Misconfigured, match="no tenant 'acm'"):
        tenants_of(day).close("acm", "test")

    anew = created(day, "acme")
    eventually("forgotten", lambda: incidents(day, anew), lambda found: found == [])
    assert [one["project"] for one in incidents(day, tokens["acme2"])] == [NEIGHBOUR]
    answer = httpx.get(
        f"http://{day.settings.gateway}/api/v1/features/{KEY.format(MINE)}",
        headers={"Authorization": f"Bearer {anew}"}, timeout=30,
    )  # fmt: skip
    assert (answer.status_code, answer.json()["status"]) == (404, "missing")


def test_a_rotated_token_goes_on_beside_its_successor_for_the_overlap(day: Flow) -> None:
    clock = [NOW]
    tenants = tenants_of(day, lambda: clock[0])
    tenants.create("rotating", "test")
    old = tenants.create_token(
        "rotating", label="ci", scopes=["read", "ingest"], life=timedelta(days=30), actor="test", bytes_per_day=7
    ).split("_")[1]
    clock[0] += 10 * 24 * HOUR
    new = tenants.rotate(old, 24 * HOUR, "test").split("_")[1]

    def states() -> dict[str, str]:
        return {one.prefix: one.state(clock[0]) for one in tenants.tokens("rotating")}

    first, second = tenants.tokens("rotating")
    assert (second.label, second.scopes, second.bytes_per_day) == ("ci", ["ingest", "read"], 7)
    assert (first.successor, second.expires_at) == (new, clock[0] + timedelta(days=30))
    assert states() == {old: "valid", new: "valid"}
    with pytest.raises(Misconfigured, match=f"rotated to {new}"):
        tenants.rotate(old, HOUR, "test")
    clock[0] += 24 * HOUR
    assert states() == {old: "expired", new: "valid"}
    with pytest.raises(Misconfigured, match="expired"):
        tenants.rotate(old, HOUR, "test")
    with pytest.raises(Misconfigured, match="no token"):
        tenants.rotate("nonesuch", HOUR, "test")
    clock[0] += timedelta(days=28, hours=12)
    tenants.rotate(new, 24 * HOUR, "test")
    assert tenants.token(new).expires_at == second.expires_at, "an overlap prolongs nothing"
    noted = tenants.audit("rotating")[2]
    assert (noted.action, noted.subject, noted.at) == ("token rotated", f"{old} to {new}", NOW + 10 * 24 * HOUR)


def test_who_is_let_in_while_a_tenant_is_deleted_is_not_overlooked(day: Flow) -> None:
    created(day, "hasty")
    tenants = tenants_of(day)
    assert tenants.close("hasty", "test") == 1
    tenants.create_token("hasty", label="", scopes=["ingest"], life=None, actor="test")
    with pytest.raises(Misconfigured, match="meanwhile"):
        tenants.forget("hasty", "test")
    assert tenants.close("hasty", "test") == 1
    tenants.forget("hasty", "test")


def test_what_the_audit_has_nobody_changes_or_takes_out(day: Flow) -> None:
    tenants_of(day).create("watched", "test")
    for statement in ("UPDATE audit SET actor = 'nobody'", "DELETE FROM audit", "TRUNCATE audit"):
        with rows(day) as connection, pytest.raises(psycopg.errors.RestrictViolation, match="only ever added"):
            connection.execute(statement)
    assert [one.action for one in tenants_of(day).audit("watched")] == ["tenant created"]


def test_a_token_that_had_its_minute_or_its_day_is_asked_to_come_later(day: Flow) -> None:
    token = created(day, "eager", bytes_per_day=1)
    assert post(day, token, "eager/app", "1").status_code == 202
    refused = post(day, token, "eager/app", "2")
    assert (refused.status_code, refused.headers["content-type"]) == (429, "application/problem+json")
    assert 0 < int(refused.headers["retry-after"]) <= 86_400
    assert (refused.headers["ratelimit-limit"], refused.headers["ratelimit-remaining"]) == ("1", "0")
    metrics = httpx.get(f"http://{day.settings.gateway}/metrics", timeout=30).text
    assert 'argus_ingest_limited_total{limit="bytes"} 1.0' in metrics


def test_genuine_webhooks_are_limited_and_forged_ones_spend_nothing(day: Flow) -> None:
    tenants_of(day).create("hooked", "test")
    secret = secrets_of(day).create("hooked", "github", "test")

    def hook(key: str) -> int:
        signed = hmac.new(key.encode(), b"{}", "sha256").hexdigest()
        url = f"http://{day.settings.gateway}/api/v1/ingest/github?tenant=hooked"
        return httpx.post(url, content=b"{}", headers={"X-Hub-Signature-256": f"sha256={signed}"}).status_code

    assert {hook("forged") for _ in range(2 * A_MINUTE)} == {401}
    answers = [hook(secret) for _ in range(2 * A_MINUTE + 1)]
    assert answers[:A_MINUTE] == [200] * A_MINUTE
    assert set(answers[A_MINUTE:]) in ({429}, {429, 200}), "the clock's minute may turn between two of them"
    eventually("refused unread", lambda: (hook(secret), hook("forged")), lambda told: told == (429, 429))
