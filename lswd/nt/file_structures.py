"""Structures of the file information classes that more than one call uses. Source: [MS-FSCC] 2.4, wdm.h."""

from __future__ import annotations

from lswd.ntdef.types import LARGE_INTEGER, ULONG, Struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.kernel.file_metadata import Metadata


class FILE_BASIC_INFORMATION(Struct):
    CreationTime: LARGE_INTEGER
    LastAccessTime: LARGE_INTEGER
    LastWriteTime: LARGE_INTEGER
    ChangeTime: LARGE_INTEGER
    FileAttributes: ULONG


class FILE_NETWORK_OPEN_INFORMATION(Struct):
    CreationTime: LARGE_INTEGER
    LastAccessTime: LARGE_INTEGER
    LastWriteTime: LARGE_INTEGER
    ChangeTime: LARGE_INTEGER
    AllocationSize: LARGE_INTEGER
    EndOfFile: LARGE_INTEGER
    FileAttributes: ULONG


def basic_information(found: Metadata) -> FILE_BASIC_INFORMATION:
    """FileBasicInformation of a file."""
    return FILE_BASIC_INFORMATION(
        CreationTime=found.created,
        LastAccessTime=found.accessed,
        LastWriteTime=found.written,
        ChangeTime=found.changed,
        FileAttributes=found.attributes,
    )


def network_open_information(found: Metadata) -> FILE_NETWORK_OPEN_INFORMATION:
    """FileNetworkOpenInformation of a file."""
    return FILE_NETWORK_OPEN_INFORMATION(
        CreationTime=found.created,
        LastAccessTime=found.accessed,
        LastWriteTime=found.written,
        ChangeTime=found.changed,
        AllocationSize=found.allocation,
        EndOfFile=found.size,
        FileAttributes=found.attributes,
    )
