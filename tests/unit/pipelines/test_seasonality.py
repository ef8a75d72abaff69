"""Hours of a project, which projects have enough of them, and one real fit of a known shape."""

import random
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from argus.seasonality import fits, histories
from contracts.records import FailureVelocity, encode
from contracts.seasonality import Seasonality
from contracts.topics import FAILURE_VELOCITY, message_key
from pipelines.seasonality import DAY_HOURS, HOUR_MS, Hourly, fit, history_from, hourly

NOW = datetime(2026, 11, 22, 2, 30, tzinfo=UTC)
NOW_MS = int(NOW.timestamp() * 1000)
MINUTE_MS = 60_000
LAST_MS = NOW_MS // HOUR_MS * HOUR_MS


def minutes(days: float, *, every_min: int = 30, failing: int = 1) -> dict[int, tuple[int, int]]:
    """Runs, and failing ones, at even distances until now."""
    many = int(days * 1440 / every_min)
    return {NOW_MS - n * every_min * MINUTE_MS: (2, failing) for n in range(1, many + 1)}


def test_hours_are_whole_and_empty_ones_count() -> None:
    known = minutes(20) | {LAST_MS - 5 * HOUR_MS + MINUTE_MS: (9, 7)}
    for at in [at for at in known if LAST_MS - 3 * HOUR_MS <= at < LAST_MS - 2 * HOUR_MS]:
        del known[at]
    hours = hourly(known, "UTC", NOW_MS)
    assert isinstance(hours, Hourly)
    assert (hours.starts_ms[-1], set(np.diff(hours.starts_ms))) == (LAST_MS - HOUR_MS, {HOUR_MS})
    assert len(hours.failing) == 479, "the first is not whole"
    assert hours.failing[-6:].tolist() == [2, 9, 2, 0, 2, 2]


def test_hours_begin_when_the_clocks_of_the_zone_strike() -> None:
    hours = hourly(minutes(20), "Asia/Kolkata", NOW_MS)  # five and a half hours ahead
    assert isinstance(hours, Hourly)
    assert set(hours.starts_ms % HOUR_MS) == {HOUR_MS // 2}


@pytest.mark.parametrize(
    ("known", "told"),
    [
        ({}, "no runs in the last 56 days"),
        (minutes(13), "days of history, 14 are needed"),
        (minutes(30, every_min=600), "144 runs in the last 56 days, 200 are needed"),
        (minutes(30, failing=0), "no run failed in the last 56 days"),
        ({history_from(NOW_MS) - 1: (1000, 1000)}, "no runs in the last 56 days"),
        ({NOW_MS: (1000, 1000)}, "no runs in the last 56 days"),
    ],
)
def test_a_project_with_too_little_is_told_why(known: dict[int, tuple[int, int]], told: str) -> None:
    hours = hourly(known, "UTC", NOW_MS)
    assert isinstance(hours, str)
    assert told in hours


def working_days(weeks: int, zone_hours: int) -> Hourly:
    """Six failing runs in each hour from 9 to 17 on local weekdays, and chance from a seed."""
    starts = LAST_MS - HOUR_MS * np.arange(weeks * 168, 0, -1)
    local = starts // HOUR_MS + zone_hours + 72  # the epoch began on a Thursday
    works = (local // 24 % 7 < 5) & (local % 24 >= 9) & (local % 24 < 17)
    return Hourly(starts, np.random.default_rng(1).poisson(np.where(works, 6.0, 0.2)))


def test_a_fit_finds_the_working_day_of_the_zone_and_is_judged_on_a_day_it_had_not_seen() -> None:
    hours = working_days(3, zone_hours=9)
    found = fit("acme/app", "Asia/Tokyo", hours, NOW_MS)
    assert isinstance(found, Seasonality)
    assert (found.project, found.zone, found.as_of_ms) == ("acme/app", "Asia/Tokyo", NOW_MS)
    assert (len(found.weekly), len(found.daily), len(found.forecast), len(found.trend)) == (7, 24, 24, 22)
    assert 9 <= int(np.argmax(found.daily)) < 17, "local hours, not those of UTC"
    assert max(found.weekly[5:]) < min(found.weekly[:5])
    assert [hour.at_ms for hour in found.forecast] == [LAST_MS + n * HOUR_MS for n in range(24)]
    assert all(0 <= hour.low <= hour.expected <= hour.high for hour in found.forecast)
    assert found.errors.hours == DAY_HOURS
    last, before = hours.failing[-24:], hours.failing[-192:-168]
    assert found.errors.week_before == pytest.approx(np.abs(last - before).mean(), abs=1e-4)
    assert 0 < found.errors.fit < 3
    random.seed(2)
    np.random.seed(2)
    assert fit("acme/app", "Asia/Tokyo", hours, NOW_MS) == found, "whatever was drawn before"
    late = fit("acme/app", "Asia/Tokyo", hours, NOW_MS, limit_s=1e-3)
    assert isinstance(late, str)
    assert late.startswith("no fit: TimeoutError")


@dataclass(frozen=True)
class Sent:
    """A record as a consumer has it."""

    at: bytes
    body: bytes | None

    def key(self) -> bytes:
        return self.at

    def value(self) -> bytes | None:
        return self.body

    def headers(self) -> list[Any]:
        return []


def row(project: str, minute_ms: int, runs: int, failing: int) -> Sent:
    told = FailureVelocity(project=project, minute_ms=minute_ms, runs=runs, failing_runs=failing, error_runs=0)
    return Sent(message_key(FAILURE_VELOCITY, told), encode(told))


def test_the_newest_counts_of_a_minute_count_and_what_was_withdrawn_is_gone() -> None:
    first, second, third = (LAST_MS + n * MINUTE_MS for n in (1, 2, 3))
    messages = [
        row("acme/app", first, 1, 1), row("acme/app", second, 1, 1), row("acme/app", third, 1, 1),
        row("acme/app", LAST_MS, 5, 5), row("acme/app", first, 3, 2), Sent(row("acme/app", second, 0, 0).at, None),
        row("acme/app", third, 0, 0), row("globex/app", first, 1, 0), Sent(b"no key of ours", None),
        Sent(b"acme/app", b"{}"),
    ]  # fmt: skip
    assert histories(messages, since_ms=first) == {"acme/app": {first: (3, 2)}, "globex/app": {first: (1, 0)}}


def test_projects_that_are_left_out_cost_their_neighbours_nothing() -> None:
    fitted, left_out = fits({"acme/b": minutes(3), "acme/a": {}}, NOW_MS, default="UTC", zones={})
    assert fitted == []
    assert list(left_out) == ["acme/a", "acme/b"]
