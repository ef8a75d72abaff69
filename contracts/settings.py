"""Every setting: range in the type, meaning in the description. Read once, at the edge; below it they are arguments.

An environment variable `ARGUS_<NAME>` wins over the file `<data>/argus.env`, which `argus up` writes, and that over
the default here.
"""

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from contracts.errors import Misconfigured


def _known(zone: str) -> str:
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as unknown:
        raise ValueError("is no time zone of the IANA data base, such as Europe/Berlin") from unknown
    return zone


def _parsed(told: object) -> object:
    try:
        return json.loads(told) if isinstance(told, str) else told
    except ValueError as bad:
        raise ValueError(f"is no JSON: {bad}") from bad


Zone = Annotated[str, AfterValidator(_known)]
Zones = Annotated[dict[str, Zone], BeforeValidator(_parsed)]
Addresses = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+:\d+(,[A-Za-z0-9._-]+:\d+)*$")]


class Settings(BaseSettings):
    """What a process is told from outside; docs/settings.md lists it."""

    model_config = SettingsConfigDict(env_prefix="ARGUS_", frozen=True, extra="forbid")

    data: Path = Field(Path(".argus"), description="folder of the embedded stack: data, logs, secrets")
    namespace: str = Field(
        "", pattern=r"^([a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?)?$",
        description="prefix of topics and keys and name of the Postgres schema; empty for the live one",
    )  # fmt: skip
    clock: Literal["life", "replay"] = Field(
        "life", description="whose clock arrival is: the broker's, or the header arrived_ms of a replay's namespace"
    )
    kafka: Addresses = Field("127.0.0.1:9092", description="bootstrap servers, host:port[,host:port]")
    valkey: SecretStr = Field(SecretStr("valkey://127.0.0.1:6379/0"), description="URL of Valkey, password included")
    postgres: SecretStr = Field(
        SecretStr("host=127.0.0.1 port=5432 user=argus dbname=argus"), description="libpq connection string"
    )
    flink: str = Field(
        "http://127.0.0.1:8081", pattern=r"^https?://[^/]+/?$", description="REST address of the cluster"
    )
    gateway: str = Field("127.0.0.1:8787", pattern=r"^[^/]+:\d+$", description="address the gateway listens on")
    admin_token: SecretStr | None = Field(
        None,
        description="the operator's bearer token of the gateway; without one the tokens of tenants alone open anything",
    )
    author_key: SecretStr | None = Field(
        None, description="key of the hashes that stand for authors of changes; without one authors are left out"
    )
    ingest_requests_per_minute: int = Field(
        30_000, ge=1, le=10_000_000,
        description="requests that one token, or one sender of a tenant's webhooks, may send in a minute",
    )  # fmt: skip
    ingest_bytes_per_day: int = Field(
        100 * 1024**3, ge=1024**2, le=1024**5, description="bytes that it may send in a day (UTC), as received"
    )
    pages_per_day: int = Field(
        20, ge=0, le=10_000, description="incidents that the feed `paging` has of one tenant in a day (UTC)"
    )
    viewers_per_tenant: int = Field(
        100, ge=1, le=1_000, description="streams of insights that one tenant may have open at a gateway"
    )
    time_zone: Zone = Field("UTC", description="where the hours of the week are those of the projects (IANA name)")
    time_zones: Zones = Field(
        {}, description='JSON: tenants and projects that live by the hours of another: {"acme": "Asia/Tokyo"}'
    )
    seasonality_at: str = Field(
        "02:30", pattern=r"^([01]\d|2[0-3]):[0-5]\d$",
        description="when the seasons of busy projects are fitted every night, HH:MM in UTC",
    )  # fmt: skip
    partitions: int = Field(4, ge=1, le=1024, description="partitions of each topic when it is created")
    replication: int = Field(1, ge=1, le=5, description="replicas of each topic when it is created")
    parallelism: int = Field(1, ge=1, le=1024, description="parallelism of a submitted job")
    checkpoint_interval_s: float = Field(
        5, ge=1, le=10, description="seconds between checkpoints; the view clock lags by as much"
    )
    mini_batch_ms: int = Field(
        250, ge=0, le=1000, description="how long the velocity SQL gathers rows before it folds them; 0 is row by row"
    )
    metrics_port: int = Field(
        0, ge=0, le=65535, description="port of /healthz, /readyz and /metrics of a writer; 0 is any"
    )
    metrics_host: str = Field(
        "127.0.0.1", pattern=r"^[A-Za-z0-9._-]+$", description="address on which it answers; 0.0.0.0 to be scraped"
    )
    log_format: Literal["json", "console"] = Field("json", description="how log lines are written")

    def environment(self, names: Iterable[str]) -> dict[str, str]:
        """Variables that say the settings of these names to another process; give it no secret's."""
        values = {name: getattr(self, name) for name in names}
        return {
            f"ARGUS_{name.upper()}": json.dumps(value) if isinstance(value, dict) else str(value)
            for name, value in values.items()
        }

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the names are those that pydantic-settings passes
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What is given, then the file: the environment is an argument of `read_settings`, read nowhere else."""
        return init_settings, dotenv_settings


def read_settings(environ: Mapping[str, str] | None = None, **changed: object) -> Settings:
    """The settings of this process; `environ` is the process's own unless given, `changed` wins over it.

    Raises Misconfigured, naming each variable that makes no sense and its value.
    """
    environ = os.environ if environ is None else environ
    variables = {f"ARGUS_{name.upper()}": name for name in Settings.model_fields}
    unknown = sorted(name for name in environ if name.startswith("ARGUS_") and name not in variables)
    if unknown:
        raise Misconfigured(f"no such setting: {', '.join(unknown)}; docs/settings.md has them all")
    given = {variables[name]: value for name, value in environ.items() if name in variables} | changed
    data = Path(str(given.get("data") or ".argus"))
    try:
        return Settings(_env_file=data / "argus.env", **{**given, "data": data})  # type: ignore[arg-type,call-arg]
    except ValidationError as bad:
        told = "; ".join(
            f"ARGUS_{'_'.join(map(str, error['loc'])).upper()}={error['input']!r}: {error['msg']}"
            for error in bad.errors()
        )
        raise Misconfigured(told) from bad
