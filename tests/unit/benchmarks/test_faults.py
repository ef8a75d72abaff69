"""What the outcomes of faults come to, and when they prove nothing."""

from dataclasses import replace

import pytest

from benchmarks.faults.case import Outcome, history
from benchmarks.faults.kills import FAULTS
from benchmarks.faults.velocity import figures
from contracts.errors import Unavailable

GOOD = [Outcome(fault, 1, [], 400, 2, 50, 100, 12.0) for fault in FAULTS]


def test_figures_sum_up_what_was_seen() -> None:
    poison = Outcome("poison", 1, ["a row"], 400, 0, 50, 100, 9.0)
    measured = figures("faults velocity", [poison, *GOOD])
    assert measured.figures == {
        "violations": 1, "repeats": 7, "rows": 3_200, "restored": 14, "kills_mid_replay": 7,
    }  # fmt: skip
    assert measured.setup["kafka"]["killed_at_events"] == ["50/100"]


@pytest.mark.parametrize(
    ("changed", "told"),
    [({"sent": 100}, "no replay"), ({"sent": 0}, "no replay"), ({"rows": 0}, "nothing to compare"),
     ({"restored": 1}, "without its state")],
)  # fmt: skip
def test_a_kill_that_proves_nothing_is_no_measurement(changed: dict[str, int], told: str) -> None:
    with pytest.raises(Unavailable, match=told):
        figures("faults velocity", [replace(GOOD[0], **changed), *GOOD[1:]])


def test_cases_follow_each_other_in_time_and_share_no_run() -> None:
    first, second = history(1, 0), history(1, 1)
    assert max(one.at_ms for one in first) + 120_000 < min(one.at_ms for one in second)
    assert not {one.record.run for one in first} & {one.record.run for one in second}
    late = [one for one in first if one.at_ms - one.record.finished_ms > 60_000]
    assert len(late) > 10
    assert len({one.record for one in first}) < len(first), "some are delivered twice"
