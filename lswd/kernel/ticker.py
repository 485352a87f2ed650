"""A host thread that wakes up while guest code runs: keeps the guest's clock page live, ends turns, notices signals.

It sleeps for good when no guest code runs, so an idle program uses no processor time.
"""

from __future__ import annotations

import _thread
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.kernel.process import Process

TICK = 0.005  # seconds; NT's own clock interrupt comes every 15.6 ms or faster
TICKS_A_SLICE = 2


class Ticker:
    """Started with the first turn; ``begin`` and ``end`` bracket guest execution."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._active = False
        self._shared = False
        self._ticks = 0
        self._wakeup = _thread.allocate_lock()
        self._wakeup.acquire()
        self._sleeping = False
        self._started = False
        self._stopped = False

    def begin(self, *, shared: bool) -> None:
        """Guest code starts to run; ``shared``: others may want the processor."""
        self._process.update_clock()
        self._shared = shared
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
        process = self._process
        while not self._stopped:
            time.sleep(TICK)
            if self._active:
                process.update_clock()
                self._ticks += 1
                if process.signal_pending() or (self._shared and self._ticks >= TICKS_A_SLICE):
                    self._ticks = 0
                    process.engine.interrupt()
            elif not self._stopped:
                # Between "inactive" and "sleeping" a turn may begin and miss us: look again after saying we sleep.
                self._sleeping = True
                if self._active and self._sleeping:
                    self._sleeping = False
                    continue
                self._wakeup.acquire()
