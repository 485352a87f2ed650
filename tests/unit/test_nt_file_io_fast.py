"""What is not done fast: reads and writes at a file's position that look like all others and are none of them.

Each runs compiled, where the fast path is asked first, and decoded, where there is none.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from lswd.memory.protection import PAGE_READONLY, PAGE_READWRITE, PAGE_SIZE
from lswd.nt import dispatch
from lswd.ntdef.status import STATUS_ACCESS_VIOLATION

from .file_guest import (
    STATUS_ACCESS_DENIED,
    STATUS_FILE_LOCK_CONFLICT,
    STATUS_INVALID_PARAMETER,
    Body,
    Files,
    run_with_files,
)
from .guest_threads import CURRENT_PROCESS, Guest

READ_DATA, WRITE_DATA = 1, 2
STATUS_USER_APC = 0xC0
CALLS = pytest.mark.parametrize("call", ["NtReadFile", "NtWriteFile"])


@pytest.fixture(autouse=True, params=["decoded", "compiled"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "compiled":
        monkeypatch.setattr(dispatch, "OFTEN", 0)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "f").write_bytes(b"0123456789")
    return tmp_path


@pytest.mark.parametrize(("call", "granted"), [("NtReadFile", WRITE_DATA), ("NtWriteFile", READ_DATA)])
def test_through_a_duplicate_with_fewer_rights(root: Path, call: str, granted: int) -> None:
    def main(guest: Guest, files: Files) -> Body:
        handle = yield from files.open("f")
        cell = guest.room(8)
        yield "NtDuplicateObject", CURRENT_PROCESS, handle, CURRENT_PROCESS, cell, granted, 0, 0
        guest.log.append((yield call, guest.value(cell, 8), 0, 0, 0, files.block, guest.room(4), 4, 0, 0))

    assert [STATUS_ACCESS_DENIED] == run_with_files(root, main)


@CALLS
def test_an_event_that_is_to_be_set(root: Path, call: str) -> None:
    def main(guest: Guest, files: Files) -> Body:
        handle = yield from files.open("f")
        event = yield from guest.event()
        guest.log.append((yield call, handle, event, 0, 0, files.block, guest.room(4), 4, 0, 0))
        guest.log.append((yield from guest.wait(event, 0)))

    assert [0, 0] == run_with_files(root, main)


@CALLS
def test_a_routine_that_is_to_be_called(root: Path, call: str) -> None:
    def main(guest: Guest, files: Files) -> Body:
        def routine(guest: Guest, context: int, block: int, reserved: int) -> Body:
            guest.log.append(context)
            yield from ()

        handle = yield from files.open("f")
        address = guest.machine.engine.address_of(routine)
        guest.log.append((yield call, handle, 0, address, 77, files.block, guest.room(4), 4, 0, 0))
        guest.log.append((yield from guest.sleep(1, alertable=True)))

    assert [0, 77, STATUS_USER_APC] == run_with_files(root, main)


@CALLS
def test_a_range_that_another_has_locked(root: Path, call: str) -> None:
    def main(guest: Guest, files: Files) -> Body:
        handle, other = (yield from files.open("f")), (yield from files.open("f"))
        start, length = guest.stored(bytes(8)), guest.stored((10).to_bytes(8, "little"))
        yield "NtLockFile", other, 0, 0, 0, files.block, start, length, 0, 1, 1
        guest.log.append((yield call, handle, 0, 0, 0, files.block, guest.room(4), 4, 0, 0))

    assert [STATUS_FILE_LOCK_CONFLICT] == run_with_files(root, main)


@CALLS
def test_a_file_without_a_position(root: Path, call: str) -> None:
    def main(guest: Guest, files: Files) -> Body:
        handle = yield from files.open("f", options=0)
        guest.log.append((yield call, handle, 0, 0, 0, files.block, guest.room(4), 4, 0, 0))

    assert [STATUS_INVALID_PARAMETER] == run_with_files(root, main)


@CALLS
def test_a_key_that_cannot_be_read(root: Path, call: str) -> None:
    def main(guest: Guest, files: Files) -> Body:
        handle = yield from files.open("f")
        guest.log.append((yield call, handle, 0, 0, 0, files.block, guest.room(4), 4, 0, 8))

    assert [STATUS_ACCESS_VIOLATION] == run_with_files(root, main)


def test_a_buffer_that_cannot_be_written_to(root: Path) -> None:
    def main(guest: Guest, files: Files) -> Body:
        space = guest.machine.process.space
        region = space.reserve(0, PAGE_SIZE, PAGE_READWRITE)
        space.commit(region, region.base, PAGE_SIZE, PAGE_READONLY)
        handle = yield from files.open("f")
        for _ in range(2):  # of the first time the place is known
            guest.log.append((yield "NtReadFile", handle, 0, 0, 0, files.block, region.base, 4, 0, 0))
        guest.log.append(files.memory(region.base, 4))

    assert [STATUS_ACCESS_VIOLATION] * 2 + [bytes(4)] == run_with_files(root, main)


@CALLS
def test_a_status_block_on_two_pages(root: Path, call: str) -> None:
    """The one behind has been there first: in the kernel's memory they lie the other way round."""

    def main(guest: Guest, files: Files) -> Body:
        space = guest.machine.process.space
        base = space.find_free(0x20000)
        for start in (base + 0x10000, base):
            space.commit(space.reserve(start, 0x10000, PAGE_READWRITE), start, 0x10000, PAGE_READWRITE)
        block = base + 0x10000 - 8
        space.probe_write(block, 8)
        handle = yield from files.open("f")
        guest.log.append((yield call, handle, 0, 0, 0, block, guest.room(4), 4, 0, 0))
        guest.log.append(files.outcome(block))

    assert [0, (0, 4)] == run_with_files(root, main)
