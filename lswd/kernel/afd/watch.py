"""Waiting for the host's sockets: many operations on one socket, one operation on many sockets, time limits.

There is one epoll. While guest threads run the scheduler looks at it between turns; while none does, a task of the
event loop waits for it. A socket joins it with its first wait and stays, edge-triggered: the host tells of each change
once, everyone concerned has a try, and a condition that nobody can use up costs nothing. An operation tries before it
waits, so no change is lost.
"""

from __future__ import annotations

import select

from lswd.kernel.file import Waiter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from lswd.kernel.afd.endpoint import Socket
    from lswd.kernel.afd.turns import Turns
    from lswd.kernel.deadline import Deadline
    from lswd.kernel.scheduler import Scheduler
    from lswd.kernel.thread import Thread

    class Watched(Protocol):
        """What the host has news of."""

        def fileno(self) -> int: ...
        def on_host_events(self, events: int) -> None: ...

READABLE = select.EPOLLIN
WRITABLE = select.EPOLLOUT
URGENT = select.EPOLLPRI
FAILED = select.EPOLLERR | select.EPOLLHUP


class HostWatch:
    """A system's epoll."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._epoll = select.epoll()
        self._masks: dict[int, int] = {}
        self._sockets: dict[int, Watched] = {}
        self._running = False
        scheduler.sockets = self

    @property
    def waiting(self) -> bool:
        """Is there a socket to look after? May be asked from any host thread."""
        return bool(self._sockets)

    def add(self, socket: Watched, mask: int) -> None:
        """Tell ``socket`` of changes in ``mask``, too; of the state it is in now, at once."""
        fd = socket.fileno()
        known = self._masks.get(fd)
        if known is None:
            self._epoll.register(fd, mask | select.EPOLLET)
        elif mask & ~known:
            self._epoll.modify(fd, known | mask | select.EPOLLET)
        self._masks[fd] = mask | (known or 0)
        self._sockets[fd] = socket
        if not self._running:
            self._running = True
            self._scheduler.start_task(self._run, idle=True)

    def forget(self, socket: Watched) -> None:
        """Its descriptor is about to be closed."""
        fd = socket.fileno()
        if self._masks.pop(fd, None) is not None:
            del self._sockets[fd]
            self._epoll.unregister(fd)

    def look(self) -> bool:
        """Tell the sockets what is new; was anything?"""
        news = self._epoll.poll(0)
        for fd, events in news:
            socket = self._sockets.get(fd)
            if socket is not None:
                socket.on_host_events(events)
        return bool(news)

    async def _run(self) -> None:
        import trio

        try:
            while self._sockets:
                await trio.lowlevel.wait_readable(self._epoll.fileno())
                self.look()
        finally:
            self._running = False


class HostWait:
    """One operation's waiting, with a time limit for all of it. A context manager: the limit ends with it."""

    __slots__ = ("_deadline", "_seconds", "_thread", "_waiter", "expired")

    def __init__(self, thread: Thread, seconds: float | None = None) -> None:
        self._thread = thread
        self._seconds = seconds
        self._deadline: Deadline | None = None
        self._waiter: Waiter | None = None
        self.expired = False

    def __enter__(self) -> HostWait:
        return self

    def __exit__(self, *error: object) -> None:
        if self._deadline is not None:
            scheduler = self._thread.process.scheduler
            assert scheduler is not None
            scheduler.deadlines.cancel(self._deadline)

    def _expire(self) -> None:
        self.expired = True
        self.look_again()

    def look_again(self) -> None:
        """Let the operation that waits try now."""
        if self._waiter is not None:
            fire(self._waiter)

    async def until(self, wants: list[tuple[Socket, int]]) -> None:
        """Wait until one of the sockets may be as wanted (READABLE, ...), something else is news there, or the time is
        up (``expired``). The caller looks itself."""
        scheduler, waiter = self._begin()
        try:
            for socket, mask in wants:
                socket.add_interest(scheduler, waiter, mask)
            await waiter
        finally:
            self._waiter = None
            for socket, _ in wants:
                socket.remove_interest(waiter)

    async def until_turn(self, socket: Socket, turns: Turns, token: object) -> None:
        """Wait until it is the operation's turn, or the time is up. If it is already: until the socket may be ready."""
        if turns.is_first(token):
            await self.until([(socket, turns.mask)])
            return
        _, waiter = self._begin()
        turns.wait(token, waiter)
        try:
            await waiter
        finally:
            self._waiter = None
            turns.wait(token, None)

    def _begin(self) -> tuple[Scheduler, Waiter]:
        scheduler = self._thread.process.scheduler
        assert scheduler is not None
        if self._seconds is not None and self._deadline is None:
            self._deadline = scheduler.deadlines.add(self._seconds, self._expire)
        self._waiter = Waiter()
        return scheduler, self._waiter


def fire(waiter: Waiter) -> None:
    """Let the operation look again."""
    if not waiter.fired:
        waiter.fired = True
        if waiter.go_on is not None:
            waiter.go_on()
