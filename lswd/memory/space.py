"""The guest's address space with NT's semantics: reserve, commit, protect, query, and checked access for the kernel.

Nothing here calls the engine to move data: guest memory is host memory. The engine is told only when it may hold a
stale translation (``engine.changed``) or stale code (``engine.code_changed``).
Source: Microsoft "VirtualAlloc", "VirtualFree", "VirtualProtect", "MEMORY_BASIC_INFORMATION".
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right

from lswd.memory.backing import Backing, PrivateMemory
from lswd.memory.protection import (
    ABSENT,
    ACCESS,
    COPY_ON_WRITE,
    EXECUTABLE_CODES,
    EXECUTE,
    GRANULARITY,
    NT_PROTECT,
    PAGE_SIZE,
    PLAIN_CODES,
    READ,
    READABLE_CODES,
    RESERVED,
    WRITABLE_CODES,
    WRITE,
    encode,
    is_guard,
)
from lswd.memory.region import (
    MEM_COMMIT,
    MEM_FREE,
    MEM_IMAGE,
    MEM_PRIVATE,
    MEM_RESERVE,
    Region,
)
from lswd.ntdef.status import (
    STATUS_ACCESS_VIOLATION,
    STATUS_CONFLICTING_ADDRESSES,
    STATUS_FREE_VM_NOT_AT_BASE,
    STATUS_INVALID_PAGE_PROTECTION,
    STATUS_MEMORY_NOT_ALLOCATED,
    STATUS_NO_MEMORY,
    STATUS_NOT_COMMITTED,
    STATUS_UNABLE_TO_FREE_VM,
    NtError,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Protocol

    from lswd.memory.region import Original

    class MemoryListener(Protocol):
        """What an engine must hear of the address space."""

        def attach_backing(self, backing: Backing) -> None: ...
        def detach_backing(self, backing: Backing) -> None: ...
        def committed(self, base: int, size: int) -> None:
            """Pages that allowed nothing before may allow something now."""
            ...

        def changed(self, base: int, size: int) -> None: ...
        def code_changed(self, base: int, size: int) -> None: ...
        def offer(self, original: Original) -> bool:
            """Will the engine show the guest this file's own pages where a region's are absent?"""
            ...


_AROUND = 15  # an absent page is fetched with the others of its group of 16
LOWEST_ADDRESS = 0x10000
HIGHEST_ADDRESS_64 = 0x7FFF_FFFE_FFFF
HIGHEST_ADDRESS_32 = 0x7FFE_FFFF
_MOST_KNOWN = 4096  # pages
_MOST_SHOWN = 64
HIGHEST_ADDRESS_32_LARGE = 0xFFFE_FFFF  # for a program that says it can deal with it, on a 64-bit kernel


class AddressSpace:
    """All memory of one NT process. ``word`` is its pointer size in bytes."""

    def __init__(self, word: int = 8) -> None:
        self.word = word
        self.lowest = LOWEST_ADDRESS
        self.highest = HIGHEST_ADDRESS_64 if word == 8 else HIGHEST_ADDRESS_32
        self.ceiling = self.highest  # an engine that needs addresses of its own lowers it: nothing is put above
        self.private = PrivateMemory()
        self.memory = self.private.memory
        # Pages of private memory that the kernel may read, or write, as they are, by number: their offsets in
        # ``memory``. What took a search is kept there until a page changes its place or its protection.
        self.readable_pages: dict[int, int] = {}
        self.writable_pages: dict[int, int] = {}
        self._shown: dict[int, bytes] = {}  # absent pages that the kernel has read from the file they stand in
        self.listener: MemoryListener | None = None
        # Called with a guard page's address when the kernel itself touches it: grows a stack, or says no.
        self.on_guard: Callable[[int], bool] | None = None
        self._bases: list[int] = []
        self._regions: list[Region] = []
        self._near: dict[int, Region] = {}  # by 64 KiB: the region last found there
        self.committed = 0  # bytes of private memory committed now
        self.peak_committed = 0

    # ---- structure

    def use_all_of_4_gib(self) -> None:
        """A 32-bit program is aware of large addresses: it gets those above 2 GiB too."""
        self.highest = self.ceiling = HIGHEST_ADDRESS_32_LARGE

    def find(self, address: int) -> Region | None:
        """The region that holds ``address``."""
        near = self._near.get(address >> 16)
        if near is not None and near.base <= address < near.end:
            return near
        i = bisect_right(self._bases, address) - 1
        if i >= 0:
            region = self._regions[i]
            if address < region.end:
                if len(self._near) >= _MOST_KNOWN:
                    self._near.clear()
                self._near[address >> 16] = region
                return region
        return None

    def _forget(self, base: int, size: int) -> None:
        """Pages change: what is known about them may be wrong now."""
        first, last = base >> 12, (base + size) >> 12
        pages: tuple[dict[int, Any], ...] = (self.readable_pages, self.writable_pages, self._shown)
        for known in pages:
            for page in range(first, last) if last - first < len(known) else tuple(known):
                if first <= page < last:
                    known.pop(page, None)

    def _remember(self, known: dict[int, int], region: Region, address: int) -> None:
        """The page at ``address`` has been found to be accessible; see ``readable_pages``."""
        page = (address - region.base) >> 12
        if region.backing is self.private and (known is self.readable_pages or region.pages[page] in PLAIN_CODES):
            if len(known) >= _MOST_KNOWN:
                known.clear()
            known[address >> 12] = region.offset + (page << 12)

    def regions(self) -> list[Region]:
        """All regions in address order."""
        return list(self._regions)

    def overlapping(self, base: int, end: int) -> list[Region]:
        """The regions that have addresses in ``[base, end)``, in order."""
        i = bisect_right(self._bases, base)
        if i > 0 and self._regions[i - 1].end > base:
            i -= 1
        return self._regions[i : bisect_left(self._bases, end)]

    def _is_free(self, base: int, size: int) -> bool:
        i = bisect_right(self._bases, base) - 1
        if i >= 0 and self._regions[i].end > base:
            return False
        return i + 1 >= len(self._bases) or self._bases[i + 1] >= base + size

    def find_free(self, size: int, *, low: int = 0, high: int = 0, top_down: bool = False, align: int = 0) -> int:
        """A free, aligned range of ``size`` bytes in ``[low, high]``.

        Raises:
            NtError: STATUS_NO_MEMORY when there is none.
        """
        align = max(align, GRANULARITY)
        low = max(low, self.lowest)
        high = min(high or self.ceiling, self.ceiling)
        last = bisect_left(self._bases, high + 1)  # regions from here on are above
        if top_down:
            end = high + 1
            for region in reversed(self._regions[:last]):
                if (end - size) & -align >= region.end:
                    break
                end = region.base
            base = (end - size) & -align
            if base >= low:
                return base
        else:
            start = low
            for region in self._regions[max(bisect_right(self._bases, low) - 1, 0) : last]:
                if ((start + align - 1) & -align) + size <= region.base:
                    break
                start = max(start, region.end)
            base = (start + align - 1) & -align
            if base + size <= high + 1:
                return base
        raise NtError(STATUS_NO_MEMORY)

    def map(
        self,
        base: int,
        size: int,
        kind: int,
        protect: int,
        *,
        backing: Backing | None = None,
        offset: int = 0,
        name: str = "",
    ) -> Region:
        """Put a new region at ``base`` (64 KiB aligned, free); its pages start reserved only.

        Raises:
            NtError: STATUS_CONFLICTING_ADDRESSES when the range is taken or outside user space, STATUS_NO_MEMORY.
        """
        size = (size + PAGE_SIZE - 1) & -PAGE_SIZE
        if base < self.lowest or base + size - 1 > self.ceiling or not self._is_free(base, size):
            raise NtError(STATUS_CONFLICTING_ADDRESSES)
        if backing is None:
            backing = self.private
            offset = self.private.take(size)
        elif backing.users == 0 and self.listener:
            self.listener.attach_backing(backing)
        backing.users += 1
        region = Region(base, size, kind, protect, backing, offset, name)
        i = bisect_right(self._bases, base)
        self._bases.insert(i, base)
        self._regions.insert(i, region)
        if kind == MEM_IMAGE and self.listener:
            self.listener.committed(base, size)  # its pages get their protection from the section
        return region

    def unmap(self, region: Region) -> None:
        """Remove a region and give its memory back."""
        i = self._regions.index(region)
        del self._regions[i], self._bases[i]
        self._near.clear()
        self._forget(region.base, region.size)
        if self.listener and not region.placeholder:
            if any(region.pages.find(code) >= 0 for code in EXECUTABLE_CODES):
                self.listener.code_changed(region.base, 0)
            self.listener.changed(region.base, region.size)
        backing = region.backing
        backing.users -= 1
        if backing is self.private:
            if region.kind == MEM_PRIVATE and not region.placeholder:
                self.committed -= (len(region.pages) - region.pages.count(RESERVED)) * PAGE_SIZE
            self.private.give_back(region.offset, region.size)
        elif backing.users == 0:
            if self.listener:
                self.listener.detach_backing(backing)
            backing.close()

    # ---- what NtAllocateVirtualMemory and its kin need

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
        if self.listener:
            self.listener.code_changed(base, size)
            self.listener.changed(base, size)
        if briefly:
            self.private.leave(region.offset + base - region.base, size)
        else:
            self.private.discard(region.offset + base - region.base, size)

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
            i = bisect_right(self._bases, page)
            end = self._bases[i] if i < len(self._bases) else self.highest + 1
            return page, 0, 0, end - page, MEM_FREE, 1, 0
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

    # ---- the processor's side

    def translate(self, address: int, access: int) -> tuple[int, int] | None:
        """Translate one page for the engine: (offset in the flat physical space, host access bits), or None: a fault.

        A first write to a copy-on-write page resolves it here: the page is private already, only its protection
        changes.
        """
        last = self.find(address)
        if last is None:
            return None
        index = (address - last.base) >> 12
        code = last.pages[index]
        if code & ABSENT:
            self._fetch(last, index, index + 1)
            code = last.pages[index]
        allowed = ACCESS[code]
        if not allowed & access:
            return None
        copied = COPY_ON_WRITE[code]
        if copied:
            if access == WRITE:
                last.pages[index] = copied
            else:
                allowed &= ~WRITE
        return last.backing.physical + last.offset + (index << 12), allowed

    def _fetch(self, region: Region, first: int, last: int) -> bool:
        """Bring in the absent pages among ``[first, last)``, each with those around it."""
        pages = region.pages
        fetched = False
        for index in range(first, last):
            code = pages[index]
            if code & ABSENT:
                end = min(index + region.run_length(index, bytes((code,))), max(last, (index | _AROUND) + 1))
                begin = index
                while begin & _AROUND and pages[begin - 1] == code:
                    begin -= 1
                assert region.fetch is not None
                region.fetch(begin, end - begin)
                pages[begin:end] = bytes((code & ~ABSENT,)) * (end - begin)
                self._forget(region.base + begin * PAGE_SIZE, (end - begin) * PAGE_SIZE)
                if region.original is not None and self.listener:
                    self.listener.changed(region.base + begin * PAGE_SIZE, (end - begin) * PAGE_SIZE)
                fetched = True
        return fetched

    def guard_hit(self, address: int) -> bool:
        """True when ``address`` lies in a guard page."""
        region = self.find(address)
        return region is not None and is_guard(region.pages[(address - region.base) // PAGE_SIZE])

    # ---- checked access for the kernel

    def _span(self, address: int, size: int, allowed: bytes) -> tuple[Region, int] | None:
        """The region and backing offset of an accessible range inside one region, or None."""
        last = self.find(address)
        if last is None:
            return None
        at = address - last.base
        first, end = at >> 12, (at + size + 0xFFF) >> 12
        if last.pages[first:end].translate(None, allowed) or address + size > last.end:
            return None
        return last, last.offset + at

    def _access(self, address: int, size: int, allowed: bytes) -> list[tuple[Region, int, int]]:
        """The pieces of an accessible range, growing stacks on the way.

        Raises:
            NtError: STATUS_ACCESS_VIOLATION.
        """
        pieces = []
        while size > 0:
            region = self.find(address)
            if region is None:
                raise NtError(STATUS_ACCESS_VIOLATION)
            length = min(size, region.end - address)
            found = self._span(address, length, allowed)
            if found is None:
                first = (address - region.base) // PAGE_SIZE
                grown = self._fetch(region, first, (address + length - region.base + PAGE_SIZE - 1) // PAGE_SIZE)
                for page in range(address & -PAGE_SIZE, address + length, PAGE_SIZE):
                    if self.guard_hit(page) and self.on_guard and self.on_guard(page):
                        grown = True
                found = self._span(address, length, allowed) if grown else None
                if found is None:
                    raise NtError(STATUS_ACCESS_VIOLATION)
            pieces.append((*found, length))
            address += length
            size -= length
        return pieces

    def read(self, address: int, size: int) -> bytes:
        """Bytes of guest memory.

        Raises:
            NtError: STATUS_ACCESS_VIOLATION when any of it is not readable.
        """
        page = self.readable_pages.get(address >> 12)
        if page is not None and 0 < size <= PAGE_SIZE - (address & 0xFFF):
            page += address & 0xFFF
            return self.memory[page : page + size]
        span = self._span(address, size, READABLE_CODES) if size > 0 else None
        if span is not None:
            region, at = span
            self._remember(self.readable_pages, region, address)
            return bytes(region.backing.view[at : at + size])
        original = self._original(address, size)
        if original is not None:
            return original
        return b"".join(bytes(r.backing.view[at : at + n]) for r, at, n in self._access(address, size, READABLE_CODES))

    def _original(self, address: int, size: int) -> bytes | None:
        """Bytes of a page that the guest is shown as it stands in a file: it stays absent. None: there is no such."""
        at = address & 0xFFF
        data = self._shown.get(address >> 12)
        if data is None:
            region = self.find(address)
            if region is None or region.original is None or region.pristine is None:
                return None
            index = (address - region.base) >> 12
            code = region.pages[index]
            if not code & ABSENT or not ACCESS[code & ~ABSENT] & READ:
                return None
            if len(self._shown) >= _MOST_SHOWN:
                self._shown.clear()
            data = self._shown[address >> 12] = region.pristine(index)
        return data[at : at + size] if 0 < size <= PAGE_SIZE - at else None

    def write(self, address: int, data: bytes | memoryview) -> None:
        """Write guest memory, all or nothing.

        Raises:
            NtError: STATUS_ACCESS_VIOLATION when any of it is not writable.
        """
        size = len(data)
        page = self.writable_pages.get(address >> 12)
        if page is not None and size <= PAGE_SIZE - (address & 0xFFF):
            page += address & 0xFFF
            self.memory[page : page + size] = data
            return
        done = 0
        for view in self.writable(address, size):
            view[:] = data[done : done + len(view)]
            done += len(view)

    def known(self, address: int, size: int, codes: bytes) -> memoryview | None:
        """A view of a range near one that has been looked at before, if all pages have one of ``codes``; None: look
        closer. Nothing changes: no guard page is used up, no copy-on-write page taken for written to."""
        region = self._near.get(address >> 16)
        if region is not None and size > 0 and region.base <= address <= region.end - size:
            at = address - region.base
            if not region.pages[at >> 12 : at + size + 0xFFF >> 12].translate(None, codes):
                at += region.offset
                return region.backing.view[at : at + size]
        return None

    def writable(self, address: int, size: int) -> list[memoryview]:
        """Views of a writable range, in order: for reading a file straight into the guest.

        Raises:
            NtError: STATUS_ACCESS_VIOLATION when any of it is not writable.
        """
        known = self.known(address, size, PLAIN_CODES)
        if known is not None:
            return [known]
        if size <= 0:
            return []
        span = self._span(address, size, WRITABLE_CODES)
        pieces = [(*span, size)] if span else self._access(address, size, WRITABLE_CODES)
        for region, at, length in pieces:
            first = (at - region.offset) >> 12
            codes = region.pages[first : (at - region.offset + length + 0xFFF) >> 12]
            for i, code in enumerate(codes):
                if COPY_ON_WRITE[code]:
                    region.pages[first + i] = COPY_ON_WRITE[code]
                if ACCESS[code] & EXECUTE and self.listener:
                    self.listener.code_changed(region.base + ((first + i) << 12), PAGE_SIZE)
        return [region.backing.view[at : at + length] for region, at, length in pieces]

    def readable(self, address: int, size: int) -> list[memoryview]:
        """Views of a readable range, in order: for writing guest memory straight to a file."""
        known = self.known(address, size, READABLE_CODES)
        if known is not None:
            return [known]
        span = self._span(address, size, READABLE_CODES) if size > 0 else None
        pieces = [(*span, size)] if span else self._access(address, size, READABLE_CODES)
        return [region.backing.view[at : at + length] for region, at, length in pieces]

    def raw(self, region: Region) -> memoryview:
        """The whole region's bytes whatever its protection: for the loader of images and process start."""
        if region.fetch is not None:
            self._fetch(region, 0, len(region.pages))
        return region.backing.view[region.offset : region.offset + region.size]

    def clear(self, region: Region, base: int, size: int) -> None:
        """Make committed bytes of private memory zeros; whole pages of them cost nothing until they are touched."""
        view, offset = self.raw(region), base - region.base
        begin, end = (offset + PAGE_SIZE - 1) & -PAGE_SIZE, (offset + size) & -PAGE_SIZE
        if begin < end:
            self.private.discard(region.offset + begin, end - begin)
        else:
            begin = end = offset + size
        view[offset:begin] = bytes(begin - offset)
        view[end : offset + size] = bytes(offset + size - end)

    def poke(self, region: Region, offset: int, data: bytes) -> None:
        """Write into a region whatever its protection; the rest of it may stay absent."""
        if region.fetch is not None:
            self._fetch(region, offset // PAGE_SIZE, (offset + len(data) + PAGE_SIZE - 1) // PAGE_SIZE)
        at = region.offset + offset
        region.backing.view[at : at + len(data)] = data

    def read_u16(self, address: int) -> int:
        return int.from_bytes(self.read(address, 2), "little")

    def read_u32(self, address: int) -> int:
        return int.from_bytes(self.read(address, 4), "little")

    def read_u64(self, address: int) -> int:
        return int.from_bytes(self.read(address, 8), "little")

    def read_pointer(self, address: int) -> int:
        return int.from_bytes(self.read(address, self.word), "little")

    def write_u32(self, address: int, value: int) -> None:
        self.write(address, (value & 0xFFFFFFFF).to_bytes(4, "little"))

    def write_u64(self, address: int, value: int) -> None:
        self.write(address, (value & 0xFFFFFFFFFFFFFFFF).to_bytes(8, "little"))

    def write_pointer(self, address: int, value: int) -> None:
        self.write(address, (value & ((1 << 8 * self.word) - 1)).to_bytes(self.word, "little"))

    def probe_write(self, address: int, size: int) -> None:
        """Check that a range is writable before doing something that cannot be taken back."""
        if size > 0 and not (address >> 12 in self.writable_pages and size <= PAGE_SIZE - (address & 0xFFF)):
            span = self._span(address, size, WRITABLE_CODES)
            if span is not None:
                self._remember(self.writable_pages, span[0], address)
            else:
                self._access(address, size, WRITABLE_CODES)

    def close(self) -> None:
        """Let go of all memory."""
        for region in self._regions:
            region.backing.users -= 1
            if region.backing.users == 0 and region.backing is not self.private:
                region.backing.close()
        self._regions.clear()
        self._bases.clear()
        self._near.clear()
        self.readable_pages.clear()
        self.writable_pages.clear()
        self._shown.clear()
        self.private.close()
