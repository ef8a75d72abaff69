"""`argus tenant` and `argus token`: who may call the gateway, and what for."""

import json
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from datetime import datetime

    from gateway.tenants import Tenants, Token

tenants = typer.Typer(help="Tenants: whose projects there are.", no_args_is_help=True)
tokens = typer.Typer(help="Tokens: who may call the gateway, for which tenant and what for.", no_args_is_help=True)

ACTOR = "operator"
MOST_READ = 1_024
"""Characters of a file with a secret in it."""


class Scope(StrEnum):
    """What a token may be used for."""

    INGEST = "ingest"
    READ = "read"
    GATE = "gate"
    ADMIN = "admin"


@tenants.command("create")
def create_tenant(name: Annotated[str, typer.Argument(help="first part of its projects' names, such as acme")]) -> None:
    """Create a tenant."""
    _registry().create(name, ACTOR)
    print(f"tenant {name} created: argus token create --tenant {name} --scope ingest")


@tenants.command("webhook")
def create_webhook(
    name: Annotated[str, typer.Argument(help="the tenant")],
    sender: Annotated[str, typer.Option(help="github, gitlab or sentry")],
    secret_file: Annotated[
        typer.FileText | None,
        typer.Option(
            errors="replace", help="holds a secret that the sender made, as Sentry does; - is the standard input"
        ),
    ] = None,
) -> None:
    """Create a secret for a sender's webhooks, or keep the one it made, and print the path to send them to.

    The secret before it stays valid, so that it can be replaced without a gap; older ones do not.
    """
    registry = _registry()
    path = f"path    /api/v1/ingest/{sender}?tenant={name}"
    if secret_file is not None:
        registry.keep_webhook_secret(name, sender, secret_file.read(MOST_READ).strip(), ACTOR)
        print(path)
    else:
        print(f"{path}\nsecret  {registry.create_webhook_secret(name, sender, ACTOR)}")


@tokens.command("create")
def create_token(
    tenant: Annotated[str, typer.Option(help="whose projects it opens")],
    scope: Annotated[list[Scope], typer.Option(help="what it may be used for; may be given several times")],
    label: Annotated[str, typer.Option(help="what a person calls it")] = "",
    days: Annotated[int | None, typer.Option(min=1, help="how long it is valid; for ever if not given")] = None,
) -> None:
    """Create a token and print it, this once."""
    from datetime import timedelta

    life = timedelta(days=days) if days else None
    scopes = [one.value for one in scope]
    print(_registry().create_token(tenant, label=label, scopes=scopes, life=life, actor=ACTOR))


@tokens.command("list")
def list_tokens(
    tenant: Annotated[str | None, typer.Option(help="only this tenant's")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Print all tokens by their prefixes: scopes, state and last use. No secret is kept that could be shown."""
    from datetime import UTC, datetime

    now = datetime.now(UTC)
    found = _registry().tokens(tenant)
    if as_json:
        print(json.dumps([_shown(one, now) for one in found], indent=1))
        return
    for one in found:
        used = f"used {one.used_at:%Y-%m-%d %H:%M}" if one.used_at else "never used"
        print(f"{one.prefix}  {one.state(now)}  {one.tenant}  {','.join(one.scopes)}  {used}  {one.label}".rstrip())


@tokens.command("revoke")
def revoke_token(prefix: Annotated[str, typer.Argument(help="as `argus token list` shows it")]) -> None:
    """Revoke a token; within a few seconds it opens nothing any more."""
    _registry().revoke(prefix, ACTOR)
    print(f"token {prefix} revoked")


def _shown(token: "Token", now: "datetime") -> dict[str, object]:
    times = {name: getattr(token, name) for name in ("created_at", "expires_at", "revoked_at", "used_at")}
    return {
        "prefix": token.prefix, "tenant": token.tenant, "label": token.label, "scopes": token.scopes,
        "state": token.state(now), **{name: at and at.isoformat(timespec="seconds") for name, at in times.items()},
    }  # fmt: skip


def _registry() -> "Tenants":
    from datetime import UTC, datetime
    from functools import partial

    from contracts.settings import read_settings
    from gateway.tenants import registry

    return registry(read_settings(), partial(datetime.now, UTC))
