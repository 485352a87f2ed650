"""Starting the event loop only when something must wait.

Importing trio costs 200 ms, and most programs that print and exit never wait for anything. Blocking handlers are
coroutines: their first step runs at once, outside any loop, and those that can finish do. One that has to wait first
does ``await event_loop()``; without a loop that suspends it, the scheduler starts trio, and the same coroutine goes on
inside.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Coroutine, Generator
    from typing import Any

running = False  # is trio running in this (one) host thread? Set by kernel.scheduler.


class _NeedsLoop:
    """What a coroutine yields to ask for the loop."""


NEEDS_LOOP = _NeedsLoop()


class _Ask:
    def __await__(self) -> Generator[Any, Any, None]:
        if not running:
            yield NEEDS_LOOP


def event_loop() -> _Ask:
    """``await event_loop()``: after this, trio's primitives may be used."""
    return _Ask()


class Continue:
    """Awaiting this runs on a coroutine that has been started by hand and has yielded ``trap``."""

    def __init__(self, coroutine: Coroutine[Any, Any, int], trap: object) -> None:
        self._coroutine = coroutine
        self._trap = trap

    def __await__(self) -> Generator[Any, Any, int]:
        coroutine, trap = self._coroutine, self._trap
        if trap is NEEDS_LOOP:
            try:
                trap = coroutine.send(None)
            except StopIteration as done:
                return int(done.value)
        while True:
            try:
                value = yield trap
            except BaseException as error:
                step = lambda e=error: coroutine.throw(e)  # noqa: E731
            else:
                step = lambda v=value: coroutine.send(v)  # noqa: E731
            try:
                trap = step()
            except StopIteration as done:
                return int(done.value)
