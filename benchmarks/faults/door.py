"""One case at the front door: two tenants send until all is answered, and something is killed meanwhile."""

import json
import os
import resource
import signal
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from random import Random

from argus.stack.logs import log_path
from benchmarks.faults.asking import TIMEOUT_S, Answer, ask
from benchmarks.faults.kills import kill
from benchmarks.observed import log_of, until
from benchmarks.private import Private
from benchmarks.running import Running
from contracts.errors import DeadlineExceeded
from contracts.records import JobExecution, TestReportPart, decode
from contracts.topics import RUNS, TEST_RESULTS
from feature_store.log import is_tick
from gateway.tenants import Tenants
from gateway.webhook_secrets import VALID_SECRETS, WebhookSecrets

GATEWAY, FREEZE, FULL = "gateway", "kafka-frozen", "kafka-disk-full"
FAULTS = (GATEWAY, "kafka", FREEZE, FULL, "valkey", "postgres")
FROZEN_S = 3.0
TENANTS, CANARY = ("acme", "globex"), "canary-{tenant}"
"""Who sends, and what each of them says of himself in everything."""
REQUESTS, EVENTS = 40, 5
"""Requests of each tenant in a case, and job events in each."""
EVENTS_ROUTE = "/api/v1/ingest/events"
READY_S, ENDS_S, AGAIN_S, ANSWERS_S = 30.0, 60.0, 0.2, 30.0

Sent = dict[tuple[str, str], str]
"""(project, run) of each event that was answered with 202 -> the tenant who sent it."""


@dataclass(frozen=True)
class Outcome:
    """`answered` requests of `requests` were answered at the kill; `again` were sent more than once."""

    fault: str
    seed: int
    answered: int
    requests: int
    again: int

    @property
    def was_mid(self) -> bool:
        """Whether the kill hit senders at work."""
        return 0 < self.answered < self.requests


@dataclass
class Front:
    """A gateway in a namespace, and what its tenants have had acknowledged.

    `reported` are the runs whose report was acknowledged too; `secrets` a tenant's for a sender's webhooks, the oldest
    first: that one is no longer valid. `refused` is the last answer that was not 202.
    """

    one: Running
    tokens: dict[str, str]
    secrets: dict[tuple[str, str], list[str]]
    sent: Sent = field(default_factory=dict)
    reported: set[tuple[str, str]] = field(default_factory=set)
    wrong: list[str] = field(default_factory=list)
    refused: Answer | None = None

    @property
    def pid(self) -> int:
        """Of the gateway's process."""
        return self.one.writer_pid(GATEWAY)

    def ails(self) -> str:
        """Whether the gateway runs, and what it said last to one who was not served."""
        code = self.one.ended(GATEWAY)
        return f"the gateway {'runs' if code is None else f'ended with {code}'}; last refusal: {self.refused}"

    def log(self) -> str:
        """What the gateway has logged."""
        return log_path(self.one.data, f"{self.one.settings.namespace}-{GATEWAY}").read_text(errors="replace")

    def ready(self) -> None:
        """Wait until the gateway answers. Raises DeadlineExceeded."""
        until(
            "the gateway is ready", lambda: self.ask("GET", "/healthz", timeout_s=5).status == 200, deadline_s=READY_S
        )

    def ask(
        self,
        method: str,
        path: str,
        *,
        tenant: str = "",
        body: bytes | Iterator[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> Answer:
        """The answer to one request, with the token of `tenant` if one is given."""
        token = self.tokens.get(tenant, "")
        where = self.one.settings.gateway
        return ask(where, method, path, token=token, body=body, headers=headers, timeout_s=timeout_s)


def opened(one: Running) -> Front:
    """The gateway started, both tenants with a token."""
    where = (one.settings, partial(datetime.now, UTC))
    tenants, kept, tokens = Tenants.of(*where), WebhookSecrets.of(*where), {}
    for tenant in TENANTS:
        tenants.create(tenant, "faults")
        tokens[tenant] = tenants.create_token(tenant, label="", scopes=["ingest"], life=None, actor="faults")
    one.start_writer(GATEWAY)
    secrets = {
        (tenant, sender): [kept.create(tenant, sender, "faults") for _ in range(1 + VALID_SECRETS)]
        for tenant in TENANTS
        for sender in ("github", "gitlab")
    }
    front = Front(one, tokens, secrets)
    front.ready()
    return front


def run(front: Front, fault: str, seed: int) -> Outcome:
    """One case. What was answered with 202 is added to `front.sent`, what should not have been to `front.wrong`.

    Raises DeadlineExceeded when a request is never accepted.
    """
    chance = Random(f"{seed} {fault}")
    answered, again = [0], [0]

    def send(tenant: str, number: int) -> None:
        tries = _send(front, tenant, f"{seed}-{fault}-{number}")
        answered[0] += 1
        again[0] += tries > 1

    pool = ThreadPoolExecutor(2 * len(TENANTS))
    try:
        sending = [pool.submit(send, tenant, number) for number in range(REQUESTS) for tenant in TENANTS]
        at = chance.randint(2, REQUESTS)
        try:
            until(f"{at} requests are answered", lambda: answered[0] >= at, deadline_s=ENDS_S, every_s=0.001)
        except DeadlineExceeded as late:
            raise DeadlineExceeded(f"{late}; {front.ails()}") from late
        done = answered[0]
        _fault(front, fault)
        for one in sending:
            one.result(2 * ENDS_S)
    finally:
        pool.shutdown(cancel_futures=True)
    return Outcome(fault, seed, done, len(sending), again[0])


def missing(front: Front) -> list[str]:
    """What was acknowledged and is not on the log, lies there under a tenant who did not send it, or says two things.

    A reader drops what he has had by its identity: that a report was sent twice must leave him nothing to choose from.
    """
    settings, wrong = front.one.settings, list(front.wrong)
    runs = [decode(JobExecution, one.value()) for one in log_of(settings, RUNS) if not is_tick(one)]
    parts: dict[tuple[str, str], set[bytes]] = {}
    for one in log_of(settings, TEST_RESULTS):
        if not is_tick(one):
            part = decode(TestReportPart, one.value())
            parts.setdefault((part.project, part.run), set()).add(one.value())
    wrong += [
        f"{run.project} {run.run} has the text {run.message}"
        for run in runs
        if run.message not in (None, CANARY.format(tenant=run.project.partition("/")[0]))
    ]
    wrong += [f"the report of {at} says {len(told)} things" for at, told in parts.items() if len(told) > 1]
    found = {(run.project, run.run) for run in runs}
    wrong += [f"{at} was acknowledged and is not on the log" for at in front.sent if at not in found]
    return wrong + [f"the report of {at} was acknowledged and is not on the log" for at in front.reported - set(parts)]


def _send(front: Front, tenant: str, name: str) -> int:
    """Send until it is accepted, as CI would; how often that was. Its last event is another tenant's project's."""
    other = TENANTS[1 - TENANTS.index(tenant)]
    runs = [(f"{tenant}/app-{at}", f"{name}-{at}") for at in range(EVENTS)]
    now_ms = time.time_ns() // 1_000_000
    lines = [
        {
            "project": project,
            "run": run,
            "job": "build",
            "outcome": "failure",
            "finished_ms": now_ms,
            "message": CANARY.format(tenant=tenant),
        }
        for project, run in [*runs, (f"{other}/app-0", f"{name}-foreign")]
    ]
    report = {
        "project": runs[0][0], "run": runs[0][1], "job": "unit", "report": "unit.xml", "k": 1, "n": 1,
        "tests": [{"test": "t", "outcome": "fail", "finished_ms": now_ms, "message": CANARY.format(tenant=tenant)}],
    }  # fmt: skip
    body = "\n".join(map(json.dumps, [*lines, report])).encode()
    ends_s, tries, answer = time.monotonic() + ENDS_S, 0, Answer(0, "")
    while time.monotonic() < ends_s:
        tries += 1
        answer = front.ask("POST", EVENTS_ROUTE, tenant=tenant, body=body, timeout_s=ANSWERS_S)
        if answer.status != 202:
            if answer.status >= 500 and answer.status != 503:
                front.wrong.append(f"{tenant}: {answer.status} {answer.text[:200]}")
            front.refused = answer
            time.sleep(AGAIN_S)
            continue
        front.sent |= dict.fromkeys(runs, tenant)
        front.reported.add(runs[0])
        accepted, duplicate, refused = answer.counted
        if (accepted + duplicate, refused) != (EVENTS + 1, 1):
            front.wrong.append(f"{tenant} {name}: answered {answer.text}")
        return tries
    raise DeadlineExceeded(f"{tenant} {name}: not accepted within {ENDS_S:.0f} s, {tries} tries; {front.ails()}")


def _fault(front: Front, fault: str) -> None:
    if fault == FREEZE:
        pid = Private(front.one.data).pid("kafka")
        os.kill(pid, signal.SIGSTOP)
        time.sleep(FROZEN_S)
        os.kill(pid, signal.SIGCONT)
    elif fault == FULL:
        # no file of this process may grow any more: to the broker the same as a disk without room
        pid = Private(front.one.data).pid("kafka")
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, 0))
        until("the broker has stopped", lambda: not Path(f"/proc/{pid}/exe").exists(), deadline_s=ENDS_S)
    else:
        kill(front.one, fault)
        front.ready()
