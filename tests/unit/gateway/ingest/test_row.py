"""What a live namespace takes: rows in time, moved as one, whole records."""

import pytest

from contracts import records
from gateway.ingest.files import shift_to
from gateway.ingest.refusal import Refusal
from gateway.ingest.row import Row, event_ms, in_time, live, shifted

NOW_MS = 1_790_000_000_000
RUN = records.JobExecution(
    project="acme/app", run="7", job="build", outcome="success", finished_ms=NOW_MS, started_ms=NOW_MS - 5_000
)
TEST = records.TestExecution(test="t", outcome="pass", finished_ms=NOW_MS)
PART = records.TestReportPart(project="acme/app", run="7", job="t", report="r", k=1, n=1, tests=[TEST])
DAY_MS = 86_400_000


def at(finished_ms: int) -> Row:
    """A job execution that finished then."""
    record = records.JobExecution(project="acme/app", run="7", job="b", outcome="success", finished_ms=finished_ms)
    return Row(file="f", place="line 1", record=record)


@pytest.mark.parametrize(
    ("age_ms", "told"),
    [
        (DAY_MS + 1, "argus replay"),
        (DAY_MS, None),
        (0, None),
        (-300_000, None),
        (-300_001, "future"),
    ],
)
def test_a_day_back_and_five_minutes_ahead_are_taken(age_ms: int, told: str | None) -> None:
    row = in_time(at(NOW_MS - age_ms), NOW_MS)
    assert (told is None) == isinstance(row, Row)
    assert told is None or (isinstance(row, Refusal) and told in row.reason and row.field == "finished_ms")


def test_a_start_in_the_future_is_refused_too() -> None:
    record = records.JobExecution(
        project="acme/app", run="7", job="b", outcome="success", finished_ms=NOW_MS, started_ms=NOW_MS + 300_001
    )
    row = in_time(Row(file="f", place="line 1", record=record), NOW_MS)
    assert isinstance(row, Refusal)
    assert row.field == "started_ms"


def test_every_time_of_a_record_moves_by_the_same() -> None:
    moved = shifted(RUN, 60_000)
    assert isinstance(moved, records.JobExecution)
    assert (moved.finished_ms, moved.started_ms) == (NOW_MS + 60_000, NOW_MS + 55_000)
    assert event_ms(shifted(PART, -60_000)) == NOW_MS - 60_000


def test_rows_are_moved_before_their_age_is_judged_and_refusals_pass() -> None:
    refusal = Refusal(file="f", place="line 2", field="x", value="", reason="y")
    old = at(NOW_MS - 10 * DAY_MS)
    moved, same = live([old, refusal], now_ms=NOW_MS, by_ms=10 * DAY_MS)
    assert isinstance(moved, Row)
    assert event_ms(moved.record) == NOW_MS
    assert same is refusal


@pytest.mark.parametrize("newest", [NOW_MS - 1, NOW_MS, NOW_MS - 123_456_789, NOW_MS + 1, NOW_MS + 987_654_321])
def test_the_shift_is_whole_minutes_and_leaves_the_newest_in_the_minute_up_to_now(newest: int) -> None:
    by_ms = shift_to(NOW_MS, newest)
    assert by_ms % 60_000 == 0
    assert NOW_MS - 60_000 < newest + by_ms <= NOW_MS
