"""Notification: who wants to know when a key changes. Source: Microsoft RegNotifyChangeKeyValue, winnt.h."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from lswd.kernel.registry.key import Key

# What changed (REG_NOTIFY_CHANGE_*).
CHANGE_NAME = 1
CHANGE_ATTRIBUTES = 2
CHANGE_LAST_SET = 4
CHANGE_SECURITY = 8


class Watch:
    """A registered interest in a key's changes; ``cancel`` ends it.

    Attributes:
        filter: the CHANGE_* bits asked for.
        subtree: whether changes of the keys below count.
        seen: ``Key.contents()`` at the last call back.
        generation: of the rows at the last comparison.
    """

    __slots__ = ("_key", "callback", "filter", "generation", "seen", "subtree")

    def __init__(self, key: Key, callback: Callable[[int], None], changes: int, subtree: bool) -> None:
        self._key = key
        self.callback = callback
        self.filter = changes
        self.subtree = subtree
        self.seen = key.contents()
        self.generation = key.generation

    def cancel(self) -> None:
        """Call back no more."""
        self._key.unwatch(self)
