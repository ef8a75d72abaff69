"""Whose a record is: told from a neighbour's whose name begins alike, whatever the bytes are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from argus.erasure import belongs, owned
from contracts.records import DeadLetter, encode
from contracts.topics import DEAD_LETTERS, FAILURE_VELOCITY


def letter(key: bytes | None, value: bytes | None) -> bytes:
    return encode(
        DeadLetter(reader="r", reason="x", topic="argus.cicd.runs", partition=0, offset=1, key=key, value=value)
    )


@pytest.mark.parametrize(
    ("key", "value", "his"),
    [
        (b"acme/app\x1f60000", b"{}", True),
        (b"acme2/app\x1f60000", b"{}", False),
        (b"x/acme/app", b'{"project":"x/acme/app"}', False),
        (b"wrong", b'{"project":"acme/app","more":[1]}', True),
        (b"acme", b'{"project":"acme"}', False),
        (None, None, False),
    ],
)
def test_a_record_and_the_letter_about_it_are_the_tenant_s_by_key_or_project(key, value, his) -> None:
    assert owned(FAILURE_VELOCITY, key, value, "acme") is his
    assert owned(DEAD_LETTERS, b"argus.cicd.runs:0:1\x1fr", letter(key, value), "acme") is his


@given(st.binary() | st.just(b"[" * 100_000), st.binary())
def test_any_bytes_are_somebody_s_or_nobody_s(value: bytes, key: bytes) -> None:
    assert belongs(key, value, "acme\x00") is False
    assert owned(DEAD_LETTERS, key, value, "acme\x00") is False
