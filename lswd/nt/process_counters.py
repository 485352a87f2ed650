"""What a process has used, in NT's structures: I/O, memory, processor time.

Source: Microsoft "IO_COUNTERS", ntddk.h VM_COUNTERS and KERNEL_USER_TIMES.
"""

from __future__ import annotations

import os

from lswd.ntdef.types import LARGE_INTEGER, SIZE_T, ULONG, ULONGLONG, Struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.kernel.process import Process


class IO_COUNTERS(Struct):
    ReadOperationCount: ULONGLONG
    WriteOperationCount: ULONGLONG
    OtherOperationCount: ULONGLONG
    ReadTransferCount: ULONGLONG
    WriteTransferCount: ULONGLONG
    OtherTransferCount: ULONGLONG


class VM_COUNTERS(Struct):
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


class KERNEL_USER_TIMES(Struct):
    CreateTime: LARGE_INTEGER
    ExitTime: LARGE_INTEGER
    KernelTime: LARGE_INTEGER
    UserTime: LARGE_INTEGER


def all_processors() -> int:
    """The mask of all processors."""
    return (1 << (os.cpu_count() or 1)) - 1


def processor_times(process: Process) -> tuple[int, int]:
    """User and kernel time used so far, in 100 ns units.

    The first process of a launch is charged with all the host has spent on it, others with the turns they had.
    """
    if process.parent_pid:
        return int(process.cpu_seconds * 1e7), 0
    times = os.times()
    return int(times.user * 1e7), int(times.system * 1e7)


def io_counters() -> IO_COUNTERS:
    """What the host counts for the process that runs the guest (proc(5), /proc/pid/io)."""
    try:
        with open("/proc/self/io", "rb") as file:
            counts = dict(line.split(b": ") for line in file.read().splitlines())
    except (OSError, ValueError):
        counts = {}
    return IO_COUNTERS(
        ReadOperationCount=int(counts.get(b"syscr", 0)),
        WriteOperationCount=int(counts.get(b"syscw", 0)),
        ReadTransferCount=int(counts.get(b"rchar", 0)),
        WriteTransferCount=int(counts.get(b"wchar", 0)),
    )


def vm_counters(process: Process) -> VM_COUNTERS:
    """The guest's memory; what is committed counts as the working set, since the host's figures include ours."""
    space = process.space
    size = sum(region.size for region in space.regions())
    return VM_COUNTERS(
        PeakVirtualSize=size,
        VirtualSize=size,
        PeakWorkingSetSize=space.peak_committed,
        WorkingSetSize=space.committed,
        PagefileUsage=space.committed,
        PeakPagefileUsage=space.peak_committed,
    )
