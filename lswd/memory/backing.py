"""Host memory behind guest memory: the process's sparse memfd, and files mapped into the guest.

Everything a guest can see lives in a backing that Python has mapped too, so the kernel reads and writes guest memory by
slicing. A backing also has a place in the engine's flat "physical" space (see cpu.engine).
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import os

from lswd.memory.protection import GRANULARITY, PAGE_SIZE
from lswd.ntdef.status import STATUS_NO_MEMORY, NtError

MAP_NORESERVE = 0x4000  # linux/mman.h; not in the mmap module
_MS_SYNC = 4
_MAP_FAILED = ctypes.c_void_p(-1).value
# V8 and GHC reserve a terabyte each; a tight RLIMIT_AS or a small virtual machine takes a smaller one.
_SIZES = (8 << 40, 64 << 30, 16 << 30, 4 << 30, 1 << 30)
_MOST_STALE = 4 << 20  # bytes a process
_MOST_LARGE = 4  # processes with the first size at once: the host gives us 128 TiB of addresses, for hundreds


_PYBUF_READ, _PYBUF_WRITE = 0x100, 0x200
_view = ctypes.pythonapi.PyMemoryView_FromMemory
_view.restype = ctypes.py_object
_view.argtypes = [ctypes.c_void_p, ctypes.c_ssize_t, ctypes.c_int]

_loaded: list[ctypes.CDLL] = []


def _libc() -> ctypes.CDLL:
    if not _loaded:
        libc = ctypes.CDLL(None, use_errno=True)
        pointer, size_t, integer = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int
        libc.mmap.restype = pointer
        libc.mmap.argtypes = [pointer, size_t, integer, integer, integer, ctypes.c_int64]
        libc.munmap.argtypes = [pointer, size_t]
        libc.msync.argtypes = [pointer, size_t, integer]
        _loaded.append(libc)
    return _loaded[0]


class Backing:
    """Mapped host memory: ``view`` is its bytes, ``physical`` where the engine sees it, ``users`` how many regions."""

    __slots__ = ("physical", "size", "users", "view")

    def __init__(self, view: memoryview, size: int) -> None:
        self.view = view
        self.size = size
        self.physical = 0
        self.users = 0

    def flush(self) -> None:
        """Write changes to the file behind it, if there is one."""

    def close(self) -> None:
        """Let go of the mapping."""
        self.view.release()


class FileMapping(Backing):
    """A shared mapping of a file: what the guest writes is in the file at once, and the other way round.

    Mapped through libc: the mmap module refuses the part of the last page that lies behind the end of the file, which a
    guest may well read (as zeros).
    """

    __slots__ = ("address", "fd", "key", "offset", "writable")

    def __init__(
        self, fd: int, size: int, *, offset: int = 0, writable: bool = True, key: tuple[int, ...] = ()
    ) -> None:
        """Map ``size`` bytes, whole pages, of ``fd`` from ``offset``; ``fd`` stays the caller's.

        ``key`` identifies a file that an engine may have been offered before.

        Engines that map the file too take ``fd`` when the backing is attached; later it may be closed.

        Raises:
            OSError: the host refuses.
        """
        self.fd = fd
        self.offset = offset
        self.writable = writable
        self.key = key
        libc = _libc()
        protection = mmap.PROT_READ | (mmap.PROT_WRITE if writable else 0)
        address = libc.mmap(None, size, protection, mmap.MAP_SHARED | MAP_NORESERVE, fd, offset)
        if address == _MAP_FAILED:
            error = ctypes.get_errno()
            raise OSError(error, os.strerror(error))
        self.address = int(address)
        super().__init__(_view(self.address, size, _PYBUF_WRITE if writable else _PYBUF_READ), size)

    def flush(self) -> None:
        if not self.view.readonly and _libc().msync(self.address, self.size, _MS_SYNC):
            error = ctypes.get_errno()
            raise OSError(error, os.strerror(error))

    def close(self) -> None:
        super().close()
        _libc().munmap(self.address, self.size)


_PIECE = 1 << 18
_ZEROS = memoryview(bytes(0x10000))
_STEP = 4 << 20  # by which the memfd grows
_SLACK = 64 << 20  # how much too large it may be


class PrivateMemory(Backing):
    """The process's own sparse memfd, ``memory`` once it is mapped, handed out in ranges of whole pages.

    It is hardly longer than what has been handed out, so that guest code which maps more of it gets nothing.

    What a range no longer needs can be left *stale*: heaps that shrink tend to grow again, and to have a page cleared
    takes a fraction of the time of giving it back and getting another. ``filled`` is the range cleared last.
    """

    __slots__ = ("_end", "_free", "_left", "_stale", "_top", "fd", "filled", "memory")
    _large = 0  # how many there are

    def __init__(self) -> None:
        self.size = 0
        self.fd = os.memfd_create("guest", os.MFD_CLOEXEC)
        for size in _SIZES if PrivateMemory._large < _MOST_LARGE else _SIZES[1:]:
            try:
                os.ftruncate(self.fd, size)
                self.memory = mmap.mmap(self.fd, size, mmap.MAP_SHARED | MAP_NORESERVE)
                super().__init__(memoryview(self.memory), size)
                break
            except (OSError, ValueError) as error:
                if size == _SIZES[-1] or getattr(error, "errno", errno.ENOMEM) not in (errno.ENOMEM, errno.EFBIG):
                    raise
        PrivateMemory._large += self.size == _SIZES[0]
        self._top = GRANULARITY  # offset 0 stays unused: a stray zero offset must never look valid
        self._resize()
        self._free: list[tuple[int, int]] = []  # (offset, size), sorted, never adjacent
        # (offset, size, which call of ``leave``) inside of ranges that are handed out
        self._stale: list[tuple[int, int, int]] = []
        self._left = 0  # calls of ``leave``
        self.filled = (0, 0)

    def _resize(self) -> None:
        """Make the memfd end a little behind ``_top``."""
        self._end = min((self._top + _STEP) & -_STEP, self.size)
        os.ftruncate(self.fd, self._end)

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
        if self._top > self._end:
            self._resize()
        return offset

    def give_back(self, offset: int, size: int) -> None:
        """Return a range; its pages go back to the host at once and read as zero when handed out again."""
        size = (size + PAGE_SIZE - 1) & -PAGE_SIZE
        if self._stale:
            self._cut(offset, size)
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
        if self._top + _SLACK < self._end:
            self._resize()

    def load(self, offset: int, size: int, fd: int, start: int) -> None:
        """Fill a range that was never touched from ``fd`` at ``start``; what the file lacks stays zero.

        Writing takes half the time of reading into the mapping, which would have to fault each page in first.
        """
        while size > 0:
            data = os.pread(fd, min(size, _PIECE), start)
            if not data:
                return
            self.store(offset, data)
            start += len(data)
            offset += len(data)
            size -= len(data)

    def store(self, offset: int, data: bytes) -> None:
        """Write pages that were never touched; see ``load``."""
        written = os.pwrite(self.fd, data, offset)
        while written < len(data):
            written += os.pwrite(self.fd, data[written:], offset + written)

    def leave(self, offset: int, size: int) -> int:
        """The range is not needed for now: it reads as zero only after ``renew``. Returns what ``drop`` takes."""
        if self._stale:
            self._cut(offset, size)
        self._left += 1
        self._stale.append((offset, size, self._left))
        return self._left

    @property
    def has_much_stale(self) -> bool:
        """Should what was left last be dropped?"""
        return sum(stale[1] for stale in self._stale) > _MOST_STALE

    def is_stale(self, offset: int, size: int) -> bool:
        """Has something in the range been left?"""
        return any(start < offset + size and offset < start + length for start, length, _ in self._stale)

    def drop(self, left: int) -> None:
        """What was left by that call of ``leave``, and has not been needed since, goes back to the host."""
        rest = []
        for stale in self._stale:
            if stale[2] == left:
                self.discard(*stale[:2])
            else:
                rest.append(stale)
        self._stale = rest

    def renew(self, offset: int, size: int) -> None:
        """What was left in the range reads as zero again."""
        if not self._stale:
            return
        for start, length in self._cut(offset, size):
            if length > _MOST_STALE:
                self.discard(start, length)
            else:
                self.fill(start, length)

    def _cut(self, offset: int, size: int) -> list[tuple[int, int]]:
        """Forget that the range is stale; returns the parts of it that were."""
        found: list[tuple[int, int]] = []
        rest: list[tuple[int, int, int]] = []
        for start, length, left in self._stale:
            first, last = max(start, offset), min(start + length, offset + size)
            if first >= last:
                rest.append((start, length, left))
                continue
            found.append((first, last - first))
            if start < first:
                rest.append((start, first - start, left))
            if last < start + length:
                rest.append((last, start + length - last, left))
        self._stale = rest
        return found

    def fill(self, offset: int, size: int) -> None:
        """Write zeros, so that pages are there when they are touched."""
        self.filled = (offset, size)
        try:
            while size > 0:
                written = os.pwrite(self.fd, _ZEROS[:size], offset)
                offset += written
                size -= written
        except OSError:  # the host has no memory left: touching will tell
            self.discard(offset, size)

    def discard(self, offset: int, size: int) -> None:
        """Punch a hole: the range reads as zero and costs nothing."""
        self.memory.madvise(mmap.MADV_REMOVE, offset, size)

    def close(self) -> None:
        """Let go of the mapping; a slice of it that somebody still holds only delays that."""
        try:
            super().close()
            self.memory.close()
        except BufferError:
            pass
        self._close_descriptor()

    def __del__(self) -> None:
        self._close_descriptor()

    def _close_descriptor(self) -> None:
        if self.fd >= 0:
            PrivateMemory._large -= self.size == _SIZES[0]
            os.close(self.fd)
            self.fd = -1
