"""The declared metrics as Prometheus objects: a name that is not in contracts/metrics.py cannot be exported."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from contracts.metrics import Metric


def counter(metric: Metric, registry: CollectorRegistry) -> Counter:
    """The counter `metric` declares, registered."""
    _expect(metric, "counter")
    return Counter(metric.name, metric.meaning, metric.labels, registry=registry)


def gauge(metric: Metric, registry: CollectorRegistry) -> Gauge:
    """The gauge `metric` declares, registered."""
    _expect(metric, "gauge")
    return Gauge(metric.name, metric.meaning, metric.labels, registry=registry)


def histogram(metric: Metric, registry: CollectorRegistry) -> Histogram:
    """The histogram `metric` declares, registered with its buckets."""
    _expect(metric, "histogram")
    return Histogram(metric.name, metric.meaning, metric.labels, registry=registry, buckets=metric.buckets)


def _expect(metric: Metric, kind: str) -> None:
    if metric.kind != kind:
        raise TypeError(f"{metric.name} is declared as a {metric.kind}, not a {kind}")
