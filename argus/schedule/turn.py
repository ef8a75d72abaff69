"""The scheduler: looks at its jobs every half minute, runs what is due, and says what came of it."""

import threading
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Protocol

import structlog
from prometheus_client import CollectorRegistry

from argus.schedule import due
from argus.schedule.ledger import held
from contracts import metrics
from contracts.errors import ArgusError, Misconfigured, Unavailable
from contracts.settings import Settings
from feature_store.metrics import counter
from feature_store.probe import Heartbeat, probe

LOOK_S, AWAY_S = 30.0, 1.0  # between looks; the second while Postgres does not answer
SILENCE_S = 120.0
COMPLETED, FAILED = "completed", "failed"

log = structlog.get_logger()


class Run(Protocol):
    """Runs a job as of an instant: what it did, as JSON, or None when `stop` ended it; raises ArgusError."""

    def __call__(self, job: str, now: datetime, stop: threading.Event, *, beat: Callable[[], None]) -> bytes | None: ...


def times(settings: Settings) -> dict[str, str]:
    """When each job runs, HH:MM in UTC. A new job is a line here and one in argus/schedule/child.py."""
    return {"seasonality": settings.seasonality_at}


class Scheduler:
    """Turns once every half minute; `unready` says why it could not look."""

    def __init__(self, settings: Settings, run: Run, now: Callable[[], datetime], registry: CollectorRegistry) -> None:
        self._settings, self._run, self._now = settings, run, now
        self._runs = counter(metrics.SCHEDULED_RUNS, registry)
        self._heart = Heartbeat(SILENCE_S, time.monotonic)
        self._away: str | None = "has not looked yet"

    def unready(self) -> str | None:
        """None, or why the last look failed."""
        return self._away

    def silent(self) -> str | None:
        """None, or for how long it has not turned."""
        return self._heart.check()

    def turn(self, stop: threading.Event) -> None:
        """Look at every job, and run those that are due. Raises Misconfigured where the table is missing."""
        self._heart.beat()
        away = None
        for job, told in times(self._settings).items():
            try:
                self._look(job, told, stop)
            except Unavailable as gone:
                away = str(gone)
                if away != self._away:
                    log.warning("schedule not read", job=job, reason=away)
        self._away = away

    def _look(self, job: str, told: str, stop: threading.Event) -> None:
        with held(self._settings, job) as ledger:
            if ledger is None:  # another scheduler has it, and will run it
                return
            now, at = self._now(), due.at_time(told)
            past = ledger.past(now)
            if not due.is_due(at, past, now):
                return
            ledger.begin(due.last_night(at, now), now)
            log.info("scheduled job begins", job=job)
            self._away = None
            try:
                did = self._run(job, now, stop, beat=self._heart.beat)
            except ArgusError as failed:
                self._runs.labels(job, FAILED).inc()
                log.error("scheduled job failed", job=job, reason=str(failed))
                return
            if did is None:
                ledger.broken_off(past)
                log.info("scheduled job broken off", job=job)
                return
            ledger.completed()
            self._runs.labels(job, COMPLETED).inc()
            log.info("scheduled job completed", job=job)


def schedule(settings: Settings, stop: threading.Event, now: Callable[[], datetime], run: Run) -> None:
    """Run what is due until `stop`. Raises Misconfigured where the table is missing."""
    registry = CollectorRegistry()
    scheduler = Scheduler(settings, run, now, registry)
    with probe(
        settings.metrics_port, registry, host=settings.metrics_host, healthy=scheduler.silent, ready=scheduler.unready
    ) as port:
        log.info("started", process="schedule", namespace=settings.namespace, probe_port=port)
        while not stop.is_set():
            scheduler.turn(stop)
            stop.wait(AWAY_S if scheduler.unready() else LOOK_S)
        log.info("stopped", process="schedule")


def once(settings: Settings, job: str, stop: threading.Event, now: Callable[[], datetime], run: Run) -> bytes | None:
    """Run a job now, due or not; what it did as JSON, None when `stop` ended it.

    Raises Misconfigured for a job that is not there or that another scheduler runs, Unavailable when it fails.
    """
    known: Mapping[str, str] = times(settings)
    if job not in known:
        raise Misconfigured(f"no job {job!r}: there is {', '.join(known)}")
    with held(settings, job) as ledger:
        if ledger is None:
            raise Misconfigured(f"{job} is being run by another scheduler of this namespace")
        at = now()
        past = ledger.past(at)
        ledger.begin(due.last_night(due.at_time(known[job]), at), at)
        did = run(job, at, stop, beat=lambda: None)
        if did is None:
            ledger.broken_off(past)
        else:
            ledger.completed()
        return did
