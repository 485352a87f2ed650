"""Enumerating directories."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import pytest

from .file_guest import (
    DIRECTORY_FILE,
    GENERIC_READ,
    STATUS_BUFFER_OVERFLOW,
    STATUS_INFO_LENGTH_MISMATCH,
    STATUS_INVALID_INFO_CLASS,
    STATUS_INVALID_PARAMETER,
    STATUS_NO_MORE_FILES,
    STATUS_NO_SUCH_FILE,
    SYNCHRONOUS,
    Body,
    Files,
    entries,
    run_with_files,
)
from .guest_threads import Guest

RESTART, SINGLE = 1, 2


def opened(files: Files, name: str = "d") -> Any:
    return files.open(name, GENERIC_READ, options=DIRECTORY_FILE | SYNCHRONOUS)


def filled(root: Path, *names: str) -> Path:
    (root / "d").mkdir()
    for name in names:
        (root / "d" / name).write_bytes(b"12345")
    return root


def test_entries_come_sorted_regardless_of_case_dots_first(tmp_path: Path) -> None:
    def main(guest: Guest, files: Files) -> Body:
        directory = yield from opened(files)
        guest.log.append((yield from files.list(directory)))
        guest.log.append((yield from files.list(directory)))

    expected = [".", "..", "a.txt", "B.txt", "c.txt", "Z"]
    log = run_with_files(filled(tmp_path, "c.txt", "B.txt", "Z", "a.txt"), main)
    assert [(0, expected), (STATUS_NO_MORE_FILES, [])] == log


def test_a_root_has_no_dots(tmp_path: Path) -> None:
    def main(guest: Guest, files: Files) -> Body:
        directory = yield from opened(files, "")
        guest.log.append((yield from files.list(directory)))

    assert [(0, ["d"])] == run_with_files(filled(tmp_path), main)


def test_the_first_pattern_stays_until_a_restart_brings_another(tmp_path: Path) -> None:
    def main(guest: Guest, files: Files) -> Body:
        directory = yield from opened(files)
        for pattern, flags in (("*.a", SINGLE), ("*.b", SINGLE), ("*.b", SINGLE), (None, RESTART), ("*.b", RESTART)):
            guest.log.append((yield from files.list(directory, pattern, flags=flags)))

    assert [
        (0, ["1.a"]), (0, ["2.a"]), (STATUS_NO_MORE_FILES, []), (0, ["1.a", "2.a"]), (0, ["3.b"]),
    ] == run_with_files(filled(tmp_path, "1.a", "2.a", "3.b"), main)  # fmt: skip


def test_a_pattern_that_nothing_matches_is_told_once_more_files_later(tmp_path: Path) -> None:
    def main(guest: Guest, files: Files) -> Body:
        directory = yield from opened(files)
        guest.log.append((yield from files.list(directory, "none*"))[0])
        guest.log.append((yield from files.list(directory, "none*"))[0])
        other = yield from opened(files)
        guest.log.append((yield from files.list(other, "none"))[0])

    assert [STATUS_NO_SUCH_FILE, STATUS_NO_MORE_FILES, STATUS_NO_SUCH_FILE] == run_with_files(filled(tmp_path), main)


def test_a_plain_name_finds_its_file_in_any_case(tmp_path: Path) -> None:
    def main(guest: Guest, files: Files) -> Body:
        directory = yield from opened(files)
        guest.log.append((yield from files.list(directory, "HELLO.TXT")))

    assert [(0, ["Hello.txt"])] == run_with_files(filled(tmp_path, "Hello.txt", "hello.txt.bak"), main)


def test_a_small_buffer_takes_the_directory_in_portions(tmp_path: Path) -> None:
    names = [f"file number {i:03}" for i in range(50)]

    def main(guest: Guest, files: Files) -> Body:
        directory = yield from opened(files)
        portions = []
        while True:
            status, portion = yield from files.list(directory, "file*", size=200)
            if status:
                guest.log.append(status)
                break
            portions.append(portion)
        guest.log.append([name for portion in portions for name in portion])
        guest.log.append(len(portions) > 10)

    assert [STATUS_NO_MORE_FILES, names, True] == run_with_files(filled(tmp_path, *names), main)


def test_a_buffer_for_less_than_one_entry_gets_the_beginning_of_it(tmp_path: Path) -> None:
    def main(guest: Guest, files: Files) -> Body:
        directory = yield from opened(files)
        guest.log.append((yield from files.list(directory, "long*", size=8))[0])
        status, _ = yield from files.list(directory, "long*", size=16)
        guest.log.append((status, files.outcome()))
        guest.log.append((yield from files.list(directory)))

    assert [
        STATUS_INFO_LENGTH_MISMATCH,
        (STATUS_BUFFER_OVERFLOW, (STATUS_BUFFER_OVERFLOW, 16)),
        (0, ["long name"]),
    ] == run_with_files(filled(tmp_path, "long name"), main)


@pytest.mark.parametrize(
    ("kind", "name_at"), [(1, 64), (2, 68), (3, 94), (37, 104), (38, 80), (60, 88), (63, 114)]
)
def test_every_class_has_the_same_facts_at_its_own_places(tmp_path: Path, kind: int, name_at: int) -> None:
    identity = (filled(tmp_path, "f") / "d" / "f").stat().st_ino

    def main(guest: Guest, files: Files) -> Body:
        directory = yield from opened(files)
        buffer = guest.room(4096)
        status = yield (
            "NtQueryDirectoryFile", directory, 0, 0, 0, files.block, buffer, 4096, kind, 0, guest.unicode("f*"), 0,
        )  # fmt: skip
        data = files.memory(buffer, files.outcome()[1])
        size, allocation, attributes, length = struct.unpack_from("<qqII", data, 40)
        guest.log.append((status, size, allocation >= size, attributes, length, entries(data, name_at, 60)))
        if kind >= 37:
            at = {37: 96, 38: 72, 60: 72, 63: 72}[kind]
            guest.log.append(int.from_bytes(data[at : at + 8], "little"))

    expected: list[Any] = [(0, 5, True, 0x20, 2, ["f"])]
    assert [*expected, identity] == [*run_with_files(tmp_path, main), *([identity] if kind < 37 else [])]


def test_classes_and_files_that_cannot_be_enumerated_are_refused(tmp_path: Path) -> None:
    def main(guest: Guest, files: Files) -> Body:
        directory = yield from opened(files)
        guest.log.append((yield from files.list(directory, kind=4))[0])
        file = yield from files.open("d\\f", GENERIC_READ)
        guest.log.append((yield from files.list(file))[0])

    assert [STATUS_INVALID_INFO_CLASS, STATUS_INVALID_PARAMETER] == run_with_files(filled(tmp_path, "f"), main)


def test_names_windows_cannot_have_are_shown_so_that_they_can_be_opened(tmp_path: Path) -> None:
    def main(guest: Guest, files: Files) -> Body:
        directory = yield from opened(files)
        _, names = yield from files.list(directory, "*b*")
        guest.log.append(names)
        handle = yield from files.open(f"d\\{names[0]}", GENERIC_READ)
        guest.log.append((yield from files.read(handle, 9)))

    assert [["a\uf03ab"], (0, b"12345")] == run_with_files(filled(tmp_path, "a:b"), main)


def test_a_link_shows_as_a_reparse_point(tmp_path: Path) -> None:
    filled(tmp_path)
    (tmp_path / "d" / "link").symlink_to("..")

    def main(guest: Guest, files: Files) -> Body:
        directory = yield from opened(files)
        buffer = guest.room(4096)
        yield "NtQueryDirectoryFile", directory, 0, 0, 0, files.block, buffer, 4096, 2, 1, guest.unicode("l*"), 0
        data = files.memory(buffer, files.outcome()[1])
        guest.log.append((int.from_bytes(data[56:60], "little"), int.from_bytes(data[64:68], "little")))

    assert [(0x410, 0xA000000C)] == run_with_files(tmp_path, main)


def test_wine_is_shown_what_links_lead_to_because_it_loses_their_tags(tmp_path: Path) -> None:
    filled(tmp_path, "file")
    (tmp_path / "d" / "to directory").symlink_to("..")
    (tmp_path / "d" / "to file").symlink_to("file")
    (tmp_path / "d" / "to nowhere").symlink_to("nowhere")

    def main(guest: Guest, files: Files) -> Body:
        directory = yield from opened(files)
        buffer = guest.room(4096)
        while True:
            status = yield (
                "NtQueryDirectoryFile", directory, 0, 0, 0, files.block, buffer, 4096, 1, 1, guest.unicode("to*"), 0,
            )  # fmt: skip
            if status:
                break
            data = files.memory(buffer, files.outcome()[1])
            guest.log.append((*entries(data, 64, 60), *struct.unpack_from("<q8xI", data, 40)))
        where = guest.named("\\??\\C:\\d\\to nowhere", 0x40)
        guest.log.append((yield "NtQueryAttributesFile", where, buffer))

    assert [("to directory", 0, 0x410), ("to file", 5, 0x20), 0xC0000034] == run_with_files(tmp_path, main, wine=True)


def test_whoever_can_learn_a_links_tag_is_shown_the_link_whatever_it_leads_to(tmp_path: Path) -> None:
    """Go's os.RemoveAll did not see links that lead nowhere, and so could not remove their directory."""
    filled(tmp_path, "file")
    (tmp_path / "d" / "to directory").symlink_to("..")
    (tmp_path / "d" / "to file").symlink_to("file")
    (tmp_path / "d" / "to nowhere").symlink_to("nowhere")

    def main(guest: Guest, files: Files) -> Body:
        buffer = guest.room(4096)
        for kind, start in ((2, 68), (37, 104)):  # FileFullDirectoryInformation, FileIdBothDirectoryInformation
            directory = yield from opened(files)
            while not (yield (
                "NtQueryDirectoryFile", directory, 0, 0, 0, files.block, buffer, 4096, kind, 1, guest.unicode("to*"), 0,
            )):  # fmt: skip
                data = files.memory(buffer, files.outcome()[1])
                guest.log.append((*entries(data, start, 60), *struct.unpack_from("<I4xI", data, 56)))

    links = [("to directory", 0x410, 0xA000000C), ("to file", 0x400, 0xA000000C), ("to nowhere", 0x400, 0xA000000C)]
    assert 2 * links == run_with_files(tmp_path, main, wine=True)


def test_files_may_be_deleted_while_they_are_enumerated(tmp_path: Path) -> None:
    names = [f"{i:02}" for i in range(40)]

    def main(guest: Guest, files: Files) -> Body:
        directory = yield from opened(files)
        seen = []
        while True:
            status, found = yield from files.list(directory, "??", flags=SINGLE)
            if status:
                break
            if found[0].isdigit():
                seen += found
                handle = yield from files.open(f"d\\{found[0]}", 0x10000, options=0x1000 | SYNCHRONOUS)
                yield from files.close(handle)
        guest.log.append(seen)

    assert [names] == run_with_files(filled(tmp_path, *names), main)
    assert [] == list((tmp_path / "d").iterdir())
