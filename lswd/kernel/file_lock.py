"""Byte-range locks of one file. Source: Microsoft "NtLockFile", LockFileEx; [MS-FSA] 2.1.4.10 "Range Conflicts"."""

from __future__ import annotations

from lswd.kernel.file import Waiter, notify, wait_for_change
from lswd.ntdef.status import STATUS_INVALID_LOCK_RANGE, STATUS_LOCK_NOT_GRANTED, STATUS_RANGE_NOT_LOCKED, NtError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.kernel.file import FileObject
    from lswd.kernel.process import Process

_END = 1 << 64


class ByteRangeLock:
    """One lock: whose it is (file object, process, key), and what it covers."""

    __slots__ = ("end", "exclusive", "file", "key", "process", "start")

    def __init__(self, file: FileObject, process: Process, key: int, start: int, length: int, exclusive: bool) -> None:
        self.file = file
        self.process = process
        self.key = key
        self.start = start
        self.end = start + length
        self.exclusive = exclusive

    def same_owner(self, other: ByteRangeLock) -> bool:
        """Do both belong to one file object, process and key?"""
        return self.file is other.file and self.process is other.process and self.key == other.key

    def overlaps(self, start: int, end: int) -> bool:
        """Do the ranges share a byte? An empty one lies between bytes: it meets what goes on on both sides of it."""
        return self.start < end and start < self.end


class LockTable:
    """The locks on one file, oldest first."""

    __slots__ = ("_locks", "_waiters")

    def __init__(self) -> None:
        self._locks: list[ByteRangeLock] = []
        self._waiters: list[Waiter] = []

    def __bool__(self) -> bool:
        return bool(self._locks)

    def _conflict(self, lock: ByteRangeLock) -> bool:
        """Exclusive locks share their range with nothing but shared locks that their owner takes later."""
        return any(
            other.overlaps(lock.start, lock.end)
            and (lock.exclusive or (other.exclusive and not other.same_owner(lock)))
            for other in self._locks
        )

    async def lock(self, lock: ByteRangeLock, *, at_once: bool) -> None:
        """Take a lock.

        Args:
            at_once: fail instead of waiting for others to let go.

        Raises:
            NtError: STATUS_LOCK_NOT_GRANTED, STATUS_INVALID_LOCK_RANGE.
        """
        if lock.start < 0 or lock.end > _END:
            raise NtError(STATUS_INVALID_LOCK_RANGE)
        while self._conflict(lock):
            if at_once:
                raise NtError(STATUS_LOCK_NOT_GRANTED)
            await wait_for_change(self._waiters)
        self._locks.append(lock)

    def unlock(self, file: FileObject, process: Process, key: int, start: int, length: int) -> None:
        """Let go of a lock, exclusive ones first.

        Raises:
            NtError: STATUS_RANGE_NOT_LOCKED when there is none of exactly that range.
        """
        own = [
            lock
            for lock in self._locks
            if lock.file is file
            and lock.process is process
            and lock.key == key
            and (lock.start, lock.end) == (start, start + length)
        ]
        if not own:
            raise NtError(STATUS_RANGE_NOT_LOCKED)
        self._locks.remove(next((lock for lock in own if lock.exclusive), own[0]))
        notify(self._waiters)

    def release_all(self, file: FileObject) -> None:
        """The file object is being closed."""
        kept = [lock for lock in self._locks if lock.file is not file]
        if len(kept) != len(self._locks):
            self._locks[:] = kept
            notify(self._waiters)

    def allows(
        self, file: FileObject, process: Process, key: int, start: int, length: int, *, writing: bool
    ) -> bool:
        """May this range be read or written through ``file``? Only its own exclusive locks let it write."""
        end = start + length
        for lock in self._locks:
            if lock.overlaps(start, end):
                own = lock.file is file and lock.process is process and lock.key == key
                if not own and (lock.exclusive or writing):
                    return False
                if own and not lock.exclusive and writing:
                    return False
        return True
