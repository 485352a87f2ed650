"""Opening and creating files: dispositions, options, share modes, names."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from .file_guest import (
    ATTRIBUTES,
    CREATE,
    DELETE,
    DELETE_ON_CLOSE,
    DIRECTORY_FILE,
    GENERIC_READ,
    GENERIC_WRITE,
    NON_DIRECTORY_FILE,
    OPEN,
    OPEN_IF,
    OPEN_REPARSE_POINT,
    OVERWRITE,
    OVERWRITE_IF,
    READ_WRITE,
    STATUS_ACCESS_DENIED,
    STATUS_CANNOT_DELETE,
    STATUS_DELETE_PENDING,
    STATUS_FILE_IS_A_DIRECTORY,
    STATUS_INVALID_PARAMETER,
    STATUS_NOT_A_DIRECTORY,
    STATUS_OBJECT_NAME_COLLISION,
    STATUS_OBJECT_NAME_INVALID,
    STATUS_OBJECT_NAME_NOT_FOUND,
    STATUS_OBJECT_PATH_NOT_FOUND,
    STATUS_SHARING_VIOLATION,
    SUPERSEDE,
    SYNCHRONOUS,
    Body,
    Files,
    run_with_files,
)
from .guest_threads import Guest

SUPERSEDED, OPENED, CREATED, OVERWRITTEN = range(4)


@pytest.mark.parametrize(
    ("disposition", "expected"),
    [
        (SUPERSEDE, (0, CREATED)),
        (OPEN, (STATUS_OBJECT_NAME_NOT_FOUND, None)),
        (CREATE, (0, CREATED)),
        (OPEN_IF, (0, CREATED)),
        (OVERWRITE, (STATUS_OBJECT_NAME_NOT_FOUND, None)),
        (OVERWRITE_IF, (0, CREATED)),
    ],
)
def test_a_disposition_decides_what_becomes_of_a_missing_file(
    tmp_path: Path, disposition: int, expected: tuple[int, int | None]
) -> None:
    def main(guest: Guest, files: Files) -> Body:
        status, _, information = yield from files.create("new.txt", disposition=disposition)
        guest.log.append((status, information if status == 0 else None))

    assert [expected] == run_with_files(tmp_path, main)
    assert (expected[0] == 0) == (tmp_path / "new.txt").exists()


@pytest.mark.parametrize(
    ("disposition", "expected", "left"),
    [
        (SUPERSEDE, (0, SUPERSEDED), b""),
        (OPEN, (0, OPENED), b"old"),
        (CREATE, (STATUS_OBJECT_NAME_COLLISION, None), b"old"),
        (OPEN_IF, (0, OPENED), b"old"),
        (OVERWRITE, (0, OVERWRITTEN), b""),
        (OVERWRITE_IF, (0, OVERWRITTEN), b""),
    ],
)
def test_a_disposition_decides_what_becomes_of_a_file_that_is_there(
    tmp_path: Path, disposition: int, expected: tuple[int, int | None], left: bytes
) -> None:
    (tmp_path / "Old.txt").write_bytes(b"old")

    def main(guest: Guest, files: Files) -> Body:
        status, _, information = yield from files.create("oLD.TXT", disposition=disposition)
        guest.log.append((status, information if status == 0 else None))

    assert [expected] == run_with_files(tmp_path, main)
    assert left == (tmp_path / "Old.txt").read_bytes()


def test_directories_are_created_and_opened_by_their_own_rules(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")

    def main(guest: Guest, files: Files) -> Body:
        for name, disposition, options in (
            ("dir", CREATE, DIRECTORY_FILE),
            ("dir", CREATE, DIRECTORY_FILE),
            ("dir", OPEN_IF, DIRECTORY_FILE),
            ("dir", OPEN, 0),
            ("dir", OPEN, NON_DIRECTORY_FILE),
            ("dir", OVERWRITE_IF, NON_DIRECTORY_FILE),
            ("dir", OVERWRITE_IF, 0),
            ("dir", OVERWRITE_IF, DIRECTORY_FILE),
            ("file", OPEN, DIRECTORY_FILE),
            ("file", OPEN, DIRECTORY_FILE | NON_DIRECTORY_FILE),
        ):
            status, _, _ = yield from files.create(name, GENERIC_READ, disposition, options | SYNCHRONOUS)
            guest.log.append(status)

    assert [
        0,
        STATUS_OBJECT_NAME_COLLISION,
        0,
        0,
        STATUS_FILE_IS_A_DIRECTORY,
        STATUS_FILE_IS_A_DIRECTORY,
        STATUS_OBJECT_NAME_COLLISION,
        STATUS_INVALID_PARAMETER,
        STATUS_NOT_A_DIRECTORY,
        STATUS_INVALID_PARAMETER,
    ] == run_with_files(tmp_path, main)


def test_names_that_cannot_be_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")

    def main(guest: Guest, files: Files) -> Body:
        for name in (
            "missing\\x", "file\\x", "a*b", "a|b", "file\\", "new\\", "..\\x",
            "\\??\\Q:\\x", "\\??\\Q:", "\\??\\C:\\file", "\\Device\\HarddiskVolume3\\FILE", "\\??\\nul", "relative",
        ):  # fmt: skip
            status, _, _ = yield from files.create(name, GENERIC_READ, OPEN if name != "new\\" else OPEN_IF)
            guest.log.append(status)

    assert [
        STATUS_OBJECT_PATH_NOT_FOUND,
        STATUS_OBJECT_PATH_NOT_FOUND,
        STATUS_OBJECT_NAME_INVALID,
        STATUS_OBJECT_NAME_INVALID,
        STATUS_OBJECT_NAME_INVALID,
        STATUS_OBJECT_NAME_INVALID,
        STATUS_OBJECT_NAME_INVALID,
        STATUS_OBJECT_PATH_NOT_FOUND,
        STATUS_OBJECT_NAME_NOT_FOUND,
        0,
        0,
        0,
        STATUS_OBJECT_NAME_NOT_FOUND,
    ] == run_with_files(tmp_path, main)


def test_a_name_can_be_relative_to_an_open_directory(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "inner").write_bytes(b"seen")

    def main(guest: Guest, files: Files) -> Body:
        root = yield from files.open("sub", GENERIC_READ, options=DIRECTORY_FILE | SYNCHRONOUS)
        inner = yield from files.open("INNER", GENERIC_READ, root=root)
        guest.log.append((yield from files.read(inner, 10)))
        guest.log.append((yield from files.create("\\inner", GENERIC_READ, root=root))[0])
        guest.log.append((yield from files.create("", GENERIC_READ, root=root))[0])

    assert [(0, b"seen"), 0xC000003B, 0] == run_with_files(tmp_path, main)


@pytest.mark.parametrize(
    ("first", "second", "agree"),
    [
        ((GENERIC_READ, 1), (GENERIC_READ, 1), True),
        ((GENERIC_READ, 1), (GENERIC_WRITE, 7), False),  # the first does not share writing
        ((GENERIC_READ, 7), (GENERIC_READ, 2), False),  # the second does not share reading
        ((GENERIC_READ, 7), (READ_WRITE, 1), True),
        ((GENERIC_WRITE, 1), (GENERIC_READ, 1), False),
        ((GENERIC_WRITE, 1), (GENERIC_READ, 3), True),
        ((GENERIC_READ, 3), (DELETE, 7), False),
        ((GENERIC_READ, 7), (DELETE, 7), True),
        ((DELETE, 7), (GENERIC_READ, 3), False),
        ((GENERIC_READ, 0), (ATTRIBUTES, 0), True),  # attributes need no sharing
        ((ATTRIBUTES, 0), (READ_WRITE, 0), True),
    ],
)
def test_both_opens_of_a_file_must_share_what_the_other_does(
    tmp_path: Path, first: tuple[int, int], second: tuple[int, int], agree: bool
) -> None:
    (tmp_path / "f").write_bytes(b"")

    def main(guest: Guest, files: Files) -> Body:
        first_handle = yield from files.open("f", first[0], share=first[1])
        status, second_handle, _ = yield from files.create("F", second[0], share=second[1])
        guest.log.append(status)
        if status == 0:
            yield from files.close(second_handle)
        yield from files.close(first_handle)
        guest.log.append((yield from files.create("F", second[0], share=second[1]))[0])

    assert [0 if agree else STATUS_SHARING_VIOLATION, 0] == run_with_files(tmp_path, main)


def test_share_modes_know_a_file_by_any_of_its_names(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"")
    os.link(tmp_path / "f", tmp_path / "g")

    def main(guest: Guest, files: Files) -> Body:
        yield from files.open("f", READ_WRITE, share=0)
        guest.log.append((yield from files.create("g", GENERIC_READ))[0])

    assert [STATUS_SHARING_VIOLATION] == run_with_files(tmp_path, main)


def test_a_read_only_file_is_not_written_replaced_or_deleted_not_even_by_root(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"kept")
    (tmp_path / "f").chmod(0o444)

    def main(guest: Guest, files: Files) -> Body:
        for access, disposition, options in (
            (GENERIC_READ, OPEN, 0),
            (GENERIC_WRITE, OPEN, 0),
            (ATTRIBUTES, OVERWRITE_IF, 0),
            (DELETE, OPEN, DELETE_ON_CLOSE),
            (DELETE, OPEN, 0),
        ):
            status, _, _ = yield from files.create("f", access, disposition, options | SYNCHRONOUS)
            guest.log.append(status)

    assert [0, STATUS_ACCESS_DENIED, STATUS_ACCESS_DENIED, STATUS_CANNOT_DELETE, 0] == run_with_files(tmp_path, main)
    assert b"kept" == (tmp_path / "f").read_bytes()


def test_a_new_file_can_be_read_only_and_still_be_written_by_its_creator(tmp_path: Path) -> None:
    def main(guest: Guest, files: Files) -> Body:
        handle = yield from files.open("f", READ_WRITE, disposition=CREATE, attributes=1)
        guest.log.append((yield from files.write(handle, b"written")))

    assert [(0, 7)] == run_with_files(tmp_path, main)
    assert 0 == (tmp_path / "f").stat().st_mode & 0o222


def test_a_file_opened_to_be_deleted_is_there_until_its_last_handle_is_closed(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"x")

    def main(guest: Guest, files: Files) -> Body:
        first = yield from files.open("f", GENERIC_READ)
        second = yield from files.open("f", DELETE, options=DELETE_ON_CLOSE | SYNCHRONOUS)
        third = yield from files.open("f", GENERIC_READ)
        yield from files.close(second)
        guest.log.append((tmp_path / "f").exists())
        guest.log.append((yield from files.create("f", GENERIC_READ, OPEN))[0])
        yield from files.close(first)
        guest.log.append((tmp_path / "f").exists())
        yield from files.close(third)
        guest.log.append((tmp_path / "f").exists())

    assert [True, STATUS_DELETE_PENDING, True, False] == run_with_files(tmp_path, main)


def test_deleting_at_close_spares_what_has_taken_the_files_place(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"x")

    def main(guest: Guest, files: Files) -> Body:
        handle = yield from files.open("f", DELETE, options=DELETE_ON_CLOSE | SYNCHRONOUS)
        (tmp_path / "f").rename(tmp_path / "g")
        (tmp_path / "f").write_bytes(b"innocent")
        yield from files.close(handle)

    run_with_files(tmp_path, main)
    assert {"f", "g"} == set(os.listdir(tmp_path))


def test_deleting_needs_the_right_to(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"x")

    def main(guest: Guest, files: Files) -> Body:
        status, _, _ = yield from files.create("f", GENERIC_READ, OPEN, DELETE_ON_CLOSE | SYNCHRONOUS)
        guest.log.append(status)

    assert [STATUS_INVALID_PARAMETER] == run_with_files(tmp_path, main)


def test_a_link_is_followed_unless_it_is_asked_for_itself(tmp_path: Path) -> None:
    (tmp_path / "target").write_bytes(b"content")
    (tmp_path / "link").symlink_to("target")
    (tmp_path / "dangling").symlink_to("nowhere")

    def main(guest: Guest, files: Files) -> Body:
        handle = yield from files.open("link", GENERIC_READ)
        guest.log.append((yield from files.read(handle, 20)))
        guest.log.append((yield from files.create("dangling", GENERIC_READ, OPEN))[0])
        options = OPEN_REPARSE_POINT | SYNCHRONOUS
        handle = yield from files.open("link", DELETE | ATTRIBUTES, options=options | DELETE_ON_CLOSE)
        _, tag = yield from files.query(handle, 35, 8)
        guest.log.append(tag.hex())
        yield from files.close(handle)

    assert [(0, b"content"), STATUS_OBJECT_NAME_NOT_FOUND, "000400000c0000a0"] == run_with_files(tmp_path, main)
    assert ["dangling", "target"] == sorted(os.listdir(tmp_path))


def test_hidden_files_are_not_replaced_by_plain_ones(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"kept")

    def main(guest: Guest, files: Files) -> Body:
        handle = yield from files.open("f", ATTRIBUTES)
        yield from files.set(handle, 4, bytes(32) + (0x22).to_bytes(4, "little") + bytes(4))
        _, tag = yield from files.query(handle, 35, 8)
        hidden = bool(tag[0] & 2)  # where the file system can keep it
        yield from files.close(handle)
        status, _, _ = yield from files.create("f", READ_WRITE, OVERWRITE_IF)
        guest.log.append((hidden, status))
        status, _, _ = yield from files.create("f", READ_WRITE, OVERWRITE_IF, attributes=0x22)
        guest.log.append(status)

    assert run_with_files(tmp_path, main) in (
        [(True, STATUS_ACCESS_DENIED), 0],
        [(False, 0), 0],
    )
