"""Enumerating directories: NtQueryDirectoryFile, NtQueryDirectoryFileEx.

Source: [MS-FSCC] 2.4 "File*DirectoryInformation", [MS-FSA] 2.1.5.6.3, Microsoft "NtQueryDirectoryFileEx".
"""

from __future__ import annotations

import struct

from lswd.kernel.file import FileObject, Overflow
from lswd.kernel.file_disk import DiskDirectory
from lswd.kernel.file_listing import Listing
from lswd.nt.declare import Call, Handle, Out, UnicodeString, encode_wide, syscall
from lswd.nt.file_io import request_for
from lswd.ntdef.file import FILE_LIST_DIRECTORY
from lswd.ntdef.status import (
    STATUS_BUFFER_OVERFLOW,
    STATUS_INFO_LENGTH_MISMATCH,
    STATUS_INVALID_INFO_CLASS,
    STATUS_INVALID_PARAMETER,
    STATUS_NO_MORE_FILES,
    STATUS_NO_SUCH_FILE,
    NtError,
)
from lswd.ntdef.types import BOOLEAN, HANDLE, IO_STATUS_BLOCK, NTSTATUS, PVOID, ULONG

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.host.drives import Entry
    from lswd.kernel.file_metadata import Metadata

FileDirectoryInformation = 1
FileFullDirectoryInformation = 2
FileBothDirectoryInformation = 3
FileNamesInformation = 12
FileIdBothDirectoryInformation = 37
FileIdFullDirectoryInformation = 38
FileIdExtdDirectoryInformation = 60
FileIdExtdBothDirectoryInformation = 63

SL_RESTART_SCAN = 1
SL_RETURN_SINGLE_ENTRY = 2

# Class: where the name starts in an entry. The least a buffer may have is that and room for one character, aligned.
_NAME_AT = {
    FileDirectoryInformation: 64,
    FileFullDirectoryInformation: 68,
    FileBothDirectoryInformation: 94,
    FileNamesInformation: 12,
    FileIdBothDirectoryInformation: 104,
    FileIdFullDirectoryInformation: 80,
    FileIdExtdDirectoryInformation: 88,
    FileIdExtdBothDirectoryInformation: 114,
}
# What callers cannot learn the tag of a link from: there is no room for it, or they are Wine's FindFirstFile.
_WITHOUT_TAG = (FileDirectoryInformation, FileBothDirectoryInformation)
_MAX_FILLED = 1 << 20  # bytes of entries in one answer, whatever the buffer


def _fixed(kind: int, found: Metadata, name_length: int) -> bytes:
    """An entry up to its name, with NextEntryOffset 0. EaSize tells the reparse tag, short names are absent."""
    head = struct.pack(
        "<IIqqqqqqII",
        0,
        0,
        found.created,
        found.accessed,
        found.written,
        found.changed,
        found.size,
        found.allocation,
        found.attributes,
        name_length,
    )
    tag = found.reparse_tag
    identity = found.stat.st_ino
    if kind == FileDirectoryInformation:
        return head
    if kind == FileFullDirectoryInformation:
        return head + struct.pack("<I", tag)
    if kind == FileBothDirectoryInformation:
        return head + struct.pack("<I26x", tag)
    if kind == FileIdFullDirectoryInformation:
        return head + struct.pack("<I4xQ", tag, identity)
    if kind == FileIdBothDirectoryInformation:
        return head + struct.pack("<I28xQ", tag, identity)
    if kind == FileIdExtdDirectoryInformation:
        return head + struct.pack("<IIQQ", 0, tag, identity, 0)
    return head + struct.pack("<IIQQ26x", 0, tag, identity, 0)


def _entry(listing: Listing, kind: int, entry: Entry) -> bytes | None:
    name = encode_wide(entry.name)
    if kind == FileNamesInformation:
        return struct.pack("<III", 0, 0, len(name)) + name
    found = listing.metadata(entry, as_looked_at=kind in _WITHOUT_TAG)
    return _fixed(kind, found, len(name)) + name if found is not None else None


def _fill(listing: Listing, kind: int, length: int, single: bool) -> tuple[bytes, int]:
    """As many entries as fit, and the status."""
    filled = bytearray()
    last = -1
    while (entry := listing.current()) is not None and len(filled) < _MAX_FILLED:
        data = _entry(listing, kind, entry)
        if data is not None:
            start = (len(filled) + 7) & -8
            if start + len(data) > length:
                if last < 0:
                    return data[:length], STATUS_BUFFER_OVERFLOW
                break
            filled += bytes(start - len(filled)) + data
            if last >= 0:
                struct.pack_into("<I", filled, last, start - last)
            last = start
        listing.at += 1
        if single and data is not None:
            break
    return bytes(filled), 0 if last >= 0 else STATUS_NO_MORE_FILES


async def _query(
    call: Call, file: DiskDirectory, address: int, length: int, kind: int, flags: int, pattern: str
) -> int:
    listing = file.listing
    if listing is None:
        first = True
        listing = file.listing = Listing(file, pattern)
    else:
        first = bool(flags & SL_RESTART_SCAN)
        if first:
            listing.pattern = pattern or listing.pattern
            listing.restart()
    if first and not len(listing):
        raise NtError(STATUS_NO_SUCH_FILE)
    call.space.probe_write(address, length)
    data, status = _fill(listing, kind, length, bool(flags & SL_RETURN_SINGLE_ENTRY))
    if status == STATUS_NO_MORE_FILES:
        raise NtError(status)
    call.space.write(address, data)
    if status:
        raise Overflow(status, len(data))
    return len(data)


async def _query_directory(
    call: Call,
    file: FileObject,
    event: int,
    routine: int,
    context: int,
    status_block: Out[IO_STATUS_BLOCK],
    address: int,
    length: int,
    kind: int,
    flags: int,
    pattern: str | None,
) -> int:
    at = _NAME_AT.get(kind)
    if not isinstance(file, DiskDirectory):
        return STATUS_INVALID_PARAMETER
    if at is None:
        return STATUS_INVALID_INFO_CLASS
    if length < (at + 2 + 7) & -8:
        return STATUS_INFO_LENGTH_MISMATCH
    request = request_for(call, file, event, routine, context, status_block)
    return await request.run(_query(call, file, address, length, kind, flags, pattern or ""))


@syscall(access={"FileHandle": FILE_LIST_DIRECTORY})
async def NtQueryDirectoryFile(
    call: Call,
    FileHandle: Handle[FileObject],
    Event: HANDLE,
    ApcRoutine: PVOID,
    ApcContext: PVOID,
    IoStatusBlock: Out[IO_STATUS_BLOCK],
    FileInformation: PVOID,
    Length: ULONG,
    FileInformationClass: ULONG,
    ReturnSingleEntry: BOOLEAN,
    FileName: UnicodeString | None,
    RestartScan: BOOLEAN,
) -> NTSTATUS:
    flags = (SL_RETURN_SINGLE_ENTRY if ReturnSingleEntry else 0) | (SL_RESTART_SCAN if RestartScan else 0)
    return await _query_directory(
        call, FileHandle, Event, ApcRoutine, ApcContext, IoStatusBlock, FileInformation, Length,
        FileInformationClass, flags, FileName,
    )  # fmt: skip


@syscall(partial="starting at an index is not possible", access={"FileHandle": FILE_LIST_DIRECTORY})
async def NtQueryDirectoryFileEx(
    call: Call,
    FileHandle: Handle[FileObject],
    Event: HANDLE,
    ApcRoutine: PVOID,
    ApcContext: PVOID,
    IoStatusBlock: Out[IO_STATUS_BLOCK],
    FileInformation: PVOID,
    Length: ULONG,
    FileInformationClass: ULONG,
    QueryFlags: ULONG,
    FileName: UnicodeString | None,
) -> NTSTATUS:
    return await _query_directory(
        call, FileHandle, Event, ApcRoutine, ApcContext, IoStatusBlock, FileInformation, Length,
        FileInformationClass, QueryFlags, FileName,
    )  # fmt: skip
