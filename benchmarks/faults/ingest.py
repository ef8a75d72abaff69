"""The front door though what it stands on is killed, and whatever is sent to it.

What was acknowledged is on the log and takes effect once; what must not get in is nowhere, and memory stays bounded.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass

from argus.stack.ports import LOOPBACK, chosen
from benchmarks.faults.door import FAULTS, GATEWAY, Front, Outcome, missing, opened, run
from benchmarks.faults.hostile import CASES, SLOW, growth_mb, strangers
from benchmarks.private import Private, private_stack
from benchmarks.report import Measured, checked
from benchmarks.running import running
from contracts.errors import Unavailable

FIGURES = ("violations", "repeats", "rows", "rss_growth_mb")
QUICK_SEEDS = 20
"""How often a hostile case is tried with the first seed that is over within a second."""
CHECKPOINT_S = 1
COMPARE_S = 120.0


@dataclass(frozen=True)
class Seed:
    """What came of one seed: its faults, what was `wrong`, how many rows and events were compared, hostile cases
    tried, and the most by which the gateway's memory grew in one, in MB."""

    outcomes: list[Outcome]
    wrong: list[str]
    rows: int
    tries: int
    grown_mb: float


def measure(*, seeds: int, told: Callable[[str], None]) -> Measured:
    """Each fault once per seed while two tenants send, then what is hostile; topic, keys and history by the reference.

    Raises Unavailable when a fault was not injected while they sent, or nothing was sent twice because of it.
    """
    told("starting a stack")
    with private_stack() as stack:
        done = [_seed(stack, seed, told) for seed in range(1, seeds + 1)]
    outcomes = [outcome for one in done for outcome in one.outcomes]
    idle = [f"{one.fault}, seed {one.seed}" for one in outcomes if not one.was_mid]
    if idle or not any(one.again for one in outcomes):
        raise Unavailable(f"nobody was sending at the kill: {'; '.join(idle) or 'nothing was sent again'}")
    measured = Measured(
        "faults ingest",
        {
            "violations": sum(len(one.wrong) for one in done),
            "repeats": len(outcomes) + sum(one.tries for one in done),
            "rows": sum(one.rows for one in done),
            "rss_growth_mb": round(max(one.grown_mb for one in done), 1),
        },
        setup={
            fault: {
                "killed_at": [f"{one.answered}/{one.requests}" for one in outcomes if one.fault == fault],
                "sent_again": [one.again for one in outcomes if one.fault == fault],
            }
            for fault in FAULTS
        },
    )
    return checked(measured, FIGURES)


def _seed(stack: Private, seed: int, told: Callable[[str], None]) -> Seed:
    port = chosen(["door"], {}, random.Random(seed))["door"]
    settings = stack.settings(f"door-{seed}", gateway=f"{LOOPBACK}:{port}", checkpoint_interval_s=CHECKPOINT_S)
    with running(stack.data, settings) as one:
        front = opened(one)
        outcomes = []
        for fault in FAULTS:
            outcome = run(front, fault, seed)
            outcomes.append(outcome)
            told(
                f"{fault}, seed {seed}: killed when {outcome.answered} of {outcome.requests} requests were answered, "
                f"{outcome.again} were sent again"
            )
        wrong, tries, grown_mb = _hostile(front, seed)
        told(f"seed {seed}: {tries} hostile cases, {len(wrong)} wrong, the gateway grew by at most {grown_mb:.0f} MB")
        wrong += strangers(front)
        one.kill_writer(GATEWAY)  # nobody ticks any more: what is compared stands still
        wrong += missing(front)
        wanted, differing = one.compare(deadline_s=COMPARE_S)
    told(f"seed {seed}: {len(differing)} of {wanted.rows} rows differ, {len(front.sent)} events were acknowledged")
    wrong += differing
    for line in wrong[:5]:
        told(f"    {line}")
    return Seed(outcomes, wrong, wanted.rows + len(front.sent), tries, grown_mb)


def _hostile(front: Front, seed: int) -> tuple[list[str], int, float]:
    """What was wrong, how many cases were tried, and the most by which the gateway grew in one, in MB."""
    wrong: list[str] = []
    tries, grown_mb = 0, 0.0
    front.ready()
    for case in CASES:
        for number in range(1 if seed > 1 or case in SLOW else QUICK_SEEDS):
            found, grown = growth_mb(front, f"{seed}-{number}", case, random.Random(f"{seed} {number} {case}"))
            wrong, tries, grown_mb = wrong + found, tries + 1, max(grown_mb, grown)
    return wrong, tries, grown_mb
