"""Everything of one tenant taken out of every store of a namespace, and what stays there and until when.

First whatever lets him in, then topics before stores, since the writers fill the stores from the topics; the tenant
itself goes last. Each step may be repeated: after a crash the whole is run again.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import msgspec
from msgspec import Struct
from psycopg import sql
from valkey.exceptions import ValkeyError

from argus.admin import Wait
from argus.topic_records import records
from argus.topics import topic_configs
from contracts.delivery import Delivery
from contracts.errors import BadRecord, Unavailable
from contracts.features import VIEWS
from contracts.jobs import STATE_DAYS
from contracts.records import DeadLetter, decode
from contracts.settings import Settings
from contracts.topics import DEAD_LETTERS, INSIGHTS, TOPICS, Topic
from feature_store.connections import POSTGRES_AWAY, bounded, postgres_connection, valkey_client
from feature_store.log import admin_client, producer
from gateway.ingest import meter, seen
from gateway.remembered import FRESH_S
from gateway.tenants import Tenants

FORGOTTEN = (INSIGHTS,)
"""Topics that keep all records for a time, but whose readers forget a project at a record without a value."""
BELIEVED_S = FRESH_S + 1
"""Gateways still believe a token for so long."""
KEYS_AT_ONCE, ROWS_AT_ONCE = 1_000, 10_000
TABLES = {**{view.table: "entity" for view in VIEWS}, "project_seasonality": "project"}
"""The tables of values, and the column of each that has the project."""
PASS_S, PASSES = 1.0, 10
"""The writers take tombstones within this; what they wrote until then is found by the next pass."""
STORE_TIMEOUT_S = 30.0


class Erased(Struct, frozen=True, kw_only=True):
    """What was taken out of one store; `remains` says what stays there and until when."""

    store: str
    removed: int
    remains: str = ""


class _Owned(Struct):
    project: str


_OWNED = msgspec.json.Decoder(_Owned)


def erase(
    settings: Settings,
    tenant: str,
    tenants: Tenants,
    *,
    actor: str,
    now: datetime,
    deadline_s: float,
    sleep: Callable[[float], None] = time.sleep,
) -> list[Erased]:
    """Delete a tenant; `now` dates what remains, `deadline_s` is for each topic.

    Raises Misconfigured where there never was one, Unavailable or DeadlineExceeded when a server does not answer: then
    some of it is done, and it is to be run again.
    """
    let_in = Erased(store="tokens, webhook secrets, renamed tests", removed=tenants.close(tenant, actor))
    sleep(BELIEVED_S)
    topics = list(_from_topics(settings, tenant, now, deadline_s))
    stores = {"Valkey": partial(_from_valkey, settings, tenant)}
    stores |= {f"Postgres {table}": partial(_from_table, settings, tenant, table) for table in TABLES}
    removed = Counter(dict.fromkeys(stores, 0))
    for _ in range(PASSES):
        found = {store: take() for store, take in stores.items()}
        removed.update(found)
        if not any(found.values()):
            break
        sleep(PASS_S)
    tenants.forget(tenant, actor)
    told = f"until {_day(now + timedelta(days=STATE_DAYS))}: they may write keys and rows anew; run this again then"
    return [
        let_in,
        *topics,
        *(Erased(store=store, removed=count) for store, count in removed.items()),
        Erased(store="state of the jobs", removed=0, remains=told),
        Erased(store="audit", removed=0, remains="who did what, for good"),
        Erased(store="backups", removed=0, remains="what they hold, for as long as they are kept"),
    ]


def belongs(key: bytes | None, value: bytes | None, tenant: str) -> bool:
    """Whether a record is a tenant's: its key begins with one of his projects, or its value names one.

    >>> belongs(b"acme/app", None, "acme"), belongs(None, b'{"project":"acme/app"}', "acme")
    (True, True)
    >>> belongs(b"acme2/app", b'{"project":"acme2/app"}', "acme"), belongs(b"x", b"acme/", "acme")
    (False, False)
    """
    begin = f"{tenant}/"
    if key is not None and key.startswith(begin.encode()):
        return True
    try:
        return value is not None and _OWNED.decode(value).project.startswith(begin)
    except (msgspec.DecodeError, RecursionError):
        return False


def owned(topic: Topic, key: bytes | None, value: bytes | None, tenant: str) -> bool:
    """As `belongs`; a dead letter is whose the record in it is."""
    if topic is not DEAD_LETTERS or value is None:
        return belongs(key, value, tenant)
    try:
        letter = decode(DeadLetter, value)
    except BadRecord:
        return False
    return belongs(letter.key, letter.value, tenant)


def kept_until(config: dict[str, str], now: datetime) -> str:
    """Until when a record of now may lie on a topic with these settings: its file is deleted whole, by its newest.

    >>> from datetime import UTC
    >>> kept_until({"retention.ms": "604800000", "segment.ms": "86400000"}, datetime(2026, 11, 21, tzinfo=UTC))
    'single records cannot be deleted; all are gone by 2026-11-30'
    >>> kept_until({"retention.ms": "-1"}, datetime(2026, 11, 21, tzinfo=UTC))
    'single records cannot be deleted; the topic keeps them for ever (retention.ms)'
    """
    retention_ms = int(config["retention.ms"])
    if retention_ms < 0:
        return "single records cannot be deleted; the topic keeps them for ever (retention.ms)"
    last = now + timedelta(milliseconds=retention_ms + int(config.get("segment.ms", 0)))
    return f"single records cannot be deleted; all are gone by {_day(last)}"


def _from_topics(settings: Settings, tenant: str, now: datetime, deadline_s: float) -> Iterator[Erased]:
    admin = admin_client(settings.kafka)
    names = [topic.named(settings.namespace) for topic in TOPICS]
    configs = topic_configs(admin, names, Wait(settings.kafka, time.monotonic() + deadline_s, time.monotonic))
    delivery = Delivery(producer(settings.kafka), stall_s=deadline_s, clock=time.monotonic)
    for topic, name in zip(TOPICS, names, strict=True):
        is_compacted = "compact" in topic.cleanup
        if not is_compacted and topic not in FORGOTTEN:
            yield Erased(store=name, removed=0, remains=kept_until(configs[name], now))
            continue
        live: dict[tuple[int, bytes], None] = {}
        for record in records(settings, topic, deadline_s=deadline_s):
            place = (record.partition(), record.key())
            live.pop(place, None)
            if record.value() is not None and owned(topic, record.key(), record.value(), tenant):
                live[place] = None
        for partition, key in live:
            delivery.send_raw(name, None, key, [], partition)
        delivery.finish()
        remains = "what they were, in the broker's files until it compacts"
        yield Erased(store=name, removed=len(live), remains=remains if is_compacted else kept_until(configs[name], now))


def _from_valkey(settings: Settings, tenant: str) -> int:
    """How many keys there were: features, what is known of an entity, deliveries and counts."""
    namespace = settings.namespace
    begins = {view.entity_key(f"{tenant}/", namespace) for view in VIEWS}
    begins |= {seen.names(namespace, tenant), meter.names(namespace, tenant)}
    client: Any = valkey_client(settings.valkey.get_secret_value(), timeout_s=STORE_TIMEOUT_S)
    gone = 0
    try:
        for begin in sorted(begins):  # a name has nothing in it that a pattern would take for more than itself
            cursor = -1
            while cursor:
                cursor, keys = client.scan(max(cursor, 0), match=f"{begin}*", count=KEYS_AT_ONCE)
                gone += client.unlink(*keys) if keys else 0
    except ValkeyError as away:
        raise Unavailable(f"Valkey does not answer: {type(away).__name__}; run this again") from away
    finally:
        client.close()
    return gone


def _from_table(settings: Settings, tenant: str, table: str) -> int:
    """How many rows there were; some at a time, so that nobody waits for all of them."""
    step = sql.SQL(
        "DELETE FROM {table} WHERE ctid = ANY (ARRAY(SELECT ctid FROM {table} WHERE starts_with({whose}, %s) LIMIT %s))"
    ).format(table=sql.Identifier(table), whose=sql.Identifier(TABLES[table]))
    connection = postgres_connection(settings.postgres.get_secret_value(), settings.namespace, timeout_s=5)
    gone = 0
    try:
        while True:
            with bounded(connection, STORE_TIMEOUT_S), connection.transaction():
                count = connection.execute(step, [f"{tenant}/", ROWS_AT_ONCE]).rowcount
            gone += count
            if count < ROWS_AT_ONCE:
                return gone
    except POSTGRES_AWAY as away:
        raise Unavailable(f"Postgres does not answer: {type(away).__name__}; run this again") from away
    finally:
        connection.close()


def _day(at: datetime) -> str:
    """The day on which it is over for sure."""
    return f"{at + timedelta(days=1):%Y-%m-%d}"
