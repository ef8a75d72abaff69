"""Dead letters of a reader: sent, and kept until the broker has them."""

from typing import Any

from confluent_kafka import KafkaException, Producer

from contracts.errors import BadRecord, Unavailable
from contracts.records import DeadLetter
from contracts.topics import DEAD_LETTERS, message


def dead_letter(record: Any, bad: BadRecord, reader: str) -> DeadLetter:
    """The letter about `record`, whole: where it lay and `reader` make its key, so that a repeat replaces itself."""
    return DeadLetter(
        reader=reader,
        reason=f"{bad.field}: {bad.reason}",
        topic=record.topic(),
        partition=record.partition(),
        offset=record.offset(),
        key=record.key(),
        headers=dict(record.headers()) if record.headers() else None,
        value=record.value(),
    )


class Letters:
    """What one reader has to send."""

    def __init__(self, producer: Producer, namespace: str) -> None:
        self._producer, self._namespace = producer, namespace
        self._waiting: dict[str, DeadLetter] = {}
        self._sent: dict[str, DeadLetter] = {}

    def __len__(self) -> int:
        return len(self._waiting) + len(self._sent)

    def send(self, letter: DeadLetter) -> None:
        """Take a letter; `turn` or `flush` bring it to the broker."""
        self._waiting[letter.origin] = letter

    def turn(self) -> None:
        """Hand over what waits and hear what became of the rest; never blocks."""
        for origin, letter in list(self._waiting.items()):
            sent = message(DEAD_LETTERS, letter, namespace=self._namespace, source=f"/argus/{letter.reader}")
            try:
                self._producer.produce(
                    sent.topic, sent.value, sent.key, headers=sent.headers, on_delivery=self._fate(origin)
                )
            except (BufferError, KafkaException):
                break  # no broker takes anything: it waits for the next turn
            self._sent[origin] = self._waiting.pop(origin)
        self._producer.poll(0)

    def flush(self, timeout_s: float) -> None:
        """Wait until the broker has every letter; raises Unavailable when it has not after `timeout_s` seconds."""
        self.turn()
        self._producer.flush(timeout_s)
        if len(self):
            raise Unavailable(f"{len(self)} dead letters are not on the broker after {timeout_s:g} s")

    def _fate(self, origin: str) -> Any:
        def told(error: Any, _: Any) -> None:
            letter = self._sent.pop(origin, None)
            if error is not None and letter is not None:
                self._waiting[origin] = letter

        return told
