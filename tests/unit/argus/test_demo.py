"""What a demonstration counts, notes and shows, without a server."""

import io
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from argus.demo.recording import Recording, plain_count, rates, recording, write_day
from argus.demo.screen import Line, Moment, colour, course, shown
from argus.demo.show import Pace
from argus.demo.summary import Ended, summary
from argus.demo.watch import Stamped
from contracts.records import JobExecution, Outcome
from contracts.topics import RUNS, message, tick_headers
from pipelines.replay import Arrival

PLAIN = Console(file=io.StringIO())
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
NOON = 1_767_571_200_000 + 12 * HOUR


def arrival(
    at_ms: int = NOON,
    outcome: Outcome = "success",
    *,
    run: str = "1",
    job: str = "unit",
    attempt: int = 1,
    late_ms: int = 0,
) -> Arrival:
    record = JobExecution(project="acme/app", run=run, job=job, outcome=outcome, finished_ms=at_ms, attempt=attempt)
    return Arrival(record, at_ms + late_ms)


@pytest.mark.parametrize(
    ("arrivals", "rows"),
    [
        ([arrival(), arrival(NOON + 1, job="lint")], {NOON: (1, 0, 0)}),  # one run
        ([arrival(), arrival()], {NOON: (1, 0, 0)}),  # delivered twice
        ([arrival(outcome="failure"), arrival(NOON + MINUTE, attempt=2)], {NOON: (1, 1, 0)}),  # a green retry
        ([arrival(), arrival(NOON + MINUTE, "timeout", job="e2e")], {NOON: (1, 0, 0), NOON + MINUTE: (0, 1, 0)}),
        ([arrival(NOON + MINUTE), arrival(late_ms=HOUR)], {NOON: (1, 0, 0)}),  # the least minute, whatever comes first
        ([arrival(outcome="failure", attempt=2)], {NOON: (1, 0, 0)}),  # only a first attempt fails a run
        ([arrival(outcome="error")], {NOON: (1, 0, 1)}),
        ([arrival(late_ms=DAY)], {NOON: (1, 0, 0)}),
        ([arrival(late_ms=DAY + 1000)], {}),
        ([arrival(late_ms=-6 * MINUTE)], {}),
    ],
)
def test_the_plain_count_counts_in_the_words_of_the_docs(
    arrivals: Sequence[Arrival], rows: dict[int, tuple[int, int, int]]
) -> None:
    assert plain_count(arrivals) == {("acme/app", minute): counts for minute, counts in rows.items()}


def test_a_rate_is_of_the_24_hours_that_end_with_the_clock() -> None:
    rows = {("a/b", NOON - DAY): (5, 5, 0), ("a/b", NOON - DAY + MINUTE): (3, 0, 0), ("a/b", NOON): (1, 1, 0)}
    assert rates(rows, NOON + 30_000) == {"a/b": 0.25}


def test_a_day_is_made_up_alike_each_time_and_ends_at_midnight(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    write_day(one, 3)
    write_day(other, 3)
    lines = one.read_bytes().splitlines()
    assert lines == other.read_bytes().splitlines()
    assert len(lines) > 50_000
    arrivals = [json.loads(line)["arrived_ms"] for line in lines]
    assert arrivals == sorted(arrivals)
    assert NOON - 12 * HOUR <= arrivals[0] <= arrivals[-1] < NOON + 12 * HOUR
    write_day(other, 4)
    assert lines != other.read_bytes().splitlines()


def test_a_recording_tells_repeats_and_late_ones_and_the_largest_project_first() -> None:
    small = Arrival(replace_project(arrival(run="9").record, "acme/small"), NOON)
    found = recording([arrival(), small, arrival(late_ms=2 * MINUTE), arrival(run="2")])
    assert (found.repeated, found.late, found.projects) == (1, 1, ("acme/app", "acme/small"))
    assert (found.first_ms, found.last_ms) == (NOON, NOON + 2 * MINUTE)


def replace_project(record: Any, project: str) -> JobExecution:
    return JobExecution(project=project, run=record.run, job=record.job, outcome=record.outcome, finished_ms=NOON)


class Broker:
    """Acknowledges all or nothing."""

    def __init__(self, error: str | None = None) -> None:
        self.error = error
        self.sent: list[tuple[str, bytes | None, int]] = []

    def produce(self, topic: str, _: bytes | None, key: bytes | None, partition: int, **others: Any) -> None:
        self.sent.append((topic, key, partition))
        others["on_delivery"](self.error, None)

    def poll(self, _: float) -> int:
        return 0

    def purge(self) -> None:
        """Nothing is queued."""

    def flush(self) -> int:
        return 0


@pytest.mark.parametrize(("error", "acknowledged"), [(None, 1), ("refused", 0)])
def test_events_are_stamped_and_counted_and_ticks_are_not(error: str | None, acknowledged: int) -> None:
    broker, told = Broker(error), []
    stamped = Stamped(broker, lambda: 7.0)
    one = message(RUNS, arrival().record, namespace="x", source="/test", arrived_ms=NOON)
    stamped.produce(
        one.topic, one.value, one.key, -1, headers=one.headers, on_delivery=lambda *words: told.append(words)
    )
    stamped.produce(one.topic, b"", None, 1, headers=tick_headers(NOON), on_delivery=lambda *words: told.append(words))
    assert stamped.handed == {("acme/app", NOON): 7.0}
    assert stamped.acknowledged == acknowledged
    assert told == [(error, None), (error, None)], "whoever sends hears of it too"
    assert [(key, partition) for _, key, partition in broker.sent] == [(b"acme/app", -1), (None, 1)]


def test_a_pace_is_of_the_last_seconds() -> None:
    now = [0.0]
    pace = Pace(lambda: now[0])
    for second in range(1, 11):
        now[0] = second
        found = pace.at(100 * second if second < 5 else 400)
        assert found == (pytest.approx(100) if second < 5 else pytest.approx(max(0, 100 * (7 - second) / 3), abs=1))


def test_the_course_shows_height_colour_and_what_is_to_come() -> None:
    text = course(((10, 0, 0), (0, 0, 0), (5, 2, 0), None))
    assert text.plain == "█ ▄·"
    assert [str(span.style) for span in text.spans] == ["green", "red", "bright_black"]
    assert colour((10, 2, 0)) == "yellow"


def moment(**changed: Any) -> Moment:
    line = Line("acme/app", 3.25, 0.5, 0.0, 0.125, ((10, 0, 0), (5, 2, 0), None))
    told = Moment(
        lines=(line,), hidden=0, clock_ms=NOON, done_ratio=0.5, speed=1234.0, events=90_447, events_per_s=1283.2,
        rows=6602, letters=2, lag_s=(0.0214, 0.0881), doing="a day",
    )  # fmt: skip
    return replace(told, **changed)


def printed(what: Any) -> str:
    console = Console(width=120, file=io.StringIO(), record=True)
    console.print(what)
    return console.export_text()


def test_a_snapshot_says_all_that_is_measured() -> None:
    told = printed(shown(moment(), PLAIN))
    for words in ("Mon 05 Jan 2026  12:00 UTC", "1,234 times as fast", "acme/app", "3.2", "12.5%", "90,447 events",
                  "1,283 events/s", "6,602 rows", "2 dead letters", "21 ms (99 % within 88 ms)"):  # fmt: skip
        assert words in told, words


def test_what_is_not_known_yet_is_a_dash_and_smaller_projects_are_counted() -> None:
    line = replace(moment().lines[0], rate=None)
    told = printed(shown(moment(lines=(line,), lag_s=None, hidden=3, speed=None), PLAIN))
    assert "event → key –" in told
    assert "and 3 smaller ones" in told
    assert "times as fast" not in told


def ended(**changed: Any) -> Ended:
    counted: Recording = recording([arrival(), arrival(NOON + MINUTE, "failure", run="2")])
    told = Ended(
        recorded=counted, rows=dict(counted.rows), keys={"acme/app": 0.5}, wanted={"acme/app": 0.5}, letters=0,
        took_s=2.0, lag_s=(0.01, 0.02), moment=moment(),
    )  # fmt: skip
    return replace(told, **changed)


def test_what_is_as_counted_is_said_to_be() -> None:
    assert ended().exact
    told = printed(summary(ended()))
    assert "✓ 2 rows on argus.metrics.failure-velocity, all as counted from the file" in told
    assert "✓ 1 keys failure_rate_24h in Valkey, all as counted from the file" in told


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"rows": {("acme/app", NOON): (1, 0, 0)}}, "None instead of (1, 1, 0)"),
        (
            {"rows": {("acme/app", NOON): (2, 0, 0), ("acme/app", NOON + MINUTE): (1, 1, 0)}},
            "(2, 0, 0) instead of (1, 0, 0)",
        ),
        ({"keys": {"acme/app": None}}, "acme/app: None instead of 0.5"),
        ({"keys": {"acme/app": 0.25}}, "acme/app: 0.25 instead of 0.5"),
    ],
)
def test_what_differs_is_named_and_is_not_exact(changed: dict[str, Any], words: str) -> None:
    told = ended(**changed)
    assert not told.exact
    text = printed(summary(told))
    assert "✗" in text
    assert words in text


def test_nothing_at_all_is_not_exact() -> None:
    nothing = Recording((), {}, 0, 0)
    assert not ended(recorded=nothing, rows={}, keys={}, wanted={}).exact
