"""Alerts: NT's nudges from thread to thread.

Two kinds that have nothing to do with each other: an alert proper ends an alertable wait; an alert by thread identifier
is what ntdll builds SRW locks, condition variables, critical sections and WaitOnAddress on. Both are remembered (once)
until somebody waits for them.
Source: Windows Internals, "Address-based waits"; Microsoft "NtTestAlert".
"""

from __future__ import annotations

from lswd.kernel.wait import park
from lswd.ntdef.status import STATUS_ALERTED, STATUS_TIMEOUT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.kernel.thread import Thread


def alert(thread: Thread) -> None:
    """End the thread's alertable wait, or its next one."""
    thread.alerted = True
    thread.interrupt_park()


def alert_by_id(thread: Thread) -> None:
    """Let ``wait_for_alert_by_id`` return, or the next one."""
    if thread.waits_for_alert_by_id:
        thread.unpark(STATUS_ALERTED)
    else:
        thread.alert_by_id = True


async def wait_for_alert_by_id(thread: Thread, timeout: int | None) -> int:
    """Wait for somebody's ``alert_by_id``; returns STATUS_ALERTED or STATUS_TIMEOUT."""
    if thread.alert_by_id:
        thread.alert_by_id = False
        return STATUS_ALERTED
    if timeout == 0:
        return STATUS_TIMEOUT

    def withdraw() -> None:
        thread.waits_for_alert_by_id = False

    thread.waits_for_alert_by_id = True
    return await park(thread, timeout=timeout, withdraw=withdraw)
