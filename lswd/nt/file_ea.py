"""Extended attributes: files here have none that a Windows program could set. NtQueryEaFile, NtSetEaFile.

Source: Microsoft "NtQueryEaFile", "NtSetEaFile"; FILE_EA_INFORMATION says 0 of every file.
"""

from __future__ import annotations

from lswd.kernel.file_disk import DiskObject
from lswd.nt.declare import Call, Handle, Out, syscall
from lswd.ntdef.file import FILE_READ_EA, FILE_WRITE_EA
from lswd.ntdef.status import STATUS_EAS_NOT_SUPPORTED, STATUS_NO_EAS_ON_FILE
from lswd.ntdef.types import BOOLEAN, IO_STATUS_BLOCK, NTSTATUS, PVOID, ULONG


@syscall(partial="no file has extended attributes", access={"FileHandle": FILE_READ_EA})
def NtQueryEaFile(
    call: Call,
    FileHandle: Handle[DiskObject],
    IoStatusBlock: Out[IO_STATUS_BLOCK],
    Buffer: PVOID,
    Length: ULONG,
    ReturnSingleEntry: BOOLEAN,
    EaList: PVOID,
    EaListLength: ULONG,
    EaIndex: PVOID,
    RestartScan: BOOLEAN,
) -> NTSTATUS:
    return STATUS_NO_EAS_ON_FILE


@syscall(partial="extended attributes cannot be set", access={"FileHandle": FILE_WRITE_EA})
def NtSetEaFile(
    call: Call,
    FileHandle: Handle[DiskObject],
    IoStatusBlock: Out[IO_STATUS_BLOCK],
    Buffer: PVOID,
    Length: ULONG,
) -> NTSTATUS:
    return STATUS_EAS_NOT_SUPPORTED
