"""From rows to the log: each record to its topic, without secrets, each acknowledged; refusals are handed back."""

from collections.abc import Callable, Iterable

from contracts.delivery import Delivery
from contracts.records import Event
from contracts.topics import Message, message, topic_of
from gateway.ingest.aliases import Aliases, renamed
from gateway.ingest.redaction import redacted
from gateway.ingest.refusal import Refusal
from gateway.ingest.row import Row

SOURCE = "/argus/ingest"


def to_send(event: Event, aliases: Aliases, *, namespace: str, source: str = SOURCE) -> Message:
    """The one way to the log: without secrets, tests by the names they have now. Raises as `aliases` does."""
    told = renamed(redacted(event), aliases)
    return message(topic_of(told), told, namespace=namespace, source=source)


def publish(
    read: Iterable[Row | Refusal],
    *,
    delivery: Delivery,
    aliases: Aliases,
    namespace: str,
    on_refusal: Callable[[Refusal], None],
) -> int:
    """Publish every row and return how many the broker acknowledged: all of them.

    Raises Unavailable or DeadlineExceeded when it does not. Publishing the same rows again is harmless.
    """
    for row in read:
        if isinstance(row, Refusal):
            on_refusal(row)
        else:
            delivery.send(to_send(row.record, aliases, namespace=namespace))
    return delivery.finish()
