"""NtSetInformationVirtualMemory: advice about ranges of memory.

Source: Microsoft "PrefetchVirtualMemory", "VIRTUAL_MEMORY_INFORMATION_CLASS".
"""

from __future__ import annotations

from lswd.kernel.process import Process
from lswd.nt.declare import Call, syscall
from lswd.ntdef.status import (
    STATUS_INVALID_PARAMETER_2,
    STATUS_INVALID_PARAMETER_3,
    STATUS_INVALID_PARAMETER_4,
    STATUS_INVALID_PARAMETER_5,
    STATUS_INVALID_PARAMETER_6,
    STATUS_SUCCESS,
    NtError,
)
from lswd.ntdef.types import HANDLE, NTSTATUS, PVOID, SIZE_T, ULONG, ULONG_PTR, Struct

VmPrefetchInformation = 0
_MOST_RANGES = 1 << 16


class MEMORY_RANGE_ENTRY(Struct):
    VirtualAddress: PVOID
    NumberOfBytes: SIZE_T


@syscall(partial="advice to fetch is heard and not followed; no page priorities, call targets and the like")
def NtSetInformationVirtualMemory(
    call: Call,
    ProcessHandle: HANDLE,
    VmInformationClass: ULONG,
    NumberOfEntries: ULONG_PTR,
    VirtualAddresses: PVOID,
    VmInformation: PVOID,
    VmInformationLength: ULONG,
) -> NTSTATUS:
    if VmInformationClass != VmPrefetchInformation:
        return STATUS_INVALID_PARAMETER_2
    if not VmInformation:
        return STATUS_INVALID_PARAMETER_5
    if VmInformationLength != 4:
        return STATUS_INVALID_PARAMETER_6
    if not 0 < NumberOfEntries <= _MOST_RANGES:
        return STATUS_INVALID_PARAMETER_3
    call.space.read(VmInformation, 4)
    size = MEMORY_RANGE_ENTRY.size(call.word)
    data = call.space.read(VirtualAddresses, NumberOfEntries * size)
    for at in range(0, len(data), size):
        if not MEMORY_RANGE_ENTRY.unpack(call.word, data, at).NumberOfBytes:
            raise NtError(STATUS_INVALID_PARAMETER_4)
    call.process.handles.get(ProcessHandle, Process)
    return STATUS_SUCCESS
