"""kill -9 of each part in the middle of a replay, once each: nothing is lost, doubled or set back."""

from collections.abc import Iterator

import pytest

from benchmarks.faults.case import Outcome, run
from benchmarks.faults.kills import FAULTS, FLINK
from benchmarks.running import Running, running
from contracts.jobs import JOBS
from tests.conftest import Stack

SEED = 7


@pytest.fixture(scope="module")
def replays(stack: Stack) -> Iterator[Running]:
    """A namespace in which one case follows the other, each an hour later by its clock."""
    settings = stack.settings("faults", clock="replay", checkpoint_interval_s=1)
    with running(stack.data, settings) as one:
        yield one


def killed(replays: Running, fault: str) -> Outcome:
    return run(replays, fault, SEED, FAULTS.index(fault), print)


@pytest.mark.parametrize("fault", FAULTS)
def test_topic_keys_and_history_equal_the_reference_after_kill_9(replays: Running, fault: str) -> None:
    outcome = killed(replays, fault)
    assert outcome.wrong == []
    assert outcome.was_mid, f"{outcome.sent} of {outcome.events} events were sent at the kill"
    assert outcome.rows > 0
    assert fault not in FLINK or outcome.restored >= len(JOBS), "state came back from a checkpoint"
