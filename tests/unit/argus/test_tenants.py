"""`argus token` beside the registry that it writes to."""

from argus.commands.tenants import Scope
from gateway.tenants import SCOPES


def test_the_command_offers_the_scopes_there_are() -> None:
    assert tuple(one.value for one in Scope) == SCOPES
