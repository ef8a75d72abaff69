"""A demonstration from its first event to the count at the end."""

import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack
from itertools import pairwise
from typing import Any

from rich.console import Console
from rich.live import Live

from argus.demo.recording import Recording, Rows, rates
from argus.demo.screen import MOST_PROJECTS, Line, Moment, cells_in, shown
from argus.demo.stage import Stage
from argus.demo.summary import Ended, summary
from argus.demo.watch import RECENT, Stamped, Watch
from argus.topic_state import partition_counts
from contracts.errors import ArgusError, DeadlineExceeded
from contracts.jobs import JOBS
from contracts.settings import Settings
from feature_store.clock import JobClock
from feature_store.connections import valkey_client
from feature_store.log import producer
from feature_store.reader import Reader
from pipelines.replay import Replayed, replay

REFRESH_S, SNAPSHOT_S = 0.25, 5.0
NOW_MINUTES = 15
"""How many full minutes "now" is: the last of which rows have come, on the replay's clock."""
RATE_OVER_S = 3.0
SETTLE_S, SILENT_S, KEYS_S = 120.0, 1.0, 20.0
BROKER_S = 30.0
LINGER_MS = 5
"""A day in a minute is ten thousand messages a second with its ticks: alone each would be a request."""


class Sending:
    """The replay in a thread of its own: how far it is, what became of it."""

    def __init__(self, recorded: Recording, settings: Settings, sender: Stamped, speed: float | None) -> None:
        self.clock_ms = recorded.first_ms
        self.done: Replayed | None = None
        self.failure: ArgusError | None = None
        self._arguments: dict[str, Any] = {
            "producer": sender,
            "partitions": partition_counts(settings, deadline_s=BROKER_S),
            "namespace": settings.namespace,
            "speed": speed,
        }
        self._recorded, self._stop = recorded, threading.Event()
        self._thread = threading.Thread(target=self._run, name="replay", daemon=True)

    def __enter__(self) -> "Sending":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(BROKER_S)

    @property
    def ended(self) -> bool:
        """Whether all is sent. Raises what went wrong."""
        if self.failure:
            raise self.failure
        return self.done is not None

    def _run(self) -> None:
        try:
            self.done = replay(
                self._recorded.arrivals, clock=time.monotonic, sleep=time.sleep, on_progress=self._moved,
                **self._arguments,
            )  # fmt: skip
        except ArgusError as told:
            self.failure = told

    def _moved(self, _sent: int, clock_ms: int) -> None:
        if self._stop.is_set():
            raise SystemExit  # of this thread alone: nobody watches any more
        self.clock_ms = clock_ms


class Pace:
    """Events per second over the last few seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock, self._seen = clock, deque([(clock(), 0)])

    def at(self, events: int) -> float:
        """The pace now that so many have been acknowledged."""
        now_s = self._clock()
        self._seen.append((now_s, events))
        while now_s - self._seen[0][0] > RATE_OVER_S and len(self._seen) > 2:
            self._seen.popleft()
        since_s, before = self._seen[0]
        return (events - before) / max(now_s - since_s, 0.001)


def perform(on: Stage, recorded: Recording, *, speed: float | None, title: str, console: Console, keep: bool) -> bool:
    """Replay, show, wait, count; whether everything is as counted from the file."""
    settings = on.settings
    with ExitStack() as leaving:
        client = valkey_client(settings.valkey.get_secret_value(), timeout_s=5)
        leaving.callback(client.close)
        stamped = Stamped(
            producer(settings.kafka, **{"linger.ms": LINGER_MS, "compression.type": "lz4"}), time.monotonic
        )
        watch = leaving.enter_context(Watch(settings, client, recorded.projects, stamped))
        sending = leaving.enter_context(Sending(recorded, settings, stamped, speed))
        screen = _Screen(
            recorded, watch, sending, stamped, speed, console, f"Flink {settings.flink}   gateway {on.gateway}"
        )
        began_s = time.monotonic()
        with screen:
            while not sending.ended:
                screen.update(title)
            took_s = time.monotonic() - began_s
            assert sending.done is not None
            _settle(settings, sending.done.clock_ms, watch, recorded.rows, screen.update)
        keys = _keys(settings, client, recorded, sending.done.clock_ms)
        ended = Ended(
            recorded=recorded, rows=dict(watch.rows), keys=keys, wanted=rates(recorded.rows, sending.done.clock_ms),
            letters=watch.letters, took_s=took_s, lag_s=watch.lag_s(), moment=screen.moment(title),
        )  # fmt: skip
        console.print(summary(ended))
        if keep:
            on.let_run(sending.done.clock_ms)
    return ended.exact


class _Screen:
    """Shows moments: in place on a terminal, else a snapshot every few seconds."""

    def __init__(
        self, recorded: Recording, watch: Watch, sending: Sending, stamped: Stamped, speed: float | None,
        console: Console, urls: str,
    ) -> None:  # fmt: skip
        self._recorded, self._watch, self._sending, self._stamped = recorded, watch, sending, stamped
        self._speed, self._console, self._urls = speed, console, urls
        self._pace = Pace(time.monotonic)
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._next_s = time.monotonic() + SNAPSHOT_S

    def __enter__(self) -> "_Screen":
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def update(self, doing: str) -> None:
        """Show what is so now; returns after REFRESH_S."""
        if self._watch.failure:
            raise self._watch.failure
        moment = self.moment(doing)
        if self._console.is_terminal:
            self._live.update(shown(moment, self._console, urls=self._urls), refresh=True)
        elif time.monotonic() >= self._next_s:
            self._next_s = time.monotonic() + SNAPSHOT_S
            self._console.print(shown(moment, self._console), "")
        time.sleep(REFRESH_S)

    def moment(self, doing: str) -> Moment:
        """All that is known now."""
        watch, clock_ms = self._watch, self._sending.clock_ms
        first_ms, last_ms = self._recorded.first_ms, self._recorded.last_ms
        shown_ms = min(clock_ms, last_ms)
        return Moment(
            lines=tuple(self._line(project, shown_ms) for project in self._recorded.projects[:MOST_PROJECTS]),
            hidden=max(0, len(self._recorded.projects) - MOST_PROJECTS),
            clock_ms=clock_ms,
            done_ratio=(shown_ms - first_ms) / max(1, last_ms - first_ms),
            speed=self._speed,
            events=self._stamped.acknowledged,
            events_per_s=self._pace.at(self._stamped.acknowledged),
            rows=len(watch.rows),
            letters=watch.letters,
            lag_s=watch.lag_s(RECENT),
            doing=doing,
        )

    def _line(self, project: str, clock_ms: int) -> Line:
        first_ms, last_ms = self._recorded.first_ms, self._recorded.last_ms
        minutes = max(1, min(NOW_MINUTES, (clock_ms - first_ms) // 60_000))
        now_ms = min(self._watch.newest_ms, clock_ms // 60_000 * 60_000)
        runs, failing, errors = self._watch.counts(project, now_ms - minutes * 60_000, now_ms)
        count = cells_in(self._console.width)
        edges = [first_ms + (last_ms + 1 - first_ms) * at // count for at in range(count + 1)]
        cells = (
            self._watch.counts(project, begins, ends) if begins <= clock_ms else None
            for begins, ends in pairwise(edges)
        )
        return Line(
            project, runs / minutes, failing / minutes, errors / minutes, self._watch.rates.get(project), tuple(cells)
        )


def _settle(settings: Settings, clock_ms: int, watch: Watch, wanted: Rows, show: Callable[[str], None]) -> None:
    """Until both jobs have committed all that was sent, and nothing more comes out of them.

    Raises DeadlineExceeded, naming the job, after SETTLE_S.
    """
    clocks = {name: JobClock(job, settings) for name, job in JOBS.items()}
    ends_s = time.monotonic() + SETTLE_S
    try:
        while behind := [name for name, clock in clocks.items() if (clock.look(5).clock_ms or 0) < clock_ms]:
            if time.monotonic() > ends_s:
                raise DeadlineExceeded(f"{', '.join(behind)} did not come to the end of the replay in {SETTLE_S:.0f} s")
            show("waiting for the last checkpoint")
    finally:
        for clock in clocks.values():
            clock.close()
    while time.monotonic() - watch.changed_at < SILENT_S or (
        watch.rows != wanted and time.monotonic() - watch.changed_at < 10 * SILENT_S
    ):
        show("reading the rest")


def _keys(settings: Settings, client: Any, recorded: Recording, clock_ms: int) -> dict[str, float | None]:
    """The rates of all projects as Valkey has them, once their view has come to life; None where a key is not there."""
    reader = Reader(client, settings.namespace, lambda: clock_ms)
    ends_s = time.monotonic() + KEYS_S
    while True:
        found = reader.read([f"project:{project}:failure_rate_24h" for project in recorded.projects])
        if all(one.status == "present" for one in found) or time.monotonic() > ends_s:
            return {project: one.value for project, one in zip(recorded.projects, found, strict=True)}
        time.sleep(REFRESH_S)
