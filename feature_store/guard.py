"""One entity's keys in Valkey, written all or none, and only if nothing newer is there.

The entity's hash remembers, per view, as of when its value is (`_ts:`), by which version (`_version:`) and at which
view clock its keys were last given life (`_clock:`). It outlives the keys: no hash means never seen, a hash without a
key means expired. The same value at the same clock is put in place but its life is not prolonged, whoever writes it
again: a writer that restarts while a job stands still cannot keep a stale value alive.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from valkey.exceptions import NoScriptError

from contracts.features import GUARD_LIFE_S

OUTDATED = -1
"""The answer for a write that lost against a newer value."""

_SCRIPT = """
-- KEYS: the entity's hash, then one key per feature
-- ARGV: view, as_of_ms, version, clock_ms, life of the hash in ms, then per feature: life in ms, value
-- a life of 0 or less deletes the key
local view, as_of, clock = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[4])
local seen = redis.call('HMGET', KEYS[1], '_ts:' .. view, '_clock:' .. view)
local seen_as_of, seen_clock = tonumber(seen[1] or -1), tonumber(seen[2] or -1)
if as_of < seen_as_of then return -1 end
local again = as_of == seen_as_of and clock <= seen_clock
redis.call('HSET', KEYS[1], '_ts:' .. view, ARGV[2], '_version:' .. view, ARGV[3])
if not again then redis.call('HSET', KEYS[1], '_clock:' .. view, ARGV[4]) end
redis.call('PEXPIRE', KEYS[1], ARGV[5])
local written = 0
for i = 2, #KEYS do
    local life, value = tonumber(ARGV[2 * i + 2]), ARGV[2 * i + 3]
    if life <= 0 then
        redis.call('DEL', KEYS[i])
    elseif not again then
        redis.call('SET', KEYS[i], value, 'PX', life)
        written = written + 1
    elseif redis.call('SET', KEYS[i], value, 'XX', 'KEEPTTL') then
        written = written + 1
    end
end
return written
"""


@dataclass(frozen=True)
class Key:
    """One feature key: its value in JSON and how long it may live; a life of 0 or less takes it away."""

    name: str
    value: bytes
    life_ms: int


@dataclass(frozen=True)
class Write:
    """All keys of one entity and view. Without `as_of_ms` the keys are withdrawn and the guard stays as it is."""

    guard: str
    view: str
    keys: Sequence[Key]
    as_of_ms: int | None
    version: int
    clock_ms: int


class Guard:
    """Sends writes to one Valkey; remembers the script's name there."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._sha: str | None = None

    def write(self, writes: Sequence[Write]) -> list[int]:
        """All of `writes` in one round trip: per write the number of keys put in place, or OUTDATED.

        Raises what the driver raises; repeating the call is harmless.
        """
        if self._sha is None:
            self._sha = self._client.script_load(_SCRIPT)
        try:
            return self._send(writes)
        except NoScriptError:  # Valkey has restarted
            self._sha = self._client.script_load(_SCRIPT)
            return self._send(writes)

    def _send(self, writes: Sequence[Write]) -> list[int]:
        pipe = self._client.pipeline(transaction=False)
        for write in writes:
            names = [key.name for key in write.keys]
            if write.as_of_ms is None:
                pipe.delete(*names)
                continue
            lives = [part for key in write.keys for part in (max(key.life_ms, 0), key.value)]
            head = [write.view, write.as_of_ms, write.version, write.clock_ms, GUARD_LIFE_S * 1000]
            pipe.evalsha(self._sha, 1 + len(names), write.guard, *names, *head, *lives)
        answers: list[int] = pipe.execute()
        return answers


class Presence:
    """Notices that a Valkey has lost what was written: flushed, restarted, or another one now."""

    def __init__(self, client: Any, mark: str, token: Callable[[], str]) -> None:
        self._client, self._mark, self._token = client, mark, token
        self._known: tuple[bytes, str] | None = None

    def lost(self) -> bool:
        """Whether everything is to be written again; True the first time.

        The mark, a new `token` each time, is set only where it is missing, so that several writers agree on one.
        Raises what the driver raises.
        """
        pipe = self._client.pipeline(transaction=False)
        pipe.set(self._mark, self._token(), nx=True)
        pipe.get(self._mark)
        pipe.info("server")
        _, mark, server = pipe.execute()
        found = (mark, str(server.get("run_id", "")))
        known, self._known = self._known, found
        return found != known
