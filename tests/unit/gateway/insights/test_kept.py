"""What a gateway holds in memory: once, in the order of the log, and never too much of one tenant."""

from contracts.topics import FEEDBACK_LABELS, message_key
from gateway.insights.kept import Arrived, Kept
from tests.unit.gateway.insights.noticed import MIDNIGHT_MS, arrived, insight, label


def names(kept: Kept, tenant: str = "acme") -> list[str]:
    return [one.insight.insight for one in kept.look(tenant).arrived]


def test_a_repeat_is_dropped_even_when_the_first_was_dropped_for_room() -> None:
    kept = Kept(most_of_one=2, most=9)
    first, *more = arrived(*(insight(f"i{at}") for at in range(3)))
    assert [kept.add(one) is not None for one in (first, first, *more)] == [True, False, True, True]
    assert names(kept) == ["i1", "i2"]
    assert kept.add(first) is None
    assert (names(kept), len(kept)) == (["i1", "i2"], 2)


def test_partitions_read_one_after_the_other_are_in_the_broker_s_order() -> None:
    kept = Kept(most_of_one=3, most=9)
    for partition in (0, 1):
        for at in range(3):
            kept.add(Arrived(insight(f"p{partition}-{at}"), MIDNIGHT_MS + 2 * at + partition, partition, at))
    assert names(kept) == ["p1-1", "p0-2", "p1-2"], "the oldest went, whichever was read first"


def test_a_tenant_that_has_much_pushes_out_his_own() -> None:
    kept = Kept(most_of_one=10, most=4)
    kept.add(Arrived(insight("small", project="zeta/app"), 1, 0, 0))
    for at in range(6):
        kept.add(Arrived(insight(f"i{at}"), MIDNIGHT_MS + at, 0, at))
        kept.label(label("muted", f"i{at}"))
    kept.label(label("muted", "small", project="zeta/app"))
    assert (names(kept, "zeta"), names(kept)) == (["small"], ["i3", "i4", "i5"])
    assert ([len(kept.look(tenant).labels) for tenant in ("zeta", "acme")], len(kept)) == ([1, 3], 4)


def test_the_newest_word_takes_the_place_of_the_former_and_a_tombstone_takes_it_away() -> None:
    kept, first = Kept(), label("muted")
    for one in (first, label("muted", until_ms=MIDNIGHT_MS + 1)):
        kept.label(one)
    (only,) = kept.look("acme").labels
    assert only.until_ms == MIDNIGHT_MS + 1
    for key in (b"", b"\xff", b"acme/app", message_key(FEEDBACK_LABELS, first)):
        kept.unlabel(key)
    assert kept.look("acme").labels == []


def test_a_project_that_was_deleted_is_forgotten_and_its_neighbours_are_not() -> None:
    kept = Kept()
    for one in arrived(insight("i1"), insight("i2", project="acme/other"), insight("i3", project="acme2/app")):
        kept.add(one)
    for project in ("acme/app", "", "nobody/app"):
        kept.forget(project)
    assert (names(kept), names(kept, "acme2"), len(kept)) == (["i2"], ["i3"], 2)
    assert kept.add(arrived(insight("i1"))[0]) is None, "for good"
