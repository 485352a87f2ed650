"""How a blocking system call leaves its guest's turn, and starting the event loop only for those that need it.

Importing trio costs 150 to 250 ms, and most programs never wait for anything but each other. Blocking handlers are
coroutines: their first step runs at once, inside the engine's hook, and those that can finish do. One that has to wait
suspends itself in one of three ways:

    await parked()       until the kernel itself (an object, a deadline, an alert) makes the thread ready again:
                         kernel.wait.park; needs no event loop
    await IN_USER_MODE   until the thread has returned from code of the guest's: kernel.user_callback
    await event_loop()   to go on as a trio task, where trio's primitives may be used; the scheduler starts trio for
                         the first of these
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Coroutine, Generator
    from typing import Any

    from lswd.kernel.thread import Thread


class Trap:
    """What a coroutine yields to the scheduler; awaiting one suspends the caller's call."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def __await__(self) -> Generator[Any, Any, None]:
        yield self

    def __repr__(self) -> str:
        return self._name


NEEDS_LOOP = Trap("NEEDS_LOOP")
PARKED = Trap("PARKED")
IN_USER_MODE = Trap("IN_USER_MODE")


def event_loop() -> Trap:
    """``await event_loop()``: after this, the handler is a trio task of its own."""
    return NEEDS_LOOP


def parked() -> Trap:
    """``await parked()``: the thread is out of the way until ``Thread.unpark``; see kernel.wait.park."""
    return PARKED


class Continue:
    """Awaiting this in a trio task runs on a coroutine that was started by hand and has yielded ``trap``."""

    def __init__(self, coroutine: Coroutine[Any, Any, Any], trap: object, thread: Thread | None = None) -> None:
        """``thread``: whose blocking call it is, unless it is nobody's (I/O in the background)."""
        self._coroutine = coroutine
        self._trap = trap
        self._thread = thread

    def __await__(self) -> Generator[Any, Any, Any]:
        coroutine, trap, thread = self._coroutine, self._trap, self._thread
        while True:
            error: BaseException | None = None
            value: Any = None
            try:
                if trap is PARKED and thread is not None:
                    yield from _until_unparked(thread)
                elif trap is not NEEDS_LOOP:
                    value = yield trap
            except BaseException as thrown:
                error = thrown
            if thread is not None:
                thread.process.current_thread = thread
            try:
                trap = coroutine.send(value) if error is None else coroutine.throw(error)
            except StopIteration as done:
                return done.value


def _until_unparked(thread: Thread) -> Generator[Any, Any, None]:
    import trio

    park = thread.park
    if park is not None and park.status is None:
        park.event = trio.Event()
        yield from park.event.wait().__await__()
