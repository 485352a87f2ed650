"""NtQuerySystemInformation; what it tells of processes, processors and the time zone is in modules of their own.

Source: Microsoft "NtQuerySystemInformation", "GetLogicalProcessorInformation", ntddk.h and winternl.h; classes,
lengths and statuses measured.
"""

from __future__ import annotations

import os
import time

from lswd.kernel import memory_status
from lswd.kernel.wait import system_time
from lswd.nt.declare import Call, Out, syscall
from lswd.nt.information import QueryTable
from lswd.nt.process_counters import all_processors
from lswd.ntdef.status import (
    STATUS_ACCESS_DENIED,
    STATUS_NOT_IMPLEMENTED,
    NtError,
)
from lswd.ntdef.types import (
    BOOLEAN,
    LARGE_INTEGER,
    NTSTATUS,
    PVOID,
    SIZE_T,
    UCHAR,
    ULONG,
    ULONG_PTR,
    ULONGLONG,
    USHORT,
    Struct,
    raw,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    pass

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
SystemNativeBasicInformation = 114
SystemKernelDebuggerInformationEx = 149

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


QUERY = QueryTable()
QUERY.defer(
    "lswd.nt.system_processes",
    SystemProcessInformation,
    SystemExtendedProcessInformation,
    SystemHandleInformation,
    SystemExtendedHandleInformation,
)
QUERY.defer("lswd.nt.system_modules", SystemModuleInformation)
QUERY.defer("lswd.nt.system_processors", SystemProcessorPerformanceInformation, SystemLogicalProcessorInformation)
QUERY.defer("lswd.nt.system_time_zone", SystemCurrentTimeZoneInformation, SystemDynamicTimeZoneInformation)


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


@QUERY.answers(SystemModuleInformationEx)
def _modules(call: Call, subject: object, address: int) -> bytes:
    """Kernel addresses are nobody's business."""
    raise NtError(STATUS_ACCESS_DENIED)


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


@QUERY.answers(SystemRecommendedSharedDataAlignment)
def _shared_data_alignment(call: Call, subject: object, address: int) -> bytes:
    return (64).to_bytes(4, "little")


@QUERY.answers(SystemFirmwareTableInformation)
def _firmware_table(call: Call, subject: object, address: int) -> bytes:
    raise NtError(STATUS_NOT_IMPLEMENTED)


@QUERY.answers(SystemCodeIntegrityInformation)
def _code_integrity(call: Call, subject: object, address: int) -> bytes:
    return (8).to_bytes(4, "little") + (1).to_bytes(4, "little")  # length, CODEINTEGRITY_OPTION_ENABLED


@syscall(partial="firmware tables, and classes about drivers, pools and prefetching")
def NtQuerySystemInformation(
    call: Call,
    SystemInformationClass: ULONG,
    SystemInformation: PVOID,
    SystemInformationLength: ULONG,
    ReturnLength: Out[ULONG] | None,
) -> NTSTATUS:
    return QUERY.answer(call, None, SystemInformationClass, SystemInformation, SystemInformationLength, ReturnLength)
