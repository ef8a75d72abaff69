"""A stack that was killed with -9: nothing stays behind, and the next start has the data, the ports and the jobs."""

import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import valkey

from argus.stack.leftovers import left
from argus.stack.process import descendants
from argus.stack.records import newest_checkpoint, record, recorded
from contracts.jobs import FAILURE_VELOCITY_JOB
from tests.conftest import Stack, start_stack, stop_stack

GONE_S = 20.0
CHECKPOINT_S = 60.0


@pytest.fixture
def folder() -> Iterator[Path]:
    """A data folder that root's Postgres can enter as nobody, too."""
    data = Path(tempfile.mkdtemp(prefix="argus-restart-"))
    yield data
    shutil.rmtree(data)


def checkpointed(stack: Stack) -> Path:
    """The job's newest checkpoint, once there is one under its newest id."""
    ends = time.monotonic() + CHECKPOINT_S
    while True:
        (job,) = recorded(stack.data)
        if found := newest_checkpoint(stack.data / "flink" / "checkpoints", job.flink_ids[-1:]):
            return found
        assert time.monotonic() < ends, f"no checkpoint of {job.name} within {CHECKPOINT_S} s"
        time.sleep(0.1)


def test_after_kill_9_of_the_supervisor_nothing_is_left_and_everything_comes_back(folder: Path) -> None:
    stack = start_stack(folder)
    settings = stack.settings()
    record(folder, FAILURE_VELOCITY_JOB.name, settings)
    while not stack.status().jobs:
        time.sleep(0.1)
    stack.wait_ready(120)
    checkpointed(stack)
    with valkey.Valkey.from_url(settings.valkey.get_secret_value()) as client:
        client.set("before", "kept")

    processes = descendants(stack.process.pid)[1:]
    stack.process.kill()
    stack.process.wait()
    ends = time.monotonic() + GONE_S
    while alive := [pid for pid in processes if Path(f"/proc/{pid}/exe").exists()]:
        assert time.monotonic() < ends, f"still there after {GONE_S} s: {alive}"
        time.sleep(0.05)
    newest = newest_checkpoint(folder / "flink" / "checkpoints", recorded(folder)[0].flink_ids)

    again = start_stack(folder)
    try:
        (job,) = again.status().jobs
        assert (job.state, job.restored_from, job.resubmits) == ("RUNNING", str(newest), 1)
        assert again.settings() == settings, "ports or secrets have changed"
        with valkey.Valkey.from_url(settings.valkey.get_secret_value()) as client:
            assert client.get("before") == b"kept"
        command = [sys.executable, "-m", "argus", "down"]
        done = subprocess.run(command, env=again.environment(), capture_output=True, text=True, timeout=90, check=False)
        assert (done.returncode, done.stderr.strip()) == (0, f"stopped the stack on {folder}")
        assert again.process.wait(5) == 0
        assert left(folder) == []
    finally:
        if again.process.poll() is None:
            stop_stack(again)


def test_ctrl_c_stops_a_stack_in_the_foreground_in_order(folder: Path) -> None:
    stack = start_stack(folder)
    stack.process.send_signal(signal.SIGINT)
    assert stack.process.wait(60) == 0
    log = (folder / "log" / "supervisor.log").read_text()
    assert log.index("gateway                stopped") < log.index("jobmanager             stopped")
    assert log.index("jobmanager             stopped") < log.index("kafka                  stopped")
