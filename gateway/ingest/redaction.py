"""Secrets in texts are replaced by marks before the log: `password=hunter2` becomes `password=[redacted:password]`.

Prose (`message`, `details`, `url`) loses all kinds: tokens known by their shape, private keys, what stands behind
`Authorization:`, `password=` and their like, credentials in addresses, and e-mail addresses. Fields that name something
lose tokens of known shape alone, and the mark has a hash of the token, which is long and random: what was told apart by
it still is. Projects, hashes of authors and our own words stay as they are. The same input gives the same bytes, and
what was redacted stays as it is when it comes again.

Patterns of detect-secrets serve where they are linear in the text and mean one thing. Left out are its entropy and
keyword detectors (they take commit hashes and ids of tests for secrets), its patterns for npm, JSON Web Tokens, basic
auth and OpenAI (quadratic or worse), and those for Telegram, Twilio and Artifactory (a time and a hash, an id that is
no secret, a word in capitals). Of ours, each repetition is bounded or begins where no other can.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from hashlib import blake2b
from itertools import chain
from typing import TypeVar

import msgspec
from detect_secrets.plugins.aws import AWSKeyDetector
from detect_secrets.plugins.azure_storage_key import AzureStorageKeyDetector
from detect_secrets.plugins.github_token import GitHubTokenDetector
from detect_secrets.plugins.gitlab_token import GitLabTokenDetector
from detect_secrets.plugins.pypi_token import PypiTokenDetector
from detect_secrets.plugins.sendgrid import SendGridDetector
from detect_secrets.plugins.slack import SlackDetector
from detect_secrets.plugins.square_oauth import SquareOAuthDetector
from detect_secrets.plugins.stripe import StripeDetector
from msgspec import Struct

from contracts.records import TestExecution
from gateway.ingest.shortened import shortened

S = TypeVar("S", bound=Struct)

PROSE = frozenset(("message", "details", "url"))
UNTOUCHED = frozenset(("project", "author", "outcome", "trigger", "state", "status"))
ROOM = 256
"""Characters that a text may grow to by its marks; a longer one does not grow, for a record has a largest size."""


class _Kind(Struct, frozen=True):
    """One pattern: only a text with one of `words` can have it. Its group `secret` goes, or all where it has none."""

    name: str
    words: tuple[str, ...]
    pattern: re.Pattern[str]
    group: int


def _kinds(name: str, words: str, patterns: Iterable[re.Pattern[str] | str]) -> Iterator[_Kind]:
    for one in patterns:
        pattern = re.compile(one, re.ASCII | re.DOTALL) if isinstance(one, str) else one
        yield _Kind(name, tuple(words.split()), pattern, pattern.groupindex.get("secret", 0))


_KEYS = [
    f"{whose}{between}key"
    for whose in ("api", "access", "secret", "private", "auth", "account")
    for between in ("", "[_-]")
]


def _behind(*names: str) -> str:
    """An equals sign or a colon right behind one of the names; found by the sign, for that is rare in a text."""
    ends = "|".join(f"(?<={one}{filler}.)" for one in names for filler in ("", r"""["' ]""", r"""\\["']"""))
    return rf"""[=:](?<=[dentyDENTY"' ].)(?i:{ends})"""


_PASSWORDS = ("password", "passwd", "pwd", "passphrase", "secret")
_PASSWORD, _TOKEN = _behind(*_PASSWORDS), _behind("token", "authorization", *_KEYS)
_NO_VALUE = r"(?![*$%{<(\[]|(?i:null|none|nil|true|false|undefined)\b)"
_ITSELF = rf"(?![A-Za-z_.]{{0,64}}(?i:{'|'.join(_PASSWORDS)})\b)"  # password=password, as code has it
_PLAIN = r"""[^\s"'\\&,;()\[\]<>]"""

_TOKENS = tuple(
    chain(
        _kinds("aws-access-key", "AKIA ASIA ABIA ACCA A3T", AWSKeyDetector.denylist[:1]),
        _kinds("github-token", "ghp_ gho_ ghu_ ghs_ ghr_", GitHubTokenDetector.denylist),
        _kinds("github-token", "github_pat_", [r"github_pat_\w{22,255}"]),
        _kinds("gitlab-token", "gl GR1348941", GitLabTokenDetector.denylist),
        _kinds("slack-token", "xox XOX", SlackDetector.denylist[:1]),
        _kinds("slack-webhook", "hooks.slack.com", SlackDetector.denylist[1:]),
        _kinds("gcp-api-key", "AIza", [r"AIza[\w-]{35}"]),
        _kinds("npm-token", "npm_", [r"npm_[A-Za-z0-9]{36}"]),
        _kinds("pypi-token", "pypi-", PypiTokenDetector.denylist),
        _kinds("argus-token", "argus_", [r"argus_[a-z2-7]{8}_[\w-]{43}"]),
        _kinds("stripe-key", "_live_", StripeDetector.denylist),
        _kinds("sendgrid-key", "SG.", SendGridDetector.denylist),
        _kinds("square-secret", "sq0csp-", SquareOAuthDetector.denylist),
        _kinds("azure-storage-key", "AccountKey=", AzureStorageKeyDetector.denylist),
        _kinds("api-key", "sk-", [r"sk-(?<![\w-]sk-)(?:ant-[\w-]{20,200}|[\w-]{0,100}T3BlbkFJ[\w-]{20,200})"]),
        _kinds("jwt", "eyJ", [r"eyJ(?<![\w-]eyJ)[\w-]{8,}\.eyJ[\w-]{8,}(?:\.[\w-]*)?"]),
    )
)
_ASSIGNED = tuple(
    chain(
        _kinds(
            "private-key", "PRIVATE",
            [r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----(?:(?!-----).)*(?:-----END [A-Z0-9 ]{0,50}-----)?"],
        ),
        _kinds(
            "authorization", "earer asic oken igest EARER",
            [
                rf"""{_behind("authorization")} {{0,2}}\\?["']?(?i:bearer|basic|token|digest) +"""
                r"""(?P<secret>[^\s"',;\\\[]{4,})""",
                r"B(?:earer|EARER) +(?=[A-Za-z._~+/-]{0,64}\d)(?P<secret>[\w.~+/=-]{8,})",
            ],
        ),
        _kinds("basic-auth", "@", [rf"://[^\s/?#@:\[\]]{{0,200}}:{_NO_VALUE}(?P<secret>[^\s/?#@\[\]]{{1,200}})@"]),
        _kinds(
            "password", "= : --",
            [
                rf"{_PASSWORD}(?<==){_NO_VALUE}{_ITSELF}(?P<secret>{_PLAIN}{{3,}})",
                rf"""{_PASSWORD} {{0,2}}\\?["']{_NO_VALUE}{_ITSELF}(?P<secret>[^\s"'\\]{{3,}})""",
                rf"{_PASSWORD} {{0,2}}{_NO_VALUE}(?={_PLAIN}{{0,64}}[\d!@#$%^*])(?P<secret>{_PLAIN}{{6,}})",
                rf"--(?i:{'|'.join(_PASSWORDS)}) {_NO_VALUE}(?!-)(?P<secret>{_PLAIN}{{3,}})",
            ],
        ),
        _kinds(
            "token", "= : --",
            [
                rf"""(?:{_TOKEN} {{0,2}}\\?["']?|--(?i:token|api-key) ){_NO_VALUE}"""
                r"(?=[A-Za-z._~+/=-]{0,64}\d)(?P<secret>[\w.~+/=-]{8,})"
            ],
        ),
        _kinds(
            "email", "@",
            [r"(?<![\w.+-])(?!git@)[\w.+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){0,8}\.[A-Za-z]{2,24}\b"],
        ),
    )
)  # fmt: skip

# What the above have in common with little else, so that most texts are looked at once: characters that are rare, and
# behind or ahead of each the words that make it suspicious.
_TOKEN_HINT = "|".join(
    (
        r"_(?=[A-Za-z0-9]{6})(?:(?<=gh[pousr]_)|(?<=hub_pat_)|(?<=npm_)|(?<=argus_)|(?<=_live_))",
        r"-(?<=[A-Za-z]-)(?=[\w-]{8})"
        r"(?:(?<=[xX][oO][xX].-)|(?<=gl..-)|(?<=gl...-)|(?<=gl....-)|(?<=gl.....-)|(?<=pypi-)|(?<=sk-)|(?<=0csp-))",
        r"A(?:KIA|SIA|BIA|CCA|3T|Iza|ccountKey=)",
        r"J(?<=eyJ)|GR1348941|SG\.|T(?<=/services/T)",
    )
)
_NAME_ENDS = (r"(?i:word|sswd|rase|cret|oken|[_\-ipst]key|tion)", "(?i:pwd)")
_ASSIGNS = "|".join(rf"""(?<={end}[\\"' ]{{{between}}}.)""" for end in _NAME_ENDS for between in range(3))
_HINT = re.compile(_TOKEN_HINT, re.ASCII)
_PROSE_HINT = re.compile(
    rf"""{_TOKEN_HINT}|[=:](?<=[dentyDENTY"' ].)(?:{_ASSIGNS})|@|B(?=EGIN |earer |EARER )|-(?<=--)(?=[pstaPSTA])""",
    re.ASCII,
)


def redacted(record: S) -> S:
    """The record without the secrets in its texts; itself when there are none.

    >>> from contracts.records import ProductionError
    >>> one = ProductionError(project="a/b", error="1", service="s", message="pwd=x7y8z9", at_ms=1_800_000_000_000)
    >>> redacted(one).message
    'pwd=[redacted:password]'
    """
    changed = {}
    for field in record.__struct_fields__:
        value = getattr(record, field)
        if type(value) is str and field not in UNTOUCHED:
            clean: object = prose(value) if field in PROSE else name(value)
        elif type(value) is list and value:
            clean = [one if isinstance(one, TestExecution) and _is_clean(one) else redacted(one) for one in value]
            if all(new is old for new, old in zip(clean, value, strict=True)):
                continue
        else:
            continue
        if clean is not value:
            changed[field] = clean
    return msgspec.structs.replace(record, **changed) if changed else record


def prose(text: str) -> str:
    """A text for people, without any secret that is known by its shape or by what stands before it.

    >>> prose("clone https://ann:x1@example.org/a.git failed; ask ann@example.org")
    'clone https://ann:[redacted:basic-auth]@example.org/a.git failed; ask [redacted:email]'
    """
    if _PROSE_HINT.search(text) is None:
        return text
    # a hash of what is cut would let a short password be guessed
    return _without(text, (*_TOKENS, *_ASSIGNED), lambda kind, _: f"[redacted:{kind}]")[: _room(text)]


def name(text: str) -> str:
    """What something is called, without tokens: different tokens have different marks, and so has what marks push out.

    >>> name("test_login[AKIAIOSFODNN7EXAMPLE]")
    'test_login[[redacted:aws-access-key:be1002d3]]'
    """
    if _HINT.search(text) is None:
        return text
    clean = _without(
        text, _TOKENS, lambda kind, secret: f"[redacted:{kind}:{blake2b(secret.encode(), digest_size=4).hexdigest()}]"
    )
    return shortened(clean, _room(text), text)


def _room(text: str) -> int:
    return max(len(text), ROOM)


def _is_clean(test: TestExecution) -> bool:
    """Whether there is nothing to look for; most tests have passed, and their names are parts of their identity."""
    whole = test.test
    if _HINT.search(whole):
        return False
    for part in (test.suite, test.classname, test.name, test.params):
        if part and part not in whole and _HINT.search(part):
            return False
    return not any(text and _PROSE_HINT.search(text) for text in (test.message, test.details))


def _without(text: str, kinds: Iterable[_Kind], mark: Callable[[str, str], str]) -> str:
    clean = text
    for kind in kinds:
        if any(word in clean for word in kind.words):
            clean = kind.pattern.sub(partial(_marked, kind, mark), clean)
    return text if clean == text else clean


def _marked(kind: _Kind, mark: Callable[[str, str], str], found: re.Match[str]) -> str:
    start, end = found.start(kind.group) - found.start(), found.end(kind.group) - found.start()
    return found[0][:start] + mark(kind.name, found[kind.group]) + found[0][end:]
