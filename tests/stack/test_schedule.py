"""The scheduler on real servers: its table and its lock, the nightly fit of a namespace, a tenant deleted from it."""

import json
import math
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import uuid4

import httpx
import psycopg
import pytest
from prometheus_client import CollectorRegistry

from argus.erasure import erase
from argus.schedule.ledger import held
from argus.schedule.turn import COMPLETED, FAILED, Scheduler, once
from contracts.errors import Misconfigured, Unavailable
from contracts.records import FailureVelocity
from contracts.seasonality import FitErrors, Seasonality
from contracts.topics import FAILURE_VELOCITY, message
from feature_store.connections import postgres_connection
from feature_store.migrate import migrate
from feature_store.seasonality import read, write
from gateway.tenants import Tenants
from tests.conftest import Stack
from tests.stack.flow import Flow, eventually, flow, free_port

NIGHT = datetime(2026, 11, 22, 2, 30, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
JOB = "seasonality"
RUNS = "argus_scheduled_runs_total"


@pytest.fixture(scope="module")
def night(stack: Stack) -> Iterator[Flow]:
    """A namespace with its tables and topics."""
    settings = stack.settings(f"night-{uuid4().hex[:8]}")
    migrate(settings.postgres.get_secret_value(), settings.namespace)
    with flow(settings) as one:
        yield one


@pytest.fixture
def forgotten(night: Flow) -> Flow:
    """The same, of whose jobs nothing is known."""
    with connected(night) as connection:
        connection.execute("DELETE FROM schedule_run")
    return night


def connected(night: Flow) -> psycopg.Connection:
    return postgres_connection(night.settings.postgres.get_secret_value(), night.settings.namespace, timeout_s=5)


class Runs:
    """Stands for the process of a job: notes when it ran, and does what it is told to."""

    def __init__(self, *does: object) -> None:
        self.at: list[datetime] = []
        self._does = list(does)

    def __call__(self, job: str, now: datetime, *_: threading.Event, **__: object) -> bytes | None:
        assert job == JOB
        self.at.append(now)
        did = self._does.pop(0) if self._does else b"{}"
        if isinstance(did, Exception):
            raise did
        assert did is None or isinstance(did, bytes)
        return did


def turned(night: Flow, run: Runs, *instants: datetime) -> CollectorRegistry:
    """A scheduler that looks at these instants."""
    registry, clock = CollectorRegistry(), iter(instants)
    scheduler = Scheduler(night.settings, run, lambda: next(clock), registry)
    for _ in instants:
        scheduler.turn(threading.Event())
    assert scheduler.unready() is None
    return registry


def test_a_night_is_run_once_and_a_missed_one_once_after_a_restart(forgotten: Flow) -> None:
    first, second = Runs(), Runs()
    told = turned(forgotten, first, NIGHT - HOUR, NIGHT, NIGHT + HOUR)
    assert first.at == [NIGHT], "nights before it was heard of are nobody's"
    assert told.get_sample_value(RUNS, {"job": JOB, "outcome": COMPLETED}) == 1
    late = NIGHT + 3 * DAY + HOUR
    turned(forgotten, second, late, late + HOUR)
    assert second.at == [late]


def test_a_run_that_fails_is_tried_again_three_times_and_counted(forgotten: Flow) -> None:
    run = Runs(*[Unavailable("the broker is away")] * 9)
    told = turned(forgotten, run, NIGHT - HOUR, *(NIGHT + n * HOUR / 2 for n in range(20)))
    assert run.at == [NIGHT + n * HOUR for n in range(4)]
    assert told.get_sample_value(RUNS, {"job": JOB, "outcome": FAILED}) == 4


def test_a_run_that_is_broken_off_is_begun_again_by_whoever_comes_next(forgotten: Flow) -> None:
    run = Runs(None)
    turned(forgotten, run, NIGHT - HOUR, NIGHT, NIGHT + timedelta(minutes=1), NIGHT + HOUR)
    assert run.at == [NIGHT, NIGHT + timedelta(minutes=1)]


def test_who_is_killed_in_a_run_has_failed(forgotten: Flow) -> None:
    with held(forgotten.settings, JOB) as ledger:
        assert ledger is not None
        ledger.past(NIGHT - HOUR)
        ledger.begin(NIGHT, NIGHT)
    run = Runs()
    turned(forgotten, run, NIGHT + HOUR / 2, NIGHT + HOUR)
    assert run.at == [NIGHT + HOUR]


def test_two_schedulers_do_not_run_a_job_at_once(forgotten: Flow) -> None:
    run = Runs()
    turned(forgotten, run, NIGHT - HOUR)
    with held(forgotten.settings, JOB) as mine:
        assert mine is not None
        turned(forgotten, run, NIGHT)
        with pytest.raises(Misconfigured, match="seasonality is being run by another scheduler"):
            once(forgotten.settings, JOB, threading.Event(), lambda: NIGHT, run)
        with held(forgotten.settings.model_copy(update={"namespace": ""}), JOB) as other:
            assert other is not None, "another namespace is another scheduler's"
    assert run.at == []
    turned(forgotten, run, NIGHT)
    assert run.at == [NIGHT]


def test_a_scheduler_without_its_table_says_what_to_do(stack: Stack) -> None:
    settings = stack.settings(f"none-{uuid4().hex[:8]}")
    with pytest.raises(Misconfigured, match="run `argus migrate`"):
        Scheduler(settings, Runs(), lambda: NIGHT, CollectorRegistry()).turn(threading.Event())


def velocity(night: Flow, project: str, now: datetime, *, days: int) -> None:
    """A project that fails by day, an hour at a time."""
    hour_ms = 3_600_000
    last_ms = int(now.timestamp() * 1000) // hour_ms * hour_ms
    for hour in range(days * 24):
        failing = round(4 + 4 * math.sin(hour / 24 * 2 * math.pi))
        record = FailureVelocity(
            project=project, minute_ms=last_ms - hour * hour_ms, runs=9, failing_runs=failing, error_runs=0
        )
        sent = message(FAILURE_VELOCITY, record, namespace=night.settings.namespace, source="/test")
        night.producer.produce(sent.topic, sent.value, sent.key, headers=sent.headers)
    assert night.producer.flush(20) == 0


def test_once_fits_the_busy_projects_of_a_namespace_and_says_why_others_are_left_out(
    stack: Stack, forgotten: Flow
) -> None:
    now = datetime.now(UTC)
    velocity(forgotten, "acme/app", now, days=15)
    velocity(forgotten, "acme/young", now, days=3)
    command = [sys.executable, "-m", "argus", "schedule", "--once", JOB]
    environ = stack.environment(forgotten.settings.namespace) | {"ARGUS_TIME_ZONES": '{"acme": "Asia/Tokyo"}'}
    told = subprocess.run([*command, "--json"], env=environ, capture_output=True, text=True, timeout=60, check=False)
    assert told.returncode == 0, told.stderr
    did = json.loads(told.stdout)
    assert [(one["project"], one["zone"]) for one in did["fitted"]] == [("acme/app", "Asia/Tokyo")]
    assert "14 are needed" in did["left_out"]["acme/young"]
    with connected(forgotten) as connection:
        row = read(connection, "acme/app")
        assert row is not None
        assert read(connection, "acme/young") is None
        (completed,) = connection.execute("SELECT completed FROM schedule_run WHERE job = %s", [JOB]).fetchone()
    assert (row.zone, len(row.weekly), len(row.daily), len(row.forecast)) == ("Asia/Tokyo", 7, 24, 24)
    assert row.errors.fit < 1
    assert completed >= now - timedelta(minutes=1)


def test_the_process_makes_up_for_a_missed_night_and_ends_when_told(stack: Stack, forgotten: Flow) -> None:
    with connected(forgotten) as connection:
        connection.execute("INSERT INTO schedule_run (job, since) VALUES (%s, now() - interval '2 days')", [JOB])
    port = free_port()
    environ = stack.environment(forgotten.settings.namespace) | {"ARGUS_METRICS_PORT": str(port)}
    process = subprocess.Popen([sys.executable, "-m", "argus", "schedule"], env=environ, stderr=subprocess.PIPE)
    try:
        done = f'{RUNS}{{job="{JOB}",outcome="{COMPLETED}"}} 1.0'
        eventually("the missed night is made up for", lambda: done in asked(port, "metrics"), deadline_s=60)
        assert asked(port, "readyz") == asked(port, "healthz") == "ok\n"
        process.send_signal(signal.SIGTERM)
        _, lines = process.communicate(timeout=10)
    finally:
        process.kill()
        process.communicate()
    events = [json.loads(line)["event"] for line in lines.splitlines()]
    assert (process.returncode, events[0], events[-1]) == (0, "started", "stopped")
    assert events.count("scheduled job completed") == 1


def asked(port: int, path: str) -> str:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/{path}", timeout=5).text
    except httpx.TransportError:
        return ""


def seasons(project: str, as_of: datetime) -> Seasonality:
    as_of_ms = int(as_of.timestamp() * 1000)
    return Seasonality(
        project=project, as_of_ms=as_of_ms, zone="UTC", trend=[], weekly=[0.0] * 7, daily=[0.0] * 24, forecast=[],
        errors=FitErrors(1.0, 2.0, 24, 0), model_version=1,
    )  # fmt: skip


def test_a_row_takes_the_place_of_the_one_before_and_goes_when_nobody_renews_it(night: Flow) -> None:
    now_ms = int(NIGHT.timestamp() * 1000)
    with connected(night) as connection:
        write(connection, [seasons("made/app", NIGHT - DAY), seasons("made/gone", NIGHT - 8 * DAY)], now_ms)
        write(connection, [seasons("made/app", NIGHT)], now_ms)
        assert read(connection, "made/app") == seasons("made/app", NIGHT)
        assert read(connection, "made/gone") is None
        connection.rollback()


def test_a_deleted_tenant_has_no_seasons_and_his_neighbour_keeps_his(night: Flow) -> None:
    now = datetime.now(UTC)
    tenants = Tenants.of(night.settings, partial(datetime.now, UTC))
    tenants.create("gone", "test")
    with connected(night) as connection:
        write(connection, [seasons("gone/app", now), seasons("gone2/app", now)], int(now.timestamp() * 1000))
    told = erase(night.settings, "gone", tenants, actor="test", now=now, deadline_s=30, sleep=lambda _: None)
    removed = {one.store: one.removed for one in told}
    assert removed["Postgres project_seasonality"] == 1
    with connected(night) as connection:
        assert read(connection, "gone/app") is None
        assert read(connection, "gone2/app") is not None
