"""Unique identifiers: NtAllocateLocallyUniqueId, NtAllocateUuids. Source: Microsoft "ZwAllocateLocallyUniqueId"."""

from __future__ import annotations

from lswd.kernel.token import Luids
from lswd.kernel.uuid_source import UuidSource
from lswd.nt.declare import Call, Out, syscall
from lswd.ntdef.status import STATUS_SUCCESS
from lswd.ntdef.types import NTSTATUS, PVOID, ULONG, ULONGLONG

_RANGE = 10  # timestamps a call


@syscall
def NtAllocateLocallyUniqueId(call: Call, Luid: Out[ULONGLONG]) -> NTSTATUS:
    Luid.set(call.process.system.part(Luids).new())
    return STATUS_SUCCESS


@syscall
def NtAllocateUuids(call: Call, Time: Out[ULONGLONG], Range: Out[ULONG], Sequence: Out[ULONG], Seed: PVOID) -> NTSTATUS:
    """``Range`` timestamps from ``Time`` on are the caller's; ``Seed`` gets the six bytes of the node."""
    source = call.process.system.part(UuidSource)
    call.space.write(Seed, source.node)
    Time.set(source.take(_RANGE))
    Range.set(_RANGE)
    Sequence.set(source.sequence)
    return STATUS_SUCCESS
