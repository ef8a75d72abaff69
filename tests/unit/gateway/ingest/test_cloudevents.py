"""CloudEvents in the body of a request: three modes, the attributes' rules, and what is refused by itself."""

import json
from base64 import b64encode
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.ingest.cloudevents import BATCH, MOST_EVENTS, STRUCTURED, CloudEvent, name, read
from gateway.ingest.refusal import Refusal

# the example of CloudEvents' HTTP binding, 3.1.4 and 3.2.4
ATTRIBUTES = {
    "specversion": "1.0", "type": "com.example.someevent", "time": "2018-04-05T03:56:24Z", "id": "1234-1234-1234",
    "source": "/mycontext/subcontext",
}  # fmt: skip
DATA = {"a": 1}
COMPACT: dict[str, Any] = {"separators": (",", ":"), "ensure_ascii": False}


def binary(**changed: str) -> dict[str, str]:
    return {"content-type": "application/json", **{f"ce-{one}": value for one, value in (ATTRIBUTES | changed).items()}}


def structured(event: object, content_type: str = STRUCTURED) -> list[CloudEvent | Refusal]:
    return list(read(json.dumps(event).encode(), {"content-type": content_type}))


def wanted(place: str) -> CloudEvent:
    about = {one: ATTRIBUTES[one] for one in ("id", "source", "type", "time")}
    return CloudEvent(place=place, data=DATA, **about)


def refusals(found: list[CloudEvent | Refusal]) -> list[tuple[str, str]]:
    return [(one.place, one.field) for one in found if isinstance(one, Refusal)]


def test_one_event_is_the_same_in_every_mode() -> None:
    event = {**ATTRIBUTES, "data": DATA}
    assert list(read(json.dumps(DATA).encode(), binary())) == [wanted("event")]
    assert structured(event) == [wanted("event")]
    assert structured(event, f"{STRUCTURED}; charset=UTF-8") == [wanted("event")]
    assert structured({**ATTRIBUTES, "data_base64": b64encode(json.dumps(DATA).encode()).decode()}) == [wanted("event")]
    assert structured([event, event], BATCH) == [wanted("element 1"), wanted("element 2")]
    assert structured([], BATCH) == []


@pytest.mark.parametrize(
    ("header", "value"),
    [("Euro%20%E2%82%AC%20%F0%9F%98%80", "Euro € 😀"), ("Euro%20%e2%82%ac", "Euro €"), ('"a \\"b\\" c"', 'a "b" c'),
     ("a+b", "a+b")],
)  # fmt: skip
def test_headers_are_unquoted_and_percent_decoded_once(header: str, value: str) -> None:
    (found,) = read(b"{}", binary(id=header))
    assert isinstance(found, CloudEvent)
    assert found.id == value
    assert name(b"{}", binary(id=header)) == "event " + json.dumps([ATTRIBUTES["source"], value], **COMPACT)


def test_an_overlong_encoding_is_refused() -> None:
    assert refusals(list(read(b"{}", binary(id="%C0%A0")))) == [("event", "ce-id")]
    assert name(b"{}", binary(id="%C0%A0")) is None


@pytest.mark.parametrize("missing", ["specversion", "id", "source", "type"])
@pytest.mark.parametrize("value", [None, "", 7])
def test_a_missing_attribute_is_refused_by_name_in_every_mode(missing: str, value: object) -> None:
    event = {**ATTRIBUTES, "data": DATA, missing: value}
    assert refusals(structured(event)) == [("event", missing)]
    assert refusals(structured([event, {**ATTRIBUTES, "data": DATA}], BATCH)) == [("element 1", missing)]
    headers = binary()
    del headers[f"ce-{missing}"]
    assert refusals(list(read(b"{}", headers))) == [("event", missing)]


def test_another_version_of_cloudevents_is_refused() -> None:
    assert refusals(structured({**ATTRIBUTES, "specversion": "0.3", "data": DATA})) == [("event", "specversion")]


@pytest.mark.parametrize(
    ("text", "field"),
    [('{"id":"1","id":"2"}', "id"), ('{"data":{"x":{"a":1,"a":1}}}', "a"), ("[" * 2000 + "]" * 2000, "body"),
     ('{"id":"\\ud800"}', "body"), ('{"n":' + "9" * 5000 + "}", "body"), ('{"n":NaN}', "body"), ("7", "event"),
     ('{"data_base64":"?"}', "data_base64"), ('{"data_base64":7}', "data_base64"),
     ('{"data":1,"data_base64":""}', "data_base64"), ('{"data_base64":"e30ge30="}', "body"), ("", "body")],
)  # fmt: skip
def test_what_is_no_event_is_refused_and_nothing_breaks(text: str, field: str) -> None:
    assert refusals(list(read(text.encode(), {"content-type": STRUCTURED}))) == [("event", field)]


def test_a_bad_element_costs_no_other() -> None:
    good = json.dumps({**ATTRIBUTES, "data": DATA}).encode()
    body = b"[" + b",".join([b'{"id":1,"id":2}', good, b'"\xff"', b"7", good]) + b"]"
    found = list(read(body, {"content-type": BATCH}))
    assert refusals(found) == [("element 1", "id"), ("element 3", "body"), ("element 4", "event")]
    assert [one.place for one in found if isinstance(one, CloudEvent)] == ["element 2", "element 5"]


def test_a_batch_has_a_most_and_is_an_array() -> None:
    event = {**ATTRIBUTES, "data": None}
    assert len(structured([event] * MOST_EVENTS, BATCH)) == MOST_EVENTS
    assert refusals(structured([event] * (MOST_EVENTS + 1), BATCH)) == [("body", "size")]
    assert refusals(structured(event, BATCH)) == [("body", "body")]


def test_a_format_that_is_not_read_is_told_so() -> None:
    found = structured({**ATTRIBUTES}, "application/cloudevents+avro")
    assert refusals(found) == [("body", "content-type")]


def test_an_event_is_called_by_source_and_id_and_a_batch_is_not() -> None:
    event = {**ATTRIBUTES, "data": DATA}
    body = json.dumps(event).encode()
    called = 'event ["/mycontext/subcontext","1234-1234-1234"]'
    assert name(body, {"content-type": STRUCTURED}) == called
    assert name(b"{}", binary()) == called
    assert name(b"[" + body + b"]", {"content-type": BATCH}) is None
    assert name(b"{}", {"content-type": STRUCTURED}) is None


@given(st.binary(max_size=200), st.sampled_from([STRUCTURED, BATCH, "application/json", ""]), st.text(max_size=20))
def test_no_bytes_break_the_reader(body: bytes, content_type: str, header: str) -> None:
    headers = {**binary(id=header), "content-type": content_type}
    assert all(isinstance(one, CloudEvent | Refusal) for one in read(body, headers))
    assert isinstance(name(body, headers), str | None)
