"""The online writer's memory, with a clock that the test moves."""

from hypothesis import given
from hypothesis import strategies as st

from contracts.features import GUARD_LIFE_S, PROJECT_HEALTH_VIEW
from feature_store.clock import ViewClock
from feature_store.newest import Newest
from tests.unit.feature_store.fakes import NOW_MS, TOPIC, health

VIEW = PROJECT_HEALTH_VIEW
TTLS = {VIEW.name: (300, 3600)}


def at(clock_ms: int, newest_ms: int | None = None, moved_s: float = 0.0) -> dict[str, ViewClock]:
    return {VIEW.name: ViewClock(clock_ms, newest_ms if newest_ms is not None else clock_ms, moved_s)}


def fold(newest: Newest, rate: float | None = 0.5, as_of_ms: int = NOW_MS, entity: str = "acme/app", **changed) -> bool:
    known = {"record": health(rate, as_of_ms, entity), "live": True} | changed
    return newest.fold(VIEW, entity, (TOPIC, 0), known["record"], as_of_ms, live=known["live"])


def written(newest: Newest, clocks: dict[str, ViewClock], now_s: float = 0.0, limit: int = 100):
    entries = newest.take(limit, clocks)
    newest.wrote(entries, clocks, now_s)
    return entries


@given(st.lists(st.tuples(st.integers(0, 5), st.floats(0, 1)), min_size=1))
def test_whatever_the_order_the_newest_is_kept_and_of_equals_the_last(values: list[tuple[int, float]]) -> None:
    newest = Newest(TTLS)
    for late_ms, rate in values:
        fold(newest, rate, NOW_MS + late_ms)
    (kept,) = written(newest, at(NOW_MS))
    last = max(late_ms for late_ms, _ in values)
    expected = [rate for late_ms, rate in values if late_ms == last][-1]
    assert (kept.as_of_ms, kept.record.failure_rate_24h) == (NOW_MS + last, expected)


def test_many_changes_while_the_store_is_away_are_one_write() -> None:
    newest = Newest(TTLS)
    for i in range(1000):
        fold(newest, 0.5, NOW_MS + i)
    assert len(newest.take(100, at(NOW_MS))) == 1


def test_a_change_during_a_write_is_written_next() -> None:
    newest = Newest(TTLS)
    fold(newest)
    entries = newest.take(100, at(NOW_MS))
    fold(newest, 0.6, NOW_MS + 1)
    newest.wrote(entries, at(NOW_MS), 0.0)
    assert [entry.as_of_ms for entry in newest.take(100, at(NOW_MS))] == [NOW_MS + 1]


def test_nothing_is_shown_by_a_clock_that_is_unknown() -> None:
    newest = Newest(TTLS)
    fold(newest)
    assert newest.take(100, {VIEW.name: ViewClock()}) == []
    assert len(newest.take(100, at(NOW_MS))) == 1


def test_keys_are_renewed_at_half_life_as_long_as_the_clock_moves() -> None:
    newest = Newest(TTLS)
    fold(newest)
    written(newest, at(NOW_MS))
    assert newest.renew(100, at(NOW_MS + 149_000), 149.0) == 0
    assert newest.renew(100, at(NOW_MS + 151_000, moved_s=151.0), 151.0) == 1
    written(newest, at(NOW_MS + 151_000, moved_s=151.0), 151.0)
    assert newest.renew(100, at(NOW_MS + 300_000, moved_s=300.0), 300.0) == 0
    assert newest.renew(100, at(NOW_MS + 302_000, moved_s=302.0), 302.0) == 1


def test_where_the_clock_stands_nothing_is_renewed_until_it_moves_again() -> None:
    newest = Newest(TTLS)
    fold(newest)
    written(newest, at(NOW_MS))
    assert [newest.renew(100, at(NOW_MS, NOW_MS + now_s * 1000), now_s) for now_s in range(0, 600, 10)] == [0] * 60
    assert newest.renew(100, at(NOW_MS + 1, NOW_MS + 602_000), 602.0) == 1


def test_a_life_that_is_nearly_over_is_renewed_at_its_own_half() -> None:
    newest = Newest(TTLS)
    fold(newest)
    written(newest, at(NOW_MS, NOW_MS + 280_000))
    assert newest.renew(100, at(NOW_MS + 270_000, NOW_MS + 291_000, moved_s=11.0), 11.0) == 1


def test_a_key_without_life_comes_back_when_the_job_has_caught_up() -> None:
    newest = Newest(TTLS)
    fold(newest)
    written(newest, at(NOW_MS, NOW_MS + 400_000))
    assert newest.lighten(at(NOW_MS + 50_000, NOW_MS + 400_000, moved_s=1.0), 1.0) == 0
    assert newest.lighten(at(NOW_MS + 390_000, NOW_MS + 400_000, moved_s=2.0), 2.0) == 1
    assert newest.dirty == 1


def test_an_entity_unchanged_for_a_month_is_forgotten() -> None:
    newest = Newest(TTLS)
    fold(newest)
    month_ms = GUARD_LIFE_S * 1000
    assert len(written(newest, at(NOW_MS + month_ms))) == 1
    newest.again()
    assert newest.take(100, at(NOW_MS + month_ms + 1)) == []
    assert len(newest) == 0


def test_a_withdrawn_value_is_taken_away_once() -> None:
    newest = Newest(TTLS)
    fold(newest)
    newest.fold(VIEW, "acme/app", (TOPIC, 0), None, 0, live=True)
    (entry,) = written(newest, at(NOW_MS))
    assert (entry.record, entry.as_of_ms, len(newest)) == (None, NOW_MS, 0)


def test_a_partition_that_leaves_takes_its_entities_along() -> None:
    newest = Newest(TTLS)
    fold(newest)
    newest.fold(VIEW, "acme/other", (TOPIC, 1), health(project="acme/other"), NOW_MS, live=True)
    newest.leave((TOPIC, 0))
    assert [entry.entity for entry in newest.take(100, at(NOW_MS))] == ["acme/other"]


def test_only_a_live_change_counts_for_the_time_from_event_to_key() -> None:
    newest = Newest(TTLS)
    fold(newest, live=False)
    fold(newest, entity="acme/live")
    assert [entry.caused_ms for entry in newest.take(100, at(NOW_MS))] == [None, NOW_MS]


@given(st.lists(st.tuples(st.sampled_from(["fold", "turn"]), st.integers(1, 200)), max_size=40))
def test_an_entity_of_a_living_job_is_always_written_again_before_its_shortest_key_dies(steps) -> None:
    newest, now_s, written_s = Newest(TTLS), 0.0, 0.0
    fold(newest)
    for step, seconds in steps:
        for _ in range(seconds):
            now_s += 1
            clocks = at(NOW_MS + int(now_s * 1000), moved_s=now_s)
            newest.renew(10, clocks, now_s)
            if written(newest, clocks, now_s):
                written_s = now_s
            assert now_s - written_s < 300
        if step == "fold":
            fold(newest, 0.5, NOW_MS + int(now_s * 1000))
