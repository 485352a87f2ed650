"""NtQueryInformationProcess and NtSetInformationProcess.

Source: Microsoft "NtQueryInformationProcess", ntddk.h PROCESSINFOCLASS; lengths and statuses measured.
"""

from __future__ import annotations

import os

from lswd.kernel.debug_object import DEBUG_ALL_ACCESS
from lswd.kernel.process import (
    PROCESS_QUERY_LIMITED_INFORMATION,
    PROCESS_SET_INFORMATION,
    Process,
)
from lswd.memory.protection import PAGE_READWRITE
from lswd.nt.declare import Call, Handle, Out, syscall
from lswd.nt.information import QueryTable, SetTable
from lswd.nt.object import counted_string
from lswd.nt.process_counters import (
    KERNEL_USER_TIMES,
    VM_COUNTERS,
    all_processors,
    io_counters,
    processor_times,
    vm_counters,
)
from lswd.nt.section import image_information
from lswd.ntdef.status import (
    STATUS_ACCESS_DENIED,
    STATUS_INFO_LENGTH_MISMATCH,
    STATUS_INVALID_PARAMETER,
    STATUS_PORT_NOT_SET,
    STATUS_PRIVILEGE_NOT_HELD,
    STATUS_PROCESS_IS_TERMINATING,
    STATUS_SUCCESS,
    NtError,
)
from lswd.ntdef.types import (
    BOOLEAN,
    LARGE_INTEGER,
    LONG,
    NTSTATUS,
    PVOID,
    SIZE_T,
    UCHAR,
    ULONG,
    ULONG_PTR,
    Struct,
    array,
)

ProcessBasicInformation = 0
ProcessQuotaLimits = 1
ProcessIoCounters = 2
ProcessVmCounters = 3
ProcessTimes = 4
ProcessBasePriority = 5
ProcessDebugPort = 7
ProcessDefaultHardErrorMode = 12
ProcessPriorityClass = 18
ProcessWx86Information = 19
ProcessHandleCount = 20
ProcessAffinityMask = 21
ProcessPriorityBoost = 22
ProcessSessionInformation = 24
ProcessWow64Information = 26
ProcessImageFileName = 27
ProcessBreakOnTermination = 29
ProcessDebugObjectHandle = 30
ProcessDebugFlags = 31
ProcessExecuteFlags = 34
ProcessCookie = 36
ProcessImageInformation = 37
ProcessThreadStackAllocation = 41
ProcessImageFileNameWin32 = 43
ProcessGroupInformation = 47
ProcessTelemetryIdInformation = 64

SESSION = 1  # the interactive session

# PROCESS_PRIORITY_CLASS: idle, normal, high, real-time, below normal, above normal.
_PRIORITY_CLASSES = range(1, 7)

# ProcessExecuteFlags (winternl.h MEM_EXECUTE_OPTION_*).
_EXECUTE_PERMANENT = 8
_EXECUTE_MASK = 0x7F


class PROCESS_BASIC_INFORMATION(Struct):
    ExitStatus: NTSTATUS
    PebBaseAddress: PVOID
    AffinityMask: ULONG_PTR
    BasePriority: LONG
    UniqueProcessId: ULONG_PTR
    InheritedFromUniqueProcessId: ULONG_PTR


class VM_COUNTERS_EX(Struct):
    Counters: VM_COUNTERS
    PrivateUsage: SIZE_T


class QUOTA_LIMITS(Struct):
    PagedPoolLimit: SIZE_T
    NonPagedPoolLimit: SIZE_T
    MinimumWorkingSetSize: SIZE_T
    MaximumWorkingSetSize: SIZE_T
    PagefileLimit: SIZE_T
    TimeLimit: LARGE_INTEGER


class PROCESS_PRIORITY_CLASS(Struct):
    Foreground: BOOLEAN
    PriorityClass: UCHAR


class PROCESS_STACK_ALLOCATION_INFORMATION(Struct):
    ReserveSize: SIZE_T
    ZeroBits: SIZE_T
    StackBase: PVOID


class PROCESS_STACK_ALLOCATION_INFORMATION_EX(Struct):
    PreferredNode: ULONG
    Reserved: tuple[int, ...] = array(ULONG, 3)
    AllocInfo: PROCESS_STACK_ALLOCATION_INFORMATION


class _AFFINITY(Struct):
    Mask: ULONG_PTR


QUERY = QueryTable(exact=True)
SET = SetTable()


@QUERY.answers(ProcessBasicInformation)
def _basic(call: Call, process: Process, address: int) -> Struct:
    return PROCESS_BASIC_INFORMATION(
        ExitStatus=process.exit_status,
        PebBaseAddress=process.peb,
        AffinityMask=process.affinity or all_processors(),
        BasePriority=process.priority_class,  # the class, not a level: what Wine's GetPriorityClass reads
        UniqueProcessId=process.pid,
        InheritedFromUniqueProcessId=process.parent_pid,
    )


@QUERY.answers(ProcessQuotaLimits)
def _quota_limits(call: Call, process: Process, address: int) -> Struct:
    """The working set limits every Windows process starts with; nothing else is limited."""
    none = (1 << 8 * call.word) - 1
    return QUOTA_LIMITS(
        PagedPoolLimit=none,
        NonPagedPoolLimit=none,
        MinimumWorkingSetSize=50 << 12,
        MaximumWorkingSetSize=345 << 12,
        PagefileLimit=none,
        TimeLimit=-1,
    )


@QUERY.answers(ProcessIoCounters)
def _io_counters(call: Call, process: Process, address: int) -> Struct:
    return io_counters()


@QUERY.answers(ProcessVmCounters, older=VM_COUNTERS)
def _vm_counters(call: Call, process: Process, address: int) -> Struct:
    return VM_COUNTERS_EX(Counters=vm_counters(process), PrivateUsage=process.space.committed)


@QUERY.answers(ProcessTimes)
def _times(call: Call, process: Process, address: int) -> Struct:
    user, kernel = processor_times(process)
    return KERNEL_USER_TIMES(CreateTime=process.created, ExitTime=process.exited, KernelTime=kernel, UserTime=user)


@QUERY.answers(ProcessWow64Information)
def _no_pointer(call: Call, process: Process, address: int) -> bytes:
    """No process of ours runs under WoW64."""
    return bytes(call.word)


@QUERY.answers(ProcessDebugPort)
def _debug_port(call: Call, process: Process, address: int) -> bytes:
    return call.pointer(-1 if process.debugger is not None else 0)


@QUERY.answers(
    ProcessDebugObjectHandle, status=lambda process: STATUS_SUCCESS if process.debugger else STATUS_PORT_NOT_SET
)
def _debug_object(call: Call, process: Process, address: int) -> bytes:
    if process.debugger is None:
        return bytes(call.word)
    return call.pointer(call.process.handles.add(process.debugger, DEBUG_ALL_ACCESS))


@QUERY.answers(ProcessDebugFlags)
def _debug_flags(call: Call, process: Process, address: int) -> bytes:
    return _ulong(int(process.debug_children))


@QUERY.answers(ProcessBreakOnTermination)
def _break_on_termination(call: Call, process: Process, address: int) -> bytes:
    return _ulong(0)


@QUERY.answers(ProcessDefaultHardErrorMode)
def _error_mode(call: Call, process: Process, address: int) -> bytes:
    return _ulong(process.error_mode)


@QUERY.answers(ProcessPriorityClass)
def _priority_class(call: Call, process: Process, address: int) -> Struct:
    return PROCESS_PRIORITY_CLASS(Foreground=0, PriorityClass=process.priority_class)


@QUERY.answers(ProcessHandleCount, older=4)
def _handle_count(call: Call, process: Process, address: int) -> bytes:
    return 2 * _ulong(len(process.handles))  # now, and the most there have been


@QUERY.answers(ProcessAffinityMask)
def _affinity(call: Call, process: Process, address: int) -> bytes:
    return call.pointer(process.affinity or all_processors())


@QUERY.answers(ProcessGroupInformation)
def _groups(call: Call, process: Process, address: int) -> bytes:
    return bytes(2)  # the numbers of the processor groups with threads of it: there is one group


@QUERY.answers(ProcessSessionInformation)
def _session(call: Call, process: Process, address: int) -> bytes:
    return _ulong(SESSION)


@QUERY.answers(ProcessExecuteFlags)
def _execute_flags(call: Call, process: Process, address: int) -> bytes:
    # A 64-bit process never executes data: disabled, no thunk emulation, for good.
    return _ulong(0x0D if call.word == 8 else process.execute_flags)


@QUERY.answers(ProcessCookie)
def _cookie(call: Call, process: Process, address: int) -> bytes:
    if process is not call.process:
        raise NtError(STATUS_INVALID_PARAMETER)
    if not process.cookie:
        process.cookie = int.from_bytes(os.urandom(4), "little") | 1
    return _ulong(process.cookie)


@QUERY.answers(ProcessImageInformation)
def _image_information(call: Call, process: Process, address: int) -> Struct:
    if process.image is None:
        raise NtError(STATUS_PROCESS_IS_TERMINATING)
    result = image_information(process.image.image)
    result.TransferAddress = process.image_base + process.image.image.entry_rva
    return result


@QUERY.answers(ProcessImageFileName, exact=False)
def _image_file_name(call: Call, process: Process, address: int) -> bytes:
    return counted_string(call, process.system.volume_name(_image_name(process)), address)


@QUERY.answers(ProcessImageFileNameWin32, exact=False)
def _image_file_name_win32(call: Call, process: Process, address: int) -> bytes:
    return counted_string(call, _image_name(process), address)


def _image_name(process: Process) -> str:
    return process.image.dos_name if process.image is not None else ""


def _ulong(value: int) -> bytes:
    return (value & 0xFFFFFFFF).to_bytes(4, "little")


@SET.takes(ProcessDefaultHardErrorMode, size=4)
def _set_error_mode(call: Call, process: Process, data: bytes) -> None:
    process.error_mode = int.from_bytes(data, "little")


@SET.takes(ProcessPriorityClass, size=PROCESS_PRIORITY_CLASS)
def _set_priority_class(call: Call, process: Process, data: bytes) -> None:
    wanted = PROCESS_PRIORITY_CLASS.unpack(call.word, data).PriorityClass
    if wanted not in _PRIORITY_CLASSES:
        raise NtError(STATUS_INVALID_PARAMETER)
    process.priority_class = wanted


@SET.takes(ProcessAffinityMask, size=_AFFINITY)
def _set_affinity(call: Call, process: Process, data: bytes) -> None:
    mask = _AFFINITY.unpack(call.word, data).Mask
    if not mask or mask & ~all_processors():
        raise NtError(STATUS_INVALID_PARAMETER)
    process.affinity = mask
    for thread in process.threads:
        thread.affinity = mask


@SET.takes(ProcessExecuteFlags, size=4)
def _set_execute_flags(call: Call, process: Process, data: bytes) -> None:
    flags = int.from_bytes(data, "little")
    if call.word == 8 or flags & ~_EXECUTE_MASK or flags & 3 in (0, 3):
        raise NtError(STATUS_INVALID_PARAMETER)
    if process.execute_flags & _EXECUTE_PERMANENT:
        raise NtError(STATUS_ACCESS_DENIED)
    process.execute_flags = flags


@SET.takes(ProcessBreakOnTermination, size=4)
def _set_break_on_termination(call: Call, process: Process, data: bytes) -> None:
    """Needs SeDebugPrivilege, enabled: programs that ask are told that it is not."""
    raise NtError(STATUS_PRIVILEGE_NOT_HELD)


@SET.takes(ProcessQuotaLimits, size=QUOTA_LIMITS, exact=False)
def _set_quota_limits(call: Call, process: Process, data: bytes) -> None:
    """Working set sizes are hints to a memory manager that the host has instead."""
    limits = QUOTA_LIMITS.unpack(call.word, data)
    if not limits.MinimumWorkingSetSize <= limits.MaximumWorkingSetSize:
        raise NtError(STATUS_INVALID_PARAMETER)


def _allocate_stack(call: Call, process: Process, buffer: int, length: int) -> int:
    """Reserve a stack, for a fiber; ntdll commits what it wants of it. The one class that answers into its buffer."""
    word = call.word
    if length == PROCESS_STACK_ALLOCATION_INFORMATION_EX.size(word):
        buffer += PROCESS_STACK_ALLOCATION_INFORMATION_EX.offset(word, "AllocInfo")
    elif length != PROCESS_STACK_ALLOCATION_INFORMATION.size(word):
        return STATUS_INFO_LENGTH_MISMATCH
    size = PROCESS_STACK_ALLOCATION_INFORMATION.size(word)
    wanted = PROCESS_STACK_ALLOCATION_INFORMATION.unpack(word, call.space.read(buffer, size))
    call.space.probe_write(buffer, size)
    if not wanted.ReserveSize:
        return STATUS_INVALID_PARAMETER
    wanted.StackBase = process.living_space().reserve(0, wanted.ReserveSize, PAGE_READWRITE, name="stack").base
    call.space.write(buffer, wanted.pack(word))
    return STATUS_SUCCESS


@syscall(
    access={"ProcessHandle": PROCESS_QUERY_LIMITED_INFORMATION},
    partial="job, I/O priority, telemetry and mitigation classes",
)
def NtQueryInformationProcess(
    call: Call,
    ProcessHandle: Handle[Process],
    ProcessInformationClass: ULONG,
    ProcessInformation: PVOID,
    ProcessInformationLength: ULONG,
    ReturnLength: Out[ULONG] | None,
) -> NTSTATUS:
    return QUERY.answer(
        call, ProcessHandle, ProcessInformationClass, ProcessInformation, ProcessInformationLength, ReturnLength
    )


@syscall(access={"ProcessHandle": PROCESS_SET_INFORMATION}, partial="job, I/O priority and mitigation classes")
def NtSetInformationProcess(
    call: Call,
    ProcessHandle: Handle[Process],
    ProcessInformationClass: ULONG,
    ProcessInformation: PVOID,
    ProcessInformationLength: ULONG,
) -> NTSTATUS:
    if ProcessInformationClass == ProcessThreadStackAllocation:
        return _allocate_stack(call, ProcessHandle, ProcessInformation, ProcessInformationLength)
    return SET.apply(call, ProcessHandle, ProcessInformationClass, ProcessInformation, ProcessInformationLength)
