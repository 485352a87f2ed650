"""NtNotifyChangeDirectoryFile: what it takes, what it remembers, and trees that change while they are watched."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import Any

import pytest

from lswd.kernel import directory_watch

from .file_guest import (
    DIRECTORY_FILE,
    OPEN,
    STATUS_ACCESS_DENIED,
    STATUS_CANCELLED,
    STATUS_INVALID_PARAMETER,
    STATUS_PENDING,
    SYNCHRONIZE,
    SYNCHRONOUS,
    Body,
    Files,
    run_with_files,
)
from .guest_threads import NOTIFICATION, Guest

NAMES, ALL_NAMES, WRITES = 1, 3, 0x10
LIST = 1
ADDED, REMOVED, MODIFIED, OLD_NAME, NEW_NAME = range(1, 6)
STATUS_NOTIFY_CLEANUP, STATUS_NOTIFY_ENUM_DIR = 0x10B, 0x10C
STATUS_INVALID_INFO_CLASS, STATUS_INSUFFICIENT_RESOURCES = 0xC0000003, 0xC000009A


class Notified:
    """Requests on one directory."""

    def __init__(self, guest: Guest, files: Files, handle: int, length: int = 4096) -> None:
        self.guest, self.files, self.handle, self.length = guest, files, handle, length
        self.buffer, self.block = guest.room(max(length, 1)), guest.room(16)

    def ask(self, changes: int = ALL_NAMES, *, tree: bool = False) -> Any:
        """The status of a request."""
        status = yield (
            "NtNotifyChangeDirectoryFile", self.handle, self.event, 0, 0, self.block, self.buffer, self.length,
            changes, int(tree),
        )  # fmt: skip
        return status

    def start(self, changes: int = ALL_NAMES, *, tree: bool = False) -> Any:
        """The first request."""
        cell = self.guest.room(8)
        yield "NtCreateEvent", cell, 0x1F0003, 0, NOTIFICATION, 0
        self.event = self.guest.value(cell, 8)
        return (yield from self.ask(changes, tree=tree))

    def records(self) -> list[tuple[int, str]]:
        """What the last finished request told."""
        status, size = self.files.outcome(self.block)
        assert status == 0, hex(status)
        data, found, at = self.files.memory(self.buffer, size), [], 0
        while size:
            following, action, length = struct.unpack_from("<III", data, at)
            found.append((action, data[at + 12 : at + 12 + length].decode("utf-16-le")))
            assert following % 4 == 0
            if not following:
                break
            at += following
        return found

    def collect(self, count: int, changes: int = ALL_NAMES, *, tree: bool = True) -> Any:
        """Records until there are ``count`` of them, a new request being left behind."""
        found: list[tuple[int, str]] = []
        while len(found) < count:
            yield "NtWaitForSingleObject", self.event, 0, 0
            found += self.records()
            yield from self.ask(changes, tree=tree)
        return found


def opened(guest: Guest, files: Files, *, length: int = 4096, options: int = DIRECTORY_FILE) -> Any:
    handle = yield from files.open("watched", LIST | SYNCHRONIZE, disposition=OPEN, options=options)
    return Notified(guest, files, handle, length)


def run(tmp_path: Path, main: Any) -> list[Any]:
    (tmp_path / "watched").mkdir()
    return run_with_files(tmp_path, main)


def test_what_is_no_directory_or_has_no_such_right_or_filter_is_refused(tmp_path: Path) -> None:
    def main(guest: Guest, files: Files) -> Body:
        plain = yield from files.open("plain", LIST | SYNCHRONIZE, options=SYNCHRONOUS)
        guest.log.append((yield from Notified(guest, files, plain).start()))
        blind = yield from files.open("watched", 0x80 | SYNCHRONIZE, disposition=OPEN, options=DIRECTORY_FILE)
        guest.log.append((yield from Notified(guest, files, blind).start()))
        good = yield from opened(guest, files)
        guest.log.append((yield from good.start(0)))
        guest.log.append((yield from good.start(0x1000)))

    wrong = STATUS_INVALID_PARAMETER
    assert [wrong, STATUS_ACCESS_DENIED, wrong, wrong] == run(tmp_path, main)


def test_changes_between_requests_are_remembered_up_to_the_first_buffers_size(tmp_path: Path) -> None:
    def main(guest: Guest, files: Files) -> Body:
        watch = yield from opened(guest, files, length=64)
        assert STATUS_PENDING == (yield from watch.start())
        (tmp_path / "watched/a").touch()
        yield "NtWaitForSingleObject", watch.event, 0, 0
        guest.log.append(watch.records())
        (tmp_path / "watched/b").touch()
        (tmp_path / "watched/b").unlink()
        guest.log.append((yield from watch.ask()))
        guest.log.append(watch.records())
        for name in range(9):
            (tmp_path / f"watched/{name}").touch()
        guest.log.append((yield from watch.ask()))
        guest.log.append(files.outcome(watch.block))

    expected = [[(ADDED, "a")], 0, [(ADDED, "b"), (REMOVED, "b")], STATUS_NOTIFY_ENUM_DIR, (STATUS_NOTIFY_ENUM_DIR, 0)]
    assert expected == run(tmp_path, main)


def test_a_directory_made_with_contents_is_told_with_them(tmp_path: Path) -> None:
    def main(guest: Guest, files: Files) -> Body:
        watch = yield from opened(guest, files)
        yield from watch.start(tree=True)
        os.makedirs(tmp_path / "watched/x/y")
        (tmp_path / "watched/x/y/file").touch()
        guest.log.extend((yield from watch.collect(3)))
        (tmp_path / "watched/x/y/later").touch()
        guest.log.extend((yield from watch.collect(1)))

    expected = [(ADDED, "x"), (ADDED, "x\\y"), (ADDED, "x\\y\\file"), (ADDED, "x\\y\\later")]
    assert expected == run(tmp_path, main)


def test_a_tree_is_followed_when_directories_in_it_move(tmp_path: Path) -> None:
    os.makedirs(tmp_path / "elsewhere/deep")

    def main(guest: Guest, files: Files) -> Body:
        os.makedirs(tmp_path / "watched/a/b")
        watch = yield from opened(guest, files)
        yield from watch.start(tree=True)
        (tmp_path / "watched/a").rename(tmp_path / "watched/c")
        (tmp_path / "watched/c/b/file").touch()
        guest.log.extend((yield from watch.collect(3)))
        (tmp_path / "elsewhere").rename(tmp_path / "watched/in")
        guest.log.extend((yield from watch.collect(1)))
        (tmp_path / "watched/in/deep/file").touch()
        guest.log.extend((yield from watch.collect(1)))
        (tmp_path / "watched/c").rename(tmp_path / "gone")
        guest.log.extend((yield from watch.collect(1)))
        (tmp_path / "gone/b/unseen").touch()
        (tmp_path / "watched/seen").touch()
        guest.log.extend((yield from watch.collect(1)))

    expected = [
        (OLD_NAME, "a"), (NEW_NAME, "c"), (ADDED, "c\\b\\file"), (ADDED, "in"), (ADDED, "in\\deep\\file"),
        (REMOVED, "c"), (ADDED, "seen"),
    ]  # fmt: skip
    assert expected == run(tmp_path, main)


def test_two_handles_see_each_what_it_asked_for(tmp_path: Path) -> None:
    def main(guest: Guest, files: Files) -> Body:
        names, writes = (yield from opened(guest, files)), (yield from opened(guest, files))
        yield from names.start(NAMES)
        yield from writes.start(WRITES)
        (tmp_path / "watched/file").write_bytes(b"data")
        guest.log.extend((yield from names.collect(1, NAMES, tree=False)))
        guest.log.extend((yield from writes.collect(1, WRITES, tree=False)))
        yield "NtClose", names.handle
        guest.log.append(files.outcome(names.block))
        (tmp_path / "watched/file").write_bytes(b"more")
        guest.log.extend((yield from writes.collect(1, WRITES, tree=False)))

    modified = (MODIFIED, "file")
    assert [(ADDED, "file"), modified, (STATUS_NOTIFY_CLEANUP, 0), modified] == run(tmp_path, main)


def test_cancelling_and_deleting_end_a_request(tmp_path: Path) -> None:
    def main(guest: Guest, files: Files) -> Body:
        watch = yield from opened(guest, files)
        yield from watch.start()
        yield "NtCancelIoFile", watch.handle, files.block
        guest.log.append(files.outcome(watch.block)[0])
        yield from watch.ask()
        (tmp_path / "watched").rmdir()
        yield "NtWaitForSingleObject", watch.event, 0, 0
        guest.log.append(files.outcome(watch.block)[0])

    assert [STATUS_CANCELLED, 0xC0000056] == run(tmp_path, main)


def test_a_tree_too_large_to_watch_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(directory_watch, "_MOST_DIRECTORIES", 3)

    def main(guest: Guest, files: Files) -> Body:
        for name in "abc":
            (tmp_path / "watched" / name).mkdir()
        watch = yield from opened(guest, files)
        guest.log.append((yield from watch.start(tree=True)))
        guest.log.append((yield from watch.ask()))

    assert [STATUS_INSUFFICIENT_RESOURCES, STATUS_PENDING] == run(tmp_path, main)


def test_the_extended_form_knows_the_plain_records_only(tmp_path: Path) -> None:
    def main(guest: Guest, files: Files) -> Body:
        watch = yield from opened(guest, files)
        for kind in (2, 1):
            status = yield (
                "NtNotifyChangeDirectoryFileEx", watch.handle, 0, 0, 0, watch.block, watch.buffer, watch.length,
                NAMES, 0, kind,
            )  # fmt: skip
            guest.log.append(status)

    assert [STATUS_INVALID_INFO_CLASS, STATUS_PENDING] == run(tmp_path, main)
