"""From the log of runs to topic, keys and history: not one row differs from what pandas makes of the same log."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from argus import jobs
from benchmarks import observed
from benchmarks.compared import expected, found, repeated_letters
from benchmarks.observed import until
from benchmarks.poison import POISON, Poison
from benchmarks.reference import MINUTE_MS, pytorch_executions, velocity
from benchmarks.running import Running, running
from contracts.jobs import JOBS, PROJECT_JOB
from contracts.records import FailureVelocity, JobExecution, decode
from contracts.topics import FAILURE_VELOCITY, RUNS, SEPARATOR, message
from feature_store.log import producer
from pipelines.simulate import line_json, simulate, truth_json
from pipelines.world import World
from tests.conftest import Stack
from tests.stack.flow import now_ms

SETTLES_S = 90.0
RECORDING = "pytorch-jobs/job_results_2024-08-14.csv"


def command(one: Running, *words: object) -> dict[str, Any]:
    """A command of ours in the namespace; what it tells programs."""
    done = subprocess.run(
        [sys.executable, "-m", "argus", *map(str, words), "--json"],
        env=one.environment(), capture_output=True, text=True, timeout=180,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


@contextmanager
def ticking(one: Running) -> Iterator[None]:
    """Ticks once a second, and for two more seconds after the block: what is due by then has happened."""
    process = subprocess.Popen(
        [sys.executable, "-m", "argus", "tick"], env=one.environment(), stderr=subprocess.DEVNULL
    )
    try:
        ends = observed.Progress(one.settings, PROJECT_JOB)
        before = ends.ends()
        until("ticks", lambda: ends.ends() > before, deadline_s=30)
        ends.close()
        yield
        time.sleep(2.2)
    finally:
        process.terminate()
        process.wait(20)


def put(one: Running, *records: JobExecution) -> None:
    """Executions on the log of runs, acknowledged."""
    sender = producer(one.settings.kafka)
    for record in records:
        sent = message(RUNS, record, namespace=one.settings.namespace, source="/test")
        sender.produce(sent.topic, sent.value, sent.key, headers=sent.headers)
    assert sender.flush(20) == 0


def put_poison(one: Running, poison: list[Poison]) -> list[tuple[int, int]]:
    """Where they came to lie: partition and offset of each."""
    sender, places = producer(one.settings.kafka), []
    for kind in poison:
        sender.produce(
            RUNS.named(one.settings.namespace), kind.value, kind.key, headers=list(kind.headers.items()),
            on_delivery=lambda _, sent: places.append((sent.partition(), sent.offset())),
        )  # fmt: skip
        assert sender.flush(20) == 0
    return places


def execution(project: str, run: str, at_ms: int, outcome: str = "success", **changed: Any) -> JobExecution:
    """One finished job."""
    return JobExecution(project=project, run=run, job="build", outcome=outcome, finished_ms=at_ms, **changed)


def exact(one: Running) -> Any:
    """Nothing differs; what the log must give."""
    wanted, wrong = one.compare(deadline_s=SETTLES_S)
    assert wrong == [], f"{len(wrong)} of {wanted.rows} rows differ: {wrong[:5]}"
    assert repeated_letters(one.settings) == []
    return wanted


def test_a_replay_of_the_pytorch_recording_equals_pandas_row_by_row(stack: Stack, shared_data: Path) -> None:
    file = shared_data / RECORDING
    rows = pd.read_csv(file, dtype=str)
    assert (len(rows), rows.job_id.nunique()) == (19_199, 19_198)
    with running(stack.data, stack.settings("exact-pytorch", clock="replay", checkpoint_interval_s=1)) as one:
        replay = ("replay", file, "--preset", "pytorch", "--speed", "max", "--namespace", "exact-pytorch")
        assert command(one, *replay)["events"] == 19_199
        wanted = exact(one)
        told: dict[str, list[Any]] = {}
        for value in observed.told_health(one.settings):
            told.setdefault(value.project, []).append((value.as_of_ms, *observed.health_values(value)))
        assert told == wanted.told, "each value is told once, in its order"
    of_file = velocity(pytorch_executions(file))
    assert of_file.sum().tolist() == [19_198, 712, 0]
    assert {at: tuple(counts) for at, *counts in of_file.itertuples()} == wanted.places["velocity"]
    assert not wanted.places["dead letters"]


def test_what_the_simulator_delivers_late_twice_and_out_of_order_equals_pandas(stack: Stack, tmp_path: Path) -> None:
    world = World(seed=11, projects=5, hours=10, retry_ratio=0.8, late_ratio=0.05, too_late_ratio=0.02,
                  duplicate_ratio=0.05, delay_ms=20_000)  # fmt: skip
    simulated = simulate(world)
    (tmp_path / "runs.jsonl").write_bytes(b"".join(map(line_json, simulated.lines)))
    truth = [json.loads(fact) for fact in truth_json(world, simulated)]
    fates = [fact["fate"] for fact in truth if fact["kind"] == "line"]
    with running(stack.data, stack.settings("exact-simulated", clock="replay", checkpoint_interval_s=1)) as one:
        replay = ("replay", tmp_path / "runs.jsonl", "--speed", "max", "--namespace", "exact-simulated")
        assert command(one, *replay)["events"] == len(simulated.lines)
        wanted = exact(one)
    assert min(fates.count(fate) for fate in ("too-late", "late", "duplicate")) > 20
    assert set(wanted.places["dead letters"].values()) == {"too-late"}
    assert len(wanted.places["dead letters"]) == fates.count("too-late") * len(JOBS)
    assert wanted.places["velocity"]


@pytest.fixture(scope="module")
def live(stack: Stack) -> Iterator[Running]:
    """A live namespace for the tests below, each with projects of its own: whole, it must equal the reference."""
    with running(stack.data, stack.settings("exact-live", checkpoint_interval_s=1)) as one:
        yield one


def test_ticks_alone_are_never_counted_and_are_no_dead_letters(live: Running) -> None:
    with ticking(live):
        pass
    wanted = exact(live)
    assert wanted.rows == 0
    assert wanted.log.clock_ms > 0


def test_each_kind_of_poison_is_one_dead_letter_per_reader_and_moves_no_clock(live: Running) -> None:
    now = now_ms()
    poison = [kind.at(now) for kind in POISON]
    assert len({kind.name for kind in poison}) >= 15
    with ticking(live):
        put(live, execution("acme/before", "1", now, "failure"))
        places = put_poison(live, poison)
        put(live, execution("acme/after", "1", now), execution("acme/before", "2", now))
    wanted = exact(live)
    reasons = {
        kind.name: wanted.places["dead letters"][(*at, "project")] for kind, at in zip(poison, places, strict=True)
    }
    assert reasons == {kind.name: kind.reason for kind in poison}
    letters = {(letter.partition, letter.offset, letter.reader): letter for letter in observed.letters(live.settings)}
    assert len(letters) == len(poison) * len(JOBS)
    for kind, at in zip(poison, places, strict=True):
        for reader in JOBS:
            letter = letters[(*at, reader)]
            assert (letter.key, letter.value) == (kind.key, kind.value), kind.name
            assert (letter.headers or {}) == kind.headers, kind.name
    minute = now // MINUTE_MS * MINUTE_MS
    assert wanted.places["velocity"][("acme/before", minute)] == (2, 1, 0)
    assert wanted.places["velocity"][("acme/after", minute)] == (1, 0, 0)
    newest = max(value.as_of_ms for value in observed.told_health(live.settings))
    assert newest <= now_ms(), "no value is known in the future"


def test_a_recording_ingested_unsorted_and_moved_to_now_equals_pandas(live: Running, shared_data: Path) -> None:
    file = shared_data / RECORDING
    with ticking(live):
        told = command(live, "ingest", file, "--preset", "pytorch", "--shift-to-now")
    assert (told["accepted"], told["refused"]) == (19_199, 0)
    wanted = exact(live)
    of_file = velocity(pytorch_executions(file, shifted_ms=told["shifted_ms"]))
    assert {at: tuple(counts) for at, *counts in of_file.itertuples()} == {
        at: counts for at, counts in wanted.places["velocity"].items() if at[0].startswith("pytorch/")
    }


def test_a_row_appears_soon_after_the_first_event_of_its_minute(live: Running) -> None:
    at_ms = now_ms()
    put(live, execution("acme/soon", "1", at_ms))
    row = ("acme/soon", at_ms // MINUTE_MS * MINUTE_MS)
    until("the row", lambda: observed.velocity_rows(live.settings).get(row) == (1, 0, 0), deadline_s=5)


def test_a_late_and_earlier_execution_moves_its_run_and_leaves_nothing_behind(live: Running) -> None:
    now = now_ms()
    minutes = [now // MINUTE_MS * MINUTE_MS - minutes * MINUTE_MS for minutes in (0, 1, 5)]

    def seen() -> list[tuple[int, ...]]:
        rows = observed.velocity_rows(live.settings)
        return [rows.get(("acme/moving", minute), (0, 0, 0)) for minute in minutes]

    put(live, execution("acme/moving", "1", minutes[0], "failure"))
    until("the first minute", lambda: seen() == [(1, 1, 0), (0, 0, 0), (0, 0, 0)], deadline_s=10)
    put(live, execution("acme/moving", "1", minutes[1], "error"))
    until("the run moved, its failure did not", lambda: seen() == [(0, 1, 0), (1, 0, 1), (0, 0, 0)], deadline_s=10)
    put(
        live, execution("acme/moving", "1", minutes[2], "timeout"), execution("acme/moving", "1", minutes[0], attempt=2)
    )
    until("all but the error moved", lambda: seen() == [(0, 0, 0), (0, 0, 1), (1, 1, 0)], deadline_s=10)


def test_a_stop_in_the_middle_of_a_minute_replaces_no_right_total_by_a_small_one(live: Running) -> None:
    minute = now_ms() // MINUTE_MS * MINUTE_MS - 10 * MINUTE_MS
    row = ("acme/stopped", minute)
    with ticking(live):
        put(live, *(execution("acme/stopped", str(run), minute + run, "failure") for run in range(40)))
        until("40 runs", lambda: observed.velocity_rows(live.settings).get(row) == (40, 40, 0), deadline_s=20)
    savepoints = {
        name: jobs.stop(job, live.settings, folder=None, with_savepoint=True, deadline_s=60)
        for name, job in JOBS.items()
    }
    put(live, *(execution("acme/stopped", str(run), minute + run) for run in range(30, 50)))
    live.submit(savepoints=savepoints)
    with ticking(live):
        pass
    wanted = exact(live)
    assert wanted.places["velocity"][row] == (50, 40, 0)
    totals = [
        decode(FailureVelocity, lying.value()).runs
        for lying in observed.log_of(live.settings, FAILURE_VELOCITY)
        if lying.key() == f"acme/stopped{SEPARATOR}{minute}".encode()
    ]
    assert totals == sorted(totals)
    assert totals[-1] == 50


def test_the_comparison_sees_a_single_wrong_row_in_each_place(live: Running) -> None:
    from benchmarks.compared import differences

    wanted = expected(live.settings)
    seen = found(live.settings, wanted)
    assert differences(wanted, seen) == []
    assert [place for place, rows in seen.items() if not rows] == ["insights"]  # nothing burns here
    for place, rows in seen.items():
        assert len(differences(wanted, {**seen, place: {**rows, "nobody's": 1}})) == 1
        for key in [*rows][:1]:
            others = {other: row for other, row in rows.items() if other != key}
            assert len(differences(wanted, {**seen, place: {**rows, key: "another"}})) == 1
            assert len(differences(wanted, {**seen, place: others})) == 1
