"""The names of all metrics: kind, labels, meaning. Labels stay few: none is a project, a run or a key."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Metric:
    """One metric as Prometheus sees it."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    labels: tuple[str, ...]
    meaning: str
    buckets: tuple[float, ...] = ()


EVENT_TO_KEY = Metric(
    "argus_event_to_key_seconds", "histogram", ("view",),
    "from the arrival of the record that caused a value to its key being readable",
    (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 300),
)  # fmt: skip
VIEW_LAG = Metric(
    "argus_view_lag_seconds", "gauge", ("view",), "newest arrival on the job's topics minus the view's clock"
)
CLOCK_AGE = Metric(
    "argus_clock_age_seconds", "gauge", ("view",), "now minus the newest arrival: grows when nobody ticks"
)
KEYS_WRITTEN = Metric("argus_keys_written_total", "counter", ("view",), "feature keys written or renewed")
KEYS_STALE = Metric("argus_keys_outdated_total", "counter", ("view",), "values refused because a newer one was there")
HISTORY_ROWS = Metric("argus_history_rows_total", "counter", ("view",), "history rows written")
WRITER_RETRIES = Metric(
    "argus_writer_retries_total", "counter", ("store",), "writes tried again because a store was away"
)
DEAD_LETTERS_SEEN = Metric(
    "argus_dead_letters_total", "counter", ("reader", "reason"), "dead letters seen on the topic"
)
TICKS = Metric("argus_ticks_total", "counter", ("topic",), "ticks sent")
REQUESTS = Metric("argus_http_requests_total", "counter", ("route", "status"), "HTTP requests answered")
INGESTED = Metric(
    "argus_ingest_records_total", "counter", ("route", "told"), "records sent in: accepted, duplicate or refused"
)
LIMITED = Metric(
    "argus_ingest_limited_total", "counter", ("limit",), "requests refused with 429, by the limit that was reached"
)
INSIGHTS_KEPT = Metric("argus_insights_kept", "gauge", (), "insights that the gateway holds in memory")
INSIGHTS_UNREADABLE = Metric(
    "argus_insights_unreadable_total", "counter", ("topic",), "records that are no insight or no feedback, left out"
)
VIEWERS = Metric("argus_insight_viewers", "gauge", (), "streams of insights that are open")
VIEWERS_DROPPED = Metric(
    "argus_insight_viewers_dropped_total", "counter", (), "streams ended because their reader did not keep up"
)
SCHEDULED_RUNS = Metric(
    "argus_scheduled_runs_total", "counter", ("job", "outcome"), "runs of the scheduler's jobs: completed or failed"
)
CHILD_RESTARTS = Metric("argus_child_restarts_total", "counter", ("child",), "children of the supervisor started again")
CHILD_UP = Metric("argus_child_up", "gauge", ("child",), "1 while the child runs and answers")
JOB_UP = Metric("argus_job_up", "gauge", ("job",), "1 while Flink says RUNNING")
JOB_RESUBMITS = Metric(
    "argus_job_resubmits_total", "counter", ("job",), "jobs submitted again from their last checkpoint"
)

METRICS = tuple(value for value in list(globals().values()) if isinstance(value, Metric))
