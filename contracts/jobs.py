"""The Flink jobs: what each reads and writes. One consumer group per job tells how far it has come."""

from dataclasses import dataclass

from contracts.topics import DEAD_LETTERS, FAILURE_EXPECTATION, FAILURE_VELOCITY, INSIGHTS, PROJECT_HEALTH, RUNS, Topic

STATE_DAYS = 9
"""Longer than the log's 7 days and the 24 h an event may be late: whatever is still on the log finds its state."""


@dataclass(frozen=True)
class Job:
    """`module` builds and submits it when run with the job's name."""

    name: str
    module: str
    reads: tuple[Topic, ...]
    writes: tuple[Topic, ...]
    meaning: str

    def group(self, namespace: str) -> str:
        """Its consumer group: offsets are committed there with every checkpoint."""
        return ".".join(part for part in (namespace, "argus.jobs", self.name) if part)


FAILURE_VELOCITY_JOB = Job(
    "failure_velocity",
    "jobs.sql",
    (RUNS,),
    (FAILURE_VELOCITY, DEAD_LETTERS),
    "runs, failing runs and error runs per project and minute, in SQL",
)
PROJECT_JOB = Job(
    "project",
    "jobs.project",
    (RUNS,),
    (PROJECT_HEALTH, FAILURE_EXPECTATION, INSIGHTS, DEAD_LETTERS),
    "failure rates over 24 h and 7 d, the current velocity, what is expected, and incidents: one fold per project",
)

JOBS = {job.name: job for job in (FAILURE_VELOCITY_JOB, PROJECT_JOB)}
