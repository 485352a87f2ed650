"""The guest threads whose code runs by itself, beside the kernel and each other: only parallel engines have any.

Adding, removing and waiting is done on the kernel's host thread.
"""

from __future__ import annotations

import time

from lswd.host.processors import usable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from lswd.cpu.engine import ParallelEngine, ParallelThread
    from lswd.kernel.process import Process
    from lswd.kernel.thread import Thread

_PATROL = 0.02  # seconds between looks after those who do not stop


class Running:
    """See the module's docstring.

    Attributes:
        threads: them; may be looked at from any host thread.
        woken: ``wake`` was called since this was last reset, which is done before looking for what it was called for.
    """

    def __init__(self) -> None:
        self.threads: list[Thread] = []
        self.woken = False
        self._sleeping: ParallelEngine | None = None
        self._patrolled = 0.0
        self._processors = len(usable())

    def add(self, thread: Thread) -> None:
        """Its turn is over, and its code goes on."""
        thread.running = True
        thread.running_since = time.monotonic()
        self.threads.append(thread)

    def remove(self, thread: Thread) -> None:
        """It is looked after again."""
        self._account(thread, time.monotonic())
        thread.running = False
        self.threads.remove(thread)

    def _account(self, thread: Thread, now: float) -> None:
        """Note how long it has run: Linux gives each its share of the processors."""
        seconds = (now - thread.running_since) * min(1.0, self._processors / len(self.threads))
        thread.running_since = now
        thread.cpu_seconds += seconds
        thread.process.cpu_seconds += seconds

    def end(self, process: Process) -> None:
        """None of a process's threads runs again."""
        mine = [thread for thread in self.threads if thread.process is process]
        if mine:
            _engine(mine[0]).halt()
        for thread in mine:
            self.remove(thread)
            thread.stands_still()

    def stopped(self) -> list[Thread]:
        """Those whose code has stopped since."""
        return [thread for thread in self.threads if _cpu(thread).stopped()]

    def wait(self, seconds: float | None, most: float = _PATROL) -> None:
        """Until one has stopped, or ``wake``, but no longer than ``seconds`` nor ``most``."""
        threads = [_cpu(thread) for thread in self.threads]
        engine = self._sleeping = _engine(self.threads[0])
        try:
            if not self.woken:
                engine.wait_any(threads, most if seconds is None else min(seconds, most))
        finally:
            self._sleeping = None
        now = time.monotonic()
        if now - self._patrolled > _PATROL:
            self._patrolled = now
            self._patrol(now)

    def _patrol(self, now: float) -> None:
        from lswd.cpu.engine import GuestLost
        from lswd.ntdef.status import STATUS_UNSUCCESSFUL

        for thread in tuple(self.threads):
            if thread.running:
                self._account(thread, now)
                try:
                    _cpu(thread).check()
                except GuestLost as error:
                    thread.process.fail(STATUS_UNSUCCESSFUL, str(error))

    def wake(self) -> None:
        """End ``wait``, or the next one; from any host thread."""
        self.woken = True
        engine = self._sleeping
        if engine is not None:
            engine.wake()


def _engine(thread: Thread) -> ParallelEngine:
    engine: Any = thread.process.engine
    return engine  # type: ignore[no-any-return]


def _cpu(thread: Thread) -> ParallelThread:
    cpu: Any = thread.cpu
    return cpu  # type: ignore[no-any-return]
