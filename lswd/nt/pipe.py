"""NtCreateNamedPipeFile. Reading, writing and controlling pipes is in file_io; anonymous pipes are named ones too.

Source: Microsoft "NtCreateNamedPipeFile", CreateNamedPipe.
"""

from __future__ import annotations

from lswd.kernel.file import FileObject, OpenParameters
from lswd.kernel.pipe_device import PipeParameters
from lswd.nt.declare import Call, In, ObjectAttributes, Out, syscall
from lswd.nt.file import create_handle
from lswd.ntdef.file import FILE_CREATE, FILE_OPEN, FILE_OPEN_IF, FILE_OVERWRITE_IF
from lswd.ntdef.status import STATUS_INVALID_PARAMETER
from lswd.ntdef.types import ACCESS_MASK, HANDLE, IO_STATUS_BLOCK, LARGE_INTEGER, NTSTATUS, ULONG

_DEFAULT_TIMEOUT = -500_000  # 50 ms


@syscall(partial="pipes reach only as far as one NT system")
def NtCreateNamedPipeFile(
    call: Call,
    FileHandle: Out[HANDLE],
    DesiredAccess: ACCESS_MASK,
    ObjectAttributes: ObjectAttributes,
    IoStatusBlock: Out[IO_STATUS_BLOCK],
    ShareAccess: ULONG,
    CreateDisposition: ULONG,
    CreateOptions: ULONG,
    NamedPipeType: ULONG,
    ReadMode: ULONG,
    CompletionMode: ULONG,
    MaximumInstances: ULONG,
    InboundQuota: ULONG,
    OutboundQuota: ULONG,
    DefaultTimeout: In[LARGE_INTEGER] | None,
) -> NTSTATUS:
    # NamedPipeType bit 1 (FILE_PIPE_REJECT_REMOTE_CLIENTS) changes nothing: there are none.
    if NamedPipeType & ~3 or ReadMode > 1 or CompletionMode > 1 or (DefaultTimeout or 0) > 0:
        return STATUS_INVALID_PARAMETER
    if CreateDisposition not in (FILE_OPEN, FILE_CREATE, FILE_OPEN_IF, FILE_OVERWRITE_IF):
        return STATUS_INVALID_PARAMETER
    disposition = FILE_OPEN_IF if CreateDisposition == FILE_OVERWRITE_IF else CreateDisposition
    parameters = OpenParameters(FileObject.mapped(DesiredAccess), ShareAccess, disposition, CreateOptions)
    parameters.extra = PipeParameters(
        message=bool(NamedPipeType & 1),
        message_reads=bool(ReadMode),
        nonblocking=bool(CompletionMode),
        max_instances=MaximumInstances,
        quotas=(InboundQuota, OutboundQuota),
        timeout=_DEFAULT_TIMEOUT if DefaultTimeout is None else DefaultTimeout,
    )
    return create_handle(call, FileHandle, IoStatusBlock, ObjectAttributes, parameters)
