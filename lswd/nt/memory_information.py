"""What a process's memory is: NtQueryVirtualMemory.

Source: Microsoft "NtQueryVirtualMemory", "MEMORY_BASIC_INFORMATION", "PSAPI_WORKING_SET_EX_BLOCK".
"""

from __future__ import annotations

from lswd.kernel.process import PROCESS_QUERY_INFORMATION, Process
from lswd.memory.protection import ACCESS, PAGE_SIZE, READ
from lswd.memory.region import MEM_IMAGE, MEM_PRIVATE
from lswd.nt.declare import Call, Handle, Out, encode_wide, syscall
from lswd.ntdef.status import (
    STATUS_BUFFER_OVERFLOW,
    STATUS_INFO_LENGTH_MISMATCH,
    STATUS_INVALID_ADDRESS,
    STATUS_INVALID_INFO_CLASS,
    STATUS_INVALID_PARAMETER,
    STATUS_SUCCESS,
)
from lswd.ntdef.types import NTSTATUS, PVOID, SIZE_T, ULONG, UNICODE_STRING, Struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.memory.space import AddressSpace

MemoryBasicInformation = 0
MemoryMappedFilenameInformation = 2
MemoryRegionInformation = 3
MemoryWorkingSetExInformation = 4
MemoryWineUnixFuncs = 1000


class MEMORY_BASIC_INFORMATION(Struct):
    BaseAddress: PVOID
    AllocationBase: PVOID
    AllocationProtect: ULONG
    RegionSize: SIZE_T
    State: ULONG
    Protect: ULONG
    Type: ULONG


class MEMORY_REGION_INFORMATION(Struct):
    AllocationBase: PVOID
    AllocationProtect: ULONG
    RegionType: ULONG
    RegionSize: SIZE_T
    CommitSize: SIZE_T


@syscall(
    partial="working set details beyond valid and shared are not reported",
    access={"ProcessHandle": PROCESS_QUERY_INFORMATION},
)
def NtQueryVirtualMemory(
    call: Call,
    ProcessHandle: Handle[Process],
    BaseAddress: PVOID,
    MemoryInformationClass: ULONG,
    MemoryInformation: PVOID,
    MemoryInformationLength: SIZE_T,
    ReturnLength: Out[SIZE_T] | None,
) -> NTSTATUS:
    space, word = ProcessHandle.living_space(), call.word
    if MemoryInformationClass == MemoryBasicInformation:
        if MemoryInformationLength < MEMORY_BASIC_INFORMATION.size(word):
            return STATUS_INFO_LENGTH_MISMATCH
        if BaseAddress > space.highest:
            return STATUS_INVALID_PARAMETER
        base, allocation, allocation_protect, size, state, protect, kind = space.query(BaseAddress)
        data = MEMORY_BASIC_INFORMATION(
            BaseAddress=base,
            AllocationBase=allocation,
            AllocationProtect=allocation_protect,
            RegionSize=size,
            State=state,
            Protect=protect,
            Type=kind,
        ).pack(word)
    elif MemoryInformationClass == MemoryMappedFilenameInformation:
        return _mapped_file_name(call, space, BaseAddress, MemoryInformation, MemoryInformationLength, ReturnLength)
    elif MemoryInformationClass == MemoryRegionInformation:
        region = space.find(BaseAddress)
        if region is None:
            return STATUS_INVALID_ADDRESS
        if MemoryInformationLength < MEMORY_REGION_INFORMATION.size(word):
            return STATUS_INFO_LENGTH_MISMATCH
        data = MEMORY_REGION_INFORMATION(
            AllocationBase=region.base,
            AllocationProtect=region.allocation_protect,
            RegionType={MEM_PRIVATE: 1, MEM_IMAGE: 8}.get(region.kind, 2),
            RegionSize=region.size,
            CommitSize=(len(region.pages) - region.pages.count(0)) * PAGE_SIZE,
        ).pack(word)
    elif MemoryInformationClass == MemoryWorkingSetExInformation:
        return _working_set(call, space, MemoryInformation, MemoryInformationLength, ReturnLength)
    elif MemoryInformationClass == MemoryWineUnixFuncs:
        from lswd.nt.unixcall import unix_library

        if ProcessHandle is not call.process:
            return STATUS_INVALID_PARAMETER
        return unix_library(call, BaseAddress, MemoryInformation)
    else:
        return STATUS_INVALID_INFO_CLASS
    call.space.write(MemoryInformation, data)
    if ReturnLength is not None:
        ReturnLength.set(len(data))
    return STATUS_SUCCESS


def _mapped_file_name(
    call: Call, space: AddressSpace, address: int, buffer: int, length: int, returned: Out[SIZE_T] | None
) -> int:
    region = space.find(address)
    if region is None:
        return STATUS_INVALID_ADDRESS
    if region.source is None or not region.name:
        return STATUS_INVALID_ADDRESS
    text = encode_wide(call.process.system.volume_name(region.name)) + b"\0\0"
    head = UNICODE_STRING.size(call.word)
    if returned is not None:
        returned.set(head + len(text))
    if length < head:
        return STATUS_INFO_LENGTH_MISMATCH
    if length < head + len(text):
        return STATUS_BUFFER_OVERFLOW
    name = UNICODE_STRING(Length=len(text) - 2, MaximumLength=len(text), Buffer=buffer + head)
    call.space.write(buffer, name.pack(call.word) + text)
    return STATUS_SUCCESS


def _working_set(
    call: Call, space: AddressSpace, buffer: int, length: int, returned: Out[SIZE_T] | None
) -> int:
    """MEMORY_WORKING_SET_EX_INFORMATION entries: { PVOID address, ULONG_PTR attributes }."""
    word = call.word
    if length < 2 * word or length > 1 << 24:
        return STATUS_INFO_LENGTH_MISMATCH
    for i in range(length // (2 * word)):
        at = buffer + i * 2 * word
        address = call.space.read_pointer(at)
        region = space.find(address)
        valid = region is not None and ACCESS[region.pages[(address - region.base) // PAGE_SIZE]] & READ
        shared = 1 << 15 if valid and region is not None and region.kind != MEM_PRIVATE else 0
        call.space.write_pointer(at + word, 1 | shared if valid else 0)
    if returned is not None:
        returned.set(length)
    return STATUS_SUCCESS
