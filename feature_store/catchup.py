"""Which partitions a reader has, and whether it has read what they held when it got them."""

from typing import Any

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition

from feature_store.newest import Partition

_WATERMARK_TIMEOUT_S = 2.0


class CatchUp:
    """Reads every assigned partition from its beginning; `left` collects those that went to another reader."""

    def __init__(self) -> None:
        self._ends: dict[Partition, int | None] = {}  # None: not asked yet
        self._behind: set[Partition] = set()
        self._read: dict[Partition, int] = {}
        self.left: list[Partition] = []

    @property
    def assigned(self) -> int:
        """How many partitions there are."""
        return len(self._ends)

    @property
    def done(self) -> bool:
        """Whether each partition was read to the end it had when it was assigned."""
        return not self._behind

    def on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """The consumer's call-back: begin at the beginning, whatever was committed."""
        for at in partitions:
            at.offset = OFFSET_BEGINNING
            self._ends[(at.topic, at.partition)] = None
            self._behind.add((at.topic, at.partition))
            self._read[(at.topic, at.partition)] = 0
        consumer.assign(partitions)

    def on_revoke(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        """The consumer's call-back: these are another reader's now."""
        for at in partitions:
            place = (at.topic, at.partition)
            self._ends.pop(place, None)
            self._behind.discard(place)
            self.left.append(place)

    def ask(self, consumer: Consumer) -> None:
        """Find out where the newly assigned partitions end; a broker that does not answer is asked next time."""
        for place in [place for place in self._behind if self._ends[place] is None]:
            try:
                first, end = consumer.get_watermark_offsets(TopicPartition(*place), timeout=_WATERMARK_TIMEOUT_S)
            except KafkaException:
                return
            self._ends[place] = end
            if first == end or self._read[place] >= end:
                self._behind.discard(place)

    def passed(self, message: Any) -> bool | None:
        """Note a record; True where it came after the end that its partition had when it was assigned.

        None where the partition has gone to another reader in the meantime.
        """
        place = (message.topic(), message.partition())
        if place not in self._ends:
            return None
        if place not in self._behind:
            return True
        end, self._read[place] = self._ends[place], message.offset() + 1
        if end is not None and self._read[place] >= end:
            self._behind.discard(place)
        return False

    def ended(self, event: Any) -> None:
        """Note that a partition's end is reached: its last records may have been compacted away."""
        if event.error().code() == KafkaError._PARTITION_EOF:
            self._behind.discard((event.topic(), event.partition()))
