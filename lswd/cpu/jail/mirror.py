"""Keeps the child's mappings like the kernel's idea of the guest's address space.

Changes are noted when they happen and carried out, as a list of Linux system calls, by the thread that resumes next.
Pages allow at most what their code says, and what the kernel has not been asked about yet may allow less: then the page
fault asks (``fill``).
"""

from __future__ import annotations

import mmap
import os
from operator import attrgetter

from lswd.cpu.jail import layout
from lswd.cpu.jail.growth import Growth
from lswd.memory.backing import Backing, FileMapping
from lswd.memory.protection import ABSENT, ACCESS, COPY_ON_WRITE, PAGE_SIZE, WRITE
from lswd.ntdef.status import STATUS_NO_MEMORY, NtError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from lswd.cpu.jail.child import Child, Operation
    from lswd.cpu.jail.thread import JailThread
    from lswd.memory.region import Original, Region
    from lswd.memory.space import AddressSpace

_is_running: Callable[[JailThread], bool] = attrgetter("running")
_MOST_ORIGINALS = 256
_MOST_AROUND = 1024  # pages on each side of a fault that are mapped with it


class Mirror:
    """See the module's docstring."""

    def __init__(self, space: AddressSpace, child: Child, threads: Collection[JailThread]) -> None:
        self._space = space
        self._child = child
        self._threads = threads
        # To be carried out: base, end, was anything mapped there, are all pages there.
        self.dirty: list[tuple[int, int, bool, bool]] = []
        self._afterwards: list[Callable[[], None]] = []  # to be called when what is dirty has been carried out
        self.under_way: list[Callable[[], None]] = []  # the same, for what somebody is carrying out
        self.growth = Growth(space)
        self._files: dict[FileMapping, int] = {}  # their descriptors in the child
        self._originals: dict[tuple[int, ...], int] = {}  # the same of files that images come from, by their keys
        self.closing: list[int] = []

    # ---- the memory listener

    def attach_backing(self, backing: Backing) -> None:
        """A file's mapping is about to appear: send its descriptor over.

        Raises:
            NtError: STATUS_NO_MEMORY when there are too many.
        """
        if not isinstance(backing, FileMapping):
            return
        if backing.key in self._originals and not backing.writable:
            self._files[backing] = self._originals[backing.key]
            return
        # A descriptor of its own that allows no more than the view does.
        mode = os.O_RDWR if backing.writable else os.O_RDONLY
        try:
            fd = os.open(f"/proc/self/fd/{backing.fd}", mode | os.O_CLOEXEC)
        except OSError:
            raise NtError(STATUS_NO_MEMORY) from None
        try:
            number = self._child.send_descriptor(fd)
        finally:
            os.close(fd)
        if number < 0:
            raise NtError(STATUS_NO_MEMORY)
        self._files[backing] = number

    def detach_backing(self, backing: Backing) -> None:
        """The last view of a file is gone."""
        if isinstance(backing, FileMapping):
            fd = self._files.pop(backing, None)
            if fd is not None and fd not in self._originals.values():
                self.closing.append(fd)

    def descriptors(self) -> list[int]:
        """The files' descriptors in the child."""
        return [*{*self._files.values(), *self._originals.values()}]

    def offer(self, original: Original) -> bool:
        """Take a file to show absent pages from. Its descriptor stays in the child."""
        if original.key in self._originals:
            return True
        if len(self._originals) >= _MOST_ORIGINALS or not _may_be_executed(original.fd):
            return False
        try:
            fd = os.open(f"/proc/self/fd/{original.fd}", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            number = self._child.send_descriptor(fd)
        finally:
            os.close(fd)
        if number < 0:
            return False
        self._originals[original.key] = number
        return True

    def committed(self, base: int, size: int) -> None:
        """Nothing was mapped there yet."""
        self.dirty.append((base, base + size, False, self.growth.committed(base, size)))

    def changed(self, base: int, size: int) -> bool:
        """What is mapped there may not be right any more; returns whether threads run meanwhile."""
        self.dirty.append((base, base + size, True, False))
        return any(map(_is_running, self._threads))

    def afterwards(self, action: Callable[[], None]) -> None:
        """Call ``action`` once all that is dirty now has been carried out."""
        self._afterwards.append(action)

    # ---- carrying out

    def pending(self) -> list[Operation]:
        """The system calls that make the child's mappings right again; forgets them.

        Whoever has them carried out says so (``carried_out``), before asking for the next.
        """
        if not self.dirty and not self.closing:
            return []
        if self._afterwards:
            self.under_way += self._afterwards
            self._afterwards = []
        dirty, self.dirty = self.dirty, []
        operations: list[Operation] = []
        for base, end, mapped, there in dirty:
            runs = list(self._runs(base, end))
            if there:
                runs = [(*run[:4], run[4] | layout.MAP_POPULATE, *run[5:]) for run in runs]
            if mapped and not (len(runs) == 1 and runs[0][1] == base and runs[0][2] == end - base):
                operations.append((layout.SYS_MUNMAP, base, end - base))
            operations += runs
        operations += [(layout.SYS_CLOSE, fd) for fd in self.closing]
        self.closing.clear()
        return operations

    def carried_out(self) -> None:
        """All that ``pending`` has returned has been carried out."""
        actions, self.under_way = self.under_way, []
        for action in actions:
            action()

    def _runs(self, base: int, end: int) -> Iterator[Operation]:
        """Mappings of the accessible pages in a range."""
        for region in self._space.overlapping(base, end):
            at = max(base - region.base, 0) // PAGE_SIZE
            last = (min(end, region.end) - region.base) // PAGE_SIZE
            pages = region.pages
            while at < last:
                code = pages[at]
                length = min(region.run_length(at, bytes((code,))), last - at)
                access = ACCESS[code] if region.pristine is not None else _initial_access(code)
                if access:
                    yield self._map(region, at, length, access)
                elif code & ABSENT and region.original is not None:
                    yield from self._shown(region, region.original, at, at + length, _initial_access(code & ~ABSENT))
                at += length

    def _shown(self, region: Region, original: Original, first: int, last: int, access: int) -> Iterator[Operation]:
        """Mappings of absent pages that are in a file as they are."""
        fd = self._originals[original.key]
        for begin, count, offset in original.parts:
            low, high = max(begin, first), min(begin + count, last)
            if low < high and access:
                base, size = region.base + low * PAGE_SIZE, (high - low) * PAGE_SIZE
                at = offset + (low - begin) * PAGE_SIZE
                yield layout.SYS_MMAP, base, size, access, layout.MAP_SHARED_FIXED, fd, at

    def _map(self, region: Region, page: int, count: int, access: int) -> Operation:
        backing = region.backing
        offset = region.offset + page * PAGE_SIZE
        fd = layout.MEMORY_FD
        if isinstance(backing, FileMapping):
            fd = self._files[backing]
            offset += backing.offset
        base, size = region.base + page * PAGE_SIZE, count * PAGE_SIZE
        return layout.SYS_MMAP, base, size, access, layout.MAP_SHARED_FIXED, fd, offset

    def fill(self, address: int, access: int) -> list[Operation] | None:
        """What a page fault needs to go on, or None: the fault is the guest's."""
        space = self._space
        page = address & -PAGE_SIZE
        region = space.find(page)
        if region is None:
            return None
        index = (page - region.base) // PAGE_SIZE
        pages = region.pages
        before = pages[index]
        if space.translate(page, access) is None:
            return None
        code = pages[index]
        allowed = ACCESS[code]
        if COPY_ON_WRITE[code] and region.pristine is None:
            allowed &= ~WRITE
        same = bytes({code} if before & ABSENT else {before, code})
        first = index
        while first > 0 and index - first < _MOST_AROUND and pages[first - 1] in same:
            first -= 1
        length = min(region.run_length(index, same), _MOST_AROUND)
        return [self._map(region, first, index - first + length, allowed)]


def _may_be_executed(fd: int) -> bool:
    """Does Linux allow mappings of the file that can be executed? On some file systems it does not."""
    try:
        mmap.mmap(fd, PAGE_SIZE, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_EXEC).close()
    except (OSError, ValueError):
        return False
    return True


def _initial_access(code: int) -> int:
    return ACCESS[code] & ~WRITE if COPY_ON_WRITE[code] else ACCESS[code]
