"""Keyed events: a meeting place for one waiter and one releaser of the same key; neither leaves before the other came.

Source: NtWaitForKeyedEvent and NtReleaseKeyedEvent as Windows Internals describes them ("Keyed Events").
"""

from __future__ import annotations

from lswd.kernel.object import KernelObject
from lswd.kernel.wait import park
from lswd.ntdef.status import STATUS_SUCCESS, STATUS_TIMEOUT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeAlias

    from lswd.kernel.process import Process
    from lswd.kernel.thread import Thread

    # Keys are addresses, so each process has its own.
    Key: TypeAlias = tuple[Process, int]

KEYEDEVENT_WAIT = 0x0001
KEYEDEVENT_WAKE = 0x0002
KEYEDEVENT_ALL_ACCESS = 0xF0003


class KeyedEvent(KernelObject):
    """See the module's docstring."""

    type_name = "KeyedEvent"
    generic = (0x20001, 0x20002, 0x20000, KEYEDEVENT_ALL_ACCESS)

    def __init__(self) -> None:
        super().__init__()
        self._waiters: dict[Key, list[Thread]] = {}
        self._releasers: dict[Key, list[Thread]] = {}

    async def wait(self, thread: Thread, key: int, *, alertable: bool, timeout: int | None) -> int:
        """Wait for somebody to release ``key``.

        Returns:
            STATUS_SUCCESS, STATUS_TIMEOUT, STATUS_USER_APC or STATUS_ALERTED.
        """
        return await _meet(thread, key, self._waiters, self._releasers, alertable, timeout)

    async def release(self, thread: Thread, key: int, *, alertable: bool, timeout: int | None) -> int:
        """Release one who waits for ``key``, now or later; returns as ``wait`` does."""
        return await _meet(thread, key, self._releasers, self._waiters, alertable, timeout)


async def _meet(
    thread: Thread,
    value: int,
    ours: dict[Key, list[Thread]],
    theirs: dict[Key, list[Thread]],
    alertable: bool,
    timeout: int | None,
) -> int:
    key = (thread.process, value)
    partners = theirs.get(key)
    if partners:
        partners[0].unpark(STATUS_SUCCESS)  # withdraws it from the list
        return STATUS_SUCCESS
    if timeout == 0 and not (alertable and thread.interruptible()):
        return STATUS_TIMEOUT
    queue = ours.setdefault(key, [])
    queue.append(thread)

    def withdraw() -> None:
        queue.remove(thread)
        if not queue:
            del ours[key]

    return await park(thread, alertable=alertable, timeout=timeout, withdraw=withdraw)
