"""Processes as objects: NtTerminateProcess, NtOpenProcess, NtSuspendProcess, NtResumeProcess, NtGetNextProcess.

Source: Microsoft "NtTerminateProcess", "NtOpenProcess"; "Terminating a Process".
"""

from __future__ import annotations

from lswd.kernel.handle import OBJ_INHERIT
from lswd.kernel.process import PROCESS_QUERY_INFORMATION, PROCESS_SUSPEND_RESUME, PROCESS_TERMINATE, Process
from lswd.kernel.thread import Thread, ThreadExit
from lswd.kernel.wait import StandingStill
from lswd.nt.declare import Call, Handle, In, ObjectAttributes, Out, syscall
from lswd.ntdef.status import (
    STATUS_INVALID_CID,
    STATUS_INVALID_PARAMETER,
    STATUS_INVALID_PARAMETER_MIX,
    STATUS_NO_MORE_ENTRIES,
    STATUS_PROCESS_IS_TERMINATING,
    STATUS_SUCCESS,
)
from lswd.ntdef.types import ACCESS_MASK, CLIENT_ID, HANDLE, NTSTATUS, ULONG

_MAXIMUM_SUSPEND_COUNT = 127


@syscall(access={"ProcessHandle": PROCESS_TERMINATE})
async def NtTerminateProcess(call: Call, ProcessHandle: Handle[Process] | None, ExitStatus: NTSTATUS) -> NTSTATUS:
    """No handle: all threads but the caller's end, which is how a process begins to exit."""
    process = ProcessHandle
    if process is None:
        own = call.process
        own.exiting = True
        for thread in tuple(own.threads):
            if thread is not call.thread and own.scheduler is not None:
                own.scheduler.stop_thread(thread, ExitStatus)
        await _stand_still(call, own)
        return STATUS_SUCCESS
    if process.ended:
        return STATUS_PROCESS_IS_TERMINATING
    process.end(ExitStatus)
    if process is call.process:
        raise ThreadExit
    return STATUS_SUCCESS


async def _stand_still(call: Call, process: Process) -> None:
    """None of the process's threads but the caller runs guest code now; those that may go on do so afterwards."""
    running = [thread for thread in process.threads if thread.running]
    if running:
        async with StandingStill(call.thread, running):
            pass


@syscall
def NtOpenProcess(
    call: Call,
    ProcessHandle: Out[HANDLE],
    DesiredAccess: ACCESS_MASK,
    ObjectAttributes: ObjectAttributes,
    ClientId: In[CLIENT_ID] | None,
) -> NTSTATUS:
    if ClientId is None:
        return STATUS_INVALID_PARAMETER_MIX
    if ObjectAttributes.name:
        return STATUS_INVALID_PARAMETER_MIX
    process = call.process.system.processes.get(ClientId.UniqueProcess)
    if process is None:
        return STATUS_INVALID_CID
    if ClientId.UniqueThread and all(t.tid != ClientId.UniqueThread for t in process.threads):
        return STATUS_INVALID_CID
    inherit = bool(ObjectAttributes.attributes & OBJ_INHERIT)
    ProcessHandle.set(call.process.handles.add(process, DesiredAccess, inherit=inherit))
    return STATUS_SUCCESS


@syscall(access={"ProcessHandle": PROCESS_SUSPEND_RESUME})
async def NtSuspendProcess(call: Call, ProcessHandle: Handle[Process]) -> NTSTATUS:
    for thread in ProcessHandle.threads:
        thread.suspend_count = min(thread.suspend_count + 1, _MAXIMUM_SUSPEND_COUNT)
    await _stand_still(call, ProcessHandle)
    return STATUS_SUCCESS


@syscall(access={"ProcessHandle": PROCESS_SUSPEND_RESUME})
def NtResumeProcess(call: Call, ProcessHandle: Handle[Process]) -> NTSTATUS:
    for thread in ProcessHandle.threads:
        if thread.suspend_count:
            thread.suspend_count -= 1
            thread.go_on()
    return STATUS_SUCCESS


@syscall(access={"ProcessHandle": PROCESS_QUERY_INFORMATION})
def NtGetNextThread(
    call: Call,
    ProcessHandle: Handle[Process],
    ThreadHandle: Handle[Thread] | None,
    DesiredAccess: ACCESS_MASK,
    HandleAttributes: ULONG,
    Flags: ULONG,
    NewThreadHandle: Out[HANDLE],
) -> NTSTATUS:
    """The thread behind ``ThreadHandle`` in the order of creation, or the first."""
    NewThreadHandle.set(0)
    if Flags:  # 1, backwards, is for debuggers
        return STATUS_INVALID_PARAMETER
    after = ThreadHandle.tid if ThreadHandle is not None else -1
    for thread in ProcessHandle.threads:
        if thread.tid > after and not thread.terminated:
            inherit = bool(HandleAttributes & OBJ_INHERIT)
            NewThreadHandle.set(call.process.handles.add(thread, DesiredAccess, inherit=inherit))
            return STATUS_SUCCESS
    return STATUS_NO_MORE_ENTRIES


@syscall
async def NtFlushProcessWriteBuffers(call: Call) -> NTSTATUS:
    """A thread that is interrupted, or takes its turn after others, has gone through a full barrier."""
    await _stand_still(call, call.process)
    return STATUS_SUCCESS
