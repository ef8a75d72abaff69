"""The declared topics made real on any Kafka: created, corrected, or refused with the remedy.

Everything that would be refused is found before anything is changed.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from confluent_kafka import KafkaError
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ClusterMetadata,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
)

from argus.admin import Wait, end_offsets, metadata, result
from contracts.errors import Misconfigured
from contracts.settings import Settings
from contracts.topics import TOPICS, Topic
from feature_store.log import admin_client


@dataclass(frozen=True)
class Change:
    """What happened to one topic (or would, in a dry run)."""

    topic: str
    action: Literal["created", "corrected", "kept"]
    detail: str


@dataclass(frozen=True)
class _Plan:
    """The difference between what is declared and what the broker has."""

    create: list[Topic]
    grow: dict[str, int]
    configure: dict[str, dict[str, str]]
    changes: list[Change]


def ensure(
    settings: Settings,
    *,
    deadline_s: float,
    dry_run: bool = False,
    topics: Sequence[Topic] = TOPICS,
    clock: Callable[[], float] = time.monotonic,
) -> list[Change]:
    """Make `topics` of the settings' namespace be as declared; doing it twice changes nothing.

    Returns one Change per topic once every partition answers. Raises Misconfigured for what only a person can
    mend (partitions of a keyed topic, replicas, rights), DeadlineExceeded after `deadline_s` seconds, and Unavailable
    when no broker answers.
    """
    admin = admin_client(settings.kafka)
    wait = Wait(settings.kafka, clock() + deadline_s, clock)
    found = metadata(admin, wait)
    existing = {topic.named(settings.namespace): found.topics.get(topic.named(settings.namespace)) for topic in topics}
    present = [name for name, at in existing.items() if at is not None and at.error is None]
    configs = topic_configs(admin, present, wait)
    plan = _plan(settings, topics, found, configs)
    if not dry_run:
        _apply(admin, plan, settings, wait)
        created = [topic.named(settings.namespace) for topic in plan.create]
        end_offsets(admin, dict.fromkeys(created, settings.partitions) | plan.grow, wait)
    return plan.changes


def topic_configs(admin: AdminClient, names: Sequence[str], wait: Wait) -> dict[str, dict[str, str]]:
    """The settings of topics that are there, by their names. Raises as `result` does."""
    if not names:
        return {}
    asked = admin.describe_configs([ConfigResource(ConfigResource.Type.TOPIC, name) for name in names])
    return {
        resource.name: {
            name: entry.value for name, entry in result(future, f"settings of {resource.name}", wait).items()
        }
        for resource, future in asked.items()
    }


def _plan(
    settings: Settings, topics: Sequence[Topic], metadata: ClusterMetadata, configs: dict[str, dict[str, str]]
) -> _Plan:
    if told := _refusals(settings, topics, metadata):
        raise Misconfigured("; ".join(told))
    plan = _Plan([], {}, {}, [])
    for topic in topics:
        name = topic.named(settings.namespace)
        if name not in configs:
            plan.create.append(topic)
            kept = f"{topic.kept_ms // 86_400_000} d" if topic.kept_ms else "the newest per key"
            plan.changes.append(Change(name, "created", f"{settings.partitions} partitions, keeps {kept}"))
            continue
        done = []
        if len(metadata.topics[name].partitions) < settings.partitions:
            plan.grow[name] = settings.partitions
            done.append(f"partitions {len(metadata.topics[name].partitions)} -> {settings.partitions}")
        drift = {
            setting: wanted for setting, wanted in topic.config().items()
            if _normal(configs[name].get(setting)) != _normal(wanted)
        }  # fmt: skip
        if drift:
            plan.configure[name] = drift
            done += [f"{setting} {configs[name].get(setting)} -> {wanted}" for setting, wanted in drift.items()]
        plan.changes.append(Change(name, "corrected" if done else "kept", "; ".join(done) or "as declared"))
    return plan


def _refusals(settings: Settings, topics: Sequence[Topic], metadata: ClusterMetadata) -> list[str]:
    """One sentence per kind of trouble, with its remedy."""
    found = [
        (topic, metadata.topics[name])
        for topic in topics
        if (name := topic.named(settings.namespace)) in metadata.topics
    ]
    partitions = {
        at.topic: len(at.partitions) for topic, at in found if topic.key and len(at.partitions) != settings.partitions
    }
    replicas = {
        at.topic: fewest for _, at in found
        if (fewest := min((len(part.replicas) for part in at.partitions.values()), default=0)) < settings.replication
    }  # fmt: skip
    told = []
    if partitions:
        told.append(
            f"ARGUS_PARTITIONS={settings.partitions}, and there are {_listed(partitions)}: their messages lie by key, "
            "and another number would part a key from its past; set ARGUS_PARTITIONS to what is there, start a new "
            "ARGUS_NAMESPACE, or delete these topics with all they hold"
        )
    if replicas:
        told.append(
            f"ARGUS_REPLICATION={settings.replication}, and there are replicas: {_listed(replicas)}; "
            "move them with kafka-reassign-partitions, or set ARGUS_REPLICATION to what is there"
        )
    if len(found) < len(topics) and len(metadata.brokers) < settings.replication:
        told.append(
            f"ARGUS_REPLICATION={settings.replication} needs as many brokers, and {settings.kafka} has "
            f"{len(metadata.brokers)}: add brokers or set ARGUS_REPLICATION={len(metadata.brokers)}"
        )
    return told


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} in {name}" for name, count in counts.items())


def _normal(value: str | None) -> tuple[str, ...]:
    """A list setting has no order: `delete,compact` is `compact,delete`."""
    return tuple(sorted((value or "").replace(" ", "").split(",")))


def _apply(admin: AdminClient, plan: _Plan, settings: Settings, wait: Wait) -> None:
    if plan.create:
        new = [
            NewTopic(topic.named(settings.namespace), settings.partitions, settings.replication, config=topic.config())
            for topic in plan.create
        ]
        for name, future in admin.create_topics(new).items():
            # Another `ensure` at the same moment declares the same topic: whoever was first, it is there.
            result(future, f"creation of {name}", wait, but=KafkaError.TOPIC_ALREADY_EXISTS)
    if plan.grow:
        for name, future in admin.create_partitions([NewPartitions(*grown) for grown in plan.grow.items()]).items():
            result(future, f"new partitions of {name}", wait)
    if plan.configure:
        resources = [
            ConfigResource(
                ConfigResource.Type.TOPIC, name,
                incremental_configs=[
                    ConfigEntry(setting, value, incremental_operation=AlterConfigOpType.SET)
                    for setting, value in drift.items()
                ],
            )
            for name, drift in plan.configure.items()
        ]  # fmt: skip
        for resource, future in admin.incremental_alter_configs(resources).items():
            result(future, f"settings of {resource.name}", wait)
