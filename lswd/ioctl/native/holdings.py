"""What one open file of the device holds on the native side: files, synchronisation objects, regions, modules."""

from __future__ import annotations

import os
from collections import deque

from lswd.ioctl.native.declare import NativeError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    import trio

# The loader takes handles from 0x10000 on for heap addresses and those below 0x400 for Linux descriptors.
FIRST_FILE = 0x1000
LAST_FILE = 0xFFFF
FIRST_SYNC = 0x2000
FIRST_PROGRAM = 1000
FIRST_THREAD = 2000
# Where the module's vmalloc addresses begin on x86-64; nothing of a caller's is ever there.
FIRST_REGION = 0xFFFF_C900_0000_0000
PAGE = 4096


class OpenFile:
    """A file opened with NtCreateFile.

    Attributes:
        waits: reading or writing it may have to wait.
        waiting: the calls that do, each in a scope that can be cancelled.
        closed: its handle is.
    """

    __slots__ = ("closed", "fd", "readable", "waiting", "waits", "writable")

    def __init__(self, fd: int, *, readable: bool, writable: bool, waits: bool) -> None:
        self.fd = fd
        self.readable = readable
        self.writable = writable
        self.waits = waits
        self.waiting: set[trio.CancelScope] = set()
        self.closed = False

    def close(self) -> None:
        """End the calls that wait; the last one gives the descriptor back, whose number they may still use."""
        self.closed = True
        for scope in self.waiting:
            scope.cancel()
        self.release()

    def release(self) -> None:
        """A call has ended, or the handle is closed: is the descriptor of any use?"""
        if self.closed and not self.waiting:
            os.close(self.fd)


class Sync:
    """An event (never reset: the module had no call for it) or a mutex (without an owner).

    ``waiters`` are functions that tell a waiting call that it may go on.
    """

    __slots__ = ("mutex", "signalled", "waiters")

    def __init__(self, *, mutex: bool, signalled: bool) -> None:
        self.mutex = mutex
        self.signalled = signalled
        self.waiters: deque[Any] = deque()

    def signal(self) -> None:
        """Set the event, or release the mutex: to the one who has waited longest."""
        self.signalled = True
        while self.waiters:
            self.waiters.popleft()()
            if self.mutex:
                self.signalled = False
                return

    def take(self) -> bool:
        """Can a wait succeed at once? Then it has."""
        if not self.signalled:
            return False
        if self.mutex:
            self.signalled = False
        return True


class Region:
    """A region that exists only here, as it existed only in the module."""

    __slots__ = ("base", "protect", "size", "tid")

    def __init__(self, tid: int, base: int, size: int, protect: int) -> None:
        self.tid = tid
        self.base = base
        self.size = size
        self.protect = protect


class Holdings:
    """See the module's docstring. ``limit``: how many of each kind there may be."""

    __slots__ = (
        "files", "limit", "modules", "next_program", "next_region", "next_sync", "next_thread", "programs", "regions",
        "sync",
    )  # fmt: skip

    def __init__(self, limit: int = 4096) -> None:
        self.limit = limit
        self.files: dict[int, OpenFile] = {}
        self.sync: dict[int, Sync] = {}
        self.regions: list[Region] = []  # newest last
        self.modules: set[int] = set()  # bases
        self.programs: set[int] = set()
        self.next_sync = FIRST_SYNC
        self.next_program = FIRST_PROGRAM
        self.next_thread = FIRST_THREAD
        self.next_region = FIRST_REGION

    def add_file(self, file: OpenFile) -> int:
        """The lowest free handle. Raises NativeError: there is none."""
        if len(self.files) < self.limit:
            handle = FIRST_FILE
            while handle in self.files:  # handles are few: clients hold one or two
                handle += 1
            if handle <= LAST_FILE:
                self.files[handle] = file
                return handle
        raise NativeError(24)

    def add_sync(self, sync: Sync) -> int:
        """A new handle. Raises NativeError (ENOMEM)."""
        if len(self.sync) >= self.limit:
            raise NativeError(12)
        handle = self.next_sync
        self.next_sync += 1
        self.sync[handle] = sync
        return handle

    def add_region(self, tid: int, base: int, size: int, protect: int) -> int:
        """The base, which is made up if it is 0. Raises NativeError (ENOMEM)."""
        if len(self.regions) >= self.limit:
            raise NativeError(12)
        if not base:
            base = self.next_region
            self.next_region += (size + 2 * PAGE - 1) & -PAGE  # a gap behind each, as vmalloc leaves
        self.regions.append(Region(tid, base, size, protect))
        return base

    def find_region(self, tid: int, base: int) -> Region:
        """The newest region of ``tid`` that begins at ``base``. Raises NativeError (EINVAL)."""
        for region in reversed(self.regions):
            if region.base == base and region.tid == tid:
                return region
        raise NativeError(22)

    def add_module(self, base: int) -> None:
        """A library was loaded."""
        if len(self.modules) < self.limit:
            self.modules.add(base)

    def close(self) -> None:
        """Everything goes."""
        for file in self.files.values():
            file.close()
        self.files.clear()
        for sync in self.sync.values():
            sync.waiters.clear()
        self.sync.clear()
        self.regions.clear()
        self.modules.clear()
        self.programs.clear()
