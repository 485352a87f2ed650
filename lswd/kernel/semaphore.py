"""Semaphores: a count that waits take from. Source: Microsoft "Semaphore Objects", "NtCreateSemaphore"."""

from __future__ import annotations

from lswd.kernel.object import Waitable
from lswd.ntdef.status import STATUS_INVALID_PARAMETER, STATUS_SEMAPHORE_LIMIT_EXCEEDED, NtError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.kernel.thread import Thread

SEMAPHORE_QUERY_STATE = 0x0001
SEMAPHORE_MODIFY_STATE = 0x0002
SEMAPHORE_ALL_ACCESS = 0x1F0003


class Semaphore(Waitable):
    """See the module's docstring."""

    type_name = "Semaphore"
    generic = (0x20001, 0x20002, 0x120000, SEMAPHORE_ALL_ACCESS)

    def __init__(self, count: int, maximum: int) -> None:
        """
        Raises:
            NtError: STATUS_INVALID_PARAMETER for a count outside 0 to ``maximum`` or a maximum below 1.
        """
        if maximum <= 0 or not 0 <= count <= maximum:
            raise NtError(STATUS_INVALID_PARAMETER)
        super().__init__()
        self.count = count
        self.maximum = maximum

    def is_signalled(self, thread: Thread) -> bool:
        return self.count > 0

    def acquire(self, thread: Thread) -> int:
        self.count -= 1
        return 0

    def release(self, count: int) -> int:
        """Add to the count; returns the one before.

        Raises:
            NtError: STATUS_INVALID_PARAMETER for less than 1, STATUS_SEMAPHORE_LIMIT_EXCEEDED.
        """
        if count <= 0:
            raise NtError(STATUS_INVALID_PARAMETER)
        previous = self.count
        if previous + count > self.maximum:
            raise NtError(STATUS_SEMAPHORE_LIMIT_EXCEEDED)
        self.count = previous + count
        self.wake()
        return previous
