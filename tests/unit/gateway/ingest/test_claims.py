"""Whose repository an address is, and what is a number."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.ingest.claims import number, repository

KNOWN = {
    "https://github.com/acme/app": "acme/app",
    "https://github.com/acme/app/": "acme/app",
    "https://github.com/acme/app/actions/runs/7?check_suite_focus=true#step": "acme/app",
    "HTTPS://GitHub.com/acme/App.git": "acme/App",
    "https://ann@bitbucket.org/acme/app/src/main": "acme/app",
    "https://gitlab.com/acme/group/app/-/jobs/1": "acme/group/app",
    "https://gitlab.example.org:8443/acme/group/app": "acme/group/app",
    "https://git.example.org/acme/app.git": "acme/app",
    "git+https://git.example.org/acme/app.git": "acme/app",
    "ssh://git@git.example.org:22/acme/app": "acme/app",
    "git://git.example.org/acme/app.git": "acme/app",
    "git@github.com:acme/app.git": "acme/app",
    "git@git.example.org:/acme/group/app": "acme/group/app",
}
UNKNOWN = {"https://ci.example.org/job/7": "job/7", "https://code.example.org/acme/app/-/pipelines/2": "acme/app"}
NONE = [
    None, 7, "", "acme/app", "urn:acme:app", "mailto:ann@example.org", "ann@example.org", "git@github.com:",
    "git@github.com:/", "https://github.com", "https://github.com//", "https://[", "ftp://github.com/acme/app",
    "https://github.com/acme/ app",
]  # fmt: skip


@pytest.mark.parametrize(("address", "project"), sorted(KNOWN.items()))
def test_an_address_of_a_repository_says_whose_it_is(address: str, project: str) -> None:
    assert (repository(address), repository(address, is_one=True)) == (project, project)


@pytest.mark.parametrize(("address", "project"), sorted(UNKNOWN.items()))
def test_an_unknown_host_has_repositories_where_that_is_told(address: str, project: str) -> None:
    assert (repository(address), repository(address, is_one=True)) == (None, project)


@pytest.mark.parametrize("address", NONE)
def test_what_is_no_address_of_a_repository_says_nothing(address: object) -> None:
    assert (repository(address), repository(address, is_one=True)) == (None, None)


@given(st.text() | st.from_regex(r"(https|ssh)?(://)?[a-z@.:/-]*(\.git)?", fullmatch=True))
def test_no_text_breaks_it_and_what_it_says_is_never_empty(address: str) -> None:
    assert repository(address) != ""
    assert repository(address, is_one=True) != ""


@pytest.mark.parametrize(
    ("told", "read"),
    [("7", 7), ("007", 7), (7, 7), ("", ""), ("-1", "-1"), ("7 ", "7 "), ("9" * 16, "9" * 16), ("٣", "٣")],
)
def test_a_number_may_be_told_as_text(told: object, read: object) -> None:
    assert number(told) == read
