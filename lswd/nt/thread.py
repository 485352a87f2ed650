"""Threads: creating, opening, ending and suspending them, and their registers.

Source: Microsoft "CreateRemoteThreadEx", "NtOpenThread", "SuspendThread", "GetThreadContext"; NtCreateThreadEx and its
attribute list from the public headers (PS_ATTRIBUTE).
"""

from __future__ import annotations

from lswd.cpu.context import Context, context_type
from lswd.kernel.debug_object import stay
from lswd.kernel.environment_block import SAME_TEB_FLAGS, TEB_SKIP_THREAD_ATTACH
from lswd.kernel.handle import OBJ_INHERIT
from lswd.kernel.process import PROCESS_CREATE_THREAD, Process
from lswd.kernel.start import new_thread
from lswd.kernel.thread import (
    THREAD_GET_CONTEXT,
    THREAD_SET_CONTEXT,
    THREAD_SUSPEND_RESUME,
    THREAD_TERMINATE,
    Thread,
    ThreadExit,
)
from lswd.kernel.wait import StandingStill
from lswd.nt.declare import Call, Handle, In, ObjectAttributes, Out, syscall
from lswd.ntdef.status import (
    STATUS_CANT_TERMINATE_SELF,
    STATUS_INVALID_CID,
    STATUS_INVALID_PARAMETER,
    STATUS_INVALID_PARAMETER_MIX,
    STATUS_NOT_SUPPORTED,
    STATUS_PROCESS_IS_TERMINATING,
    STATUS_SUCCESS,
    STATUS_TOO_MANY_THREADS,
    STATUS_UNSUCCESSFUL,
    NtError,
)
from lswd.ntdef.types import ACCESS_MASK, CLIENT_ID, HANDLE, NTSTATUS, PVOID, SIZE_T, ULONG, ULONG_PTR, Struct

THREAD_CREATE_FLAGS_CREATE_SUSPENDED = 0x01
THREAD_CREATE_FLAGS_SKIP_THREAD_ATTACH = 0x02
THREAD_CREATE_FLAGS_HIDE_FROM_DEBUGGER = 0x04
_CREATE_FLAGS = 0x77  # those the headers know

# Numbers (the low 16 bits) of the attributes that ask for something back.
PsAttributeClientId = 3
PsAttributeTebAddress = 4

_MAXIMUM_THREADS = 1 << 14
_MAXIMUM_ATTRIBUTES = 64


class PS_ATTRIBUTE(Struct):
    Attribute: ULONG_PTR
    Size: SIZE_T
    Value: ULONG_PTR
    ReturnLength: PVOID


@syscall(access={"ProcessHandle": PROCESS_CREATE_THREAD}, partial="affinity and processor attributes are hints")
def NtCreateThreadEx(
    call: Call,
    ThreadHandle: Out[HANDLE],
    DesiredAccess: ACCESS_MASK,
    ObjectAttributes: ObjectAttributes | None,
    ProcessHandle: Handle[Process],
    StartRoutine: PVOID,
    Argument: PVOID,
    CreateFlags: ULONG,
    ZeroBits: SIZE_T,
    StackSize: SIZE_T,
    MaximumStackSize: SIZE_T,
    AttributeList: PVOID,
) -> NTSTATUS:
    process = ProcessHandle
    if CreateFlags & ~_CREATE_FLAGS:
        return STATUS_INVALID_PARAMETER
    if process.ended:
        return STATUS_PROCESS_IS_TERMINATING
    if len(process.threads) >= _MAXIMUM_THREADS:
        return STATUS_TOO_MANY_THREADS
    if process.job is not None:
        process.job.admit_thread()
    attributes = read_attributes(call, AttributeList)
    assert process.scheduler is not None
    thread = new_thread(process, StartRoutine, Argument, stack_reserve=MaximumStackSize, stack_commit=StackSize)
    thread.suspend_count = 1 if CreateFlags & THREAD_CREATE_FLAGS_CREATE_SUSPENDED else 0
    thread.hide_from_debugger = bool(CreateFlags & THREAD_CREATE_FLAGS_HIDE_FROM_DEBUGGER)
    if CreateFlags & THREAD_CREATE_FLAGS_SKIP_THREAD_ATTACH:
        flags = thread.teb + SAME_TEB_FLAGS[process.space.word]
        process.space.write(flags, TEB_SKIP_THREAD_ATTACH.to_bytes(2, "little"))
    inherit = ObjectAttributes is not None and bool(ObjectAttributes.attributes & OBJ_INHERIT)
    ThreadHandle.set(call.process.handles.add(thread, DesiredAccess, inherit=inherit))
    for attribute in attributes:
        number = attribute.Attribute & 0xFFFF
        if number == PsAttributeClientId:
            data = CLIENT_ID(UniqueProcess=process.pid, UniqueThread=thread.tid).pack(call.word)
        elif number == PsAttributeTebAddress:
            data = call.pointer(thread.teb)
        else:
            continue
        write_attribute(call, attribute, data)
    if process.debugger is not None and not thread.hide_from_debugger:
        process.debugger.thread_created(thread)
        if process is call.process:
            stay(call.thread, STATUS_SUCCESS)
    process.scheduler.start_thread(thread)
    return STATUS_SUCCESS


def write_attribute(call: Call, attribute: PS_ATTRIBUTE, data: bytes) -> None:
    """Answer an attribute that asks for something back."""
    data = data[: attribute.Size]
    call.space.write(attribute.Value, data)
    if attribute.ReturnLength:
        call.space.write_pointer(attribute.ReturnLength, len(data))


def read_attributes(call: Call, address: int) -> list[PS_ATTRIBUTE]:
    """PS_ATTRIBUTE_LIST: its length in bytes, then attributes. Where answers go has been probed.

    Raises:
        NtError: STATUS_INVALID_PARAMETER, STATUS_ACCESS_VIOLATION.
    """
    if not address:
        return []
    word = call.word
    size = PS_ATTRIBUTE.size(word)
    length = call.space.read_pointer(address) - word
    if length < 0 or length % size or length > _MAXIMUM_ATTRIBUTES * size:
        raise NtError(STATUS_INVALID_PARAMETER)
    data = call.space.read(address + word, length)
    attributes = [PS_ATTRIBUTE.unpack(word, data, at) for at in range(0, length, size)]
    for attribute in attributes:
        if attribute.Attribute & 0xFFFF in (PsAttributeClientId, PsAttributeTebAddress):
            call.space.probe_write(attribute.Value, min(attribute.Size, CLIENT_ID.size(word)))
            if attribute.ReturnLength:
                call.space.probe_write(attribute.ReturnLength, word)
    return attributes


@syscall
def NtOpenThread(
    call: Call,
    ThreadHandle: Out[HANDLE],
    DesiredAccess: ACCESS_MASK,
    ObjectAttributes: ObjectAttributes | None,
    ClientId: In[CLIENT_ID] | None,
) -> NTSTATUS:
    if ClientId is None or (ObjectAttributes is not None and ObjectAttributes.name):
        return STATUS_INVALID_PARAMETER_MIX
    for process in call.process.system.running_processes():
        if ClientId.UniqueProcess in (0, process.pid):
            thread = process.find_thread(ClientId.UniqueThread)
            if thread is not None:
                inherit = ObjectAttributes is not None and bool(ObjectAttributes.attributes & OBJ_INHERIT)
                ThreadHandle.set(call.process.handles.add(thread, DesiredAccess, inherit=inherit))
                return STATUS_SUCCESS
    return STATUS_INVALID_CID


@syscall(access={"ThreadHandle": THREAD_TERMINATE})
async def NtTerminateThread(call: Call, ThreadHandle: Handle[Thread] | None, ExitStatus: NTSTATUS) -> NTSTATUS:
    """Without a handle: the caller, unless it is the last thread."""
    thread = ThreadHandle or call.thread
    if ThreadHandle is None and len(call.process.threads) == 1:
        return STATUS_CANT_TERMINATE_SELF
    if thread is call.thread:
        thread.finish(ExitStatus)
        raise ThreadExit
    if not thread.terminated:
        assert thread.process.scheduler is not None
        thread.process.scheduler.stop_thread(thread, ExitStatus)
        if thread.running:
            async with StandingStill(call.thread, [thread]):
                pass
    return STATUS_SUCCESS


@syscall(access={"ThreadHandle": THREAD_SUSPEND_RESUME})
async def NtSuspendThread(
    call: Call, ThreadHandle: Handle[Thread], PreviousSuspendCount: Out[ULONG] | None
) -> NTSTATUS:
    previous = ThreadHandle.suspend()
    if PreviousSuspendCount is not None:
        PreviousSuspendCount.set(previous)
    if ThreadHandle.running:
        async with StandingStill(call.thread, [ThreadHandle]):
            pass
    return STATUS_SUCCESS


@syscall(access={"ThreadHandle": THREAD_SUSPEND_RESUME})
def NtResumeThread(
    call: Call, ThreadHandle: Handle[Thread], PreviousSuspendCount: Out[ULONG] | None
) -> NTSTATUS:
    previous = ThreadHandle.resume()
    if PreviousSuspendCount is not None:
        PreviousSuspendCount.set(previous)
    return STATUS_SUCCESS


def _initial_context(thread: Thread) -> Context:
    """What a thread that has not run yet will continue with when it has initialised."""
    kind = context_type(thread.process.space.word)
    return kind(thread.process.space.read(thread.initial_context, kind.size))


def _guest_record(call: Call, thread: Thread, address: int) -> Context:
    kind = context_type(thread.process.space.word)
    record = kind(call.space.read(address, kind.size))
    if not record.flags & kind.architecture:
        raise NtError(STATUS_INVALID_PARAMETER)
    return record


async def get_context(call: Call, thread: Thread, address: int) -> int:
    """Fill in the CONTEXT at ``address``, of the kind that the thread has; what it asks for is in its ContextFlags.

    Raises:
        NtError: STATUS_INVALID_PARAMETER, it is of another kind; STATUS_ACCESS_VIOLATION.
    """
    record = _guest_record(call, thread, address)
    async with StandingStill(call.thread, [thread] if thread is not call.thread else []):
        if thread.terminated:
            return STATUS_UNSUCCESSFUL
        current = _initial_context(thread) if thread.initial_context else thread.get_context()
        current.flags = record.flags
        record.merge(current)
        call.space.write(address, bytes(record.data))
    return STATUS_SUCCESS


async def set_context(call: Call, thread: Thread, address: int) -> int:
    """Give the thread the registers in the CONTEXT at ``address``; errors are ``get_context``'s."""
    record = _guest_record(call, thread, address)
    if thread is call.thread:
        thread.set_context(record)
        return STATUS_SUCCESS
    async with StandingStill(call.thread, [thread]):
        if thread.terminated:
            return STATUS_UNSUCCESSFUL
        if thread.initial_context:
            space = thread.process.space
            current = _initial_context(thread)
            current.merge(record)
            space.write(thread.initial_context, bytes(current.data))
        else:
            thread.cpu.set_context(record)
    return STATUS_SUCCESS


@syscall(access={"ThreadHandle": THREAD_GET_CONTEXT}, partial="no extended state; only within a word size")
async def NtGetContextThread(call: Call, ThreadHandle: Handle[Thread], ThreadContext: PVOID) -> NTSTATUS:
    if ThreadHandle.process.space.word != call.word:
        return STATUS_NOT_SUPPORTED
    return await get_context(call, ThreadHandle, ThreadContext)


@syscall(access={"ThreadHandle": THREAD_SET_CONTEXT}, partial="no extended state; only within a word size")
async def NtSetContextThread(call: Call, ThreadHandle: Handle[Thread], ThreadContext: PVOID) -> NTSTATUS:
    if ThreadHandle.process.space.word != call.word:
        return STATUS_NOT_SUPPORTED
    return await set_context(call, ThreadHandle, ThreadContext)


@syscall
def NtGetCurrentProcessorNumber(call: Call) -> ULONG:
    """What each thread sees is the first processor it may run on, wherever Linux lets it run."""
    mask = call.thread.affinity or call.process.affinity or 1
    return (mask & -mask).bit_length() - 1
