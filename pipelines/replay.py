"""A recording sent through the log again, by its own clock.

An event arrives when it happened, or when its recording says it arrived. The clock is told to the jobs by ticks in
every partition of every topic that has them: one right before the first event of each second, so that nothing that
was due before an event is decided after it; one each second while events flow and for TAIL_MS after the last; and in
gaps of a fast replay one each GAP_MS, since every second of a quiet month in every partition would be millions.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from contracts.delivery import Delivery, Producer
from contracts.records import Event
from contracts.topics import TOPICS, message, tick_headers, topic_of

SOURCE = "/argus/replay"
SECOND_MS = 1_000
TAIL_MS = 120_000
"""How long the clock runs on after the last event, so that what is due at the end of its minute happens."""
FLOW_MS = 2_000
"""Events flow for this long after each of them."""
GAP_MS = 30_000
FASTEST_WITHOUT_GAPS = 60.0
"""Up to this speed there is a tick for each second of a gap as well: it is watched."""
_LONGEST_SLEEP_S = 0.2


@dataclass(frozen=True)
class Arrival:
    """A record and when it arrives, epoch ms."""

    record: Event
    at_ms: int


@dataclass(frozen=True)
class Replayed:
    """What was sent, all of it acknowledged. The replay's clock stands at `clock_ms`."""

    events: int
    ticks: int
    first_ms: int
    last_ms: int
    clock_ms: int


def replay(
    arrivals: Iterable[Arrival],
    *,
    producer: Producer,
    partitions: Mapping[str, int],
    namespace: str,
    speed: float | None,
    clock: Callable[[], float],
    sleep: Callable[[float], None],
    on_progress: Callable[[int, int], None],
    stall_s: float = 30,
) -> Replayed | None:
    """Send all arrivals in order, with ticks, `speed` times as fast as they came; None is as fast as the broker takes.

    `partitions` says how many each topic has, by its full name. `on_progress` hears the number of events sent and the
    replay's clock, epoch ms. Returns None when there is nothing to send. Raises Unavailable or DeadlineExceeded when
    the broker refuses a message or acknowledges none for `stall_s` seconds.
    """
    ordered = sorted(arrivals, key=lambda arrival: arrival.at_ms)
    if not ordered:
        return None
    delivery = Delivery(producer, stall_s=stall_s, clock=clock)
    first_ms, last_ms = ordered[0].at_ms, ordered[-1].at_ms
    gap_ms = SECOND_MS if speed is not None and speed <= FASTEST_WITHOUT_GAPS else GAP_MS
    began = clock()

    def wait_until(at_ms: int) -> None:
        if speed is not None:
            due = began + (at_ms - first_ms) / SECOND_MS / speed
            while (left := due - clock()) > 0:
                sleep(min(left, _LONGEST_SLEEP_S))

    ticked_ms = first_ms // SECOND_MS * SECOND_MS - SECOND_MS
    flows_until_ms = ticked_ms
    ticks = sent = 0

    def tick_until(at_ms: int) -> None:
        nonlocal ticked_ms, ticks
        for instant_ms in instants(ticked_ms, at_ms, flows_until_ms=flows_until_ms, gap_ms=gap_ms):
            wait_until(instant_ms)
            ticks += tick(delivery, partitions, namespace, instant_ms)
            ticked_ms = instant_ms
            on_progress(sent, instant_ms)

    for arrival in ordered:
        tick_until(arrival.at_ms)
        wait_until(arrival.at_ms)
        one = arrival.record
        delivery.send(message(topic_of(one), one, namespace=namespace, source=SOURCE, arrived_ms=arrival.at_ms))
        sent += 1
        flows_until_ms = arrival.at_ms + FLOW_MS
    flows_until_ms = last_ms + TAIL_MS
    tick_until(flows_until_ms)
    delivery.finish()
    return Replayed(sent, ticks, first_ms, last_ms, ticked_ms)


def go_on_ticking(
    from_ms: int,
    *,
    producer: Producer,
    partitions: Mapping[str, int],
    namespace: str,
    clock: Callable[[], float],
    sleep: Callable[[float], None],
    on_progress: Callable[[int], None],
    stall_s: float = 30,
) -> None:
    """Let the replay's clock run on from `from_ms` at the pace of life, a tick a second, until interrupted."""
    delivery = Delivery(producer, stall_s=stall_s, clock=clock)
    began, ticked_ms = clock(), from_ms
    while True:
        now_ms = from_ms + int((clock() - began) * SECOND_MS)
        for instant_ms in instants(ticked_ms, now_ms, flows_until_ms=now_ms, gap_ms=SECOND_MS):
            tick(delivery, partitions, namespace, instant_ms)
            ticked_ms = instant_ms
        on_progress(ticked_ms)
        sleep(max(0.0, began + (ticked_ms + SECOND_MS - from_ms) / SECOND_MS - clock()))


def instants(after_ms: int, upto_ms: int, *, flows_until_ms: int, gap_ms: int) -> Iterator[int]:
    """When to tick after `after_ms`: whole seconds while events flow, then multiples of `gap_ms`, and the last one.

    >>> list(instants(0, 64_500, flows_until_ms=2_000, gap_ms=30_000))
    [1000, 2000, 30000, 60000, 64000]
    """
    last_ms = upto_ms // SECOND_MS * SECOND_MS
    instant_ms = after_ms // SECOND_MS * SECOND_MS + SECOND_MS
    while instant_ms < last_ms:
        if instant_ms > flows_until_ms and instant_ms % gap_ms:
            instant_ms = min(last_ms, (instant_ms // gap_ms + 1) * gap_ms)
            continue
        yield instant_ms
        instant_ms += SECOND_MS
    if instant_ms == last_ms:
        yield last_ms


def tick(delivery: Delivery, partitions: Mapping[str, int], namespace: str, at_ms: int) -> int:
    """One tick in every partition of every topic that has ticks; returns how many."""
    count = 0
    for topic in TOPICS:
        if topic.ticks:
            name = topic.named(namespace)
            for partition in range(partitions[name]):
                delivery.send_raw(name, b"", None, tick_headers(at_ms), partition)
                count += 1
    return count
