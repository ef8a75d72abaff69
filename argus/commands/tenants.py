"""`argus tenant`, `argus token` and `argus audit`: who may call the gateway, what for, and who decided so."""

import json
import re
import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime, timedelta

    from contracts.settings import Settings
    from gateway.tenants import Tenants, Token

tenants = typer.Typer(help="Tenants: whose projects there are.", no_args_is_help=True)
tokens = typer.Typer(help="Tokens: who may call the gateway, for which tenant and what for.", no_args_is_help=True)
audit = typer.Typer(help="The audit log: who did what when.", no_args_is_help=True)

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
    from datetime import UTC, datetime, timedelta

    from contracts.jobs import STATE_DAYS
    from gateway.tenants import DELETED

    registry = _registry()
    registry.create(name, ACTOR)
    since = datetime.now(UTC) - timedelta(days=STATE_DAYS)
    if any(one.action == DELETED and one.at > since for one in registry.audit(name)):
        print(
            f"a tenant {name} was deleted less than {STATE_DAYS} days ago: jobs may still count its runs",
            file=sys.stderr,
        )
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
    from gateway.webhook_secrets import WebhookSecrets

    kept = WebhookSecrets.of(*_where())
    path = f"path    /api/v1/ingest/{sender}?tenant={name}"
    if secret_file is not None:
        kept.keep(name, sender, secret_file.read(MOST_READ).strip(), ACTOR)
        print(path)
    else:
        print(f"{path}\nsecret  {kept.create(name, sender, ACTOR)}")


@tenants.command("delete")
def delete_tenant(
    name: Annotated[str, typer.Argument(help="the tenant")],
    yes: Annotated[str | None, typer.Option(metavar="NAME", help="its name once more, so that nobody is asked")] = None,
    deadline_s: Annotated[float, typer.Option(help="seconds to read a topic to its end", min=5)] = 300,
) -> None:
    """Delete a tenant with all that is kept of it, and print what was removed and what remains until when.

    May be run again at any time, and is to be run again after it failed in the middle.
    """
    from datetime import UTC, datetime

    from rich.console import Console
    from rich.table import Table

    from argus.erasure import erase
    from contracts.errors import Misconfigured
    from contracts.settings import read_settings

    typed = typer.prompt(f"All of {name} is deleted from every store. Type its name to go on") if yes is None else yes
    if typed != name:
        raise Misconfigured(f"{typed!r} is not {name!r}: nothing was deleted")
    settings, now = read_settings(), datetime.now(UTC)
    table = Table("store", "removed", "remains", box=None, pad_edge=False)
    for one in erase(settings, name, _registry(), actor=ACTOR, now=now, deadline_s=deadline_s):
        table.add_row(one.store, f"{one.removed:,}", one.remains)
    console = Console(width=None if sys.stdout.isatty() else 200)
    console.print(table, highlight=False)


@tokens.command("create")
def create_token(
    tenant: Annotated[str, typer.Option(help="whose projects it opens")],
    scope: Annotated[list[Scope], typer.Option(help="what it may be used for; may be given several times")],
    label: Annotated[str, typer.Option(help="what a person calls it")] = "",
    days: Annotated[int | None, typer.Option(min=1, help="how long it is valid; for ever if not given")] = None,
    requests_per_minute: Annotated[int | None, typer.Option(min=1, max=10**7, help="instead of the setting's")] = None,
    bytes_per_day: Annotated[int | None, typer.Option(min=1, max=2**50, help="instead of the setting's")] = None,
) -> None:
    """Create a token and print it, this once."""
    from datetime import timedelta

    life = timedelta(days=days) if days else None
    scopes = [one.value for one in scope]
    shown = _registry().create_token(
        tenant, label=label, scopes=scopes, life=life, actor=ACTOR,
        requests_per_minute=requests_per_minute, bytes_per_day=bytes_per_day,
    )  # fmt: skip
    print(shown)


@tokens.command("rotate")
def rotate_token(
    prefix: Annotated[str, typer.Argument(help="as `argus token list` shows it")],
    overlap: Annotated[str, typer.Option(metavar="30m|24h|7d", help="how long the one before stays valid")] = "24h",
) -> None:
    """Print, this once, a new token in the place of another, which ends after the overlap."""
    print(_registry().rotate(prefix, duration(overlap), ACTOR))


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


@audit.command("list")
def list_audit(
    tenant: Annotated[str | None, typer.Option(help="only what was done to this one")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Print who did what when, the oldest first. It is only ever added to, and outlasts the tenants."""
    found = _registry().audit(tenant)
    if as_json:
        import msgspec

        print(msgspec.json.format(msgspec.json.encode(found), indent=1).decode())
        return
    for one in found:
        print(f"{one.at:%Y-%m-%d %H:%M:%S}  {one.tenant}  {one.actor}  {one.action}  {one.subject}")


def duration(text: str) -> "timedelta":
    """A length of time as it is typed.

    >>> duration("90m"), duration("7d")
    (datetime.timedelta(seconds=5400), datetime.timedelta(days=7))

    Raises Misconfigured.
    """
    from datetime import timedelta

    from contracts.errors import Misconfigured

    found = re.fullmatch(r"([0-9]{1,4})([smhd])", text)
    if found is None:
        raise Misconfigured(f"{text!r} is no length of time such as 30m, 24h or 7d")
    return int(found[1]) * timedelta(seconds={"s": 1, "m": 60, "h": 3_600, "d": 86_400}[found[2]])


def _shown(token: "Token", now: "datetime") -> dict[str, object]:
    """All that is known but the hash."""
    import msgspec

    known = {name: getattr(token, name) for name in token.__struct_fields__ if name != "hash"}
    shown: dict[str, object] = msgspec.to_builtins({**known, "state": token.state(now)})
    return shown


def _registry() -> "Tenants":
    from gateway.tenants import Tenants

    return Tenants.of(*_where())


def _where() -> "tuple[Settings, Callable[[], datetime]]":
    from datetime import UTC, datetime
    from functools import partial

    from contracts.settings import read_settings

    return read_settings(), partial(datetime.now, UTC)
