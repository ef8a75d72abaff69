"""Our own records in the body of a request."""

import io
import json

from gateway.ingest.body import Body
from gateway.ingest.events import LARGEST_DOCUMENT, read
from gateway.ingest.refusal import Refusal
from gateway.ingest.row import Row

ONE = {"project": "acme/app", "run": "1", "job": "build", "outcome": "success", "finished_ms": 1_795_253_400_000}


def rows(text: str | bytes, content_type: str = "application/json", size: int | None = None) -> list[Row | Refusal]:
    whole = text.encode() if isinstance(text, str) else text
    return list(read(Body(io.BytesIO(whole), size or len(whole), "", len(whole)), content_type))


def test_one_record_an_array_and_lines_are_the_same() -> None:
    (one,) = rows(json.dumps(ONE, indent=2), "application/json; charset=utf-8")
    (of_array,) = rows("\ufeff" + json.dumps([ONE]))
    (of_lines,) = rows(json.dumps(ONE) + "\n", "application/x-ndjson")
    assert isinstance(one, Row)
    assert isinstance(of_array, Row)
    assert isinstance(of_lines, Row)
    assert one.record == of_array.record == of_lines.record
    assert (one.place, of_array.place, of_lines.place) == ("body", "element 1", "line 1")


def test_one_bad_element_does_not_lose_the_others() -> None:
    found = rows(json.dumps([ONE, {**ONE, "outcome": "perhaps"}, 7, {**ONE, "run": "2"}]))
    assert [type(one) for one in found] == [Row, Refusal, Refusal, Row]
    refused = [(one.place, one.field) for one in found if isinstance(one, Refusal)]
    assert refused == [("element 2", "outcome"), ("element 3", "line")]


def test_what_is_no_json_is_refused_whole() -> None:
    for text in ("[", "[" * 100_000, "[1,]", b'["\xff"]', ""):
        (refused,) = rows(text)
        assert isinstance(refused, Refusal), text[:20]


def test_a_document_too_large_is_not_read() -> None:
    (refused,) = rows("[]", size=LARGEST_DOCUMENT + 1)
    assert isinstance(refused, Refusal)
    assert refused.field == "size"
