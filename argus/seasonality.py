"""The nightly fit of every busy project: from the topic of failure velocity to the table project_seasonality."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import structlog
from msgspec import Struct

from argus.topic_records import records
from contracts.errors import BadRecord, Unavailable
from contracts.records import FailureVelocity, decode
from contracts.seasonality import Seasonality
from contracts.settings import Settings
from contracts.topics import FAILURE_VELOCITY, SEPARATOR
from contracts.zones import zone_of
from feature_store.connections import POSTGRES_AWAY, bounded, postgres_connection
from feature_store.log import is_tick
from feature_store.seasonality import write
from pipelines.seasonality import Hourly, fit, history_from, hourly

READ_S = 600.0  # for the whole topic, which keeps every minute there ever was
STORE_TIMEOUT_S = 30.0

log = structlog.get_logger()

Histories = dict[str, dict[int, tuple[int, int]]]
"""Runs and failing runs by project and start of the minute, epoch ms."""


class Fitted(Struct, frozen=True):
    """A project's errors on the last day, in failing runs an hour: of its fit, and of the week before taken for it."""

    project: str
    zone: str
    error: float
    week_before: float


class Report(Struct, frozen=True):
    """What one night came to; `left_out` has the reason by project."""

    fitted: list[Fitted]
    left_out: dict[str, str]


def seasonality(settings: Settings, now: datetime) -> Report:
    """Fit and write every busy project of the namespace.

    Raises Unavailable when the broker or Postgres does not answer, Misconfigured when the topic is missing.
    """
    now_ms = int(now.timestamp() * 1000)
    found = histories(records(settings, FAILURE_VELOCITY, deadline_s=READ_S), history_from(now_ms))
    fitted, left_out = fits(found, now_ms, default=settings.time_zone, zones=settings.time_zones)
    _write(settings, fitted, now_ms)
    log.info("seasons written", fitted=len(fitted), left_out=len(left_out))
    return Report([Fitted(one.project, one.zone, one.errors.fit, one.errors.week_before) for one in fitted], left_out)


def histories(messages: Iterable[Any], since_ms: int) -> Histories:
    """The newest counts of each minute from `since_ms` on; a minute that was withdrawn is none."""
    found: Histories = {}
    unreadable = 0
    for message in messages:
        if is_tick(message):
            continue
        try:
            project, at_ms, counts = _row(message)
        except (BadRecord, ValueError):  # the latter: a key that is none of ours
            unreadable += 1
            continue
        if counts and at_ms >= since_ms:
            found.setdefault(project, {})[at_ms] = counts
        elif project in found:
            found[project].pop(at_ms, None)
    if unreadable:
        log.warning("velocity rows not readable", rows=unreadable)
    return found


def fits(
    found: Histories, now_ms: int, *, default: str, zones: Mapping[str, str]
) -> tuple[list[Seasonality], dict[str, str]]:
    """Of each project, in the order of their names, its seasons or why it has none."""
    fitted: list[Seasonality] = []
    left_out: dict[str, str] = {}
    for project in sorted(found):
        zone = zone_of(project, default, zones)
        hours = hourly(found[project], zone, now_ms)
        told = fit(project, zone, hours, now_ms) if isinstance(hours, Hourly) else hours
        if isinstance(told, Seasonality):
            fitted.append(told)
        else:
            left_out[project] = told
            log.info("seasonality left out", project=project, reason=told)
    return fitted, left_out


def _row(message: Any) -> tuple[str, int, tuple[int, int] | None]:
    """Project, minute, and what is known of it."""
    project, _, minute_ms = (message.key() or b"").decode().partition(SEPARATOR)
    if message.value() is None:
        return project, int(minute_ms), None
    told = decode(FailureVelocity, message.value())
    return told.project, told.minute_ms, (told.runs, told.failing_runs) if told.counts() else None


def _write(settings: Settings, fitted: list[Seasonality], now_ms: int) -> None:
    connection = postgres_connection(settings.postgres.get_secret_value(), settings.namespace, timeout_s=5)
    try:
        with bounded(connection, STORE_TIMEOUT_S), connection.transaction():
            write(connection, fitted, now_ms)
    except POSTGRES_AWAY as gone:
        raise Unavailable(f"Postgres does not answer: {type(gone).__name__}") from gone
    finally:
        connection.close()
