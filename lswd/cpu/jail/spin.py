"""Should a guest thread spin for the kernel's answer, and the kernel for its next call, before they sleep?

Between two free processors an answer that is spun for arrives ten times faster than one that somebody must be woken
for. On a busy host the spinning takes the processor from the one who is to answer. So both spin only while there are
processors for all that want to run, which is asked whenever spinning has not helped; the guest while most answers
arrive in time, and the kernel less with each time that the guest had better things to do.
"""

from __future__ import annotations

import os

COUNTS = 150_000  # of the time stamp counter: about 50 microseconds; most system calls take less
LOOKS = 4000  # of the kernel at a guest's state: about 150 microseconds
_FEWEST_LOOKS = 250
_PERIOD = 128  # waits between decisions
_LONGEST_REST = 64  # periods


def _free_processors() -> bool:
    """Are there as many processors as tasks that want one now? We are one of those; the guest was the other."""
    try:
        if os.sched_getscheduler(0) in (os.SCHED_FIFO, os.SCHED_RR):  # then others give way
            return len(os.sched_getaffinity(0)) > 1
        fd = os.open("/proc/loadavg", os.O_RDONLY | os.O_CLOEXEC)
        try:
            running = int(os.read(fd, 100).split()[3].partition(b"/")[0])
        finally:
            os.close(fd)
        return max(running, 2) <= len(os.sched_getaffinity(0))
    except (OSError, ValueError, IndexError):
        return False


class Spin:
    """Decides for all threads of a process, from how their last waits went.

    Attributes:
        counts: how long a guest thread spins; 0: not at all.
        looks: how often the kernel looks before it sleeps.
        left: waits until ``decide`` is due; missed: those of this period in which the guest had to sleep.
    """

    __slots__ = ("left", "missed", "_pause", "_rest", "counts", "looks")

    def __init__(self) -> None:
        self.left = _PERIOD
        self.missed = 0
        self._pause = 0  # periods to go without spinning
        self._rest = 1  # how many there will be next time
        self._set(_free_processors())

    def note(self, slept: int) -> None:
        """One wait is over: had the guest to sleep?"""
        self.left -= 1
        if slept:
            self.slept()
        if self.left <= 0:
            self.decide()

    def slept(self) -> None:
        """The guest had to sleep."""
        self.missed += 1
        if self.counts and not _free_processors():
            self._stop()

    def looked_in_vain(self) -> None:
        """The kernel has spun, and has to sleep after all."""
        if self.looks and not _free_processors():
            self._stop()
        elif self.looks > _FEWEST_LOOKS:
            self.looks >>= 1

    def decide(self) -> None:
        """A period is over: shall there be spinning in the next?"""
        useless = self.counts and self.missed > _PERIOD * 3 // 4
        self.left = _PERIOD
        self.missed = 0
        if self._pause:
            self._pause -= 1
        elif useless or not _free_processors():
            self._stop()
        else:
            if self.counts:
                self._rest = 1
            self._set(True)

    def _stop(self) -> None:
        self._set(False)
        self._pause = self._rest
        self._rest = min(2 * self._rest, _LONGEST_REST)

    def _set(self, on: bool) -> None:
        self.counts = COUNTS if on else 0
        self.looks = LOOKS if on else 0
