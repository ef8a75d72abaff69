"""Messages per project and minute with Bytewax: event time, tumbling windows, to the end of the topic.

python -m benchmarks.peers.bytewax_count BROKER TOPIC LATE_S MESSAGES
"""

import sys
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import bytewax.operators as op
import bytewax.operators.windowing as win
import orjson
from bytewax.connectors.kafka import KafkaSource
from bytewax.dataflow import Dataflow
from bytewax.testing import TestingSink, run_main

from benchmarks.peers.outcome import tell

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def main() -> None:
    """The entry point."""
    broker, topic, late_s, _messages = sys.argv[1:]
    begin_s: list[float] = []
    windows: list[tuple[str, tuple[int, int]]] = []

    def parsed(message: Any) -> tuple[str, datetime]:
        if not begin_s:
            begin_s.append(time.time())
        body = orjson.loads(message.value)
        return body["project"], datetime.fromtimestamp(body["finished_ms"] / 1000, UTC)

    flow = Dataflow("count")
    source = op.input("runs", flow, KafkaSource([broker], [topic], tail=False, batch_size=1000))
    events = op.map("parse", source, parsed)
    clock = win.EventClock(lambda event: event[1], timedelta(seconds=float(late_s)))
    minutes = win.TumblingWindower(timedelta(minutes=1), EPOCH)
    counted = win.count_window("count", events, clock, minutes, lambda event: event[0])
    op.output("out", counted.down, TestingSink(windows))
    run_main(flow)
    end_s = time.time()
    tell({(project, window * 60_000): count for project, (window, count) in windows}, begin_s[0], end_s)


if __name__ == "__main__":
    main()
