"""Virtual memory by system calls: very large reservations, and placeholders."""

from __future__ import annotations

import pytest

from lswd.memory.region import MEM_COMMIT, MEM_DECOMMIT, MEM_FREE, MEM_RELEASE, MEM_RESERVE

from .guest_threads import CURRENT_PROCESS
from .system_calls import Caller

PAGE_NOACCESS, PAGE_READWRITE, PAGE_EXECUTE_READWRITE, PAGE_TARGETS_INVALID = 1, 4, 0x40, 0x40000000
COALESCE, PRESERVE, REPLACE, PLACEHOLDER = 1, 2, 0x4000, 0x40000
CONFLICTING, INVALID_PAGE_PROTECTION, INVALID_PARAMETER_4, INVALID_PARAMETER_5 = (
    0xC0000018, 0xC0000045, 0xC00000F2, 0xC00000F3)  # fmt: skip
SIZE = 0x40000


class Memory(Caller):
    def allocate(self, base: int, size: int, kind: int, protect: int, expect: int = 0) -> int:
        cell = self.cell(base)
        assert expect == self.call(
            "NtAllocateVirtualMemoryEx", CURRENT_PROCESS, cell, self.cell(size), kind, protect, 0, 0)
        return self.number(cell, 8)

    def free(self, base: int, size: int, kind: int) -> int:
        return self.call("NtFreeVirtualMemory", CURRENT_PROCESS, self.cell(base), self.cell(size), kind)

    def layout(self, start: int, end: int) -> list[tuple[int, int]]:
        """(offset, state) of every allocation in a range."""
        found = []
        at = start
        while at < end:
            _, base, _, size, state, _, _ = self.process.space.query(at)
            found.append(((base or at) - start, state))
            at += size
        return found


@pytest.fixture
def memory() -> Memory:
    return Memory()


def test_a_terabyte_is_reserved_and_a_little_of_it_used(memory: Memory) -> None:
    size = 1 << 40
    base = memory.allocate(0, size, MEM_RESERVE, PAGE_NOACCESS)
    middle = base + size // 2
    memory.allocate(middle, 0x2000, MEM_COMMIT, PAGE_READWRITE)
    memory.process.space.write(middle + 0x1FFE, b"ab")
    assert b"\0ab" == memory.process.space.read(middle + 0x1FFD, 3)
    assert (0x2000, MEM_COMMIT) == memory.process.space.query(middle)[3:5]
    assert 0 == memory.free(base, 0, MEM_RELEASE)
    assert MEM_FREE == memory.process.space.query(middle)[4]


def test_memory_for_code_may_be_declared_no_target_of_calls(memory: Memory) -> None:
    memory.allocate(0, SIZE, MEM_RESERVE | MEM_COMMIT, PAGE_EXECUTE_READWRITE | PAGE_TARGETS_INVALID)
    memory.allocate(0, SIZE, MEM_RESERVE, PAGE_READWRITE | PAGE_TARGETS_INVALID, INVALID_PAGE_PROTECTION)
    base = memory.allocate(0, SIZE, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE)
    protect = PAGE_EXECUTE_READWRITE | PAGE_TARGETS_INVALID | 0x20000000  # as Wine 10's WriteProcessMemory asks
    cells = memory.cell(base), memory.cell(SIZE)
    assert 0 == memory.call("NtProtectVirtualMemory", CURRENT_PROCESS, *cells, protect, memory.cell())


def test_a_placeholder_is_split_filled_emptied_and_made_whole_again(memory: Memory) -> None:
    base = memory.allocate(0, SIZE, MEM_RESERVE | PLACEHOLDER, PAGE_NOACCESS)
    memory.allocate(base, 0x1000, MEM_COMMIT, PAGE_READWRITE, CONFLICTING)
    middle, end = base + 0x11000, base + 0x13000  # no more than pages: placeholders need no 64 KiB
    assert 0 == memory.free(middle, end - middle, MEM_RELEASE | PRESERVE)
    assert [(0, MEM_RESERVE), (0x11000, MEM_RESERVE), (0x13000, MEM_RESERVE)] == memory.layout(base, base + SIZE)
    memory.allocate(middle, 0x1000, MEM_RESERVE | MEM_COMMIT | REPLACE, PAGE_READWRITE, CONFLICTING)  # not all of it
    memory.allocate(middle, end - middle, MEM_RESERVE | MEM_COMMIT | REPLACE, PAGE_READWRITE)
    memory.process.space.write(middle, b"here")
    assert CONFLICTING == memory.free(base, SIZE, MEM_RELEASE | COALESCE)
    assert 0 == memory.free(middle, end - middle, MEM_RELEASE | PRESERVE)
    assert 0 == memory.free(base, SIZE, MEM_RELEASE | COALESCE)
    assert [(0, MEM_RESERVE)] == memory.layout(base, base + SIZE)
    assert 0 == memory.free(base, 0, MEM_RELEASE)


@pytest.mark.parametrize(("kind", "protect", "status"), [
    (MEM_RESERVE | MEM_COMMIT | PLACEHOLDER, PAGE_NOACCESS, INVALID_PARAMETER_5),
    (MEM_RESERVE | PLACEHOLDER, PAGE_READWRITE, INVALID_PAGE_PROTECTION),
    (MEM_COMMIT | REPLACE, PAGE_READWRITE, INVALID_PARAMETER_5),
])
def test_placeholders_of_the_wrong_kind_are_refused(memory: Memory, kind: int, protect: int, status: int) -> None:
    memory.allocate(0, SIZE, kind, protect, status)


def test_placeholders_are_kept_and_joined_only_when_released(memory: Memory) -> None:
    base = memory.allocate(0, SIZE, MEM_RESERVE | PLACEHOLDER, PAGE_NOACCESS)
    for kind in (MEM_DECOMMIT | PRESERVE, MEM_RELEASE | PRESERVE | COALESCE, PRESERVE):
        assert INVALID_PARAMETER_4 == memory.free(base, SIZE, kind)
    assert CONFLICTING == memory.free(base, SIZE, MEM_RELEASE | PRESERVE)  # it is one already
    assert CONFLICTING == memory.free(base, SIZE, MEM_DECOMMIT)


def test_a_view_takes_the_place_of_a_placeholder_and_leaves_one(memory: Memory) -> None:
    section = memory.handle("NtCreateSection", 0xF001F, 0, memory.cell(SIZE), PAGE_READWRITE, 0x8000000, 0)
    base = memory.allocate(0, 3 * SIZE, MEM_RESERVE | PLACEHOLDER, PAGE_NOACCESS)
    middle = base + SIZE
    assert 0 == memory.free(middle, SIZE, MEM_RELEASE | PRESERVE)

    def view(size: int) -> int:
        cells = memory.cell(middle), memory.cell(0), memory.cell(size)
        return memory.call("NtMapViewOfSectionEx", section, CURRENT_PROCESS, *cells, REPLACE, PAGE_READWRITE, 0, 0)

    assert CONFLICTING == view(SIZE // 2)
    assert 0 == view(SIZE)
    memory.process.space.write(middle, b"seen")
    assert 0 == memory.call("NtUnmapViewOfSectionEx", CURRENT_PROCESS, middle, PRESERVE)
    assert 0 == memory.free(base, 3 * SIZE, MEM_RELEASE | COALESCE)


def test_what_is_committed_in_one_view_of_a_reserved_section_is_in_every_other(memory: Memory) -> None:
    section = memory.handle("NtCreateSection", 0xF001F, 0, memory.cell(SIZE), PAGE_READWRITE, 0x4000000, 0)

    def view(offset: int = 0) -> int:
        cells = memory.cell(0), 0, 0, memory.cell(offset), memory.cell(0)
        assert 0 == memory.call("NtMapViewOfSection", section, CURRENT_PROCESS, *cells, 1, 0, PAGE_READWRITE)
        return memory.number(cells[0], 8)

    one, two = view(), view(0x10000)
    for start, size in ((0x12000, 0x2000), (0xF000, 0x4000), (0x12000, 0x1000)):
        memory.allocate(one + start, size, MEM_COMMIT, PAGE_READWRITE)
    memory.process.space.write(one + 0x12000, b"seen")
    assert b"seen" == memory.process.space.read(two + 0x2000, 4)
    assert (0x4000, MEM_COMMIT) == memory.process.space.query(two)[3:5]
    assert MEM_RESERVE == memory.process.space.query(two + 0x4000)[4]
    late = view()
    assert b"seen" == memory.process.space.read(late + 0x12000, 4)
    assert (0x5000, MEM_COMMIT) == memory.process.space.query(late + 0xF000)[3:5]
