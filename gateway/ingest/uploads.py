"""JUnit files in the body of a request: one as it is, or several as the files of a form."""

from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import BinaryIO

import msgspec
from fastapi import HTTPException
from starlette.datastructures import FormData, Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from contracts.records import TestReportPart
from gateway.ingest import junit
from gateway.ingest.body import PIECE, Body
from gateway.ingest.refusal import Refusal
from gateway.ingest.row import Row

MOST_FILES = 1_000
LONGEST_REPORT = 490


@asynccontextmanager
async def reports(
    body: Body, headers: Mapping[str, str], report: TestReportPart, now_ms: int
) -> AsyncIterator[Iterator[Row | Refusal]]:
    """The rows of all files, to be read within the block; in a form each file is a report of its own, by its name.

    `report` says whose they are; tests whose file tells no time finished at `now_ms`. Raises HTTPException 400 for a
    form that is none, or has no file.
    """
    if not headers.get("content-type", "").lower().startswith("multipart/"):
        yield _read([(report.report, body.file)], report, now_ms)
        return
    form = await _form(body, headers)
    try:
        files = [part for _, part in form.multi_items() if isinstance(part, UploadFile)]
        if not files:
            raise HTTPException(400, "the form has no file: curl -F file=@report.xml")
        yield _read([(one.filename or "file", one.file) for one in files], report, now_ms)
    finally:
        await form.close()


async def _form(body: Body, headers: Mapping[str, str]) -> FormData:
    async def pieces() -> AsyncGenerator[bytes, None]:
        while piece := body.file.read(PIECE):
            yield piece
        yield b""

    try:
        return await MultiPartParser(Headers(headers), pieces(), max_files=MOST_FILES, max_fields=0).parse()
    except MultiPartException as bad:
        raise HTTPException(400, f"the form cannot be read: {bad.message}") from bad
    except KeyError as bad:
        raise HTTPException(400, "the form's Content-Type has no boundary") from bad


def _read(files: list[tuple[str, BinaryIO]], report: TestReportPart, now_ms: int) -> Iterator[Row | Refusal]:
    seen: Counter[str] = Counter()
    for name, file in files:
        seen[name] += 1
        shown = "".join(one if one.isprintable() else "?" for one in name[-LONGEST_REPORT:])
        unique = shown if seen[name] == 1 else f"{shown}#{seen[name]}"
        yield from junit.read(file, shown, msgspec.structs.replace(report, report=unique), now_ms)
