"""How many events a second the velocity job takes, beside the plain way in Flink SQL and beside other processors.

Everybody reads the same topic from its beginning until the result is right: N / (right - first record read).
"""

import os
import time
from collections.abc import Callable, Iterator
from functools import partial

from argus.stack.flink import SLOTS
from argus.topics import ensure
from benchmarks import velocity_flink, velocity_peers
from benchmarks.private import Private, private_stack
from benchmarks.report import Measured, checked
from benchmarks.velocity_flink import Timed
from benchmarks.velocity_load import PROJECTS, history, send
from benchmarks.velocity_peers import PEERS
from benchmarks.velocity_reference import messages_by_minute, runs_by_minute

BODIES = {"": (300, 3_000_000), "_1kb": (1_000, 2_000_000)}
"""Suffix of the figures -> bytes of a body, messages: so many that compiling is not what is measured."""

PARALLELISMS = (1, 2)
ROUNDS = 2
LONG_S = 60.0
"""A run that took longer tells enough: it is not repeated."""

CONTESTANTS = (*(f"{kind}_p{p}" for p in PARALLELISMS for kind in velocity_flink.CONTESTANTS), *PEERS)
FIGURES = tuple(
    f"{prefix}{name}{suffix}" for suffix in BODIES for prefix in ("", "wrong_rows_", "rss_mb_") for name in CONTESTANTS
)
NAMESPACE = "bench"

Told = Callable[[str], None]
Run = Callable[[], Timed]


def measure(*, scale: float, told: Told) -> Measured:
    """Measure all contestants with each size of body; `scale` makes the topics shorter or longer.

    Of two runs the faster counts, and the more wrong rows. `told` gets a line per run. Raises what keeps a stack from
    starting, Misconfigured where the peers' environment cannot be made, Unavailable or DeadlineExceeded when a
    contestant fails or never ends.
    """
    python = velocity_peers.build()
    figures: dict[str, float] = {}
    setup: dict[str, object] = {
        "processors": os.cpu_count(), "load_before": round(os.getloadavg()[0], 1), "projects": PROJECTS, "slots": SLOTS
    }  # fmt: skip
    for suffix, (body, messages) in BODIES.items():
        with private_stack() as stack:
            count = round(messages * scale)
            load = history(count, now_ms=time.time_ns() // 1_000_000)
            settings = stack.settings(NAMESPACE)
            ensure(settings, deadline_s=60)
            told(f"sending {count:,} messages of {body} bytes")
            size = send(load, settings, body=body)
            by_minute = runs_by_minute(load)
            runs = dict(_flink(stack, partial(velocity_flink.run, reference=by_minute, messages=count)))
            plain = partial(velocity_peers.run, reference=messages_by_minute(load), messages=count)
            runs |= {peer: partial(plain, python, settings, peer) for peer in PEERS}
            taken = in_turn(runs, count, told)
        figures |= figures_of(taken, suffix)
        setup[f"topic{suffix}"] = {
            "messages": count, "body_bytes": round(size), "rows": len(by_minute), "partitions": settings.partitions
        }  # fmt: skip
        setup[f"events_per_s{suffix}"] = {
            name: [round(one.events_per_s) for one in all_] for name, all_ in taken.items()
        }
    setup["load_after"] = round(os.getloadavg()[0], 1)
    return checked(Measured("velocity", figures, times_as_fast(figures), setup), FIGURES)


def _flink(stack: Private, run: Callable[..., Timed]) -> Iterator[tuple[str, Run]]:
    for parallelism in PARALLELISMS:
        settings = stack.settings(NAMESPACE, parallelism=parallelism)
        for kind in velocity_flink.CONTESTANTS:
            yield f"{kind}_p{parallelism}", partial(run, stack, settings, kind)


def in_turn(runs: dict[str, Run], messages: int, told: Told) -> dict[str, list[Timed]]:
    """Each contestant after the other, then once more those that are quick."""
    taken: dict[str, list[Timed]] = {name: [] for name in runs}
    for _ in range(ROUNDS):
        for name, run in runs.items():
            if taken[name] and messages / taken[name][-1].events_per_s > LONG_S:
                continue
            timed = run()
            taken[name].append(timed)
            told(f"{name}: {timed.events_per_s:,.0f} events/s, {timed.wrong_rows} wrong, {timed.rss_mb:.0f} MB")
    return taken


def figures_of(taken: dict[str, list[Timed]], suffix: str) -> dict[str, float]:
    return {
        **{f"{name}{suffix}": round(max(one.events_per_s for one in all_)) for name, all_ in taken.items()},
        **{f"wrong_rows_{name}{suffix}": max(one.wrong_rows for one in all_) for name, all_ in taken.items()},
        **{f"rss_mb_{name}{suffix}": round(max(one.rss_mb for one in all_)) for name, all_ in taken.items()},
    }


def times_as_fast(figures: dict[str, float]) -> dict[str, dict[str, float]]:
    """How many times as fast as each other one the shipped job is."""
    others = {"bare_json": "bare_json_p{}", **dict.fromkeys(PEERS)}
    return {
        other: {
            f"ours_p{p}{suffix}_times": round(
                figures[f"ours_p{p}{suffix}"] / figures[(name or other).format(p) + suffix], 2
            )
            for suffix in BODIES
            for p in PARALLELISMS
        }
        for other, name in others.items()
    }
