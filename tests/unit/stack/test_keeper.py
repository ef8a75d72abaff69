"""Jobs come back: from their newest complete checkpoint, not twice, and not when they were stopped on purpose."""

import asyncio
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from argus.stack.folder import opened
from argus.stack.keeper import Keeper
from argus.stack.records import forget, newest_checkpoint, read, record, recorded
from argus.submit import Submitted
from contracts.errors import Unavailable
from contracts.settings import Settings

STACK = Settings(flink="http://127.0.0.1:1")


class Cluster:
    """A Flink that runs whatever it is given until it is told to forget."""

    def __init__(self) -> None:
        self.jobs: dict[str, dict[str, Any]] = {}
        self.submitted: list[tuple[str, str, int, str | None]] = []
        self.refuses = ""
        self.clients = 0

    def submit(self, starts: Mapping[str, str | None], settings: Settings) -> Submitted:
        """Remember them, one client's submissions together; refuses the job that it was told to."""
        ids = {}
        self.clients += 1
        for name, start in starts.items():
            if name == self.refuses:
                return Submitted(ids, Unavailable("no slots"))
            self.submitted.append((name, settings.namespace, settings.parallelism, start))
            ids[name] = f"id{len(self.submitted)}"
            self.jobs[ids[name]] = {"jid": ids[name], "state": "RUNNING", "tasks": {"running": 2, "total": 2}}
        return Submitted(ids, None)


def keeper(data: Path, cluster: Cluster) -> Keeper:
    """A keeper of the folder's jobs on that cluster."""
    return Keeper(
        opened(data),
        data / "checkpoints",
        STACK,
        submit=cluster.submit,
        overview=lambda: cluster.jobs,
        why=lambda flink_id: f"{flink_id} failed",
        changed=lambda: None,
    )


def turn(kept: Keeper, data: Path, cluster: Cluster) -> None:
    """One look at the cluster."""
    asyncio.run(kept.look(recorded(data), cluster.jobs))


def checkpoint(data: Path, flink_id: str, number: int, *, complete: bool = True) -> str:
    """A retained checkpoint, as Flink lays it out."""
    folder = data / "checkpoints" / flink_id / f"chk-{number}"
    folder.mkdir(parents=True)
    if complete:
        (folder / "_metadata").touch()
    return str(folder)


def test_a_recorded_job_is_submitted_with_its_own_settings_once(tmp_path: Path) -> None:
    cluster = Cluster()
    kept = keeper(tmp_path, cluster)
    record(tmp_path, "project", STACK.model_copy(update={"namespace": "day-1", "parallelism": 2}))
    for _ in range(3):
        turn(kept, tmp_path, cluster)
    assert cluster.submitted == [("project", "day-1", 2, None)]
    assert (kept.statuses[0].state, kept.statuses[0].resubmits) == ("RUNNING", 0)


def test_after_the_jobmanager_died_each_job_starts_from_its_newest_complete_checkpoint(tmp_path: Path) -> None:
    cluster = Cluster()
    kept = keeper(tmp_path, cluster)
    record(tmp_path, "project", STACK, flink_id="before")
    checkpoint(tmp_path, "before", 9)
    newest = checkpoint(tmp_path, "before", 10)
    checkpoint(tmp_path, "before", 11, complete=False)
    turn(kept, tmp_path, cluster)
    turn(kept, tmp_path, cluster)
    assert cluster.submitted == [("project", "", 1, newest)]
    assert (kept.statuses[0].restored_from, kept.statuses[0].resubmits) == (newest, 1)


def test_a_second_death_before_the_first_checkpoint_falls_back_to_the_older_id(tmp_path: Path) -> None:
    cluster = Cluster()
    kept = keeper(tmp_path, cluster)
    record(tmp_path, "project", STACK, flink_id="before")
    only = checkpoint(tmp_path, "before", 3)
    turn(kept, tmp_path, cluster)
    cluster.jobs.clear()
    turn(keeper(tmp_path, cluster), tmp_path, cluster)
    assert [start for *_, start in cluster.submitted] == [only, only]


def test_without_a_checkpoint_of_its_own_a_job_starts_from_the_savepoint_it_was_given(tmp_path: Path) -> None:
    cluster = Cluster()
    record(opened(tmp_path), "project", STACK, savepoint="file:///s/1")
    turn(keeper(tmp_path, cluster), tmp_path, cluster)
    assert cluster.submitted == [("project", "", 1, "file:///s/1")]


def test_older_checkpoints_go_when_the_new_id_has_one_of_its_own_and_not_before(tmp_path: Path) -> None:
    cluster = Cluster()
    kept = keeper(tmp_path, cluster)
    record(tmp_path, "project", STACK, flink_id="before")
    checkpoint(tmp_path, "before", 3)
    turn(kept, tmp_path, cluster)
    turn(kept, tmp_path, cluster)
    assert (tmp_path / "checkpoints" / "before").exists()
    checkpoint(tmp_path, "id1", 1)
    turn(kept, tmp_path, cluster)
    assert not (tmp_path / "checkpoints" / "before").exists()
    assert read(tmp_path, "project", "").flink_ids == ["id1"]  # type: ignore[union-attr]


@pytest.mark.parametrize("state", ["CANCELED", "FINISHED"])
def test_a_job_that_was_stopped_at_flink_itself_stays_stopped(tmp_path: Path, state: str) -> None:
    cluster = Cluster()
    kept = keeper(tmp_path, cluster)
    record(tmp_path, "project", STACK)
    turn(kept, tmp_path, cluster)
    cluster.jobs["id1"]["state"] = state
    turn(kept, tmp_path, cluster)
    assert (len(cluster.submitted), recorded(tmp_path)) == (1, [])


def test_a_failed_job_is_submitted_again(tmp_path: Path) -> None:
    cluster = Cluster()
    kept = keeper(tmp_path, cluster)
    record(tmp_path, "project", STACK)
    turn(kept, tmp_path, cluster)
    turn(kept, tmp_path, cluster)
    cluster.jobs["id1"]["state"] = "FAILED"
    turn(kept, tmp_path, cluster)
    assert len(cluster.submitted) == 2


def test_a_job_that_restarts_within_flink_is_left_to_it_with_the_reason_shown(tmp_path: Path) -> None:
    cluster = Cluster()
    kept = keeper(tmp_path, cluster)
    record(tmp_path, "project", STACK)
    turn(kept, tmp_path, cluster)
    cluster.jobs["id1"]["state"] = "RESTARTING"
    turn(kept, tmp_path, cluster)
    assert (kept.statuses[0].state, kept.statuses[0].reason) == ("RESTARTING", "id1 failed")
    assert len(cluster.submitted) == 1


def test_a_job_is_not_called_running_before_all_its_tasks_are(tmp_path: Path) -> None:
    cluster = Cluster()
    kept = keeper(tmp_path, cluster)
    record(tmp_path, "project", STACK)
    turn(kept, tmp_path, cluster)
    cluster.jobs["id1"]["tasks"] = {"running": 1, "total": 2}
    turn(kept, tmp_path, cluster)
    assert (kept.statuses[0].state, kept.running.is_set()) == ("STARTING", False)


def test_a_refused_submission_is_tried_again_later_and_the_reason_shown(tmp_path: Path) -> None:
    cluster = Cluster()
    cluster.refuses = "project"
    kept = keeper(tmp_path, cluster)
    record(tmp_path, "project", STACK)
    turn(kept, tmp_path, cluster)
    assert (kept.statuses[0].state, kept.statuses[0].reason) == ("missing", "no slots")
    turn(kept, tmp_path, cluster)
    assert not cluster.submitted, "the next try is not due"
    cluster.refuses = ""
    kept = keeper(tmp_path, cluster)
    turn(kept, tmp_path, cluster)
    assert len(cluster.submitted) == 1


def test_jobs_with_the_same_settings_share_a_client_and_one_that_is_refused_does_not_take_the_other_with_it(
    tmp_path: Path,
) -> None:
    cluster = Cluster()
    cluster.refuses = "project"
    kept = keeper(tmp_path, cluster)
    record(tmp_path, "failure_velocity", STACK)
    record(tmp_path, "project", STACK)
    turn(kept, tmp_path, cluster)
    assert (cluster.clients, [name for name, *_ in cluster.submitted]) == (1, ["failure_velocity"])
    assert [status.state for status in kept.statuses] == ["STARTING", "missing"]


def test_the_same_job_in_two_namespaces_is_two_jobs(tmp_path: Path) -> None:
    cluster = Cluster()
    kept = keeper(tmp_path, cluster)
    record(tmp_path, "project", STACK)
    record(tmp_path, "project", STACK.model_copy(update={"namespace": "day-1"}))
    turn(kept, tmp_path, cluster)
    forget(tmp_path, "project", "day-1")
    cluster.jobs.clear()
    turn(keeper(tmp_path, cluster), tmp_path, cluster)
    assert sorted(namespace for _, namespace, *_ in cluster.submitted) == ["", "", "day-1"]


def test_checkpoints_that_nobody_needs_go_after_a_week(tmp_path: Path) -> None:
    cluster = Cluster()
    checkpoint(tmp_path, "lost", 1)
    checkpoint(tmp_path, "fresh", 1)
    long_ago = time.time() - 8 * 86_400
    os.utime(tmp_path / "checkpoints" / "lost", (long_ago, long_ago))
    turn(keeper(tmp_path, cluster), tmp_path, cluster)
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["fresh"]


def test_the_newest_checkpoint_is_by_number_not_by_name(tmp_path: Path) -> None:
    checkpoint(tmp_path, "a", 9)
    checkpoint(tmp_path, "a", 10)
    assert newest_checkpoint(tmp_path / "checkpoints", ["a"]) == tmp_path / "checkpoints" / "a" / "chk-10"
    assert newest_checkpoint(tmp_path / "checkpoints", ["b"]) is None
