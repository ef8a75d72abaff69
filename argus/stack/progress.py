"""How a start is shown: a line per child as it becomes ready, the same for a terminal and a log."""

from collections.abc import Callable

from argus.stack.status import ChildStatus, Status


class Progress:
    """Prints what is new since the status it saw last."""

    def __init__(self, told: Callable[[str], None]):
        self._told = told
        self._seen: dict[str, tuple[str, int]] = {}

    def __call__(self, status: Status) -> None:
        for one in (*status.children, *status.steps):
            now = (one.state, one.restarts)
            if self._seen.get(one.name) != now:
                self._seen[one.name] = now
                if line := _line(one):
                    self._told(line)
        for job in status.jobs:
            key = f"job {job.namespace} {job.name}"
            if self._seen.get(key) != (job.state, job.resubmits):
                self._seen[key] = (job.state, job.resubmits)
                where = f" from {job.restored_from}" if job.restored_from and job.state == "RUNNING" else ""
                why = f": {job.reason}" if job.reason else ""
                self._told(f"  {'job ' + job.name:<22} {job.state.lower()}{where}{why}")


def _line(one: ChildStatus) -> str:
    if one.state == "ready":
        return f"  {one.name:<22} ready after {one.ready_s:.1f} s"
    if one.state == "restarting":
        return f"  {one.name:<22} died: {one.reason}"
    if one.state == "stopped":
        return f"  {one.name:<22} stopped"
    return ""
