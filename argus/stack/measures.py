"""The supervisor's metrics: which children are up, how often they were started again, which jobs run."""

from collections import Counter

from prometheus_client import CollectorRegistry

from argus.stack.status import Status
from contracts.metrics import CHILD_RESTARTS, CHILD_UP, JOB_RESUBMITS, JOB_UP
from feature_store.metrics import counter, gauge


class Measures:
    """Follows the status of a stack."""

    def __init__(self, registry: CollectorRegistry):
        self._up, self._restarts = gauge(CHILD_UP, registry), counter(CHILD_RESTARTS, registry)
        self._job_up, self._resubmits = gauge(JOB_UP, registry), counter(JOB_RESUBMITS, registry)
        self._counted: Counter[tuple[str, str]] = Counter()
        self.status = Status(phase="starting")

    def update(self, status: Status) -> None:
        """Take over what the status says; a job's label has its namespace before it."""
        self.status = status
        for child in status.children:
            self._up.labels(child.name).set(child.state == "ready")
            self._restarts.labels(child.name).inc(self._new("child", child.name, child.restarts))
        names = [f"{job.namespace}.{job.name}".lstrip(".") for job in status.jobs]
        self._job_up.clear()
        for name, job in zip(names, status.jobs, strict=True):
            self._job_up.labels(name).set(job.state == "RUNNING")
            self._resubmits.labels(name).inc(self._new("job", name, job.resubmits))

    def healthy(self) -> str | None:
        """The supervisor's own loop answers, or nobody would."""
        return None

    def ready(self) -> str | None:
        """None when everything runs, else who does not."""
        if self.status.healthy():
            return None
        wrong = [f"{one.name} is {one.state}" for one in self.status.unready()]
        return ", ".join(wrong) or self.status.phase

    def _new(self, kind: str, name: str, total: int) -> int:
        """How many have come since the last look; a total that fell began again at 0."""
        before, self._counted[kind, name] = self._counted[kind, name], total
        return total - before if total >= before else total
