"""The front door though what it stands on is killed: what was acknowledged is on the log, and takes effect once."""

import random
from collections.abc import Callable

from argus.stack.ports import LOOPBACK, chosen
from benchmarks.faults.door import FAULTS, GATEWAY, Outcome, missing, opened, run
from benchmarks.private import private_stack
from benchmarks.report import Measured, checked
from benchmarks.running import running
from contracts.errors import Unavailable

FIGURES = ("violations", "repeats", "rows")
CHECKPOINT_S = 1
COMPARE_S = 120.0


def measure(*, seeds: int, told: Callable[[str], None]) -> Measured:
    """Each fault once per seed while two tenants send; then topic, keys and history beside the reference.

    Raises Unavailable when a fault was not injected while they sent, or nothing was sent twice because of it.
    """
    outcomes: list[Outcome] = []
    violations = rows = 0
    told("starting a stack")
    with private_stack() as stack:
        for seed in range(1, seeds + 1):
            port = chosen(["door"], {}, random.Random(seed))["door"]
            settings = stack.settings(
                f"door-{seed}", gateway=f"{LOOPBACK}:{port}", checkpoint_interval_s=CHECKPOINT_S
            )  # fmt: skip
            with running(stack.data, settings) as one:
                front = opened(one)
                for fault in FAULTS:
                    outcome = run(front, fault, seed)
                    outcomes.append(outcome)
                    told(
                        f"{fault}, seed {seed}: killed when {outcome.answered} of {outcome.requests} requests were "
                        f"answered, {outcome.again} were sent again"
                    )
                one.kill_writer(GATEWAY)  # nobody ticks any more: what is compared stands still
                wrong = missing(front)
                wanted, differing = one.compare(deadline_s=COMPARE_S)
                violations, rows = violations + len(wrong + differing), rows + wanted.rows + len(front.sent)
                told(f"seed {seed}: {len(wrong + differing)} of {wanted.rows} rows and {len(front.sent)} events differ")
                for line in (wrong + differing)[:5]:
                    told(f"    {line}")
    idle = [f"{one.fault}, seed {one.seed}" for one in outcomes if not one.was_mid]
    if idle or not any(one.again for one in outcomes):
        raise Unavailable(f"nobody was sending at the kill: {'; '.join(idle) or 'nothing was sent again'}")
    measured = Measured(
        "faults ingest",
        {"violations": violations, "repeats": len(outcomes), "rows": rows},
        setup={
            fault: {
                "killed_at": [f"{one.answered}/{one.requests}" for one in outcomes if one.fault == fault],
                "sent_again": [one.again for one in outcomes if one.fault == fault],
            }
            for fault in FAULTS
        },
    )
    return checked(measured, FIGURES)
