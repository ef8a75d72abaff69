"""Renamed tests: called as they are now, never two executions of one identity."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.errors import BadRecord, Misconfigured, Unavailable
from contracts.records import JobExecution, TestExecution, TestReportPart
from gateway.ingest.aliases import TestAlias, alias, check, ends, renamed
from gateway.ingest.redaction import redacted

AT_MS = 1_795_168_800_000
SINCE = datetime(2026, 11, 20, tzinfo=UTC)


def part(*tests: tuple[str, int], project: str = "acme/app") -> TestReportPart:
    found = [TestExecution(test=name, repetition=at, outcome="pass", finished_ms=AT_MS, name="n") for name, at in tests]
    return TestReportPart(project=project, run="1", job="j", report="r", k=1, n=1, tests=found)


def of(tenant: str) -> dict[str, dict[str, str]]:
    return {"acme/app": {"old": "new"}} if tenant == "acme" else {"acme/app": {"old": "stolen"}}


def names(event: object) -> list[tuple[str, int]]:
    assert isinstance(event, TestReportPart)
    return [(test.test, test.repetition) for test in event.tests]


def test_what_comes_in_under_the_old_id_is_taken_for_the_new_one_in_its_project_alone() -> None:
    assert names(renamed(part(("old", 0), ("other", 0), ("old", 1)), of)) == [("new", 0), ("other", 0), ("new", 1)]
    elsewhere = part(("old", 0), project="acme/lib")
    assert renamed(elsewhere, of) is elsewhere
    untouched = part(("other", 0))
    assert renamed(untouched, of) is untouched
    assert renamed(untouched, lambda _: None) is untouched


def test_a_job_needs_no_aliases() -> None:
    def away(_: str) -> None:
        raise Unavailable("Postgres does not answer")

    job = JobExecution(project="acme/app", run="1", job="j", outcome="success", finished_ms=AT_MS)
    assert renamed(job, away) is job
    with pytest.raises(Unavailable):
        renamed(part(("old", 0)), away)


def test_where_both_ids_are_in_one_part_they_are_repetitions_of_one_test() -> None:
    found = names(renamed(part(("old", 0), ("new", 0), ("old", 1), ("new", 1)), of))
    assert sorted(found) == [("new", 0), ("new", 1), ("new", 2), ("new", 3)]
    assert (found[1], found[3]) == (("new", 0), ("new", 1)), "what is called so anyway stays as it is"


def test_ids_are_redacted_in_an_alias_as_in_what_comes_in() -> None:
    old, new = "t[AKIAIOSFODNN7EXAMPLE]", "u[AKIAIOSFODNN7EXAMPLE]"
    one = alias("acme/app", old, new, SINCE)
    assert "AKIA" not in one.old + one.new
    known = {"acme/app": {one.old: one.new}}
    assert names(renamed(redacted(part((old, 0))), lambda _: known)) == [(one.new, 0)]


@pytest.mark.parametrize("field", ["old", "new"])
def test_an_id_has_at_most_500_bytes(field: str) -> None:
    ids = {"old": "a", "new": "b"}
    assert getattr(alias("acme/app", **{**ids, field: "ü" * 250}, since=SINCE), field) == "ü" * 250
    for long in ("ü" * 251, "x" * 501, ""):
        with pytest.raises(BadRecord):
            alias("acme/app", **{**ids, field: long}, since=SINCE)


def test_a_chain_is_followed_and_none_may_lead_back_or_fork() -> None:
    known = {"a": "b", "b": "c"}
    check(TestAlias("acme/app", "c", "d", SINCE), known)
    for old, new, told in [("c", "a", "leads back"), ("c", "c", "leads back"), ("a", "d", "already")]:
        with pytest.raises(Misconfigured, match=told):
            check(TestAlias("acme/app", old, new, SINCE), known)
    assert ends({**known, "c": "d"}) == {"a": "d", "b": "d", "c": "d"}


IDS = st.sampled_from("abcdefgh")


@given(st.lists(st.tuples(IDS, IDS)))
def test_every_chain_that_was_allowed_ends_where_nothing_leads_on(pairs: list[tuple[str, str]]) -> None:
    known: dict[str, str] = {}
    for old, new in pairs:
        try:
            check(TestAlias("acme/app", old, new, SINCE), known)
        except Misconfigured:
            continue
        known[old] = new
    found = ends(known)
    assert set(found) == set(known)
    assert not set(found.values()) & set(known)


@given(st.dictionaries(IDS, IDS))
def test_even_a_circle_is_followed_to_an_end(known: dict[str, str]) -> None:
    assert set(ends(known)) == set(known)


def test_ten_thousand_renamings_in_a_row_are_followed_at_once() -> None:
    chain = {str(at): str(at + 1) for at in range(10_000)}
    assert set(ends(chain).values()) == {"10000"}
    assert set(ends(dict(reversed(chain.items()))).values()) == {"10000"}
