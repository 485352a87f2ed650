"""Waiting for dispatcher objects: one, any of several, or all of several at once.

A wait that cannot be satisfied at once puts a block in every object's list; an object whose state changes lets its
waiters try in order. "All" is atomic: nothing is taken until everything can be.
Source: Microsoft "NtWaitForMultipleObjects", KeWaitForMultipleObjects.
"""

from __future__ import annotations

import time

from lswd.kernel.loop import event_loop
from lswd.kernel.object import Waitable
from lswd.ntdef.status import (
    STATUS_ABANDONED_WAIT_0,
    STATUS_ALERTED,
    STATUS_TIMEOUT,
    STATUS_USER_APC,
    STATUS_WAIT_0,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.kernel.thread import Thread

EPOCH_DIFFERENCE = 116444736000000000  # 100 ns units from 1601-01-01 to 1970-01-01


def system_time() -> int:
    """Now as NT counts it: 100 ns units since 1601, UTC."""
    return time.time_ns() // 100 + EPOCH_DIFFERENCE


def seconds_until(timeout: int | None) -> float | None:
    """NT timeout (negative: relative, else absolute, 100 ns) to seconds from now; None waits for ever."""
    if timeout is None:
        return None
    if timeout < 0:
        return -timeout / 1e7
    return max(0.0, (timeout - system_time()) / 1e7)


class WaitBlock:
    """One object's part in a wait."""

    __slots__ = ("object", "wait")

    def __init__(self, wait: Wait, obj: Waitable) -> None:
        self.wait = wait
        self.object = obj


class Wait:
    """A thread waiting for objects."""

    __slots__ = ("blocks", "objects", "thread", "wait_all")

    def __init__(self, thread: Thread, objects: list[Waitable], wait_all: bool) -> None:
        self.thread = thread
        self.objects = objects
        self.wait_all = wait_all
        self.blocks: list[WaitBlock] = []

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
            self.remove()
            self.thread.unpark(status)

    def enqueue(self) -> None:
        for obj in dict.fromkeys(self.objects):
            block = WaitBlock(self, obj)
            obj.wait_blocks.append(block)
            self.blocks.append(block)

    def remove(self) -> None:
        for block in self.blocks:
            if block in block.object.wait_blocks:
                block.object.wait_blocks.remove(block)
        self.blocks.clear()


async def wait_for(
    thread: Thread, objects: list[Waitable], *, wait_all: bool = False, alertable: bool = False, timeout: int | None
) -> int:
    """Wait as NtWaitForMultipleObjects does.

    Args:
        timeout: NT's: negative relative, positive absolute, in 100 ns; 0 polls; None for ever.

    Returns:
        STATUS_WAIT_0 + index, STATUS_ABANDONED_WAIT_0 + index, STATUS_TIMEOUT, STATUS_USER_APC or STATUS_ALERTED.
    """
    wait = Wait(thread, objects, wait_all)
    status = wait.take()
    if status is not None:
        return status
    if alertable:
        interruption = pending_interruption(thread)
        if interruption:
            return interruption
    if timeout == 0:
        return STATUS_TIMEOUT
    wait.enqueue()
    try:
        return await park(thread, alertable=alertable, timeout=timeout)
    finally:
        wait.remove()


def pending_interruption(thread: Thread) -> int:
    """STATUS_ALERTED or STATUS_USER_APC when an alertable wait would end at once, else 0."""
    if thread.alerted:
        thread.alerted = False
        return STATUS_ALERTED
    return STATUS_USER_APC if thread.user_apcs else 0


async def park(thread: Thread, *, alertable: bool = False, timeout: int | None) -> int:
    """Suspend the calling thread until ``thread.unpark(status)``, a timeout, or (alertable) an APC or alert.

    Returns:
        The status given to ``unpark``, or STATUS_TIMEOUT.
    """
    await event_loop()
    import trio

    seconds = seconds_until(timeout)
    thread.begin_park(trio.Event(), alertable)
    try:
        with trio.move_on_after(float("inf") if seconds is None else seconds):
            await thread.parked_event.wait()
        return STATUS_TIMEOUT if thread.park_status is None else thread.park_status
    finally:
        thread.end_park()


__all__ = ["STATUS_ABANDONED_WAIT_0", "Wait", "WaitBlock", "park", "seconds_until", "system_time", "wait_for"]
