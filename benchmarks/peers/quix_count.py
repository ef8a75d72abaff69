"""Messages per project and minute with Quix Streams: event time, tumbling windows, one update a message.

python -m benchmarks.peers.quix_count BROKER TOPIC LATE_S MESSAGES
"""

import sys
import tempfile
import time
from typing import Any

from quixstreams import Application

from benchmarks.peers.outcome import tell

IDLE_S = 30.0


def main() -> None:
    """The entry point."""
    broker, topic, late_s, messages = sys.argv[1:]
    begin_s: list[float] = []
    end_s = 0.0
    counts: dict[tuple[str, int], int] = {}

    def event_ms(value: Any, _headers: Any, _timestamp: float, _kind: Any) -> int:
        if not begin_s:
            begin_s.append(time.time())
        return int(value["finished_ms"])

    def keep(window: Any, key: Any, _timestamp: int, _headers: Any) -> None:
        nonlocal end_s
        counts[key.decode() if isinstance(key, bytes) else key, window["start"]] = window["value"]
        end_s = time.time()

    with tempfile.TemporaryDirectory() as state:
        app = Application(
            broker_address=broker,
            consumer_group=f"quix-{time.time_ns()}",
            auto_offset_reset="earliest",
            state_dir=state,
            loglevel="WARNING",
        )
        runs = app.topic(topic, value_deserializer="json", timestamp_extractor=event_ms)
        minutes = app.dataframe(runs).tumbling_window(60_000, grace_ms=int(float(late_s) * 1000))
        minutes.count().current().update(keep, metadata=True)
        app.run(count=int(messages), timeout=IDLE_S, collect=False)
    tell(counts, begin_s[0], end_s)


if __name__ == "__main__":
    main()
