"""Starting and stopping a job by name: refused, taken back, and told to the supervisor of an embedded stack."""

import os
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from argus import jobs
from argus.stack.folder import lock, opened
from argus.stack.records import read, record
from argus.stack.status import Status, write_status
from contracts.errors import Misconfigured, NotRunning, Unavailable
from contracts.jobs import PROJECT_JOB, Job
from contracts.settings import Settings, read_settings
from tests.unit.argus.fake_flink import FakeFlink, fake_flink


@pytest.fixture
def flink() -> Iterator[FakeFlink]:
    with fake_flink() as fake:
        yield fake


@pytest.fixture
def data(tmp_path: Path, flink: FakeFlink) -> Iterator[Path]:
    """A folder on which a stack runs whose Flink is the fake."""
    folder = opened(tmp_path / "data")
    with lock(folder):
        write_status(folder, Status(phase="ready", pid=os.getpid(), addresses={"flink": flink.address}))
        yield folder


def settings(flink: FakeFlink, data: Path, **changed: object) -> Settings:
    return read_settings({}, data=data, flink=flink.address, **changed)


def accepted(flink: FakeFlink) -> jobs.Submit:
    """A submission after which the job runs."""

    def submit(job: Job, how: Settings, savepoint: str | None) -> str:
        flink.says["/jobs/overview"]["jobs"].append(flink.job("new", name=job.group(how.namespace)))
        return "new"

    return submit


def refused(*_: object) -> str:
    raise AssertionError("nothing is submitted")


def start(
    flink: FakeFlink, data: Path, submit: jobs.Submit, *, if_absent: bool = False, **changed: object
) -> jobs.Started:
    how = settings(flink, data, **changed)
    return jobs.start(PROJECT_JOB, how, savepoint="file:/sp", if_absent=if_absent, submit=submit, deadline_s=5)


def test_a_job_on_the_embedded_stack_is_kept_by_its_supervisor(flink: FakeFlink, data: Path) -> None:
    started = start(flink, data, accepted(flink), namespace="day-1", clock="replay", parallelism=2)
    assert started == jobs.Started("new", was_there=False, is_kept=True)
    kept = read(data, "project", "day-1")
    assert kept is not None
    assert (kept.flink_ids, kept.savepoint, kept.clock, kept.parallelism) == (["new"], "file:/sp", "replay", 2)


def test_a_job_on_another_cluster_is_nobodys(flink: FakeFlink, data: Path) -> None:
    write_status(data, Status(phase="ready", pid=os.getpid(), addresses={"flink": "http://127.0.0.1:1"}))
    assert not start(flink, data, accepted(flink)).is_kept
    assert read(data, "project", "") is None


def test_the_loopback_has_many_names(flink: FakeFlink, data: Path) -> None:
    other = read_settings({}, data=data, flink=flink.address.replace("127.0.0.1", "localhost") + "/")
    assert jobs.embedded(other) == data


def test_a_folder_without_a_stack_is_no_embedded_one(flink: FakeFlink, tmp_path: Path) -> None:
    assert jobs.embedded(settings(flink, tmp_path)) is None


def test_a_second_job_of_the_same_name_is_refused_with_the_remedy(flink: FakeFlink, data: Path) -> None:
    flink.says["/jobs/overview"]["jobs"] = [flink.job("a", "RESTARTING", name="x.argus.jobs.project")]
    with pytest.raises(Misconfigured, match=r"\(a\).*`argus stop project --namespace x`.*--if-absent"):
        start(flink, data, refused, namespace="x")
    assert start(flink, data, refused, namespace="x", if_absent=True).flink_id == "a"
    assert start(flink, data, accepted(flink), namespace="y").flink_id == "new"


def test_a_job_that_the_supervisor_is_about_to_submit_is_there(flink: FakeFlink, data: Path) -> None:
    record(data, "project", settings(flink, data))
    with pytest.raises(Misconfigured, match="about to start"):
        start(flink, data, refused)
    assert start(flink, data, refused, if_absent=True) == jobs.Started("", was_there=True, is_kept=True)


def test_a_cluster_that_cannot_run_it_is_asked_nothing(flink: FakeFlink, data: Path) -> None:
    flink.says["/jobmanager/environment"]["classpath"] = []
    with pytest.raises(Misconfigured, match="flink-python"):
        start(flink, data, refused)


def test_a_job_that_does_not_come_up_is_taken_back_and_not_recorded(flink: FakeFlink, data: Path) -> None:
    flink.says |= {"/jobs/ill": {"state": "CANCELED"}, "/jobs/ill/exceptions": {}}

    def submit(*_: object) -> str:
        flink.says["/jobs/overview"]["jobs"].append(flink.job("ill", "FAILED"))
        return "ill"

    with pytest.raises(Unavailable, match="does not start"):
        start(flink, data, submit)
    assert ("PATCH", "/jobs/ill?mode=cancel", {}) in flink.asked
    assert read(data, "project", "") is None


def stop(flink: FakeFlink, data: Path, *, with_savepoint: bool = True) -> str:
    how = settings(flink, data)
    return jobs.stop(PROJECT_JOB, how, folder=None, with_savepoint=with_savepoint, deadline_s=5)


def test_the_supervisor_forgets_a_job_before_it_is_stopped(flink: FakeFlink, data: Path) -> None:
    record(data, "project", settings(flink, data), flink_id="a")
    forgotten = []

    class Asked(list[object]):
        """Looks at the record at each request."""

        def append(self, asked: object) -> None:
            forgotten.append((asked, read(data, "project", "") is None))
            super().append(asked)

    flink.asked = Asked()  # type: ignore[assignment]
    flink.says |= {
        "/jobs/overview": {"jobs": [flink.job("a")]},
        "/jobs/a/stop": {"request-id": "t"},
        "/jobs/a/savepoints/t": {"operation": {"location": "file:/sp/1"}},
        "/jobs/a": {"state": "FINISHED"},
    }
    assert stop(flink, data) == "file:/sp/1"
    assert [gone for asked, gone in forgotten if asked[1] == "/jobs/a/stop"] == [True]  # type: ignore[index]
    assert read(data, "project", "") is None


def test_a_job_that_cannot_be_stopped_stays_kept(flink: FakeFlink, data: Path) -> None:
    before = record(data, "project", settings(flink, data), flink_id="a")
    flink.says["/jobs/overview"]["jobs"] = [flink.job("a")]
    flink.says["/jobs/a/stop"] = (409, {"errors": ["Checkpoint triggering task is not running"]})
    with pytest.raises(Unavailable, match="is not running"):
        stop(flink, data)
    after = read(data, "project", "")
    assert after is not None
    assert msgspec.json.encode(after) == msgspec.json.encode(before)


def test_a_job_that_cannot_take_a_savepoint_can_be_cancelled(flink: FakeFlink, data: Path) -> None:
    flink.says["/jobs/overview"]["jobs"] = [flink.job("a", "RESTARTING")]
    flink.says["/jobs/a"] = {"state": "CANCELED"}
    assert stop(flink, data, with_savepoint=False) == ""
    assert ("PATCH", "/jobs/a?mode=cancel", {}) in flink.asked


def test_stopping_what_does_not_run_is_told(flink: FakeFlink, data: Path) -> None:
    with pytest.raises(NotRunning, match=r"no argus\.jobs\.project runs"):
        stop(flink, data)


def test_a_job_that_was_only_recorded_is_forgotten(flink: FakeFlink, data: Path) -> None:
    record(data, "project", settings(flink, data))
    assert stop(flink, data) == ""
    assert read(data, "project", "") is None
