"""From the rows of a request to the answer that its sender gets: what is his and in time is on the log by then."""

import time
from collections.abc import Callable, Iterator

from contracts.errors import BadRecord
from contracts.topics import Message
from gateway.callers import Caller
from gateway.ingest.aliases import Aliases
from gateway.ingest.answer import MOST_LISTED, Answer
from gateway.ingest.door import Door
from gateway.ingest.publish import to_send
from gateway.ingest.refusal import Refusal, Refusals, refusal, refused
from gateway.ingest.row import Row, live
from gateway.ingest.seen import Delivery, Seen

READ_S = 120.0
MOST_REFUSED = 10_000
"""A delivery is read for so long, and until so many of its rows were refused; the rest of it is refused unread."""


class Intake:
    """Takes deliveries in one namespace; `clock` is monotonic seconds."""

    def __init__(
        self,
        door: Door,
        seen: Seen,
        *,
        aliases: Aliases,
        namespace: str,
        now_ms: Callable[[], int],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._door, self._seen, self._namespace, self._clock = door, seen, namespace, clock
        self._aliases = aliases
        self.now_ms = now_ms

    def take(
        self,
        caller: Caller,
        route: str,
        delivery: Delivery,
        read: Iterator[Row | Refusal],
        *,
        deadline_s: float | None = None,
    ) -> Answer:
        """The answer to a delivery, all of whose accepted records the broker has acknowledged.

        One that was taken before is not read again. Raises BadRecord when its name was used for another one, and
        Unavailable as Door.hand_in does, or where it cannot be known which tests were renamed.
        """
        tenant = caller.tenant or ""
        known = self._seen.taken(tenant, route, delivery)
        if known is not None:
            if known.digest != delivery.digest:
                raise BadRecord("Idempotency-Key", delivery.name, "was used for a delivery that says something else")
            return known.answer.again()
        refusals = Refusals(MOST_LISTED)
        accepted = self._door.hand_in(self._messages(caller, read, refusals), deadline_s=deadline_s)
        answer = Answer(accepted=accepted, duplicate=0, refused=refusals.count, refusals=refusals.listed)
        if accepted:
            self._seen.remember(tenant, route, delivery, answer)
        return answer

    def _messages(self, caller: Caller, read: Iterator[Row | Refusal], refusals: Refusals) -> Iterator[Message]:
        ends_s = self._clock() + READ_S
        for row in live(read, now_ms=self.now_ms(), by_ms=0):
            if refusals.count >= MOST_REFUSED or self._clock() > ends_s:
                told = f"and what follows: {MOST_REFUSED} rows were refused, or it took {READ_S:g} s; send it in parts"
                refusals.add(refusal(row.file, row.place, "rest", "", told))
                return
            if isinstance(row, Refusal):
                refusals.add(row)
            elif isinstance(own := owned(row, caller), Refusal):
                refusals.add(own)
            else:
                yield to_send(row.record, self._aliases, namespace=self._namespace)


def owned(row: Row, caller: Caller) -> Row | Refusal:
    """The row, or its refusal when its project is not the caller's."""
    if caller.owns(row.record.project):
        return row
    bad = BadRecord("project", row.record.project, f"is not under {caller.tenant}/, whose token this is")
    return refused(row.file, row.place, bad)
