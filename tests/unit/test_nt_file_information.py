"""What NtQueryInformationFile tells, NtSetInformationFile changes, and volumes say."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import Any

import pytest

from .file_guest import (
    ATTRIBUTES,
    DELETE,
    DIRECTORY_FILE,
    GENERIC_READ,
    OVERWRITE_IF,
    READ_WRITE,
    STATUS_ACCESS_DENIED,
    STATUS_BUFFER_OVERFLOW,
    STATUS_CANNOT_DELETE,
    STATUS_DIRECTORY_NOT_EMPTY,
    STATUS_INFO_LENGTH_MISMATCH,
    STATUS_INVALID_DEVICE_REQUEST,
    STATUS_INVALID_INFO_CLASS,
    STATUS_INVALID_PARAMETER,
    STATUS_OBJECT_NAME_COLLISION,
    STATUS_OBJECT_NAME_NOT_FOUND,
    STATUS_OBJECT_PATH_NOT_FOUND,
    STATUS_PENDING,
    SUPERSEDE,
    SYNCHRONOUS,
    Body,
    Files,
    run_with_files,
)
from .guest_threads import Guest

BASIC, STANDARD, INTERNAL, EA, ACCESS, NAME, RENAME, LINK = 4, 5, 6, 7, 8, 9, 10, 11
DISPOSITION, MODE, ALL, ALLOCATION, END_OF_FILE, STREAM, NETWORK_OPEN, TAG = 13, 16, 18, 19, 20, 22, 34, 35
IDENTITY, DISPOSITION_EX, RENAME_EX = 59, 64, 65
EPOCH = 116444736000000000
READONLY, HIDDEN, ARCHIVE, NORMAL, DIRECTORY = 0x1, 0x2, 0x20, 0x80, 0x10


def basic(created: int = 0, accessed: int = 0, written: int = 0, attributes: int = 0) -> bytes:
    return struct.pack("<qqqqIxxxx", created, accessed, written, 0, attributes)


def test_the_facts_about_a_file_are_the_hosts(tmp_path: Path) -> None:
    (tmp_path / "Name.txt").write_bytes(b"12345")
    os.utime(tmp_path / "Name.txt", ns=(1_000_000_000_123_456_789, 1_100_000_000_987_654_321))
    os.link(tmp_path / "Name.txt", tmp_path / "second")
    found = (tmp_path / "Name.txt").stat()

    def main(guest: Guest, files: Files) -> Body:
        handle = yield from files.open("NAME.TXT")
        _, data = yield from files.query(handle, BASIC, 40)
        created, accessed, written, changed, attributes = struct.unpack("<4qI4x", data)
        guest.log.append((accessed, written, changed, attributes, created == min(written, changed)))
        _, data = yield from files.query(handle, STANDARD, 24)
        guest.log.append(struct.unpack("<qqIBB2x", data))
        guest.log.append((yield from files.query(handle, INTERNAL, 8)))
        guest.log.append((yield from files.query(handle, NAME, 64)))
        guest.log.append((yield from files.query(handle, ACCESS, 4)))
        guest.log.append((yield from files.query(handle, MODE, 4)))
        _, data = yield from files.query(handle, NETWORK_OPEN, 56)
        guest.log.append(struct.unpack_from("<qqI", data, 32))
        _, data = yield from files.query(handle, STREAM, 64)
        guest.log.append((data[8:16], data[24:].decode("utf-16-le")))
        _, data = yield from files.query(handle, IDENTITY, 24)
        guest.log.append(data[8:])

    name = "\\Name.txt".encode("utf-16-le")
    assert [
        (
            EPOCH + 10_000_000_001_234_567, EPOCH + 11_000_000_009_876_543, EPOCH + found.st_ctime_ns // 100, ARCHIVE,
            True,
        ),
        (found.st_blocks * 512, 5, 2, 0, 0),
        (0, found.st_ino.to_bytes(8, "little")),
        (0, struct.pack("<I", len(name)) + name),
        (0, struct.pack("<I", 0x12019F)),
        (0, struct.pack("<I", SYNCHRONOUS)),
        (found.st_blocks * 512, 5, ARCHIVE),
        ((5).to_bytes(8, "little"), "::$DATA"),
        found.st_ino.to_bytes(16, "little"),
    ] == run_with_files(tmp_path, main)  # fmt: skip


def test_a_name_that_does_not_fit_is_cut_and_its_whole_length_told(tmp_path: Path) -> None:
    (tmp_path / "long name").write_bytes(b"")

    def main(guest: Guest, files: Files) -> Body:
        handle = yield from files.open("long name")
        guest.log.append((yield from files.query(handle, NAME, 8)))
        status, data = yield from files.query(handle, ALL, 104)
        guest.log.append((status, len(data), data[96:]))

    cut = struct.pack("<I", 20) + "\\l".encode("utf-16-le")
    assert [
        (STATUS_BUFFER_OVERFLOW, cut),
        (STATUS_BUFFER_OVERFLOW, 104, cut),
    ] == run_with_files(tmp_path, main)


def test_classes_have_a_least_length_and_some_do_not_exist(tmp_path: Path) -> None:
    def main(guest: Guest, files: Files) -> Body:
        handle = yield from files.open("f")
        for kind, size in ((BASIC, 39), (STANDARD, 23), (NAME, 7), (ALL, 103), (0, 100), (99, 100), (10_000, 8)):
            guest.log.append((yield from files.query(handle, kind, size))[0])
        for kind, data in ((BASIC, bytes(39)), (END_OF_FILE, bytes(7)), (RENAME, bytes(8)), (99, bytes(8))):
            guest.log.append((yield from files.set(handle, kind, data)))

    assert [
        *[STATUS_INFO_LENGTH_MISMATCH] * 4, *[STATUS_INVALID_INFO_CLASS] * 3,
        *[STATUS_INFO_LENGTH_MISMATCH] * 3, STATUS_INVALID_INFO_CLASS,
    ] == run_with_files(tmp_path, main)  # fmt: skip


def test_times_are_set_to_100_ns_and_zero_and_minus_one_leave_them(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"")
    os.utime(tmp_path / "f", ns=(5_000_000_100, 6_000_000_200))

    def main(guest: Guest, files: Files) -> Body:
        handle = yield from files.open("f", ATTRIBUTES)
        new = basic(accessed=-1, written=EPOCH + 12_345_678_901_234_567)
        guest.log.append((yield from files.set(handle, BASIC, new)))
        guest.log.append((yield from files.set(handle, BASIC, basic(accessed=-3))))
        guest.log.append((yield from files.set(handle, BASIC, basic(created=EPOCH + 77))))
        _, data = yield from files.query(handle, BASIC, 40)
        guest.log.append(struct.unpack_from("<q", data)[0] in (EPOCH + 77, struct.unpack_from("<q", data, 16)[0]))

    assert [0, STATUS_INVALID_PARAMETER, 0, True] == run_with_files(tmp_path, main)
    assert (5_000_000_100, 1_234_567_890_123_456_700) == (
        (tmp_path / "f").stat().st_atime_ns,
        (tmp_path / "f").stat().st_mtime_ns,
    )


def test_the_read_only_attribute_is_the_write_permission(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"")
    (tmp_path / "f").chmod(0o664)
    modes = []

    def main(guest: Guest, files: Files) -> Body:
        handle = yield from files.open("f", ATTRIBUTES)
        for attributes in (READONLY | ARCHIVE, 0, NORMAL, READONLY):
            guest.log.append((yield from files.set(handle, BASIC, basic(attributes=attributes))))
            _, data = yield from files.query(handle, TAG, 8)
            guest.log.append(data[0] & READONLY)
            modes.append((tmp_path / "f").stat().st_mode & 0o200)
        guest.log.append((yield from files.set(handle, BASIC, basic(attributes=DIRECTORY))))

    assert [0, 1, 0, 1, 0, 0, 0, 1, STATUS_INVALID_PARAMETER] == run_with_files(tmp_path, main)
    assert [0, 0, 0o200, 0] == modes


def test_sizes_change_by_end_of_file_and_shrink_by_allocation(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"0123456789")
    sizes = []

    def main(guest: Guest, files: Files) -> Body:
        handle = yield from files.open("f")
        for kind, size in ((END_OF_FILE, 4), (END_OF_FILE, 8), (ALLOCATION, 100), (ALLOCATION, 2), (END_OF_FILE, -1)):
            guest.log.append((yield from files.set(handle, kind, struct.pack("<q", size))))
            sizes.append((tmp_path / "f").stat().st_size)

    assert [0, 0, 0, 0, STATUS_INVALID_PARAMETER] == run_with_files(tmp_path, main)
    assert [4, 8, 8, 2, 2] == sizes


def test_disposition_deletes_at_the_last_close_and_can_be_taken_back(tmp_path: Path) -> None:
    for name in ("kept", "deleted", "readonly"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "readonly").chmod(0o444)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").write_bytes(b"")
    (tmp_path / "empty").mkdir()

    def main(guest: Guest, files: Files) -> Body:
        kept = yield from files.open("kept", DELETE)
        guest.log.append((yield from files.set(kept, DISPOSITION, b"\1")))
        guest.log.append((yield from files.set(kept, DISPOSITION, b"\0")))
        for name in ("deleted", "readonly", "full", "empty"):
            handle = yield from files.open(name, DELETE)
            guest.log.append((yield from files.set(handle, DISPOSITION, b"\1")))
        reader = yield from files.open("kept", GENERIC_READ)
        guest.log.append((yield from files.set(reader, DISPOSITION, b"\1")))

    assert [
        0, 0, 0, STATUS_CANNOT_DELETE, STATUS_DIRECTORY_NOT_EMPTY, 0, STATUS_ACCESS_DENIED,
    ] == run_with_files(tmp_path, main)  # fmt: skip
    assert ["full", "kept", "readonly"] == sorted(os.listdir(tmp_path))


def test_posix_deletion_takes_the_name_away_at_once(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"still readable")

    def main(guest: Guest, files: Files) -> Body:
        reader = yield from files.open("f", GENERIC_READ)
        handle = yield from files.open("f", DELETE)
        guest.log.append((yield from files.set(handle, DISPOSITION_EX, struct.pack("<I", 3))))
        yield from files.close(handle)
        guest.log.append((tmp_path / "f").exists())
        guest.log.append((yield from files.read(reader, 14)))

    assert [0, False, (0, b"still readable")] == run_with_files(tmp_path, main)


def test_a_file_is_renamed_within_and_across_directories(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"a")
    (tmp_path / "sub").mkdir()

    def main(guest: Guest, files: Files) -> Body:
        handle = yield from files.open("a", READ_WRITE | DELETE)
        for target in ("plain", "\\??\\C:\\SUB\\moved", "\\Device\\HarddiskVolume3\\back"):
            guest.log.append((yield from files.rename(handle, target)))
            _, name = yield from files.query(handle, NAME, 64)
            guest.log.append(name[4:].decode("utf-16-le"))
        root = yield from files.open("sub", GENERIC_READ, options=DIRECTORY_FILE | SYNCHRONOUS)
        guest.log.append((yield from files.rename(handle, "under", root=root)))
        guest.log.append((yield from files.rename(handle, "\\??\\C:\\missing\\x")))
        guest.log.append((yield from files.rename(handle, "")))

    assert [
        0, "\\plain", 0, "\\sub\\moved", 0, "\\back", 0, STATUS_OBJECT_PATH_NOT_FOUND, STATUS_INVALID_PARAMETER,
    ] == run_with_files(tmp_path, main)  # fmt: skip
    assert b"a" == (tmp_path / "sub" / "under").read_bytes()


def test_renaming_replaces_only_when_told_and_never_what_is_open_or_a_directory(tmp_path: Path) -> None:
    for name in ("a", "b", "open", "readonly"):
        (tmp_path / name).write_bytes(name.encode())
    (tmp_path / "readonly").chmod(0o444)
    (tmp_path / "dir").mkdir()

    def main(guest: Guest, files: Files) -> Body:
        yield from files.open("open", GENERIC_READ)
        handle = yield from files.open("a", DELETE)
        guest.log.append((yield from files.rename(handle, "B")))
        for target in ("open", "dir", "readonly", "B"):
            guest.log.append((yield from files.rename(handle, target, replace=True)))

    denied = STATUS_ACCESS_DENIED
    assert [STATUS_OBJECT_NAME_COLLISION, denied, denied, denied, 0] == run_with_files(tmp_path, main)
    assert ["B", "dir", "open", "readonly"] == sorted(os.listdir(tmp_path))
    assert b"a" == (tmp_path / "B").read_bytes()


def test_a_rename_may_change_case_only(tmp_path: Path) -> None:
    (tmp_path / "name").write_bytes(b"x")

    def main(guest: Guest, files: Files) -> Body:
        handle = yield from files.open("name", DELETE)
        guest.log.append((yield from files.rename(handle, "NAME")))

    assert [0] == run_with_files(tmp_path, main)
    assert ["NAME"] == os.listdir(tmp_path)


def test_a_directory_moves_unless_something_in_it_is_open(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "f").write_bytes(b"")

    def main(guest: Guest, files: Files) -> Body:
        inner = yield from files.open("d\\f")
        handle = yield from files.open("d", DELETE)
        guest.log.append((yield from files.rename(handle, "e")))
        yield from files.close(inner)
        guest.log.append((yield from files.rename(handle, "\\??\\C:\\d\\below")))
        guest.log.append((yield from files.rename(handle, "e")))

    assert [STATUS_ACCESS_DENIED, STATUS_ACCESS_DENIED, 0] == run_with_files(tmp_path, main)
    assert ["f"] == os.listdir(tmp_path / "e")


def test_a_hard_link_is_another_name(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"shared")
    (tmp_path / "there").write_bytes(b"")

    def main(guest: Guest, files: Files) -> Body:
        handle = yield from files.open("a")
        guest.log.append((yield from files.rename(handle, "b", kind=LINK)))
        guest.log.append((yield from files.rename(handle, "there", kind=LINK)))
        guest.log.append((yield from files.rename(handle, "there", replace=True, kind=LINK)))

    assert [0, STATUS_OBJECT_NAME_COLLISION, 0] == run_with_files(tmp_path, main)
    assert 3 == (tmp_path / "there").stat().st_nlink


def test_attributes_can_be_asked_by_name_and_files_deleted_by_name(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"12345")

    def main(guest: Guest, files: Files) -> Body:
        buffer = guest.room(56)
        where = guest.named("\\??\\C:\\F", 0x40)
        guest.log.append((yield "NtQueryAttributesFile", where, buffer))
        guest.log.append(guest.value(buffer + 32))
        guest.log.append((yield "NtQueryFullAttributesFile", where, buffer))
        guest.log.append((guest.value(buffer + 40, 8), guest.value(buffer + 48)))
        guest.log.append((yield "NtQueryAttributesFile", guest.named("\\??\\C:\\g", 0x40), buffer))
        guest.log.append((yield "NtDeleteFile", where))
        guest.log.append((yield "NtQueryAttributesFile", where, buffer))

    missing = STATUS_OBJECT_NAME_NOT_FOUND
    assert [0, ARCHIVE, 0, (5, ARCHIVE), missing, 0, missing] == run_with_files(tmp_path, main)


SPARSE_FILES, REPARSE_POINTS, OBJECT_IDS, HARD_LINKS = 0x40, 0x80, 0x10000, 0x400000


def volume(guest: Guest, files: Files, handle: int, kind: int, size: int) -> Any:
    """NtQueryVolumeInformationFile."""
    buffer = guest.room(size)
    status = yield "NtQueryVolumeInformationFile", handle, files.block, buffer, size, kind
    return status, files.memory(buffer, files.outcome()[1] if status < 0xC0000000 else 0)


@pytest.mark.parametrize("name", ["", "\\??\\C:"])
def test_a_drive_looks_like_an_ntfs_volume(tmp_path: Path, name: str) -> None:
    space = os.statvfs(tmp_path)

    def main(guest: Guest, files: Files) -> Body:
        handle = yield from files.open(name, GENERIC_READ)
        guest.log.append((yield from volume(guest, files, handle, 4, 8)))
        status, data = yield from volume(guest, files, handle, 5, 64)
        guest.log.append((status, struct.unpack_from("<II", data, 4), data[12:].decode("utf-16-le")))
        features = SPARSE_FILES | REPARSE_POINTS | OBJECT_IDS | HARD_LINKS
        guest.log.append(struct.unpack_from("<I", data)[0] & features == features)
        status, data = yield from volume(guest, files, handle, 7, 32)
        total, _, _, sectors, sector = struct.unpack("<qqqII", data)
        guest.log.append((status, total * sectors * sector))
        guest.log.append((yield from volume(guest, files, handle, 1, 23))[0])
        guest.log.append((yield from volume(guest, files, handle, 77, 99))[0])
        guest.log.append((yield "NtSetVolumeInformationFile", handle, files.block, guest.room(8), 8, 2))

    assert [
        (0, struct.pack("<II", 8, 0x20)),
        (0, (255, 8), "NTFS"),
        True,
        (0, space.f_blocks * space.f_frsize),
        STATUS_INFO_LENGTH_MISMATCH,
        STATUS_INVALID_INFO_CLASS,
        STATUS_ACCESS_DENIED,
    ] == run_with_files(tmp_path, main)


def test_controls_know_identity_links_and_ranges(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"x" * 10_000)
    (tmp_path / "link").symlink_to("sub/target")
    found = (tmp_path / "f").stat()

    def main(guest: Guest, files: Files) -> Body:
        handle = yield from files.open("f")
        status, data = yield from files.control(handle, 0x9009C)
        guest.log.append((status, struct.unpack_from("<QQ", data)))
        guest.log.append((yield from files.control(handle, 0x900A8))[0])
        status, data = yield from files.control(handle, 0x940CF, struct.pack("<qq", 100, 200))
        guest.log.append((status, struct.unpack("<qq", data)))
        guest.log.append((yield from files.control(handle, 0x980C8, struct.pack("<qq", 5, 9)))[0])
        guest.log.append((yield from files.control(handle, 0x123))[0])
        link = yield from files.open("link", ATTRIBUTES, options=0x200000 | SYNCHRONOUS)
        status, data = yield from files.control(link, 0x900A8, size=256)
        guest.log.append((status, data[20:].decode("utf-16-le")))

    assert [
        (0, (found.st_dev, found.st_ino)),
        0xC0000275,
        (0, (100, 200)),
        0,
        STATUS_INVALID_DEVICE_REQUEST,
        (0, "sub\\target" * 2),
    ] == run_with_files(tmp_path, main)
    assert b"xxxxx\0\0\0\0x" == (tmp_path / "f").read_bytes()[:10]


def test_a_file_keeps_its_creation_time_when_it_is_written_to(tmp_path: Path) -> None:
    def created(files: Files, handle: int) -> Any:
        _, data = yield from files.query(handle, 4, 40)
        return struct.unpack_from("<q", data)[0]

    def main(guest: Guest, files: Files) -> Body:
        handle = yield from files.open("file")
        before = yield from created(files, handle)
        os.utime(tmp_path / "file", (2_000_000_000, 2_000_000_000))
        yield from files.write(handle, b"later")
        guest.log.append(before == (yield from created(files, handle)))
        yield from files.close(handle)
        again = yield from files.open("file", disposition=OVERWRITE_IF)
        guest.log.append(before == (yield from created(files, again)))
        yield from files.close(again)
        new = yield from files.open("file", disposition=SUPERSEDE)
        guest.log.append(before < (yield from created(files, new)))

    try:
        os.setxattr(tmp_path, "user.try", b"")
    except OSError:
        pytest.skip("the file system keeps no extended attributes")
    assert [True, True, True] == run_with_files(tmp_path, main)


def test_a_port_hears_of_what_was_pending_even_if_it_is_to_skip_successes(tmp_path: Path) -> None:
    """A Go program that wrote to a file opened for overlapped requests waited for ever."""

    def main(guest: Guest, files: Files) -> Body:
        handle = yield from files.open("f", READ_WRITE, options=0)
        assert 0 == (yield "NtCreateIoCompletion", files.cell, 0x1F0003, 0, 0)
        port = guest.value(files.cell, 8)
        association = guest.stored(struct.pack("<QQ", port, 5))
        assert 0 == (yield "NtSetInformationFile", handle, files.block, association, 16, 30)
        skip = guest.stored(struct.pack("<I", 1))
        assert 0 == (yield "NtSetInformationFile", handle, files.block, skip, 4, 41)
        data, start = guest.stored(b"data"), guest.stored(bytes(8))
        guest.log.append((yield "NtWriteFile", handle, 0, 0, 7, files.block, data, 4, start, 0))
        key, value = guest.room(8), guest.room(8)
        guest.log.append((yield "NtRemoveIoCompletion", port, key, value, guest.room(16), guest.time(1)))
        guest.log.append((guest.value(key, 8), guest.value(value, 8)))

    assert [STATUS_PENDING, 0, (5, 7)] == run_with_files(tmp_path, main)
