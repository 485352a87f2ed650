"""The guest's address space with NT's semantics: reserve, commit, protect, query.

The engine is told only when it may hold a stale translation (``listener.changed``) or stale code
(``listener.code_changed``).
Source: Microsoft "VirtualAlloc", "VirtualFree", "VirtualProtect", "MEMORY_BASIC_INFORMATION".
"""

from __future__ import annotations

from functools import partial

from lswd.memory.access import GuestMemory
from lswd.memory.protection import ABSENT, COPY_ON_WRITE, NT_PROTECT, PAGE_SIZE, RESERVED, encode
from lswd.memory.region import MEM_COMMIT, MEM_FREE, MEM_IMAGE, MEM_PRIVATE, MEM_RESERVE, Region
from lswd.ntdef.status import (
    STATUS_CONFLICTING_ADDRESSES,
    STATUS_FREE_VM_NOT_AT_BASE,
    STATUS_INVALID_PAGE_PROTECTION,
    STATUS_MEMORY_NOT_ALLOCATED,
    STATUS_NOT_COMMITTED,
    STATUS_UNABLE_TO_FREE_VM,
    NtError,
)


class AddressSpace(GuestMemory):
    """All memory of one NT process."""

    def reserve(
        self,
        base: int,
        size: int,
        protect: int,
        *,
        low: int = 0,
        high: int = 0,
        top_down: bool = False,
        align: int = 0,
        name: str = "",
    ) -> Region:
        """Reserve private memory at ``base``, or anywhere when it is 0."""
        if not base:
            base = self.find_free(size, low=low, high=high, top_down=top_down, align=align)
        return self.map(base, size, MEM_PRIVATE, protect, name=name)

    def commit(self, region: Region, base: int, size: int, protect: int) -> None:
        """Commit pages: new ones get ``protect``, and NT gives it to those already committed too.

        Raises:
            NtError: STATUS_INVALID_PAGE_PROTECTION, STATUS_CONFLICTING_ADDRESSES when the range leaves the region.
        """
        code = encode(protect)
        if code < 0:
            raise NtError(STATUS_INVALID_PAGE_PROTECTION)
        if base < region.base or base + size > region.end:
            raise NtError(STATUS_CONFLICTING_ADDRESSES)
        first, last = (base - region.base) // PAGE_SIZE, (base + size - region.base) // PAGE_SIZE
        if region.fetch is not None:
            self._fetch(region, first, last)
        fresh = region.pages[first:last].count(RESERVED)
        region.pages[first:last] = bytes((code,)) * (last - first)
        if fresh != last - first:
            self._forget(base, size)
        if fresh and region.backing is self.private:
            self.private.renew(region.offset + base - region.base, size)
        if region.kind == MEM_PRIVATE:
            self.committed += fresh * PAGE_SIZE
            self.peak_committed = max(self.peak_committed, self.committed)
        if self.listener:
            if fresh == last - first:
                self.listener.committed(base, size)
            else:
                self.listener.changed(base, size)

    def decommit(self, region: Region, base: int, size: int, *, briefly: bool = False) -> None:
        """Take pages back to merely reserved; their contents are lost. ``briefly``: perhaps not for long."""
        if base < region.base or base + size > region.end:
            raise NtError(STATUS_UNABLE_TO_FREE_VM)
        first, last = (base - region.base) // PAGE_SIZE, (base + size - region.base) // PAGE_SIZE
        self.committed -= (last - first - region.pages[first:last].count(RESERVED)) * PAGE_SIZE
        region.pages[first:last] = bytes(last - first)
        self._forget(base, size)
        offset = region.offset + base - region.base
        listener = self.listener
        if listener:
            listener.code_changed(base, size)
            if listener.changed(base, size):
                # Whatever is stored there until then: it is not there any more when the pages are committed again.
                left = self.private.leave(offset, size)
                if not briefly or self.private.has_much_stale:
                    listener.afterwards(partial(self.private.drop, left))
                return
        if briefly:
            left = self.private.leave(offset, size)
            if self.private.has_much_stale:
                self.private.drop(left)
        else:
            self.private.discard(offset, size)

    def release(self, base: int) -> int:
        """Free a whole private region by its base; returns its size."""
        region = self.find(base)
        if region is None:
            raise NtError(STATUS_MEMORY_NOT_ALLOCATED)
        if region.kind != MEM_PRIVATE:
            raise NtError(STATUS_UNABLE_TO_FREE_VM)
        if region.base != base:
            raise NtError(STATUS_FREE_VM_NOT_AT_BASE)
        self.unmap(region)
        return region.size

    def release_part(self, region: Region, start: int, end: int) -> None:
        """Free some pages of a private region; what is left becomes regions of their own, as on NT."""
        self.unmap(self.split(region, start, end))

    def split(self, region: Region, start: int, end: int) -> Region:
        """Make ``[start, end)`` of a private region a region of its own, and what is before and behind it others."""
        parts = []
        for base, stop in ((region.base, start), (start, end), (end, region.end)):
            if base < stop:
                part = Region(
                    base, stop - base, region.kind, region.allocation_protect, region.backing,
                    region.offset + base - region.base, region.name,
                )  # fmt: skip
                part.placeholder = region.placeholder
                first = (base - region.base) // PAGE_SIZE
                codes = region.pages[first : first + len(part.pages)]
                if any(codes):
                    part.pages[:] = codes
                parts.append(part)
        i = self._regions.index(region)
        self._regions[i : i + 1] = parts
        self._bases[i : i + 1] = [p.base for p in parts]
        region.backing.users += len(parts) - 1
        self._near.clear()
        return next(part for part in parts if part.base == start)

    def protect(self, base: int, size: int, protect: int) -> int:
        """Change committed pages' protection; returns the first page's old PAGE_* value.

        Raises:
            NtError: STATUS_INVALID_PAGE_PROTECTION, STATUS_CONFLICTING_ADDRESSES (no region),
                STATUS_NOT_COMMITTED.
        """
        code = encode(protect)
        if code < 0:
            raise NtError(STATUS_INVALID_PAGE_PROTECTION)
        region = self.find(base)
        if region is None or base + size > region.end:
            raise NtError(STATUS_CONFLICTING_ADDRESSES)
        first, last = (base - region.base) // PAGE_SIZE, (base + size - region.base) // PAGE_SIZE
        if region.fetch is not None:
            self._fetch(region, first, last)
        self._notice_writes(region, first, first + 1)
        codes = region.pages[first:last]
        if RESERVED in codes:
            raise NtError(STATUS_NOT_COMMITTED)
        same = bytes((code,))
        if region.kind == MEM_IMAGE:
            if protect & 0xFF in (0x04, 0x40):
                # An image is mapped privately: asking for write means copy-on-write, as NT reports it.
                code = encode((protect & 0xFF) << 1 | (protect & ~0xFF))
            same = bytes({code, COPY_ON_WRITE[code] or code})  # a page that has been copied stays what it is
        if not codes.translate(None, same):
            return NT_PROTECT[codes[0]]
        region.pages[first:last] = bytes((code,)) * (last - first)
        self._forget(base, size)
        if self.listener:
            self.listener.changed(base, size)
        return NT_PROTECT[codes[0]]

    def query(self, address: int) -> tuple[int, int, int, int, int, int, int]:
        """MEMORY_BASIC_INFORMATION of the run of like pages at ``address``.

        Returns:
            (BaseAddress, AllocationBase, AllocationProtect, RegionSize, State, Protect, Type)
        """
        page = address & -PAGE_SIZE
        region = self.find(page)
        if region is None:
            return page, 0, 0, self.end_of_hole(page) - page, MEM_FREE, 1, 0
        index = (page - region.base) // PAGE_SIZE
        code = region.pages[index]
        if COPY_ON_WRITE[code]:
            self._notice_writes(region, index, index + region.run_length(index, bytes((code,))))
            code = region.pages[index]
        size = region.run_length(index, bytes((code, code ^ ABSENT))) * PAGE_SIZE
        state = MEM_COMMIT if code else MEM_RESERVE
        return page, region.base, region.allocation_protect, size, state, NT_PROTECT[code], region.kind

    def _notice_writes(self, region: Region, first: int, last: int) -> None:
        """Give pages their code that the guest has written to unnoticed, for the first time."""
        if region.pristine is None:
            return
        for index in range(first, last):
            copied = COPY_ON_WRITE[region.pages[index]]
            at = region.offset + index * PAGE_SIZE
            if copied and region.backing.view[at : at + PAGE_SIZE] != region.pristine(index):
                region.pages[index] = copied
