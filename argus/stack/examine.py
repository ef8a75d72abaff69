"""Everything that `argus doctor` looks at, on this machine and this folder."""

import resource
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg

from argus.stack import doctor
from argus.stack.doctor import Finding
from argus.stack.flink import worker_path
from argus.stack.folder import holder_of
from argus.stack.jars import ROOT
from argus.stack.process import unprivileged
from argus.stack.status import read_status
from contracts.settings import Settings

_CGROUPS = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
)


def examine(settings: Settings, environ: dict[str, str]) -> Iterator[Finding]:
    """One finding after the other; none changes anything."""
    data = settings.data.expanduser().resolve()
    running = holder_of(data) is not None
    nearest = next(path for path in (data, *data.parents) if path.exists())
    yield doctor.python()
    yield doctor.wheels(ROOT / "uv.lock", doctor.installed())
    yield doctor.jars_as_locked()
    yield doctor.programs(worker_path())
    yield doctor.disk(shutil.disk_usage(nearest).free / 1e9, data)
    limits = [(Path(limit).read_text(), Path(used).read_text()) for limit, used in _CGROUPS if Path(limit).exists()]
    yield doctor.memory(doctor.available_gb(Path("/proc/meminfo").read_text(), limits), running)
    yield doctor.open_files(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    yield doctor.environment(environ, data)
    yield doctor.account(unprivileged(), data)
    yield from doctor.folder(data)
    newest_ms = max((round(path.stat().st_mtime * 1000) for path in data.glob("*.json")), default=0)
    yield doctor.clock(time.time_ns() // 1_000_000, _postgres_clock(settings) if running else {}, newest_ms)
    yield from doctor.stack(read_status(data))


def _postgres_clock(settings: Settings) -> dict[str, int]:
    try:
        with psycopg.connect(settings.postgres.get_secret_value(), connect_timeout=2) as connection:
            row = connection.execute("SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint").fetchone()
    except psycopg.Error:  # the stack's own finding says that it is down
        return {}
    return {"Postgres": row[0]} if row else {}
