"""What a writer says about itself."""

import urllib.error
import urllib.request

import pytest
from prometheus_client import CollectorRegistry

from contracts import metrics
from feature_store.metrics import counter, gauge, histogram
from feature_store.probe import Heartbeat, probe


def said(port: int, path: str, host: str = "127.0.0.1") -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://{host}:{port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, refused.read().decode()


def test_health_readiness_and_metrics_are_answered_by_name() -> None:
    registry = CollectorRegistry()
    counter(metrics.KEYS_WRITTEN, registry).labels("project-health").inc(3)
    with probe(0, registry, healthy=lambda: None, ready=lambda: "catching up") as port:
        assert said(port, "/healthz") == (200, "ok\n")
        assert said(port, "/readyz?verbose") == (503, "catching up\n")
        assert 'argus_keys_written_total{view="project-health"} 3.0' in said(port, "/metrics")[1]
        assert said(port, "/secrets")[0] == 404


def test_it_answers_on_the_address_it_is_given_alone() -> None:
    with probe(0, CollectorRegistry(), host="127.0.0.2", healthy=lambda: None, ready=lambda: None) as port:
        assert said(port, "/healthz", host="127.0.0.2") == (200, "ok\n")
        with pytest.raises(urllib.error.URLError, match="refused"):
            said(port, "/healthz")


def test_a_loop_that_hangs_is_told_from_one_that_turns() -> None:
    now = [0.0]
    heart = Heartbeat(30, lambda: now[0])
    now[0] = 30.0
    assert heart.check() is None
    now[0] = 31.0
    assert heart.check() == "the loop has been silent for 31 s"
    heart.beat()
    assert heart.check() is None


@pytest.mark.parametrize("metric", metrics.METRICS, ids=lambda metric: metric.name)
def test_every_declared_metric_can_be_registered_as_its_kind_alone(metric: metrics.Metric) -> None:
    makers = {"counter": counter, "gauge": gauge, "histogram": histogram}
    makers.pop(metric.kind)(metric, CollectorRegistry())
    for other in makers.values():
        with pytest.raises(TypeError, match=metric.kind):
            other(metric, CollectorRegistry())
