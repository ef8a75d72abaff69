"""kill -9 of each part in the middle of a replay, once each: nothing is lost, doubled or set back."""

import time
from collections.abc import Iterator

import pytest

from benchmarks.faults.case import Outcome, run
from benchmarks.faults.incidents import BURNING, SETTLED_HOURS, burning
from benchmarks.faults.kills import FAULTS, FLINK, kill, restored, wait_recovered
from benchmarks.observed import insights, until, velocity_rows
from benchmarks.running import Running, running
from contracts.insights import Expectation, Insight
from contracts.jobs import JOBS
from contracts.records import JobExecution, checked, decode
from contracts.topics import RUNS, message
from feature_store.connections import postgres_connection
from feature_store.log import producer
from tests.conftest import Stack

SEED = 7


@pytest.fixture(scope="module")
def replays(stack: Stack) -> Iterator[Running]:
    """A namespace in which one case follows the other, each an hour later by its clock."""
    settings = stack.settings("faults", clock="replay", checkpoint_interval_s=1)
    with running(stack.data, settings) as one:
        yield one


def killed(replays: Running, fault: str) -> Outcome:
    return run(replays, fault, SEED, FAULTS.index(fault), print, burning)


@pytest.mark.parametrize("fault", FAULTS)
def test_topic_keys_and_history_equal_the_reference_after_kill_9(replays: Running, fault: str) -> None:
    outcome = killed(replays, fault)
    assert outcome.wrong == []
    assert outcome.was_mid, f"{outcome.sent} of {outcome.events} events were sent at the kill"
    assert outcome.rows > 0
    assert fault not in FLINK or outcome.restored >= len(JOBS), "state came back from a checkpoint"


def test_what_burned_meanwhile_was_told_and_what_is_expected_is_served(replays: Running) -> None:
    """That insights are those of the reference, each with one set of bytes, is in every comparison above."""
    settings = replays.settings
    told = [decode(Insight, text.encode()) for text in insights(settings).values()]
    opened = [one.project for one in told if one.state == "opened" and one.project.startswith("burning/")]
    assert len(set(opened)) == len(opened) == BURNING * (len(FAULTS) - SETTLED_HOURS)
    assert {one.subject for one in told if one.state == "resolved"} < {one.subject for one in told}
    connection = postgres_connection(settings.postgres.get_secret_value(), settings.namespace, timeout_s=10)
    with connection:
        rows = connection.execute(
            "SELECT failure_expectation FROM feature_failure_expectation WHERE entity = %s", [opened[-1]]
        ).fetchall()
    found = [checked(Expectation, row[0]) for row in rows]
    assert {one.failing.incident for one in found} >= {one.subject for one in told if one.project == opened[-1]}


def test_a_count_that_was_told_after_the_last_checkpoint_is_corrected_though_it_is_never_made_again(
    stack: Stack,
) -> None:
    """One execution is told and lost with the TaskManager; an earlier one of its run comes before it is read again.

    Both are then folded in one go, and the run is never in the minute in which it was told to be.
    """
    settings = stack.settings("faults-told", checkpoint_interval_s=10)
    later = time.time_ns() // 60_000_000_000 * 60_000
    earlier = later - 120_000

    def put(run: str, at_ms: int) -> None:
        record = JobExecution(project="acme/told", run=run, job="build", outcome="failure", finished_ms=at_ms)
        sent = message(RUNS, record, namespace=settings.namespace, source="/test")
        sender.produce(sent.topic, sent.value, sent.key, headers=sent.headers)
        assert sender.flush(60) == 0

    def seen() -> list[tuple[int, ...]]:
        rows = velocity_rows(settings)
        return [rows.get(("acme/told", minute), (0, 0, 0)) for minute in (later, earlier)]

    sender = producer(settings.kafka)
    with running(stack.data, settings) as one:
        put("1", later)
        until("a run", lambda: seen() == [(1, 1, 0), (0, 0, 0)], deadline_s=30)
        one.drain(deadline_s=40)  # a checkpoint is just behind us, the next one seconds away
        put("2", later)
        until("two runs", lambda: seen() == [(2, 2, 0), (0, 0, 0)], deadline_s=9)
        before = restored(one)
        kill(one, "taskmanager")
        put("2", earlier)
        assert wait_recovered(one, "taskmanager", before, deadline_s=120) >= len(JOBS)
        one.drain(deadline_s=60)
        assert seen() == [(1, 1, 0), (1, 1, 0)]
