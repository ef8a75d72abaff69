"""What is asked of a cluster, what its answers mean, and what a person is told when it cannot do it."""

from collections.abc import Iterator

import pytest

from argus import cluster
from contracts.errors import DeadlineExceeded, Misconfigured, Unavailable
from tests.unit.argus.fake_flink import FakeFlink, fake_flink


@pytest.fixture
def flink() -> Iterator[FakeFlink]:
    with fake_flink() as fake:
        yield fake


class Steps:
    """A clock that a sleep moves."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def clock(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds


def why(_: str, flink_id: str) -> str:
    """What Flink gives as the cause."""
    return "the broker is away" if flink_id == "ill" else ""


def wait(flink: FakeFlink, flink_id: str = "a", deadline_s: float = 5) -> None:
    steps = Steps()
    cluster.wait_running(
        flink.address, flink_id, why=why, deadline_s=deadline_s, clock=steps.clock, sleep=steps.sleep
    )  # fmt: skip


def test_only_our_jobs_are_listed_by_name_and_namespace_the_newest_first(flink: FakeFlink) -> None:
    flink.says["/jobs/overview"]["jobs"] = [
        flink.job("a"),
        flink.job("b", name="day-1.argus.jobs.failure_velocity", **{"start-time": 2000}),
        flink.job("c", name="somebody else's"),
        flink.job("d", name="argus.jobs.of_another_version"),
    ]
    found = cluster.flink_jobs(flink.address)
    assert [(job.flink_id, job.namespace, job.name) for job in found] == [
        ("b", "day-1", "failure_velocity"),
        ("a", "", "project"),
    ]


def test_a_job_that_ended_is_not_living_and_a_failed_one_is_shown_until_it_is_started_again(flink: FakeFlink) -> None:
    jobs = flink.says["/jobs/overview"]["jobs"]
    jobs += [flink.job("old", "FAILED"), flink.job("gone", "CANCELED", name="x.argus.jobs.project")]
    assert cluster.living(flink.address, "project", "") is None
    assert [job.flink_id for job in cluster.current(cluster.flink_jobs(flink.address))] == ["old"]
    jobs.append(flink.job("new", "RESTARTING", **{"start-time": 2000}))
    found = cluster.living(flink.address, "project", "")
    assert found is not None
    assert found.flink_id == "new"
    assert [job.flink_id for job in cluster.current(cluster.flink_jobs(flink.address))] == ["new"]


def test_a_cluster_with_all_it_needs_is_accepted(flink: FakeFlink) -> None:
    cluster.check(flink.address)


@pytest.mark.parametrize(
    ("path", "change", "told"),
    [
        ("/overview", {"flink-version": "1.20.1"}, "run 2.3.0 there"),
        ("/jobmanager/environment", {"classpath": ["/flink/lib/flink-dist-2.3.0.jar"]}, "from opt/ to lib/"),
        (
            "/jobmanager/environment",
            {"jvm": {"version": "OpenJDK - Debian - 11/11.0.2+9", "options": []}},
            "start it with Java 17",
        ),
        ("/jobmanager/environment", {"jvm": {"version": "VM - 17/17.0.9", "options": []}}, "env.java.opts.all"),
    ],
)
def test_what_a_cluster_lacks_is_refused_with_the_remedy(
    flink: FakeFlink, path: str, change: dict[str, object], told: str
) -> None:
    flink.says[path] |= change
    with pytest.raises(Misconfigured, match=told):
        cluster.check(flink.address)


def test_all_that_is_wrong_is_told_at_once(flink: FakeFlink) -> None:
    flink.says["/overview"]["flink-version"] = "1.20.1"
    flink.says["/jobmanager/environment"]["classpath"] = []
    with pytest.raises(Misconfigured, match=r"Flink 1\.20\.1.*flink-python"):
        cluster.check(flink.address)


def test_a_job_runs_when_all_its_tasks_do(flink: FakeFlink) -> None:
    half = flink.job("a", tasks={"total": 3, "running": 1})
    flink.says["/jobs/overview"] = [{"jobs": [half]}, {"jobs": [half]}, {"jobs": [flink.job("a")]}]
    flink.says["/jobs/a/exceptions"] = {}
    wait(flink)
    assert [path for _, path, _ in flink.asked].count("/jobs/overview") == 3


def test_a_job_that_fails_again_and_again_is_given_up_with_its_cause(flink: FakeFlink) -> None:
    flink.says["/jobs/overview"]["jobs"] = [flink.job("ill", "RESTARTING")]
    flink.says["/jobs/ill/exceptions"] = [
        {"exceptionHistory": {"entries": [{}] * count}} for count in range(cluster.FAILURES_TO_GIVE_UP + 1)
    ]
    with pytest.raises(Unavailable, match="the broker is away"):
        wait(flink, "ill")
    assert len(flink.asked) == 2 * (cluster.FAILURES_TO_GIVE_UP + 1), "one failure may heal"


def test_a_job_that_waits_for_slots_says_so_at_the_deadline(flink: FakeFlink) -> None:
    flink.says["/jobs/overview"]["jobs"] = [flink.job("a", tasks={"total": 6, "running": 0})]
    flink.says["/jobs/a/exceptions"] = {}
    with pytest.raises(DeadlineExceeded, match=r"0 of 6 tasks run, and 0 of 4 slots are free; add a TaskManager"):
        wait(flink)


def test_a_jobmanager_that_restarts_meanwhile_is_not_waited_for(flink: FakeFlink) -> None:
    with pytest.raises(Unavailable, match="forgotten job a"):
        wait(flink)


def stop(flink: FakeFlink, folder: str | None = None) -> str:
    steps = Steps()
    return cluster.stop(flink.address, "a", folder=folder, deadline_s=5, clock=steps.clock, sleep=steps.sleep)


def test_a_stop_waits_for_the_savepoint_and_then_for_the_end(flink: FakeFlink) -> None:
    done = {"status": {"id": "COMPLETED"}, "operation": {"location": "file:/sp/1"}}
    flink.says |= {
        "/jobs/a/stop": (202, {"request-id": "t"}),
        "/jobs/a/savepoints/t": [{"status": {"id": "IN_PROGRESS"}}, done],
        "/jobs/a": [{"state": "RUNNING"}, {"state": "FINISHED"}],
    }
    assert stop(flink, "file:///mine") == "file:/sp/1"
    assert flink.asked[0] == (
        "POST", "/jobs/a/stop", {"drain": False, "formatType": "CANONICAL", "targetDirectory": "file:///mine"}
    )  # fmt: skip
    assert [path for _, path, _ in flink.asked[1:]] == ["/jobs/a/savepoints/t"] * 2 + ["/jobs/a"] * 2


def test_a_savepoint_that_fails_is_told_by_its_deepest_cause(flink: FakeFlink) -> None:
    trace = "java.lang.Exception: outer\n\tat x\nCaused by: java.io.IOException: the disk is full\n\tat y"
    flink.says |= {
        "/jobs/a/stop": {"request-id": "t"},
        "/jobs/a/savepoints/t": {"operation": {"failure-cause": {"class": "x", "stack-trace": trace}}},
    }
    with pytest.raises(Unavailable, match=r"it runs on: java\.io\.IOException: the disk is full$"):
        stop(flink)


def test_what_flink_refuses_is_told_in_its_words(flink: FakeFlink) -> None:
    flink.says["/jobs/a/stop"] = (400, {"errors": ["Config key [savepoint-dir] is not set.", "<trace>\n\tat x"]})
    with pytest.raises(Unavailable, match=r"refused /jobs/a/stop: Config key \[savepoint-dir\] is not set\."):
        stop(flink)


def test_a_savepoint_that_does_not_end_is_not_waited_for_for_ever(flink: FakeFlink) -> None:
    flink.says |= {"/jobs/a/stop": {"request-id": "t"}, "/jobs/a/savepoints/t": {"status": {"id": "IN_PROGRESS"}}}
    with pytest.raises(DeadlineExceeded, match="did not finish its savepoint within 5 s"):
        stop(flink)


def test_a_cancelled_job_has_ended_on_return(flink: FakeFlink) -> None:
    flink.says["/jobs/a"] = [{"state": "RUNNING"}, {"state": "CANCELLING"}, {"state": "CANCELED"}]
    steps = Steps()
    flink.says["/jobs/a"][0] = (202, {})
    cluster.cancel(flink.address, "a", deadline_s=5, clock=steps.clock, sleep=steps.sleep)
    assert flink.asked[0][:2] == ("PATCH", "/jobs/a?mode=cancel")
    assert len(flink.asked) == 3
