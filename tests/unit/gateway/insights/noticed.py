"""Insights and feedback as tests need them, and a gateway's memory of them."""

from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry

from contracts import metrics
from contracts.insights import Evidence, FeedbackLabel, Insight, WindowScore
from contracts.topics import DAY_MS, Message
from feature_store.metrics import counter, gauge
from gateway.insights.kept import Arrived, Kept
from gateway.insights.seen import Insights
from gateway.insights.streams import Streams

MIDNIGHT_MS = 1_795_996_800_000
"""2026-11-30 00:00 UTC."""
assert MIDNIGHT_MS % DAY_MS == 0


def insight(name: str, subject: str = "", **changed: object) -> Insight:
    """An incident `subject`, its name before the first `-` if not given, that has opened."""
    known: dict = {
        "insight": name, "project": "acme/app", "kind": "incident", "subject": subject or name.partition("-")[0],
        "state": "opened", "at_ms": MIDNIGHT_MS, "opened_ms": MIDNIGHT_MS, "series": "failing",
        "severity": "high", "p": 1e-6, "runs": 12, "title": "12 failing runs in 15 min, 2.1 expected",
        "window": WindowScore(minutes=15, observed=12, expected=2.1, ratio=5.7, p=1e-6),
        "evidence": Evidence(runs=12), "model_version": 1,
    }  # fmt: skip
    return Insight(**{**known, **changed})


def arrived(*insights: Insight, at_ms: int = MIDNIGHT_MS) -> list[Arrived]:
    """In this order in one partition, one a second."""
    return [Arrived(one, at_ms + 1000 * at, 0, at, at + 1) for at, one in enumerate(insights)]


def label(says: str, subject: str = "i1", *, actor: str = "ann", **changed: object) -> FeedbackLabel:
    """A word of `actor` about a subject of acme/app, at midnight."""
    known: dict = {
        "label": f"{subject} {says} {actor}", "project": "acme/app", "subject": subject, "says": says,
        "at_ms": MIDNIGHT_MS, "actor": actor,
    }  # fmt: skip
    return FeedbackLabel(**{**known, **changed})


def streams(of_one_tenant: int = 3, registry: CollectorRegistry | None = None) -> Streams:
    """Nobody looks on yet."""
    registry = registry or CollectorRegistry()
    return Streams(
        of_one_tenant=of_one_tenant,
        viewers=gauge(metrics.VIEWERS, registry),
        dropped=counter(metrics.VIEWERS_DROPPED, registry),
    )


def seen(
    kept: Kept | None = None,
    *,
    hand_in: Callable[[Iterable[Message]], int] = lambda messages: len(list(messages)),
    now_ms: int = MIDNIGHT_MS,
) -> Insights:
    """What callers see of `kept`, or of nothing."""
    known = Kept() if kept is None else kept
    return Insights(known, streams(), hand_in=hand_in, namespace="", pages_per_day=2, now_ms=lambda: now_ms)


class Sent(list[Message]):
    """What was handed in."""

    def hand_in(self, messages: Iterable[Message]) -> int:
        """As Door.hand_in does."""
        self.extend(messages)
        return len(self)


def holding(*insights: Insight, labels: Iterable[FeedbackLabel] = ()) -> Kept:
    """A memory of these, read to the end of the log."""
    kept = Kept()
    for one in arrived(*insights):
        kept.add(one)
    for one in labels:
        kept.label(one)
    kept.is_whole = True
    return kept
