"""The seasons of a project's failures, as the table project_seasonality has them. For people: no alarm reads them."""

from msgspec import Struct


class TrendDay(Struct, frozen=True):
    """What an hour of a local day (YYYY-MM-DD) had without its seasons, in failing runs."""

    day: str
    failing_runs: float


class ForecastHour(Struct, frozen=True):
    """Failing runs expected in the hour that begins at `at_ms`, and the band that holds 80 of 100; none is below 0."""

    at_ms: int
    expected: float
    low: float
    high: float


class FitErrors(Struct, frozen=True):
    """Mean absolute errors on the last `hours` hours, in failing runs an hour.

    `fit` had not seen them; `week_before` takes the same hours of the week before, and a fit that is no better than
    that is worth nothing. `clipped_hours` of the forecast would have been below 0 and are 0.
    """

    fit: float
    week_before: float
    hours: int
    clipped_hours: int


class Seasonality(Struct, frozen=True, kw_only=True):
    """Shapes in failing runs an hour above or below the trend: `weekly` from Monday, `daily` from 00:00, in `zone`."""

    project: str
    as_of_ms: int
    zone: str
    trend: list[TrendDay]
    weekly: list[float]
    daily: list[float]
    forecast: list[ForecastHour]
    errors: FitErrors
    model_version: int
