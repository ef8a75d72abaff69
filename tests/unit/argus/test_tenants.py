"""`argus token` beside the registry that it writes to."""

from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from argus.__main__ import app
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


@pytest.mark.parametrize("given", [b"short\n", b"\xff" + b"x" * 20, b"two words are no secret", b"x" * 2_000])
def test_a_secret_is_given_by_a_file_or_standard_input_and_never_shown(given: bytes, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(given)
    for source in ("-", str(tmp_path / "secret")):
        words = ["tenant", "webhook", "acme", "--sender", "sentry", "--secret-file", source]
        told = CliRunner().invoke(app, words, input=given)
        assert isinstance(told.exception, Misconfigured)
        assert "characters were given" in str(told.exception)
        assert given.decode(errors="replace").strip()[:20] not in f"{told.exception} {told.output}"


def test_a_sender_that_makes_its_secrets_gets_none_of_ours() -> None:
    told = CliRunner().invoke(app, ["tenant", "webhook", "acme", "--sender", "sentry"])
    assert isinstance(told.exception, Misconfigured)
    assert "--secret-file" in str(told.exception)
