"""The clock fields of KUSER_SHARED_DATA, which guest code reads without a system call, at any moment.

Other processors look while a time is being written, so a field is written as NT does it: its second high part first,
its first high part last, each part by a single store (struct.pack_into clears what it writes first, so that a reader
may find zeros). Who finds both high parts alike has a time that was.
Source: ntddk.h KUSER_SHARED_DATA, KSYSTEM_TIME; Microsoft "KeQueryTickCount" reads them so.
"""

from __future__ import annotations

import _thread
import time

from lswd.kernel.environment_block import KUSER_SHARED_DATA as K
from lswd.kernel.wait import system_time

_LOW = 0xFFFFFFFF
_TICK = 10000  # 100 ns units


class Clock:
    """InterruptTime, SystemTime and TickCount of one process."""

    def __init__(self, page: memoryview) -> None:
        """
        Args:
            page: KUSER_SHARED_DATA.
        """
        self._words = page.cast("I")
        self._quads = page.cast("Q")
        self._writing = _thread.allocate_lock()
        self.update()

    def update(self) -> None:
        """Write the time that it is; from any host thread. While one does, others need not, and must not: their time
        would be an older one."""
        if not self._writing.acquire(False):
            return
        try:
            words, quads = self._words, self._quads
            interrupt, now = time.monotonic_ns() // 100, system_time()
            words[(K.InterruptTime >> 2) + 2] = interrupt >> 32
            quads[K.InterruptTime >> 3] = interrupt
            words[(K.SystemTime >> 2) + 2] = now >> 32
            words[K.SystemTime >> 2] = now & _LOW
            words[(K.SystemTime >> 2) + 1] = now >> 32
            ticks = interrupt // _TICK
            words[(K.TickCount >> 2) + 2] = ticks >> 32
            quads[K.TickCount >> 3] = ticks
        finally:
            self._writing.release()
