"""NtQuerySystemInformation and NtQuerySystemInformationEx.

Source: Microsoft "NtQuerySystemInformation", "GetLogicalProcessorInformation", ntddk.h and winternl.h; classes,
lengths and statuses measured.
"""

from __future__ import annotations

import os
import time

from lswd.kernel import memory_status
from lswd.kernel.wait import system_time
from lswd.nt.declare import Call, Out, encode_wide, syscall
from lswd.nt.information import QueryTable
from lswd.nt.process_information import SESSION, all_processors, processor_times, vm_counters
from lswd.ntdef.status import (
    STATUS_ACCESS_DENIED,
    STATUS_INVALID_PARAMETER,
    STATUS_NOT_IMPLEMENTED,
    NtError,
)
from lswd.ntdef.types import (
    BOOLEAN,
    CLIENT_ID,
    HANDLE,
    LARGE_INTEGER,
    LONG,
    NTSTATUS,
    PVOID,
    SIZE_T,
    UCHAR,
    ULONG,
    ULONG_PTR,
    ULONGLONG,
    UNICODE_STRING,
    USHORT,
    Struct,
    array,
    raw,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.kernel.process import Process
    from lswd.kernel.thread import Thread

SystemBasicInformation = 0
SystemProcessorInformation = 1
SystemPerformanceInformation = 2
SystemTimeOfDayInformation = 3
SystemProcessInformation = 5
SystemProcessorPerformanceInformation = 8
SystemModuleInformation = 11
SystemHandleInformation = 16
SystemFileCacheInformation = 21
SystemInterruptInformation = 23
SystemTimeAdjustmentInformation = 28
SystemKernelDebuggerInformation = 35
SystemRegistryQuotaInformation = 37
SystemCurrentTimeZoneInformation = 44
SystemExtendedProcessInformation = 57
SystemRecommendedSharedDataAlignment = 58
SystemEmulationBasicInformation = 62
SystemEmulationProcessorInformation = 63
SystemExtendedHandleInformation = 64
SystemLogicalProcessorInformation = 73
SystemFirmwareTableInformation = 76
SystemModuleInformationEx = 77
SystemDynamicTimeZoneInformation = 102
SystemCodeIntegrityInformation = 103
SystemLogicalProcessorInformationEx = 107
SystemNativeBasicInformation = 114
SystemKernelDebuggerInformationEx = 149
SystemCpuSetInformation = 175
SystemSupportedProcessorArchitectures = 181

# LOGICAL_PROCESSOR_RELATIONSHIP beyond those in kernel.topology
_NODE = 1
_GROUP = 4
_ALL = 0xFFFF

_CLOCK_INTERVAL = 156_250  # 15.625 ms


class SYSTEM_BASIC_INFORMATION(Struct):
    Reserved: ULONG
    TimerResolution: ULONG
    PageSize: ULONG
    NumberOfPhysicalPages: ULONG
    LowestPhysicalPageNumber: ULONG
    HighestPhysicalPageNumber: ULONG
    AllocationGranularity: ULONG
    MinimumUserModeAddress: ULONG_PTR
    MaximumUserModeAddress: ULONG_PTR
    ActiveProcessorsAffinityMask: ULONG_PTR
    NumberOfProcessors: UCHAR


class SYSTEM_PROCESSOR_INFORMATION(Struct):
    ProcessorArchitecture: USHORT
    ProcessorLevel: USHORT
    ProcessorRevision: USHORT
    MaximumProcessors: USHORT
    ProcessorFeatureBits: ULONG


class SYSTEM_PERFORMANCE_INFORMATION(Struct):
    IdleProcessTime: LARGE_INTEGER
    IoReadTransferCount: LARGE_INTEGER
    IoWriteTransferCount: LARGE_INTEGER
    IoOtherTransferCount: LARGE_INTEGER
    IoReadOperationCount: ULONG
    IoWriteOperationCount: ULONG
    IoOtherOperationCount: ULONG
    AvailablePages: ULONG
    CommittedPages: ULONG
    CommitLimit: ULONG
    PeakCommitment: ULONG
    Rest: bytes = raw(252)


class SYSTEM_TIMEOFDAY_INFORMATION(Struct):
    BootTime: LARGE_INTEGER
    CurrentTime: LARGE_INTEGER
    TimeZoneBias: LARGE_INTEGER
    TimeZoneId: ULONG
    Reserved: ULONG
    BootTimeBias: ULONGLONG
    SleepTimeBias: ULONGLONG


class SYSTEM_PROCESSOR_PERFORMANCE_INFORMATION(Struct):
    IdleTime: LARGE_INTEGER
    KernelTime: LARGE_INTEGER
    UserTime: LARGE_INTEGER
    DpcTime: LARGE_INTEGER
    InterruptTime: LARGE_INTEGER
    InterruptCount: ULONG


class SYSTEM_THREAD_INFORMATION(Struct):
    KernelTime: LARGE_INTEGER
    UserTime: LARGE_INTEGER
    CreateTime: LARGE_INTEGER
    WaitTime: ULONG
    StartAddress: PVOID
    ClientId: CLIENT_ID
    Priority: LONG
    BasePriority: LONG
    ContextSwitches: ULONG
    ThreadState: ULONG
    WaitReason: ULONG


class SYSTEM_EXTENDED_THREAD_INFORMATION(Struct):
    ThreadInfo: SYSTEM_THREAD_INFORMATION
    StackBase: PVOID
    StackLimit: PVOID
    Win32StartAddress: PVOID
    TebBase: PVOID
    Reserved: tuple[int, ...] = array(ULONG_PTR, 3)


class SYSTEM_PROCESS_INFORMATION(Struct):
    NextEntryOffset: ULONG
    NumberOfThreads: ULONG
    WorkingSetPrivateSize: LARGE_INTEGER
    HardFaultCount: ULONG
    NumberOfThreadsHighWatermark: ULONG
    CycleTime: ULONGLONG
    CreateTime: LARGE_INTEGER
    UserTime: LARGE_INTEGER
    KernelTime: LARGE_INTEGER
    ImageName: UNICODE_STRING
    BasePriority: LONG
    UniqueProcessId: HANDLE
    InheritedFromUniqueProcessId: HANDLE
    HandleCount: ULONG
    SessionId: ULONG
    UniqueProcessKey: ULONG_PTR
    PeakVirtualSize: SIZE_T
    VirtualSize: SIZE_T
    PageFaultCount: ULONG
    PeakWorkingSetSize: SIZE_T
    WorkingSetSize: SIZE_T
    QuotaPeakPagedPoolUsage: SIZE_T
    QuotaPagedPoolUsage: SIZE_T
    QuotaPeakNonPagedPoolUsage: SIZE_T
    QuotaNonPagedPoolUsage: SIZE_T
    PagefileUsage: SIZE_T
    PeakPagefileUsage: SIZE_T
    PrivatePageCount: SIZE_T
    IoCounters: tuple[int, ...] = array(ULONGLONG, 6)


class SYSTEM_HANDLE_TABLE_ENTRY_INFO(Struct):
    UniqueProcessId: USHORT
    CreatorBackTraceIndex: USHORT
    ObjectTypeIndex: UCHAR
    HandleAttributes: UCHAR
    HandleValue: USHORT
    Object: PVOID
    GrantedAccess: ULONG


class SYSTEM_HANDLE_TABLE_ENTRY_INFO_EX(Struct):
    Object: PVOID
    UniqueProcessId: ULONG_PTR
    HandleValue: ULONG_PTR
    GrantedAccess: ULONG
    CreatorBackTraceIndex: USHORT
    ObjectTypeIndex: USHORT
    HandleAttributes: ULONG
    Reserved: ULONG


class SYSTEM_TIME_ADJUSTMENT(Struct):
    TimeAdjustment: ULONG
    TimeIncrement: ULONG
    TimeAdjustmentDisabled: BOOLEAN


class SYSTEM_KERNEL_DEBUGGER_INFORMATION(Struct):
    DebuggerEnabled: BOOLEAN
    DebuggerNotPresent: BOOLEAN


class SYSTEM_REGISTRY_QUOTA_INFORMATION(Struct):
    RegistryQuotaAllowed: ULONG
    RegistryQuotaUsed: ULONG
    PagedPoolSize: SIZE_T


class SYSTEM_LOGICAL_PROCESSOR_INFORMATION(Struct):
    ProcessorMask: ULONG_PTR
    Relationship: ULONG
    Value: tuple[int, ...] = array(ULONGLONG, 2)  # flags, node number or a CACHE_DESCRIPTOR


class RTL_DYNAMIC_TIME_ZONE_INFORMATION(Struct):
    Bias: LONG
    StandardName: bytes = raw(64)
    StandardDate: tuple[int, ...] = array(USHORT, 8)  # SYSTEMTIME
    StandardBias: LONG
    DaylightName: bytes = raw(64)
    DaylightDate: tuple[int, ...] = array(USHORT, 8)
    DaylightBias: LONG
    TimeZoneKeyName: bytes = raw(256)
    DynamicDaylightTimeDisabled: BOOLEAN


QUERY = QueryTable()


@QUERY.answers(SystemBasicInformation, SystemEmulationBasicInformation, SystemNativeBasicInformation, exact=True)
def _basic(call: Call, subject: object, address: int) -> Struct:
    pages = min(memory_status.physical_pages() - 1, 0xFFFFFFFE)
    space = call.space
    return SYSTEM_BASIC_INFORMATION(
        TimerResolution=0,
        PageSize=0x1000,
        NumberOfPhysicalPages=pages,
        LowestPhysicalPageNumber=1,
        HighestPhysicalPageNumber=pages + 1,
        AllocationGranularity=0x10000,
        MinimumUserModeAddress=space.lowest,
        MaximumUserModeAddress=space.highest,
        ActiveProcessorsAffinityMask=all_processors(),
        NumberOfProcessors=os.cpu_count() or 1,
    )


@QUERY.answers(SystemProcessorInformation, SystemEmulationProcessorInformation)
def _processor(call: Call, subject: object, address: int) -> Struct:
    signature = 0x306C4  # CPUID leaf 1 of the processor the engine shows to the guest
    model = (signature >> 12 & 0xF0) | (signature >> 4 & 0xF)
    return SYSTEM_PROCESSOR_INFORMATION(
        ProcessorArchitecture=9 if call.word == 8 else 0,
        ProcessorLevel=signature >> 8 & 0xF,
        ProcessorRevision=model << 8 | (signature & 0xF),
        ProcessorFeatureBits=0x0038_3FFF,
    )


@QUERY.answers(SystemPerformanceInformation)
def _performance(call: Call, subject: object, address: int) -> Struct:
    memory = memory_status.MemoryStatus()
    count = os.cpu_count() or 1
    return SYSTEM_PERFORMANCE_INFORMATION(
        IdleProcessTime=sum(t.idle for t in memory_status.processor_times(count)),
        AvailablePages=min(memory.available, 0xFFFFFFFF),
        CommittedPages=min(memory.committed, 0xFFFFFFFF),
        CommitLimit=min(memory.limit, 0xFFFFFFFF),
        PeakCommitment=min(memory.committed, 0xFFFFFFFF),
    )


@QUERY.answers(SystemTimeOfDayInformation, prefix=True)
def _time_of_day(call: Call, subject: object, address: int) -> Struct:
    now = system_time()
    local = time.localtime()
    return SYSTEM_TIMEOFDAY_INFORMATION(
        BootTime=now - time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 100,
        CurrentTime=now,
        TimeZoneBias=-local.tm_gmtoff * 10_000_000,
        TimeZoneId=2 if local.tm_isdst > 0 else 1 if time.daylight else 0,
    )


@QUERY.answers(SystemProcessInformation)
def _processes(call: Call, subject: object, address: int) -> bytes:
    return _process_list(call, address, extended=False)


@QUERY.answers(SystemExtendedProcessInformation)
def _processes_extended(call: Call, subject: object, address: int) -> bytes:
    return _process_list(call, address, extended=True)


def _process_list(call: Call, address: int, *, extended: bool) -> bytes:
    """Process entries: the structure, its threads, and the image's name behind them."""
    word = call.word
    result = b""
    processes = list(call.process.system.processes.values())
    for process in processes:
        threads = b"".join(_thread_entry(process, t, extended).pack(word) for t in process.threads)
        path = process.image.dos_name if process.image is not None else ""
        name = encode_wide(path.rpartition("\\")[2])
        head = SYSTEM_PROCESS_INFORMATION.size(word) + len(threads)
        size = (head + len(name) + 2 + 7) & -8
        counters = vm_counters(process)
        user, kernel = processor_times()
        entry = SYSTEM_PROCESS_INFORMATION(
            NextEntryOffset=size if process is not processes[-1] else 0,
            NumberOfThreads=len(process.threads),
            WorkingSetPrivateSize=process.space.committed,
            NumberOfThreadsHighWatermark=len(process.threads),
            CreateTime=process.created,
            UserTime=user,
            KernelTime=kernel,
            ImageName=UNICODE_STRING(
                Length=len(name), MaximumLength=len(name) + 2, Buffer=address + len(result) + head
            ),
            BasePriority=8,
            UniqueProcessId=process.pid,
            HandleCount=len(process.handles),
            SessionId=SESSION,
            PrivatePageCount=process.space.committed,
            **counters.__dict__,
        ).pack(word)
        result += (entry + threads + name).ljust(size, b"\0")
    return result


def _thread_entry(process: Process, thread: Thread, extended: bool) -> Struct:
    user = int(thread.cpu_seconds * 1e7)
    running = thread is process.current_thread
    entry = SYSTEM_THREAD_INFORMATION(
        UserTime=user,
        CreateTime=thread.created,
        StartAddress=thread.start_address,
        ClientId=CLIENT_ID(UniqueProcess=process.pid, UniqueThread=thread.tid),
        Priority=8 + thread.priority,
        BasePriority=8 + thread.base_priority_increment,
        ContextSwitches=0,
        ThreadState=2 if running else 5,  # running, waiting
        WaitReason=0 if running else 6,  # user request
    )
    if not extended:
        return entry
    stack = thread.stack
    return SYSTEM_EXTENDED_THREAD_INFORMATION(
        ThreadInfo=entry,
        StackBase=stack.end if stack is not None else 0,
        StackLimit=stack.base if stack is not None else 0,
        Win32StartAddress=thread.start_address,
        TebBase=thread.teb,
    )


@QUERY.answers(SystemProcessorPerformanceInformation)
def _processor_performance(call: Call, subject: object, address: int) -> bytes:
    return b"".join(
        SYSTEM_PROCESSOR_PERFORMANCE_INFORMATION(
            IdleTime=t.idle,
            KernelTime=t.system + t.idle,  # NT counts idling as time in the kernel
            UserTime=t.user,
            DpcTime=t.soft_interrupt,
            InterruptTime=t.interrupt,
        ).pack(call.word)
        for t in memory_status.processor_times(os.cpu_count() or 1)
    )


@QUERY.answers(SystemModuleInformation, SystemModuleInformationEx)
def _modules(call: Call, subject: object, address: int) -> bytes:
    """Kernel addresses are nobody's business."""
    raise NtError(STATUS_ACCESS_DENIED)


@QUERY.answers(SystemHandleInformation)
def _handles(call: Call, subject: object, address: int) -> bytes:
    entries = [
        SYSTEM_HANDLE_TABLE_ENTRY_INFO(
            UniqueProcessId=process.pid & 0xFFFF,
            ObjectTypeIndex=_type_index(entry.object.type_name),
            HandleAttributes=2 if entry.inherit else 0,
            HandleValue=value & 0xFFFF,
            GrantedAccess=entry.access,
        ).pack(call.word)
        for process in call.process.system.processes.values()
        for value, entry in process.handles
    ]
    return len(entries).to_bytes(4, "little").ljust(call.word, b"\0") + b"".join(entries)


@QUERY.answers(SystemExtendedHandleInformation)
def _handles_extended(call: Call, subject: object, address: int) -> bytes:
    entries = [
        SYSTEM_HANDLE_TABLE_ENTRY_INFO_EX(
            UniqueProcessId=process.pid,
            HandleValue=value,
            GrantedAccess=entry.access,
            ObjectTypeIndex=_type_index(entry.object.type_name),
            HandleAttributes=2 if entry.inherit else 0,
        ).pack(call.word)
        for process in call.process.system.processes.values()
        for value, entry in process.handles
    ]
    return len(entries).to_bytes(call.word, "little") + bytes(call.word) + b"".join(entries)


# Object types in the order NT creates them, from number 2 on.
_TYPES = (
    "Type", "Directory", "SymbolicLink", "Token", "Job", "Process", "Thread", "Partition", "UserApcReserve",
    "IoCompletionReserve", "ActivityReference", "PsSiloContextPaged", "PsSiloContextNonPaged", "DebugObject", "Event",
    "Mutant", "Callback", "Semaphore", "Timer", "IRTimer", "Profile", "KeyedEvent", "WindowStation", "Desktop",
    "Composition", "RawInputManager", "CoreMessaging", "ActivationObject", "TpWorkerFactory", "Adapter", "Controller",
    "Device", "Driver", "IoCompletion", "WaitCompletionPacket", "File", "TmTm", "TmTx", "TmRm", "TmEn", "Section",
    "Session", "Key",
)  # fmt: skip


def _type_index(name: str) -> int:
    return _TYPES.index(name) + 2 if name in _TYPES else 0


@QUERY.answers(SystemFileCacheInformation)
def _file_cache(call: Call, subject: object, address: int) -> bytes:
    """The cache is the host's; a process's share of it is not known."""
    return bytes(8 * call.word)


@QUERY.answers(SystemInterruptInformation)
def _interrupts(call: Call, subject: object, address: int) -> bytes:
    """Programs stir this into random numbers, so that is what they get: 24 bytes a processor."""
    return os.urandom(24 * (os.cpu_count() or 1))


@QUERY.answers(SystemTimeAdjustmentInformation, exact=True)
def _time_adjustment(call: Call, subject: object, address: int) -> Struct:
    return SYSTEM_TIME_ADJUSTMENT(
        TimeAdjustment=_CLOCK_INTERVAL, TimeIncrement=_CLOCK_INTERVAL, TimeAdjustmentDisabled=1
    )


@QUERY.answers(SystemKernelDebuggerInformation)
def _kernel_debugger(call: Call, subject: object, address: int) -> Struct:
    return SYSTEM_KERNEL_DEBUGGER_INFORMATION(DebuggerEnabled=0, DebuggerNotPresent=1)


@QUERY.answers(SystemKernelDebuggerInformationEx)
def _kernel_debugger_extended(call: Call, subject: object, address: int) -> bytes:
    return bytes(3)  # allowed, enabled, present


@QUERY.answers(SystemRegistryQuotaInformation)
def _registry_quota(call: Call, subject: object, address: int) -> Struct:
    return SYSTEM_REGISTRY_QUOTA_INFORMATION(
        RegistryQuotaAllowed=0x2000000, RegistryQuotaUsed=0x200000, PagedPoolSize=0x200000
    )


@QUERY.answers(SystemDynamicTimeZoneInformation)
def _dynamic_time_zone(call: Call, subject: object, address: int) -> RTL_DYNAMIC_TIME_ZONE_INFORMATION:
    from lswd.kernel.registry.time_zone import host_zone

    zone = host_zone()
    return RTL_DYNAMIC_TIME_ZONE_INFORMATION(
        Bias=zone.rule.bias,
        StandardName=encode_wide(zone.standard_name)[:62],
        StandardDate=zone.rule.standard_date,
        StandardBias=zone.rule.standard_bias,
        DaylightName=encode_wide(zone.daylight_name)[:62],
        DaylightDate=zone.rule.daylight_date,
        DaylightBias=zone.rule.daylight_bias,
        TimeZoneKeyName=encode_wide(zone.key)[:254],
    )


@QUERY.answers(SystemCurrentTimeZoneInformation)
def _time_zone(call: Call, subject: object, address: int) -> bytes:
    """RTL_TIME_ZONE_INFORMATION: the same up to the key's name."""
    whole = _dynamic_time_zone(call, subject, address)
    return whole.pack(call.word)[: whole.offset(call.word, "TimeZoneKeyName")]


@QUERY.answers(SystemRecommendedSharedDataAlignment)
def _shared_data_alignment(call: Call, subject: object, address: int) -> bytes:
    return (64).to_bytes(4, "little")


@QUERY.answers(SystemLogicalProcessorInformation)
def _logical_processors(call: Call, subject: object, address: int) -> bytes:
    from lswd.kernel.topology import CORE, Topology

    topology = Topology()
    rows: list[tuple[int, int, tuple[int, int]]] = []
    for kind, mask, c in topology.parts:
        value = (int(kind == CORE and mask & (mask - 1) != 0), 0)
        if c is not None:
            value = (c.level | min(c.associativity, 255) << 8 | c.line << 16 | c.size << 32, c.kind)
        rows.append((mask, kind, value))
    rows.append((topology.all, _NODE, (0, 0)))
    return b"".join(
        SYSTEM_LOGICAL_PROCESSOR_INFORMATION(ProcessorMask=mask, Relationship=relationship, Value=value).pack(call.word)
        for mask, relationship, value in rows
    )


@QUERY.answers(SystemFirmwareTableInformation)
def _firmware_table(call: Call, subject: object, address: int) -> bytes:
    raise NtError(STATUS_NOT_IMPLEMENTED)


@QUERY.answers(SystemCodeIntegrityInformation)
def _code_integrity(call: Call, subject: object, address: int) -> bytes:
    return (8).to_bytes(4, "little") + (1).to_bytes(4, "little")  # length, CODEINTEGRITY_OPTION_ENABLED


@syscall(partial="kernel modules, firmware tables, and classes about drivers, pools and prefetching")
def NtQuerySystemInformation(
    call: Call,
    SystemInformationClass: ULONG,
    SystemInformation: PVOID,
    SystemInformationLength: ULONG,
    ReturnLength: Out[ULONG] | None,
) -> NTSTATUS:
    return QUERY.answer(call, None, SystemInformationClass, SystemInformation, SystemInformationLength, ReturnLength)


EXTENDED = QueryTable()


@EXTENDED.answers(SystemLogicalProcessorInformationEx)
def _logical_processors_extended(call: Call, query: bytes, address: int) -> bytes:
    """SYSTEM_LOGICAL_PROCESSOR_INFORMATION_EX entries of the relationship asked for (0xffff: all)."""
    from lswd.kernel.topology import CORE, Topology

    if len(query) < 4:
        raise NtError(STATUS_INVALID_PARAMETER)
    wanted = int.from_bytes(query[:4], "little")
    if wanted > _GROUP and wanted != _ALL:
        raise NtError(STATUS_INVALID_PARAMETER)
    topology = Topology()
    word = call.word

    def affinity(mask: int) -> bytes:  # GROUP_AFFINITY
        return mask.to_bytes(word, "little") + bytes(8)

    def entry(relationship: int, body: bytes) -> bytes:
        size = (8 + len(body) + word - 1) & -word
        return (relationship.to_bytes(4, "little") + size.to_bytes(4, "little") + body).ljust(size, b"\0")

    entries: list[tuple[int, bytes]] = []
    for kind, mask, c in topology.parts:
        if c is None:  # PROCESSOR_RELATIONSHIP
            flags = int(kind == CORE and mask & (mask - 1) != 0)
            entries.append((kind, bytes((flags,)) + bytes(21) + b"\x01\0" + affinity(mask)))
            continue
        head = bytes((c.level, min(c.associativity, 255))) + c.line.to_bytes(2, "little")
        head += c.size.to_bytes(4, "little") + c.kind.to_bytes(4, "little")
        entries.append((kind, head + bytes(18) + b"\x01\0" + affinity(mask)))
    entries.append((_NODE, bytes(22) + b"\x01\0" + affinity(topology.all)))
    counts = bytes((topology.count, topology.count)) + bytes(38) + topology.all.to_bytes(word, "little")
    entries.append((_GROUP, b"\x01\0\x01\0" + bytes(20) + counts))
    return b"".join(entry(number, body) for number, body in entries if wanted in (number, _ALL))


@EXTENDED.answers(SystemCpuSetInformation)
def _cpu_sets(call: Call, query: bytes, address: int) -> bytes:
    """SYSTEM_CPU_SET_INFORMATION, one a processor."""
    from lswd.kernel.topology import Topology

    topology = Topology()
    result = b""
    for number in range(topology.count):
        core = topology.core_of(number)
        head = (32).to_bytes(4, "little") + bytes(4) + (0x100 + number).to_bytes(4, "little")
        result += (head + bytes((0, 0, number, core, 0, 0))).ljust(32, b"\0")
    return result


@EXTENDED.answers(SystemSupportedProcessorArchitectures)
def _architectures(call: Call, query: bytes, address: int) -> bytes:
    """Machine in the low word; behind it: kernel mode, user mode, native, process. A zero ends the list."""
    flags = 0b1111
    return (0x8664 | flags << 16).to_bytes(4, "little") + bytes(4)


@syscall(partial="processor, CPU set and architecture classes only")
def NtQuerySystemInformationEx(
    call: Call,
    SystemInformationClass: ULONG,
    InputBuffer: PVOID,
    InputBufferLength: ULONG,
    SystemInformation: PVOID,
    SystemInformationLength: ULONG,
    ReturnLength: Out[ULONG] | None,
) -> NTSTATUS:
    if not InputBuffer or not 0 < InputBufferLength <= 64:
        return STATUS_INVALID_PARAMETER
    query = call.space.read(InputBuffer, InputBufferLength)
    return EXTENDED.answer(
        call, query, SystemInformationClass, SystemInformation, SystemInformationLength, ReturnLength
    )
