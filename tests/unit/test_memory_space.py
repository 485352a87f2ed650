"""The guest address space: NT's rules for reserving, committing, protecting and freeing."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from lswd.memory.protection import (
    PAGE_EXECUTE_READ,
    PAGE_EXECUTE_WRITECOPY,
    PAGE_GUARD,
    PAGE_NOACCESS,
    PAGE_READONLY,
    PAGE_READWRITE,
    PAGE_SIZE,
    PAGE_WRITECOPY,
    READ,
    WRITE,
    encode,
)
from lswd.memory.region import MEM_COMMIT, MEM_FREE, MEM_IMAGE, MEM_PRIVATE, MEM_RESERVE
from lswd.memory.space import AddressSpace
from lswd.ntdef.status import (
    STATUS_ACCESS_VIOLATION,
    STATUS_CONFLICTING_ADDRESSES,
    STATUS_FREE_VM_NOT_AT_BASE,
    STATUS_INVALID_PAGE_PROTECTION,
    STATUS_NOT_COMMITTED,
    NtError,
)


@pytest.fixture
def space() -> AddressSpace:
    return AddressSpace()


def status_of(error: pytest.ExceptionInfo[NtError]) -> int:
    return error.value.status


def test_a_reservation_starts_on_64_kib_and_is_not_accessible(space: AddressSpace) -> None:
    region = space.reserve(0, 0x3000, PAGE_READWRITE)
    assert region.base % 0x10000 == 0
    assert space.query(region.base)[3:6] == (0x3000, MEM_RESERVE, 0)
    with pytest.raises(NtError) as error:
        space.read(region.base, 1)
    assert status_of(error) == STATUS_ACCESS_VIOLATION


def test_committed_memory_reads_as_zero_and_keeps_what_is_written(space: AddressSpace) -> None:
    region = space.reserve(0, 0x2000, PAGE_READWRITE)
    space.commit(region, region.base, 0x2000, PAGE_READWRITE)
    assert space.read(region.base + 0xFFF, 2) == b"\0\0"
    space.write(region.base + 0xFFF, b"ab")
    assert space.read(region.base + 0xFFF, 2) == b"ab"


def test_query_reports_runs_of_like_pages(space: AddressSpace) -> None:
    region = space.reserve(0x10000000, 0x10000, PAGE_READONLY)
    space.commit(region, 0x10002000, 0x3000, PAGE_READWRITE)
    assert space.query(0x10000123) == (0x10000000, 0x10000000, 2, 0x2000, MEM_RESERVE, 0, MEM_PRIVATE)
    assert space.query(0x10003000) == (0x10003000, 0x10000000, 2, 0x2000, MEM_COMMIT, 4, MEM_PRIVATE)
    assert space.query(0x10005000)[3] == 0xB000
    assert space.query(0x10010000)[4] == MEM_FREE


def test_query_of_free_space_reaches_to_the_next_region(space: AddressSpace) -> None:
    space.reserve(0x20000000, 0x1000, PAGE_READWRITE)
    assert space.query(0x1FFF0000)[:5] == (0x1FFF0000, 0, 0, 0x10000, MEM_FREE)


def test_overlapping_reservations_are_refused(space: AddressSpace) -> None:
    space.reserve(0x10000000, 0x20000, PAGE_READWRITE)
    with pytest.raises(NtError) as error:
        space.reserve(0x10010000, 0x1000, PAGE_READWRITE)
    assert status_of(error) == STATUS_CONFLICTING_ADDRESSES


def test_addresses_below_64_kib_and_above_user_space_are_refused(space: AddressSpace) -> None:
    for base in (0x1000, space.highest - 0xFFF + 0x1000):
        with pytest.raises(NtError):
            space.reserve(base, 0x1000, PAGE_READWRITE)


def test_protect_returns_the_old_value_and_needs_committed_pages(space: AddressSpace) -> None:
    region = space.reserve(0, 0x4000, PAGE_READWRITE)
    space.commit(region, region.base, 0x1000, PAGE_READWRITE)
    assert space.protect(region.base, 0x1000, PAGE_READONLY) == PAGE_READWRITE
    with pytest.raises(NtError) as error:
        space.write(region.base, b"x")
    assert status_of(error) == STATUS_ACCESS_VIOLATION
    with pytest.raises(NtError) as error:
        space.protect(region.base, 0x2000, PAGE_READONLY)
    assert status_of(error) == STATUS_NOT_COMMITTED


@pytest.mark.parametrize("protect", [0, 3, 0x180, PAGE_NOACCESS | PAGE_GUARD, 0x800 | PAGE_READWRITE])
def test_nonsense_protections_are_refused(space: AddressSpace, protect: int) -> None:
    region = space.reserve(0, 0x1000, PAGE_READWRITE)
    if protect == 0x180:
        assert encode(protect) > 0  # PAGE_GUARD | PAGE_EXECUTE_WRITECOPY exists
        return
    with pytest.raises(NtError) as error:
        space.commit(region, region.base, 0x1000, protect)
    assert status_of(error) == STATUS_INVALID_PAGE_PROTECTION


@pytest.mark.parametrize("briefly", [False, True])
def test_decommit_loses_the_contents(space: AddressSpace, briefly: bool) -> None:
    region = space.reserve(0, 0x2000, PAGE_READWRITE)
    space.commit(region, region.base, 0x2000, PAGE_READWRITE)
    space.write(region.base, b"data")
    space.decommit(region, region.base, 0x1000, briefly=briefly)
    assert space.query(region.base)[4] == MEM_RESERVE
    space.commit(region, region.base, 0x1000, PAGE_READWRITE)
    assert space.read(region.base, 4) == b"\0\0\0\0"


def test_what_was_decommitted_briefly_is_clean_however_it_comes_back(space: AddressSpace) -> None:
    region = space.reserve(0, 0x10000, PAGE_READWRITE)
    space.commit(region, region.base, 0x10000, PAGE_READWRITE)
    space.raw(region)[:] = b"\xff" * 0x10000
    space.decommit(region, region.base + 0x1000, 0x8000, briefly=True)
    space.commit(region, region.base + 0x3000, 0x1000, PAGE_READWRITE)
    space.commit(region, region.base, 0x10000, PAGE_READWRITE)
    assert space.read(region.base, 0x10000) == b"\xff" * 0x1000 + bytes(0x8000) + b"\xff" * 0x7000
    space.decommit(region, region.base, 0x10000, briefly=True)
    space.release(region.base)
    again = space.reserve(0, 0x10000, PAGE_READWRITE)
    space.commit(again, again.base, 0x10000, PAGE_READWRITE)
    assert space.read(again.base, 0x10000) == bytes(0x10000)


def test_not_much_is_left_behind_by_decommits(space: AddressSpace) -> None:
    region = space.reserve(0, 64 << 20, PAGE_READWRITE)
    space.commit(region, region.base, 64 << 20, PAGE_READWRITE)
    for at in range(0, 64 << 20, 1 << 20):
        space.raw(region)[at : at + (1 << 20)] = b"\xff" * (1 << 20)
        space.decommit(region, region.base + at, 1 << 20, briefly=True)
    assert os.fstat(space.private.fd).st_blocks * 512 <= 5 << 20


def test_release_wants_the_base_and_frees_everything(space: AddressSpace) -> None:
    region = space.reserve(0, 0x20000, PAGE_READWRITE)
    with pytest.raises(NtError) as error:
        space.release(region.base + 0x10000)
    assert status_of(error) == STATUS_FREE_VM_NOT_AT_BASE
    assert space.release(region.base) == 0x20000
    assert space.find(region.base) is None


def test_released_memory_is_reused_and_reads_as_zero(space: AddressSpace) -> None:
    for _ in range(200):
        region = space.reserve(0, 0x10000, PAGE_READWRITE)
        space.commit(region, region.base, 0x10000, PAGE_READWRITE)
        assert space.read(region.base, 16) == bytes(16)
        space.write(region.base, b"\xff" * 16)
        space.release(region.base)
    assert space.private._top <= 0x30000


def test_a_part_of_a_region_can_be_released(space: AddressSpace) -> None:
    region = space.reserve(0x10000000, 0x5000, PAGE_READWRITE)
    space.commit(region, region.base, 0x5000, PAGE_READWRITE)
    space.write(0x10000000, b"low")
    space.write(0x10004000, b"high")
    space.release_part(region, 0x10001000, 0x10003000)
    assert space.find(0x10001000) is None
    assert space.read(0x10000000, 3) == b"low"
    assert space.read(0x10004000, 4) == b"high"
    space.release(0x10000000)
    space.release(0x10003000)
    assert space.regions() == []


def test_a_write_is_all_or_nothing(space: AddressSpace) -> None:
    region = space.reserve(0, 0x2000, PAGE_READWRITE)
    space.commit(region, region.base, 0x1000, PAGE_READWRITE)
    with pytest.raises(NtError):
        space.write(region.base + 0xFFE, b"abcd")
    assert space.read(region.base + 0xFFE, 2) == b"\0\0"


def test_access_may_cross_adjacent_regions(space: AddressSpace) -> None:
    for base in (0x10000000, 0x10010000):
        region = space.reserve(base, 0x10000, PAGE_READWRITE)
        space.commit(region, base, 0x10000, PAGE_READWRITE)
    space.write(0x1000FFFE, b"abcd")
    assert space.read(0x1000FFFE, 4) == b"abcd"


def test_a_guard_page_refuses_the_kernel_unless_somebody_grows_it(space: AddressSpace) -> None:
    region = space.reserve(0, 0x1000, PAGE_READWRITE)
    space.commit(region, region.base, 0x1000, PAGE_READWRITE | PAGE_GUARD)
    with pytest.raises(NtError):
        space.read(region.base, 1)

    def grow(address: int) -> bool:
        region.pages[0] = encode(PAGE_READWRITE)
        return True

    space.on_guard = grow
    assert space.read(region.base, 1) == b"\0"


def test_the_first_write_to_a_copy_on_write_page_changes_its_protection(space: AddressSpace) -> None:
    region = space.reserve(0, 0x1000, PAGE_READWRITE)
    space.commit(region, region.base, 0x1000, PAGE_WRITECOPY)
    found = space.translate(region.base, READ)
    assert found is not None and found[1] == READ
    assert space.query(region.base)[5] == PAGE_WRITECOPY
    found = space.translate(region.base, WRITE)
    assert found is not None and found[1] == READ | WRITE
    assert space.query(region.base)[5] == PAGE_READWRITE


def test_translate_refuses_what_the_protection_forbids(space: AddressSpace) -> None:
    region = space.reserve(0, 0x1000, PAGE_READWRITE)
    space.commit(region, region.base, 0x1000, PAGE_EXECUTE_READ)
    assert space.translate(region.base, WRITE) is None
    assert space.translate(region.base, READ) is not None
    assert space.translate(region.end, READ) is None


def test_committed_bytes_are_counted_once(space: AddressSpace) -> None:
    region = space.reserve(0, 0x4000, PAGE_READWRITE)
    space.commit(region, region.base, 0x3000, PAGE_READWRITE)
    space.commit(region, region.base, 0x4000, PAGE_READWRITE)
    assert space.committed == 4 * PAGE_SIZE
    space.decommit(region, region.base, 0x1000)
    space.release(region.base)
    assert (space.committed, space.peak_committed) == (0, 4 * PAGE_SIZE)


def test_top_down_and_limited_searches_stay_in_their_bounds(space: AddressSpace) -> None:
    high = space.find_free(0x10000, top_down=True)
    assert high + 0x10000 - 1 <= space.highest
    assert high > space.highest - 0x30000
    assert space.find_free(0x10000, high=0x7FFFFFFF, top_down=True) == 0x7FFF0000
    assert space.find_free(0x1000, low=0x12340001) == 0x12350000


@pytest.mark.parametrize("pages", [1, 64])
@pytest.mark.parametrize("change", ["protect", "decommit", "release", "release_part"])
def test_what_is_known_of_a_page_goes_when_that_page_changes(space: AddressSpace, change: str, pages: int) -> None:
    other = space.reserve(0, 0x1000, PAGE_READWRITE)
    space.commit(other, other.base, 0x1000, PAGE_READWRITE)
    region = space.reserve(0, pages * PAGE_SIZE, PAGE_READWRITE)
    space.commit(region, region.base, region.size, PAGE_READWRITE)
    last = region.end - PAGE_SIZE
    for address in (other.base, last):
        space.probe_write(address, 8)
        space.read(address, 8)
    if change == "protect":
        space.protect(region.base, region.size, PAGE_NOACCESS)
    elif change == "decommit":
        space.decommit(region, region.base, region.size)
    elif change == "release":
        space.release(region.base)
    else:
        space.release_part(region, last, region.end)
    for access in (lambda: space.read(last, 8), lambda: space.write(last, b"x"), lambda: space.probe_write(last, 8)):
        with pytest.raises(NtError):
            access()
    assert other.base >> 12 in space.readable_pages
    assert other.base >> 12 in space.writable_pages


@pytest.mark.parametrize(("start", "size"), [(0x10, 0x20), (0xFF0, 0x20), (0x1000, 0x2000), (0x800, 0x3000)])
def test_clearing_makes_zeros_and_of_nothing_else(space: AddressSpace, start: int, size: int) -> None:
    region = space.reserve(0, 0x5000, PAGE_READWRITE)
    space.commit(region, region.base, 0x5000, PAGE_READWRITE)
    space.write(region.base, b"x" * 0x5000)
    space.clear(region, region.base + start, size)
    assert space.read(region.base, 0x5000) == b"x" * start + bytes(size) + b"x" * (0x5000 - start - size)


def test_a_search_finds_the_first_hole_that_is_large_enough(space: AddressSpace) -> None:
    for base in (0x20000, 0x40000, 0x60000):
        space.reserve(base, 0x10000, PAGE_READWRITE)
    assert space.find_free(0x10000) == 0x10000
    assert space.find_free(0x10000, low=0x28000) == 0x30000
    assert space.find_free(0x20000) == 0x70000
    assert space.find_free(0x10000, high=0x7FFFF, top_down=True) == 0x70000
    assert space.find_free(0x10000, high=0x6FFFF, top_down=True) == 0x50000
    for top_down in (False, True):
        with pytest.raises(NtError):
            space.find_free(0x20000, high=0x7FFFF, top_down=top_down)


class Hearer:
    """A listener that keeps what it is told of changes. ``in_use``: guest threads run meanwhile."""

    def __init__(self, *, in_use: bool = False) -> None:
        self.changes: list[tuple[int, int]] = []
        self.in_use = in_use
        self.actions: list[Callable[[], None]] = []

    def carry_out(self) -> None:
        actions, self.actions = self.actions, []
        for action in actions:
            action()

    def attach_backing(self, backing: object) -> None: ...
    def detach_backing(self, backing: object) -> None: ...
    def committed(self, base: int, size: int) -> None: ...
    def code_changed(self, base: int, size: int) -> None: ...
    def changed(self, base: int, size: int) -> bool:
        self.changes.append((base, size))
        return self.in_use

    def afterwards(self, action: Callable[[], None]) -> None:
        self.actions.append(action)

    def offer(self, original: object) -> bool:
        return False


def test_pages_that_get_the_protection_they_have_do_not_change(space: AddressSpace) -> None:
    hearer = space.listener = Hearer()
    region = space.reserve(0, 0x2000, PAGE_READWRITE)
    space.commit(region, region.base, 0x2000, PAGE_READWRITE)
    assert space.protect(region.base, 0x2000, PAGE_READWRITE) == PAGE_READWRITE
    assert hearer.changes == []
    space.protect(region.base, 0x1000, PAGE_READONLY)
    assert space.protect(region.base, 0x2000, PAGE_READWRITE) == PAGE_READONLY
    assert hearer.changes == [(region.base, 0x1000), (region.base, 0x2000)]


def test_a_page_of_an_image_that_was_copied_stays_writable_as_its_own(space: AddressSpace) -> None:
    hearer = space.listener = Hearer()
    image = space.map(0x10000, 0x2000, MEM_IMAGE, PAGE_EXECUTE_WRITECOPY)
    image.pages[:] = bytes((encode(PAGE_WRITECOPY),)) * 2
    assert space.protect(image.base, 0x2000, PAGE_READWRITE) == PAGE_WRITECOPY
    space.write(image.base, b"x")
    for protect in (PAGE_READWRITE, PAGE_WRITECOPY):
        assert space.protect(image.base, 0x2000, protect) == PAGE_READWRITE
        assert [space.query(image.base + at)[5] for at in (0, 0x1000)] == [PAGE_READWRITE, PAGE_WRITECOPY]
    assert hearer.changes == []
    space.protect(image.base, 0x2000, PAGE_READONLY)
    assert hearer.changes == [(image.base, 0x2000)]


def test_what_guest_threads_still_use_is_cleared_and_reused_only_when_they_cannot(space: AddressSpace) -> None:
    space.listener = hearer = Hearer(in_use=True)
    region = space.reserve(0, 0x10000, 4)
    space.commit(region, region.base, 0x10000, 4)
    space.release(region.base)
    space.private.view[region.offset] = 1  # a thread stores there before its process has unmapped it
    other = space.reserve(0, 0x10000, 4)
    assert other.offset != region.offset
    hearer.carry_out()
    third = space.reserve(0, 0x10000, 4)
    assert third.offset == region.offset and not space.private.view[third.offset]


@pytest.mark.parametrize("size", [0x10000, 8 << 20])
@pytest.mark.parametrize("briefly", [True, False])
def test_what_guest_threads_still_use_is_zero_when_it_is_committed_again(
    space: AddressSpace, size: int, briefly: bool
) -> None:
    space.listener = hearer = Hearer(in_use=True)
    region = space.reserve(0, size, 4)
    for carried_out in (False, True):
        space.commit(region, region.base, size, 4)
        space.write(region.base, b"something")
        space.decommit(region, region.base, size, briefly=briefly)
        space.private.view[region.offset + PAGE_SIZE] = 1
        if carried_out:
            hearer.carry_out()
        space.commit(region, region.base, size, 4)
        assert not any(space.read(region.base, 2 * PAGE_SIZE))


def test_a_change_of_long_ago_does_not_clear_what_has_been_given_back_again_since(space: AddressSpace) -> None:
    space.listener = hearer = Hearer(in_use=True)
    region = space.reserve(0, 0x10000, 4)
    space.commit(region, region.base, 0x10000, 4)
    space.decommit(region, region.base, 0x10000)
    (first,), hearer.actions = hearer.actions, []
    space.commit(region, region.base, 0x10000, 4)
    space.decommit(region, region.base, 0x10000)
    first()
    space.private.view[region.offset] = 1
    space.commit(region, region.base, 0x10000, 4)
    assert not any(space.read(region.base, PAGE_SIZE))
