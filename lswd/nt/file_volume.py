"""Volumes: NtQueryVolumeInformationFile, NtSetVolumeInformationFile.

Drives look like NTFS volumes, with the names Linux keeps and the space it has.
Source: [MS-FSCC] 2.5 "File System Information Classes".
"""

from __future__ import annotations

import os
import struct

from lswd.kernel.file import FileObject
from lswd.kernel.file_disk import DiskObject
from lswd.kernel.file_metadata import nt_error, nt_time
from lswd.kernel.volume import VolumeFile
from lswd.nt.declare import Call, Handle, Out, encode_wide, syscall
from lswd.nt.file_information import volume_serial
from lswd.ntdef.status import (
    STATUS_ACCESS_DENIED,
    STATUS_BUFFER_OVERFLOW,
    STATUS_INFO_LENGTH_MISMATCH,
    STATUS_INVALID_DEVICE_REQUEST,
    STATUS_INVALID_INFO_CLASS,
    STATUS_SUCCESS,
    NtError,
)
from lswd.ntdef.types import IO_STATUS_BLOCK, NTSTATUS, PVOID, ULONG

FileFsVolumeInformation = 1
FileFsLabelInformation = 2
FileFsSizeInformation = 3
FileFsDeviceInformation = 4
FileFsAttributeInformation = 5
FileFsFullSizeInformation = 7
FileFsObjectIdInformation = 8
FileFsSectorSizeInformation = 11

_LEAST = {
    FileFsVolumeInformation: 24,
    FileFsSizeInformation: 24,
    FileFsDeviceInformation: 8,
    FileFsAttributeInformation: 16,
    FileFsFullSizeInformation: 32,
    FileFsObjectIdInformation: 64,
    FileFsSectorSizeInformation: 28,
}

FILE_CASE_SENSITIVE_SEARCH = 0x1
FILE_CASE_PRESERVED_NAMES = 0x2
FILE_UNICODE_ON_DISK = 0x4
FILE_SUPPORTS_SPARSE_FILES = 0x40
FILE_SUPPORTS_REPARSE_POINTS = 0x80
FILE_SUPPORTS_OBJECT_IDS = 0x00010000
FILE_SUPPORTS_HARD_LINKS = 0x00400000
_ATTRIBUTES = (
    FILE_CASE_PRESERVED_NAMES | FILE_UNICODE_ON_DISK | FILE_SUPPORTS_SPARSE_FILES | FILE_SUPPORTS_REPARSE_POINTS
    | FILE_SUPPORTS_OBJECT_IDS | FILE_SUPPORTS_HARD_LINKS
)  # fmt: skip
_MAX_COMPONENT = 255
_SECTOR = 512


def _place(file: FileObject) -> tuple[str | int, str]:
    """Where to ask about the file's volume, and its drive letter."""
    if isinstance(file, DiskObject):
        return file.fd, file.volume.letter
    if isinstance(file, VolumeFile):
        return file.volume.drives.root(file.volume.letter), file.volume.letter
    raise NtError(STATUS_INVALID_DEVICE_REQUEST)


def _space(place: str | int) -> tuple[int, int, int, int]:
    """Clusters in all, free for the user, free, and sectors in a cluster."""
    found = os.statvfs(place)
    unit = found.f_frsize or 4096
    sectors = max(1, unit // _SECTOR)
    return found.f_blocks, found.f_bavail, found.f_bfree, sectors


def _query(file: FileObject, kind: int) -> bytes:
    if kind == FileFsDeviceInformation:
        return struct.pack("<II", file.device_type, file.characteristics)
    place, letter = _place(file)
    if kind == FileFsVolumeInformation:
        found = os.stat(place)
        label = encode_wide("")
        created = nt_time(min(found.st_mtime_ns, found.st_ctime_ns))
        return struct.pack("<qIIBx", created, volume_serial(found.st_dev), len(label), 0) + label
    if kind == FileFsAttributeInformation:
        name = encode_wide("NTFS")
        return struct.pack("<III", _ATTRIBUTES, _MAX_COMPONENT, len(name)) + name
    if kind == FileFsSizeInformation:
        total, available, _, sectors = _space(place)
        return struct.pack("<qqII", total, available, sectors, _SECTOR)
    if kind == FileFsFullSizeInformation:
        total, available, free, sectors = _space(place)
        return struct.pack("<qqqII", total, available, free, sectors, _SECTOR)
    if kind == FileFsObjectIdInformation:
        serial = volume_serial(os.stat(place).st_dev).to_bytes(4, "little")
        return (b"lsw" + letter.encode() + serial).ljust(64, b"\0")
    return struct.pack("<7I", _SECTOR, _SECTOR, _SECTOR, _SECTOR, 0, 0, 0)


@syscall(partial="quota and control information are not there")
def NtQueryVolumeInformationFile(
    call: Call,
    FileHandle: Handle[FileObject],
    IoStatusBlock: Out[IO_STATUS_BLOCK],
    FsInformation: PVOID,
    Length: ULONG,
    FsInformationClass: ULONG,
) -> NTSTATUS:
    least = _LEAST.get(FsInformationClass)
    if least is None:
        return STATUS_INVALID_INFO_CLASS
    if Length < least:
        return STATUS_INFO_LENGTH_MISMATCH
    try:
        data = _query(FileHandle, FsInformationClass)
    except OSError as error:
        raise nt_error(error) from None
    status = STATUS_BUFFER_OVERFLOW if len(data) > Length else STATUS_SUCCESS
    call.space.write(FsInformation, data[:Length])
    IoStatusBlock.set(IO_STATUS_BLOCK(Status=status, Information=min(len(data), Length)))
    return status


@syscall(partial="nothing about a volume can be changed")
def NtSetVolumeInformationFile(
    call: Call,
    FileHandle: Handle[FileObject],
    IoStatusBlock: Out[IO_STATUS_BLOCK],
    FsInformation: PVOID,
    Length: ULONG,
    FsInformationClass: ULONG,
) -> NTSTATUS:
    if FsInformationClass != FileFsLabelInformation:
        return STATUS_INVALID_INFO_CLASS
    return STATUS_ACCESS_DENIED
