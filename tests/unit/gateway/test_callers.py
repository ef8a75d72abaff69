"""Who may what, with the look-up as an argument."""

from datetime import UTC, datetime, timedelta

import pytest

from contracts.errors import Unavailable
from gateway.callers import OPERATOR, USE_EVERY_S, Callers
from gateway.remembered import FRESH_S, MOST, STALE_S
from gateway.tenants import Token, hashed

NOW = datetime(2026, 11, 21, tzinfo=UTC)
SECRET = "s" * 43
SHOWN = f"argus_abcdefgh_{SECRET}"


def token(**changed) -> Token:
    known = {
        "prefix": "abcdefgh", "tenant": "acme", "label": "", "hash": hashed(SECRET), "scopes": ["ingest"],
        "created_at": NOW, "expires_at": None, "revoked_at": None, "used_at": None,
    }  # fmt: skip
    return Token(**{**known, **changed})


class Store:
    """A registry that counts how often it is asked, and can go away."""

    def __init__(self, found: Token | None) -> None:
        self.found, self.asked, self.away = found, 0, False
        self.used: list[str] = []

    def __call__(self, prefix: str) -> Token | None:
        self.asked += 1
        if self.away:
            raise Unavailable("Postgres does not answer")
        return self.found if self.found and prefix == self.found.prefix else None


class Watch:
    def __init__(self) -> None:
        self.s = 0.0

    def __call__(self) -> float:
        return self.s


def callers(store: Store, clock: Watch) -> Callers:
    return Callers(store, store.used.append, admin_token="root", clock=clock, now=lambda: NOW)


def test_a_tenant_s_token_opens_his_projects_and_its_scopes_alone() -> None:
    caller = callers(Store(token()), Watch()).caller(SHOWN)
    assert caller is not None
    assert (caller.may("ingest"), caller.may("read")) == (True, False)
    assert [caller.owns(project) for project in ("acme/app", "acme2/app", "other/acme/app")] == [True, False, False]


def test_the_operator_may_everything() -> None:
    store = Store(None)
    assert callers(store, Watch()).caller("root") is OPERATOR
    assert (OPERATOR.may("admin"), OPERATOR.owns("any/thing"), store.asked) == (True, True, 0)


@pytest.mark.parametrize(
    "shown",
    ["", "root2", "argus_abcdefgh_" + "t" * 43, "argus_zzzzzzzz_" + SECRET, SHOWN + "s", "argus_abcdefgh_", "é" * 60],
)
def test_what_is_no_token_of_ours_opens_nothing(shown: str) -> None:
    assert callers(Store(token()), Watch()).caller(shown) is None


@pytest.mark.parametrize("changed", [{"revoked_at": NOW}, {"expires_at": NOW}, {"expires_at": NOW - timedelta(1)}])
def test_a_revoked_or_expired_token_opens_nothing(changed) -> None:
    assert callers(Store(token(**changed)), Watch()).caller(SHOWN) is None


def test_a_revocation_is_seen_after_seconds_and_a_store_that_is_away_is_outlasted() -> None:
    store, clock = Store(token()), Watch()
    who = callers(store, clock)
    assert who.caller(SHOWN)
    store.found = token(revoked_at=NOW)
    assert who.caller(SHOWN), "still believed"
    assert store.asked == 1
    clock.s += FRESH_S + 1
    assert who.caller(SHOWN) is None
    store.found, clock.s = token(), clock.s + FRESH_S + 1
    assert who.caller(SHOWN)
    store.away, clock.s = True, clock.s + FRESH_S + 1
    assert who.caller(SHOWN), "known from before"
    clock.s += STALE_S
    with pytest.raises(Unavailable):
        who.caller(SHOWN)


def test_a_store_that_is_away_is_not_asked_again_and_again() -> None:
    store, clock = Store(token()), Watch()
    who = callers(store, clock)
    assert who.caller(SHOWN)
    store.away, clock.s = True, FRESH_S + 1
    for _ in range(5):
        assert who.caller(SHOWN)
        with pytest.raises(Unavailable):
            who.caller("argus_zzzzzzzz_" + SECRET)
    assert store.asked == 2
    store.away, clock.s = False, clock.s + FRESH_S + 1
    assert who.caller(SHOWN)
    assert store.asked == 3


def test_names_that_are_made_up_push_no_real_one_out() -> None:
    store, clock = Store(token()), Watch()
    who = callers(store, clock)
    assert who.caller(SHOWN)
    for number in range(MOST + 1):
        assert who.caller(f"argus_{number:08d}_{SECRET}".translate(str.maketrans("0189", "abcd"))) is None
    store.away, clock.s = True, FRESH_S + 1
    assert who.caller(SHOWN)


def test_a_use_is_noted_once_a_minute_and_only_when_the_secret_was_right() -> None:
    store, clock = Store(token()), Watch()
    who = callers(store, clock)
    assert who.caller("argus_abcdefgh_" + "t" * 43) is None
    assert store.used == []
    for _ in range(3):
        assert who.caller(SHOWN)
    assert store.used == ["abcdefgh"]
    clock.s += USE_EVERY_S
    assert who.caller(SHOWN)
    assert store.used == ["abcdefgh"] * 2
