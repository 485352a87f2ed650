"""One processor for the kernel and its guest, or one for each?

Where a guest asks for one thing after the other, the two never run at the same time. On one processor they hand over in
10 us. On two, who sleeps must be woken by another processor: 40 to 100 us in a virtual machine. Handing over without
sleep (spin.py) is faster still, but needs two processors, and pays only for a guest that asks often. So both share one
at first; they part when they are to spin, and are left to Linux as soon as they could run at the same time: when the
guest computes, has several threads, or starts another program, and when others want that processor.
"""

from __future__ import annotations

import ctypes
import os
import time

from lswd.host.processors import usable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

_MOST_LOST = 1 / 3  # of the time
_REST = 16  # reviews
_sched_getcpu = ctypes.CDLL(None).sched_getcpu
_placements: set[Placement] = set()  # of the jails of this process


class Placement:
    """Of one jailed process and the host thread that is its kernel, which calls all of this.

    Attributes:
        pid: that process, while there is one.
        together: both are tied to one processor.
        apart: the jailed process is kept off the processor that this thread was on.
    """

    def __init__(self) -> None:
        for other in _placements:
            other.release()
        self.pid = 0
        self.together = self.apart = False
        self._rest = 0  # reviews until they may share one again
        self._shared = False
        self._possible = len(usable()) > 1
        self._usage = (0, 0, 0)  # when that was last looked at
        _placements.add(self)

    @property
    def shared(self) -> bool:
        """Do several guest threads run?"""
        return self._shared

    @shared.setter
    def shared(self, value: bool) -> None:
        self._shared = value
        if value:
            self.release()

    @property
    def tied(self) -> bool:
        """Is either of them kept from a processor?"""
        return self.together or self.apart

    def join(self) -> None:
        """Share a processor, if nothing speaks against it."""
        if self.together:
            return
        if self._shared or self._rest or not self._possible or len(_placements) > 1:
            self.release()
            return
        here = {_sched_getcpu()}
        self.together, self.apart = True, False
        if not (_tie(self.pid, here) and _tie_own(here)):
            self.release()
        self._usage = _usage(self.pid)

    def release(self) -> None:
        """Run where Linux sees fit."""
        if self.tied:
            self.together = self.apart = False
            _tie(self.pid, usable())
            _tie_own(usable())
            _tie(os.getpid(), usable())  # threads that were started meanwhile have it from this one

    def part(self) -> None:
        """Run on two processors. Linux, left to itself, wakes the guest on the one that its kernel is busy on."""
        if self.together:
            self.release()
            self.apart = _tie(self.pid, usable() - {_sched_getcpu()})

    def review(self) -> None:
        """Now and then: is the shared processor one that others want?"""
        if self._rest:
            self._rest -= 1
        if self.together:
            before, self._usage = self._usage, _usage(self.pid)
            passed, waited, ran = (b - a for a, b in zip(before, self._usage, strict=True))
            # One also waits while the other, who has woken it, is not done yet.
            if min(waited, passed - ran) > passed * _MOST_LOST:
                self._rest = _REST
                self.release()

    def close(self) -> None:
        """The jail has ended."""
        self.pid = 0
        _placements.discard(self)
        self.release()


def _tie(pid: int, processors: AbstractSet[int]) -> bool:
    """Tie all threads of a process, those that Linux knows: whatever a guest has said of its own. False: not done."""
    try:
        for thread in os.listdir(f"/proc/{pid}/task") if pid else ():
            try:
                os.sched_setaffinity(int(thread), processors)
            except ProcessLookupError:
                pass  # it has just ended; the others have not
    except OSError:  # the process is gone, or the host does not let us
        return False
    return pid > 0


def _tie_own(processors: AbstractSet[int]) -> bool:
    """Tie the thread that calls this."""
    try:
        os.sched_setaffinity(0, processors)
    except OSError:
        return False
    return True


def _usage(pid: int) -> tuple[int, int, int]:
    """By now, for how long this thread and those of a process have waited for a processor, and how long they ran.

    All in nanoseconds (linux/Documentation/scheduler/sched-stats).
    """
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:
        threads = []
    waited = ran = 0
    for path in ("/proc/thread-self/schedstat", *[f"/proc/{pid}/task/{thread}/schedstat" for thread in threads]):
        try:
            with open(path, "rb", 0) as file:
                figures = file.read(100).split()
            ran += int(figures[0])
            waited += int(figures[1])
        except (OSError, ValueError, IndexError):
            pass  # the thread has ended, or this Linux does not tell
    return time.monotonic_ns(), waited, ran
