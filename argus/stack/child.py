"""What the supervisor keeps alive: children, and steps that are done once. Declarations only."""

import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from argus.stack.process import OURSELVES, Account

Probe = Callable[[], str | None]
"""Asks a child whether it is ready: None when it is, else what it waits for. Blocks for a second or two at most."""


@dataclass(frozen=True)
class Child:
    """One server or process of ours.

    `stage` orders the stop, the highest first; `after` names the children and steps that must be ready before it is
    started; `drags_down` those that are killed when it dies, because they cannot go on without what it knew.
    """

    name: str
    stage: int
    command: tuple[str, ...]
    probe: Probe
    cwd: Path
    env: Mapping[str, str] = field(default_factory=dict)
    after: tuple[str, ...] = ()
    drags_down: tuple[str, ...] = ()
    prepare: Callable[[], None] | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    account: Account = OURSELVES
    ready_within_s: float = 60.0
    stops_within_s: float = 20.0


@dataclass(frozen=True)
class Step:
    """Something to do once per start, in a thread; it has a deadline of its own and raises an ArgusError."""

    name: str
    run: Callable[[], None]
    after: tuple[str, ...] = ()
