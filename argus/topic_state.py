"""What is on the broker already: the declared topics that are there, and which of them hold anything."""

import time
from collections.abc import Callable

from argus.admin import Wait, end_offsets, metadata
from contracts.errors import Misconfigured
from contracts.settings import Settings
from contracts.topics import TOPICS
from feature_store.log import admin_client


def partition_counts(
    settings: Settings, *, deadline_s: float, clock: Callable[[], float] = time.monotonic
) -> dict[str, int]:
    """Partitions by the name (namespace included) of every declared topic.

    Raises Misconfigured when one is missing, Unavailable when no broker answers within `deadline_s` seconds.
    """
    admin = admin_client(settings.kafka)
    there = metadata(admin, Wait(settings.kafka, clock() + deadline_s, clock)).topics
    names = [topic.named(settings.namespace) for topic in TOPICS]
    if missing := [name for name in names if name not in there]:
        raise Misconfigured(f"{settings.kafka} has no topic {', '.join(missing)}: run `argus topics ensure`")
    return {name: len(there[name].partitions) for name in names}


def ever_written(
    settings: Settings, counts: dict[str, int], *, deadline_s: float, clock: Callable[[], float] = time.monotonic
) -> list[str]:
    """The topics of `counts` that hold or held a message."""
    admin = admin_client(settings.kafka)
    wait = Wait(settings.kafka, clock() + deadline_s, clock)
    ends = end_offsets(admin, counts, wait)
    return [name for name, end in ends.items() if end > 0]
