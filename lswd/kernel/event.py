"""Events: a flag to wait for. Source: Microsoft "Event Objects", "NtCreateEvent", "PulseEvent"."""

from __future__ import annotations

from lswd.kernel.object import Waitable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.kernel.thread import Thread

EVENT_QUERY_STATE = 0x0001
EVENT_MODIFY_STATE = 0x0002
EVENT_ALL_ACCESS = 0x1F0003

# EVENT_TYPE (ntdef.h); timers use the same two kinds.
NotificationEvent = 0
SynchronizationEvent = 1


class Event(Waitable):
    """A notification event (manual reset) or a synchronization event (a wait takes the signal)."""

    type_name = "Event"
    generic = (0x20001, 0x20002, 0x120000, EVENT_ALL_ACCESS)

    def __init__(self, kind: int = NotificationEvent, signalled: bool = False) -> None:
        super().__init__()
        self.kind = kind
        self.signalled = signalled

    def is_signalled(self, thread: Thread) -> bool:
        return self.signalled

    def acquire(self, thread: Thread) -> int:
        if self.kind == SynchronizationEvent:
            self.signalled = False
        return 0

    def set(self) -> int:
        """Signal it; returns whether it was signalled before."""
        previous = int(self.signalled)
        self.signalled = True
        if not previous:
            self.wake()
        return previous

    def reset(self) -> int:
        """Take the signal back; returns whether it was signalled before."""
        previous = int(self.signalled)
        self.signalled = False
        return previous

    def pulse(self) -> int:
        """Let those go who wait now (one, for a synchronization event) and stay unsignalled."""
        previous = self.set()
        self.signalled = False
        return previous
