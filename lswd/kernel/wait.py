"""Waiting for dispatcher objects: one, any of several, or all of several at once.

A wait that cannot be satisfied at once joins the list of waiters of every object; an object whose state changes lets
its waiters try in order. "All" is atomic: nothing is taken until everything can be. A wait that is over, for whatever
reason, has left all lists before anything else happens, so no signal is spent on a thread that no longer wants it.
Source: Microsoft "NtWaitForMultipleObjects", KeWaitForMultipleObjects.
"""

from __future__ import annotations

import time

from lswd.kernel.deadline import FOREVER
from lswd.kernel.loop import parked
from lswd.ntdef.status import STATUS_SUCCESS, STATUS_TIMEOUT, STATUS_WAIT_0

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from lswd.kernel.object import Waitable
    from lswd.kernel.thread import Thread

EPOCH_DIFFERENCE = 116444736000000000  # 100 ns units from 1601-01-01 to 1970-01-01


def system_time() -> int:
    """Now as NT counts it: 100 ns units since 1601, UTC."""
    return time.time_ns() // 100 + EPOCH_DIFFERENCE


def seconds_until(timeout: int | None) -> float | None:
    """NT timeout (negative: relative, else absolute, 100 ns) to seconds from now; None waits for ever."""
    if timeout is None:
        return None
    seconds = -timeout / 1e7 if timeout < 0 else max(0.0, (timeout - system_time()) / 1e7)
    return seconds if seconds < FOREVER else None


def _nothing() -> None:
    pass


class Park:
    """A thread's being out of the way.

    Attributes:
        status: what ended it, or None so far.
        alertable: an APC or an alert ends it.
        event: what wakes the thread's trio task, when it has one.
    """

    __slots__ = ("_withdraw", "alertable", "event", "status")

    def __init__(self, alertable: bool, withdraw: Callable[[], None]) -> None:
        self.alertable = alertable
        self._withdraw = withdraw
        self.status: int | None = None
        self.event: Any = None

    def withdraw(self) -> None:
        """Take the thread off every list on which somebody might look for it; only the first time counts."""
        withdraw, self._withdraw = self._withdraw, _nothing
        withdraw()


async def park(
    thread: Thread, *, alertable: bool = False, timeout: int | None = None, withdraw: Callable[[], None] = _nothing
) -> int:
    """Suspend the calling thread until ``thread.unpark(status)``, a timeout, or (alertable) an APC or alert.

    The call leaves its guest's turn even when it is interrupted at once: the scheduler delivers APCs.

    Args:
        timeout: NT's: negative relative, positive absolute, in 100 ns; None for ever.
        withdraw: called the moment the park is over, before the thread runs, or when the thread is ended.

    Returns:
        The status given to ``unpark``, STATUS_TIMEOUT, STATUS_USER_APC or STATUS_ALERTED.
    """
    here = thread.park = Park(alertable, withdraw)
    scheduler = thread.process.scheduler
    assert scheduler is not None
    deadline = None
    try:
        if alertable:
            thread.interrupt_park()
        seconds = seconds_until(timeout)
        if here.status is None and seconds is not None:
            deadline = scheduler.deadlines.add(seconds, lambda: thread.unpark(STATUS_TIMEOUT))
        await parked()
        assert here.status is not None
        return here.status
    finally:
        thread.park = None
        if deadline is not None:
            scheduler.deadlines.cancel(deadline)
        if here.status is None:
            here.withdraw()


async def give_way(thread: Thread) -> None:
    """Let every other thread that is ready have its turn first."""
    thread.park = Park(False, _nothing)
    thread.unpark(STATUS_SUCCESS)
    try:
        await parked()
    finally:
        thread.park = None


async def leave_turn(thread: Thread) -> None:
    """Go on outside guest code, before any other thread runs: for looking at other threads' processors."""
    here = thread.park = Park(False, _nothing)
    here.status = STATUS_SUCCESS
    assert thread.process.scheduler is not None
    thread.process.scheduler.make_next(thread)
    try:
        await parked()
    finally:
        thread.park = None


class StandingStill:
    """``async with StandingStill(thread, others):`` none of ``others`` runs guest code meanwhile.

    ``thread``, whose system call it is, waits for that outside guest code; it is none of the others.
    """

    __slots__ = ("_others", "_thread")

    def __init__(self, thread: Thread, others: Iterable[Thread]) -> None:
        self._thread = thread
        self._others = tuple(others)

    async def __aenter__(self) -> None:
        thread = self._thread
        for other in self._others:
            other.holders += 1
        try:
            if self._others and not all(t.process.engine.parallel for t in (thread, *self._others)):
                await leave_turn(thread)
            for other in self._others:
                if other.running:
                    other.cpu.interrupt()
            for other in self._others:
                while other.running:
                    other.watchers.append(thread)
                    await park(thread, withdraw=lambda other=other: _remove(other.watchers, thread))  # type: ignore[misc]
        except BaseException:
            self._release()
            raise

    async def __aexit__(self, *error: object) -> None:
        self._release()

    def _release(self) -> None:
        for other in self._others:
            other.holders -= 1
            other.go_on()


def _remove(threads: list[Thread], thread: Thread) -> None:
    if thread in threads:
        threads.remove(thread)


class Wait:
    """A thread waiting for objects."""

    __slots__ = ("_queued", "objects", "thread", "wait_all")

    def __init__(self, thread: Thread, objects: list[Waitable], wait_all: bool) -> None:
        self.thread = thread
        self.objects = objects
        self.wait_all = wait_all
        self._queued: list[Waitable] = []

    def take(self) -> int | None:
        """Take what is there: the wait's status, or None when it is not satisfied yet."""
        thread = self.thread
        if self.wait_all:
            if not all(o.is_signalled(thread) for o in self.objects):
                return None
            results = [o.acquire(thread) for o in self.objects]
            return next((r for r in results if r), STATUS_WAIT_0)
        for i, obj in enumerate(self.objects):
            if obj.is_signalled(thread):
                return i + obj.acquire(thread)  # STATUS_ABANDONED_WAIT_0 + i for an abandoned mutant
        return None

    def try_satisfy(self) -> None:
        """Called by an object whose state changed."""
        status = self.take()
        if status is not None:
            self.thread.unpark(status)

    def enqueue(self) -> None:
        """Join the objects' waiters, behind those already there."""
        self._queued = list(dict.fromkeys(self.objects))
        for obj in self._queued:
            obj.waits[self] = None

    def remove(self) -> None:
        """Leave them."""
        for obj in self._queued:
            obj.waits.pop(self, None)
        self._queued.clear()


def sockets_have_news(thread: Thread) -> bool:
    """Who only asks does not leave its turn, after which the sockets are looked at: is there anything?"""
    scheduler = thread.process.scheduler
    return scheduler is not None and scheduler.look_at_sockets()


async def wait_for(
    thread: Thread, objects: list[Waitable], *, wait_all: bool = False, alertable: bool = False, timeout: int | None
) -> int:
    """Wait as NtWaitForMultipleObjects does.

    Args:
        timeout: NT's: negative relative, positive absolute, in 100 ns; 0 polls; None for ever.

    Returns:
        STATUS_WAIT_0 + index, STATUS_ABANDONED_WAIT_0 + index, STATUS_TIMEOUT, STATUS_USER_APC or STATUS_ALERTED.

    Raises:
        NtError: what an object's ``acquire`` raises.
    """
    wait = Wait(thread, objects, wait_all)
    status = wait.take()
    if status is None and timeout == 0 and sockets_have_news(thread):
        status = wait.take()
    if status is not None:
        return status
    if timeout == 0 and not (alertable and thread.interruptible()):
        return STATUS_TIMEOUT
    wait.enqueue()
    return await park(thread, alertable=alertable, timeout=timeout, withdraw=wait.remove)
