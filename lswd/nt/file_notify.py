"""NtNotifyChangeDirectoryFile and its extended form.

The first call on a handle says what is watched for and how much may be remembered between calls. Wine's kernelbase
waits for a synchronous directory itself (ReadDirectoryChangesW) or leaves that to its caller (FindFirstChange...).
Source: Microsoft "ReadDirectoryChangesW", "ReadDirectoryChangesExW".
"""

from __future__ import annotations

from lswd.kernel.directory_watch import FILE_NOTIFY_VALID_MASK, DirectoryWatches
from lswd.kernel.file import FileObject
from lswd.kernel.file_disk import DiskDirectory
from lswd.nt.declare import Call, Handle, Out, syscall
from lswd.nt.file_io import request_for
from lswd.ntdef.file import FILE_READ_DATA
from lswd.ntdef.status import STATUS_INVALID_INFO_CLASS, STATUS_INVALID_PARAMETER, NtError
from lswd.ntdef.types import BOOLEAN, HANDLE, IO_STATUS_BLOCK, NTSTATUS, PVOID, ULONG

FILE_LIST_DIRECTORY = FILE_READ_DATA
_DIRECTORY_NOTIFY_INFORMATION = 1


async def _changes(call: Call, directory: DiskDirectory, buffer: int, length: int) -> int:
    assert directory.watch is not None
    data = await directory.watch.next_changes(length)
    call.space.write(buffer, data)
    return len(data)


def _watched(call: Call, file: FileObject, changes: int, subtree: bool, length: int) -> DiskDirectory:
    """The directory, its changes being collected."""
    if not isinstance(file, DiskDirectory) or not changes or changes & ~FILE_NOTIFY_VALID_MASK:
        raise NtError(STATUS_INVALID_PARAMETER)
    if file.watch is None:
        scheduler = call.process.scheduler
        assert scheduler is not None
        watches = call.process.system.part(DirectoryWatches)
        file.watch = watches.start(scheduler, file, changes, subtree, length)
    return file


async def _notify(
    call: Call,
    file: FileObject,
    event: int,
    routine: int,
    context: int,
    status_block: Out[IO_STATUS_BLOCK],
    buffer: int,
    length: int,
    changes: int,
    tree: int,
) -> int:
    """What both calls do with the parameters that they share."""
    if length:
        call.space.probe_write(buffer, length)
    directory = _watched(call, file, changes, bool(tree), length)
    request = request_for(call, directory, event, routine, context, status_block)
    return await request.run(_changes(call, directory, buffer, length), never_wait=directory.volume.serves_wine)


@syscall(access={"FileHandle": FILE_LIST_DIRECTORY})
async def NtNotifyChangeDirectoryFile(
    call: Call,
    FileHandle: Handle[FileObject],
    Event: HANDLE,
    ApcRoutine: PVOID,
    ApcContext: PVOID,
    IoStatusBlock: Out[IO_STATUS_BLOCK],
    Buffer: PVOID,
    Length: ULONG,
    CompletionFilter: ULONG,
    WatchTree: BOOLEAN,
) -> NTSTATUS:
    return await _notify(
        call, FileHandle, Event, ApcRoutine, ApcContext, IoStatusBlock, Buffer, Length, CompletionFilter, WatchTree
    )


@syscall(partial="extended records are refused", access={"FileHandle": FILE_LIST_DIRECTORY})
async def NtNotifyChangeDirectoryFileEx(
    call: Call,
    FileHandle: Handle[FileObject],
    Event: HANDLE,
    ApcRoutine: PVOID,
    ApcContext: PVOID,
    IoStatusBlock: Out[IO_STATUS_BLOCK],
    Buffer: PVOID,
    Length: ULONG,
    CompletionFilter: ULONG,
    WatchTree: BOOLEAN,
    DirectoryNotifyInformationClass: ULONG,
) -> NTSTATUS:
    if DirectoryNotifyInformationClass != _DIRECTORY_NOTIFY_INFORMATION:
        return STATUS_INVALID_INFO_CLASS
    return await _notify(
        call, FileHandle, Event, ApcRoutine, ApcContext, IoStatusBlock, Buffer, Length, CompletionFilter, WatchTree
    )
