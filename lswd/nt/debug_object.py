"""Debug objects: NtCreateDebugObject, NtDebugActiveProcess, NtWaitForDebugEvent, NtDebugContinue and their company.

Source: Microsoft "Debugging Functions"; DBGUI_WAIT_STATE_CHANGE and the rest from the public headers (phnt, Wine's
winternl.h).
"""

from __future__ import annotations

from lswd.kernel.debug_object import (
    DBG_CONTINUE,
    DBG_EXCEPTION_HANDLED,
    DBG_EXCEPTION_NOT_HANDLED,
    DBG_TERMINATE_PROCESS,
    DBG_TERMINATE_THREAD,
    DEBUG_KILL_ON_CLOSE,
    DEBUG_PROCESS_ASSIGN,
    DEBUG_READ_EVENT,
    DEBUG_SET_INFORMATION,
    DbgBreakpointStateChange,
    DbgCreateProcessStateChange,
    DbgCreateThreadStateChange,
    DbgExceptionStateChange,
    DbgLoadDllStateChange,
    DbgSingleStepStateChange,
    DbgUnloadDllStateChange,
    DebugEvent,
    DebugObject,
)
from lswd.kernel.file import FileDevice, OpenParameters
from lswd.kernel.process import PROCESS_ALL_ACCESS, PROCESS_SUSPEND_RESUME, Process
from lswd.kernel.section import ImageSection
from lswd.kernel.thread import THREAD_ALL_ACCESS
from lswd.kernel.wait import StandingStill, wait_for
from lswd.nt.declare import Call, Handle, In, ObjectAttributes, Out, syscall
from lswd.nt.named_object import create_object
from lswd.ntdef import file as nt
from lswd.ntdef.status import (
    STATUS_ACCESS_DENIED,
    STATUS_BREAKPOINT,
    STATUS_INFO_LENGTH_MISMATCH,
    STATUS_INVALID_PARAMETER,
    STATUS_PORT_ALREADY_SET,
    STATUS_PROCESS_IS_TERMINATING,
    STATUS_SINGLE_STEP,
    STATUS_SUCCESS,
    NtError,
)
from lswd.ntdef.types import ACCESS_MASK, BOOLEAN, CLIENT_ID, HANDLE, LARGE_INTEGER, NTSTATUS, PVOID, ULONG

_CONTINUES = (
    DBG_CONTINUE, DBG_EXCEPTION_HANDLED, DBG_EXCEPTION_NOT_HANDLED, DBG_TERMINATE_PROCESS, DBG_TERMINATE_THREAD
)  # fmt: skip
_DEBUG_OBJECT_FLAGS = 1  # DEBUGOBJECTINFOCLASS
_ARBITRARY_USER_POINTER = {8: 0x28, 4: 0x14}  # in the TEB: where a loader leaves the name of what it maps
_UNION_AT = {8: 24, 4: 12}  # in DBGUI_WAIT_STATE_CHANGE
_SIZE = {8: 184, 4: 96}  # of it


@syscall
def NtCreateDebugObject(
    call: Call,
    DebugObjectHandle: Out[HANDLE],
    DesiredAccess: ACCESS_MASK,
    ObjectAttributes: ObjectAttributes | None,
    Flags: ULONG,
) -> NTSTATUS:
    if Flags & ~DEBUG_KILL_ON_CLOSE:
        return STATUS_INVALID_PARAMETER
    return create_object(
        call, DebugObjectHandle, ObjectAttributes, DesiredAccess, DebugObject, lambda: DebugObject(Flags, call.word)
    )


@syscall(access={"ProcessHandle": PROCESS_SUSPEND_RESUME, "DebugObjectHandle": DEBUG_PROCESS_ASSIGN})
def NtDebugActiveProcess(
    call: Call, ProcessHandle: Handle[Process], DebugObjectHandle: Handle[DebugObject]
) -> NTSTATUS:
    process = ProcessHandle
    if process is call.process:
        return STATUS_ACCESS_DENIED
    if process.debugger is not None:
        return STATUS_PORT_ALREADY_SET
    if process.ended:
        return STATUS_PROCESS_IS_TERMINATING
    DebugObjectHandle.attach(process, running=True)
    return STATUS_SUCCESS


@syscall(access={"ProcessHandle": PROCESS_SUSPEND_RESUME, "DebugObjectHandle": DEBUG_PROCESS_ASSIGN})
async def NtRemoveProcessDebug(
    call: Call, ProcessHandle: Handle[Process], DebugObjectHandle: Handle[DebugObject]
) -> NTSTATUS:
    threads = [thread for thread in ProcessHandle.threads if thread is not call.thread]
    async with StandingStill(call.thread, threads):
        DebugObjectHandle.detach(ProcessHandle)
    return STATUS_SUCCESS


@syscall(access={"DebugObjectHandle": DEBUG_SET_INFORMATION})
def NtSetInformationDebugObject(
    call: Call,
    DebugObjectHandle: Handle[DebugObject],
    DebugObjectInformationClass: ULONG,
    DebugInformation: PVOID,
    DebugInformationLength: ULONG,
    ReturnLength: Out[ULONG] | None,
) -> NTSTATUS:
    if DebugObjectInformationClass != _DEBUG_OBJECT_FLAGS:
        return STATUS_INVALID_PARAMETER
    if ReturnLength is not None:
        ReturnLength.set(4)
    if DebugInformationLength != 4:
        return STATUS_INFO_LENGTH_MISMATCH
    flags = call.space.read_u32(DebugInformation)
    if flags & ~DEBUG_KILL_ON_CLOSE:
        return STATUS_INVALID_PARAMETER
    DebugObjectHandle.flags = flags
    return STATUS_SUCCESS


@syscall(access={"DebugObjectHandle": DEBUG_READ_EVENT})
async def NtWaitForDebugEvent(
    call: Call,
    DebugObjectHandle: Handle[DebugObject],
    Alertable: BOOLEAN,
    Timeout: In[LARGE_INTEGER] | None,
    WaitStateChange: PVOID,
) -> NTSTATUS:
    call.space.probe_write(WaitStateChange, _SIZE[call.word])
    debugger = DebugObjectHandle
    while True:
        status = await wait_for(call.thread, [debugger], alertable=bool(Alertable), timeout=Timeout)
        if status != STATUS_SUCCESS:
            return status
        event = debugger.take()
        if event is not None:
            try:
                call.space.write(WaitStateChange, _state_change(call, event))
            except NtError:  # no room for handles, say: it has not been told
                event.told = False
                raise
            return STATUS_SUCCESS


@syscall(access={"DebugObjectHandle": DEBUG_READ_EVENT})
async def NtDebugContinue(
    call: Call, DebugObjectHandle: Handle[DebugObject], ClientId: In[CLIENT_ID], ContinueStatus: NTSTATUS
) -> NTSTATUS:
    debugger, status = DebugObjectHandle, ContinueStatus & 0xFFFFFFFF
    if status not in _CONTINUES:
        return STATUS_INVALID_PARAMETER
    pid, tid = ClientId.UniqueProcess, ClientId.UniqueThread
    process = call.process.system.processes.get(pid)
    thread = process.find_thread(tid) if process is not None else None
    # Its registers may be changed, which on some engines takes that nobody's guest code runs.
    async with StandingStill(call.thread, [thread] if thread is not None and thread is not call.thread else []):
        debugger.continue_event(pid, tid, status)
    return STATUS_SUCCESS


def _state_change(call: Call, event: DebugEvent) -> bytes:
    """DBGUI_WAIT_STATE_CHANGE, with handles for the caller."""
    word = call.word
    state = event.state
    if event.record is not None:
        special = {STATUS_BREAKPOINT: DbgBreakpointStateChange, STATUS_SINGLE_STEP: DbgSingleStepStateChange}
        state = special.get(event.record.ExceptionCode, DbgExceptionStateChange)
        record = event.record.pack(word)
        body = record + int(event.first_chance).to_bytes(4, "little")
    elif state == DbgCreateProcessStateChange:
        assert event.thread is not None
        image = event.process.image
        body = b"".join(
            [
                call.pointer(call.process.handles.add(event.process, PROCESS_ALL_ACCESS)),
                call.pointer(call.process.handles.add(event.thread, THREAD_ALL_ACCESS)),
                call.pointer(0),
                call.pointer(_open(call, image)),
                call.pointer(event.process.image_base),
                bytes(8),
                call.pointer(0),
                call.pointer(event.thread.start_address),
            ]
        )
    elif state == DbgCreateThreadStateChange:
        assert event.thread is not None
        handle = call.process.handles.add(event.thread, THREAD_ALL_ACCESS)
        body = call.pointer(handle) + call.pointer(0) + call.pointer(event.thread.start_address)
    elif state == DbgLoadDllStateChange:
        assert event.region is not None and event.thread is not None
        name = event.thread.teb + _ARBITRARY_USER_POINTER[event.process.space.word]
        source = event.region.source
        opened = _open(call, source if isinstance(source, ImageSection) else None)
        body = call.pointer(opened) + call.pointer(event.region.base) + bytes(8) + call.pointer(name)
    elif state == DbgUnloadDllStateChange:
        assert event.region is not None
        body = call.pointer(event.region.base)
    else:
        body = event.exit_status.to_bytes(4, "little")
    head = state.to_bytes(word, "little") + CLIENT_ID(UniqueProcess=event.pid, UniqueThread=event.tid).pack(word)
    assert len(head) == _UNION_AT[word]
    return (head + body).ljust(_SIZE[word], b"\0")


def _open(call: Call, image: ImageSection | None) -> int:
    """A handle to an image's file, to read; 0 when it cannot be had."""
    if image is None or not image.dos_name:
        return 0
    access = nt.FILE_GENERIC_READ
    options = nt.FILE_NON_DIRECTORY_FILE | nt.FILE_SYNCHRONOUS_IO_NONALERT
    parameters = OpenParameters(access, nt.FILE_SHARE_READ | nt.FILE_SHARE_DELETE, nt.FILE_OPEN, options)
    try:
        device, rest = call.process.system.namespace.walk("\\??\\" + image.dos_name, None)
        if not isinstance(device, FileDevice):
            return 0
        return call.process.handles.add(device.open(call.process, rest, parameters), access)
    except NtError:
        return 0
