"""Waitable timers. Source: Microsoft "NtCreateTimer", "NtSetTimer", "NtCancelTimer", "NtQueryTimer"."""

from __future__ import annotations

from lswd.kernel.event import NotificationEvent, SynchronizationEvent
from lswd.kernel.timer import TIMER_MODIFY_STATE, TIMER_QUERY_STATE, Timer
from lswd.nt.declare import Call, Handle, In, ObjectAttributes, Out, syscall
from lswd.nt.information import QueryTable
from lswd.nt.named_object import create_object, open_object
from lswd.ntdef.status import STATUS_INVALID_PARAMETER, STATUS_INVALID_PARAMETER_4, STATUS_SUCCESS
from lswd.ntdef.types import ACCESS_MASK, BOOLEAN, HANDLE, LARGE_INTEGER, LONG, NTSTATUS, PVOID, ULONG, Struct

TimerBasicInformation = 0

QUERY = QueryTable(exact=True)


class TIMER_BASIC_INFORMATION(Struct):
    RemainingTime: LARGE_INTEGER
    TimerState: BOOLEAN


@syscall
def NtCreateTimer(
    call: Call,
    TimerHandle: Out[HANDLE],
    DesiredAccess: ACCESS_MASK,
    ObjectAttributes: ObjectAttributes | None,
    TimerType: ULONG,
) -> NTSTATUS:
    if TimerType not in (NotificationEvent, SynchronizationEvent):
        return STATUS_INVALID_PARAMETER_4
    scheduler = call.process.scheduler
    assert scheduler is not None
    deadlines = scheduler.deadlines
    return create_object(
        call, TimerHandle, ObjectAttributes, DesiredAccess, Timer, lambda: Timer(deadlines, TimerType)
    )


@syscall
def NtOpenTimer(
    call: Call, TimerHandle: Out[HANDLE], DesiredAccess: ACCESS_MASK, ObjectAttributes: ObjectAttributes | None
) -> NTSTATUS:
    return open_object(call, TimerHandle, ObjectAttributes, DesiredAccess, Timer)


@syscall(access={"TimerHandle": TIMER_MODIFY_STATE}, partial="ResumeTimer wakes no sleeping machine")
def NtSetTimer(
    call: Call,
    TimerHandle: Handle[Timer],
    DueTime: In[LARGE_INTEGER],
    TimerApcRoutine: PVOID,
    TimerContext: PVOID,
    ResumeTimer: BOOLEAN,
    Period: LONG,
    PreviousState: Out[BOOLEAN] | None,
) -> NTSTATUS:
    if Period < 0:
        return STATUS_INVALID_PARAMETER
    previous = TimerHandle.set(DueTime, Period, call.thread, TimerApcRoutine, TimerContext)
    if PreviousState is not None:
        PreviousState.set(int(previous))
    return STATUS_SUCCESS


@syscall(access={"TimerHandle": TIMER_MODIFY_STATE})
def NtCancelTimer(call: Call, TimerHandle: Handle[Timer], CurrentState: Out[BOOLEAN] | None) -> NTSTATUS:
    state = TimerHandle.cancel()
    if CurrentState is not None:
        CurrentState.set(int(state))
    return STATUS_SUCCESS


@QUERY.answers(TimerBasicInformation)
def _basic(call: Call, timer: Timer, address: int) -> Struct:
    return TIMER_BASIC_INFORMATION(RemainingTime=timer.remaining(), TimerState=int(timer.signalled))


@syscall(access={"TimerHandle": TIMER_QUERY_STATE})
def NtQueryTimer(
    call: Call,
    TimerHandle: Handle[Timer],
    TimerInformationClass: ULONG,
    TimerInformation: PVOID,
    TimerInformationLength: ULONG,
    ReturnLength: Out[ULONG] | None,
) -> NTSTATUS:
    return QUERY.answer(
        call, TimerHandle, TimerInformationClass, TimerInformation, TimerInformationLength, ReturnLength
    )
