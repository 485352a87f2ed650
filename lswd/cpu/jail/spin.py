"""Should a guest thread spin for the kernel's answer, and the kernel for its next call, before they sleep?

Between two free processors an answer that is spun for arrives ten times faster than one that somebody must be woken
for. On a busy host the spinning takes the processor from the one who is to answer. So both spin only for a guest that
asks often, while there are processors for all that want to run, which is asked whenever spinning has not helped; the
guest while most answers arrive in time, and the kernel less with each time that the guest had better things to do. When
they do not spin, they share a processor (placement.py).
"""

from __future__ import annotations

import os
import time

from lswd.host.processors import usable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.cpu.jail.placement import Placement

COUNTS = 1_000_000  # of the time stamp counter: about 400 microseconds; nearly all system calls take less
LOOKS = 8000  # of the kernel at a guest's state: about 300 microseconds
_FEWEST_LOOKS = 250
_PERIOD = 64  # waits between decisions
_OFTEN, _SELDOM = 70e-6, 300e-6  # seconds from call to call, on average: when spinning begins, and when it ends
_LONGEST_REST = 128  # periods
_CERTAIN = 0.01  # seconds in which the host is found busy again and again: Linux has little things to do, too


def _free_processors() -> bool:
    """Are there as many processors as tasks that want one now? We are one of those; the guest was the other."""
    try:
        if os.sched_getscheduler(0) in (os.SCHED_FIFO, os.SCHED_RR):  # then others give way
            return len(usable()) > 1
        fd = os.open("/proc/loadavg", os.O_RDONLY | os.O_CLOEXEC)
        try:
            running = int(os.read(fd, 100).split()[3].partition(b"/")[0])
        finally:
            os.close(fd)
        return max(running, 2) <= len(usable())
    except (OSError, ValueError, IndexError):
        return False


class Spin:
    """Decides for all threads of a process, from how their last waits went.

    Attributes:
        counts: how long a guest thread spins; 0: not at all.
        looks: how often the kernel looks before it sleeps.
        left: waits until ``decide`` is due; missed: those of this period in which the guest had to sleep.
        placement: on which processors it is done.
    """

    __slots__ = ("left", "missed", "placement", "_busy", "_pause", "_rest", "_since", "counts", "looks")

    def __init__(self, placement: Placement) -> None:
        self.placement = placement
        self.left = _PERIOD
        self.missed = 0
        self.counts = self.looks = 0
        self._busy = 0.0  # since when there have been no processors for both, whenever we looked
        self._pause = 0  # periods to go without spinning
        self._rest = 1  # how many there will be next time
        self._since = time.monotonic()

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
        if self.counts and self._crowded():
            self._stop()

    def looked_in_vain(self) -> None:
        """The kernel has spun, and has to sleep after all."""
        if self.looks and self._crowded():
            self._stop()
        elif self.looks > _FEWEST_LOOKS:
            self.looks >>= 1

    def _crowded(self) -> bool:
        """Are there more tasks than processors, for longer than a moment?"""
        if _free_processors():
            self._busy = 0.0
            return False
        now = time.monotonic()
        self._busy = self._busy or now
        return now - self._busy > _CERTAIN

    def decide(self) -> None:
        """A period is over: shall there be spinning in the next?"""
        now = time.monotonic()
        seconds = now - self._since
        useless = self.counts and self.missed > _PERIOD * 3 // 4
        self._begin_period(now)
        self.placement.review()
        if self._pause:
            self._pause -= 1
        elif useless or self._crowded():
            self._stop()
        elif seconds < _PERIOD * (_SELDOM if self.counts else _OFTEN):
            if self.counts:
                self._rest = 1
            self._set(True)
        else:
            self._set(False)

    def apart(self) -> bool:
        """The kernel has something to do while the guest runs: is there, from now on, a processor for each?"""
        if not self.counts and not self._pause and not self._crowded():
            self._begin_period(time.monotonic())  # the waits of this one tell nothing about spinning
            self._set(True)
        return bool(self.counts)

    def _begin_period(self, now: float) -> None:
        self.left = _PERIOD
        self.missed = 0
        self._since = now

    def _stop(self) -> None:
        self._set(False)
        self._pause = self._rest
        self._rest = min(2 * self._rest, _LONGEST_REST)

    def _set(self, on: bool) -> None:
        self.counts = COUNTS if on else 0
        self.looks = LOOKS if on else 0
        if on:
            self.placement.part()
        else:
            self.placement.join()
