"""The simulated history: the same bytes for a seed, valid lines, and a truth that is true of them."""

import io
import json
from collections import defaultdict
from functools import cache
from typing import Any

import pytest

from contracts.records import LATE_MS
from gateway.ingest import jsonl
from gateway.ingest.row import Row
from pipelines.simulate import line_json, simulate, truth_json
from pipelines.world import World

WORLD = World(
    seed=5, projects=4, hours=48, runs_per_hour=10, regressions_per_day=2, outages_per_day=2, duplicate_ratio=0.05,
    late_ratio=0.03, too_late_ratio=0.01,
)  # fmt: skip


@cache
def made(world: World) -> tuple[list[dict[str, Any]], list[dict[str, Any]], bytes]:
    """The lines, the truth, and the bytes of both."""
    simulated = simulate(world)
    lines = [line_json(line) for line in simulated.lines]
    truth = list(truth_json(world, simulated))
    return [json.loads(line) for line in lines], [json.loads(line) for line in truth], b"".join(lines + truth)


def facts(kind: str) -> list[dict[str, Any]]:
    """What the truth says of one kind."""
    return [fact for fact in made(WORLD)[1] if fact["kind"] == kind]


def identity(line: dict[str, Any]) -> tuple[object, ...]:
    """What makes an execution one."""
    return line["project"], line["run"], line["job"], line["attempt"]


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others() -> None:
    small = World(seed=1, projects=2, hours=3)
    assert made(small)[2] == made.__wrapped__(small)[2]
    assert made(small)[2] != made(World(seed=2, projects=2, hours=3))[2]


def test_every_line_is_read_as_a_job_execution_with_its_arrival() -> None:
    data = b"".join(line_json(line) for line in simulate(World(projects=3, hours=6)).lines)
    rows = list(jsonl.read(io.BytesIO(data), "f"))
    assert rows
    assert all(isinstance(row, Row) and row.arrived_ms for row in rows)


def test_lines_come_in_the_order_of_arrival_and_nothing_arrives_before_it_happened() -> None:
    lines = made(WORLD)[0]
    arrivals = [line["arrived_ms"] for line in lines]
    assert arrivals == sorted(arrivals)
    assert all(line["arrived_ms"] >= line["finished_ms"] >= (line["started_ms"] or 0) for line in lines)
    times = [line["finished_ms"] for line in lines]
    assert times != sorted(times), "neighbours overtake one another"


def test_the_truth_names_exactly_the_repeats_and_the_late() -> None:
    lines = made(WORLD)[0]
    told = {fact["line"]: fact for fact in facts("line")}
    first: dict[tuple[object, ...], int] = {}
    fates = defaultdict(int)
    for number, line in enumerate(lines, start=1):
        age_ms = line["arrived_ms"] - line["finished_ms"]
        is_repeat = identity(line) in first
        expected = (
            "too-late" if age_ms > LATE_MS else "duplicate" if is_repeat else "late" if age_ms > 60_000 else "in-time"
        )
        fact = told.get(number, {"fate": "in-time", "first_line": None})
        assert (fact["fate"], fact["first_line"]) == (expected, first.get(identity(line)))
        first.setdefault(identity(line), number)
        fates[expected] += 1
    assert min(fates[fate] for fate in ("too-late", "duplicate", "late", "in-time")) > 10


def test_a_retry_follows_a_failure_and_the_third_attempt_is_the_last() -> None:
    outcomes: dict[tuple[object, ...], dict[int, str]] = defaultdict(dict)
    for line in made(WORLD)[0]:
        outcomes[identity(line)[:3]][line["attempt"]] = line["outcome"]
    retried = [attempts for attempts in outcomes.values() if len(attempts) > 1]
    assert len(retried) > 20
    for attempts in outcomes.values():
        assert sorted(attempts) == list(range(1, len(attempts) + 1))
        assert len(attempts) <= 3
        assert all(attempts[at] in ("failure", "timeout", "error") for at in range(1, len(attempts)))


def test_in_a_regression_its_job_fails_from_the_named_commit_on() -> None:
    lines = made(WORLD)[0]
    named = {line["commit"] for line in lines}
    begun = [fact for fact in facts("regression") if fact["commit"] in named]
    assert begun
    for fact in begun:
        ran = [
            line for line in lines
            if line["project"] == fact["project"] and line["job"] == fact["job"] and line["started_ms"]
            and fact["window"]["begins_ms"] + 60_000 <= line["started_ms"] < fact["window"]["ends_ms"]
        ]  # fmt: skip
        assert all(line["outcome"] != "success" for line in ran)


def test_in_an_outage_most_jobs_die_and_outside_few_do() -> None:
    windows = [fact["window"] for fact in facts("outage")]
    assert windows
    inside, outside = [], []
    for line in made(WORLD)[0]:
        if line["outcome"] != "skipped":
            is_out = any(window["begins_ms"] <= line["finished_ms"] < window["ends_ms"] for window in windows)
            (inside if is_out else outside).append(line["outcome"] == "error")
    assert sum(inside) / len(inside) > 0.4
    assert sum(outside) / len(outside) < 0.02


def test_a_burst_brings_many_runs_of_bots() -> None:
    lines, truth, _ = made(World(seed=6, projects=3, hours=72, day_swing=0, weekend_share=1, bursts_per_day=4))
    windows = [(fact["project"], fact["window"]) for fact in truth if fact["kind"] == "burst"]
    runs: dict[bool, set[tuple[str, str]]] = {True: set(), False: set()}
    bots = 0
    for line in lines:
        if line["job"] == "lint" and line["attempt"] == 1:
            begun_ms = line["started_ms"] - 15_000  # a job starts within 30 s of its run
            is_burst = any(
                line["project"] == project and window["begins_ms"] <= begun_ms < window["ends_ms"]
                for project, window in windows
            )
            runs[is_burst].add((line["project"], line["run"]))
            bots += is_burst and line["trigger"] == "bot"
    burst_h = sum(window["ends_ms"] - window["begins_ms"] for _, window in windows) / 3_600_000
    assert len(runs[True]) / burst_h > 3 * len(runs[False]) / (3 * 72 - burst_h)
    assert bots > 0.9 * len(runs[True])


def test_flaky_tests_fail_as_often_as_the_truth_says() -> None:
    world = World(
        seed=3, projects=1, hours=24 * 10, runs_per_hour=20, size_spread=0, flaky_tests_per_project=6,
        bad_change_ratio=0, regressions_per_day=0, outages_per_day=0, bursts_per_day=0, cancelled_ratio=0,
        timeout_ratio=0, error_ratio=0, duplicate_ratio=0,
    )  # fmt: skip
    lines, truth, _ = made(world)
    flaky = [fact for fact in truth if fact["kind"] == "flaky-test"]
    assert flaky
    for fact in flaky:
        alone = sum(other["job"] == fact["job"] for other in flaky) == 1
        ran = [line for line in lines if line["job"] == fact["job"]]
        share = sum((line["message"] or "").startswith(fact["test"]) for line in ran) / len(ran)
        if alone:
            assert share == pytest.approx(fact["flake_rate"], abs=0.02)


def test_load_follows_the_hour_and_the_weekday() -> None:
    world = World(seed=4, projects=2, hours=24 * 7, bursts_per_day=0, size_spread=0)
    by_hour, by_day = defaultdict(set), defaultdict(set)
    for line in made(world)[0]:
        minutes = (line["started_ms"] or line["finished_ms"]) // 60_000
        by_hour[minutes // 60 % 24].add((line["project"], line["run"]))
        by_day[(minutes // 1440 + 3) % 7].add((line["project"], line["run"]))
    assert len(by_hour[14]) > 4 * len(by_hour[2])
    assert len(by_day[2]) > 2.5 * len(by_day[6])
