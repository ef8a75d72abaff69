"""From the rows of a request to the answer that its sender gets: what is his and in time is on the log by then."""

from collections.abc import Callable, Iterator

from contracts.errors import BadRecord
from contracts.topics import Message, message
from gateway.callers import Caller
from gateway.ingest.answer import MOST_LISTED, Answer
from gateway.ingest.door import Door
from gateway.ingest.publish import SOURCE
from gateway.ingest.refusal import Refusal, Refusals, refused
from gateway.ingest.row import Row, live, topic_of
from gateway.ingest.seen import Seen


class Intake:
    """Takes deliveries in one namespace."""

    def __init__(self, door: Door, seen: Seen, *, namespace: str, now_ms: Callable[[], int]) -> None:
        self._door, self._seen, self._namespace, self.now_ms = door, seen, namespace, now_ms

    def take(self, caller: Caller, route: str, delivery: str, read: Iterator[Row | Refusal]) -> Answer:
        """The answer to a delivery, all of whose accepted records the broker has acknowledged.

        One that was taken before is not read again. Raises Unavailable as Door.hand_in does.
        """
        tenant = caller.tenant or ""
        known = self._seen.answer(tenant, route, delivery)
        if known is not None:
            return known.again()
        refusals = Refusals(MOST_LISTED)
        accepted = self._door.hand_in(self._messages(caller, read, refusals))
        answer = Answer(accepted=accepted, duplicate=0, refused=refusals.count, refusals=refusals.listed)
        if accepted:
            self._seen.remember(tenant, route, delivery, answer)
        return answer

    def _messages(self, caller: Caller, read: Iterator[Row | Refusal], refusals: Refusals) -> Iterator[Message]:
        for row in live(read, now_ms=self.now_ms(), by_ms=0):
            if isinstance(row, Refusal):
                refusals.add(row)
            elif not caller.owns(row.record.project):
                bad = BadRecord("project", row.record.project, f"is not under {caller.tenant}/, whose token this is")
                refusals.add(refused(row.file, row.place, bad))
            else:
                yield message(topic_of(row.record), row.record, namespace=self._namespace, source=SOURCE)
