"""Symbolic links and junctions: made, read, gone through and unmade; holes in files."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import Any

import pytest

from .file_guest import (
    ATTRIBUTES,
    CASE_INSENSITIVE,
    DELETE,
    DELETE_ON_CLOSE,
    DIRECTORY_FILE,
    GENERIC_WRITE,
    OPEN,
    OPEN_REPARSE_POINT,
    READ_WRITE,
    SHARE_ALL,
    STATUS_ACCESS_DENIED,
    STATUS_DIRECTORY_NOT_EMPTY,
    SYNCHRONOUS,
    Body,
    Files,
    run_with_files,
)
from .guest_threads import Guest

GET, SET, REMOVE = 0x900A8, 0x900A4, 0x900AC
ZERO, RANGES = 0x980C8, 0x940CF
SYMLINK, JUNCTION = 0xA000000C, 0xA0000003
ATTRIBUTE_TAG = 35
NOT_A_REPARSE_POINT, TAG_INVALID, TAG_MISMATCH, DATA_INVALID = (0xC0000275 + n for n in range(4))
READ, DONT_REPARSE = 0x120089, 0x1000
LINK_ITSELF = SYNCHRONOUS | OPEN_REPARSE_POINT


def link_data(tag: int, target: str, *, relative: bool = False) -> bytes:
    name = target.encode("utf-16-le")
    body = struct.pack("<4H", 0, len(name), len(name) + 2 * (tag == JUNCTION), 0)
    if tag == SYMLINK:
        body += struct.pack("<I", relative)
    body += name + bytes(4 if tag == JUNCTION else 0)
    return struct.pack("<IHH", tag, len(body), 0) + body


def substitute(data: bytes) -> tuple[int, str]:
    tag, _, _, offset, length = struct.unpack_from("<IHHHH", data)
    start = 20 if tag == SYMLINK else 16
    return tag, data[start + offset : start + offset + length].decode("utf-16-le")


def make(files: Files, name: str, data: bytes, *, directory: bool = True) -> Any:
    """Make something new a link; returns the status and the open handle."""
    kind = DIRECTORY_FILE if directory else 0
    handle = yield from files.open(name, GENERIC_WRITE | ATTRIBUTES, options=LINK_ITSELF | kind)
    status, _ = yield from files.control(handle, SET, data)
    return status, handle


def test_a_junction_leads_where_it_says_and_reads_as_one(tmp_path: Path) -> None:
    (tmp_path / "There").mkdir()

    def main(guest: Guest, files: Files) -> Body:
        status, handle = yield from make(files, "way", link_data(JUNCTION, "\\??\\C:\\there"))
        guest.log.append(status)
        status, data = yield from files.control(handle, GET, size=512)
        guest.log.append((status, substitute(data)))
        status, data = yield from files.query(handle, ATTRIBUTE_TAG, 8)
        guest.log.append(struct.unpack("<II", data))
        yield from files.close(handle)
        inside = yield from files.open("way\\file", READ_WRITE)
        yield from files.write(inside, b"x")
        yield from files.close(inside)
        status, handle, _ = yield from files.create(
            "way", DELETE, OPEN, LINK_ITSELF | DIRECTORY_FILE | DELETE_ON_CLOSE
        )
        guest.log.append(status)
        yield from files.close(handle)

    assert [0, (0, (JUNCTION, "\\??\\C:\\There")), (0x410, JUNCTION), 0] == run_with_files(tmp_path, main)
    assert b"x" == (tmp_path / "There/file").read_bytes()
    assert not os.path.lexists(tmp_path / "way")


def test_symbolic_links_are_the_hosts(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/file").write_bytes(b"data")

    def main(guest: Guest, files: Files) -> Body:
        for name, target, relative in (("full", "\\??\\C:\\folder\\file", False), ("near", "folder\\file", True)):
            status, handle = yield from make(
                files, name, link_data(SYMLINK, target, relative=relative), directory=False
            )
            guest.log.append((status, substitute((yield from files.control(handle, GET, size=512))[1])[1]))
            yield from files.close(handle)
            handle = yield from files.open(name, disposition=OPEN)
            guest.log.append((yield from files.read(handle, 9))[1])
            yield from files.close(handle)
        status, handle = yield from make(files, "nowhere", link_data(JUNCTION, "\\??\\C:\\not\\there"))
        guest.log.append(status)
        yield from files.close(handle)
        status, handle, _ = yield from files.create("nowhere", DELETE, OPEN, LINK_ITSELF | DIRECTORY_FILE)
        guest.log.append(status)

    expected = [(0, "\\??\\C:\\folder\\file"), b"data", (0, "folder\\file"), b"data", 0, 0]
    assert expected == run_with_files(tmp_path, main)
    assert str(tmp_path / "folder/file") == os.readlink(tmp_path / "full")
    assert "folder/file" == os.readlink(tmp_path / "near")


def test_a_link_from_the_root_of_its_drive_leads_there(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"data")
    (tmp_path / "folder").mkdir()

    def main(guest: Guest, files: Files) -> Body:
        target = link_data(SYMLINK, "\\file", relative=True)
        status, handle = yield from make(files, "folder\\link", target, directory=False)
        yield from files.close(handle)
        handle = yield from files.open("folder\\link", disposition=OPEN)
        guest.log.append((status, (yield from files.read(handle, 9))[1]))

    assert [(0, b"data")] == run_with_files(tmp_path, main)


@pytest.mark.parametrize("directory", [False, True])
def test_what_the_host_cannot_make_a_link_stays_what_it_was(directory: bool, tmp_path: Path) -> None:
    def main(guest: Guest, files: Files) -> Body:
        far = "\\??\\C:" + "\\some-folder" * 500  # longer than a path of the host's can be
        status, handle = yield from make(files, "name", link_data(SYMLINK, far), directory=directory)
        guest.log.append(status >= 0xC0000000)
        near = link_data(SYMLINK, "x", relative=True)
        guest.log.append((yield from make(files, "name", near, directory=directory))[0])
        yield from files.close(handle)

    assert [True, 0] == run_with_files(tmp_path, main)
    assert "x" == os.readlink(tmp_path / "name")


def test_what_cannot_become_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full/file").touch()
    good = link_data(JUNCTION, "\\??\\C:\\full")

    def main(guest: Guest, files: Files) -> Body:
        guest.log.append((yield from make(files, "full", good))[0])
        _, handle = yield from make(files, "new", struct.pack("<IHH", 0x80000017, 0, 0))
        guest.log.append((yield from files.control(handle, SET, struct.pack("<IHH", 0x80000017, 0, 0)))[0])
        guest.log.append((yield from files.control(handle, SET, good[:-2]))[0])
        guest.log.append((yield from files.control(handle, SET, link_data(JUNCTION, "\\??\\Volume{1}\\x")))[0])
        guest.log.append((yield from files.control(handle, GET, size=64))[0])
        guest.log.append((yield from files.control(handle, REMOVE, struct.pack("<IHH", JUNCTION, 0, 0)))[0])
        guest.log.append((yield from files.control(handle, SET, good))[0])
        guest.log.append((yield from files.control(handle, SET, link_data(SYMLINK, "\\??\\C:\\full")))[0])
        guest.log.append((yield from files.control(handle, REMOVE, struct.pack("<IHH", SYMLINK, 0, 0)))[0])
        guest.log.append((yield from files.control(handle, REMOVE, struct.pack("<IHH", JUNCTION, 0, 0)))[0])
        guest.log.append((yield from files.control(handle, GET, size=64))[0])
        looking = yield from files.open("new", 0x80, disposition=OPEN, options=LINK_ITSELF)
        guest.log.append((yield from files.control(looking, SET, good))[0])

    expected = [
        STATUS_DIRECTORY_NOT_EMPTY, TAG_INVALID, DATA_INVALID, DATA_INVALID, NOT_A_REPARSE_POINT, NOT_A_REPARSE_POINT,
        0, TAG_MISMATCH, TAG_MISMATCH, 0, NOT_A_REPARSE_POINT, STATUS_ACCESS_DENIED,
    ]  # fmt: skip
    assert expected == run_with_files(tmp_path, main)
    assert (tmp_path / "new").is_dir() and not (tmp_path / "new").is_symlink()


def test_zeroing_a_range_gives_its_space_back(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x" * (3 << 16))

    def main(guest: Guest, files: Files) -> Body:
        handle = yield from files.open("file")
        status, _ = yield from files.control(handle, ZERO, struct.pack("<qq", 1 << 16, 2 << 16))
        guest.log.append(status)
        status, data = yield from files.control(handle, RANGES, struct.pack("<qq", 0, 1 << 20), size=64)
        guest.log.append((status, struct.unpack("<4q", data)))

    assert [0, (0, (0, 1 << 16, 2 << 16, 1 << 16))] == run_with_files(tmp_path, main)
    assert b"x" * (1 << 16) + bytes(1 << 16) + b"x" * (1 << 16) == (tmp_path / "file").read_bytes()


def test_a_name_that_must_not_lead_through_links_does_not(tmp_path: Path) -> None:
    """OBJ_DONT_REPARSE, by which Go's os.Root and os.RemoveAll stay where they are."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/file").write_bytes(b"data")
    (tmp_path / "way").symlink_to("folder")

    def main(guest: Guest, files: Files) -> Body:
        def opened(name: str, options: int = SYNCHRONOUS, root: int = 0) -> Body:
            where = guest.named(name, CASE_INSENSITIVE | DONT_REPARSE, root)
            guest.log.append((yield "NtOpenFile", files.cell, READ, where, files.block, SHARE_ALL, options))

        for name in ("folder\\FILE", "way\\file", "way\\none", "way"):
            yield from opened(f"\\??\\C:\\{name}")
        yield from opened("\\??\\C:\\way", LINK_ITSELF)
        root = yield from files.open("way", READ, options=SYNCHRONOUS | DIRECTORY_FILE, disposition=OPEN)
        yield from opened("file", root=root)
        top = yield from files.open("", READ, options=SYNCHRONOUS | DIRECTORY_FILE, disposition=OPEN)
        yield from opened("way", SYNCHRONOUS | DIRECTORY_FILE, root=top)

    met = 0xC000050B
    assert [0, met, met, met, 0, 0, met] == run_with_files(tmp_path, main)
