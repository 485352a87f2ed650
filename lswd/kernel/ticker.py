"""A host thread that wakes up while guest code runs: keeps the guests' clock pages live, ends turns, notices signals.

It sleeps for good when no guest code runs, so an idle program uses no processor time.
"""

from __future__ import annotations

import _thread
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from lswd.kernel.process import Process

TICK = 0.005  # seconds; NT's own clock interrupt comes every 15.6 ms or faster
TICKS_A_SLICE = 2
# Python runs signal handlers in the main thread between byte codes, so even an undisturbed turn must end sometimes.
TICKS_ALONE = 20


class Ticker:
    """Started with the first turn; ``begin`` and ``end`` bracket guest execution."""

    def __init__(
        self,
        contended: Callable[[], bool],
        signal_pending: Callable[[], bool],
        processes: Callable[[], Iterable[Process]],
        end_turn: Callable[[], None],
    ) -> None:
        """
        Args:
            contended: does anybody else want the processor?
            signal_pending: does a signal of the host wait?
            processes: those whose code runs.
            end_turn: ends the turn that goes on.
        """
        self._contended = contended
        self._signal_pending = signal_pending
        self._processes = processes
        self._end_turn = end_turn
        self._active = False
        self._ticks = 0
        self._wakeup = _thread.allocate_lock()
        self._wakeup.acquire()
        self._sleeping = False
        self._started = False
        self._stopped = False

    def begin(self, process: Process) -> None:
        """Guest code of ``process`` starts to run."""
        process.update_clock()
        self._ticks = 0
        self._active = True
        if not self._started:
            self._started = True
            _thread.start_new_thread(self._run, ())
        else:
            self._wake()

    def end(self) -> None:
        """Guest code has stopped."""
        self._active = False

    def stop(self) -> None:
        """The process is over."""
        self._stopped = True
        self._active = False
        self._wake()

    def _wake(self) -> None:
        if self._sleeping:
            self._sleeping = False
            if self._wakeup.locked():  # only this side releases, so it stays locked until we do
                self._wakeup.release()

    def _run(self) -> None:
        while not self._stopped:
            time.sleep(TICK)
            if self._active:
                for process in self._processes():
                    process.update_clock()
                self._ticks += 1
                if self.turn_is_over(self._ticks):
                    self._ticks = 0
                    self._end_turn()
            elif not self._stopped:
                # Between "inactive" and "sleeping" a turn may begin and miss us: look again after saying we sleep.
                self._sleeping = True
                if self._active and self._sleeping:
                    self._sleeping = False
                    continue
                self._wakeup.acquire()

    def turn_is_over(self, ticks: int) -> bool:
        """Should a turn that has lasted ``ticks`` ticks end?"""
        if self._signal_pending() or ticks >= TICKS_ALONE:
            return True
        return ticks >= TICKS_A_SLICE and self._contended()
