"""How much each token and each sender of webhooks may send: requests in a minute, bytes in a day.

Valkey counts for all gateways of a namespace in one round trip. Where it does not answer, each gateway goes on from
what it was told last: nobody is refused because the counter is away. Windows are those of the clock, a minute and a UTC
day, so that twice as much may pass around the turn of one.
"""

import threading
import time
from collections.abc import Callable
from typing import Annotated, Any

import structlog
from fastapi import Depends, HTTPException
from msgspec import Struct
from prometheus_client import Counter
from valkey.exceptions import ValkeyError

from gateway.callers import Caller

MINUTE_S, DAY_S = 60, 86_400
AWAY_S = 5.0
"""For so long nobody waits for a Valkey that did not answer."""
MOST_KNOWN = 20_000

log = structlog.get_logger()


class _Limit(Struct, frozen=True):
    """`most` of `name` in a window, which is counted under `key` and ends `left_s` from now."""

    name: str
    key: str
    most: int
    window_s: int
    left_s: int


def names(namespace: str, tenant: str) -> str:
    """What all keys that count for a tenant begin with."""
    return (f"{namespace}:" if namespace else "") + f"argus:sent:{tenant}:"


class Meter:
    """Counts in one namespace. Its methods but refuse_spent wait for Valkey: call them outside the event loop.

    The operator is not limited. `clock` is monotonic seconds; `refused` counts by the name of the limit.
    """

    def __init__(
        self,
        client: Any,
        namespace: str,
        *,
        requests_per_minute: int,
        bytes_per_day: int,
        now_ms: Callable[[], int],
        refused: Counter,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client, self._namespace = client, namespace
        self._requests_per_minute, self._bytes_per_day = requests_per_minute, bytes_per_day
        self._now_ms, self._clock, self._refused = now_ms, clock, refused
        self._known: dict[str, int] = {}
        self._adding = threading.Lock()
        self._ask_s = float("-inf")

    def refuse_spent(self, caller: Caller) -> None:
        """Raises HTTPException 429 where he is known, without asking, to have had all of a minute or a day."""
        if caller.tenant is not None:
            for limit in self._limits(caller):
                if self._known.get(limit.key, 0) >= limit.most:
                    self._refuse(limit)

    def request(self, caller: Caller) -> None:
        """A request of his whose body has not been read yet. Raises HTTPException 429 when it is too many."""
        self.refuse_spent(caller)
        self._spend(caller, requests=1, size=0)

    def received(self, caller: Caller, size: int) -> None:
        """The body of that request had so many bytes; being more than was left it is the last one."""
        if caller.tenant is not None:
            self._add(self._limits(caller), (0, size))

    def webhook(self, caller: Caller, size: int) -> None:
        """Both at once, for a request that is known to be his by its body alone."""
        self._spend(caller, requests=1, size=size)

    def _spend(self, caller: Caller, *, requests: int, size: int) -> None:
        if caller.tenant is None:
            return
        limits = self._limits(caller)
        for limit, total, amount in zip(limits, self._add(limits, (requests, size)), (requests, size), strict=True):
            before = total - amount
            if before >= limit.most:
                self._refuse(limit)

    def _limits(self, caller: Caller) -> tuple[_Limit, _Limit]:
        assert caller.tenant is not None
        now_s, begin = self._now_ms() // 1000, names(self._namespace, caller.tenant)
        requests, size = caller.requests_per_minute, caller.bytes_per_day

        def limit(name: str, most: int, window_s: int) -> _Limit:
            key = f"{begin}{caller.name}:{name}:{now_s // window_s}"
            return _Limit(name, key, most, window_s, window_s - now_s % window_s)

        return (
            limit("requests", self._requests_per_minute if requests is None else requests, MINUTE_S),
            limit("bytes", self._bytes_per_day if size is None else size, DAY_S),
        )

    def _add(self, limits: tuple[_Limit, _Limit], amounts: tuple[int, int]) -> list[int]:
        """The totals, with these amounts in them."""
        totals = self._counted(limits, amounts)
        with self._adding:
            if totals is None:
                totals = [self._known.get(limit.key, 0) + amount for limit, amount in zip(limits, amounts, strict=True)]
            if len(self._known) > MOST_KNOWN:
                self._known.clear()
            self._known.update((limit.key, total) for limit, total in zip(limits, totals, strict=True))
        return totals

    def _counted(self, limits: tuple[_Limit, _Limit], amounts: tuple[int, int]) -> list[int] | None:
        """The totals of all gateways; None where Valkey does not tell them."""
        if self._clock() < self._ask_s:
            return None
        pipe = self._client.pipeline(transaction=False)
        for limit, amount in zip(limits, amounts, strict=True):
            pipe.incrby(limit.key, amount)
            pipe.expire(limit.key, limit.window_s)
        try:
            totals: list[int] = pipe.execute()[::2]
        except ValkeyError as gone:  # whatever it is: nobody is turned away because he could not be counted
            self._ask_s = self._clock() + AWAY_S
            log.warning("requests counted by this gateway alone", error=type(gone).__name__)
            return None
        return totals

    def _refuse(self, limit: _Limit) -> None:
        """Raises HTTPException with the fields of draft-ietf-httpapi-ratelimit-headers-06."""
        self._refused.labels(limit.name).inc()
        window = "minute" if limit.window_s == MINUTE_S else "day"
        headers = {
            "Retry-After": limit.left_s, "RateLimit-Limit": limit.most, "RateLimit-Remaining": 0,
            "RateLimit-Reset": limit.left_s,
        }  # fmt: skip
        raise HTTPException(
            429,
            f"{limit.most} {limit.name} a {window} were sent: come again in {limit.left_s} s",
            headers={name: str(value) for name, value in headers.items()},
        )


def metered(who: Callable[..., Caller], meter: Meter) -> Callable[[Caller], Caller]:
    """A dependency: who calls, as `who` tells, once his request is counted. 429 when it is one too many."""

    def check(caller: Annotated[Caller, Depends(who)]) -> Caller:
        meter.request(caller)
        return caller

    return check
