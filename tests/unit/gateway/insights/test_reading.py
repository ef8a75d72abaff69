"""Records of both topics as they come from the broker, whatever bytes they hold."""

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from contracts import metrics
from contracts.records import encode
from contracts.topics import FEEDBACK_LABELS, INSIGHTS, Topic, message_key
from feature_store.metrics import counter, gauge
from gateway.insights.kept import Arrived, Kept
from gateway.insights.reading import Reading
from tests.unit.gateway.insights.noticed import insight, label


@dataclass
class Record:
    """As the client of the broker has it."""

    of: Topic
    bytes_: bytes | None
    name: bytes | None = None
    at: int = 0

    def topic(self) -> str:
        return self.of.named("test")

    def key(self) -> bytes | None:
        return self.name

    def value(self) -> bytes | None:
        return self.bytes_

    def timestamp(self) -> tuple[int, int]:
        return 2, 1000 + self.at

    def partition(self) -> int:
        return 0

    def offset(self) -> int:
        return self.at


class Read:
    def __init__(self) -> None:
        self.kept, self.registry = Kept(), CollectorRegistry()
        self.new: list[Arrived] = []
        self.reading = Reading(
            self.kept, "test", on_new=self.new.extend, count=gauge(metrics.INSIGHTS_KEPT, self.registry),
            unreadable=counter(metrics.INSIGHTS_UNREADABLE, self.registry),
        )  # fmt: skip

    def unreadable(self, topic: Topic) -> float | None:
        return self.registry.get_sample_value("argus_insights_unreadable_total", {"topic": topic.named("test")})


def test_what_cannot_be_read_is_counted_told_once_and_costs_no_neighbour() -> None:
    read, good = Read(), encode(insight("i1"))
    bad = [b"", b"{", b"\xff", b"[" * 100_000, b'{"insight":7}', good.replace(b"opened", b"shut")]
    with capture_logs() as lines:
        read.reading.take(
            [Record(INSIGHTS, value, at=at) for at, value in enumerate([*bad, good, good])]
            + [Record(FEEDBACK_LABELS, b"{}"), Record(FEEDBACK_LABELS, encode(label("useful")))]
        )
    assert [one.insight.insight for one in read.new] == ["i1"]
    assert (read.new[0].arrived_ms, read.new[0].offset) == (1006, 6)
    assert [one.says for one in read.kept.look("acme").labels] == ["useful"]
    assert (read.unreadable(INSIGHTS), read.unreadable(FEEDBACK_LABELS)) == (6, 1)
    assert [line["origin"] for line in lines] == ["test.argus.insights.generated:0:0", "test.argus.feedback.labels:0:0"]
    assert read.registry.get_sample_value("argus_insights_kept") == 1


def test_tombstones_take_away_what_there_was_and_what_comes_later_is_new() -> None:
    read, word = Read(), label("useful")
    read.reading.take(
        [
            Record(INSIGHTS, encode(insight("i1"))),
            Record(FEEDBACK_LABELS, encode(word)),
            Record(INSIGHTS, None, b"acme/app"),
            Record(FEEDBACK_LABELS, None, message_key(FEEDBACK_LABELS, word)),
            Record(INSIGHTS, None, None),
            Record(FEEDBACK_LABELS, None, b"\xff\x1f"),
            Record(INSIGHTS, encode(insight("i1"))),
            Record(INSIGHTS, encode(insight("i2"))),
        ]
    )
    look = read.kept.look("acme")
    assert ([one.insight.insight for one in look.arrived], look.labels) == (["i2"], [])


@given(st.lists(st.tuples(st.sampled_from([INSIGHTS, FEEDBACK_LABELS]), st.none() | st.binary(), st.binary())))
def test_any_bytes_are_read_or_refused(told: list) -> None:
    read = Read()
    with capture_logs():
        read.reading.take(Record(topic, value, key) for topic, value, key in told)
    assert (len(read.kept), read.new) == (0, [])
