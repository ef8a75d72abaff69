"""Secrets do not reach the log; what only looks like one does; and hostile texts cost no more than long ones."""

import csv
import io
import time
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.records import (
    Change,
    ChangedFile,
    Event,
    JobExecution,
    ProductionError,
    TestExecution,
    TestReportPart,
    encode,
)
from gateway.ingest import jsonl
from gateway.ingest.redaction import ROOM, name, prose, redacted
from gateway.ingest.refusal import Refusal, refusal

AT_MS = 1_795_168_800_000

LETTERS = "Ab3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0fG3iJ6lM9oR2tU5xA8eD1hF4kL7nP0qS"
JWT = f"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.{LETTERS[:43]}"
PEM = "-----BEGIN {0}PRIVATE KEY-----\nDEK-Info: AES-128,01\n\nMIIEpAIBAAKCAQEA\n+/x==\n-----END {0}PRIVATE KEY-----"

# kind, a line of a log with {} where the secret stands, the secret; the secrets are made up and put together here, so
# that whoever scans this repository for secrets finds none
TOKENS = [
    ("aws-access-key", "An error occurred (InvalidClientTokenId) for {}: denied", "AKIA" + "IOSFODNN7EXAMPLE"),
    ("aws-access-key", "assumed role with {}", "ASIA" + "Y34FZKBOKMUTVV7A"),
    ("github-token", "remote: Invalid username or token {} for 'https://github.com/a/b'", "ghp_" + LETTERS[:36]),
    ("github-token", "installation {}: 403", "ghs_" + LETTERS[1:37]),
    ("github-token", "gh auth: {}", "gho_" + LETTERS[2:38]),
    ("github-token", "using {}", "github_pat_" + LETTERS[:22] + "_" + LETTERS[:59]),
    ("gitlab-token", "PRIVATE-TOKEN {} was revoked", "glpat-" + LETTERS[:20]),
    ("gitlab-token", "job token {} expired", "glcbt-64_" + LETTERS[:20]),
    ("slack-token", "slack: invalid_auth ({})", "xoxb-" + "123456789012-123456789012-" + LETTERS[:24].lower()),
    ("slack-webhook", "POST {} 404", "https://hooks.slack.com/services/" + "T00000000/B00000000/" + LETTERS[:24]),
    ("gcp-api-key", "GET https://maps.googleapis.com/?q=1 {}", "AIza" + LETTERS[:35]),
    ("npm-token", "npm ERR! code E401 with {}", "npm_" + LETTERS[:36]),
    ("npm-token", "//registry.example.org/:_authToken={}", "npm_" + LETTERS[3:39]),
    ("pypi-token", "HTTPError: 403 {}", "pypi-AgEIcHlwaS5vcmc" + LETTERS + LETTERS[:20]),
    ("argus-token", "curl: 401 {}", "argus_" + "abcd2345_" + LETTERS[:43]),
    ("stripe-key", "stripe.error.AuthenticationError: {}", "sk_" + "live_" + LETTERS[:24]),
    ("sendgrid-key", "sendgrid {} forbidden", "SG." + LETTERS[:22] + "." + LETTERS[:43]),
    ("square-secret", "square {}", "sq0csp-" + LETTERS[:43]),
    ("azure-storage-key", "{};EndpointSuffix=core.windows.net", "AccountKey=" + LETTERS + LETTERS[:24] + "=="),
    ("api-key", "anthropic: 401 {}", "sk-" + "ant-api03-" + LETTERS[:40]),
    ("api-key", "openai: 401 {}", "sk-" + "proj-" + LETTERS[:24] + "T3BlbkFJ" + LETTERS[:24]),
    ("jwt", "jwt malformed: {}", JWT),
]  # fmt: skip
OTHERS = [
    ("private-key", "could not load\n{}\nfor host", PEM.format("RSA ")),
    ("private-key", "key is {}\nat a.b(C.java:1)", PEM.format("OPENSSH ")),
    ("private-key", "key: {}", PEM.format("")[:70]),  # its end was cut off
    ("authorization", '> curl -H "Authorization: Bearer {}" https://example.org', "8f3e0d" + LETTERS[:20]),
    ("authorization", "authorization: basic {}", "dXNlcjpwYXNz"),
    ("authorization", "{{'Authorization': 'token {}'}}", LETTERS[:20]),
    ("authorization", "sent Bearer {} and was refused", LETTERS[:30]),
    ("basic-auth", "fatal: unable to access 'https://ci-bot:{}@git.example.org/a.git/'", "s3cr3t"),
    ("basic-auth", "redis://:{}@cache:6379/0 refused the connection", "hunter2"),
    ("password", "psql: FATAL host=db password={} dbname=x", "swordfish"),
    ("password", "DB_PASSWORD={}", "hunter2"),
    ("password", 'expected {{"user": "a", "password": "{}"}}', "swordfish"),
    ("password", r"body {{\"clientSecret\":\"{}\"}}", "c2VjcmV0"),
    ("password", "spring.datasource.password: {}", "hunter2"),
    ("password", "pwd = {}", "hunter2"),
    ("password", "mysql --password {} -u root", "swordfish"),
    ("token", "GET /api?access_token={}&page=2 500", LETTERS[:32]),
    ("token", "api_key: '{}'", LETTERS[:32]),
    ("token", "aws_secret_access_key = {}", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
    ("token", "Apikey={} rejected", LETTERS[:32]),
    ("token", "argus --token {} --json", LETTERS[:32]),
    ("email", "no reviewer {} in team", "ann.lee+ci@mail.example.org"),
]

NEGATIVES = """
fatal: reference is not a tree: 4f0e8c1d2b3a49587766554433221100ffeeddcc
HEAD is now at 4f0e8c1 Fix token refresh (#1234)
sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08 does not match
request 6fa459ea-ee8a-3ca4-805e-859f4d5f4b5a timed out
data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAUAAAAFCAYAAACNbyblAAAAHElEQVQI12P4//8/w38GIAXDIBKE0DHxgljNBAAO9TXL0Y4OHwAAAABJRU5ErkJggg==
pytest::tests.test_auth::test_token_is_refreshed[password-secret-3]
org.example.auth.TokenServiceTest::refreshToken(String)[1]
com.acme.PasswordResetTest > secret: is asked for
SyntaxError: Unexpected token: punc (})
SyntaxError: Unexpected token '<', "<!DOCTYPE "... is not valid JSON
    raise ValueError("password: must not be blank")
  login(user=user, password=password, token=token)
  client = Client(secret=self._secret, api_key=settings.api_key)
TypeError: connect() missing 1 required argument: 'password'
AssertionError: expected password: <null> but was: <empty>
password=*** token=*** url=https://user:***@example.org
password=${DB_PASSWORD} token=$TOKEN secret={{ secret }}
KeyError: 'api_key'
assert max_tokens == 4096, tokens: 4097, token_count=12345678
cache_key=users:12345678 primary-key: 87654321 keyword=abc12345
    at org.junit.jupiter.engine.execution.MethodInvocation.proceed(MethodInvocation.java:60)
java.lang.Object@6d06d69c did not equal com.acme.Token@1b2c3d4e
  File "/usr/lib/python3.11/site-packages/requests/auth.py", line 112, in authenticate
E       assert '8f14e45fceea167a5a36dedd4bea2543' == 'c9f0f895fb98ab9159f51fd0297e236d'
remote: git@github.com:acme/app.git not found
npm ERR! @babel/core@7.23.0 requires a peer of acme-core@^1.2
ERROR: Bearer authentication is required; Authorization: required
xoxo hugs, sk-fading-circle, gl-dropdown-toggle, AKIANotOne, eyJust
docker pull ghcr.io/acme/app@sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae
go: github.com/acme/lib@v1.2.3-0.20240101000000-abcdef123456: invalid version
-----BEGIN CERTIFICATE----- is expected here
https://example.org:8443/a@b?page=2 answered 502
""".strip("\n").splitlines()


@pytest.mark.parametrize(("kind", "line", "secret"), TOKENS + OTHERS)
def test_every_kind_of_secret_is_found_in_a_line_and_nothing_else_of_it_is_touched(
    kind: str, line: str, secret: str
) -> None:
    assert prose(line.format(secret)) == line.format(f"[redacted:{kind}]")


@pytest.mark.parametrize("line", NEGATIVES)
def test_what_only_looks_like_a_secret_is_left_alone(line: str) -> None:
    assert prose(line) == line
    assert name(line) == line


def test_of_recorded_lines_less_than_one_in_ten_thousand_is_touched(shared_data: Path) -> None:
    """16,000 lines of the logs of eight systems and 22,245 names of tests, which hold no secret."""
    lines: list[str] = []
    for file in sorted((shared_data / "loghub").glob("*.csv")):
        with file.open(newline="") as stream:
            lines += [row["Content"] for row in csv.DictReader(stream)]
    with (shared_data / "flakeflagger" / "test_results.csv").open(newline="") as stream:
        tests = [row["Test"] for row in csv.DictReader(stream)]
    assert (len(lines), len(tests)) == (16_000, 22_245)
    touched = [line for line in lines + tests if prose(line) != line]
    false = [line for line in touched if "bhcompile@bugs.build.redhat.com" not in line]  # that one is an address
    assert len(false) / (len(lines) + len(tests)) < 1e-4, false[:5]
    assert not [test for test in tests if name(test) != test]


def part(**fields: object) -> TestReportPart:
    test = TestExecution(**{"test": "s::c::n", "outcome": "fail", "finished_ms": AT_MS, **fields})
    return TestReportPart(project="acme/app", run="7", job="test", report="r", k=1, n=1, tests=[test])


def test_every_field_that_says_something_is_cleaned_and_what_is_counted_or_matched_is_not() -> None:
    token, line = "ghp_" + LETTERS[:36], "password=hunter2 ann@example.org"
    test = redacted(part(message=line, details=f"x\n{token}", name=token, params=token, classname="password=a1")).tests[
        0
    ]
    assert test.message == "password=[redacted:password] [redacted:email]"
    assert test.details == "x\n[redacted:github-token]"
    assert token not in repr(test)
    assert test.classname == "password=a1", "names lose tokens alone"
    job = JobExecution(
        project="acme/app", run="1", job=f"build ({token})", outcome="failure", finished_ms=AT_MS, message=line,
        url="https://ci:hunter2@ci.example.org/1?access_token=abcd1234",
    )  # fmt: skip
    clean = redacted(job)
    assert clean.url == "https://ci:[redacted:basic-auth]@ci.example.org/1?access_token=[redacted:token]"
    assert "hunter2" not in repr(clean)
    assert token not in repr(clean)
    error = ProductionError(project="a/b", error="1", service="s", message=token, details=line, at_ms=AT_MS)
    assert "hunter2" not in repr(redacted(error))
    files = [ChangedFile(path=f"keys/{token}.txt"), ChangedFile(path="a.py")]
    change = redacted(Change(project="a/b", commit="c" * 40, committed_ms=AT_MS, author="a" * 32, files=files))
    assert change.files is not None
    assert (token in repr(change), change.files[1].path, change.author) == (False, "a.py", "a" * 32)


def test_tests_told_apart_by_tokens_still_are_and_are_called_the_same_each_time() -> None:
    names = [f"test_login[{kind}{LETTERS[at : at + 36]}]" for kind in ("ghp_", "gho_") for at in range(20)]
    assert len({name(one) for one in names}) == len(names)
    assert [name(one) for one in names] == [name(one) for one in names]
    assert not [one for one in names if one[12:-1] in name(one)]


def test_long_names_that_differ_where_the_marks_leave_no_room_still_do() -> None:
    start = "AKIA" + "IOSFODNN7EXAMPLE" + "-" + "x" * 259
    one, other = name(start + "1"), name(start + "2")
    assert (len(one), len(other), one[:30]) == (281, 281, other[:30])
    assert one != other
    assert (name(one), name(start + "1")) == (one, one)


def test_a_record_without_secrets_is_the_same_record() -> None:
    clean = part(message="boom", details="at a.b(C.java:1)")
    assert redacted(clean) is clean


PIECES = st.sampled_from(
    [line.format(secret) for _, line, secret in TOKENS + OTHERS]
    + [
        "password",
        "token",
        "=",
        ": ",
        '"',
        "\\",
        "'",
        "@",
        "://",
        "Bearer ",
        "[redacted:",
        "]",
        "--",
        "-----",
        "a1",
        " ",
    ]
)
TEXTS = st.lists(PIECES | st.text(max_size=5), max_size=12).map("".join)


@given(TEXTS)
def test_what_was_redacted_stays_as_it_is(text: str) -> None:
    assert prose(prose(text)) == prose(text)
    assert name(name(text)) == name(text)
    assert max(len(prose(text)), len(name(text))) <= max(len(text), ROOM)


def test_a_long_text_does_not_grow_by_its_marks() -> None:
    short, long = "pwd=abc " * 3, "pwd=abc " * 500
    assert prose(short) == "pwd=[redacted:password] " * 3
    assert (len(prose(long)), prose(prose(long))) == (len(long), prose(long))


@given(TEXTS, TEXTS)
def test_a_redacted_record_keeps_its_contract(message: str, test: str) -> None:
    one = part(message=message, name=test[:2_000])
    assert msgspec.json.decode(encode(redacted(one)), type=TestReportPart) == redacted(one)


def seconds(text: str) -> float:
    """Processor time of the quickest of three readings."""
    took = []
    for _ in range(3):
        began = time.process_time()
        prose(text)
        took.append(time.process_time() - began)
    return min(took)


HOSTILE = [
    "password=", "token=", "token=a", "token: ", "eyJ", "eyJaaaaaaaa.", "-----BEGIN RSA PRIVATE KEY-----", "://", "://a:",
    "@", "a@", "a.b@", "a@a.a.a.", "a-", "Bearer a", "authorization: bearer ", "--token ", "AKIA", "gl", "glagent-",
    "glagent-" + "a" * 1_100, "xoxb-1", "xoxb-1-", "sk-", "sk-a T3BlbkFJ", "_", "-", "=", ":", "\"' =:", "github_pat_",
    "secret=secret", "secret=a.secret", "_key:", 'pwd\\"  :  \\"', "A3T", "SG.aaaaaaaaaaaaaaaaaaaaaa.",
]  # fmt: skip


@pytest.mark.parametrize("piece", HOSTILE)
def test_a_hostile_text_costs_no_more_than_its_length(piece: str) -> None:
    every_kind = "token=1 password= eyJ @ Bearer PRIVATE sk- ghp_ AKIA gl xox SG. npm_ "
    took_s = seconds((every_kind + piece * 16_384)[:16_384])
    assert took_s < 0.05, "a few ms on a quiet machine"
    assert seconds((every_kind + piece * 65_536)[:65_536]) < 12 * took_s + 0.02


def test_an_ordinary_text_costs_next_to_nothing() -> None:
    lines = [line for line in NEGATIVES if "@" not in line] * 100
    assert sum(map(seconds, lines)) / len(lines) < 50e-6, "5 us on a quiet machine"


def test_tests_that_passed_cost_next_to_nothing() -> None:
    name = "test_a_delivery_that_comes_again_is_told_to_be_a_duplicate"
    tests = [TestExecution(test=f"pytest::tests.test_door::{name}[{at}]", name=name, outcome="pass", finished_ms=AT_MS)
             for at in range(500)]  # fmt: skip
    whole = TestReportPart(project="acme/app", run="7", job="test", report="r", k=1, n=1, tests=tests)
    took = []
    for _ in range(5):
        began = time.process_time()
        assert redacted(whole) is whole
        took.append(time.process_time() - began)
    assert min(took) / len(tests) < 15e-6, "2 us on a quiet machine: the door has 36 us for a test"


def test_a_refusal_does_not_repeat_a_secret() -> None:
    line = io.BytesIO(b'{"project": "acme/app", "password": "hunter2", "run"')
    (refused,) = jsonl.read(line, "a.jsonl")
    assert isinstance(refused, Refusal)
    assert ("hunter2" in repr(refused), "[redacted:password]" in refused.value) == (False, True)
    assert refusal("a", "b", "c", b"ghp_" + LETTERS[:36].encode(), "d").value == "b'[redacted:github-token]'"


@given(TEXTS)
def test_events_of_any_text_are_redacted_the_same_each_time(text: str) -> None:
    job: Event = JobExecution(project="a/b", run="1", job="j", outcome="error", finished_ms=AT_MS, message=text)
    assert encode(redacted(job)) == encode(redacted(redacted(job)))
