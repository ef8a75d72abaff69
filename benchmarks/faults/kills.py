"""kill -9 of everything that a slice runs on, and what must be back afterwards."""

import os
import signal
import time

from argus.stack.status import read_status
from benchmarks.observed import until
from benchmarks.private import Private
from benchmarks.running import Running
from contracts.errors import Unavailable
from contracts.jobs import JOBS

FAULTS = ("taskmanager", "jobmanager", "kafka", "online-writer", "history-writer", "valkey", "postgres")
FLINK = ("taskmanager", "jobmanager")
DEAD_FOR_S = 0.3
"""What runs in the namespace alone is started again after so long; the rest is its supervisor's to bring back."""


def kill(one: Running, fault: str) -> None:
    """kill -9, now. What runs in the namespace alone, as a writer does, is started again as a supervisor would."""
    if one.has_started(fault):
        one.kill_writer(fault)
        time.sleep(DEAD_FOR_S)
        one.start_writer(fault)
        return
    os.kill(Private(one.data).pid(fault), signal.SIGKILL)


def restored(one: Running) -> dict[str, int]:
    """How often the job that runs now was restored from a checkpoint, by its id; -1 where Flink does not say."""
    ids = {name: one.flink_id(name) or name for name in JOBS}
    return {ids[name]: int(one.checkpoints(name).get("restored", -1)) for name in JOBS}


def wait_recovered(one: Running, fault: str, before: dict[str, int], *, deadline_s: float) -> int:
    """Until the stack says that everything runs; after a kill of Flink, until both jobs were restored once more.

    Returns how many restores there were. Raises DeadlineExceeded.
    """
    count = 0

    def is_back() -> bool:
        nonlocal count
        if not read_status(one.data).healthy():
            return False
        try:
            now = restored(one)
        except Unavailable:
            return False
        gained = [times - before.get(flink_id, 0) for flink_id, times in now.items()]
        count = sum(max(0, one) for one in gained)
        return fault not in FLINK or min(gained) > 0

    until(f"everything is back after kill -9 of {fault}", is_back, deadline_s=deadline_s, every_s=0.3)
    return count
