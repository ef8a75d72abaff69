"""A demonstration's namespace removed: topics, consumer groups, keys and schema."""

import time

import psycopg
from confluent_kafka import KafkaError
from psycopg import sql

from argus.admin import Wait, metadata, result
from argus.cluster import ENDED, flink_jobs
from contracts.settings import Settings
from contracts.topics import TOPICS
from feature_store.connections import schema_of, valkey_client
from feature_store.log import admin_client

PREFIX = "demo-"
KEYS_AT_ONCE = 500


def namespaces_left(settings: Settings, *, deadline_s: float) -> list[str]:
    """Namespaces of demonstrations that no job works in any more."""
    admin = admin_client(settings.kafka)
    topics = metadata(admin, Wait(settings.kafka, time.monotonic() + deadline_s, time.monotonic)).topics
    there = {name.partition(".")[0] for name in topics if name.startswith(PREFIX)}
    at_work = {job.namespace for job in flink_jobs(settings.flink) if job.state not in ENDED}
    return sorted(there - at_work)


def sweep(settings: Settings, *, deadline_s: float) -> None:
    """Remove all that the settings' namespace holds; what is gone already is no error.

    Raises Unavailable or DeadlineExceeded when a server does not answer in time.
    """
    assert settings.namespace.startswith(PREFIX)
    admin = admin_client(settings.kafka)
    wait = Wait(settings.kafka, time.monotonic() + deadline_s, time.monotonic)
    there = metadata(admin, wait).topics
    names = [topic.named(settings.namespace) for topic in TOPICS if topic.named(settings.namespace) in there]
    if names:
        for name, future in admin.delete_topics(names).items():
            result(future, f"removal of {name}", wait, but=KafkaError.UNKNOWN_TOPIC_OR_PART)
    client = valkey_client(settings.valkey.get_secret_value(), timeout_s=5)
    keys = list(client.scan_iter(match=f"{settings.namespace}:*", count=KEYS_AT_ONCE))
    for at in range(0, len(keys), KEYS_AT_ONCE):
        client.unlink(*keys[at : at + KEYS_AT_ONCE])
    client.close()
    with psycopg.connect(settings.postgres.get_secret_value(), connect_timeout=5) as connection:
        schema = sql.Identifier(schema_of(settings.namespace))
        connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(schema))
