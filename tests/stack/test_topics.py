"""Topics on a real broker: created as declared, corrected, or refused with the remedy."""

import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource

from argus.topic_state import ever_written, partition_counts
from argus.topics import ensure
from contracts.errors import Misconfigured, Unavailable
from contracts.settings import Settings, read_settings
from contracts.topics import RUNS, TOPICS, Topic
from feature_store.log import admin_client, producer
from tests.conftest import Stack
from tests.stack.topic_reading import murmur2


def actions(settings: Settings, **options: object) -> dict[str, str]:
    """What `ensure` did, by topic without its namespace."""
    prefix = f"{settings.namespace}."
    return {
        change.topic.removeprefix(prefix): change.action
        for change in ensure(settings, deadline_s=30, **options)  # type: ignore[arg-type]
    }


def config(settings: Settings, name: str) -> dict[str, str]:
    """What the broker says of a topic."""
    admin = admin_client(settings.kafka)
    (future,) = admin.describe_configs([ConfigResource(ConfigResource.Type.TOPIC, name)]).values()
    return {key: entry.value for key, entry in future.result(10).items()}


def test_topics_are_created_as_declared_and_the_second_time_kept(stack: Stack) -> None:
    settings = stack.settings("topics-new")
    assert set(actions(settings).values()) == {"created"}
    assert set(actions(settings).values()) == {"kept"}
    assert partition_counts(settings, deadline_s=10) == {f"topics-new.{topic.name}": 4 for topic in TOPICS}
    for topic in TOPICS:
        found = config(settings, topic.named("topics-new"))
        for setting, value in topic.config().items():
            assert found[setting] == value


def test_a_dry_run_says_what_would_be_and_changes_nothing(stack: Stack) -> None:
    settings = stack.settings("topics-dry")
    assert set(actions(settings, dry_run=True).values()) == {"created"}
    with pytest.raises(Misconfigured, match="argus topics ensure"):
        partition_counts(settings, deadline_s=10)


def test_settings_that_drifted_are_corrected_and_others_are_left(stack: Stack) -> None:
    settings = stack.settings("topics-drift")
    ensure(settings, deadline_s=30)
    name = RUNS.named(settings.namespace)
    changed = {"retention.ms": "1000", "message.timestamp.type": "CreateTime", "segment.ms": "60000"}
    entries = [ConfigEntry(key, value, incremental_operation=AlterConfigOpType.SET) for key, value in changed.items()]
    admin = admin_client(settings.kafka)
    resource = ConfigResource(ConfigResource.Type.TOPIC, name, incremental_configs=entries)
    admin.incremental_alter_configs([resource])[resource].result(10)
    while config(settings, name)["retention.ms"] != "1000":
        time.sleep(0.05)
    did = actions(settings)
    assert did.pop(RUNS.name) == "corrected"
    assert set(did.values()) == {"kept"}
    while (found := config(settings, name))["retention.ms"] == "1000":
        time.sleep(0.05)
    assert (found["retention.ms"], found["message.timestamp.type"]) == (str(RUNS.kept_ms), "LogAppendTime")
    assert found["segment.ms"] == "60000"


def test_another_number_of_partitions_is_refused_where_messages_lie_by_key(stack: Stack) -> None:
    ensure(stack.settings("topics-keyed"), deadline_s=30)
    for wanted in (3, 5):
        with pytest.raises(Misconfigured, match=rf"ARGUS_PARTITIONS={wanted}, and there are 4 in topics-keyed\."):
            ensure(stack.settings("topics-keyed", partitions=wanted), deadline_s=30)
    assert set(partition_counts(stack.settings("topics-keyed"), deadline_s=10).values()) == {4}


def test_partitions_without_keys_grow_and_never_shrink(stack: Stack) -> None:
    loose: Topic = replace(RUNS, name="argus.loose", key=())
    ensure(stack.settings("topics-loose", partitions=2), deadline_s=30, topics=[loose])
    grown = ensure(stack.settings("topics-loose", partitions=3), deadline_s=30, topics=[loose])
    assert [(change.action, change.detail) for change in grown] == [("corrected", "partitions 2 -> 3")]
    assert [
        change.action for change in ensure(stack.settings("topics-loose", partitions=1), deadline_s=30, topics=[loose])
    ] == ["kept"]


def test_more_replicas_than_brokers_are_refused_before_anything_is_created(stack: Stack) -> None:
    with pytest.raises(Misconfigured, match=r"needs as many brokers, .* has 1: add brokers or set ARGUS_REPLICATION=1"):
        ensure(stack.settings("topics-replicas", replication=3), deadline_s=30)
    assert set(actions(stack.settings("topics-replicas"), dry_run=True).values()) == {"created"}
    ensure(stack.settings("topics-replicas"), deadline_s=30)
    with pytest.raises(Misconfigured, match="kafka-reassign-partitions"):
        ensure(stack.settings("topics-replicas", replication=2), deadline_s=30)


def test_two_at_the_same_moment_both_succeed(stack: Stack) -> None:
    settings = stack.settings("topics-race")
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: ensure(settings, deadline_s=30), range(4)))
    assert set(actions(settings).values()) == {"kept"}


def test_without_a_broker_it_says_so_in_time() -> None:
    began = time.monotonic()
    with pytest.raises(Unavailable, match=r"no broker answers at 127\.0\.0\.1:1 \(ARGUS_KAFKA\)"):
        ensure(read_settings({}, kafka="127.0.0.1:1"), deadline_s=2)
    assert time.monotonic() - began < 5


def test_a_topic_that_holds_something_is_known(stack: Stack) -> None:
    settings = stack.settings("topics-used")
    ensure(settings, deadline_s=30)
    counts = partition_counts(settings, deadline_s=10)
    assert ever_written(settings, counts, deadline_s=10) == []
    sender = producer(settings.kafka)
    sender.produce(RUNS.named(settings.namespace), b"{}", b"acme/a")
    assert sender.flush(10) == 0
    assert ever_written(settings, counts, deadline_s=10) == [RUNS.named(settings.namespace)]


def test_the_command_tells_people_and_programs(stack: Stack) -> None:
    command = [sys.executable, "-m", "argus", "topics", "ensure"]
    environment = stack.environment("topics-command")
    told = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True).stdout
    assert "created    topics-command.argus.cicd.runs  (4 partitions, keeps 7 d)" in told
    told = subprocess.run([*command, "--json"], env=environment, capture_output=True, timeout=60, check=True).stdout
    assert {change["action"] for change in json.loads(told)} == {"kept"}


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_the_reference_partitioner_is_kafkas(key: bytes, expected: int) -> None:
    assert murmur2(key) == expected
