"""The one adapter between Flink and a fold: keyed state as named cells, event time as instants."""

from collections.abc import Callable, Iterator, MutableMapping
from typing import Any

from pyflink.common import Row, Time, Types
from pyflink.datastream import KeyedProcessFunction, RuntimeContext
from pyflink.datastream.state import MapState, MapStateDescriptor, StateTtlConfig

from models.health import Cells

OUTPUT = Types.ROW_NAMED(["target", "entity", "record"], [Types.STRING(), Types.STRING(), Types.STRING()])
"""The table a message goes to, its key and its value, as text."""

Message = tuple[str, str, str]

MEMORY_DAYS = 9
"""Longer than the log's 7 days and the 24 h an event may be late."""

Step = Callable[[Cells, Cells, Any], Iterator[Message]]
"""(cells, memory, event) -> messages."""
Instant = Callable[[Cells, str, int], Iterator[Message]]
"""(cells, key, instant in epoch ms) -> messages, where nothing has arrived."""


class StateCells(MutableMapping[str, str]):
    """Flink's map state as a dict of texts: each cell is read once and written once in a call.

    Crossing between Java and Python is what a fold costs, not its arithmetic.
    """

    def __init__(self, state: MapState) -> None:
        self.state = state
        self.cells: dict[str, str | None] = {}
        self.changed: set[str] = set()

    def begin(self) -> None:
        """Forget what the last key left."""
        self.cells.clear()

    def flush(self) -> None:
        """Write what has changed."""
        for name in sorted(self.changed):
            text = self.cells[name]
            if text is None:
                self.state.remove(name)
            else:
                self.state.put(name, text)
        self.changed.clear()

    def __getitem__(self, name: str) -> str:
        if name not in self.cells:
            self.cells[name] = self.state.get(name)
        text = self.cells[name]
        if text is None:
            raise KeyError(name)
        return text

    def __setitem__(self, name: str, text: str) -> None:
        self.cells[name] = text
        self.changed.add(name)

    def __delitem__(self, name: str) -> None:
        if name not in self:
            raise KeyError(name)
        self.cells[name] = None
        self.changed.add(name)

    def __iter__(self) -> Iterator[str]:
        self.flush()
        return iter(list(self.state.keys()))

    def __len__(self) -> int:
        return sum(1 for _ in self)


class Fold(KeyedProcessFunction):  # type: ignore[misc]
    """A pure step over one key's cells; `memory` is a second set of cells that is forgotten after MEMORY_DAYS.

    `event` makes the step's event of a row and its arrival (epoch ms); `next_ms` says when time alone matters next.
    """

    def __init__(
        self,
        name: str,
        event: Callable[[Row, int], Any],
        step: Step,
        instant: Instant,
        next_ms: Callable[[Cells], int | None],
    ) -> None:
        self.name, self.event, self.step, self.instant, self.next_ms = name, event, step, instant, next_ms

    def open(self, runtime_context: RuntimeContext) -> None:
        """Bind the state; names are the fold's, so that a savepoint finds them again."""
        cells = MapStateDescriptor(f"{self.name}-cells", Types.STRING(), Types.STRING())
        memory = MapStateDescriptor(f"{self.name}-memory", Types.STRING(), Types.STRING())
        memory.enable_time_to_live(
            StateTtlConfig.new_builder(Time.days(MEMORY_DAYS)).cleanup_in_rocksdb_compact_filter(10_000).build()
        )
        self.cells = StateCells(runtime_context.get_map_state(cells))
        self.memory = StateCells(runtime_context.get_map_state(memory))

    def process_element(self, value: Row, ctx: KeyedProcessFunction.Context) -> Iterator[Row]:
        """Fold one event in."""
        self.cells.begin()
        self.memory.begin()
        for message in self.step(self.cells, self.memory, self.event(value, ctx.timestamp())):
            yield Row(*message)
        self._finish(ctx)

    def on_timer(self, timestamp: int, ctx: KeyedProcessFunction.OnTimerContext) -> Iterator[Row]:
        """Let time pass up to `timestamp`."""
        self.cells.begin()
        self.memory.begin()
        for message in self.instant(self.cells, ctx.get_current_key(), timestamp):
            yield Row(*message)
        self._finish(ctx)

    def _finish(self, ctx: KeyedProcessFunction.Context) -> None:
        self.cells.flush()
        self.memory.flush()
        following_ms = self.next_ms(self.cells)
        if following_ms is not None:
            ctx.timer_service().register_event_time_timer(following_ms)
