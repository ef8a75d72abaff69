"""/openapi.json against the gateway that it describes: whatever is sent by whomever, the answer is one it tells of."""

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from uuid import uuid4

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from contracts.topics import INSIGHTS, message
from feature_store.migrate import migrate
from gateway.processes import gateway
from gateway.tenants import Tenants
from gateway.webhook_secrets import WebhookSecrets
from tests.conftest import Stack
from tests.stack.flow import eventually, flow, free_port, now_ms, running
from tests.unit.gateway.insights.noticed import insight

# 500 is described nowhere; 503 is, and a busy machine may be answered so
CHECKS = [
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
]
OPERATIONS = [
    "GET /api/v1/features/{key}",
    "POST /api/v1/ingest/events",
    "POST /api/v1/ingest/junit",
    "POST /api/v1/ingest/github",
    "POST /api/v1/ingest/gitlab",
    "POST /api/v1/ingest/sentry",
    "POST /api/v1/ingest/cdevents",
    "POST /api/v1/ingest/otlp",
    "POST /api/v1/ingest/otlp/v1/traces",
    "GET /api/v1/insights",
    "GET /api/v1/insights/{subject}",
    "POST /api/v1/insights/{subject}/feedback",
    "POST /api/v1/projects/{project}/feedback",
]
ENDLESS = "GET /api/v1/ai/insights/stream"
SHARE = 5
"""A request takes as long as several examples of a parser."""


@pytest.fixture(scope="module")
def api(stack: Stack) -> Iterator[tuple[str, dict[str, dict[str, str]]]]:
    """Where a gateway answers, and what each kind of caller shows."""
    settings = stack.settings(
        f"openapi-{uuid4().hex[:8]}", gateway=f"127.0.0.1:{free_port()}", admin_token="operators-own"
    )
    migrate(settings.postgres.get_secret_value(), settings.namespace)
    url = f"http://{settings.gateway}"
    with flow(settings) as day, running(lambda stop: gateway(settings, stop, now_ms)):
        eventually("ready", lambda: answers(url))
        sent = message(INSIGHTS, insight("i1"), namespace=settings.namespace, source="/test")
        day.raw(INSIGHTS, sent.value, sent.key, sent.headers)
        where = (settings, partial(datetime.now, UTC))
        tenants = Tenants.of(*where)
        tenants.create("acme", "test")
        token = tenants.create_token("acme", label="ci", scopes=("ingest", "read"), life=None, actor="test")
        secret = WebhookSecrets.of(*where).create("acme", "gitlab", "test")
        yield (
            url,
            {
                "operator": {"Authorization": "Bearer operators-own"},
                "tenant": {"Authorization": f"Bearer {token}"},
                "sender": {"X-Gitlab-Token": secret},
                "nobody": {},
            },
        )


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz", timeout=5).status_code == 200
    except httpx.TransportError:
        return False


def mend(case: Case) -> None:
    """What chance does not hit upon: a key that exists, a time that is now, a file, a tenant."""
    if "key" in case.path_parameters:
        case.path_parameters["key"] = "project:acme/app:failure_rate_24h"
    if "subject" in case.path_parameters:
        case.path_parameters["subject"] = "i1"
    if "project" in case.path_parameters:
        case.path_parameters["project"] = "acme/app"
    if "tenant" in case.query:
        case.query["tenant"] = "acme"
    if "project" in case.query:
        case.query.update(project="acme/app", run="1", job="test")
    if case.media_type == "application/xml":
        case.body = b'<testsuite name="s"><testcase name="n"/></testsuite>'
    if case.path.endswith("/events") and case.media_type == "application/json":
        one = {"project": "acme/app", "run": "1", "job": "build", "outcome": "failure", "finished_ms": now_ms()}
        case.body = [one, {**one, "outcome": "perhaps"}]


def test_every_operation_is_tried_below(api: tuple) -> None:
    paths = httpx.get(f"{api[0]}/openapi.json", timeout=5).json()["paths"]
    there = {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods}
    assert there == {*OPERATIONS, ENDLESS}


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize("label", OPERATIONS)
def test_whatever_is_sent_is_answered_as_it_is_described(api: tuple, label: str, mode: GenerationMode) -> None:
    url, callers = api
    schema = schemathesis.openapi.from_url(f"{url}/openapi.json", wait_for_schema=5)
    (operation,) = [one.ok() for one in schema.get_all_operations() if one.ok().label == label]

    @settings(max_examples=max(1, settings.default.max_examples // SHARE), suppress_health_check=list(HealthCheck))
    @given(operation.as_strategy(generation_mode=mode), st.sampled_from(sorted(callers)), st.booleans())
    def sent(case: Case, who: str, is_good: bool) -> None:
        if is_good:
            mend(case)
        case.call_and_validate(headers=callers[who], checks=CHECKS, timeout=20)

    sent()
