"""The table project_seasonality: one row a project, written every night."""

from collections.abc import Iterable

import msgspec
import psycopg

from contracts.seasonality import FitErrors, ForecastHour, Seasonality, TrendDay

KEPT_DAYS = 7
"""A row that was not renewed for so long says nothing about its project any more."""

_WRITE = """
INSERT INTO project_seasonality (project, as_of, zone, trend, weekly, daily, forecast, errors, model_version)
VALUES (%s, to_timestamp(%s / 1000.0), %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (project) DO UPDATE SET
    as_of = EXCLUDED.as_of, zone = EXCLUDED.zone, trend = EXCLUDED.trend, weekly = EXCLUDED.weekly,
    daily = EXCLUDED.daily, forecast = EXCLUDED.forecast, errors = EXCLUDED.errors,
    model_version = EXCLUDED.model_version
"""
_READ = """
SELECT (extract(epoch FROM as_of) * 1000)::bigint, zone, trend::text, weekly::text, daily::text, forecast::text,
       errors::text, model_version
FROM project_seasonality WHERE project = %s
"""
_TREND, _NUMBERS = msgspec.json.Decoder(list[TrendDay]), msgspec.json.Decoder(list[float])
_FORECAST, _ERRORS = msgspec.json.Decoder(list[ForecastHour]), msgspec.json.Decoder(FitErrors)


def write(connection: psycopg.Connection, found: Iterable[Seasonality], now_ms: int) -> None:
    """Put a row in the place of each project's, and drop those that nobody has renewed; the caller's transaction."""
    for one in found:
        shapes = [msgspec.json.encode(part).decode()
                  for part in (one.trend, one.weekly, one.daily, one.forecast, one.errors)]  # fmt: skip
        connection.execute(_WRITE, [one.project, one.as_of_ms, one.zone, *shapes, one.model_version])
    connection.execute(
        "DELETE FROM project_seasonality WHERE as_of < to_timestamp(%s / 1000.0) - make_interval(days => %s)",
        [now_ms, KEPT_DAYS],
    )


def read(connection: psycopg.Connection, project: str) -> Seasonality | None:
    """A project's row; None where there is none."""
    row = connection.execute(_READ, [project]).fetchone()
    if row is None:
        return None
    as_of_ms, zone, trend, weekly, daily, forecast, errors, version = row
    return Seasonality(
        project=project,
        as_of_ms=as_of_ms,
        zone=zone,
        trend=_TREND.decode(trend),
        weekly=_NUMBERS.decode(weekly),
        daily=_NUMBERS.decode(daily),
        forecast=_FORECAST.decode(forecast),
        errors=_ERRORS.decode(errors),
        model_version=version,
    )
