"""`argus replay` on a real broker: each event with its own clock, ticks in every partition, namespaces guarded."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from contracts.topics import RUNS, TEST_RESULTS
from tests.conftest import Stack
from tests.stack.topic_reading import everything, headers, java_partition, split


def command(*options: object) -> list[str]:
    """The command line."""
    return [sys.executable, "-m", "argus", "replay", *map(str, options)]


def replayed(stack: Stack, *options: object) -> dict[str, Any]:
    """What the command tells programs."""
    done = subprocess.run(
        [*command(*options), "--json"], env=stack.environment(), capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def clocks(records: list[Any]) -> dict[int, list[int]]:
    """The arrivals in each partition, in the order of the log."""
    found: dict[int, list[int]] = {}
    for record in records:
        found.setdefault(record.partition(), []).append(int(headers(record)["arrived_ms"]))
    return found


def test_the_pytorch_recording_keeps_its_times_and_brings_its_clock(stack: Stack, shared_data: Path) -> None:
    file = shared_data / "pytorch-jobs" / "job_results_2024-08-14.csv"
    answer = replayed(stack, file, "--preset", "pytorch", "--speed", "max", "--namespace", "replay-pytorch")
    assert (answer["events"], answer["refused"]) == (19_199, 0)
    assert answer["clock_ms"] == 1_723_675_081_000 + 120_000
    settings = stack.settings("replay-pytorch", clock="replay")
    on_runs, on_results = everything(settings, RUNS), everything(settings, TEST_RESULTS)
    events, ticks = split(on_runs)
    assert len(events) == 19_199
    assert len({headers(record)["ce_id"] for record in events}) == 19_198
    assert all(headers(record)["arrived_ms"] == headers(record)["event_ms"] for record in events)
    assert all(record.partition() == java_partition(record.key(), 4) for record in events)
    assert len(ticks) + len(on_results) == answer["ticks"]
    assert all(record.key() is None and record.value() == b"" for record in ticks)
    for arrivals in clocks(on_runs).values():
        assert arrivals == sorted(arrivals), "the clock of a partition never goes back"
    for topic in (ticks, on_results):
        by_partition = clocks(topic)
        assert set(by_partition) == {0, 1, 2, 3}
        assert len({tuple(arrivals) for arrivals in by_partition.values()}) == 1, "every partition has every tick"
        assert by_partition[0][-121:] == list(range(1_723_675_081_000, 1_723_675_201_001, 1_000))


def test_a_simulated_day_arrives_when_its_file_says_late_and_twice(stack: Stack, tmp_path: Path) -> None:
    out, truth = tmp_path / "day.jsonl", tmp_path / "truth.jsonl"
    simulate = [sys.executable, "-m", "argus", "simulate", "--seed", "3", "--projects", "3", "--hours", "6"]
    subprocess.run([*simulate, "--out", str(out), "--truth", str(truth)], check=True, timeout=60)
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    answer = replayed(stack, out, "--speed", "max", "--namespace", "replay-simulated")
    assert answer["events"] == len(lines)
    events, _ = split(everything(stack.settings("replay-simulated", clock="replay"), RUNS))
    sent = sorted((line["arrived_ms"], line["finished_ms"], line["project"]) for line in lines)
    seen = [(int(headers(one)["arrived_ms"]), int(headers(one)["event_ms"]), one.key().decode()) for one in events]
    assert sorted(seen) == sent


def test_a_namespace_that_was_written_to_and_the_live_one_are_refused(stack: Stack, tmp_path: Path) -> None:
    file = tmp_path / "one.jsonl"
    file.write_text('{"project":"a/b","run":"1","job":"j","outcome":"success","finished_ms":1700000000000}\n')
    assert replayed(stack, file, "--speed", "max", "--namespace", "replay-once")["events"] == 1
    for namespace, told in (("replay-once", "has been written to"), ("", "is the live one")):
        done = subprocess.run(
            command(file, "--speed", "max", "--namespace", namespace),
            env=stack.environment(), capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert done.returncode == 2
        assert told in done.stderr


def test_with_keep_the_clock_runs_on_at_the_pace_of_life(stack: Stack, tmp_path: Path) -> None:
    file = tmp_path / "one.jsonl"
    file.write_text('{"project":"a/b","run":"1","job":"j","outcome":"success","finished_ms":1700000000000}\n')
    settings = stack.settings("replay-keep", clock="replay")
    process = subprocess.Popen(
        command(file, "--speed", "max", "--namespace", "replay-keep", "--keep"),
        env=stack.environment(), stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline().startswith("sent 1 events")
    began = time.monotonic()
    time.sleep(3.2)
    process.send_signal(signal.SIGINT)
    process.wait(20)
    lasted_s = time.monotonic() - began
    process.stdout.close()
    assert process.returncode == 0
    arrivals = clocks(split(everything(settings, RUNS))[1])[0]
    after_tail = [at for at in arrivals if at > 1_700_000_120_000]
    assert after_tail == list(range(1_700_000_121_000, 1_700_000_120_000 + len(after_tail) * 1000 + 1, 1000))
    assert 3 <= len(after_tail) <= lasted_s + 1


@pytest.mark.parametrize("speed", ["fast", "0"])
def test_a_speed_that_is_none_is_refused(stack: Stack, tmp_path: Path, speed: str) -> None:
    done = subprocess.run(
        command(tmp_path, "--speed", speed, "--namespace", "replay-speed"),
        env=stack.environment(), capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    assert "60x" in done.stderr
