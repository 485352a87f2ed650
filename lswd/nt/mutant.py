"""Mutants (Win32's mutexes). Source: Microsoft "NtCreateMutant", "NtReleaseMutant", "NtQueryMutant", "CreateMutex"."""

from __future__ import annotations

from lswd.kernel.mutant import MUTANT_QUERY_STATE, Mutant
from lswd.nt.declare import Call, Handle, ObjectAttributes, Out, syscall
from lswd.nt.information import QueryTable
from lswd.nt.named_object import create_object, open_object
from lswd.ntdef.status import STATUS_SUCCESS
from lswd.ntdef.types import ACCESS_MASK, BOOLEAN, CLIENT_ID, HANDLE, LONG, NTSTATUS, PVOID, ULONG, Struct

MutantBasicInformation = 0
MutantOwnerInformation = 1

QUERY = QueryTable(exact=True)


class MUTANT_BASIC_INFORMATION(Struct):
    CurrentCount: LONG
    OwnedByCaller: BOOLEAN
    AbandonedState: BOOLEAN


@syscall
def NtCreateMutant(
    call: Call,
    MutantHandle: Out[HANDLE],
    DesiredAccess: ACCESS_MASK,
    ObjectAttributes: ObjectAttributes | None,
    InitialOwner: BOOLEAN,
) -> NTSTATUS:
    """InitialOwner counts for a new mutant only."""
    owner = call.thread if InitialOwner else None
    return create_object(call, MutantHandle, ObjectAttributes, DesiredAccess, Mutant, lambda: Mutant(owner))


@syscall
def NtOpenMutant(
    call: Call, MutantHandle: Out[HANDLE], DesiredAccess: ACCESS_MASK, ObjectAttributes: ObjectAttributes | None
) -> NTSTATUS:
    return open_object(call, MutantHandle, ObjectAttributes, DesiredAccess, Mutant)


@syscall
def NtReleaseMutant(call: Call, MutantHandle: Handle[Mutant], PreviousCount: Out[LONG] | None) -> NTSTATUS:
    previous = MutantHandle.release(call.thread)
    if PreviousCount is not None:
        PreviousCount.set(previous)
    return STATUS_SUCCESS


@QUERY.answers(MutantBasicInformation)
def _basic(call: Call, mutant: Mutant, address: int) -> Struct:
    return MUTANT_BASIC_INFORMATION(
        CurrentCount=mutant.count,
        OwnedByCaller=int(mutant.owner is call.thread),
        AbandonedState=int(mutant.abandoned),
    )


@QUERY.answers(MutantOwnerInformation)
def _owner(call: Call, mutant: Mutant, address: int) -> Struct:
    owner = mutant.owner
    return CLIENT_ID(UniqueProcess=owner.process.pid, UniqueThread=owner.tid) if owner is not None else CLIENT_ID()


@syscall(access={"MutantHandle": MUTANT_QUERY_STATE})
def NtQueryMutant(
    call: Call,
    MutantHandle: Handle[Mutant],
    MutantInformationClass: ULONG,
    MutantInformation: PVOID,
    MutantInformationLength: ULONG,
    ReturnLength: Out[ULONG] | None,
) -> NTSTATUS:
    return QUERY.answer(
        call, MutantHandle, MutantInformationClass, MutantInformation, MutantInformationLength, ReturnLength
    )
