"""Waiting for objects and for time to pass.

Source: Microsoft "NtWaitForSingleObject", "NtWaitForMultipleObjects", "SignalObjectAndWait", "NtDelayExecution",
"SwitchToThread".
"""

from __future__ import annotations

from lswd.kernel.event import EVENT_MODIFY_STATE, Event
from lswd.kernel.mutant import Mutant
from lswd.kernel.object import SYNCHRONIZE, Waitable
from lswd.kernel.semaphore import SEMAPHORE_MODIFY_STATE, Semaphore
from lswd.kernel.wait import give_way, park, seconds_until, wait_for
from lswd.nt.declare import Call, Handle, In, syscall
from lswd.ntdef.status import (
    STATUS_INVALID_PARAMETER_1,
    STATUS_INVALID_PARAMETER_3,
    STATUS_INVALID_PARAMETER_MIX,
    STATUS_NO_YIELD_PERFORMED,
    STATUS_OBJECT_TYPE_MISMATCH,
    STATUS_SUCCESS,
    STATUS_TIMEOUT,
    NtError,
)
from lswd.ntdef.types import BOOLEAN, HANDLE, LARGE_INTEGER, NTSTATUS, PVOID, ULONG

MAXIMUM_WAIT_OBJECTS = 64

# WAIT_TYPE (ntdef.h)
WaitAll = 0
WaitAny = 1


@syscall(access={"Handle": SYNCHRONIZE})
async def NtWaitForSingleObject(
    call: Call, Handle: Handle[Waitable], Alertable: BOOLEAN, Timeout: In[LARGE_INTEGER] | None
) -> NTSTATUS:
    return await wait_for(call.thread, [Handle], alertable=bool(Alertable), timeout=Timeout)


@syscall
async def NtWaitForMultipleObjects(
    call: Call,
    Count: ULONG,
    Handles: PVOID,
    WaitType: ULONG,
    Alertable: BOOLEAN,
    Timeout: In[LARGE_INTEGER] | None,
) -> NTSTATUS:
    if not 0 < Count <= MAXIMUM_WAIT_OBJECTS:
        return STATUS_INVALID_PARAMETER_1
    if WaitType not in (WaitAll, WaitAny):
        return STATUS_INVALID_PARAMETER_3
    word = call.word
    data = call.space.read(Handles, Count * word)
    objects: list[Waitable] = []
    for i in range(Count):
        handle = int.from_bytes(data[word * i : word * (i + 1)], "little")
        obj = call.process.handles.get(handle, Waitable, SYNCHRONIZE)
        assert isinstance(obj, Waitable)
        objects.append(obj)
    if WaitType == WaitAll and len(set(objects)) < Count:
        return STATUS_INVALID_PARAMETER_MIX
    return await wait_for(
        call.thread, objects, wait_all=WaitType == WaitAll, alertable=bool(Alertable), timeout=Timeout
    )


@syscall(access={"WaitHandle": SYNCHRONIZE})
async def NtSignalAndWaitForSingleObject(
    call: Call,
    SignalHandle: HANDLE,
    WaitHandle: Handle[Waitable],
    Alertable: BOOLEAN,
    Timeout: In[LARGE_INTEGER] | None,
) -> NTSTATUS:
    """Nobody runs between the signal and the wait."""
    _signal(call, SignalHandle)
    return await wait_for(call.thread, [WaitHandle], alertable=bool(Alertable), timeout=Timeout)


def _signal(call: Call, handle: int) -> None:
    handles = call.process.handles
    obj = handles.get(handle)
    if isinstance(obj, Event):
        handles.get(handle, Event, EVENT_MODIFY_STATE)
        obj.set()
    elif isinstance(obj, Semaphore):
        handles.get(handle, Semaphore, SEMAPHORE_MODIFY_STATE)
        obj.release(1)
    elif isinstance(obj, Mutant):
        handles.get(handle, Mutant, SYNCHRONIZE)
        obj.release(call.thread)
    else:
        raise NtError(STATUS_OBJECT_TYPE_MISMATCH)


@syscall
async def NtDelayExecution(call: Call, Alertable: BOOLEAN, DelayInterval: In[LARGE_INTEGER] | None) -> NTSTATUS:
    """A delay that is over already lets the other threads have their turn; no interval at all is for ever (Wine's
    Sleep(INFINITE))."""
    thread = call.thread
    if seconds_until(DelayInterval) == 0 and not (Alertable and thread.interruptible()):
        if _others_ready(call):
            await give_way(thread)
        return STATUS_SUCCESS
    status = await park(thread, alertable=bool(Alertable), timeout=DelayInterval)
    return STATUS_SUCCESS if status == STATUS_TIMEOUT else status


@syscall
async def NtYieldExecution(call: Call) -> NTSTATUS:
    if not _others_ready(call):
        return STATUS_NO_YIELD_PERFORMED
    await give_way(call.thread)
    return STATUS_SUCCESS


def _others_ready(call: Call) -> bool:
    scheduler = call.process.scheduler
    assert scheduler is not None
    return scheduler.others_ready()
