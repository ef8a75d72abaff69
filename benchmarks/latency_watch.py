"""Sees every failure rate that becomes readable: python -m benchmarks.latency_watch OUT, until its standard input ends.

Valkey tells which key was set (switched on in the stack of the measurement alone), and the key is then read as any
client would read it: the time is that of the answer. OUT gets a line per reading: monotonic ns, key, value.
"""

import sys
import threading
from pathlib import Path
from time import monotonic_ns
from typing import Any

from contracts.settings import read_settings
from feature_store.connections import valkey_client

CHANNEL = "__keyspace@0__:"
KEYS = "project:*:failure_rate_24h"
LOOK_S = 0.2


def watch(client: Any, told: Any, stop: threading.Event) -> list[tuple[int, str, str]]:
    """Every reading until `stop`: (monotonic ns, key, value). `told` is a subscription to CHANNEL."""
    seen = []
    while not stop.is_set():
        notice = told.get_message(ignore_subscribe_messages=True, timeout=LOOK_S)
        if notice is None or notice["data"] != b"set":
            continue
        key = notice["channel"].decode().removeprefix(CHANNEL)
        value = client.get(key)
        at_ns = monotonic_ns()
        if value is not None:
            seen.append((at_ns, key, value.decode()))
    return seen


def main() -> None:
    """The entry point."""
    settings = read_settings()
    client = valkey_client(settings.valkey.get_secret_value(), timeout_s=5)
    client.config_set("notify-keyspace-events", "K$")
    stop = threading.Event()

    def until_told() -> None:
        sys.stdin.read()
        stop.set()

    threading.Thread(target=until_told, daemon=True).start()
    with client.pubsub() as told:
        told.psubscribe(CHANNEL + KEYS)
        told.get_message(timeout=5)
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        seen = watch(client, told, stop)
    Path(sys.argv[1]).write_text("".join(f"{at_ns}\t{key}\t{value}\n" for at_ns, key, value in seen))


if __name__ == "__main__":
    main()
