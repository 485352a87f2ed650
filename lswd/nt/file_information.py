"""NtQueryInformationFile: what can be known about an open file.

Source: [MS-FSCC] 2.4 "File Information Classes", Microsoft "NtQueryInformationFile".
"""

from __future__ import annotations

import struct

from lswd.kernel.file import FileObject
from lswd.kernel.file_disk import DiskDirectory, DiskFile, DiskObject
from lswd.kernel.file_metadata import Metadata
from lswd.nt.declare import Call, Out, encode_wide, syscall
from lswd.nt.file_structures import basic_information, network_open_information
from lswd.ntdef import file as nt
from lswd.ntdef.status import (
    STATUS_ACCESS_DENIED,
    STATUS_BUFFER_OVERFLOW,
    STATUS_INFO_LENGTH_MISMATCH,
    STATUS_INVALID_INFO_CLASS,
    STATUS_INVALID_PARAMETER,
    STATUS_OBJECT_NAME_NOT_FOUND,
    STATUS_SUCCESS,
    NtError,
)
from lswd.ntdef.types import HANDLE, IO_STATUS_BLOCK, NTSTATUS, PVOID, ULONG

FileBasicInformation = 4
FileStandardInformation = 5
FileInternalInformation = 6
FileEaInformation = 7
FileAccessInformation = 8
FileNameInformation = 9
FilePositionInformation = 14
FileModeInformation = 16
FileAlignmentInformation = 17
FileAllInformation = 18
FileAlternateNameInformation = 21
FileStreamInformation = 22
FilePipeInformation = 23
FilePipeLocalInformation = 24
FilePipeRemoteInformation = 25
FileCompressionInformation = 28
FileNetworkOpenInformation = 34
FileAttributeTagInformation = 35
FileIoCompletionNotificationInformation = 41
FileIsRemoteDeviceInformation = 51
FileNormalizedNameInformation = 48
FileStandardLinkInformation = 54
FileVolumeNameInformation = 58
FileIdInformation = 59
FileStatInformation = 68
FileCaseSensitiveInformation = 71
FileStatBasicInformation = 77

_MODES = (
    nt.FILE_WRITE_THROUGH | nt.FILE_SEQUENTIAL_ONLY | nt.FILE_NO_INTERMEDIATE_BUFFERING
    | nt.FILE_SYNCHRONOUS_IO_ALERT | nt.FILE_SYNCHRONOUS_IO_NONALERT | nt.FILE_DELETE_ON_CLOSE
)  # fmt: skip

# Class: bytes a caller must have room for; the answer may be longer only where it ends in a name.
_LEAST = {
    FileBasicInformation: 40,
    FileStandardInformation: 24,
    FileInternalInformation: 8,
    FileEaInformation: 4,
    FileAccessInformation: 4,
    FileNameInformation: 8,
    FilePositionInformation: 8,
    FileModeInformation: 4,
    FileAlignmentInformation: 4,
    FileAllInformation: 104,
    FileAlternateNameInformation: 8,
    FileStreamInformation: 24,
    FilePipeInformation: 8,
    FilePipeLocalInformation: 40,
    FilePipeRemoteInformation: 16,
    FileCompressionInformation: 16,
    FileNetworkOpenInformation: 56,
    FileAttributeTagInformation: 8,
    FileIoCompletionNotificationInformation: 4,
    FileNormalizedNameInformation: 8,
    FileIsRemoteDeviceInformation: 1,
    FileStandardLinkInformation: 12,
    FileVolumeNameInformation: 8,
    FileIdInformation: 24,
    FileStatInformation: 72,
    FileCaseSensitiveInformation: 4,
    FileStatBasicInformation: 104,
}
_NEED_READ_ATTRIBUTES = (
    FileBasicInformation,
    FileAllInformation,
    FileNetworkOpenInformation,
    FileAttributeTagInformation,
    FileStatInformation,
    FileStatBasicInformation,
)
_OF_ANY_FILE = (
    FileAccessInformation,
    FileNameInformation,
    FileModeInformation,
    FileAlignmentInformation,
    FileIoCompletionNotificationInformation,
    FileIsRemoteDeviceInformation,
)


def volume_serial(device: int) -> int:
    """The serial number of the volume that the host's device number stands for."""
    return (device ^ device >> 32) * 0x9E3779B1 & 0xFFFFFFFF


def _counted(text: str) -> bytes:
    data = encode_wide(text)
    return len(data).to_bytes(4, "little") + data


def _standard(file: DiskObject, found: Metadata) -> bytes:
    return struct.pack(
        "<qqIBB2x",
        found.allocation,
        found.size,
        found.stat.st_nlink if not file.is_directory else 1,
        file.block.delete_pending or file.delete_on_close,
        found.is_directory,
    )


def _all(file: DiskObject, found: Metadata, access: int) -> bytes:
    fixed = basic_information(found).pack(8) + _standard(file, found)
    fixed += struct.pack("<qIIqII", found.stat.st_ino, 0, access, _position(file), file.options & _MODES, 0)
    return fixed + _counted(file.file_name())


def _position(file: FileObject) -> int:
    return file.position if isinstance(file, DiskFile) and file.synchronous else 0


def _stat(found: Metadata) -> bytes:
    """What the three FILE_STAT structures begin with."""
    return struct.pack(
        "<7qIII",
        found.stat.st_ino,
        found.created,
        found.accessed,
        found.written,
        found.changed,
        found.allocation,
        found.size,
        found.attributes,
        found.reparse_tag,
        1 if found.is_directory else found.stat.st_nlink,
    )


def stat_by_name(kind: int, found: Metadata) -> bytes:
    """The classes of NtQueryInformationByName. Raises NtError for others."""
    if kind == FileStatInformation:
        return _stat(found) + nt.FILE_ALL_ACCESS.to_bytes(4, "little")
    if kind == FileStatBasicInformation:
        device = (DiskObject.device_type, DiskObject.characteristics, 0, volume_serial(found.stat.st_dev))
        return _stat(found) + struct.pack("<IIIqQQ", *device, found.stat.st_ino, 0)
    if kind == FileCaseSensitiveInformation:
        return bytes(4)
    raise NtError(STATUS_INVALID_PARAMETER)


def _of_disk(file: DiskObject, kind: int, access: int) -> bytes:
    """The classes that only files on drives have."""
    if kind == FilePositionInformation:
        return _position(file).to_bytes(8, "little")
    if kind == FileEaInformation:
        return bytes(4)
    if kind == FileAlternateNameInformation:
        raise NtError(STATUS_OBJECT_NAME_NOT_FOUND)
    if kind == FileNormalizedNameInformation:
        return _counted(file.file_name())
    if kind == FileVolumeNameInformation:
        return _counted(file.volume.path())
    if kind == FileCaseSensitiveInformation:
        return bytes(4)
    found = file.metadata()
    if kind == FileBasicInformation:
        return basic_information(found).pack(8)
    if kind == FileStandardInformation:
        return _standard(file, found)
    if kind == FileNetworkOpenInformation:
        return network_open_information(found).pack(8)
    if kind == FileAllInformation:
        return _all(file, found, access)
    if kind == FileInternalInformation:
        return found.stat.st_ino.to_bytes(8, "little")
    if kind == FileAttributeTagInformation:
        return struct.pack("<II", found.attributes, found.reparse_tag)
    if kind == FileStreamInformation:
        if isinstance(file, DiskDirectory):
            return b""
        return struct.pack("<IIqq", 0, 14, found.size, found.allocation) + encode_wide("::$DATA")
    if kind == FileCompressionInformation:
        return struct.pack("<qHBBB3x", found.size, 0, 0, 0, 0)
    if kind == FileStandardLinkInformation:
        links = found.stat.st_nlink
        return struct.pack("<IIBB2x", links, links, file.block.delete_pending, found.is_directory)
    if kind == FileIdInformation:
        return struct.pack("<QQQ", volume_serial(found.stat.st_dev), found.stat.st_ino, 0)
    if kind == FileStatInformation:
        return _stat(found) + access.to_bytes(4, "little")
    if kind == FileStatBasicInformation:
        return stat_by_name(kind, found)
    raise NtError(STATUS_INVALID_PARAMETER)


def _of_any(file: FileObject, kind: int, access: int) -> bytes:
    if kind == FileAccessInformation:
        return access.to_bytes(4, "little")
    if kind == FileNameInformation:
        return _counted(file.file_name())
    if kind == FileModeInformation:
        return (file.options & _MODES).to_bytes(4, "little")
    if kind == FileIoCompletionNotificationInformation:
        return file.completion_modes.to_bytes(4, "little")
    return bytes(_LEAST[kind])


@syscall(partial="hard link names, object identifiers and quotas are not there")
def NtQueryInformationFile(
    call: Call,
    FileHandle: HANDLE,
    IoStatusBlock: Out[IO_STATUS_BLOCK],
    FileInformation: PVOID,
    Length: ULONG,
    FileInformationClass: ULONG,
) -> NTSTATUS:
    kind = FileInformationClass
    handles = call.process.handles
    file = handles.get(FileHandle, FileObject)
    assert isinstance(file, FileObject)
    access = handles.entry(FileHandle).access
    least = _LEAST.get(kind)
    if least is None:
        return STATUS_INVALID_INFO_CLASS
    if Length < least:
        return STATUS_INFO_LENGTH_MISMATCH
    if kind in _NEED_READ_ATTRIBUTES and not access & nt.FILE_READ_ATTRIBUTES:
        return STATUS_ACCESS_DENIED
    if kind in _OF_ANY_FILE:
        data = _of_any(file, kind, access)
    elif isinstance(file, DiskObject):
        data = _of_disk(file, kind, access)
    else:
        data = file.query(kind)
    status = STATUS_BUFFER_OVERFLOW if len(data) > Length else STATUS_SUCCESS
    call.space.write(FileInformation, data[:Length])
    IoStatusBlock.set(IO_STATUS_BLOCK(Status=status, Information=min(len(data), Length)))
    return status
