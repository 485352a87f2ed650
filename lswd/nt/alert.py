"""Alerts and user APCs.

Source: Microsoft "QueueUserAPC", "Asynchronous Procedure Calls"; Windows Internals, "Address-based waits".
"""

from __future__ import annotations

from lswd.kernel.alert import alert, alert_by_id, wait_for_alert_by_id
from lswd.kernel.apc import UserApc, queue_user_apc
from lswd.kernel.object import KernelObject
from lswd.kernel.thread import (
    THREAD_ALERT,
    THREAD_SET_CONTEXT,
    THREAD_SUSPEND_RESUME,
    Thread,
)
from lswd.kernel.wait import give_way
from lswd.nt.declare import Call, Handle, In, Out, syscall
from lswd.ntdef.status import (
    STATUS_ALERTED,
    STATUS_INVALID_CID,
    STATUS_INVALID_HANDLE,
    STATUS_NO_MEMORY,
    STATUS_SUCCESS,
    STATUS_UNSUCCESSFUL,
)
from lswd.ntdef.types import HANDLE, LARGE_INTEGER, NTSTATUS, PVOID, ULONG

_MAXIMUM_APCS = 1 << 20  # in one thread's queue


@syscall
def NtAlertThreadByThreadId(call: Call, ThreadId: HANDLE) -> NTSTATUS:
    thread = call.process.find_thread(ThreadId)
    if thread is None:
        return STATUS_INVALID_CID
    alert_by_id(thread)
    return STATUS_SUCCESS


@syscall
async def NtWaitForAlertByThreadId(call: Call, Address: PVOID, Timeout: In[LARGE_INTEGER] | None) -> NTSTATUS:
    """``Address`` is a hint for debuggers."""
    return await wait_for_alert_by_id(call.thread, Timeout)


@syscall(access={"ThreadHandle": THREAD_ALERT})
def NtAlertThread(call: Call, ThreadHandle: Handle[Thread]) -> NTSTATUS:
    alert(ThreadHandle)
    return STATUS_SUCCESS


@syscall(access={"ThreadHandle": THREAD_SUSPEND_RESUME})
def NtAlertResumeThread(
    call: Call, ThreadHandle: Handle[Thread], PreviousSuspendCount: Out[ULONG] | None
) -> NTSTATUS:
    alert(ThreadHandle)
    previous = ThreadHandle.resume()
    if PreviousSuspendCount is not None:
        PreviousSuspendCount.set(previous)
    return STATUS_SUCCESS


@syscall
async def NtTestAlert(call: Call) -> NTSTATUS:
    """Run what is queued: the APCs run before the caller goes on."""
    thread = call.thread
    if thread.alerted:
        thread.alerted = False
        return STATUS_ALERTED
    if thread.user_apcs:
        thread.apc_due = True
        await give_way(thread)
    return STATUS_SUCCESS


def _queue(thread: Thread, routine: int, arguments: tuple[int, int, int]) -> int:
    if thread.terminated:
        return STATUS_UNSUCCESSFUL
    if len(thread.user_apcs) >= _MAXIMUM_APCS:
        return STATUS_NO_MEMORY
    queue_user_apc(thread, UserApc(routine, *arguments))
    return STATUS_SUCCESS


@syscall(access={"ThreadHandle": THREAD_SET_CONTEXT})
def NtQueueApcThread(
    call: Call,
    ThreadHandle: Handle[Thread],
    ApcRoutine: PVOID,
    ApcArgument1: PVOID,
    ApcArgument2: PVOID,
    ApcArgument3: PVOID,
) -> NTSTATUS:
    return _queue(ThreadHandle, ApcRoutine, (ApcArgument1, ApcArgument2, ApcArgument3))


@syscall(access={"ThreadHandle": THREAD_SET_CONTEXT}, partial="neither reserve objects nor special user APCs")
def NtQueueApcThreadEx(
    call: Call,
    ThreadHandle: Handle[Thread],
    UserApcReserveHandle: Handle[KernelObject] | None,
    ApcRoutine: PVOID,
    ApcArgument1: PVOID,
    ApcArgument2: PVOID,
    ApcArgument3: PVOID,
) -> NTSTATUS:
    if UserApcReserveHandle is not None:
        return STATUS_INVALID_HANDLE
    return _queue(ThreadHandle, ApcRoutine, (ApcArgument1, ApcArgument2, ApcArgument3))
