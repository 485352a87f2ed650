"""Mutants, which Win32 calls mutexes: owned by a thread, which may acquire them again and again.

Source: Microsoft "Mutex Objects", "NtCreateMutant"; KeReleaseMutant for the statuses.
"""

from __future__ import annotations

from lswd.kernel.object import Waitable
from lswd.ntdef.status import (
    STATUS_ABANDONED_WAIT_0,
    STATUS_MUTANT_LIMIT_EXCEEDED,
    STATUS_MUTANT_NOT_OWNED,
    STATUS_SUCCESS,
    NtError,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.kernel.thread import Thread

MUTANT_QUERY_STATE = 0x0001
MUTANT_ALL_ACCESS = 0x1F0001

_LIMIT = 1 << 31


class Mutant(Waitable):
    """See the module's docstring.

    Attributes:
        owner: who holds it; recursion: how often.
        abandoned: its last owner ended without releasing it; the next owner is told.
    """

    type_name = "Mutant"
    generic = (0x20001, 0x20000, 0x120000, MUTANT_ALL_ACCESS)

    def __init__(self, owner: Thread | None = None) -> None:
        super().__init__()
        self.owner: Thread | None = None
        self.recursion = 0
        self.abandoned = False
        if owner is not None:
            self.acquire(owner)

    def is_signalled(self, thread: Thread) -> bool:
        return self.owner is None or self.owner is thread

    def acquire(self, thread: Thread) -> int:
        if self.owner is not thread:
            self.owner = thread
            thread.owned_mutants.append(self)
        if self.recursion == _LIMIT:
            raise NtError(STATUS_MUTANT_LIMIT_EXCEEDED)
        self.recursion += 1
        abandoned, self.abandoned = self.abandoned, False
        return STATUS_ABANDONED_WAIT_0 if abandoned else STATUS_SUCCESS

    def release(self, thread: Thread) -> int:
        """Give it back once; returns the count before (1 is free, 0 held once, -1 held twice, ...).

        Raises:
            NtError: STATUS_MUTANT_NOT_OWNED.
        """
        if self.owner is not thread:
            raise NtError(STATUS_MUTANT_NOT_OWNED)
        previous = self.count
        self.recursion -= 1
        if not self.recursion:
            thread.owned_mutants.remove(self)
            self.owner = None
            self.wake()
        return previous

    def abandon(self) -> None:
        """Its owner has ended."""
        self.owner = None
        self.recursion = 0
        self.abandoned = True
        self.wake()

    @property
    def count(self) -> int:
        """NT's signal state of the mutant."""
        return 1 - self.recursion
