"""A meter beside a Valkey that is a dict."""

from typing import Any

from prometheus_client import CollectorRegistry
from valkey.exceptions import TimeoutError as Late

from contracts.metrics import LIMITED
from feature_store.metrics import counter
from gateway.ingest.meter import Meter


class Store:
    """Counts as Valkey does, for as many meters as like; can go away."""

    def __init__(self) -> None:
        self.totals: dict[str, int] = {}
        self.lives_s: dict[str, int] = {}
        self.asked, self.away = 0, False

    def pipeline(self, *, transaction: bool) -> "Pipe":
        assert not transaction, "a transaction is more work and promises nothing that is needed"
        return Pipe(self)


class Pipe:
    def __init__(self, store: Store) -> None:
        self.store = store
        self.answers: list[Any] = []

    def incrby(self, key: str, amount: int) -> None:
        if not self.store.away:
            self.store.totals[key] = self.store.totals.get(key, 0) + amount
            self.answers.append(self.store.totals[key])

    def expire(self, key: str, life_s: int) -> None:
        self.store.lives_s[key] = life_s
        self.answers.append(True)

    def execute(self) -> list[Any]:
        self.store.asked += 1
        if self.store.away:
            raise Late
        return self.answers


class Watch:
    """The wall clock and the monotonic one, in step."""

    def __init__(self, now_s: int) -> None:
        self.s = now_s

    def now_ms(self) -> int:
        return self.s * 1000

    def clock(self) -> float:
        return float(self.s)


def meter(store: Store, watch: Watch, *, requests: int, size: int, registry: CollectorRegistry | None = None) -> Meter:
    """One that lets through so many requests a minute and so many bytes a day."""
    return Meter(
        store, "", requests_per_minute=requests, bytes_per_day=size, now_ms=watch.now_ms, clock=watch.clock,
        refused=counter(LIMITED, registry or CollectorRegistry()),
    )  # fmt: skip


def lax() -> Meter:
    """One that nobody who is tested here will exceed."""
    return meter(Store(), Watch(0), requests=10**6, size=10**9)
