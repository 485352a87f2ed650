"""Events. Source: Microsoft "NtCreateEvent", "NtOpenEvent", "NtSetEvent", "NtQueryEvent" and their kin."""

from __future__ import annotations

from lswd.kernel.event import EVENT_MODIFY_STATE, EVENT_QUERY_STATE, Event, NotificationEvent, SynchronizationEvent
from lswd.nt.declare import Call, Handle, ObjectAttributes, Out, syscall
from lswd.nt.information import QueryTable
from lswd.nt.named_object import create_object, open_object
from lswd.ntdef.status import STATUS_INVALID_PARAMETER, STATUS_SUCCESS
from lswd.ntdef.types import ACCESS_MASK, BOOLEAN, HANDLE, LONG, NTSTATUS, PVOID, ULONG, Struct

EventBasicInformation = 0

QUERY = QueryTable(exact=True)


class EVENT_BASIC_INFORMATION(Struct):
    EventType: ULONG
    EventState: LONG


@syscall
def NtCreateEvent(
    call: Call,
    EventHandle: Out[HANDLE],
    DesiredAccess: ACCESS_MASK,
    ObjectAttributes: ObjectAttributes | None,
    EventType: ULONG,
    InitialState: BOOLEAN,
) -> NTSTATUS:
    if EventType not in (NotificationEvent, SynchronizationEvent):
        return STATUS_INVALID_PARAMETER
    return create_object(
        call, EventHandle, ObjectAttributes, DesiredAccess, Event, lambda: Event(EventType, bool(InitialState))
    )


@syscall
def NtOpenEvent(
    call: Call, EventHandle: Out[HANDLE], DesiredAccess: ACCESS_MASK, ObjectAttributes: ObjectAttributes | None
) -> NTSTATUS:
    return open_object(call, EventHandle, ObjectAttributes, DesiredAccess, Event)


@syscall(access={"EventHandle": EVENT_MODIFY_STATE})
def NtSetEvent(call: Call, EventHandle: Handle[Event], PreviousState: Out[LONG] | None) -> NTSTATUS:
    previous = EventHandle.set()
    if PreviousState is not None:
        PreviousState.set(previous)
    return STATUS_SUCCESS


@syscall(access={"EventHandle": EVENT_MODIFY_STATE})
def NtResetEvent(call: Call, EventHandle: Handle[Event], PreviousState: Out[LONG] | None) -> NTSTATUS:
    previous = EventHandle.reset()
    if PreviousState is not None:
        PreviousState.set(previous)
    return STATUS_SUCCESS


@syscall(access={"EventHandle": EVENT_MODIFY_STATE})
def NtClearEvent(call: Call, EventHandle: Handle[Event]) -> NTSTATUS:
    EventHandle.reset()
    return STATUS_SUCCESS


@syscall(access={"EventHandle": EVENT_MODIFY_STATE})
def NtPulseEvent(call: Call, EventHandle: Handle[Event], PreviousState: Out[LONG] | None) -> NTSTATUS:
    previous = EventHandle.pulse()
    if PreviousState is not None:
        PreviousState.set(previous)
    return STATUS_SUCCESS


@QUERY.answers(EventBasicInformation)
def _basic(call: Call, event: Event, address: int) -> Struct:
    return EVENT_BASIC_INFORMATION(EventType=event.kind, EventState=int(event.signalled))


@syscall(access={"EventHandle": EVENT_QUERY_STATE})
def NtQueryEvent(
    call: Call,
    EventHandle: Handle[Event],
    EventInformationClass: ULONG,
    EventInformation: PVOID,
    EventInformationLength: ULONG,
    ReturnLength: Out[ULONG] | None,
) -> NTSTATUS:
    return QUERY.answer(
        call, EventHandle, EventInformationClass, EventInformation, EventInformationLength, ReturnLength
    )
