"""What the supervisor says about itself to Prometheus and to a load balancer."""

from prometheus_client import CollectorRegistry

from argus.stack.measures import Measures
from argus.stack.status import ChildStatus, JobStatus, Status


def status(child: ChildStatus, *jobs: JobStatus) -> Status:
    """A stack that has started, of one child and some jobs."""
    return Status(phase="ready", children=[child], jobs=list(jobs))


def test_restarts_are_counted_and_a_child_that_is_down_is_0() -> None:
    registry = CollectorRegistry()
    measures = Measures(registry)
    for restarts in (0, 2, 2, 3):
        measures.update(status(ChildStatus("kafka", "restarting", restarts=restarts)))
    assert registry.get_sample_value("argus_child_restarts_total", {"child": "kafka"}) == 3
    assert registry.get_sample_value("argus_child_up", {"child": "kafka"}) == 0


def test_a_job_that_does_not_run_is_seen_and_a_forgotten_one_is_gone() -> None:
    registry = CollectorRegistry()
    measures = Measures(registry)
    kafka = ChildStatus("kafka", "ready")
    measures.update(status(kafka, JobStatus("project", "day-1", state="RESTARTING", resubmits=1)))
    assert registry.get_sample_value("argus_job_up", {"job": "day-1.project"}) == 0
    assert registry.get_sample_value("argus_job_resubmits_total", {"job": "day-1.project"}) == 1
    assert measures.ready() == "project is RESTARTING"
    measures.update(status(kafka))
    assert registry.get_sample_value("argus_job_up", {"job": "day-1.project"}) is None
    assert measures.ready() is None


def test_a_stack_that_starts_is_not_ready_and_says_who_is_missing() -> None:
    measures = Measures(CollectorRegistry())
    assert measures.ready() == "starting"
    measures.update(Status(phase="starting", children=[ChildStatus("kafka", "starting")]))
    assert measures.ready() == "kafka is starting"
