"""Should a guest thread spin for the kernel's answer before it sleeps? Only as long as that pays.

Between two free processors an answer that the guest spins for arrives ten times faster than one it must be woken for.
On a busy host the spinning takes the processor from the one who is to answer. So a guest spins only while there are
processors for all that want to run, and while most answers arrive in time.
"""

from __future__ import annotations

import os

COUNTS = 50_000  # of the time stamp counter: about 20 microseconds, what a short system call takes
_PERIOD = 128  # waits between decisions
_LONGEST_REST = 64  # periods


def _free_processors() -> bool:
    """Are there as many processors as tasks that want one now? We are one of those; the guest was the other."""
    try:
        fd = os.open("/proc/loadavg", os.O_RDONLY | os.O_CLOEXEC)
        try:
            running = int(os.read(fd, 100).split()[3].partition(b"/")[0])
        finally:
            os.close(fd)
        return max(running, 2) <= len(os.sched_getaffinity(0))
    except (OSError, ValueError, IndexError):
        return False


class Spin:
    """Decides for all threads of a process, from how their last waits went."""

    __slots__ = ("_left", "_missed", "_pause", "_rest", "counts")

    def __init__(self) -> None:
        self.counts = 0
        self._left = _PERIOD
        self._missed = 0  # waits in this period in which the guest fell asleep
        self._pause = 0  # periods to go without spinning
        self._rest = 1  # how many there will be next time

    def note(self, slept: int) -> None:
        """One wait is over: had the guest to sleep?"""
        self._left -= 1
        if slept:
            self._missed += 1
        if not self._left:
            self._decide()

    def _decide(self) -> None:
        useless = self.counts and self._missed > _PERIOD // 4
        self._left = _PERIOD
        self._missed = 0
        if self._pause:
            self._pause -= 1
        elif useless or not _free_processors():
            self.counts = 0
            self._pause = self._rest
            self._rest = min(2 * self._rest, _LONGEST_REST)
        elif self.counts:
            self._rest = 1
        else:
            self.counts = COUNTS
