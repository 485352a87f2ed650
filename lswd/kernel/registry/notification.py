"""Requests to be told when a key changes, and looking after changes that other processes make.

Source: Microsoft "RegNotifyChangeKeyValue", "NtNotifyChangeMultipleKeys".
"""

from __future__ import annotations

from lswd.ntdef.status import STATUS_NOTIFY_CLEANUP, STATUS_NOTIFY_ENUM_DIR

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from lswd.kernel.process import Process
    from lswd.kernel.registry.key import Key
    from lswd.kernel.scheduler import Scheduler
    from lswd.kernel.system import System

_INTERVAL = 0.25  # seconds between looks at the registry's file, while anybody is watching


class KeyNotification:
    """One request: ends with the first change, or when the last handle to the key is closed."""

    __slots__ = ("_done", "_watch", "key")

    def __init__(self, key: Key, changes: int, subtree: bool, done: Callable[[int], None]) -> None:
        """``done`` is called with STATUS_NOTIFY_ENUM_DIR or STATUS_NOTIFY_CLEANUP."""
        self.key = key
        self._done: Callable[[int], None] | None = done
        self._watch = key.watch(lambda what: self.finish(STATUS_NOTIFY_ENUM_DIR), changes, subtree=subtree)

    def finish(self, status: int) -> None:
        """End it, once."""
        done, self._done = self._done, None
        if done is not None:
            self._watch.cancel()
            done(status)

    @property
    def active(self) -> bool:
        return self._done is not None


class _Memory:
    """What has happened to the key behind one handle while no request on it was waiting."""

    __slots__ = ("active", "changed", "entry", "handle", "process", "watch")

    def __init__(self, process: Process, handle: int, key: Key, changes: int, subtree: bool) -> None:
        self.process = process
        self.handle = handle
        self.entry = process.handles.entry(handle)
        self.active: list[KeyNotification] = []
        self.changed = False
        self.watch = key.watch(self._note, changes, subtree=subtree)

    def _note(self, what: int) -> None:
        self.active = [notification for notification in self.active if notification.active]
        self.changed = not self.active

    @property
    def stale(self) -> bool:
        """Has the handle been closed?"""
        return self.process.ended or self.process.handles.entries.get(self.handle & ~3) is not self.entry


class KeyNotifications:
    """All requests of one system; looks at the registry's file every now and then as long as there are any."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._active: list[KeyNotification] = []
        self._memories: dict[tuple[int, int], _Memory] = {}
        self._scheduled = False

    def start(
        self, process: Process, handle: int, key: Key, changes: int, subtree: bool, done: Callable[[int], None]
    ) -> None:
        """A request on ``handle``: ends at once if the key has changed since the last one on the same handle."""
        for place, memory in tuple(self._memories.items()):
            if memory.stale:
                del self._memories[place]
                memory.watch.cancel()
        self._system.registry.poll()
        place = (process.pid, handle & ~3)
        known = self._memories.get(place)
        if known is None:
            known = self._memories[place] = _Memory(process, handle, key, changes, subtree)
        # The memory's watch comes first: it must find the request still waiting.
        notification = KeyNotification(key, changes, subtree, done)
        if known.changed:
            known.changed = False
            notification.finish(STATUS_NOTIFY_ENUM_DIR)
            return
        known.active.append(notification)
        self.add(process.scheduler, notification)

    def add(self, scheduler: Scheduler | None, notification: KeyNotification) -> None:
        """Look after ``notification``; ``scheduler`` is that of the process it belongs to."""
        self._active.append(notification)
        if scheduler is not None and not self._scheduled:
            self._scheduled = True
            scheduler.deadlines.add(_INTERVAL, lambda: self._look(scheduler))

    def _look(self, scheduler: Scheduler) -> None:
        self._scheduled = False
        self._system.registry.poll()
        for notification in tuple(self._active):
            if notification.active and not notification.key.handle_count:
                notification.finish(STATUS_NOTIFY_CLEANUP)
        self._active = [n for n in self._active if n.active]
        if self._active:
            self._scheduled = True
            scheduler.deadlines.add(_INTERVAL, lambda: self._look(scheduler))
