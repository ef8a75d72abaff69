"""JUnit files in the body of a request: one as it is, or several as the files of a form or the members of archives."""

from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from hashlib import blake2b
from typing import BinaryIO

import msgspec
from fastapi import HTTPException
from msgspec import Struct
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from contracts.records import TestReportPart
from gateway.ingest import archives, junit
from gateway.ingest.archives import Member
from gateway.ingest.body import PIECE, Body
from gateway.ingest.refusal import Refusal
from gateway.ingest.row import Row

MOST_FILES = 100


class Upload(Struct, frozen=True):
    """What was uploaded: its rows, and a hash of its files whatever form they came in."""

    rows: Iterator[Row | Refusal]
    digest: str


class _Parser(MultiPartParser):
    spool_max_size = PIECE


@asynccontextmanager
async def uploaded(
    body: Body, headers: Mapping[str, str], part: TestReportPart, report: str | None, now_ms: int
) -> AsyncIterator[Upload]:
    """What is in a body, to be read within the block; `part` says whose tests they are.

    Each file is a report of its own. It is called `report`, or `report/<file name>` in a form or an archive; without
    one it is called by what it says as well, for files of one name come from many places. Tests whose file tells no
    time finished at `now_ms`. Raises HTTPException 400 for a form that is none, or has no file.
    """
    if not headers.get("content-type", "").lower().startswith("multipart/"):
        name = report or f"junit-{body.digest[:12]}"
        one = Member(name, body.file, body.digest)
        if archives.is_archive(await run_in_threadpool(_start, body.file)):
            read = _read(_named(archives.members(body.file, name), report), part, now_ms)
        else:
            read = _read([(name, one)], part, now_ms)
        yield Upload(read, body.digest)
        return
    form = await _form(body, headers)
    try:
        files = [await run_in_threadpool(_file, one) for _, one in form.multi_items() if isinstance(one, UploadFile)]
        if not files:
            raise HTTPException(400, "the form has no file: curl -F file=@report.xml")
        whole = blake2b("".join(f"{one.name}\n{one.digest}\n" for one in files).encode(), digest_size=16)
        yield Upload(_read(_named(_unpacked(files), report), part, now_ms), whole.hexdigest())
    finally:
        await form.close()


async def _form(body: Body, headers: Mapping[str, str]) -> FormData:
    async def pieces() -> AsyncGenerator[bytes, None]:
        while piece := body.file.read(PIECE):
            yield piece
        yield b""

    try:
        return await _Parser(Headers(headers), pieces(), max_files=MOST_FILES, max_fields=0).parse()
    except MultiPartException as bad:
        raise HTTPException(400, f"the form cannot be read: {bad.message}") from bad
    except ValueError as bad:
        raise HTTPException(400, f"the form cannot be read: {type(bad).__name__}") from bad


def _start(file: BinaryIO) -> bytes:
    start = file.read(archives.START)
    file.seek(0)
    return start


def _file(sent: UploadFile) -> Member:
    digest = blake2b(digest_size=16)
    while piece := sent.file.read(PIECE):
        digest.update(piece)
    sent.file.seek(0)
    return Member(archives.shown(sent.filename or "file"), sent.file, digest.hexdigest())


def _unpacked(files: Iterable[Member]) -> Iterator[Member | Refusal]:
    """The files of a form, archives among them as their members."""
    for file in files:
        if not archives.is_archive(_start(file.content)):
            yield file
            continue
        for one in archives.members(file.content, file.name):
            yield replace(one, name=f"{file.name}/{one.name}") if isinstance(one, Member) else one


def _named(files: Iterable[Member | Refusal], report: str | None) -> Iterator[tuple[str, Member] | Refusal]:
    """Each file with the name of its report, no two alike."""
    used: set[str] = set()
    for one in files:
        if isinstance(one, Refusal):
            yield one
            continue
        name = junit.short(f"{report}/{one.name}" if report else f"{one.name}-{one.digest[:8]}")
        unique, number = name, 1
        while unique in used:
            number += 1
            unique = junit.short(f"{name}#{number}")
        used.add(unique)
        yield unique, one


def _read(files: Iterable[tuple[str, Member] | Refusal], part: TestReportPart, now_ms: int) -> Iterator[Row | Refusal]:
    for found in files:
        if isinstance(found, Refusal):
            yield found
            continue
        report, one = found
        yield from junit.read(one.content, one.name, msgspec.structs.replace(part, report=report), now_ms)
