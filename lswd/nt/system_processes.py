"""The classes of NtQuerySystemInformation that list processes, threads and handles.

Source: Microsoft "NtQuerySystemInformation", ntddk.h and winternl.h.
"""

from __future__ import annotations

from lswd.kernel.process import Process
from lswd.kernel.thread import Thread
from lswd.nt.declare import Call, encode_wide
from lswd.nt.process_counters import processor_times, vm_counters
from lswd.nt.process_information import SESSION
from lswd.nt.system_information import (
    QUERY,
    SystemExtendedHandleInformation,
    SystemExtendedProcessInformation,
    SystemHandleInformation,
    SystemProcessInformation,
)
from lswd.ntdef.types import (
    CLIENT_ID,
    HANDLE,
    LARGE_INTEGER,
    LONG,
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
)


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
    processes = call.process.system.running_processes()
    for process in processes:
        threads = b"".join(_thread_entry(process, t, extended).pack(word) for t in process.threads)
        path = process.image.dos_name if process.image is not None else ""
        name = encode_wide(path.rpartition("\\")[2])
        head = SYSTEM_PROCESS_INFORMATION.size(word) + len(threads)
        size = (head + len(name) + 2 + 7) & -8
        counters = vm_counters(process)
        user, kernel = processor_times(process)
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
            InheritedFromUniqueProcessId=process.parent_pid,
            HandleCount=len(process.handles),
            SessionId=SESSION,
            PrivatePageCount=process.space.committed,
            **counters.__dict__,
        ).pack(word)
        result += (entry + threads + name).ljust(size, b"\0")
    return result


def _thread_entry(process: Process, thread: Thread, extended: bool) -> Struct:
    user = int(thread.cpu_seconds * 1e7)
    running = thread.running or thread is process.current_thread
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
        for process in call.process.system.running_processes()
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
        for process in call.process.system.running_processes()
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
