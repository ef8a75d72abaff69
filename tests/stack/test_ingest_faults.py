"""kill -9 of what the front door stands on, and of the gateway itself, while two tenants send."""

from collections.abc import Iterator
from random import Random
from uuid import uuid4

import pytest

from argus.stack.logs import log_path
from benchmarks.faults.door import FAULTS, GATEWAY, Front, missing, opened, run
from benchmarks.faults.hostile import CASES, growth_mb, strangers
from benchmarks.running import running
from tests.conftest import Stack
from tests.stack.flow import free_port

SEED = 3


@pytest.fixture(scope="module")
def front(stack: Stack) -> Iterator[Front]:
    settings = stack.settings(
        f"door-{uuid4().hex[:8]}", gateway=f"127.0.0.1:{free_port()}", checkpoint_interval_s=1
    )  # fmt: skip
    with running(stack.data, settings) as one:
        yield opened(one)


@pytest.mark.parametrize("fault", FAULTS)
def test_what_was_acknowledged_is_on_the_log_under_its_own_tenant(front: Front, fault: str) -> None:
    outcome = run(front, fault, SEED)
    assert outcome.was_mid, f"{outcome.answered} of {outcome.requests} requests were answered at the kill"
    assert missing(front) == []


@pytest.mark.parametrize("case", CASES)
def test_whatever_is_sent_is_answered_as_it_should_be_in_bounded_memory(front: Front, case: str) -> None:
    wrong, _ = growth_mb(front, str(SEED), case, Random(SEED))
    assert wrong == []


def test_and_what_must_not_get_in_is_nowhere(front: Front) -> None:
    assert strangers(front) == []


def test_and_takes_effect_once(front: Front) -> None:
    front.one.kill_writer(GATEWAY)
    wanted, wrong = front.one.compare(deadline_s=240)
    assert wrong == [], log_path(front.one.data, f"{front.one.settings.namespace}-online-writer").read_text()
    assert len(wanted.log.executions.drop_duplicates(["project", "run"])) == len(front.sent) > 0
