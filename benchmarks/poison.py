"""Messages on the log of runs that no job can use, each broken in one way, with the reason that its letter gives."""

from dataclasses import dataclass, field, replace

from contracts.topics import TICK

PROJECT = b"acme/poison"
GOOD: dict[str, bytes | None] = {"ce_type": b"argus.cicd.runs", "run": b"7", "attempt": b"1", "outcome": b"failure"}
HOUR_MS = 3_600_000


@dataclass(frozen=True)
class Poison:
    """One message; `late_ms` is its event's age, None where `headers` say the time or lack it."""

    name: str
    reason: str
    headers: dict[str, bytes | None] = field(default_factory=lambda: dict(GOOD))
    key: bytes | None = PROJECT
    value: bytes | None = b"{}"
    late_ms: int | None = 0

    def at(self, now_ms: int) -> "Poison":
        """The message as it is sent at `now_ms`."""
        if self.late_ms is None:
            return self
        return replace(self, headers={**self.headers, "event_ms": str(now_ms - self.late_ms).encode()})


def _header(name: str, value: bytes | None) -> dict[str, bytes | None]:
    return {**GOOD, name: value}


def _without(name: str) -> dict[str, bytes | None]:
    return {header: value for header, value in GOOD.items() if header != name}


def _time(name: str, told: bytes | None, reason: str = "event-time") -> Poison:
    return Poison(name, reason, headers=_header("event_ms", told), late_ms=None)


POISON = (
    Poison("no key", "no-key", key=None),
    Poison("an empty key", "key", key=b""),
    Poison("a key that is not UTF-8", "key", key=b"acme/\xff\xfe"),
    Poison("a key with a character that stands for broken ones", "key", key="acme/\ufffd".encode()),
    Poison("a key with the separator of keys", "key", key=b"acme/app\x1f60000"),
    Poison("a key without a tenant", "key", key=b"app"),
    Poison("a key with a space", "key", key=b"acme/my app"),
    Poison("a key with a line's end", "key", key=b"acme/app\n"),
    Poison("a key of 256 characters", "key", key=b"acme/" + b"a" * 251),
    Poison("a tick with a key", "no-run", headers={"ce_type": TICK.encode()}, late_ms=None),
    Poison("a tombstone", "tombstone", value=None),
    Poison("no run", "no-run", headers=_without("run")),
    Poison("a run that is null", "no-run", headers=_header("run", None)),
    Poison("an empty run", "run", headers=_header("run", b"")),
    Poison("a run that is not UTF-8", "run", headers=_header("run", b"\xc3\x28")),
    Poison("no attempt", "no-attempt", headers=_without("attempt")),
    Poison("attempt 0", "attempt", headers=_header("attempt", b"0")),
    Poison("attempt 10001", "attempt", headers=_header("attempt", b"10001")),
    Poison("an attempt in words", "attempt", headers=_header("attempt", b"first")),
    Poison("no outcome", "no-outcome", headers=_without("outcome")),
    Poison("an unknown outcome", "outcome", headers=_header("outcome", b"exploded")),
    Poison("an outcome in capitals", "outcome", headers=_header("outcome", b"FAILURE")),
    Poison("no event time", "no-event-time", late_ms=None),
    _time("an event time in words", b"soon"),
    _time("an empty event time", b""),
    _time("a negative event time", b"-5"),
    _time("an event time in seconds", b"1767571200"),
    _time("an event time beyond 64 bits", b"99999999999999999999"),
    _time("the last event time of 64 bits", b"9223372036854775807", "future"),
    Poison("an hour ahead", "future", late_ms=-HOUR_MS),
    Poison("a year ahead", "future", late_ms=-8_760 * HOUR_MS),
    Poison("25 hours late", "too-late", late_ms=25 * HOUR_MS),
    Poison("no headers at all", "no-run", headers={}, late_ms=None),
    Poison("900 KB of garbage without a run", "no-run", headers=_without("run"), value=b"\x00\xff\x1f" * 300_000),
)
