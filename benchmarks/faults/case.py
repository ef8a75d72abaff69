"""One case: a replay of a made-up CI history with poison in it, something killed in its middle, and the comparison."""

import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from random import Random

import msgspec

from argus.topic_state import partition_counts
from benchmarks.compared import repeated_letters
from benchmarks.faults.kills import kill, restored, wait_recovered
from benchmarks.observed import Progress, until
from benchmarks.poison import POISON
from benchmarks.running import Running
from contracts.delivery import ANY_PARTITION
from contracts.errors import Unavailable
from contracts.jobs import JOBS
from contracts.topics import ARRIVED_MS, RUNS
from feature_store.log import producer
from pipelines.replay import Arrival, replay
from pipelines.simulate import simulate
from pipelines.world import World

HOURS = 1 / 4
SPEED = 150.0
"""A quarter of an hour in six seconds: several checkpoints, one a second, lie behind the kill."""

START_MS, APART_MS = 1_767_571_200_000, 3_600_000
STARTS_S, ENDS_S = 30.0, 120.0
MOST_SHOWN = 5


@dataclass(frozen=True)
class Outcome:
    """`wrong` tells each row that differs, `restored` how often jobs came back from a checkpoint; `was_mid` is whether
    the replay was under way at the kill, `sent` of `events` being on the log."""

    fault: str
    seed: int
    wrong: list[str]
    rows: int
    restored: int
    sent: int
    events: int
    took_s: float

    @property
    def was_mid(self) -> bool:
        """Whether the kill hit a replay that was under way."""
        return 0 < self.sent < self.events


def run(
    one: Running,
    fault: str | None,
    seed: int,
    number: int,
    told: Callable[[str], None],
    also: Callable[[int], list[Arrival]] = lambda _: [],
) -> Outcome:
    """One case in a namespace in which cases with lower numbers ran before; without a fault nothing is killed.

    `also` gives what arrives in the hour of a number besides. The comparison is with everything that ever happened in
    the namespace. Raises Unavailable or DeadlineExceeded when something does not come back, and when the kill cannot
    be placed.
    """
    began, chance = time.monotonic(), Random(seed * 1_000 + number)
    arrivals = sorted(history(seed, number) + also(number), key=lambda one: one.at_ms)
    ends_before = _ends(one)
    progress = _Sent()
    before = restored(one)
    with ThreadPoolExecutor(1) as pool:
        replaying = pool.submit(_replay, one, arrivals, progress)
        try:
            _wait_checkpointed(one, ends_before)
            put_poison(one, progress.clock_ms)
            time.sleep(chance.uniform(0, 1.5))
            sent = progress.events
            if fault is not None:
                kill(one, fault)
        finally:
            replaying.result(ENDS_S)
    back = wait_recovered(one, fault, before, deadline_s=ENDS_S) if fault else 0
    wanted, wrong = one.compare(deadline_s=ENDS_S)
    if fault is None:
        wrong += [f"dead letter {letter}" for letter in repeated_letters(one.settings)]
    outcome = Outcome(
        fault or "poison", seed, wrong, wanted.rows, back, sent, len(arrivals), round(time.monotonic() - began, 1)
    )
    told(
        f"{outcome.fault}, seed {seed}: {len(wrong)} of {wanted.rows} rows differ; killed at {sent} of "
        f"{len(arrivals)} events, {back} restores, {outcome.took_s} s"
    )
    for row in wrong[:MOST_SHOWN]:
        told(f"    {row}")
    return outcome


def history(seed: int, number: int) -> list[Arrival]:
    """What happens in a case: retries, matrices, late, repeated and overtaken events, in the hours of its number."""
    world = World(
        seed=seed * 1_000 + number, projects=6, hours=HOURS, start_ms=START_MS + number * APART_MS, runs_per_hour=100,
        retry_ratio=0.8, late_ratio=0.1, too_late_ratio=0, duplicate_ratio=0.1, delay_ms=15_000, day_swing=0,
    )  # fmt: skip
    ends_ms = world.start_ms + int(HOURS * APART_MS)
    return [
        Arrival(msgspec.structs.replace(line.record, run=f"{number}-{line.record.run}"), line.arrived_ms)
        for line in simulate(world).lines
        if line.arrived_ms < ends_ms
    ]


def put_poison(one: Running, clock_ms: int) -> None:
    """Every kind of poison onto the log of runs, arriving at `clock_ms`; that without headers, which does not say
    so, in every partition: each would take the clock along if it could."""
    sender = producer(one.settings.kafka)
    for kind in POISON:
        headers = [*kind.at(clock_ms).headers.items()]
        partitions: Iterable[int] = (ANY_PARTITION,) if headers else range(one.settings.partitions)
        if headers:
            headers.append((ARRIVED_MS, str(clock_ms).encode()))
        for partition in partitions:
            sender.produce(RUNS.named(one.settings.namespace), kind.value, kind.key, partition, headers=headers)
    if left := sender.flush(STARTS_S):
        raise Unavailable(f"{left} broken messages were not acknowledged by the broker")


class _Sent:
    """How far the replay is: events handed to the broker, and its clock."""

    def __init__(self) -> None:
        self.events, self.clock_ms = 0, 0

    def __call__(self, events: int, clock_ms: int) -> None:
        self.events, self.clock_ms = events, clock_ms


def _replay(one: Running, arrivals: list[Arrival], progress: _Sent) -> None:
    replay(
        arrivals,
        producer=producer(one.settings.kafka, **{"linger.ms": 5}),
        partitions=partition_counts(one.settings, deadline_s=STARTS_S),
        namespace=one.settings.namespace,
        speed=SPEED,
        clock=time.monotonic,
        sleep=time.sleep,
        on_progress=progress,
        stall_s=ENDS_S,
    )


def _ends(one: Running) -> int:
    progress = Progress(one.settings, next(iter(JOBS.values())))
    try:
        return progress.ends()
    finally:
        progress.close()


def _wait_checkpointed(one: Running, ends_before: int) -> None:
    """Until each job has completed a checkpoint with something of this replay in it."""
    for job in JOBS.values():
        progress = Progress(one.settings, job)
        try:
            until(
                f"{job.name} has a checkpoint in the replay",
                lambda progress=progress: progress.committed() > ends_before,  # type: ignore[misc]
                deadline_s=STARTS_S,
            )
        finally:
            progress.close()
