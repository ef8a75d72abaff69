"""`argus token` beside the registry that it writes to."""

from datetime import timedelta

import pytest

from argus.commands.tenants import Scope, duration
from contracts.errors import Misconfigured
from gateway.tenants import SCOPES


def test_the_command_offers_the_scopes_there_are() -> None:
    assert tuple(one.value for one in Scope) == SCOPES


def test_an_overlap_may_be_nothing_and_is_told_in_one_unit() -> None:
    assert duration("0s") == timedelta()
    for text in ("", "24", "h", "1.5h", "-1h", "1h30m", "99999d", "1h\n", "\u0661h"):
        with pytest.raises(Misconfigured, match="no length of time"):
            duration(text)
