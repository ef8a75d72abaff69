"""The savepoints in tests/golden are restored by today's code, which goes on from what they remember."""

import json
import re
import shutil
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks import observed
from benchmarks.compared import Expected, expected
from benchmarks.observed import until
from benchmarks.running import Running
from contracts.jobs import JOBS
from contracts.topics import RUNS
from feature_store.log import producer
from tests.conftest import Stack
from tests.golden.make import FOLDER, MINUTE_MS, MINUTES, NAMESPACE, START_MS, execution, put

LEEWAY_MS = 600_000
SAVED_MS = START_MS + MINUTES * MINUTE_MS

GOES_ON = [
    (MINUTES + 0.5, execution("acme/app", "2-1", 2 + 1 / 20, "error")),  # as before: delivered twice
    (MINUTES + 0.6, execution("acme/app", "5-1", 1, "failure")),  # earlier than all that is known of its run
    (MINUTES + 0.7, execution("acme/web", "new", 2, "failure")),  # in a minute that has runs
    (MINUTES + 0.8, execution("globex/api", "3-2", 3.9, "failure", attempt=2)),  # a retry says nothing of the run
    (MINUTES + 1.2, execution("globex/api", "new", MINUTES + 1.2)),
]


@pytest.fixture(scope="module")
def restored(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Running, Expected]]:
    """Both jobs, restored over a log that holds what they had read, after a few more executions."""
    one = Running(stack.data, stack.settings(NAMESPACE, clock="replay", checkpoint_interval_s=1))
    one.prepare()
    sender = producer(one.settings.kafka)
    for line in (FOLDER / "log.jsonl").read_text().splitlines():
        lying = json.loads(line)
        headers = [(name, value.encode()) for name, value in lying["headers"].items()]
        key = lying["key"] and lying["key"].encode()
        sender.produce(RUNS.named(NAMESPACE), lying["value"].encode(), key, lying["partition"], headers=headers)
    assert sender.flush(30) == 0
    folder = tmp_path_factory.mktemp("golden")
    try:
        one.submit(savepoints={name: rejuvenated(FOLDER / name, folder / name).as_uri() for name in JOBS})
        put(one, GOES_ON, until=MINUTES + 3)
        one.drain(deadline_s=60)
        yield one, expected(one.settings)
    finally:
        one.close()


def rejuvenated(golden: Path, copy: Path) -> Path:
    """A copy in which state was used just now: what was not used for 9 days would be forgotten at once."""
    about = json.loads((FOLDER / "about.json").read_text())
    earliest, latest = about["began_ms"] - LEEWAY_MS, about["ended_ms"] + LEEWAY_MS
    now = struct.pack(">q", time.time_ns() // 1_000_000)
    high = re.escape(struct.pack(">q", earliest)[:4])
    shutil.copytree(golden, copy)
    copy.chmod(0o755)
    count = 0

    def fresh(found: re.Match[bytes]) -> bytes:
        nonlocal count
        is_use = earliest <= struct.unpack(">q", found[0])[0] <= latest
        count += is_use
        return now if is_use else found[0]

    for path in copy.iterdir():
        path.write_bytes(re.sub(high + b"....", fresh, path.read_bytes(), flags=re.DOTALL))
    assert count > 10, "the savepoint says when its state was used"
    return copy


def test_a_golden_savepoint_lies_whole_in_one_small_file() -> None:
    for name in JOBS:
        (file,) = (FOLDER / name).iterdir()
        assert file.stat().st_size < 100_000
        labels = re.findall(rb"file:(/[ -~]+)", file.read_bytes())  # how Flink calls state that lies in this very file
        assert not [label for label in labels if Path(label.decode()).exists()]


def test_failure_velocity_goes_on_from_its_golden_totals(restored: tuple[Running, Expected]) -> None:
    one, wanted = restored
    changed = [("acme/app", 5), ("acme/app", 1), ("acme/web", 2), ("globex/api", MINUTES + 1)]
    again = [("acme/app", 2), ("globex/api", 3)]  # a run that is touched is told again: its life begins anew
    touched = {(project, START_MS + minute * MINUTE_MS) for project, minute in changed + again}
    right = {at: counts for at, counts in wanted.places["velocity"].items() if at in touched}
    assert max(right.values()) >= (3, 1, 0), "totals that only memory can give"
    assert observed.velocity_rows(one.settings) == right
    assert observed.letters(one.settings) == []


def test_project_goes_on_from_its_golden_cells(restored: tuple[Running, Expected]) -> None:
    one, wanted = restored
    right = {project: [row for row in rows if row[0] >= SAVED_MS] for project, rows in wanted.told.items()}
    assert min(map(len, right.values())) > 1, "every project has something to say"

    def seen() -> dict[str, list[object]]:
        told: dict[str, list[object]] = {}
        for value in observed.told_health(one.settings):
            told.setdefault(value.project, []).append((value.as_of_ms, *observed.health_values(value)))
        return told

    until("the last values", lambda: sum(map(len, seen().values())) >= sum(map(len, right.values())), deadline_s=30)
    assert seen() == right
