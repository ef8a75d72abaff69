"""Failure velocity though everything it runs on is killed: topic, keys and history equal the reference row by row."""

from collections.abc import Callable, Sequence

from benchmarks.faults.case import Outcome, run
from benchmarks.faults.kills import FAULTS, FLINK
from benchmarks.poison import POISON
from benchmarks.private import private_stack
from benchmarks.report import Measured, checked
from benchmarks.running import running
from contracts.errors import Unavailable
from contracts.jobs import JOBS

FIGURES = ("violations", "repeats", "rows", "restored", "kills_mid_replay")
CHECKPOINT_S = 1


def measure(*, seeds: int, told: Callable[[str], None]) -> Measured:
    """Each fault once per seed, and once per seed all kinds of poison with nothing killed, on a stack of its own.

    Raises Unavailable when a fault was not injected in the middle of a replay, or Flink came back without its state.
    """
    outcomes: list[Outcome] = []
    told("starting a stack")
    with private_stack() as stack:
        for seed in range(1, seeds + 1):
            settings = stack.settings(f"faults-{seed}", clock="replay", checkpoint_interval_s=CHECKPOINT_S)
            with running(stack.data, settings) as one:
                outcomes += [run(one, fault, seed, at, told) for at, fault in enumerate((None, *FAULTS))]
    return figures("faults velocity", outcomes)


def figures(name: str, outcomes: Sequence[Outcome]) -> Measured:
    """What the outcomes come to; raises Unavailable where one of them proves nothing."""
    kills = [outcome for outcome in outcomes if outcome.fault in FAULTS]
    idle = [f"{one.fault}, seed {one.seed}" for one in kills if not one.was_mid]
    bare = [f"{one.fault}, seed {one.seed}" for one in kills if one.fault in FLINK and one.restored < len(JOBS)]
    empty = [f"{one.fault}, seed {one.seed}" for one in outcomes if not one.rows]
    for which, what in ((idle, "no replay was under way at the kill"), (bare, "Flink came back without its state"),
                        (empty, "there was nothing to compare")):  # fmt: skip
        if which:
            raise Unavailable(f"{what}: {'; '.join(which)}")
    measured = Measured(
        name,
        {
            "violations": sum(len(one.wrong) for one in outcomes),
            "repeats": len(kills),
            "rows": sum(one.rows for one in outcomes),
            "restored": sum(one.restored for one in kills),
            "kills_mid_replay": sum(one.was_mid for one in kills),
        },
        setup={
            "poison_kinds": len(POISON),
            "checkpoint_interval_s": CHECKPOINT_S,
            **{
                fault: {
                    "seeds": [one.seed for one in outcomes if one.fault == fault],
                    "killed_at_events": [f"{one.sent}/{one.events}" for one in outcomes if one.fault == fault],
                    "restored": sum(one.restored for one in outcomes if one.fault == fault),
                    "violations": sum(len(one.wrong) for one in outcomes if one.fault == fault),
                    "seconds": [one.took_s for one in outcomes if one.fault == fault],
                }
                for fault in sorted({one.fault for one in outcomes})
            },
        },
    )
    return checked(measured, FIGURES)
