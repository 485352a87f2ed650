"""Processors: the classes of NtQuerySystemInformation about them, and NtQuerySystemInformationEx.

Source: Microsoft "GetLogicalProcessorInformationEx", "GetSystemCpuSetInformation", winnt.h.
"""

from __future__ import annotations

import os

from lswd.kernel import memory_status
from lswd.kernel.environment_block import KUSER_SHARED_DATA
from lswd.kernel.start import SHARED_DATA
from lswd.nt.declare import Call, Out, syscall
from lswd.nt.information import QueryTable
from lswd.nt.system_information import (
    QUERY,
    SystemLogicalProcessorInformation,
    SystemProcessorPerformanceInformation,
)
from lswd.ntdef.status import (
    STATUS_INVALID_PARAMETER,
    NtError,
)
from lswd.ntdef.types import (
    LARGE_INTEGER,
    NTSTATUS,
    PVOID,
    ULONG,
    ULONG_PTR,
    ULONGLONG,
    Struct,
    array,
)

PROCESSOR_FEATURE_MAX = 64
SystemLogicalProcessorInformationEx = 107
SystemCpuSetInformation = 175
SystemSupportedProcessorArchitectures = 181

# LOGICAL_PROCESSOR_RELATIONSHIP beyond those in kernel.topology
_NODE = 1
_GROUP = 4
_ALL = 0xFFFF


class SYSTEM_PROCESSOR_PERFORMANCE_INFORMATION(Struct):
    IdleTime: LARGE_INTEGER
    KernelTime: LARGE_INTEGER
    UserTime: LARGE_INTEGER
    DpcTime: LARGE_INTEGER
    InterruptTime: LARGE_INTEGER
    InterruptCount: ULONG


class SYSTEM_LOGICAL_PROCESSOR_INFORMATION(Struct):
    ProcessorMask: ULONG_PTR
    Relationship: ULONG
    Value: tuple[int, ...] = array(ULONGLONG, 2)  # flags, node number or a CACHE_DESCRIPTOR


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


EXTENDED = QueryTable()


@EXTENDED.answers(SystemProcessorPerformanceInformation)
def _processor_performance_of_group(call: Call, query: bytes, address: int) -> bytes:
    if len(query) != 2 or any(query):  # there is but one group
        raise NtError(STATUS_INVALID_PARAMETER)
    return _processor_performance(call, None, address)


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
        return call.pointer(mask) + bytes(8)

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
    counts = bytes((topology.count, topology.count)) + bytes(38) + call.pointer(topology.all)
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


@syscall
def NtWow64IsProcessorFeaturePresent(call: Call, ProcessorFeature: ULONG) -> ULONG:
    """What KUSER_SHARED_DATA says; newer 32-bit userlands ask instead of looking."""
    if ProcessorFeature >= PROCESSOR_FEATURE_MAX:
        return 0
    return call.space.read(SHARED_DATA + KUSER_SHARED_DATA.ProcessorFeatures + ProcessorFeature, 1)[0]
