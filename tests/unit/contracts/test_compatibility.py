"""Two versions of a record on one topic: what may change and what may not."""

from typing import Annotated, Any, Literal

import msgspec
import pytest
from msgspec import Meta, Struct

from contracts.compatibility import incompatibilities
from contracts.topics import TOPICS


class Last(Struct):
    project: Annotated[str, Meta(max_length=10)]
    runs: Annotated[int, Meta(ge=0)]
    outcome: Literal["pass", "fail"]
    share: float | None = None
    names: list[str] = []
    labels: dict[str, int] | None = None


CHANGES: list[tuple[str, dict[str, Any], list[str]]] = [
    ("nothing", {}, []),
    ("a new optional field", {"branch": (str | None, None)}, []),
    ("a new field with a default", {"attempt": (int, 1)}, []),
    ("a new required field", {"branch": str}, ["branch: new and required; give it a default"]),
    ("a removed required field", {"runs": None}, ["runs: removed; stop filling it instead"]),
    ("a removed optional field", {"share": None}, ["share: removed; stop filling it instead"]),
    ("a required field made optional", {"runs": (Annotated[int, Meta(ge=0)], 0)},
     ["runs: was required, is not any more"]),
    ("an optional field made required", {"share": float | None}, ["share: was optional, is not any more"]),
    ("another type", {"runs": str}, ["runs: was integer, is string"]),
    ("a wider type", {"runs": Annotated[float, Meta(ge=0)]}, ["runs: was integer, is number"]),
    ("null allowed", {"runs": int | None}, ["runs: was integer, is integer or null"]),
    ("null refused", {"share": (float, 0.0)}, [
        "share: was number or null, is number", "share: an absent value meant None, means 0.0",
    ]),
    ("a value more", {"outcome": Literal["pass", "fail", "skip"]}, ["outcome: the last version refuses 'skip'"]),
    ("a value less", {"outcome": Literal["pass"]}, ["outcome: the new version refuses 'fail'"]),
    ("any text", {"outcome": str}, ["outcome: no enumeration now"]),
    ("a shorter text", {"project": Annotated[str, Meta(max_length=9)]}, ["project: maxLength was 10, is 9"]),
    ("a longer text", {"project": str}, ["project: maxLength was 10, is free"]),
    ("a pattern", {"project": Annotated[str, Meta(max_length=10, pattern="^a")]}, ["project: pattern was free, is ^a"]),
    ("a higher least value", {"runs": Annotated[int, Meta(ge=1)]}, ["runs: minimum was 0, is 1"]),
    ("another default", {"share": (float | None, 0.5)}, ["share: an absent value meant None, means 0.5"]),
    ("other items", {"names": (list[int], [])}, ["names[]: was string, is integer"]),
    ("other values", {"labels": (dict[str, str] | None, None)}, ["labels{}: was integer, is string"]),
]  # fmt: skip


def version(changes: dict[str, Any]) -> dict[str, Any]:
    """The schema of `Last` with fields changed, added, or (None) removed."""
    fields = {field.name: (field.type, field.default) for field in msgspec.structs.fields(Last)}
    fields["names"] = (list[str], [])
    fields |= {name: told if isinstance(told, tuple) else (told, msgspec.NODEFAULT) for name, told in changes.items()}
    spec = [
        (name, kind) if default is msgspec.NODEFAULT else (name, kind, default)
        for name, (kind, default) in fields.items()
        if kind is not None
    ]
    return msgspec.json.schema(msgspec.defstruct("Last", spec, kw_only=True))


@pytest.mark.parametrize(("changes", "told"), [(c, t) for _, c, t in CHANGES], ids=[name for name, _, _ in CHANGES])
def test_a_change_is_safe_or_named(changes: dict[str, Any], told: list[str]) -> None:
    assert incompatibilities(version({}), version(changes)) == told


def test_a_change_deep_inside_a_record_is_found() -> None:
    class Inner(Struct):
        runs: int

    class InnerGrown(Struct):
        runs: int
        failing: int

    old = msgspec.json.schema(msgspec.defstruct("Outer", [("minutes", list[Inner] | None, None)]))
    new = msgspec.json.schema(msgspec.defstruct("Outer", [("minutes", list[InnerGrown] | None, None)]))
    assert incompatibilities(old, new) == ["minutes[].failing: new and required; give it a default"]


def test_a_keyword_that_the_check_does_not_know_is_not_passed_over() -> None:
    old = version({})
    assert incompatibilities(old, {**old, "multipleOf": 3}) == [
        "the record: multipleOf is not understood by the compatibility check"
    ]


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_every_record_is_within_what_the_check_understands(topic: Any) -> None:
    schema = msgspec.json.schema(topic.record)
    assert incompatibilities(schema, schema) == []


@pytest.mark.parametrize("changes", [changes for _, changes, told in CHANGES if not told])
def test_versions_that_are_called_compatible_read_one_another(changes: dict[str, Any]) -> None:
    """The promise itself, with msgspec as the reader: no message of either side is refused by the other."""
    message = {"project": "acme/app", "runs": 3, "outcome": "pass"}
    fields = [(name, *what) for name, what in changes.items()]
    grown = msgspec.defstruct("Grown", fields, bases=(Last,), kw_only=True)
    written = msgspec.json.encode(msgspec.convert(message, grown))
    assert msgspec.json.decode(written, type=Last).runs == 3
    assert msgspec.json.decode(msgspec.json.encode(message), type=grown).runs == 3
