"""Hooks: routines of a program that see what its windows are sent, before these do.

Source: Microsoft "Hooks Overview", "SetWindowsHookEx", "CallNextHookEx".
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.kernel.process import Process
    from lswd.kernel.system import System
    from lswd.kernel.thread import Thread

MOST = 1000
_FIRST, _STEP = 0x10061, 0x10000


class Hook:
    """One. ``thread``: whose messages it sees; None for all of its process."""

    __slots__ = ("ansi", "handle", "kind", "process", "routine", "thread")

    def __init__(
        self, handle: int, kind: int, process: Process, thread: Thread | None, routine: int, *, ansi: bool
    ) -> None:
        self.handle = handle
        self.kind = kind
        self.process = process
        self.thread = thread
        self.routine = routine
        self.ansi = ansi

    def sees(self, kind: int, thread: Thread) -> bool:
        """Is it for such events, of this thread?"""
        return self.kind == kind and self.process is thread.process and self.thread in (None, thread)

    def useless(self) -> bool:
        """Nothing will ever reach it again."""
        return self.process.ended or (self.thread is not None and self.thread.terminated)


class Hooks:
    """All of a system, newest first, and which one each thread runs; a part of the System."""

    def __init__(self, system: System) -> None:
        self.all: list[Hook] = []
        self.running: dict[Thread, list[Hook]] = {}
        self._next = _FIRST

    def add(self, kind: int, process: Process, thread: Thread | None, routine: int, *, ansi: bool) -> Hook | None:
        """A new one; None when there are too many."""
        self.all = [hook for hook in self.all if not hook.useless()]
        if len(self.all) >= MOST:
            return None
        hook = Hook(self._next, kind, process, thread, routine, ansi=ansi)
        self._next = self._next + _STEP if self._next < 0x7FFF0000 else _FIRST
        self.all.insert(0, hook)
        return hook

    def find(self, handle: int) -> Hook | None:
        """The hook of a handle."""
        return next((hook for hook in self.all if hook.handle == handle), None)

    def chain(self, kind: int, thread: Thread) -> list[Hook]:
        """Those that see an event of a thread, newest first."""
        return [hook for hook in self.all if hook.sees(kind, thread)] if self.all else []
