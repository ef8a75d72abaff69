"""Archives of JUnit files: zip, tar and tar.gz, told by their first bytes; each member called *.xml is a report.

A name in an archive is only a name: nothing is written where it points; links and folders are passed over. A member is
inflated piece by piece into a file without a name, so a bad one costs only itself; too much in all ends the archive.
The list of members of a zip is measured before it is read. Encrypted members, zip64 and members that share bytes are
refused (D. Fifield, A better zip bomb, 2019), archives in archives too; other members are ignored.
"""

import struct
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from typing import Any, BinaryIO

from contracts.errors import BadRecord
from gateway.ingest.body import IN_MEMORY, MIB, PIECE, Inflated
from gateway.ingest.refusal import Refusal, refused
from gateway.ingest.xml import LARGEST_FILE

START = 512
"""Bytes that tell an archive."""
MOST_MEMBERS = 1_000
LONGEST_SHOWN = 200
_LONGEST_NAME = 65_536
_NESTED = (".zip", ".jar", ".tar", ".tgz", ".gz", ".bz2", ".xz", ".7z")

_END, _END_MARK = struct.Struct("<4s4H2LH"), b"PK\x05\x06"
_ZIP64_MARK, _ZIP64_SIZE = b"PK\x06\x07", 20
_LARGEST_LIST = MIB
_LOCAL_HEADER = 30
_ENCRYPTED = 0x41
_WITHOUT_CONTENT = (
    tarfile.LNKTYPE, tarfile.SYMTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE
)  # fmt: skip
_BROKEN = (
    zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, NotImplementedError, ValueError, struct.error
)  # fmt: skip
"""What the readers of archives raise for bytes that make no sense."""

_Read = Callable[[int], bytes]


@dataclass(frozen=True)
class Caps:
    """Bytes of one member and of all when inflated, and how many times an archive's size all may be from 1 MiB on."""

    member: int = LARGEST_FILE
    inflated: int = 512 * MIB
    ratio: int = 200


@dataclass(frozen=True)
class Member:
    """A file that was sent: its name, its content, and a hash of what that says."""

    name: str
    content: BinaryIO
    digest: str


def is_archive(start: bytes) -> bool:
    """Whether a file with these first START bytes is read as an archive."""
    return start[:4] in (b"PK\x03\x04", _END_MARK) or start[:2] == b"\x1f\x8b" or start[257:262] == b"ustar"


def members(archive: BinaryIO, file: str, caps: Caps | None = None) -> Iterator[Member | Refusal]:
    """The reports of an archive; `file` is how refusals call it. A content is closed when the next one is asked for."""
    caps = caps or Caps()
    meter = _Meter(archive.seek(0, 2), caps)
    archive.seek(0)
    start = archive.read(START)
    archive.seek(0)
    reports = 0
    try:
        for name, opened in _zipped(archive, meter) if start[:2] == b"PK" else _tarred(archive, meter, start):
            if not name.lower().endswith((".xml", *_NESTED)):
                continue
            reports += 1
            content: Any
            with tempfile.SpooledTemporaryFile(IN_MEMORY) as content:
                try:
                    digest = _copied(name, opened(), content, caps.member)
                except _BROKEN as bad:
                    yield refused(file, shown(name), _unreadable(bad))
                except BadRecord as bad:
                    yield refused(file, shown(name), bad)
                else:
                    content.seek(0)
                    yield Member(shown(name), content, digest)
            meter.add(0)
        if not reports:
            raise BadRecord("archive", "", "has no *.xml")
    except _BROKEN as bad:
        yield refused(file, "archive", _unreadable(bad))
    except BadRecord as bad:
        yield refused(file, "archive", bad)


def shown(name: str) -> str:
    """The end of a name, on one line."""
    return "".join(one if one.isprintable() else "?" for one in name[-LONGEST_SHOWN:])


def _unreadable(bad: Exception) -> BadRecord:
    return BadRecord("archive", "", f"cannot be read: {type(bad).__name__}: {bad}")


class _Meter:
    """Counts what an archive of `size` bytes inflates to."""

    def __init__(self, size: int, caps: Caps) -> None:
        self._count, self._size, self._caps = 0, size, caps

    def add(self, count: int) -> None:
        """Raises BadRecord once it is too much, and ever after."""
        self._count += count
        if self._count > self._caps.inflated:
            raise BadRecord("archive", self._caps.inflated, "bytes are the most it may inflate to: send it in parts")
        if self._count > MIB and self._count > self._caps.ratio * self._size:
            raise BadRecord("archive", self._caps.ratio, "times its size is the most it may inflate to")

    def read(self, source: _Read, size: int) -> bytes:
        """Read from `source`, counted."""
        piece = source(size)
        self.add(len(piece))
        return piece


def _copied(name: str, read: _Read, to: BinaryIO, most: int) -> str:
    """Copy a member, and return the hash of what it says."""
    if not name.lower().endswith(".xml"):
        raise BadRecord("member", name, "is an archive in an archive: unpack it first")
    size, digest = 0, blake2b(digest_size=16)
    while piece := read(PIECE):
        size += len(piece)
        if size > most:
            raise BadRecord("member", most, "bytes are the most a member may inflate to")
        digest.update(piece)
        to.write(piece)
    return digest.hexdigest()


def _check_count(count: int) -> None:
    if count > MOST_MEMBERS:
        raise BadRecord("archive", MOST_MEMBERS, "members are the most it may have: send it in parts")


def _zipped(archive: BinaryIO, meter: _Meter) -> Iterator[tuple[str, Callable[[], _Read]]]:
    _check_list(archive)
    with zipfile.ZipFile(archive) as opened:
        listed = sorted(opened.infolist(), key=lambda one: one.header_offset)
        _check_count(len(listed))
        ends = [one.header_offset for one in listed[1:]] + [opened.start_dir]
        for one, end in zip(listed, ends, strict=False):
            if one.header_offset < 0 or one.header_offset + _LOCAL_HEADER + one.compress_size > end:
                raise BadRecord("archive", one.filename, "is a member that shares its bytes with another")
        for one in listed:
            yield one.filename, partial(_unzipped, opened, one, meter)


def _check_list(archive: BinaryIO) -> None:
    """Raises BadRecord when the list of members would be too much to read, or is not where it is looked for."""
    size = archive.seek(0, 2)
    archive.seek(max(0, size - _END.size - _ZIP64_SIZE))
    last = archive.read()
    end = last[-_END.size :]
    if len(end) < _END.size or not end.startswith(_END_MARK) or not end.endswith(b"\0\0"):
        raise BadRecord("archive", "", "does not end as a zip does: it is cut off, or has a comment")
    list_size = _END.unpack(end)[5]
    if list_size > _LARGEST_LIST or last.startswith(_ZIP64_MARK):
        raise BadRecord("archive", list_size, f"bytes list its members, more than {_LARGEST_LIST}, or it is a zip64")


def _unzipped(opened: zipfile.ZipFile, one: zipfile.ZipInfo, meter: _Meter) -> _Read:
    if one.flag_bits & _ENCRYPTED:
        raise BadRecord("member", one.filename, "is encrypted")
    if one.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise BadRecord("member", one.filename, "is packed otherwise than by deflate")
    return partial(meter.read, opened.open(one).read)


class _Forward:
    """Pieces as one stream that is read forward, counted."""

    def __init__(self, pieces: Iterator[bytes], meter: _Meter) -> None:
        self._pieces, self._meter, self._piece = pieces, meter, b""

    def read(self, size: int) -> bytes:
        """At most `size` bytes; none at the end."""
        if not self._piece:
            self._piece = next(self._pieces, b"")
            self._meter.add(len(self._piece))
        found, self._piece = self._piece[:size], self._piece[size:]
        return found

    def whole(self, size: int) -> bytes:
        """So many bytes. Raises EOFError when there are not."""
        found = b""
        while len(found) < size:
            if not (piece := self.read(size - len(found))):
                raise EOFError("it ends too soon")
            found += piece
        return found


class _Content:
    """The content of one member of a tar, `left` bytes of a stream."""

    def __init__(self, stream: _Forward, left: int) -> None:
        self._stream, self._left = stream, left

    def read(self, size: int) -> bytes:
        """At most `size` bytes; none at its end. Raises EOFError when the archive ends before."""
        if not self._left:
            return b""
        piece = self._stream.read(min(size, self._left))
        if not piece:
            raise EOFError("it ends too soon")
        self._left -= len(piece)
        return piece


def _inflated(archive: BinaryIO) -> Iterator[bytes]:
    pieces = Inflated()
    while chunk := archive.read(PIECE):
        yield from pieces.of(chunk)
    pieces.end()


def _tarred(archive: BinaryIO, meter: _Meter, start: bytes) -> Iterator[tuple[str, Callable[[], _Read]]]:
    is_plain = start[257:262] == b"ustar"
    stream = _Forward(iter(partial(archive.read, PIECE), b"") if is_plain else _inflated(archive), meter)
    count, long = 0, ""
    while (header := stream.whole(tarfile.BLOCKSIZE)).strip(b"\0"):
        one = tarfile.TarInfo.frombuf(header, "utf-8", "replace")
        count += 1
        _check_count(count)
        size = 0 if one.type in _WITHOUT_CONTENT else one.size
        if size < 0:
            raise BadRecord("archive", size, "is no size of a member")
        content = _Content(stream, size)
        if one.type in _LONG_NAMES:
            if size > _LONGEST_NAME:
                raise BadRecord("archive", size, f"bytes are the name of a member, more than {_LONGEST_NAME}")
            long = _LONG_NAMES[one.type](b"".join(iter(partial(content.read, PIECE), b""))) or long
        else:
            if one.type in (tarfile.REGTYPE, tarfile.AREGTYPE):
                yield long or one.name, partial(getattr, content, "read")
            long = ""
        while content.read(PIECE):
            pass
        stream.whole(-size % tarfile.BLOCKSIZE)


def _path(records: bytes) -> str:
    """The path in records of `<length> <key>=<value>` and newline each; "" where there is none."""
    path = b""
    while records:
        digits = records.partition(b" ")[0]
        length = int(digits)
        if length <= len(digits):
            raise ValueError("a record without a length")
        key, _, value = records[len(digits) + 1 : length - 1].partition(b"=")
        path = value if key == b"path" else path
        records = records[length:]
    return path.decode("utf-8", "replace")


def _gnu_name(said: bytes) -> str:
    return said.rstrip(b"\0").decode("utf-8", "replace")


_LONG_NAMES = {tarfile.XHDTYPE: _path, tarfile.GNUTYPE_LONGNAME: _gnu_name}
