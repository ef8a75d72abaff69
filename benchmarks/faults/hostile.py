"""What a sender does who is careless, or means harm: each case is over in about a second, and says what was wrong.

Whatever must not get in says `never` in its project or run, and what a tenant says of himself has his canary in it:
both are looked for afterwards wherever anything is kept or shown.
"""

import gzip
import hmac
import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha1
from random import Random
from typing import Any

from benchmarks.faults.asking import Answer
from benchmarks.faults.door import CANARY, EVENTS_ROUTE, TENANTS, Front
from benchmarks.observed import log_of
from benchmarks.private import memory_mb, reset_peak
from contracts.topics import DEAD_LETTERS, EVENTS
from feature_store.connections import valkey_client
from gateway.ingest.body import MIB, Caps

NEVER = "never"
JUNIT_ROUTE = "/api/v1/ingest/junit?project={tenant}/{project}&run={run}&job=unit"
DELIVERIES, MOST_TIMES, AT_ONCE = 6, 5, 24
GROWTH_CAPS = 2
"""The gateway's memory grows by at most so many times the cap of a body."""

Case = Callable[[Front, str, Random], list[str]]


def duplicates(front: Front, name: str, chance: Random) -> list[str]:
    """Each delivery one to five times, in any order and at once; then its key with something else."""
    runs = [f"{name}-{at}" for at in range(DELIVERIES)]
    sent = [run for run in runs for _ in range(chance.randint(1, MOST_TIMES))]
    chance.shuffle(sent)

    bodies = {run: [_event("acme/app-0", run)] for run in runs}

    def send(run: str) -> Answer:
        return _events(front, "acme", bodies[run], {"Idempotency-Key": run})

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(send, sent))
    front.sent |= {("acme/app-0", run): "acme" for run in runs}
    wrong = [f"{run}: answered {one.status} {one.text}" for run, one in zip(sent, answers, strict=True)
             if one.status != 202 or sum(one.counted[:2]) != 1]  # fmt: skip
    later = [send(run) for run in runs]
    wrong += [f"{run}: not known again, {one.text}" for run, one in zip(runs, later, strict=True)
              if one.counted != (0, 1, 0)]  # fmt: skip
    other = _events(front, "acme", [_event("acme/app-0", f"{NEVER}-{name}")], {"Idempotency-Key": runs[0]})
    return wrong + _unless(other, {422}, "a key used for something else")


def garbage(front: Front, name: str, chance: Random) -> list[str]:
    """Lines that are no records among some that are: these are taken, and each of those is refused by its line."""
    runs = [f"{name}-{at}" for at in range(DELIVERIES)]
    good = [json.dumps(_event("acme/app-3", run)).encode() for run in runs]
    never = _event("acme/never", f"{NEVER}-{name}")
    wrong = [
        b"{", b"null", b"[]", b'"', b"\xff\xfe", b"\x00", b"NaN", b'{"a":' * 5_000, b"x" * 200_000,
        *(json.dumps({**never, **told}).encode() for told in (
            {"project": None}, {"project": "acme"}, {"run": ""}, {"run": "a\nb"}, {"outcome": "perhaps"},
            {"attempt": 0}, {"finished_ms": 1}, {"finished_ms": 2**70}, {"finished_ms": never["finished_ms"] + 10**8},
            {"type": "argus.tick"}, {"type": 7}, {"message": ["x"]},
        )),
    ]  # fmt: skip
    lines = good + wrong
    chance.shuffle(lines)
    answer = _post(front, "acme", EVENTS_ROUTE, b"\n".join(lines))
    front.sent |= {("acme/app-3", run): "acme" for run in runs}
    if answer.status == 202 and answer.counted == (len(good), 0, len(wrong)):
        return []
    return [f"{len(good)} lines of {len(lines)} are good: answered {answer.status} {answer.text[:300]}"]


def oversize(front: Front, name: str, chance: Random) -> list[str]:
    """More than a body may hold: without a length, packed, in one document, in parts, in depth; and many at a time."""
    line = json.dumps(_event("acme/never", f"{NEVER}-{name}")).encode() + b"\n"
    block = line * (MIB // len(line))
    endless = (block for _ in range(Caps().received // MIB + 2))
    wide = b"{" + b",".join(b'"k%d":0' % at for at in range(1_000_000)) + b"}"
    files = b"".join(_part(f"f{at}.xml", b"<never/>") for at in range(100_000)) + b"--x--\r\n"
    deep = b"[" * chance.randint(100_000, 1_000_000)
    as_json, packed = {"Content-Type": "application/json"}, {"Content-Encoding": "gzip"}
    form = {"Content-Type": "multipart/form-data; boundary=x"}
    junit = JUNIT_ROUTE.format(tenant="acme", project=NEVER, run=f"{NEVER}-{name}")
    wrong = _unless(_post(front, "acme", EVENTS_ROUTE, endless), {413, 0}, "a body without an end")
    bomb = gzip.compress(b"\n" * 200 * MIB)
    wrong += _unless(_post(front, "acme", EVENTS_ROUTE, bomb, packed), {413}, f"{len(bomb)} bytes of gzip, 200 MiB")
    wrong += _unless(_post(front, "acme", EVENTS_ROUTE, wide, as_json), {422}, "a million names")
    wrong += _unless(_post(front, "acme", EVENTS_ROUTE, wide), {422}, "a million names in a line")
    wrong += _unless(_post(front, "acme", EVENTS_ROUTE, deep, as_json), {422}, f"{len(deep)} levels")
    wrong += _unless(_post(front, "acme", junit, files, form), {400, 413, 422}, "100,000 files")
    crowd = b"[" + b"[]," * (2 * MIB // 3 - 10) + b"0]"
    with ThreadPoolExecutor(AT_ONCE) as pool:
        many = list(pool.map(lambda _: _post(front, "acme", EVENTS_ROUTE, crowd, as_json), range(AT_ONCE)))
    return wrong + [told for one in many for told in _unless(one, {422, 503}, f"{AT_ONCE} documents of 2 MiB at once")]


def signatures(front: Front, name: str, _: Random) -> list[str]:
    """Deliveries that nobody signed who may, and the same with each of two secrets that are valid."""
    oldest, old, new = front.secrets["acme", "github"]
    foreign, shown_by_gitlab = front.secrets["globex", "github"][-1], front.secrets["acme", "gitlab"][-1]
    bad = json.dumps(_delivery(f"{NEVER}-{name}")).encode()
    path = "/api/v1/ingest/github?tenant=acme"

    def signed(body: bytes, secret: str) -> dict[str, str]:
        return {"X-Hub-Signature-256": "sha256=" + hmac.new(secret.encode(), body, "sha256").hexdigest()}

    upper = signed(bad, new)["X-Hub-Signature-256"].upper()
    forged: dict[str, tuple[bytes, dict[str, str]]] = {
        "no signature": (bad, {}),
        "a wrong one": (bad, signed(bad, "guessed")),
        "in capitals": (bad, {"X-Hub-Signature-256": upper}),
        "SHA-1 alone": (bad, {"X-Hub-Signature": "sha1=" + hmac.new(new.encode(), bad, sha1).hexdigest()}),
        "another tenant's secret": (bad, signed(bad, foreign)),
        "a secret that was rotated out": (bad, signed(bad, oldest)),
        "written anew": (json.dumps(json.loads(bad), indent=1).encode(), signed(bad, new)),
        "a byte order mark before": (b"\xef\xbb\xbf" + bad, signed(bad, new)),
    }
    wrong = []
    for what, (body, headers) in forged.items():
        wrong += _unless(_post(front, "", path, body, headers), {401}, f"github, {what}")
    gitlab = "/api/v1/ingest/gitlab?tenant=acme"
    for what, shown in {"no token": "", "a wrong one": "guessed", "github's": new, "cut": shown_by_gitlab[:-1]}.items():
        wrong += _unless(_post(front, "", gitlab, bad, {"X-Gitlab-Token": shown}), {401}, f"gitlab, {what}")
    for at, secret in enumerate((old, new)):
        run = f"{name}-{at}"
        body = json.dumps(_delivery(run)).encode()
        wrong += _unless(_post(front, "", path, body, signed(body, secret)), {202}, f"github, valid secret {at}")
        front.sent["acme/app-1", run] = "acme"
    return wrong


def tenants(front: Front, name: str, _: Random) -> list[str]:
    """One tenant in another's place: in bodies, parameters, keys, webhooks and under the same idempotency key."""
    bad = [_event("globex/never", f"{NEVER}-{name}")]
    wrong = _unless(_events(front, "acme", bad), {422}, "another's project in the body")
    junit = JUNIT_ROUTE.format(tenant="globex", project=NEVER, run=f"{NEVER}-{name}")
    report = b'<testsuite name="s"><testcase name="t"/></testsuite>'
    wrong += _unless(_post(front, "acme", junit, report), {422}, "another's project in the query")
    key = "/api/v1/features/project:globex/app-0:failure_rate_24h"
    wrong += _unless(front.ask("GET", key, tenant="acme"), {403}, "another's feature")
    both = [_event(f"{tenant}/app-2", name) for tenant in TENANTS]
    for tenant, other in (TENANTS, TENANTS[::-1]):
        told = _events(front, tenant, both, {"Idempotency-Key": name})
        front.sent[f"{tenant}/app-2", name] = tenant
        if told.status != 202 or told.counted != (1, 0, 1):
            wrong.append(f"{tenant}: the same delivery of both tenants was answered {told.status} {told.text}")
        if CANARY.format(tenant=other) in told.text:
            wrong.append(f"{tenant} is shown {other}'s text: {told.text}")
    return wrong


def junit(front: Front, name: str, chance: Random) -> list[str]:
    """XML that grows, reads files, or never ends."""
    case = b'<testcase name="t%d"/>'
    depth = chance.randint(100_000, 200_000)
    laughs = b"".join(b'<!ENTITY a%d "%s">' % (at, b"&a%d;" % (at - 1) * 10) for at in range(1, 10))
    long = b'<!ENTITY a "' + b"x" * 50_000 + b'">'
    files = {
        "billion laughs": b'<!DOCTYPE s [<!ENTITY a0 "ha">' + laughs + b"]><testsuite>&a9;</testsuite>",
        "quadratic": b"<!DOCTYPE s [" + long + b"]><testsuite>" + b"&a;" * 5_000 + b"</testsuite>",
        "an external entity": b'<!DOCTYPE s [<!ENTITY a SYSTEM "file:///etc/passwd">]><testsuite>&a;</testsuite>',
        "a document type": b'<!DOCTYPE testsuite SYSTEM "http://127.0.0.1:9/never.dtd"><testsuite/>',
        f"{depth} levels": b"<testsuite>" * depth + b"</testsuite>" * depth,
        "a million cases": b"<testsuite>" + b"".join(case % at for at in range(1_000_000)) + b"</testsuite>",
        "half a file": b"<testsuite>" + b"".join(case % at for at in range(1_000)),
    }  # fmt: skip
    path = JUNIT_ROUTE.format(tenant="acme", project="app", run=f"{NEVER}-{name}")
    wrong = []
    for what, body in files.items():
        wrong += _unless(_post(front, "acme", path, body), {413, 422}, what)
    bomb = gzip.compress(b"<testsuite>" + b" " * 200 * MIB + b"</testsuite>")
    return wrong + _unless(_post(front, "acme", path, bomb, {"Content-Encoding": "gzip"}), {413}, "packed spaces")


CASES: dict[str, Case] = {
    "duplicates": duplicates, "garbage": garbage, "oversize": oversize, "signatures": signatures, "tenants": tenants,
    "junit": junit,
}  # fmt: skip

SLOW = ("oversize", "junit")
"""What takes seconds, for all that is sent."""


def growth_mb(front: Front, name: str, case: str, chance: Random) -> tuple[list[str], float]:
    """What was wrong in one case, and by how much the gateway's memory grew over it at its peak, in MB."""
    pid = front.pid
    reset_peak(pid)
    before = memory_mb(pid, "VmRSS")
    wrong = CASES[case](front, f"{case}-{name}", chance)
    grown = memory_mb(pid, "VmHWM") - before
    most = GROWTH_CAPS * Caps().received / MIB
    if grown > most:
        wrong.append(f"the gateway grew by {grown:.0f} MB, more than {most:.0f}")
    return [f"{case}, {name}: {one}" for one in wrong], grown


def strangers(front: Front) -> list[str]:
    """Where something lies that must never have got in, or one tenant's text under another's name."""
    settings = front.one.settings
    wrong = []
    for topic in (*EVENTS, DEAD_LETTERS):
        for message in log_of(settings, topic):
            text = (message.key() or b"") + (message.value() or b"") + repr(message.headers()).encode()
            if NEVER.encode() in text:
                wrong.append(f"{topic.name}: {text[:200]!r} got in")
            wrong += _foreign(topic.name, (message.key() or b""), text)
    client = valkey_client(settings.valkey.get_secret_value(), timeout_s=10)
    try:
        for key in client.scan_iter(match=f"{settings.namespace}:*", count=1_000):
            kept = client.get(key) if client.type(key) == b"string" else json.dumps(str(client.hgetall(key))).encode()
            wrong += _foreign(f"Valkey {key!r}", key, kept or b"")
    finally:
        client.close()
    shown = front.ask("GET", "/metrics").text + front.log()
    wrong += [f"logs or metrics show {tenant}'s text" for tenant in TENANTS if CANARY.format(tenant=tenant) in shown]
    return wrong + [f"logs show the token of {tenant}" for tenant, token in front.tokens.items() if token in shown]


def _foreign(where: str, key: bytes, text: bytes) -> Iterator[str]:
    for tenant, other in (TENANTS, TENANTS[::-1]):
        if tenant.encode() in key and CANARY.format(tenant=other).encode() in text:
            yield f"{where}: {other}'s text under {tenant}"


def _event(project: str, run: str) -> dict[str, Any]:
    now_ms = time.time_ns() // 1_000_000
    message = CANARY.format(tenant=project.partition("/")[0])
    return {
        "project": project, "run": run, "job": "build", "outcome": "failure", "finished_ms": now_ms, "message": message,
    }  # fmt: skip


def _delivery(run: str) -> dict[str, Any]:
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    job = {"run_id": run, "run_attempt": 1, "name": "unit", "conclusion": "failure", "completed_at": now}
    return {"action": "completed", "workflow_job": job, "repository": {"full_name": "acme/app-1"}}


def _part(name: str, content: bytes) -> bytes:
    return b'--x\r\nContent-Disposition: form-data; name="file"; filename="%s"\r\n\r\n%s\r\n' % (name.encode(), content)


def _unless(answer: Answer, wanted: set[int], what: str) -> list[str]:
    return [] if answer.status in wanted else [f"{what} was answered {answer.status} {answer.text[:200]}"]


def _events(front: Front, tenant: str, events: list[dict[str, Any]], headers: dict[str, str] | None = None) -> Answer:
    return _post(front, tenant, EVENTS_ROUTE, "\n".join(map(json.dumps, events)).encode(), headers)


def _post(
    front: Front, tenant: str, path: str, body: bytes | Iterator[bytes], headers: dict[str, str] | None = None
) -> Answer:
    return front.ask("POST", path, tenant=tenant, body=body, headers=headers)
