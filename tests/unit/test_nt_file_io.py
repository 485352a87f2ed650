"""Reading and writing files: positions, ends, appending, overlapped requests, byte-range locks."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lswd.memory.protection import PAGE_GUARD, PAGE_READWRITE, PAGE_SIZE
from lswd.nt import dispatch
from lswd.nt.declare import DECLARED
from lswd.ntdef.status import STATUS_ACCESS_VIOLATION

from .file_guest import (
    CREATE,
    GENERIC_READ,
    READ_WRITE,
    STATUS_ACCESS_DENIED,
    STATUS_END_OF_FILE,
    STATUS_FILE_LOCK_CONFLICT,
    STATUS_INVALID_PARAMETER,
    STATUS_LOCK_NOT_GRANTED,
    STATUS_PENDING,
    STATUS_RANGE_NOT_LOCKED,
    Body,
    Files,
    run_with_files,
)
from .guest_threads import CURRENT_PROCESS, NOTIFICATION, Guest


@pytest.fixture(autouse=True, params=["decoded", "compiled"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """How calls are answered, which makes no difference: compiled ones are asked for the fast path first."""
    if request.param == "compiled":
        monkeypatch.setattr(dispatch, "OFTEN", 0)
    return str(request.param)


WRITE_DATA, APPEND_DATA, READ_DATA = 2, 4, 1
TO_THE_END, AT_THE_POSITION = -1, -2
POSITION = 14


def position(files: Files, handle: int) -> Any:
    _, data = yield from files.query(handle, POSITION, 8)
    return int.from_bytes(data, "little")


def test_reads_and_writes_follow_one_position(tmp_path: Path) -> None:
    def main(guest: Guest, files: Files) -> Body:
        handle = yield from files.open("f", disposition=CREATE)
        guest.log.append((yield from files.write(handle, b"0123456789")))
        guest.log.append((yield from files.read(handle, 4)))
        yield from files.set(handle, POSITION, struct.pack("<q", 2))
        guest.log.append((yield from files.read(handle, 4)))
        guest.log.append((yield from files.read(handle, 2, AT_THE_POSITION)))
        guest.log.append((yield from files.read(handle, 100)))
        guest.log.append((yield from position(files, handle)))
        guest.log.append((yield from files.read(handle, 3, 1)))
        guest.log.append((yield from position(files, handle)))

    assert [
        (0, 10), (STATUS_END_OF_FILE, b""), (0, b"2345"), (0, b"67"), (0, b"89"), 10, (0, b"123"), 4,
    ] == run_with_files(tmp_path, main)  # fmt: skip


def test_only_what_is_done_whole_at_the_position_is_done_fast(
    tmp_path: Path, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fast: list[tuple[str, int | None]] = []
    for name in ("NtReadFile", "NtWriteFile"):
        monkeypatch.setattr(DECLARED[name], "fast", _noting(fast, name))

    def main(guest: Guest, files: Files) -> Body:
        handle = yield from files.open("f", disposition=CREATE)
        guest.log.append((yield from files.write(handle, b"0123456789")))
        yield from files.set(handle, POSITION, bytes(8))
        guest.log.append((yield from files.read(handle, 4)))
        guest.log.append((yield from files.read(handle, 4, 0)))
        guest.log.append((yield from files.read(handle, 7)))
        guest.log.append((yield from position(files, handle)))

    assert [(0, 10), (0, b"0123"), (0, b"0123"), (0, b"456789"), 10] == run_with_files(tmp_path, main)
    done = [("NtWriteFile", 0), ("NtReadFile", 0), ("NtReadFile", None), ("NtReadFile", None)]
    assert fast == (done if way == "compiled" else [])


def _noting(fast: list[tuple[str, int | None]], name: str) -> Callable[..., int | None]:
    original = DECLARED[name].fast
    assert original is not None

    def noting(*arguments: Any) -> int | None:
        result = original(*arguments)
        fast.append((name, result))
        return result

    return noting


def test_a_write_goes_to_the_end_when_asked_or_when_the_handle_only_appends(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"start")

    def main(guest: Guest, files: Files) -> Body:
        handle = yield from files.open("f", READ_WRITE)
        guest.log.append((yield from files.write(handle, b"+1", TO_THE_END)))
        guest.log.append((yield from position(files, handle)))
        appender = yield from files.open("f", APPEND_DATA)
        guest.log.append((yield from files.write(appender, b"+2", 0)))

    assert [(0, 2), 7, (0, 2)] == run_with_files(tmp_path, main)
    assert b"start+1+2" == (tmp_path / "f").read_bytes()


def test_a_file_that_only_appends_does_so_through_a_duplicate_with_more_rights(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"start")

    def main(guest: Guest, files: Files) -> Body:
        appender = yield from files.open("f", APPEND_DATA)
        cell = guest.room(8)
        yield "NtDuplicateObject", CURRENT_PROCESS, appender, CURRENT_PROCESS, cell, WRITE_DATA | APPEND_DATA, 0, 0
        guest.log.append((yield from files.write(guest.value(cell, 8), b"+1")))

    assert [(0, 2)] == run_with_files(tmp_path, main)
    assert b"start+1" == (tmp_path / "f").read_bytes()


@pytest.mark.parametrize("call", ["NtReadFile", "NtWriteFile"])
def test_a_guard_page_refuses_its_first_use(tmp_path: Path, call: str) -> None:
    (tmp_path / "f").write_bytes(b"0123456789")

    def main(guest: Guest, files: Files) -> Body:
        space = guest.machine.process.space
        region = space.reserve(0, PAGE_SIZE, PAGE_READWRITE)
        space.commit(region, region.base, PAGE_SIZE, PAGE_READWRITE | PAGE_GUARD)
        handle = yield from files.open("f")
        for _ in range(2):
            guest.log.append((yield call, handle, 0, 0, 0, files.block, region.base, 4, 0, 0))

    assert [STATUS_ACCESS_VIOLATION, 0] == run_with_files(tmp_path, main)


def test_a_write_behind_the_end_leaves_zeros(tmp_path: Path) -> None:
    def main(guest: Guest, files: Files) -> Body:
        handle = yield from files.open("f")
        guest.log.append((yield from files.write(handle, b"x", 5)))

    assert [(0, 1)] == run_with_files(tmp_path, main)
    assert b"\0\0\0\0\0x" == (tmp_path / "f").read_bytes()


def test_reading_and_writing_nothing_succeeds(tmp_path: Path) -> None:
    def main(guest: Guest, files: Files) -> Body:
        handle = yield from files.open("f")
        guest.log.append((yield from files.read(handle, 0)))
        guest.log.append((yield from files.write(handle, b"")))

    assert [(0, b""), (0, 0)] == run_with_files(tmp_path, main)


def test_offsets_that_cannot_be_are_refused(tmp_path: Path) -> None:
    def main(guest: Guest, files: Files) -> Body:
        handle = yield from files.open("f")
        guest.log.append((yield from files.read(handle, 1, -3))[0])
        guest.log.append((yield from files.write(handle, b"x", -3))[0])
        guest.log.append((yield from files.write(handle, b"x", (1 << 63) - 1))[0])
        guest.log.append((yield from files.read(handle, 1, (1 << 63) - 1))[0])
        guest.log.append((yield from files.set(handle, POSITION, struct.pack("<q", -1))))

    assert [STATUS_INVALID_PARAMETER] * 5 == run_with_files(tmp_path, main)


def test_a_handle_does_only_what_it_was_opened_for(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"x")

    def main(guest: Guest, files: Files) -> Body:
        reader = yield from files.open("f", READ_DATA)
        writer = yield from files.open("f", WRITE_DATA)
        guest.log.append((yield from files.write(reader, b"y"))[0])
        guest.log.append((yield from files.read(writer, 1))[0])
        guest.log.append((yield from files.set(reader, 20, struct.pack("<q", 0))))

    assert [STATUS_ACCESS_DENIED] * 3 == run_with_files(tmp_path, main)


def test_a_buffer_that_is_not_there_is_a_status_and_nothing_is_transferred(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"abc")

    def main(guest: Guest, files: Files) -> Body:
        handle = yield from files.open("f")
        guest.log.append((yield "NtReadFile", handle, 0, 0, 0, files.block, 0x10, 3, 0, 0))
        guest.log.append((yield "NtWriteFile", handle, 0, 0, 0, files.block, 0x10, 3, 0, 0))
        guest.log.append((yield from position(files, handle)))

    assert [0xC0000005, 0xC0000005, 0] == run_with_files(tmp_path, main)
    assert b"abc" == (tmp_path / "f").read_bytes()


def test_an_overlapped_request_tells_by_block_and_event_and_needs_an_offset(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"abcdef")

    def main(guest: Guest, files: Files) -> Body:
        handle = yield from files.open("f", GENERIC_READ, options=0)
        event = yield from guest.event(NOTIFICATION, 1)
        buffer = guest.room(8)
        for offset, size in ((2, 3), (6, 3)):
            at = guest.stored(struct.pack("<q", offset))
            status = yield "NtReadFile", handle, event, 0, 0, files.block, buffer, size, at, 0
            guest.log.append((status, files.outcome(), files.memory(buffer, 3), (yield from guest.wait(event, 0))))
        guest.log.append((yield "NtReadFile", handle, event, 0, 0, files.block, buffer, 3, 0, 0))
        guest.log.append((yield from guest.wait(handle, 0)))

    assert [
        (STATUS_PENDING, (0, 3), b"cde", 0),
        (STATUS_PENDING, (STATUS_END_OF_FILE, 0), b"cde", 0),
        STATUS_INVALID_PARAMETER,
        0,
    ] == run_with_files(tmp_path, main)


def test_an_overlapped_request_runs_its_apc_routine_when_the_thread_waits_alertably(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"abcdef")

    def main(guest: Guest, files: Files) -> Body:
        def routine(guest: Guest, context: int, block: int, reserved: int) -> Body:
            guest.log.append(("routine", context, files.outcome(block), reserved))
            yield from ()

        handle = yield from files.open("f", GENERIC_READ, options=0)
        address = guest.machine.engine.address_of(routine)
        at = guest.stored(struct.pack("<q", 0))
        yield "NtReadFile", handle, 0, address, 77, files.block, guest.room(8), 4, at, 0
        guest.log.append("before")
        guest.log.append((yield from guest.sleep(1, alertable=True)))

    assert ["before", ("routine", 77, (0, 4), 0), 0xC0] == run_with_files(tmp_path, main)


def lock(
    guest: Guest, files: Files, handle: int, start: int, length: int, *, exclusive: bool = True, wait: bool = False
) -> Any:
    """NtLockFile; returns the status."""
    offset, size = (guest.stored(struct.pack("<Q", n)) for n in (start, length))
    return (
        yield "NtLockFile", handle, 0, 0, 0, files.block, offset, size, 0, int(not wait), int(exclusive)
    )  # fmt: skip


def unlock(guest: Guest, files: Files, handle: int, start: int, length: int) -> Any:
    """NtUnlockFile; returns the status."""
    offset, size = (guest.stored(struct.pack("<Q", n)) for n in (start, length))
    return (yield "NtUnlockFile", handle, files.block, offset, size, 0)


def test_an_exclusive_lock_becomes_a_shared_one_without_a_moment_in_between(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"0123456789")

    def main(guest: Guest, files: Files) -> Body:
        one = yield from files.open("f")
        two = yield from files.open("f")
        for handle, exclusive in ((one, True), (one, False), (two, False)):
            guest.log.append((yield from lock(guest, files, handle, 0, 1, exclusive=exclusive)))
        guest.log.append((yield from unlock(guest, files, one, 0, 1)))
        for exclusive in (True, False):
            guest.log.append((yield from lock(guest, files, two, 0, 1, exclusive=exclusive)))
        guest.log.append((yield from unlock(guest, files, one, 0, 1)))

    assert [0, 0, STATUS_LOCK_NOT_GRANTED, 0, STATUS_LOCK_NOT_GRANTED, 0, 0] == run_with_files(tmp_path, main)


def test_locks_keep_other_handles_out_of_their_range(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"0123456789")

    def main(guest: Guest, files: Files) -> Body:
        one = yield from files.open("f")
        two = yield from files.open("f")
        guest.log.append((yield from lock(guest, files, one, 2, 4)))
        guest.log.append((yield from files.read(two, 3, 0))[0])
        guest.log.append((yield from files.read(two, 2, 0))[0])
        guest.log.append((yield from files.write(two, b"x", 5))[0])
        guest.log.append((yield from files.write(two, b"x", 6))[0])
        guest.log.append((yield from files.write(one, b"x", 3))[0])
        guest.log.append((yield from lock(guest, files, two, 5, 1)))
        guest.log.append((yield from lock(guest, files, two, 6, 1)))
        guest.log.append((yield from unlock(guest, files, one, 2, 3)))
        guest.log.append((yield from unlock(guest, files, two, 2, 4)))
        guest.log.append((yield from unlock(guest, files, one, 2, 4)))
        guest.log.append((yield from files.read(two, 3, 0))[0])

    conflict = STATUS_FILE_LOCK_CONFLICT
    assert [
        0, conflict, 0, conflict, 0, 0, STATUS_LOCK_NOT_GRANTED, 0, STATUS_RANGE_NOT_LOCKED, STATUS_RANGE_NOT_LOCKED, 0,
        0,
    ] == run_with_files(tmp_path, main)  # fmt: skip


def test_shared_locks_let_everybody_read_and_nobody_write(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"0123456789")

    def main(guest: Guest, files: Files) -> Body:
        one = yield from files.open("f")
        two = yield from files.open("f")
        guest.log.append((yield from lock(guest, files, one, 0, 10, exclusive=False)))
        guest.log.append((yield from lock(guest, files, two, 0, 10, exclusive=False)))
        guest.log.append((yield from lock(guest, files, two, 0, 1)))
        guest.log.append((yield from files.read(two, 1, 0))[0])
        guest.log.append((yield from files.write(one, b"x", 0))[0])

    conflict = STATUS_FILE_LOCK_CONFLICT
    assert [0, 0, STATUS_LOCK_NOT_GRANTED, 0, conflict] == run_with_files(tmp_path, main)


def test_a_thread_can_wait_for_a_lock_and_gets_it_when_the_holders_handle_is_closed(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"0123456789")

    def main(guest: Guest, files: Files) -> Body:
        one = yield from files.open("f")
        two = yield from files.open("f")

        def waiter(guest: Guest, handle: int) -> Body:
            guest.log.append(("waits", (yield from lock(guest, files, handle, 5, 5, wait=True))))

        yield from lock(guest, files, one, 0, 10)
        thread = yield from guest.thread(waiter, two)
        yield from guest.sleep(1)
        guest.log.append("closing")
        yield from files.close(one)
        yield from guest.wait(thread)

    assert ["closing", ("waits", 0)] == run_with_files(tmp_path, main)


def test_a_flush_goes_as_far_as_its_flags_want(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    monkeypatch.setattr("os.fsync", lambda fd: done.append("fsync"))
    monkeypatch.setattr("os.fdatasync", lambda fd: done.append("fdatasync"))

    def main(guest: Guest, files: Files) -> Body:
        handle = yield from files.open("f", disposition=CREATE)
        for flags in (0, 1, 2, 4, 8):
            done.clear()
            status = yield "NtFlushBuffersFileEx", handle, flags, 0, 0, guest.room(16)
            guest.log.append((status, *done))

    expected = [(0, "fsync"), (0,), (0,), (0, "fdatasync"), (STATUS_INVALID_PARAMETER,)]
    assert expected == run_with_files(tmp_path, main)
