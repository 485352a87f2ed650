"""NtSetInformationFile: times and attributes, names, sizes, deletion.

Source: [MS-FSCC] 2.4 "File Information Classes", Microsoft "NtSetInformationFile".
"""

from __future__ import annotations

import os
import struct

from lswd.kernel.completion_port import IO_COMPLETION_MODIFY_STATE, CompletionPort
from lswd.kernel.file import FileObject
from lswd.kernel.file_block import check_deletable
from lswd.kernel.file_disk import DiskDirectory, DiskFile, DiskObject
from lswd.kernel.file_mapping import mapped_by_data, mapped_by_image
from lswd.kernel.file_metadata import nt_error, set_attributes, set_creation_time, unix_ns
from lswd.kernel.file_move import REPLACE_IF_EXISTS, link, rename
from lswd.kernel.object import DELETE
from lswd.kernel.process import Process
from lswd.kernel.volume import Volume, VolumeFile
from lswd.nt.declare import Call, Out, decode_wide, syscall
from lswd.ntdef import file as nt
from lswd.ntdef.status import (
    STATUS_ACCESS_DENIED,
    STATUS_CANNOT_DELETE,
    STATUS_INFO_LENGTH_MISMATCH,
    STATUS_INVALID_INFO_CLASS,
    STATUS_INVALID_PARAMETER,
    STATUS_NOT_SAME_DEVICE,
    STATUS_OBJECT_NAME_INVALID,
    STATUS_PRIVILEGE_NOT_HELD,
    STATUS_SUCCESS,
    STATUS_USER_MAPPED_FILE,
    NtError,
)
from lswd.ntdef.types import HANDLE, IO_STATUS_BLOCK, NTSTATUS, PVOID, ULONG

FileBasicInformation = 4
FileRenameInformation = 10
FileLinkInformation = 11
FileDispositionInformation = 13
FilePositionInformation = 14
FileModeInformation = 16
FileAllocationInformation = 19
FileEndOfFileInformation = 20
FilePipeInformation = 23
FileCompletionInformation = 30
FileValidDataLengthInformation = 39
FileIoCompletionNotificationInformation = 41
FileIoPriorityHintInformation = 43
FileReplaceCompletionInformation = 61
FileDispositionInformationEx = 64
FileRenameInformationEx = 65
FileLinkInformationEx = 72

# Class: bytes there must be on a 64-bit system, and the access the handle must have been opened with.
_NEEDS = {
    FileBasicInformation: (40, nt.FILE_WRITE_ATTRIBUTES),
    FileRenameInformation: (20, DELETE),
    FileLinkInformation: (20, 0),
    FileDispositionInformation: (1, DELETE),
    FilePositionInformation: (8, 0),
    FileModeInformation: (4, 0),
    FileAllocationInformation: (8, nt.FILE_WRITE_DATA),
    FileEndOfFileInformation: (8, nt.FILE_WRITE_DATA),
    FilePipeInformation: (8, nt.FILE_WRITE_ATTRIBUTES),
    FileCompletionInformation: (8, 0),
    FileValidDataLengthInformation: (8, nt.FILE_WRITE_DATA),
    FileIoCompletionNotificationInformation: (4, 0),
    FileIoPriorityHintInformation: (4, 0),
    FileReplaceCompletionInformation: (8, 0),
    FileDispositionInformationEx: (4, DELETE),
    FileRenameInformationEx: (20, DELETE),
    FileLinkInformationEx: (20, 0),
}

FILE_DISPOSITION_DELETE = 0x01
FILE_DISPOSITION_POSIX_SEMANTICS = 0x02
FILE_DISPOSITION_ON_CLOSE = 0x08
FILE_DISPOSITION_IGNORE_READONLY_ATTRIBUTE = 0x10

_SETTABLE_MODES = nt.FILE_WRITE_THROUGH | nt.FILE_SEQUENTIAL_ONLY
_MAX_NAME = 0xFFFE
_UNCHANGED = (0, -1, -2)


def _set_basic(file: DiskObject, data: bytes) -> None:
    created, accessed, written, changed, attributes = struct.unpack("<qqqqI", data[:36])
    if min(created, accessed, written, changed) < -2:
        raise NtError(STATUS_INVALID_PARAMETER)
    if file.overlay:
        raise NtError(STATUS_ACCESS_DENIED)
    if attributes & nt.FILE_ATTRIBUTE_DIRECTORY and not file.is_directory:
        raise NtError(STATUS_INVALID_PARAMETER)
    if attributes & nt.FILE_ATTRIBUTE_TEMPORARY and file.is_directory:
        raise NtError(STATUS_INVALID_PARAMETER)
    where = file.where
    try:
        found = os.fstat(file.fd)
        if accessed not in _UNCHANGED or written not in _UNCHANGED:
            from lswd.host.file_times import set_times

            set_times(
                where,
                None if accessed in _UNCHANGED else unix_ns(accessed),
                None if written in _UNCHANGED else unix_ns(written),
            )
        if created not in _UNCHANGED:
            set_creation_time(where, created)
        if attributes:
            set_attributes(where, found, attributes)
    except OSError as error:
        raise nt_error(error) from None


def _set_disposition(process: Process, file: DiskObject, flags: int) -> None:
    if flags & FILE_DISPOSITION_DELETE:
        if mapped_by_image(process, file.block.key):
            raise NtError(STATUS_CANNOT_DELETE)
        check_deletable(file, ignore_readonly=bool(flags & FILE_DISPOSITION_IGNORE_READONLY_ATTRIBUTE))
    wanted = bool(flags & FILE_DISPOSITION_DELETE)
    if flags & FILE_DISPOSITION_ON_CLOSE:
        file.delete_on_close = wanted
    else:
        file.block.delete_pending = wanted
        file.posix_delete = wanted and bool(flags & FILE_DISPOSITION_POSIX_SEMANTICS)
    if wanted and file.is_directory:
        for other in file.block.opens:
            if isinstance(other, DiskDirectory) and other.watch is not None:
                other.watch.deleted()


def _new_name(call: Call, file: DiskObject, data: bytes) -> tuple[Volume, str]:
    """The volume and DOS path that FILE_RENAME_INFORMATION or FILE_LINK_INFORMATION names."""
    word = call.word
    root = int.from_bytes(data[word : 2 * word], "little")
    length = int.from_bytes(data[2 * word : 2 * word + 4], "little")
    start = 2 * word + 4
    if length > _MAX_NAME or length & 1 or not length:
        raise NtError(STATUS_OBJECT_NAME_INVALID if length else STATUS_INVALID_PARAMETER)
    if start + length > len(data):
        raise NtError(STATUS_INVALID_PARAMETER)
    name = decode_wide(data[start : start + length])
    if root:
        directory = call.process.handles.get(root, FileObject)
        if isinstance(directory, VolumeFile):
            return directory.volume, f"{directory.volume.letter}:\\{name}"
        if not isinstance(directory, DiskObject):
            raise NtError(STATUS_INVALID_PARAMETER)
        return directory.volume, directory.dos_path.rstrip("\\") + "\\" + name
    if not name.startswith("\\"):  # beside the file itself
        return file.volume, file.dos_path.rpartition("\\")[0] + "\\" + name
    device, rest = call.process.system.namespace.walk(name, None)
    if not isinstance(device, Volume):
        raise NtError(STATUS_NOT_SAME_DEVICE)
    return device, f"{device.letter}:{rest}"


def _set_size(process: Process, file: DiskObject, size: int, *, allocation: bool) -> None:
    if not isinstance(file, DiskFile) or size < 0:
        raise NtError(STATUS_INVALID_PARAMETER)
    now = os.fstat(file.fd).st_size
    if allocation and size >= now:
        return  # Linux allocates when it is written
    if size < now and mapped_by_data(process, file.block.key):
        raise NtError(STATUS_USER_MAPPED_FILE)
    file.set_size(size)


def _set_on_disk(call: Call, file: DiskObject, kind: int, data: bytes) -> None:
    if kind == FileBasicInformation:
        _set_basic(file, data)
    elif kind in (FileRenameInformation, FileRenameInformationEx, FileLinkInformation, FileLinkInformationEx):
        extended = kind in (FileRenameInformationEx, FileLinkInformationEx)
        flags = int.from_bytes(data[:4], "little") if extended else REPLACE_IF_EXISTS if data[0] else 0
        move = rename if kind in (FileRenameInformation, FileRenameInformationEx) else link
        move(file, *_new_name(call, file, data), flags)
    elif kind == FileDispositionInformation:
        _set_disposition(call.process, file, FILE_DISPOSITION_DELETE if data[0] else 0)
    elif kind == FileDispositionInformationEx:
        _set_disposition(call.process, file, int.from_bytes(data[:4], "little"))
    elif kind == FilePositionInformation:
        position = int.from_bytes(data[:8], "little", signed=True)
        if position < 0:
            raise NtError(STATUS_INVALID_PARAMETER)
        if isinstance(file, DiskFile):
            file.position = position
    elif kind in (FileAllocationInformation, FileEndOfFileInformation):
        size = int.from_bytes(data[:8], "little", signed=True)
        _set_size(call.process, file, size, allocation=kind == FileAllocationInformation)
    elif kind == FileValidDataLengthInformation:
        raise NtError(STATUS_PRIVILEGE_NOT_HELD)
    else:
        raise NtError(STATUS_INVALID_PARAMETER)


def _set_completion(call: Call, file: FileObject, data: bytes, *, replace: bool) -> None:
    """Report finished requests to a port; ``replace``: to another one than so far, or with no handle to none."""
    word = call.word
    handle = int.from_bytes(data[:word], "little")
    if replace and not handle:
        completion = None
    else:
        port = call.process.handles.get(handle, CompletionPort, IO_COMPLETION_MODIFY_STATE)
        assert isinstance(port, CompletionPort)
        completion = (port, int.from_bytes(data[word : 2 * word], "little"))
    if file.synchronous or (file.pending if replace else file.completion is not None):
        raise NtError(STATUS_INVALID_PARAMETER)
    file.completion = completion


@syscall(partial="short names, object identifiers and quotas cannot be set; allocation ahead of writing does nothing")
def NtSetInformationFile(
    call: Call,
    FileHandle: HANDLE,
    IoStatusBlock: Out[IO_STATUS_BLOCK],
    FileInformation: PVOID,
    Length: ULONG,
    FileInformationClass: ULONG,
) -> NTSTATUS:
    kind = FileInformationClass
    file = call.process.handles.get(FileHandle, FileObject)
    assert isinstance(file, FileObject)
    needs = _NEEDS.get(kind)
    if needs is None:
        return STATUS_INVALID_INFO_CLASS
    completion = kind in (FileCompletionInformation, FileReplaceCompletionInformation)
    least = 2 * call.word if completion else needs[0]
    if least == 20:  # a flag, a handle, a length
        least = 2 * call.word + 4
    if Length < least:
        return STATUS_INFO_LENGTH_MISMATCH
    if needs[1] & ~call.process.handles.entry(FileHandle).access:
        return STATUS_ACCESS_DENIED
    data = call.space.read(FileInformation, min(Length, 2 * call.word + 4 + _MAX_NAME))
    if completion:
        _set_completion(call, file, data, replace=kind == FileReplaceCompletionInformation)
    elif kind == FileIoCompletionNotificationInformation:
        file.completion_modes |= int.from_bytes(data[:4], "little")
    elif kind == FileModeInformation:
        modes = int.from_bytes(data[:4], "little")
        file.options = file.options & ~_SETTABLE_MODES | modes & _SETTABLE_MODES
    elif kind == FileIoPriorityHintInformation:
        pass  # a hint
    elif isinstance(file, DiskObject):
        _set_on_disk(call, file, kind, data)
    elif kind == FilePipeInformation:
        file.set(kind, data)
    else:
        return STATUS_INVALID_PARAMETER
    IoStatusBlock.set(IO_STATUS_BLOCK())
    return STATUS_SUCCESS
