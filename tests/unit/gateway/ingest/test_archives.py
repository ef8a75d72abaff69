"""Archives of JUnit files: read member by member, and a hostile one costs little and names what is wrong."""

import gzip
import io
import resource
import struct
import tarfile
import time
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.records import TestReportPart
from gateway.ingest import archives
from gateway.ingest.archives import Caps, Member, members
from gateway.ingest.files import reading, rows
from gateway.ingest.refusal import Refusal
from gateway.ingest.row import Row

XML = b'<testsuite name="s"><testcase classname="c" name="n"/></testsuite>'
PART = TestReportPart(project="acme/app", run="1", job="t", report="r", k=1, n=1, tests=[])
MIB = 1_048_576


def zipped(files: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return whole.getvalue()


def tarred(files: Mapping[str, bytes], form: int = tarfile.PAX_FORMAT) -> bytes:
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w", format=form) as archive:
        for name, content in files.items():
            about = tarfile.TarInfo(name)
            about.size = len(content)
            archive.addfile(about, io.BytesIO(content))
    return whole.getvalue()


def packed(files: Mapping[str, bytes]) -> bytes:
    return gzip.compress(tarred(files))


def read(archive: bytes, caps: Caps | None = None) -> list[tuple[str, bytes] | Refusal]:
    """Names and contents, each read while it is open."""
    assert archives.is_archive(archive[: archives.START])
    found = members(io.BytesIO(archive), "a", caps)
    return [(one.name, one.content.read()) if isinstance(one, Member) else one for one in found]


def refused(archive: bytes, caps: Caps | None = None) -> list[tuple[str, str]]:
    """Places and reasons of what was refused."""
    return [(one.place, one.reason) for one in read(archive, caps) if isinstance(one, Refusal)]


PACKERS = [zipped, tarred, packed]


@pytest.mark.parametrize("pack", PACKERS)
def test_each_xml_is_given_whole_and_what_is_no_report_is_ignored(pack: Callable[[Mapping[str, bytes]], bytes]) -> None:
    large = bytes(range(256)) * 3_000
    names = {"a.xml": XML, "deep/er/B.XML": large, "log.txt": b"x", "empty.xml": b"", f"{'d' * 300}/c.xml": XML}
    assert read(pack(names)) == [
        ("a.xml", XML), ("deep/er/B.XML", large), ("empty.xml", b""), ("d" * 194 + "/c.xml", XML),
    ]  # fmt: skip


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_every_form_of_tar_tells_its_long_names(form: int) -> None:
    assert read(tarred({f"{'d' * 120}/ü.xml": XML}, form)) == [(f"{'d' * 120}/ü.xml", XML)]


def test_a_stored_zip_is_read_and_one_packed_otherwise_is_not() -> None:
    assert read(zipped({"a.xml": XML}, zipfile.ZIP_STORED)) == [("a.xml", XML)]
    assert refused(zipped({"a.xml": XML}, zipfile.ZIP_LZMA)) == [("a.xml", "is packed otherwise than by deflate")]


@pytest.mark.parametrize("pack", PACKERS)
def test_names_that_lead_elsewhere_are_only_names(pack: Callable[[Mapping[str, bytes]], bytes], tmp_path: Path) -> None:
    outside = f"{tmp_path}/outside.xml"
    found = read(pack({"../../up.xml": XML, outside: XML, "a\nb.xml": XML}))
    assert [one[0] for one in found if isinstance(one, tuple)] == ["../../up.xml", outside[-200:], "a?b.xml"]
    assert list(tmp_path.iterdir()) == []


def test_links_and_folders_of_a_tar_are_passed_over() -> None:
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as archive:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE):
            about = tarfile.TarInfo("link.xml")
            about.type, about.linkname, about.size = kind, "/etc/passwd", 0
            archive.addfile(about)
        about = tarfile.TarInfo("a.xml")
        about.size = len(XML)
        archive.addfile(about, io.BytesIO(XML))
    assert read(whole.getvalue()) == [("a.xml", XML)]


@pytest.mark.parametrize("pack", PACKERS)
def test_an_archive_in_an_archive_is_refused_by_name_and_costs_no_other(
    pack: Callable[[Mapping[str, bytes]], bytes],
) -> None:
    found = read(pack({"inner.zip": zipped({"a.xml": XML}), "a.xml": XML, "b.tar.gz": b""}))
    assert [one if isinstance(one, tuple) else one.place for one in found] == ["inner.zip", ("a.xml", XML), "b.tar.gz"]


@pytest.mark.parametrize("pack", PACKERS)
def test_too_large_a_member_costs_itself_and_too_much_in_all_the_rest(
    pack: Callable[[Mapping[str, bytes]], bytes],
) -> None:
    files = {"a.xml": XML, "b.xml": bytes(3_000), "c.xml": XML}
    assert refused(pack(files), Caps(member=2_000)) == [("b.xml", "bytes are the most a member may inflate to")]
    assert len(read(pack(files), Caps(member=2_000))) == 3
    told = refused(pack(files), Caps(inflated=2_000))
    assert told[-1] == ("archive", "bytes are the most it may inflate to: send it in parts")


@pytest.mark.parametrize("pack", PACKERS)
def test_only_so_many_members(pack: Callable[[Mapping[str, bytes]], bytes]) -> None:
    told = refused(pack({f"{at}.xml": b"" for at in range(archives.MOST_MEMBERS + 1)}))
    assert told == [("archive", "members are the most it may have: send it in parts")]


@pytest.mark.parametrize("pack", PACKERS)
def test_an_archive_without_reports_says_so(pack: Callable[[Mapping[str, bytes]], bytes]) -> None:
    assert refused(pack({"a.txt": b""})) == [("archive", "has no *.xml")]


def test_a_member_that_is_damaged_costs_itself() -> None:
    noise = bytes((at * 7919 >> 3) % 251 for at in range(4_000))
    whole = bytearray(zipped({"a.xml": XML, "b.xml": noise, "c.xml": XML}))
    whole[whole.index(b"b.xml") + 500] ^= 0xFF
    found = read(bytes(whole))
    assert [one[0] if isinstance(one, tuple) else one.place for one in found] == ["a.xml", "b.xml", "c.xml"]
    assert isinstance(found[1], Refusal)


def test_an_encrypted_member_is_refused() -> None:
    whole = bytearray(zipped({"a.xml": XML, "b.xml": XML}))
    at = whole.index(b"PK\x01\x02") + 8
    whole[at] |= 1
    assert refused(bytes(whole)) == [("a.xml", "is encrypted")]


def test_a_zip_cut_off_or_with_a_comment_or_of_another_size_is_refused() -> None:
    whole = zipped({"a.xml": XML})
    commented = whole[:-2] + b"\x03\x00abc"
    assert "does not end as a zip" in refused(whole[:-1])[0][1]
    assert "does not end as a zip" in refused(commented)[0][1]
    end = bytearray(whole)
    end[-10:-6] = struct.pack("<L", 0x7FFFFFFF)
    assert "bytes list its members" in refused(bytes(end))[0][1]


def overlapping(count: int, kernel: bytes) -> bytes:
    """A zip whose list names one compressed member many times."""
    one = zipped({"0.xml": kernel})
    at = one.index(b"PK\x01\x02")
    entry = one[at:-22]
    listed = entry * count
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, count, count, len(listed), at, 0)
    return one[:at] + listed + end


def bombs() -> dict[str, bytes]:
    zeros = bytes(300 * MIB)
    huge_name = tarfile.TarInfo("x")
    huge_name.type, huge_name.size = tarfile.XHDTYPE, 200 * MIB
    return {
        "zip": zipped({"a.xml": zeros}),
        "tar.gz": packed({"a.txt": zeros}),
        "overlap": overlapping(900, bytes(20 * MIB)),
        "list": overlapping(2_000, XML),
        "name": gzip.compress(huge_name.tobuf() + zeros[: 201 * MIB]),
        "gzip": gzip.compress(XML),
        "name of the gzip": b"\x1f\x8b\x08\x08" + bytes(6) + b"a" * 20_000_000,
    }


def test_bombs_are_refused_soon_and_in_little_memory() -> None:
    for name, bomb in bombs().items():
        before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        began = time.monotonic()
        found = read(bomb)
        assert found, name
        assert all(isinstance(one, Refusal) for one in found), name
        assert time.monotonic() - began < 5, f"{name}: seconds on a busy machine"
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb < 100_000, name


def test_each_bomb_is_refused_for_what_it_is() -> None:
    shared = [("archive", "is a member that shares its bytes with another")]
    assert refused(overlapping(9, XML)) == shared
    stretched = bytearray(zipped({"a.xml": XML, "b.xml": XML}))
    stretched[stretched.index(b"PK\x01\x02") + 20] += 20  # the list says that the first goes on into the second
    assert refused(bytes(stretched)) == shared
    for pack in (zipped, packed):
        assert refused(pack({"a.xml": bytes(8 * MIB)}))[-1][1] == "times its size is the most it may inflate to"
        assert refused(pack({"a.xml": bytes(8 * MIB)}), Caps(ratio=10_000)) == []
    name = tarfile.TarInfo("x")
    name.type, name.size = tarfile.XHDTYPE, 70_000
    assert "bytes are the name" in refused(name.tobuf() + bytes(71_168))[0][1]


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_no_bytes_raise(data: st.DataObject) -> None:
    pack = data.draw(st.sampled_from([zipped, tarred]))
    whole = bytearray(pack({"a.xml": XML, f"{'d' * 150}/b.xml": XML * 3, "c.zip": b"PK"}))
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(whole) - 1) | st.integers(max(0, len(whole) - 300), len(whole) - 1))
        whole[at : at + 1] = data.draw(st.binary(max_size=3))
    kept = bytes(whole[: data.draw(st.integers(0, len(whole)) | st.just(len(whole)))])
    for form in (kept, gzip.compress(kept), zlib.compress(kept, wbits=31)[:-4]):
        for one in members(io.BytesIO(form), "a"):
            assert isinstance(one, Member | Refusal)


@pytest.mark.parametrize(("name", "pack"), [("a.zip", zipped), ("a.tar", tarred), ("a.tar.gz", packed), ("a", packed)])
def test_the_command_reads_an_archive_as_its_reports(name: str, pack: Callable, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(pack({"x/a.xml": XML, "b.xml": b"<html/>", "c.xml": XML}))
    found = list(rows([tmp_path / name], reading(report=PART), lambda _: None))
    assert [type(one) for one in found] == [Row, Refusal, Row]
    reports = [one.record.report for one in found if isinstance(one, Row)]  # type: ignore[union-attr]
    assert reports == [f"{tmp_path / name}/x/a.xml", f"{tmp_path / name}/c.xml"]
    assert [one.file for one in found if isinstance(one, Refusal)] == [f"{tmp_path / name}/b.xml"]
