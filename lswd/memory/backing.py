"""Host memory behind guest memory: the process's sparse memfd, and files mapped into the guest.

Everything a guest can see lives in a backing that Python has mapped too, so the kernel reads and writes guest memory by
slicing. A backing also has a place in the engine's flat "physical" space (see cpu.engine).
"""

from __future__ import annotations

import errno
import mmap
import os

from lswd.memory.protection import GRANULARITY, PAGE_SIZE
from lswd.ntdef.status import STATUS_NO_MEMORY, NtError

MAP_NORESERVE = 0x4000  # linux/mman.h; not in the mmap module
_SIZES = (64 << 30, 16 << 30, 4 << 30, 1 << 30)  # a tight RLIMIT_AS or a small virtual machine takes a smaller one


class Backing:
    """A mapped file descriptor: ``view`` is its bytes, ``physical`` where the engine sees them."""

    __slots__ = ("fd", "map", "physical", "size", "users", "view")

    def __init__(self, fd: int, size: int, *, offset: int = 0, writable: bool = True) -> None:
        """Map ``size`` bytes of ``fd`` from ``offset`` (a multiple of the page size); takes over ``fd``."""
        self.fd = fd
        self.size = size
        access = mmap.PROT_READ | (mmap.PROT_WRITE if writable else 0)
        self.map = mmap.mmap(fd, size, mmap.MAP_SHARED | MAP_NORESERVE, access, offset=offset)
        self.view = memoryview(self.map)
        self.physical = 0
        self.users = 0

    def close(self) -> None:
        """Let go of the mapping. A lingering slice of it only delays that."""
        self.view.release()
        try:
            self.map.close()
        except BufferError:
            pass
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


class PrivateMemory(Backing):
    """The process's own sparse memfd, handed out in ranges of whole pages."""

    __slots__ = ("_free", "_top")

    def __init__(self) -> None:
        fd = os.memfd_create("guest", os.MFD_CLOEXEC)
        for size in _SIZES:
            try:
                os.ftruncate(fd, size)
                super().__init__(fd, size)
                break
            except (OSError, ValueError) as error:
                if size == _SIZES[-1] or getattr(error, "errno", errno.ENOMEM) not in (errno.ENOMEM, errno.EFBIG):
                    raise
        self._top = GRANULARITY  # offset 0 stays unused: a stray zero offset must never look valid
        self._free: list[tuple[int, int]] = []  # (offset, size), sorted, never adjacent

    def take(self, size: int) -> int:
        """Offset of ``size`` zero bytes.

        Raises:
            NtError: STATUS_NO_MEMORY when the address range is used up.
        """
        size = (size + PAGE_SIZE - 1) & -PAGE_SIZE
        for i, (offset, length) in enumerate(self._free):
            if length >= size:
                if length == size:
                    del self._free[i]
                else:
                    self._free[i] = (offset + size, length - size)
                return offset
        offset = self._top
        if offset + size > self.size:
            raise NtError(STATUS_NO_MEMORY)
        self._top = offset + size
        return offset

    def give_back(self, offset: int, size: int) -> None:
        """Return a range; its pages go back to the host at once and read as zero when handed out again."""
        size = (size + PAGE_SIZE - 1) & -PAGE_SIZE
        self.discard(offset, size)
        merged: list[tuple[int, int]] = []
        for start, length in sorted([*self._free, (offset, size)]):
            if merged and merged[-1][0] + merged[-1][1] == start:
                merged[-1] = (merged[-1][0], merged[-1][1] + length)
            else:
                merged.append((start, length))
        if merged and merged[-1][0] + merged[-1][1] == self._top:
            self._top = merged.pop()[0]
        self._free = merged

    def discard(self, offset: int, size: int) -> None:
        """Punch a hole: the range reads as zero and costs nothing."""
        self.map.madvise(mmap.MADV_REMOVE, offset, size)
