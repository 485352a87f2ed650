"""Reading and writing: NtReadFile, NtWriteFile, their scattered forms, flushing, controls, cancelling.

Source: Microsoft "NtReadFile", "NtWriteFile", "ReadFileScatter", "NtFlushBuffersFileEx", "NtDeviceIoControlFile",
"NtFsControlFile", "CancelIoEx".
"""

from __future__ import annotations

import os
from functools import partial

from lswd.kernel.file import FileObject
from lswd.kernel.file_disk import DiskFile, DiskObject
from lswd.kernel.request import Request, at_once, tells_only_its_caller
from lswd.kernel.thread import THREAD_TERMINATE, Thread
from lswd.kernel.volume import VolumeFile
from lswd.memory.protection import PAGE_SIZE, PLAIN_CODES, READABLE_CODES
from lswd.nt.declare import Call, Handle, In, Out, syscall
from lswd.ntdef.file import FILE_APPEND_DATA, FILE_READ_DATA, FILE_WRITE_DATA
from lswd.ntdef.status import (
    STATUS_ACCESS_DENIED,
    STATUS_INVALID_PARAMETER,
    STATUS_NOT_FOUND,
    STATUS_SUCCESS,
    NtError,
)
from lswd.ntdef.types import HANDLE, IO_STATUS_BLOCK, LARGE_INTEGER, NTSTATUS, PVOID, ULONG

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.kernel.event import Event
    from lswd.kernel.request import Operation

_EVENT_MODIFY_STATE = 2
_FLUSH_FILE_DATA_ONLY, _FLUSH_NO_SYNC, _FLUSH_FILE_DATA_SYNC_ONLY = 1, 2, 4
_FLUSH_FLAGS = _FLUSH_FILE_DATA_ONLY | _FLUSH_NO_SYNC | _FLUSH_FILE_DATA_SYNC_ONLY
_STATUS_BLOCK = {word: IO_STATUS_BLOCK.layout(word).packer for word in (8, 4)}


def request_for(
    call: Call, file: FileObject, event: int, routine: int, context: int, status_block: Out[IO_STATUS_BLOCK] | None
) -> Request:
    """The request that the usual parameters of an I/O call describe."""
    target: Event | None = None
    if event:
        from lswd.kernel.event import Event

        found = call.process.handles.get(event, Event, _EVENT_MODIFY_STATE)
        assert isinstance(found, Event)
        target = found
    block = status_block.address if status_block is not None else 0
    return Request(call.thread, file, block, event=target, apc_routine=routine, apc_context=context)


def _fast(
    access: int,
    call: Call,
    handle: int,
    event: int,
    routine: int,
    context: int,
    block: int,
    buffer: int,
    length: int,
    offset: int,
    key: int,
) -> int | None:
    """Read or write (``access``) all of ``length`` where a file's position is, its caller waiting and nobody else told.

    To do it twice does no harm: nothing but the file or the buffer changes before all of it is done. (NT has a way of
    its own for these, too: Microsoft "Fast I/O".)
    """
    entry = call.process.handles.entries.get(handle)
    if entry is None or not entry.access & access or event or routine or offset or key:
        return None
    file = entry.object
    if type(file) is not DiskFile or file.block.locks or not tells_only_its_caller(file):
        return None
    space = call.space
    page = space.writable_pages.get(block >> 12)
    form = _STATUS_BLOCK[space.word]
    if page is None or block & 0xFFF > 0x1000 - form.size:
        return None
    length &= 0xFFFFFFFF
    reads = access == FILE_READ_DATA
    view = space.known(buffer, length, PLAIN_CODES if reads else READABLE_CODES)
    if view is None or (file.append_only and not reads):
        return None
    at = file.position
    try:
        done = (os.preadv if reads else os.pwritev)(file.fd, (view,), at)
    except OSError:
        return None
    if done != length:
        return None
    file.position = at + done
    page += block & 0xFFF
    space.memory[page : page + form.size] = form.pack(STATUS_SUCCESS, done)
    return STATUS_SUCCESS


@syscall(access={"FileHandle": FILE_READ_DATA}, fast=partial(_fast, FILE_READ_DATA))
def NtReadFile(
    call: Call,
    FileHandle: Handle[FileObject],
    Event: HANDLE,
    ApcRoutine: PVOID,
    ApcContext: PVOID,
    IoStatusBlock: Out[IO_STATUS_BLOCK],
    Buffer: PVOID,
    Length: ULONG,
    ByteOffset: In[LARGE_INTEGER] | None,
    Key: In[ULONG] | None,
) -> NTSTATUS | Operation:
    thread, block = call.thread, IoStatusBlock.address
    if FileHandle.immediate and not Event and not ApcRoutine and tells_only_its_caller(FileHandle):
        return at_once(FileHandle.read_now, thread, block, Buffer, Length, ByteOffset, Key or 0)
    request = request_for(call, FileHandle, Event, ApcRoutine, ApcContext, IoStatusBlock)
    return request.run(FileHandle.read(thread, Buffer, Length, ByteOffset, Key or 0), deferred=True)


def _writable_file(call: Call, handle: int) -> FileObject:
    entry = call.process.handles.entries.get(handle)
    if entry is None or not isinstance(entry.object, FileObject):
        call.process.handles.get(handle, FileObject)  # says what is wrong, or that it has bits of the program's own
        entry = call.process.handles.entry(handle)
    if not entry.access & (FILE_WRITE_DATA | FILE_APPEND_DATA):
        raise NtError(STATUS_ACCESS_DENIED)
    assert isinstance(entry.object, FileObject)
    return entry.object


@syscall(fast=partial(_fast, FILE_WRITE_DATA))
def NtWriteFile(
    call: Call,
    FileHandle: HANDLE,
    Event: HANDLE,
    ApcRoutine: PVOID,
    ApcContext: PVOID,
    IoStatusBlock: Out[IO_STATUS_BLOCK],
    Buffer: PVOID,
    Length: ULONG,
    ByteOffset: In[LARGE_INTEGER] | None,
    Key: In[ULONG] | None,
) -> NTSTATUS | Operation:
    file = _writable_file(call, FileHandle)
    thread, block = call.thread, IoStatusBlock.address
    if file.immediate and not Event and not ApcRoutine and tells_only_its_caller(file):
        return at_once(file.write_now, thread, block, Buffer, Length, ByteOffset, Key or 0)
    request = request_for(call, file, Event, ApcRoutine, ApcContext, IoStatusBlock)
    return request.run(file.write(thread, Buffer, Length, ByteOffset, Key or 0), deferred=True)


async def _by_pages(call: Call, file: FileObject, segments: int, length: int, offset: int, writing: bool) -> int:
    """Read or write pages whose addresses are an array of FILE_SEGMENT_ELEMENT (64 bits each) at ``segments``."""
    done = 0
    operation = file.write if writing else file.read
    while done < length:
        page = call.space.read_u64(segments + done // PAGE_SIZE * 8)
        try:
            count = await operation(call.thread, page, min(PAGE_SIZE, length - done), offset + done)
        except NtError:
            if done:
                break
            raise
        done += count
        if count < PAGE_SIZE:
            break
    return done


def _scattered(
    call: Call, file: FileObject, segments: int, length: int, offset: int | None, writing: bool
) -> Operation:
    if file.synchronous or length % PAGE_SIZE or offset is None or offset < 0:
        raise NtError(STATUS_INVALID_PARAMETER)
    return _by_pages(call, file, segments, length, offset, writing)


@syscall(access={"FileHandle": FILE_READ_DATA})
async def NtReadFileScatter(
    call: Call,
    FileHandle: Handle[FileObject],
    Event: HANDLE,
    ApcRoutine: PVOID,
    ApcContext: PVOID,
    IoStatusBlock: Out[IO_STATUS_BLOCK],
    SegmentArray: PVOID,
    Length: ULONG,
    ByteOffset: In[LARGE_INTEGER] | None,
    Key: In[ULONG] | None,
) -> NTSTATUS:
    request = request_for(call, FileHandle, Event, ApcRoutine, ApcContext, IoStatusBlock)
    return await request.run(_scattered(call, FileHandle, SegmentArray, Length, ByteOffset, False), deferred=True)


@syscall(access={"FileHandle": FILE_WRITE_DATA})
async def NtWriteFileGather(
    call: Call,
    FileHandle: Handle[FileObject],
    Event: HANDLE,
    ApcRoutine: PVOID,
    ApcContext: PVOID,
    IoStatusBlock: Out[IO_STATUS_BLOCK],
    SegmentArray: PVOID,
    Length: ULONG,
    ByteOffset: In[LARGE_INTEGER] | None,
    Key: In[ULONG] | None,
) -> NTSTATUS:
    request = request_for(call, FileHandle, Event, ApcRoutine, ApcContext, IoStatusBlock)
    return await request.run(_scattered(call, FileHandle, SegmentArray, Length, ByteOffset, True), deferred=True)


async def _flush(call: Call, file: FileObject, *, data_only: bool = False) -> int:
    await file.flush(call.thread, data_only=data_only)
    return 0


async def _flushed_already() -> int:
    return 0


@syscall
async def NtFlushBuffersFile(call: Call, FileHandle: HANDLE, IoStatusBlock: Out[IO_STATUS_BLOCK]) -> NTSTATUS:
    file = _writable_file(call, FileHandle)
    return await request_for(call, file, 0, 0, 0, IoStatusBlock).run(_flush(call, file), wait=True)


@syscall
async def NtFlushBuffersFileEx(
    call: Call,
    FileHandle: HANDLE,
    Flags: ULONG,
    Parameters: PVOID,
    ParametersSize: ULONG,
    IoStatusBlock: Out[IO_STATUS_BLOCK],
) -> NTSTATUS:
    """What is written is the host's at once, as good as in a disk's own cache; so only flags that want that cache
    flushed, too, leave something to do."""
    if Flags & ~_FLUSH_FLAGS or Parameters or ParametersSize:
        return STATUS_INVALID_PARAMETER
    file = _writable_file(call, FileHandle)
    if Flags and isinstance(file, VolumeFile):
        return STATUS_INVALID_PARAMETER
    data_only = bool(Flags & _FLUSH_FILE_DATA_SYNC_ONLY)
    if data_only and isinstance(file, DiskObject) and file.is_directory:
        return STATUS_INVALID_PARAMETER
    cached = bool(Flags & (_FLUSH_FILE_DATA_ONLY | _FLUSH_NO_SYNC)) and isinstance(file, DiskObject)
    operation = _flushed_already() if cached else _flush(call, file, data_only=data_only)
    return await request_for(call, file, 0, 0, 0, IoStatusBlock).run(operation, wait=True)


@syscall
async def NtDeviceIoControlFile(
    call: Call,
    FileHandle: Handle[FileObject],
    Event: HANDLE,
    ApcRoutine: PVOID,
    ApcContext: PVOID,
    IoStatusBlock: Out[IO_STATUS_BLOCK],
    IoControlCode: ULONG,
    InputBuffer: PVOID,
    InputBufferLength: ULONG,
    OutputBuffer: PVOID,
    OutputBufferLength: ULONG,
) -> NTSTATUS:
    request = request_for(call, FileHandle, Event, ApcRoutine, ApcContext, IoStatusBlock)
    return await request.run(
        FileHandle.device_control(
            call.thread, IoControlCode, InputBuffer, InputBufferLength, OutputBuffer, OutputBufferLength
        )
    )


@syscall(partial="pipes, identity, symbolic links and junctions, sparse ranges; no oplocks, journals, encryption")
async def NtFsControlFile(
    call: Call,
    FileHandle: Handle[FileObject],
    Event: HANDLE,
    ApcRoutine: PVOID,
    ApcContext: PVOID,
    IoStatusBlock: Out[IO_STATUS_BLOCK],
    FsControlCode: ULONG,
    InputBuffer: PVOID,
    InputBufferLength: ULONG,
    OutputBuffer: PVOID,
    OutputBufferLength: ULONG,
) -> NTSTATUS:
    request = request_for(call, FileHandle, Event, ApcRoutine, ApcContext, IoStatusBlock)
    return await request.run(
        FileHandle.file_system_control(
            call.thread, FsControlCode, InputBuffer, InputBufferLength, OutputBuffer, OutputBufferLength
        )
    )


def _cancel(file: FileObject, status_block: Out[IO_STATUS_BLOCK], chosen: list[Request]) -> int:
    for request in chosen:
        if request.operation is None:  # its thread waits for it
            request.cancel_wait()
        else:
            request.cancel()
    status_block.set(IO_STATUS_BLOCK())
    return len(chosen)


@syscall
def NtCancelIoFile(call: Call, FileHandle: Handle[FileObject], IoStatusBlock: Out[IO_STATUS_BLOCK]) -> NTSTATUS:
    own = [r for r in FileHandle.pending if r.thread is call.thread]
    _cancel(FileHandle, IoStatusBlock, own)
    return STATUS_SUCCESS


@syscall
def NtCancelIoFileEx(
    call: Call, FileHandle: Handle[FileObject], IoRequestToCancel: PVOID, IoStatusBlock: Out[IO_STATUS_BLOCK]
) -> NTSTATUS:
    awaited = [t.request for t in call.process.threads if t.request is not None and t.request.file is FileHandle]
    chosen = [r for r in (*FileHandle.pending, *awaited) if IoRequestToCancel in (0, r.status_block)]
    return STATUS_SUCCESS if _cancel(FileHandle, IoStatusBlock, chosen) else STATUS_NOT_FOUND


@syscall(access={"ThreadHandle": THREAD_TERMINATE})
def NtCancelSynchronousIoFile(
    call: Call, ThreadHandle: Handle[Thread], IoRequestToCancel: PVOID, IoStatusBlock: Out[IO_STATUS_BLOCK]
) -> NTSTATUS:
    request = ThreadHandle.request
    if request is None or IoRequestToCancel not in (0, request.status_block):
        IoStatusBlock.set(IO_STATUS_BLOCK(Status=STATUS_NOT_FOUND))
        return STATUS_NOT_FOUND
    request.cancel_wait()
    IoStatusBlock.set(IO_STATUS_BLOCK())
    return STATUS_SUCCESS
