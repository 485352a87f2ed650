"""Waitable timers: signalled at a time, once or periodically, with an APC for the thread that set them if it likes.

Source: Microsoft "Waitable Timer Objects", "NtSetTimer", "NtQueryTimer".
"""

from __future__ import annotations

from lswd.kernel.apc import UserApc, queue_user_apc
from lswd.kernel.deadline import FOREVER
from lswd.kernel.event import SynchronizationEvent
from lswd.kernel.object import Waitable
from lswd.kernel.wait import seconds_until, system_time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.kernel.deadline import Deadline, Deadlines
    from lswd.kernel.thread import Thread

TIMER_QUERY_STATE = 0x0001
TIMER_MODIFY_STATE = 0x0002
TIMER_ALL_ACCESS = 0x1F0003


class Timer(Waitable):
    """See the module's docstring."""

    type_name = "Timer"
    generic = (0x20001, 0x20002, 0x120000, TIMER_ALL_ACCESS)

    def __init__(self, deadlines: Deadlines, kind: int) -> None:
        """``kind``: NotificationEvent or SynchronizationEvent."""
        super().__init__()
        self.kind = kind
        self.signalled = False
        self._deadlines = deadlines
        self._deadline: Deadline | None = None
        self._due = deadlines.now()
        self._period = 0.0
        self._thread: Thread | None = None
        self._routine = (0, 0)
        self._apc: UserApc | None = None

    def is_signalled(self, thread: Thread) -> bool:
        return self.signalled

    def acquire(self, thread: Thread) -> int:
        if self.kind == SynchronizationEvent:
            self.signalled = False
        return 0

    def set(self, due: int, period: int, thread: Thread, routine: int, context: int) -> bool:
        """Start it anew, unsignalled.

        Args:
            due: NT time: negative relative, else absolute, in 100 ns.
            period: milliseconds between further signals; 0 for one only.
            thread: gets the APC ``routine(context, time low, time high)`` unless ``routine`` is 0.

        Returns:
            Whether it was signalled before.
        """
        previous = self.signalled
        self.cancel()
        self.signalled = False
        self._period = period / 1000
        self._thread = thread if routine else None
        self._routine = (routine, context)
        seconds = seconds_until(due)
        self._due = self._deadlines.now() + (FOREVER if seconds is None else seconds)
        if seconds is not None:
            self._deadline = self._deadlines.add_at(self._due, self._expired)
        return previous

    def cancel(self) -> bool:
        """Stop it, as it is, with the APC that may be on its way; returns whether it is signalled."""
        if self._deadline is not None:
            self._deadlines.cancel(self._deadline)
            self._deadline = None
        if self._apc is not None and self._thread is not None and self._apc in self._thread.user_apcs:
            self._thread.user_apcs.remove(self._apc)
        self._apc = None
        return self.signalled

    def remaining(self) -> int:
        """Until it is due, in 100 ns; negative after that."""
        return round((self._due - self._deadlines.now()) * 1e7)

    def _expired(self) -> None:
        self._deadline = None
        if self._period:
            # The beat is kept; beats that were missed are not made up for.
            late = self._deadlines.now() - self._due
            self._due += late - late % self._period + self._period
            self._deadline = self._deadlines.add_at(self._due, self._expired)
        self.signalled = True
        self.wake()
        thread = self._thread
        now = system_time()
        if thread is not None and not thread.terminated and (self._apc is None or self._apc not in thread.user_apcs):
            routine, context = self._routine
            self._apc = UserApc(routine, context, now & 0xFFFFFFFF, now >> 32)
            queue_user_apc(thread, self._apc)

    def on_last_handle(self) -> None:
        super().on_last_handle()
        if not self.waits:
            self.cancel()
