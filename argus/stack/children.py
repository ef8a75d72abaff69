"""The table of everything that an embedded stack runs. A new process of ours is a line here."""

import os
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from argus import topics
from argus.stack.child import Child, Step
from argus.stack.flink import flink
from argus.stack.folder import Known
from argus.stack.jars import FOLDER as JARS
from argus.stack.kafka import kafka
from argus.stack.ports import LOOPBACK
from argus.stack.postgres import dsn, postgres
from argus.stack.process import Account
from argus.stack.valkey import valkey
from contracts.settings import Settings
from feature_store.migrate import migrate

PORTS = ("kafka", "kafka_controller", "valkey", "postgres", "flink", "flink_rpc", "flink_jobmanager_metrics",
         "flink_taskmanager_metrics", "online_writer", "history_writer", "gateway", "schedule",
         "supervisor")  # fmt: skip
"""Names of the ports that a stack remembers."""

JOBS_NEED = ("jobmanager", "topics")
"""A submission may begin while the TaskManager starts; it waits for slots."""

STEP_DEADLINE_S = 30.0
SECRETS = ("valkey", "postgres", "admin_token", "author_key")
ADDRESSES = (
    "ARGUS_KAFKA", "ARGUS_VALKEY", "ARGUS_POSTGRES", "ARGUS_FLINK", "ARGUS_GATEWAY", "ARGUS_ADMIN_TOKEN",
    "ARGUS_AUTHOR_KEY",
)  # fmt: skip


@dataclass(frozen=True)
class Table:
    """What is to run."""

    children: tuple[Child, ...]
    steps: tuple[Step, ...]


def addresses(known: Known) -> dict[str, str]:
    """The settings by which every command finds this stack, secrets included: the content of argus.env."""
    ports, secrets = known.ports, known.secrets
    values = (
        f"{LOOPBACK}:{ports['kafka']}",
        f"valkey://:{secrets['valkey']}@{LOOPBACK}:{ports['valkey']}/0",
        dsn(ports["postgres"], secrets["postgres"]),
        f"http://{LOOPBACK}:{ports['flink']}",
        f"{LOOPBACK}:{ports['gateway']}",
        secrets["admin_token"],
        secrets["author_key"],
    )
    return dict(zip(ADDRESSES, values, strict=True))


def environment(data: Path, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """What a process of ours gets: addresses come from the folder alone, other settings from whoever started us."""
    ours = {*ADDRESSES, "ARGUS_NAMESPACE", "ARGUS_CLOCK", "ARGUS_METRICS_HOST", "ARGUS_METRICS_PORT"}
    return {key: value for key, value in environ.items() if key not in ours} | {"ARGUS_DATA": str(data)}


def table(data: Path, known: Known, settings: Settings, account: Account) -> Table:
    """All children and steps of a stack; `settings` are those that its argus.env gives."""
    ports, secrets = known.ports, known.secrets
    servers = (
        kafka(data, port=ports["kafka"], controller_port=ports["kafka_controller"], jars=JARS / "kafka"),
        valkey(data, port=ports["valkey"], password=secrets["valkey"]),
        postgres(data, port=ports["postgres"], password=secrets["postgres"], account=account),
    )
    cluster = flink(data, ports=ports, connector=next((JARS / "flink").glob("*.jar")))
    processes = (
        ours(data, "online-writer", ports["online_writer"], after=("topics", "valkey")),
        ours(data, "history-writer", ports["history_writer"], after=("topics", "migrations")),
        ours(data, "gateway", ports["gateway"], after=("topics", "valkey")),
        ours(data, "schedule", ports["schedule"], after=("topics", "migrations")),
    )
    steps = (
        Step("topics", partial(_ensure_topics, settings), after=("kafka",)),
        Step("migrations", partial(_migrate, settings), after=("postgres",)),
    )
    return Table((*servers, *cluster, *processes), steps)


def ours(data: Path, command: str, port: int, *, after: tuple[str, ...]) -> Child:
    """A process of ours: the command of the same name, ready when /readyz says so."""
    return Child(
        name=command,
        stage=3,
        command=(sys.executable, "-m", "argus", command),
        probe=partial(_probe, port),
        cwd=data,
        env=environment(data) | {"ARGUS_METRICS_PORT": str(port), "PYTHONUNBUFFERED": "1"},
        after=after,
    )


def _probe(port: int) -> str | None:
    """What /readyz names, None when it is ready."""
    try:
        with urllib.request.urlopen(f"http://{LOOPBACK}:{port}/readyz", timeout=2):
            return None
    except urllib.error.HTTPError as unready:
        return unready.read(200).decode(errors="replace").strip()
    except OSError:
        return f"port {port}"


def _ensure_topics(settings: Settings) -> None:
    topics.ensure(settings, deadline_s=STEP_DEADLINE_S)


def _migrate(settings: Settings) -> None:
    migrate(settings.postgres.get_secret_value(), settings.namespace)
