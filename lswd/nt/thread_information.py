"""NtQueryInformationThread and NtSetInformationThread.

Source: Microsoft "NtQueryInformationThread", ntddk.h THREADINFOCLASS, "SetThreadPriority", "SetThreadDescription".
"""

from __future__ import annotations

import struct

from lswd.cpu.context import context_type
from lswd.kernel.environment_block import TLS_EXPANSION_SLOTS, TLS_SLOTS
from lswd.kernel.object import KernelObject
from lswd.kernel.thread import (
    THREAD_GET_CONTEXT,
    THREAD_QUERY_LIMITED_INFORMATION,
    THREAD_SET_CONTEXT,
    THREAD_SET_LIMITED_INFORMATION,
    Thread,
)
from lswd.nt.declare import Call, Out, decode_wide, syscall
from lswd.nt.information import QueryTable, SetTable
from lswd.nt.object import counted_string
from lswd.nt.process_counters import KERNEL_USER_TIMES, all_processors
from lswd.ntdef.status import (
    STATUS_BUFFER_TOO_SMALL,
    STATUS_INFO_LENGTH_MISMATCH,
    STATUS_INVALID_PARAMETER,
    STATUS_PENDING,
    NtError,
)
from lswd.ntdef.types import (
    CLIENT_ID,
    HANDLE,
    LONG,
    NTSTATUS,
    PVOID,
    ULONG,
    ULONG_PTR,
    ULONGLONG,
    UNICODE_STRING,
    USHORT,
    Struct,
    array,
)

# THREADINFOCLASS
ThreadBasicInformation = 0
ThreadTimes = 1
ThreadPriority = 2
ThreadBasePriority = 3
ThreadAffinityMask = 4
ThreadImpersonationToken = 5
ThreadQuerySetWin32StartAddress = 9
ThreadZeroTlsCell = 10
ThreadPerformanceCount = 11
ThreadAmILastThread = 12
ThreadIdealProcessor = 13
ThreadPriorityBoost = 14
ThreadIsIoPending = 16
ThreadHideFromDebugger = 17
ThreadBreakOnTermination = 18
ThreadIsTerminated = 20
ThreadIoPriority = 22
ThreadCycleTime = 23
ThreadPagePriority = 24
ThreadWow64Context = 29
ThreadGroupInformation = 30
ThreadIdealProcessorEx = 33
ThreadSuspendCount = 35
ThreadNameInformation = 38

_HIGHEST_PRIORITY = 31
# What SetThreadPriority may ask for: two steps around the process's own, idle and time critical.
_INCREMENTS = (-15, -2, -1, 0, 1, 2, 15, 16, -16)
_TLS_SLOTS = 64
_TLS_EXPANSION_SLOTS = 1024
_NORMAL_IO_PRIORITY = 2
_NORMAL_PAGE_PRIORITY = 5

QUERY = QueryTable(exact=True)
SET = SetTable()


class THREAD_BASIC_INFORMATION(Struct):
    ExitStatus: NTSTATUS
    TebBaseAddress: PVOID
    ClientId: CLIENT_ID
    AffinityMask: ULONG_PTR
    Priority: LONG
    BasePriority: LONG


class THREAD_CYCLE_TIME_INFORMATION(Struct):
    AccumulatedCycles: ULONGLONG
    CurrentCycleCount: ULONGLONG


class _POINTER(Struct):
    Value: ULONG_PTR


class GROUP_AFFINITY(Struct):
    Mask: ULONG_PTR
    Group: USHORT
    Reserved: tuple[int, ...] = array(USHORT, 3)


def _affinity(thread: Thread) -> int:
    return thread.affinity or thread.process.affinity or all_processors()


def _ulong(value: int) -> bytes:
    return struct.pack("<I", value)


@QUERY.answers(ThreadBasicInformation)
def _basic(call: Call, thread: Thread, address: int) -> Struct:
    """Wine's GetThreadPriority takes Priority for what Windows' takes from BasePriority: both get the increment."""
    return THREAD_BASIC_INFORMATION(
        ExitStatus=thread.exit_status if thread.terminated else STATUS_PENDING,
        TebBaseAddress=0 if thread.terminated else thread.teb,
        ClientId=CLIENT_ID(UniqueProcess=thread.process.pid, UniqueThread=thread.tid),
        AffinityMask=_affinity(thread),
        Priority=thread.base_priority_increment,
        BasePriority=thread.base_priority_increment,
    )


@QUERY.answers(ThreadTimes)
def _times(call: Call, thread: Thread, address: int) -> Struct:
    """System calls count as user time: nobody looks at the clock between them and the guest."""
    return KERNEL_USER_TIMES(
        CreateTime=thread.created, ExitTime=thread.exited, KernelTime=0, UserTime=int(thread.cpu_seconds * 1e7)
    )


@QUERY.answers(ThreadAffinityMask)
def _affinity_mask(call: Call, thread: Thread, address: int) -> bytes:
    return call.pointer(_affinity(thread))


@QUERY.answers(ThreadGroupInformation)
def _group(call: Call, thread: Thread, address: int) -> Struct:
    return GROUP_AFFINITY(Mask=_affinity(thread))


@QUERY.answers(ThreadQuerySetWin32StartAddress)
def _start_address(call: Call, thread: Thread, address: int) -> bytes:
    return call.pointer(thread.start_address)


@QUERY.answers(ThreadPerformanceCount)
def _performance_count(call: Call, thread: Thread, address: int) -> bytes:
    """NT answers 0 too."""
    return bytes(8)


@QUERY.answers(ThreadAmILastThread)
def _am_i_last(call: Call, thread: Thread, address: int) -> bytes:
    return _ulong(len(thread.process.threads) == 1)


@QUERY.answers(ThreadPriorityBoost)
def _priority_boost(call: Call, thread: Thread, address: int) -> bytes:
    return _ulong(thread.boost_disabled)


@QUERY.answers(ThreadIsIoPending)
def _io_pending(call: Call, thread: Thread, address: int) -> bytes:
    return _ulong(thread.task_scope is not None)


@QUERY.answers(ThreadHideFromDebugger)
def _hidden(call: Call, thread: Thread, address: int) -> bytes:
    return bytes((thread.hide_from_debugger,))


@QUERY.answers(ThreadBreakOnTermination)
def _break_on_termination(call: Call, thread: Thread, address: int) -> bytes:
    return _ulong(0)


@QUERY.answers(ThreadIsTerminated)
def _terminated(call: Call, thread: Thread, address: int) -> bytes:
    return _ulong(thread.terminated)


@QUERY.answers(ThreadIoPriority)
def _io_priority(call: Call, thread: Thread, address: int) -> bytes:
    return _ulong(_NORMAL_IO_PRIORITY)


@QUERY.answers(ThreadPagePriority)
def _page_priority(call: Call, thread: Thread, address: int) -> bytes:
    return _ulong(_NORMAL_PAGE_PRIORITY)


@QUERY.answers(ThreadCycleTime)
def _cycles(call: Call, thread: Thread, address: int) -> Struct:
    """Nanoseconds stand in for cycles."""
    return THREAD_CYCLE_TIME_INFORMATION(AccumulatedCycles=int(thread.cpu_seconds * 1e9))


@QUERY.answers(ThreadIdealProcessorEx)
def _ideal_processor(call: Call, thread: Thread, address: int) -> bytes:
    return bytes((0, 0, thread.ideal_processor, 0))  # PROCESSOR_NUMBER: group (two bytes) and number


@QUERY.answers(ThreadSuspendCount)
def _suspend_count(call: Call, thread: Thread, address: int) -> bytes:
    return _ulong(thread.suspend_count)


@QUERY.answers(ThreadNameInformation, exact=False, too_small=STATUS_BUFFER_TOO_SMALL)
def _name(call: Call, thread: Thread, address: int) -> bytes:
    """The text is not terminated."""
    data = counted_string(call, thread.description, address)
    return data[:-2] if thread.description else data


def _thread(call: Call, handle: int, access: int) -> Thread:
    thread = call.process.handles.get(handle, Thread, access)
    assert isinstance(thread, Thread)
    return thread


def _32_bit_thread(call: Call, handle: int, access: int, length: int) -> Thread:
    """Whose registers a 64-bit caller, which has a buffer of ``length``, means by ThreadWow64Context."""
    thread = _thread(call, handle, access)
    if thread.process.space.word != 4:
        raise NtError(STATUS_INVALID_PARAMETER)
    if length != context_type(4).size:
        raise NtError(STATUS_INFO_LENGTH_MISMATCH)
    return thread


@syscall(partial="TEB and profiling classes")
async def NtQueryInformationThread(
    call: Call,
    ThreadHandle: HANDLE,
    ThreadInformationClass: ULONG,
    ThreadInformation: PVOID,
    ThreadInformationLength: ULONG,
    ReturnLength: Out[ULONG] | None,
) -> NTSTATUS:
    if ThreadInformationClass == ThreadWow64Context and call.word == 8:
        from lswd.nt.thread import get_context

        thread = _32_bit_thread(call, ThreadHandle, THREAD_GET_CONTEXT, ThreadInformationLength)
        status = await get_context(call, thread, ThreadInformation)
        if not status and ReturnLength is not None:
            ReturnLength.set(ThreadInformationLength)
        return status
    thread = _thread(call, ThreadHandle, THREAD_QUERY_LIMITED_INFORMATION)
    return QUERY.answer(call, thread, ThreadInformationClass, ThreadInformation, ThreadInformationLength, ReturnLength)


def _signed(data: bytes) -> int:
    return int.from_bytes(data, "little", signed=True)


@SET.takes(ThreadPriority, size=4)
def _set_priority(call: Call, thread: Thread, data: bytes) -> None:
    priority = _signed(data)
    if not 0 < priority <= _HIGHEST_PRIORITY:
        raise NtError(STATUS_INVALID_PARAMETER)
    thread.priority = priority


@SET.takes(ThreadBasePriority, size=4)
def _set_base_priority(call: Call, thread: Thread, data: bytes) -> None:
    """Remembered: threads take turns first come, first served."""
    increment = _signed(data)
    if increment not in _INCREMENTS:
        raise NtError(STATUS_INVALID_PARAMETER)
    thread.base_priority_increment = increment


def _set_mask(thread: Thread, mask: int) -> None:
    allowed = thread.process.affinity or all_processors()
    if not mask or mask & ~allowed:
        raise NtError(STATUS_INVALID_PARAMETER)
    thread.affinity = mask


@SET.takes(ThreadAffinityMask, size=_POINTER)
def _set_affinity(call: Call, thread: Thread, data: bytes) -> None:
    _set_mask(thread, int.from_bytes(data, "little"))


@SET.takes(ThreadGroupInformation, size=GROUP_AFFINITY)
def _set_group(call: Call, thread: Thread, data: bytes) -> None:
    group = GROUP_AFFINITY.unpack(call.word, data)
    if group.Group or any(group.Reserved):
        raise NtError(STATUS_INVALID_PARAMETER)
    _set_mask(thread, group.Mask)


@SET.takes(ThreadImpersonationToken, size=_POINTER)
def _set_impersonation_token(call: Call, thread: Thread, data: bytes) -> None:
    handle = int.from_bytes(data, "little")
    thread.impersonation_token = call.process.handles.get(handle, _token_type()) if handle else None


def _token_type() -> type[KernelObject]:
    from lswd.kernel.token import Token

    return Token


@SET.takes(ThreadQuerySetWin32StartAddress, size=_POINTER)
def _set_start_address(call: Call, thread: Thread, data: bytes) -> None:
    thread.start_address = int.from_bytes(data, "little")


@SET.takes(ThreadZeroTlsCell, size=4)
def _zero_tls_cell(call: Call, thread: Thread, data: bytes) -> None:
    """In every thread of the caller's process."""
    index = int.from_bytes(data, "little")
    word, space = call.word, call.space
    if index >= _TLS_SLOTS + _TLS_EXPANSION_SLOTS:
        raise NtError(STATUS_INVALID_PARAMETER)
    for each in call.process.threads:
        if index < _TLS_SLOTS:
            space.write_pointer(each.teb + TLS_SLOTS[word] + word * index, 0)
        else:
            table = space.read_pointer(each.teb + TLS_EXPANSION_SLOTS[word])
            if table:
                space.write_pointer(table + word * (index - _TLS_SLOTS), 0)


@SET.takes(ThreadIdealProcessor, size=4)
def _set_ideal_processor(call: Call, thread: Thread, data: bytes) -> None:
    """A hint."""
    if int.from_bytes(data, "little") > 64:  # MAXIMUM_PROCESSORS itself asks for the current one
        raise NtError(STATUS_INVALID_PARAMETER)


@SET.takes(ThreadIdealProcessorEx, size=4)
def _set_ideal_processor_of_group(call: Call, thread: Thread, data: bytes) -> None:
    """A hint, too, but one that is remembered."""
    if any(data[:2]) or data[3] or not all_processors() >> data[2] & 1:
        raise NtError(STATUS_INVALID_PARAMETER)
    thread.ideal_processor = data[2]


@SET.takes(ThreadPriorityBoost, size=4)
def _set_priority_boost(call: Call, thread: Thread, data: bytes) -> None:
    thread.boost_disabled = any(data)


@SET.takes(ThreadHideFromDebugger, size=0)
def _hide(call: Call, thread: Thread, data: bytes) -> None:
    thread.hide_from_debugger = True


@SET.takes(ThreadIoPriority, ThreadPagePriority, size=4)
def _set_hint(call: Call, thread: Thread, data: bytes) -> None:
    """Hints to managers that the host has instead."""


@SET.takes(ThreadNameInformation, size=UNICODE_STRING)
def _set_name(call: Call, thread: Thread, data: bytes) -> None:
    name = UNICODE_STRING.unpack(call.word, data)
    thread.description = decode_wide(call.space.read(name.Buffer, name.Length & ~1)) if name.Length else ""


@syscall(partial="TEB and profiling classes")
async def NtSetInformationThread(
    call: Call,
    ThreadHandle: HANDLE,
    ThreadInformationClass: ULONG,
    ThreadInformation: PVOID,
    ThreadInformationLength: ULONG,
) -> NTSTATUS:
    if ThreadInformationClass == ThreadWow64Context and call.word == 8:
        from lswd.nt.thread import set_context

        thread = _32_bit_thread(call, ThreadHandle, THREAD_SET_CONTEXT, ThreadInformationLength)
        return await set_context(call, thread, ThreadInformation)
    thread = _thread(call, ThreadHandle, THREAD_SET_LIMITED_INFORMATION)
    return SET.apply(call, thread, ThreadInformationClass, ThreadInformation, ThreadInformationLength)
