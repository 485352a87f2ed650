"""NtCreateUserProcess: CreateProcess's system call.

Source: Microsoft "CreateProcessW", "PROC_THREAD_ATTRIBUTE_LIST"; PS_ATTRIBUTE, PS_CREATE_INFO and the flags from the
public headers (winternl.h of Wine, phnt).
"""

from __future__ import annotations

from lswd.kernel.debug_object import DEBUG_PROCESS_ASSIGN, DebugObject
from lswd.kernel.environment_block import RTL_USER_PROCESS_PARAMETERS
from lswd.kernel.handle import OBJ_INHERIT
from lswd.kernel.job import JOB_OBJECT_ASSIGN_PROCESS, Job
from lswd.kernel.process import PROCESS_CREATE_PROCESS, Process
from lswd.kernel.section import word_of
from lswd.kernel.spawn import Inheritance, discard, open_program, spawn
from lswd.kernel.start import StartParameters
from lswd.kernel.token import TOKEN_ASSIGN_PRIMARY, Token, TokenPrimary
from lswd.nt.declare import Call, ObjectAttributes, Out, syscall
from lswd.nt.section import image_information
from lswd.nt.thread import (
    THREAD_CREATE_FLAGS_CREATE_SUSPENDED,
    PsAttributeClientId,
    PsAttributeTebAddress,
    read_attributes,
    write_attribute,
)
from lswd.ntdef.status import (
    STATUS_BAD_TOKEN_TYPE,
    STATUS_INVALID_PARAMETER,
    STATUS_PROCESS_IS_TERMINATING,
    STATUS_SUCCESS,
    NtError,
)
from lswd.ntdef.types import ACCESS_MASK, CLIENT_ID, HANDLE, NTSTATUS, PVOID, ULONG, UNICODE_STRING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.nt.thread import PS_ATTRIBUTE

PROCESS_CREATE_FLAGS_BREAKAWAY = 0x01
PROCESS_CREATE_FLAGS_NO_DEBUG_INHERIT = 0x02
PROCESS_CREATE_FLAGS_INHERIT_HANDLES = 0x04
PROCESS_CREATE_FLAGS_SUSPENDED = 0x200

# Numbers of attributes (their low 16 bits).
PsAttributeParentProcess = 0
PsAttributeDebugObject = 1
PsAttributeToken = 2
PsAttributeImageName = 5
PsAttributeImageInfo = 6
PsAttributeHandleList = 11
PsAttributeJobList = 19

_CONSOLE_IGNORE_CTRL_C = 1  # ConsoleFlags: CREATE_NEW_PROCESS_GROUP was asked for
_NORMALIZED = 1  # the strings' buffers are addresses, not offsets
_MAXIMUM_PARAMETERS = 1 << 20
_MAXIMUM_ENVIRONMENT = 1 << 24
_MAXIMUM_HANDLES = 1 << 12
_PASSED_ON = (
    "ConsoleFlags", "StartingX", "StartingY", "CountX", "CountY", "CountCharsX", "CountCharsY", "FillAttribute",
    "WindowFlags", "ShowWindowFlags", "ProcessGroupId",
)  # fmt: skip


@syscall(partial="the child ends with the program that was launched")
def NtCreateUserProcess(
    call: Call,
    ProcessHandle: Out[HANDLE],
    ThreadHandle: Out[HANDLE],
    ProcessDesiredAccess: ACCESS_MASK,
    ThreadDesiredAccess: ACCESS_MASK,
    ProcessObjectAttributes: ObjectAttributes | None,
    ThreadObjectAttributes: ObjectAttributes | None,
    ProcessFlags: ULONG,
    ThreadFlags: ULONG,
    ProcessParameters: PVOID,
    CreateInfo: PVOID,
    AttributeList: PVOID,
) -> NTSTATUS:
    attributes = {a.Attribute & 0xFFFF: a for a in read_attributes(call, AttributeList)}
    debugger = _debugger(call, attributes.get(PsAttributeDebugObject))
    token = _token(call, attributes.get(PsAttributeToken))
    name = attributes.get(PsAttributeImageName)
    if name is None or name.Size > 0xFFFE:
        return STATUS_INVALID_PARAMETER
    path = call.space.read(name.Value, name.Size).decode("utf-16-le", "replace")
    start = _start_parameters(call, ProcessParameters)
    inheritance = Inheritance(
        everything=bool(ProcessFlags & PROCESS_CREATE_FLAGS_INHERIT_HANDLES),
        only=_handle_list(call, attributes.get(PsAttributeHandleList)),
        jobs=_job_list(call, attributes.get(PsAttributeJobList)),
        breakaway=bool(ProcessFlags & PROCESS_CREATE_FLAGS_BREAKAWAY),
        new_group=bool(start.numbers["ConsoleFlags"] & _CONSOLE_IGNORE_CTRL_C),
    )
    parent = call.process
    if PsAttributeParentProcess in attributes:
        handle = attributes[PsAttributeParentProcess].Value
        chosen = call.process.handles.get(handle, Process, PROCESS_CREATE_PROCESS)
        assert isinstance(chosen, Process)
        parent = chosen
    if parent.ended:
        return STATUS_PROCESS_IS_TERMINATING
    image = open_program(call.process, path)
    if debugger is not None:
        debugger.check_word(word_of(image))
    thread = spawn(parent, image, start, inheritance)
    process = thread.process
    if token is not None:
        process.token = token
    if ThreadFlags & THREAD_CREATE_FLAGS_CREATE_SUSPENDED or ProcessFlags & PROCESS_CREATE_FLAGS_SUSPENDED:
        thread.suspend_count = 1
    answers = (
        (PsAttributeClientId, CLIENT_ID(UniqueProcess=process.pid, UniqueThread=thread.tid).pack(call.word)),
        (PsAttributeTebAddress, call.pointer(thread.teb)),
        (PsAttributeImageInfo, image_information(image.image).pack(call.word)),
    )
    handles = call.process.handles
    try:
        for number, data in answers:
            if number in attributes:
                write_attribute(call, attributes[number], data)
        ProcessHandle.set(handles.add(process, ProcessDesiredAccess, inherit=_inherits(ProcessObjectAttributes)))
        ThreadHandle.set(handles.add(thread, ThreadDesiredAccess, inherit=_inherits(ThreadObjectAttributes)))
    except NtError:
        discard(process)
        raise
    assert process.scheduler is not None
    if debugger is not None:
        process.debug_children = not ProcessFlags & PROCESS_CREATE_FLAGS_NO_DEBUG_INHERIT
    elif parent.debug_children and parent.debugger is not None and parent.debugger.word >= process.space.word:
        debugger = parent.debugger
    if debugger is not None:
        debugger.attach(process, running=False)
    process.scheduler.start_thread(thread)
    return STATUS_SUCCESS


def _debugger(call: Call, attribute: PS_ATTRIBUTE | None) -> DebugObject | None:
    if attribute is None or not attribute.Value:
        return None
    found = call.process.handles.get(attribute.Value, DebugObject, DEBUG_PROCESS_ASSIGN)
    assert isinstance(found, DebugObject)
    return found


def _token(call: Call, attribute: PS_ATTRIBUTE | None) -> Token | None:
    """The token that the child is to have: a copy of the one given; None: its parent's."""
    if attribute is None or not attribute.Value:
        return None
    found = call.process.handles.get(attribute.Value, Token, TOKEN_ASSIGN_PRIMARY)
    assert isinstance(found, Token)
    if found.kind != TokenPrimary:
        raise NtError(STATUS_BAD_TOKEN_TYPE)
    return found.duplicate(TokenPrimary, found.level)


def _inherits(attributes: ObjectAttributes | None) -> bool:
    return attributes is not None and bool(attributes.attributes & OBJ_INHERIT)


def _handles(call: Call, attribute: PS_ATTRIBUTE) -> list[int]:
    """An attribute's array of handles."""
    count = attribute.Size // call.word
    if count > _MAXIMUM_HANDLES:
        raise NtError(STATUS_INVALID_PARAMETER)
    data = call.space.read(attribute.Value, count * call.word)
    return [int.from_bytes(data[at : at + call.word], "little") for at in range(0, len(data), call.word)]


def _handle_list(call: Call, attribute: PS_ATTRIBUTE | None) -> set[int] | None:
    """PROC_THREAD_ATTRIBUTE_HANDLE_LIST: the only handles to inherit."""
    return set(_handles(call, attribute)) if attribute is not None else None


def _job_list(call: Call, attribute: PS_ATTRIBUTE | None) -> list[Job]:
    """PROC_THREAD_ATTRIBUTE_JOB_LIST, from the outermost to the innermost."""
    jobs = []
    for handle in _handles(call, attribute) if attribute is not None else ():
        job = call.process.handles.get(handle, Job, JOB_OBJECT_ASSIGN_PROCESS)
        assert isinstance(job, Job)
        jobs.append(job)
    return jobs


def _start_parameters(call: Call, address: int) -> StartParameters:
    """RTL_USER_PROCESS_PARAMETERS as the parent filled it in.

    Raises:
        NtError: STATUS_INVALID_PARAMETER for sizes out of all reason, STATUS_ACCESS_VIOLATION.
    """
    space, word = call.space, call.word
    head = RTL_USER_PROCESS_PARAMETERS.unpack(word, space.read(address, RTL_USER_PROCESS_PARAMETERS.size(word)), 0)
    if head.Size > _MAXIMUM_PARAMETERS or head.EnvironmentSize > _MAXIMUM_ENVIRONMENT:
        raise NtError(STATUS_INVALID_PARAMETER)
    base = 0 if head.Flags & _NORMALIZED else address

    def data(string: UNICODE_STRING) -> bytes:
        return space.read(base + string.Buffer, string.Length) if string.Length else b""

    def text(string: UNICODE_STRING) -> str:
        return data(string).decode("utf-16-le", "replace")

    return StartParameters(
        image_path=text(head.ImagePathName),
        command_line=text(head.CommandLine),
        current_directory=text(head.CurrentDirectory.DosPath),
        environment=space.read(head.Environment, head.EnvironmentSize) if head.Environment else bytes(4),
        dll_path=text(head.DllPath),
        console_handle=head.ConsoleHandle,
        standard_handles=(head.StandardInput, head.StandardOutput, head.StandardError),
        window_title=text(head.WindowTitle),
        desktop=text(head.DesktopInfo),
        shell=text(head.ShellInfo),
        runtime_data=data(head.RuntimeData),
        numbers={name: getattr(head, name) for name in _PASSED_ON},
    )
