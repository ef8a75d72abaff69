"""XML from strangers: streamed, bounded, without document types and entities.

Characters that XML forbids are left out rather than refused: runners write them when a test prints them.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO
from xml.sax import SAXParseException
from xml.sax.handler import ContentHandler

from defusedxml.common import DefusedXmlException
from defusedxml.expatreader import DefusedExpatParser

from contracts.errors import BadRecord

LARGEST_FILE = 64 * 1_048_576
LONGEST_TAG = 2 * 1_048_576

_CHUNK = 1_048_576
"""Large, because expat scans a token anew with every chunk it is spread over."""
_CONTROLS = bytes(code for code in range(32) if code not in b"\t\n\r")
_REFERENCE = re.compile(rb"&#(?:[xX]([0-9a-fA-F]{1,8})|([0-9]{1,10}));")
_LONGEST_REFERENCE = 14
_DECLARATION = 60


def feed(stream: BinaryIO, to: ContentHandler) -> Iterator[bool]:
    """Parse the file into `to`, chunk by chunk; gives whether this was the last one, after each.

    Raises BadRecord when the file has to be refused as a whole.
    """
    parser = DefusedExpatParser(forbid_dtd=True, forbid_entities=True, forbid_external=True)
    parser.setContentHandler(to)
    to.setDocumentLocator(parser)
    fed, begins = 0, b""
    for chunk in _legal(stream):
        begins = begins or chunk[:_DECLARATION]
        with _refusing(begins):
            parser.feed(chunk)
        fed += len(chunk)
        # What expat holds back is one tag or comment; a list of attributes takes ten times its bytes in memory.
        if fed - parser._parser.CurrentByteIndex > LONGEST_TAG:  # type: ignore[attr-defined]
            raise BadRecord("tag", LONGEST_TAG, "bytes are the most a tag or comment may have")
        yield False
    with _refusing(begins):
        parser.close()
    yield True


@contextmanager
def _refusing(begins: bytes) -> Iterator[None]:
    """Raises BadRecord for what the parser raises; `begins` is where the file declares its encoding."""
    try:
        yield
    except DefusedXmlException as forbidden:
        raise BadRecord("document type", "", "and entities are not taken") from forbidden
    except SAXParseException as bad:
        raise BadRecord("line", f"{bad.getLineNumber()}:{bad.getColumnNumber()}", f"XML: {bad.getMessage()}") from bad
    except (LookupError, ValueError) as unknown:  # what Python's codecs raise when expat asks them for an encoding
        raise BadRecord("encoding", begins, f"XML: {unknown}; write UTF-8") from unknown


def _legal(stream: BinaryIO) -> Iterator[bytes]:
    """The file without the characters that XML forbids; raises BadRecord when it is too large or compressed."""
    total, held, is_wide = 0, b"", False
    while chunk := stream.read(_CHUNK):
        if total == 0:
            if chunk[:2] in (b"\x1f\x8b", b"PK", b"BZ"):
                raise BadRecord("file", chunk[:4], "is compressed: unpack it first")
            is_wide = b"\x00" in chunk[:4] or chunk[:2] in (b"\xff\xfe", b"\xfe\xff")  # UTF-16 or UTF-32
        total += len(chunk)
        if total > LARGEST_FILE:
            raise BadRecord("file", LARGEST_FILE, "bytes are the most a report may have")
        if is_wide:
            yield chunk
            continue
        chunk = held + chunk
        at = chunk.rfind(b"&", max(0, len(chunk) - _LONGEST_REFERENCE))
        cut = at if at >= 0 and b";" not in chunk[at:] else len(chunk)
        chunk, held = chunk[:cut], chunk[cut:]
        yield _REFERENCE.sub(_allowed, chunk.translate(None, _CONTROLS))
    yield held


def _allowed(reference: re.Match[bytes]) -> bytes:
    code = int(reference[1], 16) if reference[1] else int(reference[2])
    is_allowed = code in (9, 10, 13) or 32 <= code < 0xD800 or 0xE000 <= code < 0xFFFE or 0x10000 <= code < 0x110000
    return reference[0] if is_allowed else b"&#xFFFD;"
