"""Insights from the log to those who may see them: listed, streamed, resumed, muted by what people say."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from functools import partial
from uuid import uuid4

import httpx
import pytest

from contracts.insights import Insight
from contracts.topics import FEEDBACK_LABELS, INSIGHTS, message
from feature_store.migrate import migrate
from gateway.processes import gateway
from gateway.tenants import Tenants
from tests.conftest import Stack
from tests.stack.flow import Flow, eventually, flow, free_port, now_ms, running
from tests.stack.topic_reading import everything
from tests.unit.gateway.insights.noticed import insight

STREAM = "/ai/insights/stream"


@pytest.fixture
def day(stack: Stack) -> Iterator[Flow]:
    """A namespace with its topics; `serving` starts a gateway."""
    settings = stack.settings(f"insights-{uuid4().hex[:8]}", gateway=f"127.0.0.1:{free_port()}")
    migrate(settings.postgres.get_secret_value(), settings.namespace)
    with flow(settings) as one:
        yield one


@contextmanager
def serving(day: Flow) -> Iterator[None]:
    with running(lambda stop: gateway(day.settings, stop, now_ms)):
        eventually("read", lambda: answers(day))
        yield


def answers(day: Flow) -> bool:
    assert day.settings.admin_token is not None
    try:
        with calling(day, day.settings.admin_token.get_secret_value()) as client:
            return client.get("/insights").status_code == 200
    except httpx.TransportError:
        return False


def token(day: Flow, tenant: str) -> str:
    tenants = Tenants.of(day.settings, partial(datetime.now, UTC))
    tenants.create(tenant, "test")
    return tenants.create_token(tenant, label="", scopes=["read"], life=None, actor="test")


@contextmanager
def calling(day: Flow, shown: str) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {shown}"}
    with httpx.Client(base_url=f"http://{day.settings.gateway}/api/v1", headers=headers, timeout=20) as client:
        yield client


def put(day: Flow, *told: Insight) -> None:
    for one in told:
        sent = message(INSIGHTS, one, namespace=day.settings.namespace, source="/test")
        day.raw(INSIGHTS, sent.value, sent.key, sent.headers)


def told(client: httpx.Client) -> list[str]:
    return [one["insight"] for one in client.get("/insights").json()["incidents"]]


@contextmanager
def watching(client: httpx.Client, **asked: str) -> Iterator[Iterator[dict[str, str]]]:
    """The events of a stream that is open, as they come."""
    headers = {name.replace("_", "-"): value for name, value in asked.items()}
    with client.stream("GET", STREAM, headers=headers) as answer:
        assert (answer.status_code, answer.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
        lines = answer.iter_lines()
        assert (next(lines), next(lines)) == ("retry: 2000", "")
        yield events(lines)


def events(lines: Iterator[str]) -> Iterator[dict[str, str]]:
    event: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(": ")
        if name:
            event[name] = value
        elif event:
            yield event
            event = {}


def test_an_insight_is_listed_streamed_once_resumed_and_hidden_by_what_people_say(day: Flow) -> None:
    put(day, insight("before"))
    acme, globex = token(day, "acme"), token(day, "globex")
    with serving(day), calling(day, acme) as mine, calling(day, globex) as theirs:
        assert (told(mine), told(theirs)) == (["before"], [])
        with watching(mine) as seen, watching(theirs) as other:
            put(day, insight("i1-a", p=5e-5), insight("i1-a", p=5e-5), insight("weak", p=1e-3))
            put(day, insight("g1", project="globex/app"), insight("i1-b", state="escalated", p=2e-5))
            one, two = next(seen), next(seen)
            assert [(each["id"], each["event"]) for each in (one, two)] == [("i1-a", "opened"), ("i1-b", "escalated")]
            assert json.loads(one["data"])["title"] == insight("i1-a").title
            assert next(other)["id"] == "g1"
        put(day, insight("i1-c", state="resolved", p=2e-5))
        with watching(mine, Last_Event_ID="i1-a") as seen:
            assert [next(seen)["id"] for _ in range(2)] == ["i1-b", "i1-c"]
        with watching(mine, Last_Event_ID="forgotten") as seen:
            assert [next(seen)["id"] for _ in range(4)] == ["before", "i1-a", "i1-b", "i1-c"]

        assert [one["insight"] for one in mine.get("/insights/i1").json()["insights"]] == ["i1-a", "i1-b", "i1-c"]
        assert (theirs.get("/insights/i1").status_code, mine.get("/insights/g1").status_code) == (404, 404)
        said = {"says": "not_useful", "note": "a release; password=hunter2"}
        assert theirs.post("/insights/i1/feedback", json=said).status_code == 404
        answer = mine.post("/insights/i1/feedback", json=said)
        assert (answer.status_code, answer.json()["project"]) == (202, "acme/app")
        eventually("hidden", lambda: told(mine), lambda names: names == ["before"])
        (label,) = everything(day.settings, FEEDBACK_LABELS)
        assert b"hunter2" not in label.value()


def test_a_stream_ends_with_the_gateway_and_all_is_there_when_it_is_back(day: Flow) -> None:
    acme = token(day, "acme")
    with calling(day, acme) as mine, ExitStack() as gateways:
        gateways.enter_context(serving(day))
        with watching(mine) as seen:
            put(day, insight("i1"))
            assert next(seen)["id"] == "i1"
            gateways.close()
            assert list(seen) == [], "ended in order, not cut"
        put(day, *(insight(f"p{at}", project=f"acme/app{at}") for at in range(5)))
        gateways.enter_context(serving(day))
        with watching(mine, Last_Event_ID="i1") as seen:
            assert {next(seen)["id"] for _ in range(5)} == {f"p{at}" for at in range(5)}


def test_the_command_follows_through_a_restart_and_gives_feedback(stack: Stack, day: Flow) -> None:
    environment = stack.environment(day.settings.namespace) | {"ARGUS_GATEWAY": day.settings.gateway}
    command = [sys.executable, "-m", "argus", "insights"]
    put(day, insight("i1"))
    with ExitStack() as gateways:
        gateways.enter_context(serving(day))
        follow = subprocess.Popen([*command, "--follow", "--json"], env=environment, stdout=subprocess.PIPE, text=True)
        try:
            assert follow.stdout is not None
            assert json.loads(follow.stdout.readline())["feedback"]["useful"] == 0
            gateways.close()
            put(day, insight("i2"))
            gateways.enter_context(serving(day))
            put(day, insight("i3"), insight("i2"))
            assert [json.loads(follow.stdout.readline())["insight"] for _ in range(2)] == ["i2", "i3"]
        finally:
            follow.send_signal(signal.SIGINT)
            rest = follow.communicate(timeout=20)[0]
        assert (follow.returncode, rest) == (0, "")
        said = subprocess.run(
            [*command, "feedback", "i2", "--says", "acknowledged"],
            env=environment, capture_output=True, text=True, timeout=30, check=True,
        )  # fmt: skip
        assert said.stdout == "acme/app: i2 acknowledged\n"

        def table() -> str:
            return subprocess.run(
                command, env=environment, capture_output=True, text=True, timeout=30, check=True
            ).stdout

        shown = eventually("acknowledged", table, lambda text: "opened, acknowledged" in text)
        assert shown.splitlines()[0].split() == ["severity", "project", "state", "since", "title", "subject"]
        assert shown.splitlines()[-1] == "3 incidents"
