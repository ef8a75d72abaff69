"""Which insights a feed has, with insights, feedback and time as arguments."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.insights import FeedbackLabel, Insight
from contracts.topics import DAY_MS
from gateway.insights.feeds import COUNTED_MS, Feed, incidents, passing, said
from tests.unit.gateway.insights.noticed import MIDNIGHT_MS, arrived, insight, label


def names(
    feed: Feed,
    *insights: Insight,
    labels: list[FeedbackLabel] | None = None,
    now_ms: int = MIDNIGHT_MS,
    pages: int = 20,
) -> list[str]:
    told = said(labels or [], now_ms)
    return [one.insight.insight for one in passing(arrived(*insights), told, feed, pages)]


@pytest.mark.parametrize(
    ("p", "feeds"),
    [
        (2e-4, ["all"]),
        (1e-4, ["all"]),
        (9e-5, ["project", "all"]),
        (1e-5, ["project", "all"]),
        (9e-6, ["project", "paging", "all"]),
        (0.0, ["project", "paging", "all"]),
    ],
)
def test_a_feed_has_what_is_less_likely_than_its_alpha(p: float, feeds: list[str]) -> None:
    every: list[Feed] = ["project", "paging", "all"]
    assert [feed for feed in every if names(feed, insight("i1", p=p))] == feeds


@pytest.mark.parametrize(
    ("not_useful", "useful", "alpha"),
    [(0, 0, 1e-4), (0, 2, 1e-4), (1, 0, 1e-5), (2, 1, 1e-5), (1, 2, 1e-4), (3, 0, 1e-7), (9, 0, 1e-7)],
)
def test_each_net_word_that_one_was_not_useful_takes_a_factor_of_ten(
    not_useful: int, useful: int, alpha: float
) -> None:
    words = [label("not_useful", f"n{at}") for at in range(not_useful)]
    told = said([*words, *(label("useful", f"u{at}") for at in range(useful))], MIDNIGHT_MS)
    assert told.alpha("acme/app", "project") == alpha
    assert told.alpha("acme/app", "paging") == pytest.approx(alpha / 10)
    assert told.alpha("acme/other", "project") == 1e-4, "another project is as it was"


def test_of_one_actor_the_newest_word_counts_and_none_for_longer_than_28_days() -> None:
    changed = [label("useful", at_ms=MIDNIGHT_MS + 1), label("not_useful")]
    assert said(changed, MIDNIGHT_MS).alpha("acme/app", "project") == 1e-4
    both = [label("not_useful"), label("not_useful", actor="bob")]
    assert said(both, MIDNIGHT_MS).alpha("acme/app", "project") == 1e-6
    assert said(both, MIDNIGHT_MS + COUNTED_MS - 1).alpha("acme/app", "project") == 1e-6
    assert said(both, MIDNIGHT_MS + COUNTED_MS).alpha("acme/app", "project") == 1e-4


def test_an_incident_that_gets_worse_is_first_seen_when_it_passes() -> None:
    course = [
        insight("i1-opened", p=5e-5),
        insight("i1-worse", state="escalated", p=5e-6),
        insight("i1-over", state="resolved", p=5e-6),
    ]
    assert names("project", *course) == ["i1-opened", "i1-worse", "i1-over"]
    assert names("paging", *course) == ["i1-worse", "i1-over"]
    assert names("project", *course, labels=[label("not_useful", "other")]) == ["i1-worse", "i1-over"]


def test_a_day_has_so_many_pages_and_what_follows_a_page_passes() -> None:
    morning = [insight(f"i{at}", at_ms=MIDNIGHT_MS + at) for at in range(4)]
    worse = [insight(f"i{at}-worse", state="escalated", p=1e-9, at_ms=MIDNIGHT_MS + 10) for at in range(4)]
    ends = [insight(f"i{at}-over", state="resolved", at_ms=MIDNIGHT_MS + DAY_MS) for at in range(4)]
    assert names("paging", *morning, *worse, pages=2) == ["i0", "i1", "i0-worse", "i1-worse"]
    assert names("paging", *morning, *ends, pages=2) == ["i0", "i1", "i0-over", "i1-over"], "an end pages nobody"
    tomorrow = insight("i3-worse", state="escalated", p=1e-9, at_ms=MIDNIGHT_MS + DAY_MS)
    assert names("paging", *morning, tomorrow, pages=2) == ["i0", "i1", "i3-worse"]
    assert names("paging", *morning, pages=0) == []
    assert len(names("project", *morning)) == 4


def test_the_day_is_that_of_the_insight_whenever_it_is_looked_at() -> None:
    days = [insight(f"i{at}", at_ms=MIDNIGHT_MS + at * DAY_MS) for at in range(5)]
    for now_ms in (MIDNIGHT_MS, MIDNIGHT_MS + 90 * DAY_MS):
        assert names("paging", *days, pages=1, now_ms=now_ms) == ["i0", "i1", "i2", "i3", "i4"]


@pytest.mark.parametrize("subject", ["i1", "acme/app"])
def test_what_is_muted_is_left_out_until_then_or_until_it_is_unmuted(subject: str) -> None:
    one = insight("i1")
    until = label("muted", subject, until_ms=MIDNIGHT_MS + 1000)
    for feed in ("project", "paging"):
        assert names(feed, one, labels=[until], now_ms=MIDNIGHT_MS + 999) == []
        assert names(feed, one, labels=[until], now_ms=MIDNIGHT_MS + 1000) == ["i1"]
        assert names(feed, one, labels=[label("muted", subject)], now_ms=MIDNIGHT_MS + 99 * DAY_MS) == []
        again = label("unmuted", subject, actor="bob", at_ms=MIDNIGHT_MS + 5)
        assert names(feed, one, labels=[again, label("muted", subject)]) == ["i1"]
    assert names("all", one, labels=[until]) == ["i1"]


def test_a_mute_is_of_its_project_and_takes_no_page() -> None:
    other = insight("i2", project="acme/other")
    muted = label("muted", "acme/app")
    assert names("project", insight("i1"), other, labels=[muted]) == ["i2"]
    assert names("paging", insight("i1"), other, labels=[muted], pages=1) == ["i2"]


def test_an_incident_is_its_newest_state_with_what_people_say_to_it() -> None:
    told = said(
        [label("acknowledged", note="looking"), label("useful"), label("not_useful", actor="bob"), label("muted")],
        MIDNIGHT_MS,
    )
    (one,) = incidents(arrived(insight("i1-a"), insight("i1-b", state="resolved")), told)
    assert (one.insight, one.state) == ("i1-b", "resolved")
    assert (one.feedback.useful, one.feedback.not_useful) == (1, 1)
    assert one.feedback.acknowledged is not None
    assert (one.feedback.acknowledged.actor, one.feedback.acknowledged.note) == ("ann", "looking")
    assert one.feedback.muted is not None


@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 2), st.floats(0, 1e-3), st.booleans()), max_size=40),
    st.integers(0, 3),
)
def test_no_day_ever_has_more_pages_and_each_feed_is_within_the_next(told: list, pages: int) -> None:
    insights = [
        insight(f"i{who}-{at}", p=p, at_ms=MIDNIGHT_MS + day * DAY_MS, state="resolved" if is_over else "opened")
        for at, (who, day, p, is_over) in enumerate(told)
    ]
    paging, project = names("paging", *insights, pages=pages), names("project", *insights)
    assert set(paging) <= set(project)
    first = {one.subject: one for one in reversed(insights) if one.insight in paging}
    days = [one.at_ms for one in first.values()]
    assert all(days.count(day) <= pages for day in days)
    assert all(one.state == "opened" for one in first.values())
