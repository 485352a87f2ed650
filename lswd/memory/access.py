"""The kernel's way to guest memory: checked as a guest's own access would be.

Nothing here calls the engine to move data: guest memory is host memory.
"""

from __future__ import annotations

from lswd.memory.protection import (
    ABSENT,
    ACCESS,
    COPY_ON_WRITE,
    EXECUTE,
    PAGE_SIZE,
    PLAIN_CODES,
    READ,
    READABLE_CODES,
    WRITABLE_CODES,
    WRITE,
    is_guard,
)
from lswd.memory.region import Region
from lswd.memory.regions import Regions
from lswd.ntdef.status import STATUS_ACCESS_VIOLATION, NtError

_AROUND = 15  # an absent page is fetched with the others of its group of 16
_MOST_SHOWN = 64  # pages


class GuestMemory(Regions):
    """The memory of one NT process, to be read and written. What must not be ends in STATUS_ACCESS_VIOLATION."""

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
