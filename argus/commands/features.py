"""`argus features`: what a key holds."""

from typing import Annotated

import typer

app = typer.Typer(help="Features: read a key, list the catalogue.", no_args_is_help=True)

EXIT_CODES = {"present": 0, "expired": 3, "missing": 4}


@app.callback()
def features() -> None:
    """Features: read a key, list the catalogue."""


@app.command("get")
def get(
    key: Annotated[str, typer.Argument(help="for example project:acme/app:failure_rate_24h")],
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Print a key's value, as-of time, age and version. Exit code 0 present (zero is a value), 3 expired, 4 missing."""
    import time
    from datetime import UTC, datetime

    import msgspec

    from contracts.settings import read_settings
    from feature_store.connections import valkey_client
    from feature_store.reader import Reader

    settings = read_settings()
    client = valkey_client(settings.valkey.get_secret_value(), timeout_s=2)
    (found,) = Reader(client, settings.namespace, lambda: time.time_ns() // 1_000_000).read([key])
    client.close()
    if as_json:
        print(msgspec.json.encode(found).decode())
    elif found.status == "missing":
        print(f"{key}: missing, never seen")
    else:
        assert found.as_of_ms is not None
        assert found.age_ms is not None
        as_of = datetime.fromtimestamp(found.as_of_ms / 1000, UTC).isoformat(timespec="milliseconds")
        value = msgspec.json.encode(found.value).decode() if found.status == "present" else "expired, no value now"
        print(f"value    {value}\nunit     {found.unit}\nas of    {as_of}\nage      {found.age_ms / 1000:.1f} s")
        if found.life_ms is not None:
            print(f"life     {found.life_ms / 1000:.1f} s left")
        print(f"version  {found.version}")
    raise typer.Exit(EXIT_CODES[found.status])


@app.command("list")
def listed() -> None:
    """Print every key of the catalogue with its life, unit and meaning."""
    from contracts.features import FEATURES

    for feature in FEATURES:
        print(f"{feature.view.entity}:{{id}}:{feature.name}  {feature.ttl_s} s  {feature.unit}: {feature.meaning}")
