"""Refusals: what they quote has no secrets and an end."""

import json

from contracts.records import encode
from gateway.ingest.refusal import LONGEST_REASON, LONGEST_VALUE, Refusal, refusal
from tests.unit.fuzz.test_lines import RECORDS, of_lines

SECRET = "argus_abcdefgh_" + "A" * 43


def test_nothing_of_a_refusal_has_a_secret() -> None:
    one = refusal(f"{SECRET}.xml", f"a/{SECRET}", f"field {SECRET}", SECRET, f"Invalid enum value '{SECRET}'")
    assert "argus_" not in encode(one).decode()
    assert one.reason == "Invalid enum value '[redacted:argus-token]'"
    assert len({refusal(f"{SECRET[:-1]}{end}", "", "", "", "").file for end in "ab"}) == 2, "files are told apart"


def test_what_is_wrong_with_a_value_that_is_a_secret_does_not_show_it() -> None:
    (bad,) = of_lines(json.dumps({**RECORDS[0], "outcome": SECRET}).encode())
    assert isinstance(bad, Refusal)
    assert "outcome" in bad.reason
    assert "argus_" not in encode(bad).decode()


def test_a_refusal_is_short_however_long_what_it_quotes_is() -> None:
    one = refusal("f", "line 1", "outcome", "x" * 10**6, f"Invalid enum value '{'x' * 10**6}'")
    assert (len(one.value), len(one.reason)) == (LONGEST_VALUE, LONGEST_REASON)
    at_the_cut = "x" * (2 * LONGEST_REASON - 20)
    assert "argus_" not in refusal("f", "line 1", "outcome", "", at_the_cut + SECRET).reason
