"""How a job reaches a cluster: its configuration, and the environment that submits to the cluster's REST address."""

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pyflink.common import Configuration
from pyflink.datastream import StreamExecutionEnvironment
from pyflink.java_gateway import get_gateway
from pyflink.table import EnvironmentSettings, StreamTableEnvironment, TableEnvironment

from contracts.jobs import STATE_DAYS, Job

if TYPE_CHECKING:
    from contracts.settings import Settings


def configuration(
    job: Job, settings: "Settings", *, connector: Path, code: Path, savepoint: str | None
) -> Configuration:
    """Everything a job sets itself, whatever the cluster's defaults are.

    `connector` is the Kafka connector's jar and `code` the folder that is shipped to the task managers; `savepoint` is
    a savepoint's or a retained checkpoint's path to start from.
    """
    address = urlsplit(settings.flink)
    values = {
        "execution.target": "remote",
        "rest.address": str(address.hostname),
        "rest.port": str(address.port or 8081),
        "pipeline.name": job.group(settings.namespace),
        "pipeline.jars": connector.resolve().as_uri(),
        "python.files": str(code.resolve()),
        # the interpreter lives in the task manager: state is a call away, not a process
        "python.execution-mode": "thread",
        "parallelism.default": str(settings.parallelism),
        "execution.checkpointing.interval": f"{round(settings.checkpoint_interval_s * 1000)} ms",
        "execution.checkpointing.externalized-checkpoint-retention": "RETAIN_ON_CANCELLATION",
        "execution.checkpointing.incremental": "true",
        "state.backend.type": "rocksdb",
        # a record is sent on within a millisecond; the default of 100 ms is most of the way from event to key
        "execution.buffer-timeout.interval": "1 ms",
        "table.local-time-zone": "UTC",
        "table.exec.state.ttl": f"{STATE_DAYS} d",
        # what several statements have in common is planned, and done, once
        "table.optimizer.reuse-optimize-block-with-digest-enabled": "true",
    }
    if savepoint is not None:
        values["execution.state-recovery.path"] = savepoint
    configured = Configuration()
    for key, value in values.items():
        configured.set_string(key, value)
    return configured


def table_environment(configured: Configuration) -> TableEnvironment:
    """A streaming environment on the cluster that `configured` names."""
    return TableEnvironment.create(
        EnvironmentSettings.new_instance().in_streaming_mode().with_configuration(configured).build()
    )


def stream_environment(configured: Configuration) -> StreamTableEnvironment:
    """The same for a job with a fold in it.

    PyFlink's own factory starts a local cluster whatever the target says, so the remote one is made here.
    """
    jvm = get_gateway().jvm
    remote = jvm.org.apache.flink.streaming.api.environment.RemoteStreamEnvironment(
        configured.get_string("rest.address", ""),
        configured.get_integer("rest.port", 8081),
        configured._j_configuration,
        get_gateway().new_array(jvm.java.lang.String, 0),
    )
    return StreamTableEnvironment.create(StreamExecutionEnvironment(remote))
