"""A cluster's jobs over its REST address: listed, waited for, stopped; and what a cluster must have to run ours."""

import re
import time
from collections.abc import Callable
from importlib.metadata import version

import msgspec

from argus.stack.rest import cause, get, send
from contracts.errors import DeadlineExceeded, Misconfigured, Unavailable
from contracts.jobs import JOBS

POLL_S = 0.2
FAILURES_TO_GIVE_UP = 3
"""A start that failed so often will not heal by itself; one failure may be a broker that was away for a moment."""

ENDED = ("FINISHED", "CANCELED", "FAILED")
JAVA = 17
OPENED = "--add-opens=java.base/java.util=ALL-UNNAMED"
"""One of the flags of env.java.opts.all in flink-conf/config.yaml: whoever has it has taken that line over."""

_OURS = re.compile(r"(?:(?P<namespace>[a-z0-9-]+)\.)?argus\.jobs\.(?P<name>\w+)")


class FlinkJob(msgspec.Struct, frozen=True, kw_only=True):
    """One of our jobs as Flink knows it; `tasks` are all, `running` those that run. Times are epoch ms."""

    name: str
    namespace: str
    state: str
    flink_id: str
    started_ms: int
    ended_ms: int | None
    tasks: int
    running: int

    @property
    def starts(self) -> bool:
        """Flink says RUNNING as soon as it has accepted a job; it runs when all its tasks do."""
        return self.state != "RUNNING" or self.running < self.tasks


def flink_jobs(address: str) -> list[FlinkJob]:
    """Our jobs on the cluster, the newest first, those that ended included for as long as it remembers them."""
    found = []
    for job in get(address, "/jobs/overview")["jobs"]:
        ours = _OURS.fullmatch(job["name"])
        if ours and ours["name"] in JOBS:
            found.append(
                FlinkJob(
                    name=ours["name"],
                    namespace=ours["namespace"] or "",
                    state=job["state"],
                    flink_id=job["jid"],
                    started_ms=job["start-time"],
                    ended_ms=job["end-time"] if job["end-time"] >= 0 else None,
                    tasks=job["tasks"]["total"],
                    running=job["tasks"]["running"],
                )
            )
    return sorted(found, key=lambda job: -job.started_ms)


def current(jobs: list[FlinkJob]) -> list[FlinkJob]:
    """Of jobs, the newest first: those that have not ended, and those that failed and were not started again."""
    found: list[FlinkJob] = []
    seen = set()
    for job in jobs:
        name = (job.name, job.namespace)
        if job.state not in ENDED or (job.state == "FAILED" and name not in seen):
            found.append(job)
        seen.add(name)
    return found


def living(address: str, name: str, namespace: str) -> FlinkJob | None:
    """The job of this name that has not ended, None without one."""
    of_name = (job for job in flink_jobs(address) if (job.name, job.namespace) == (name, namespace))
    return next((job for job in of_name if job.state not in ENDED), None)


def check(address: str) -> None:
    """Whether the cluster can run our jobs, by what its JobManager says of itself.

    Raises Misconfigured, naming each thing that it lacks with its remedy, and Unavailable when it does not answer.
    """
    ours = version("apache-flink")
    theirs = str(get(address, "/overview")["flink-version"])
    environment = get(address, "/jobmanager/environment")
    java = int(re.findall(r"/(\d+)", environment["jvm"]["version"] + "/0")[0])
    wrong = []
    if theirs != ours:
        wrong.append(f"it is Flink {theirs} and this client is {ours}: run {ours} there, or a client of {theirs} here")
    if not any(re.search(r"flink-python-[^/]*\.jar$", entry) for entry in environment["classpath"]):
        wrong.append(
            f"flink-python-{ours}.jar is not on its class path: copy it from opt/ to lib/ of its Flink, on the "
            "JobManager and every TaskManager, and restart them"
        )
    if java < JAVA:
        wrong.append(f"it runs on Java {java}: start it with Java {JAVA}")
    elif OPENED not in environment["jvm"]["options"]:
        wrong.append(
            f"its JVM was started without {OPENED} and its like: take the line env.java.opts.all from "
            "flink-conf/config.yaml over into its configuration and restart it"
        )
    if wrong:
        raise Misconfigured(f"the cluster at {address} cannot run this job: {'; '.join(wrong)}")


def wait_running(
    address: str,
    flink_id: str,
    *,
    why: Callable[[str, str], str],
    deadline_s: float,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Until all tasks of a job run.

    Raises Unavailable with Flink's own words when it fails again and again, and DeadlineExceeded, saying what it
    waits for, after `deadline_s` seconds.
    """
    ends = clock() + deadline_s
    while True:
        job = next((job for job in flink_jobs(address) if job.flink_id == flink_id), None)
        if job is None:
            raise Unavailable(f"{address} has forgotten job {flink_id}: its JobManager has restarted")
        if not job.starts:
            return
        failures = _failures(address, flink_id)
        if job.state in ENDED or failures >= FAILURES_TO_GIVE_UP:
            raise Unavailable(
                f"{job.name} does not start on {address}: {why(address, flink_id) or job.state}; "
                "docs/deploy.md says what a job needs"
            )
        if clock() > ends:
            raise DeadlineExceeded(
                f"{job.name} does not run on {address} after {deadline_s:.0f} s: "
                f"{why(address, flink_id) or _waits_for(address, job)}"
            )
        sleep(POLL_S)


def stop(
    address: str,
    flink_id: str,
    *,
    folder: str | None,
    deadline_s: float,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> str:
    """Stop a job with a savepoint below `folder` (the cluster's own without one); returns the savepoint's path.

    Raises Unavailable with Flink's own words when it cannot be taken (the job then runs on), and DeadlineExceeded
    after `deadline_s` seconds.
    """
    ends = clock() + deadline_s
    wanted = {"drain": False, "formatType": "CANONICAL"} | ({"targetDirectory": folder} if folder else {})
    asked = send(address, f"/jobs/{flink_id}/stop", wanted, timeout_s=deadline_s)["request-id"]
    location = ""
    while True:
        if not location:
            answer = get(address, f"/jobs/{flink_id}/savepoints/{asked}")
            operation = answer.get("operation") or {}
            if failed := operation.get("failure-cause"):
                told = cause(str(failed.get("stack-trace") or failed))
                raise Unavailable(f"no savepoint of job {flink_id} was taken, it runs on: {told}")
            location = operation.get("location") or ""
        elif get(address, f"/jobs/{flink_id}")["state"] in ENDED:
            return location
        if clock() > ends:
            doing = f"stop after its savepoint {location}" if location else "finish its savepoint"
            raise DeadlineExceeded(f"job {flink_id} on {address} did not {doing} within {deadline_s:.0f} s")
        sleep(POLL_S)


def cancel(
    address: str,
    flink_id: str,
    *,
    deadline_s: float,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """End a job without a savepoint; retained checkpoints stay. Raises as `stop` does."""
    ends = clock() + deadline_s
    send(address, f"/jobs/{flink_id}?mode=cancel", method="PATCH", timeout_s=deadline_s)
    while (state := get(address, f"/jobs/{flink_id}")["state"]) not in ENDED:
        if clock() > ends:
            raise DeadlineExceeded(f"job {flink_id} on {address} is {state} {deadline_s:.0f} s after it was cancelled")
        sleep(POLL_S)


def _failures(address: str, flink_id: str) -> int:
    told = get(address, f"/jobs/{flink_id}/exceptions?maxExceptions={FAILURES_TO_GIVE_UP}")
    return len(told.get("exceptionHistory", {}).get("entries", []))


def _waits_for(address: str, job: FlinkJob) -> str:
    at = get(address, "/overview")
    return (
        f"{job.running} of {job.tasks} tasks run, and {at['slots-available']} of {at['slots-total']} slots are free; "
        "add a TaskManager or lower --parallelism"
    )
