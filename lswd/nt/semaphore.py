"""Semaphores. Source: Microsoft "NtCreateSemaphore", "NtReleaseSemaphore", "NtQuerySemaphore", "CreateSemaphore"."""

from __future__ import annotations

from lswd.kernel.semaphore import SEMAPHORE_MODIFY_STATE, SEMAPHORE_QUERY_STATE, Semaphore
from lswd.nt.declare import Call, Handle, ObjectAttributes, Out, syscall
from lswd.nt.information import QueryTable
from lswd.nt.named_object import create_object, open_object
from lswd.ntdef.status import STATUS_SUCCESS
from lswd.ntdef.types import ACCESS_MASK, HANDLE, LONG, NTSTATUS, PVOID, ULONG, Struct

SemaphoreBasicInformation = 0

QUERY = QueryTable(exact=True)


class SEMAPHORE_BASIC_INFORMATION(Struct):
    CurrentCount: LONG
    MaximumCount: LONG


@syscall
def NtCreateSemaphore(
    call: Call,
    SemaphoreHandle: Out[HANDLE],
    DesiredAccess: ACCESS_MASK,
    ObjectAttributes: ObjectAttributes | None,
    InitialCount: LONG,
    MaximumCount: LONG,
) -> NTSTATUS:
    semaphore = Semaphore(InitialCount, MaximumCount)  # bad counts are refused even when the name exists
    return create_object(call, SemaphoreHandle, ObjectAttributes, DesiredAccess, Semaphore, lambda: semaphore)


@syscall
def NtOpenSemaphore(
    call: Call, SemaphoreHandle: Out[HANDLE], DesiredAccess: ACCESS_MASK, ObjectAttributes: ObjectAttributes | None
) -> NTSTATUS:
    return open_object(call, SemaphoreHandle, ObjectAttributes, DesiredAccess, Semaphore)


@syscall(access={"SemaphoreHandle": SEMAPHORE_MODIFY_STATE})
def NtReleaseSemaphore(
    call: Call, SemaphoreHandle: Handle[Semaphore], ReleaseCount: LONG, PreviousCount: Out[LONG] | None
) -> NTSTATUS:
    previous = SemaphoreHandle.release(ReleaseCount)
    if PreviousCount is not None:
        PreviousCount.set(previous)
    return STATUS_SUCCESS


@QUERY.answers(SemaphoreBasicInformation)
def _basic(call: Call, semaphore: Semaphore, address: int) -> Struct:
    return SEMAPHORE_BASIC_INFORMATION(CurrentCount=semaphore.count, MaximumCount=semaphore.maximum)


@syscall(access={"SemaphoreHandle": SEMAPHORE_QUERY_STATE})
def NtQuerySemaphore(
    call: Call,
    SemaphoreHandle: Handle[Semaphore],
    SemaphoreInformationClass: ULONG,
    SemaphoreInformation: PVOID,
    SemaphoreInformationLength: ULONG,
    ReturnLength: Out[ULONG] | None,
) -> NTSTATUS:
    return QUERY.answer(
        call, SemaphoreHandle, SemaphoreInformationClass, SemaphoreInformation, SemaphoreInformationLength, ReturnLength
    )
