"""Where in a guest's address space something is: its regions, by address, and what is known of single pages."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from functools import partial

from lswd.memory.backing import Backing, PrivateMemory
from lswd.memory.protection import EXECUTABLE_CODES, GRANULARITY, PAGE_SIZE, PLAIN_CODES, RESERVED
from lswd.memory.region import MEM_IMAGE, MEM_PRIVATE, Region
from lswd.ntdef.status import STATUS_CONFLICTING_ADDRESSES, STATUS_NO_MEMORY, NtError

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

        def changed(self, base: int, size: int) -> bool:
            """Something else holds for these pages.

            Returns:
                Whether guest threads run, which may use what was there until the engine has carried out the change.
            """
            ...

        def afterwards(self, action: Callable[[], None]) -> None:
            """Call ``action`` once all changes until now have been carried out."""
            ...

        def code_changed(self, base: int, size: int) -> None: ...
        def offer(self, original: Original) -> bool:
            """Will the engine show the guest this file's own pages where a region's are absent?"""
            ...


LOWEST_ADDRESS = 0x10000
HIGHEST_ADDRESS_64 = 0x7FFF_FFFE_FFFF
HIGHEST_ADDRESS_32 = 0x7FFE_FFFF
HIGHEST_ADDRESS_32_LARGE = 0xFFFE_FFFF  # for a program that says it can deal with it, on a 64-bit kernel
_MOST_KNOWN = 4096  # pages


class Regions:
    """The regions of one NT process. ``word`` is its pointer size in bytes."""

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

    def end_of_hole(self, address: int) -> int:
        """Where the next region behind a free address begins; without one, where the address space ends."""
        i = bisect_right(self._bases, address)
        return self._bases[i] if i < len(self._bases) else self.highest + 1

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
        """Remove a region and give its memory back, once no guest thread can store there any more."""
        i = self._regions.index(region)
        del self._regions[i], self._bases[i]
        self._near.clear()
        self._forget(region.base, region.size)
        listener = self.listener
        in_use = False
        if listener and not region.placeholder:
            if any(region.pages.find(code) >= 0 for code in EXECUTABLE_CODES):
                listener.code_changed(region.base, 0)
            in_use = listener.changed(region.base, region.size)
        backing = region.backing
        backing.users -= 1
        if backing is self.private:
            if region.kind == MEM_PRIVATE and not region.placeholder:
                self.committed -= (len(region.pages) - region.pages.count(RESERVED)) * PAGE_SIZE
            if listener and in_use:
                listener.afterwards(partial(self.private.give_back, region.offset, region.size))
            else:
                self.private.give_back(region.offset, region.size)
        elif backing.users == 0:
            if listener:
                listener.detach_backing(backing)
            backing.close()

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
