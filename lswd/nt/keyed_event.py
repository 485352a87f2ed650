"""Keyed events. Source: Windows Internals, "Keyed Events"; ntdll's use of them."""

from __future__ import annotations

from lswd.kernel.keyed_event import KEYEDEVENT_WAIT, KEYEDEVENT_WAKE, KeyedEvent
from lswd.nt.declare import Call, Handle, In, ObjectAttributes, Out, syscall
from lswd.nt.named_object import create_object, open_object
from lswd.ntdef.status import STATUS_INVALID_PARAMETER_1, STATUS_INVALID_PARAMETER_4
from lswd.ntdef.types import ACCESS_MASK, BOOLEAN, HANDLE, LARGE_INTEGER, NTSTATUS, PVOID, ULONG

# What NT keeps for waits without a handle.
_DEFAULT = "CritSecOutOfMemoryEvent"


def _default(call: Call) -> KeyedEvent:
    directory = call.process.system.namespace.directory("\\KernelObjects")
    found = directory.find(_DEFAULT)
    if found is None:
        found = KeyedEvent()
        found.permanent = True
        directory.insert(_DEFAULT, found)
    assert isinstance(found, KeyedEvent)
    return found


@syscall
def NtCreateKeyedEvent(
    call: Call,
    KeyedEventHandle: Out[HANDLE],
    DesiredAccess: ACCESS_MASK,
    ObjectAttributes: ObjectAttributes | None,
    Flags: ULONG,
) -> NTSTATUS:
    if Flags:
        return STATUS_INVALID_PARAMETER_4
    return create_object(call, KeyedEventHandle, ObjectAttributes, DesiredAccess, KeyedEvent, KeyedEvent)


@syscall
def NtOpenKeyedEvent(
    call: Call, KeyedEventHandle: Out[HANDLE], DesiredAccess: ACCESS_MASK, ObjectAttributes: ObjectAttributes | None
) -> NTSTATUS:
    return open_object(call, KeyedEventHandle, ObjectAttributes, DesiredAccess, KeyedEvent)


@syscall(access={"KeyedEventHandle": KEYEDEVENT_WAIT})
async def NtWaitForKeyedEvent(
    call: Call,
    KeyedEventHandle: Handle[KeyedEvent] | None,
    KeyValue: PVOID,
    Alertable: BOOLEAN,
    Timeout: In[LARGE_INTEGER] | None,
) -> NTSTATUS:
    if KeyValue & 1:
        return STATUS_INVALID_PARAMETER_1
    event = KeyedEventHandle or _default(call)
    return await event.wait(call.thread, KeyValue, alertable=bool(Alertable), timeout=Timeout)


@syscall(access={"KeyedEventHandle": KEYEDEVENT_WAKE})
async def NtReleaseKeyedEvent(
    call: Call,
    KeyedEventHandle: Handle[KeyedEvent] | None,
    KeyValue: PVOID,
    Alertable: BOOLEAN,
    Timeout: In[LARGE_INTEGER] | None,
) -> NTSTATUS:
    if KeyValue & 1:
        return STATUS_INVALID_PARAMETER_1
    event = KeyedEventHandle or _default(call)
    return await event.release(call.thread, KeyValue, alertable=bool(Alertable), timeout=Timeout)
