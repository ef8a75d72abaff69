"""How far a job has come: the clock from which the life of its view's keys counts.

A view's clock is the least arrival among its job's committed offsets. A partition in which nothing was committed
stands at the arrival of the first record it still has: before its first checkpoint a job has seen nothing for sure.
A partition without records holds nobody back. In a replay a record without the replay's clock lets no time pass: the
one before it stands for it, for the broker's own time lies months ahead of a recording's.
"""

import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any, Literal

from confluent_kafka import Consumer, KafkaException, TopicPartition

from contracts.errors import DeadlineExceeded, Unavailable
from contracts.jobs import Job
from contracts.settings import Settings
from contracts.topics import ARRIVED_MS
from feature_store.log import follower

Clock = Literal["life", "replay"]
Place = tuple[str, int, int]
"""One record: topic, partition, offset."""

_METADATA_LIFE_S = 10.0


@dataclass(frozen=True)
class Progress:
    """One partition of a job's input: arrival of its newest record and of the last one the job has committed."""

    newest_ms: int
    committed_ms: int


@dataclass(frozen=True)
class ViewClock:
    """What was seen of a job: `clock_ms` and `newest_ms` are arrivals, None while its topics hold nothing.

    `moved_s` is the observer's own monotonic clock when `clock_ms` last changed.
    """

    clock_ms: int | None = None
    newest_ms: int | None = None
    moved_s: float = 0.0

    @property
    def known(self) -> bool:
        """Whether anything may be shown by it."""
        return self.clock_ms is not None

    def lag_ms(self, now_s: float, as_of_ms: int) -> int:
        """How far the job is behind at `now_s` (monotonic), for a value known as of `as_of_ms`.

        By the log (which has come at least as far as the value), or by the job's own standstill if that is longer, as
        when nobody ticks or the broker is gone. 0 where nothing is known.
        """
        if self.clock_ms is None or self.newest_ms is None:
            return 0
        return max(max(self.newest_ms, as_of_ms) - self.clock_ms, int((now_s - self.moved_s) * 1000), 0)


def advance(before: ViewClock, partitions: Iterable[Progress], now_s: float) -> ViewClock:
    """The clock after another look.

    >>> advance(ViewClock(), [Progress(900, 700), Progress(1000, 1000)], now_s=5.0)
    ViewClock(clock_ms=700, newest_ms=1000, moved_s=5.0)
    """
    seen = list(partitions)
    if not seen:
        return before
    clock_ms = min(progress.committed_ms for progress in seen)
    newest_ms = max(progress.newest_ms for progress in seen)
    return ViewClock(clock_ms, newest_ms, before.moved_s if clock_ms == before.clock_ms else now_s)


def arrival_ms(message: Any, clock: Clock) -> int | None:
    """When a record arrived: the broker's time stamp; in a replay's namespace the header arrived_ms, or None."""
    if clock == "life":
        return int(message.timestamp()[1])
    for name, value in message.headers() or ():
        if name == ARRIVED_MS and value is not None and value.isdigit():
            return int(value)
    return None


class JobClock:
    """Watches one job's group; remembers the arrivals it has looked up."""

    def __init__(self, job: Job, settings: Settings, now_s: Callable[[], float] = time.monotonic) -> None:
        self.seen = ViewClock()
        self._job, self._settings, self._now_s = job, settings, now_s
        self._topics = [topic.named(settings.namespace) for topic in job.reads]
        # It asks in the job's group and never joins it. (An administrator could ask too, but librdkafka aborts the
        # process when the coordinator dies while it lists a group's offsets: its issue 3663.)
        # One record is read at a time, wherever it lies: fetch little and keep nothing in the queue.
        self._consumer: Consumer = follower(
            settings.kafka,
            job.group(settings.namespace),
            **{"fetch.message.max.bytes": 4096, "queued.min.messages": 1, "fetch.queue.backoff.ms": 5},
        )
        self._arrivals: dict[Place, int | None] = {}
        self._partitions: list[TopicPartition] = []
        self._partitions_until_s = 0.0

    def look(self, deadline_s: float) -> ViewClock:
        """Ask the broker once; the answer is also kept in `seen`.

        Raises Unavailable when the broker is gone, DeadlineExceeded after `deadline_s` seconds.
        """
        ends_s = self._now_s() + deadline_s
        try:
            self.seen = advance(self.seen, self._progress(ends_s), self._now_s())
        except KafkaException as gone:
            raise Unavailable(f"the clock of job {self._job.name}: {gone.args[0].str()}") from gone
        return self.seen

    def close(self) -> None:
        """Leave the broker."""
        self._consumer.close()

    def _left_s(self, ends_s: float) -> float:
        return max(0.001, ends_s - self._now_s())

    def _progress(self, ends_s: float) -> list[Progress]:
        partitions = self._where(ends_s)
        committed = self._committed(partitions, ends_s)
        newest, reached, firsts = {}, {}, {}
        for at in partitions:
            place = (at.topic, at.partition)
            first, end = self._consumer.get_watermark_offsets(at, timeout=self._left_s(ends_s))
            if end > first:
                firsts[place] = first
                newest[place] = (*place, end - 1)
                reached[place] = (*place, max(committed.get(place, 0) - 1, first))
        # One partition can be read at one place at a time: the newest records first, then the committed ones.
        wanted = {*newest.values(), *reached.values()}
        self._arrivals = {place: at_ms for place, at_ms in self._arrivals.items() if place in wanted}
        self._find(newest.values(), firsts, ends_s)
        self._find(reached.values(), firsts, ends_s)
        told = [(self._arrivals[newest[place]], self._arrivals[reached[place]]) for place in newest]
        return [Progress(newest_ms, at_ms) for newest_ms, at_ms in told if newest_ms is not None and at_ms is not None]

    def _where(self, ends_s: float) -> list[TopicPartition]:
        if self._now_s() >= self._partitions_until_s:
            # All topics are listed: asking for one by name could create it. The consumer asks, so that it knows the
            # leaders by now: its first record would else take a second.
            found = self._consumer.list_topics(timeout=self._left_s(ends_s)).topics
            self._partitions = [
                TopicPartition(topic, partition)
                for topic in self._topics
                if topic in found
                for partition in found[topic].partitions
            ]
            self._partitions_until_s = self._now_s() + (_METADATA_LIFE_S if self._partitions else 0)
        return self._partitions

    def _committed(self, partitions: list[TopicPartition], ends_s: float) -> dict[tuple[str, int], int]:
        if not partitions:
            return {}
        found = self._consumer.committed(partitions, timeout=self._left_s(ends_s))
        return {(at.topic, at.partition): at.offset for at in found if at.offset >= 0}

    def _find(self, places: Collection[Place], firsts: dict[tuple[str, int], int], ends_s: float) -> None:
        """Look up the arrival of each of these records, at most one a partition; None where nothing tells it.

        Where a record is gone (retention, a transaction's marker) the next one that is there stands for it; for one
        that does not say when it arrived, the last one before it that does, back to the first of the partition.
        """
        missing = {place[:2]: place for place in places if place not in self._arrivals}
        if not missing:
            return
        looking = {at: offset for at, (_, _, offset) in missing.items()}
        self._consumer.assign([TopicPartition(*at, offset) for at, offset in looking.items()])
        try:
            while missing:
                if self._now_s() >= ends_s:
                    raise DeadlineExceeded(f"the clock of job {self._job.name}: no record at {sorted(missing)}")
                message = self._consumer.poll(min(0.1, self._left_s(ends_s)))
                if message is None:
                    continue
                if message.error():
                    raise KafkaException(message.error())
                at = (message.topic(), message.partition())
                if at not in missing:
                    continue
                arrived_ms = arrival_ms(message, self._settings.clock)
                if arrived_ms is None and looking[at] > firsts[at]:
                    looking[at] -= 1
                    self._consumer.seek(TopicPartition(*at, looking[at]))
                else:
                    self._arrivals[missing.pop(at)] = arrived_ms
        finally:
            self._consumer.unassign()
