"""Virtual memory: NtAllocateVirtualMemory and its kin.

Source: Microsoft "NtAllocateVirtualMemory", "NtFreeVirtualMemory", "NtProtectVirtualMemory",
"MEM_ADDRESS_REQUIREMENTS".
"""

from __future__ import annotations

from lswd.kernel.process import PROCESS_VM_OPERATION, PROCESS_VM_READ, PROCESS_VM_WRITE, Process
from lswd.memory.placeholder import (
    MEM_COALESCE_PLACEHOLDERS,
    MEM_PRESERVE_PLACEHOLDER,
    MEM_REPLACE_PLACEHOLDER,
    MEM_RESERVE_PLACEHOLDER,
    coalesce,
    fill,
    preserve,
)
from lswd.memory.protection import GRANULARITY, PAGE_EXECUTE_READWRITE, PAGE_NOACCESS, PAGE_SIZE, encode
from lswd.memory.region import (
    MEM_COMMIT,
    MEM_DECOMMIT,
    MEM_IMAGE,
    MEM_MAPPED,
    MEM_PRIVATE,
    MEM_RELEASE,
    MEM_RESERVE,
    MEM_RESET,
    MEM_TOP_DOWN,
    MEM_WRITE_WATCH,
)
from lswd.nt.declare import Call, Handle, InOut, Out, syscall
from lswd.ntdef.status import (
    STATUS_ACCESS_VIOLATION,
    STATUS_COMMITMENT_LIMIT,
    STATUS_CONFLICTING_ADDRESSES,
    STATUS_FREE_VM_NOT_AT_BASE,
    STATUS_INVALID_PAGE_PROTECTION,
    STATUS_INVALID_PARAMETER,
    STATUS_INVALID_PARAMETER_3,
    STATUS_INVALID_PARAMETER_4,
    STATUS_INVALID_PARAMETER_5,
    STATUS_MEMORY_NOT_ALLOCATED,
    STATUS_NO_MEMORY,
    STATUS_PARTIAL_COPY,
    STATUS_SUCCESS,
    STATUS_UNABLE_TO_FREE_VM,
    NtError,
)
from lswd.ntdef.types import NTSTATUS, PVOID, SIZE_T, ULONG, ULONG_PTR, ULONGLONG, Struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.memory.space import AddressSpace

MEM_RESET_UNDO = 0x1000000
MEM_LARGE_PAGES = 0x20000000

MemExtendedParameterAddressRequirements = 1


class MEM_EXTENDED_PARAMETER(Struct):
    Type: ULONGLONG
    Value: ULONGLONG


class MEM_ADDRESS_REQUIREMENTS(Struct):
    LowestStartingAddress: PVOID
    HighestEndingAddress: PVOID
    Alignment: SIZE_T


def _may_commit(process: Process, size: int) -> bool:
    return process.job is None or process.job.check_memory(process, size)


def _allocate(
    process: Process, base: InOut[PVOID], size: InOut[SIZE_T], kind: int, protect: int, low: int, high: int, align: int
) -> int:
    space = process.living_space()
    address, length = base.value, size.value
    placeholder = kind & (MEM_RESERVE_PLACEHOLDER | MEM_REPLACE_PLACEHOLDER)
    kind -= placeholder
    if not length:
        return STATUS_INVALID_PARAMETER_4
    if address > space.highest or length > space.highest or address + length - 1 > space.highest:
        return STATUS_INVALID_PARAMETER_3 if address > space.highest else STATUS_NO_MEMORY
    if not kind & (MEM_COMMIT | MEM_RESERVE | MEM_RESET | MEM_RESET_UNDO):
        return STATUS_INVALID_PARAMETER_5
    if kind & ~(MEM_COMMIT | MEM_RESERVE | MEM_RESET | MEM_RESET_UNDO | MEM_TOP_DOWN | MEM_WRITE_WATCH | 0x400000):
        return STATUS_INVALID_PARAMETER_5
    if encode(protect) < 0 or protect & 0xFF in (0x08, 0x80):
        return STATUS_INVALID_PAGE_PROTECTION
    start = address & -PAGE_SIZE
    end = (address + length + PAGE_SIZE - 1) & -PAGE_SIZE
    if placeholder == MEM_REPLACE_PLACEHOLDER:
        if not kind & MEM_RESERVE:
            return STATUS_INVALID_PARAMETER_5
        fill(space, address, length)
    elif placeholder and (kind & ~MEM_TOP_DOWN != MEM_RESERVE or protect != PAGE_NOACCESS):
        return STATUS_INVALID_PARAMETER_5 if protect == PAGE_NOACCESS else STATUS_INVALID_PAGE_PROTECTION
    if kind & MEM_RESERVE or not address:
        if not address:
            length = (length + PAGE_SIZE - 1) & -PAGE_SIZE
            region = space.reserve(
                0, length, protect, low=low, high=high, top_down=bool(kind & MEM_TOP_DOWN), align=align
            )
        else:
            if not placeholder:
                start &= -GRANULARITY
            region = space.reserve(start, end - start, protect)
        region.placeholder = placeholder == MEM_RESERVE_PLACEHOLDER
        if kind & MEM_COMMIT:
            if not _may_commit(process, region.size):
                space.release(region.base)
                return STATUS_COMMITMENT_LIMIT
            space.commit(region, region.base, region.size, protect)
        base.set(region.base)
        size.set(region.size)
        return STATUS_SUCCESS
    found = space.find(start)
    if found is None or end > found.end or found.placeholder:
        return STATUS_CONFLICTING_ADDRESSES
    if kind & MEM_COMMIT:
        if found.kind == MEM_IMAGE:
            return STATUS_CONFLICTING_ADDRESSES
        if not _may_commit(process, end - start):
            return STATUS_COMMITMENT_LIMIT
        space.commit(found, start, end - start, protect)
        if found.kind == MEM_MAPPED:
            from lswd.kernel.section_reserve import share_commit

            share_commit(process, found, start, end)
    base.set(start)
    size.set(end - start)
    return STATUS_SUCCESS


@syscall(access={"ProcessHandle": PROCESS_VM_OPERATION})
def NtAllocateVirtualMemory(
    call: Call,
    ProcessHandle: Handle[Process],
    BaseAddress: InOut[PVOID],
    ZeroBits: ULONG_PTR,
    RegionSize: InOut[SIZE_T],
    AllocationType: ULONG,
    Protect: ULONG,
) -> NTSTATUS:
    high = 0
    if ZeroBits:
        # Up to 31: that many high bits of a 32-bit address are zero; more: the value is a mask of usable bits.
        if ZeroBits >= 32:
            high = (1 << ZeroBits.bit_length()) - 1
        elif ZeroBits <= 21:
            high = (1 << (32 - ZeroBits)) - 1
        else:
            return STATUS_INVALID_PARAMETER_3
    if AllocationType & (MEM_RESERVE_PLACEHOLDER | MEM_REPLACE_PLACEHOLDER):
        return STATUS_INVALID_PARAMETER_5
    status = _allocate(ProcessHandle, BaseAddress, RegionSize, AllocationType, Protect, 0, high, 0)
    ProcessHandle.settle_memory(call.process)
    return status


@syscall(access={"ProcessHandle": PROCESS_VM_OPERATION})
def NtAllocateVirtualMemoryEx(
    call: Call,
    ProcessHandle: Handle[Process],
    BaseAddress: InOut[PVOID],
    RegionSize: InOut[SIZE_T],
    AllocationType: ULONG,
    Protect: ULONG,
    ExtendedParameters: PVOID,
    ExtendedParameterCount: ULONG,
) -> NTSTATUS:
    low = high = align = 0
    if ExtendedParameterCount > 8:
        return STATUS_INVALID_PARAMETER
    for i in range(ExtendedParameterCount):
        at = ExtendedParameters + i * MEM_EXTENDED_PARAMETER.size(8)
        parameter = MEM_EXTENDED_PARAMETER.unpack(8, call.space.read(at, MEM_EXTENDED_PARAMETER.size(8)))
        if parameter.Type & 0xFF != MemExtendedParameterAddressRequirements:
            return STATUS_INVALID_PARAMETER
        size = MEM_ADDRESS_REQUIREMENTS.size(call.word)
        wanted = MEM_ADDRESS_REQUIREMENTS.unpack(call.word, call.space.read(parameter.Value, size))
        low, high, align = wanted.LowestStartingAddress, wanted.HighestEndingAddress, wanted.Alignment
        if align & (align - 1) or 0 < align < GRANULARITY or low % GRANULARITY or (high and (high + 1) % PAGE_SIZE):
            return STATUS_INVALID_PARAMETER
        if BaseAddress.value and (low or high or align):
            return STATUS_INVALID_PARAMETER
    status = _allocate(ProcessHandle, BaseAddress, RegionSize, AllocationType, Protect, low, high, align)
    ProcessHandle.settle_memory(call.process)
    return status


@syscall(access={"ProcessHandle": PROCESS_VM_OPERATION})
def NtFreeVirtualMemory(
    call: Call,
    ProcessHandle: Handle[Process],
    BaseAddress: InOut[PVOID],
    RegionSize: InOut[SIZE_T],
    FreeType: ULONG,
) -> NTSTATUS:
    space = ProcessHandle.living_space()
    address, length = BaseAddress.value, RegionSize.value
    placeholder = FreeType & (MEM_PRESERVE_PLACEHOLDER | MEM_COALESCE_PLACEHOLDERS)
    if FreeType - placeholder not in (MEM_RELEASE, MEM_DECOMMIT) or (placeholder and not FreeType & MEM_RELEASE):
        return STATUS_INVALID_PARAMETER_4
    if placeholder & MEM_COALESCE_PLACEHOLDERS:
        if placeholder != MEM_COALESCE_PLACEHOLDERS:
            return STATUS_INVALID_PARAMETER_4
        coalesce(space, address, address + length)
        return STATUS_SUCCESS
    start = address & -PAGE_SIZE
    region = space.find(start)
    if region is None:
        return STATUS_MEMORY_NOT_ALLOCATED
    if region.kind != MEM_PRIVATE:
        return STATUS_UNABLE_TO_FREE_VM
    if not length:
        if start != region.base:
            return STATUS_FREE_VM_NOT_AT_BASE
        end = region.end
    else:
        end = (address + length + PAGE_SIZE - 1) & -PAGE_SIZE
        if end > region.end:
            return STATUS_UNABLE_TO_FREE_VM
    if placeholder:
        preserve(space, region, start, end)
    elif FreeType == MEM_RELEASE:
        if start != region.base or end != region.end:
            space.release_part(region, start, end)
        else:
            space.release(start)
    elif region.placeholder:
        return STATUS_CONFLICTING_ADDRESSES
    else:
        space.decommit(region, start, end - start, briefly=True)
    ProcessHandle.settle_memory(call.process)
    BaseAddress.set(start)
    RegionSize.set(end - start)
    return STATUS_SUCCESS


@syscall(access={"ProcessHandle": PROCESS_VM_OPERATION})
def NtProtectVirtualMemory(
    call: Call,
    ProcessHandle: Handle[Process],
    BaseAddress: InOut[PVOID],
    RegionSize: InOut[SIZE_T],
    NewProtect: ULONG,
    OldProtect: Out[ULONG],
) -> NTSTATUS:
    space = ProcessHandle.living_space()
    address, length = BaseAddress.value, RegionSize.value
    start = address & -PAGE_SIZE
    end = (address + length + PAGE_SIZE - 1) & -PAGE_SIZE
    if not length:
        return STATUS_INVALID_PARAMETER
    old = space.protect(start, end - start, NewProtect)
    ProcessHandle.settle_memory(call.process)
    BaseAddress.set(start)
    RegionSize.set(end - start)
    OldProtect.set(old)
    return STATUS_SUCCESS


@syscall(access={"ProcessHandle": PROCESS_VM_READ})
def NtReadVirtualMemory(
    call: Call,
    ProcessHandle: Handle[Process],
    BaseAddress: PVOID,
    Buffer: PVOID,
    BufferSize: SIZE_T,
    NumberOfBytesRead: Out[SIZE_T] | None,
) -> NTSTATUS:
    space = ProcessHandle.living_space()
    try:
        data = space.read(BaseAddress, min(BufferSize, 1 << 30))
        status = STATUS_SUCCESS
    except NtError:
        data, status = b"", STATUS_PARTIAL_COPY
    call.space.write(Buffer, data)
    if NumberOfBytesRead is not None:
        NumberOfBytesRead.set(len(data))
    return status


@syscall(access={"ProcessHandle": PROCESS_VM_WRITE})
def NtWriteVirtualMemory(
    call: Call,
    ProcessHandle: Handle[Process],
    BaseAddress: PVOID,
    Buffer: PVOID,
    BufferSize: SIZE_T,
    NumberOfBytesWritten: Out[SIZE_T] | None,
) -> NTSTATUS:
    space = ProcessHandle.living_space()
    data = call.space.read(Buffer, min(BufferSize, 1 << 30))
    status, done = STATUS_SUCCESS, len(data)
    try:
        space.write(BaseAddress, data)
    except NtError:
        wine = "wine_get_version" in ProcessHandle.userland.ntdll_exports
        if not wine or not _write_protected(space, BaseAddress, data):
            status, done = STATUS_ACCESS_VIOLATION, 0
    ProcessHandle.settle_memory(call.process)
    if NumberOfBytesWritten is not None:
        NumberOfBytesWritten.set(done)
    return status


def _write_protected(space: AddressSpace, address: int, data: bytes) -> bool:
    """Write to pages that are not for writing, as debuggers do; False if any of it is nobody's or a view of a file.

    NT's kernelbase changes the pages' protection for that; Wine's leaves it to the kernel.
    """
    first, end = address & -PAGE_SIZE, (address + len(data) + PAGE_SIZE - 1) & -PAGE_SIZE
    pages = range(first, end, PAGE_SIZE)
    regions = [space.find(page) for page in pages]
    if not data or any(region is None or region.kind == MEM_MAPPED for region in regions):
        return False
    before: list[int] = []
    try:
        before.extend(space.protect(page, PAGE_SIZE, PAGE_EXECUTE_READWRITE) for page in pages)
        space.write(address, data)
    except NtError:
        return False
    finally:
        for page, protect in zip(pages, before, strict=False):
            space.protect(page, PAGE_SIZE, protect)
    return True


@syscall
def NtFlushInstructionCache(call: Call, ProcessHandle: Handle[Process], BaseAddress: PVOID, Length: SIZE_T) -> NTSTATUS:
    listener = ProcessHandle.living_space().listener
    if listener is not None:
        listener.code_changed(BaseAddress, Length if BaseAddress else 0)
    return STATUS_SUCCESS


@syscall(access={"ProcessHandle": PROCESS_VM_OPERATION})
def NtFlushVirtualMemory(
    call: Call,
    ProcessHandle: Handle[Process],
    BaseAddress: InOut[PVOID],
    RegionSize: InOut[SIZE_T],
    IoStatus: PVOID,
) -> NTSTATUS:
    region = ProcessHandle.living_space().find(BaseAddress.value)
    if region is None:
        return STATUS_INVALID_PARAMETER
    try:
        region.backing.flush()
    except OSError:
        return STATUS_INVALID_PARAMETER
    return STATUS_SUCCESS


def _whole_pages(process: Process, base: InOut[PVOID], size: InOut[SIZE_T]) -> int:
    """The answer of locking and unlocking: the range in whole pages, all of which must be there.

    Pages are never taken from a guest while it runs, so there is nothing else to do.
    """
    start = base.value & -PAGE_SIZE
    end = (base.value + size.value + PAGE_SIZE - 1) & -PAGE_SIZE
    process.living_space().readable(start, end - start)
    base.set(start)
    size.set(end - start)
    return STATUS_SUCCESS


@syscall(access={"ProcessHandle": PROCESS_VM_OPERATION})
def NtLockVirtualMemory(
    call: Call, ProcessHandle: Handle[Process], BaseAddress: InOut[PVOID], RegionSize: InOut[SIZE_T], MapType: ULONG
) -> NTSTATUS:
    return _whole_pages(ProcessHandle, BaseAddress, RegionSize)


@syscall(access={"ProcessHandle": PROCESS_VM_OPERATION})
def NtUnlockVirtualMemory(
    call: Call, ProcessHandle: Handle[Process], BaseAddress: InOut[PVOID], RegionSize: InOut[SIZE_T], MapType: ULONG
) -> NTSTATUS:
    return _whole_pages(ProcessHandle, BaseAddress, RegionSize)
