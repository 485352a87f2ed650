"""I/O completion ports.

Source: Microsoft "I/O Completion Ports", "GetQueuedCompletionStatusEx", "PostQueuedCompletionStatus".
"""

from __future__ import annotations

from lswd.kernel.completion_port import (
    IO_COMPLETION_MODIFY_STATE,
    IO_COMPLETION_QUERY_STATE,
    CompletionPort,
)
from lswd.nt.declare import Call, Handle, In, ObjectAttributes, Out, syscall
from lswd.nt.information import QueryTable
from lswd.nt.named_object import create_object, open_object
from lswd.ntdef.status import STATUS_INVALID_PARAMETER, STATUS_NO_MEMORY, STATUS_SUCCESS
from lswd.ntdef.types import (
    ACCESS_MASK,
    BOOLEAN,
    HANDLE,
    IO_STATUS_BLOCK,
    LARGE_INTEGER,
    LONG,
    NTSTATUS,
    PVOID,
    SIZE_T,
    ULONG,
    ULONG_PTR,
    Struct,
)

IoCompletionBasicInformation = 0

_MAXIMUM_PACKETS = 1 << 20  # that a program may post and leave in a port

QUERY = QueryTable(exact=True)


class FILE_IO_COMPLETION_INFORMATION(Struct):
    KeyContext: ULONG_PTR
    ApcContext: ULONG_PTR
    IoStatusBlock: IO_STATUS_BLOCK


class IO_COMPLETION_BASIC_INFORMATION(Struct):
    Depth: LONG


@syscall
def NtCreateIoCompletion(
    call: Call,
    IoCompletionHandle: Out[HANDLE],
    DesiredAccess: ACCESS_MASK,
    ObjectAttributes: ObjectAttributes | None,
    Count: ULONG,
) -> NTSTATUS:
    """``Count``, how many threads may be busy at once, has no effect where one thread runs at a time."""
    return create_object(
        call, IoCompletionHandle, ObjectAttributes, DesiredAccess, CompletionPort, CompletionPort
    )


@syscall
def NtOpenIoCompletion(
    call: Call, IoCompletionHandle: Out[HANDLE], DesiredAccess: ACCESS_MASK, ObjectAttributes: ObjectAttributes | None
) -> NTSTATUS:
    return open_object(call, IoCompletionHandle, ObjectAttributes, DesiredAccess, CompletionPort)


@syscall(access={"IoCompletionHandle": IO_COMPLETION_MODIFY_STATE})
def NtSetIoCompletion(
    call: Call,
    IoCompletionHandle: Handle[CompletionPort],
    KeyContext: ULONG_PTR,
    ApcContext: ULONG_PTR,
    IoStatus: NTSTATUS,
    IoStatusInformation: SIZE_T,
) -> NTSTATUS:
    if len(IoCompletionHandle.packets) >= _MAXIMUM_PACKETS:
        return STATUS_NO_MEMORY
    IoCompletionHandle.post(KeyContext, ApcContext, IoStatus, IoStatusInformation)
    return STATUS_SUCCESS


@syscall(access={"IoCompletionHandle": IO_COMPLETION_MODIFY_STATE})
async def NtRemoveIoCompletion(
    call: Call,
    IoCompletionHandle: Handle[CompletionPort],
    KeyContext: Out[ULONG_PTR],
    ApcContext: Out[ULONG_PTR],
    IoStatusBlock: Out[IO_STATUS_BLOCK],
    Timeout: In[LARGE_INTEGER] | None,
) -> NTSTATUS:
    status, packets = await IoCompletionHandle.take(call.thread, 1, alertable=False, timeout=Timeout)
    for packet in packets:
        KeyContext.set(packet.key)
        ApcContext.set(packet.value)
        IoStatusBlock.set(IO_STATUS_BLOCK(Status=packet.status, Information=packet.information))
    return status


@syscall(access={"IoCompletionHandle": IO_COMPLETION_MODIFY_STATE})
async def NtRemoveIoCompletionEx(
    call: Call,
    IoCompletionHandle: Handle[CompletionPort],
    IoCompletionInformation: PVOID,
    Count: ULONG,
    NumEntriesRemoved: Out[ULONG],
    Timeout: In[LARGE_INTEGER] | None,
    Alertable: BOOLEAN,
) -> NTSTATUS:
    if not Count:
        return STATUS_INVALID_PARAMETER
    size = FILE_IO_COMPLETION_INFORMATION.size(call.word)
    call.space.probe_write(IoCompletionInformation, Count * size)
    status, packets = await IoCompletionHandle.take(
        call.thread, Count, alertable=bool(Alertable), timeout=Timeout
    )
    data = b"".join(
        FILE_IO_COMPLETION_INFORMATION(
            KeyContext=p.key,
            ApcContext=p.value,
            IoStatusBlock=IO_STATUS_BLOCK(Status=p.status, Information=p.information),
        ).pack(call.word)
        for p in packets
    )
    call.space.write(IoCompletionInformation, data)
    NumEntriesRemoved.set(len(packets) if packets else 1)
    return status


@QUERY.answers(IoCompletionBasicInformation)
def _basic(call: Call, port: CompletionPort, address: int) -> Struct:
    return IO_COMPLETION_BASIC_INFORMATION(Depth=len(port.packets))


@syscall(access={"IoCompletionHandle": IO_COMPLETION_QUERY_STATE})
def NtQueryIoCompletion(
    call: Call,
    IoCompletionHandle: Handle[CompletionPort],
    IoCompletionInformationClass: ULONG,
    IoCompletionInformation: PVOID,
    IoCompletionInformationLength: ULONG,
    ReturnLength: Out[ULONG] | None,
) -> NTSTATUS:
    return QUERY.answer(
        call,
        IoCompletionHandle,
        IoCompletionInformationClass,
        IoCompletionInformation,
        IoCompletionInformationLength,
        ReturnLength,
    )
