"""Byte-range locks: NtLockFile, NtUnlockFile.

NT wants an IO_STATUS_BLOCK; Wine's kernelbase calls without one.
Source: Microsoft "NtLockFile", "NtUnlockFile".
"""

from __future__ import annotations

from lswd.kernel.file import FileObject
from lswd.kernel.file_disk import DiskFile
from lswd.kernel.file_lock import ByteRangeLock, LockTable
from lswd.nt.declare import Call, Handle, In, Out, syscall
from lswd.nt.file_io import request_for
from lswd.ntdef.file import FILE_READ_DATA, FILE_WRITE_DATA
from lswd.ntdef.status import (
    STATUS_ACCESS_DENIED,
    STATUS_INVALID_DEVICE_REQUEST,
    STATUS_INVALID_PARAMETER,
    STATUS_RANGE_NOT_LOCKED,
    STATUS_SUCCESS,
    NtError,
)
from lswd.ntdef.types import BOOLEAN, HANDLE, IO_STATUS_BLOCK, NTSTATUS, PVOID, ULARGE_INTEGER, ULONG


def _lockable(file: FileObject) -> DiskFile:
    if file.is_directory:
        raise NtError(STATUS_INVALID_PARAMETER)
    if not isinstance(file, DiskFile):
        raise NtError(STATUS_INVALID_DEVICE_REQUEST)
    return file


async def _lock(table: LockTable, lock: ByteRangeLock, at_once: bool) -> int:
    await table.lock(lock, at_once=at_once)
    return 0


@syscall
async def NtLockFile(
    call: Call,
    FileHandle: HANDLE,
    Event: HANDLE,
    ApcRoutine: PVOID,
    ApcContext: PVOID,
    IoStatusBlock: Out[IO_STATUS_BLOCK] | None,
    ByteOffset: In[ULARGE_INTEGER],
    Length: In[ULARGE_INTEGER],
    Key: ULONG,
    FailImmediately: BOOLEAN,
    ExclusiveLock: BOOLEAN,
) -> NTSTATUS:
    found = call.process.handles.get(FileHandle, FileObject)
    assert isinstance(found, FileObject)
    file = _lockable(found)
    if not call.process.handles.entry(FileHandle).access & (FILE_READ_DATA | FILE_WRITE_DATA):
        return STATUS_ACCESS_DENIED
    if file.block.locks is None:
        file.block.locks = LockTable()
    lock = ByteRangeLock(file, call.process, Key, ByteOffset, Length, bool(ExclusiveLock))
    request = request_for(call, file, Event, ApcRoutine, ApcContext, IoStatusBlock)
    return await request.run(_lock(file.block.locks, lock, bool(FailImmediately)))


@syscall
def NtUnlockFile(
    call: Call,
    FileHandle: Handle[FileObject],
    IoStatusBlock: Out[IO_STATUS_BLOCK] | None,
    ByteOffset: In[ULARGE_INTEGER],
    Length: In[ULARGE_INTEGER],
    Key: ULONG,
) -> NTSTATUS:
    file = _lockable(FileHandle)
    if file.block.locks is None:
        return STATUS_RANGE_NOT_LOCKED
    file.block.locks.unlock(file, call.process, Key, ByteOffset, Length)
    if IoStatusBlock is not None:
        IoStatusBlock.set(IO_STATUS_BLOCK())
    return STATUS_SUCCESS
