"""A machine with a drive C: in a temporary directory, and the calls of files in the shape tests want them."""

from __future__ import annotations

import struct
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

from lswd.host.drives import Drives
from lswd.kernel.file_device import install_devices

from .guest_threads import Guest, Machine

Body = Generator[Any, Any, Any]

GENERIC_READ = 0x80000000
GENERIC_WRITE = 0x40000000
READ_WRITE = GENERIC_READ | GENERIC_WRITE
DELETE = 0x10000
SYNCHRONIZE = 0x100000
ATTRIBUTES = 0x180

SUPERSEDE, OPEN, CREATE, OPEN_IF, OVERWRITE, OVERWRITE_IF = range(6)

DIRECTORY_FILE = 0x1
SYNCHRONOUS = 0x20
NON_DIRECTORY_FILE = 0x40
DELETE_ON_CLOSE = 0x1000
OPEN_REPARSE_POINT = 0x200000

SHARE_ALL = 7
CASE_INSENSITIVE = 0x40
STATUS_PENDING = 0x103
STATUS_BUFFER_OVERFLOW = 0x80000005
STATUS_NO_MORE_FILES = 0x80000006
STATUS_INVALID_INFO_CLASS = 0xC0000003
STATUS_INFO_LENGTH_MISMATCH = 0xC0000004
STATUS_INVALID_PARAMETER = 0xC000000D
STATUS_NO_SUCH_FILE = 0xC000000F
STATUS_INVALID_DEVICE_REQUEST = 0xC0000010
STATUS_END_OF_FILE = 0xC0000011
STATUS_ACCESS_DENIED = 0xC0000022
STATUS_OBJECT_NAME_INVALID = 0xC0000033
STATUS_OBJECT_NAME_NOT_FOUND = 0xC0000034
STATUS_OBJECT_NAME_COLLISION = 0xC0000035
STATUS_OBJECT_PATH_NOT_FOUND = 0xC000003A
STATUS_SHARING_VIOLATION = 0xC0000043
STATUS_FILE_LOCK_CONFLICT = 0xC0000054
STATUS_LOCK_NOT_GRANTED = 0xC0000055
STATUS_DELETE_PENDING = 0xC0000056
STATUS_RANGE_NOT_LOCKED = 0xC000007E
STATUS_INSTANCE_NOT_AVAILABLE = 0xC00000AB
STATUS_PIPE_NOT_AVAILABLE = 0xC00000AC
STATUS_PIPE_DISCONNECTED = 0xC00000B0
STATUS_PIPE_CLOSING = 0xC00000B1
STATUS_PIPE_CONNECTED = 0xC00000B2
STATUS_PIPE_LISTENING = 0xC00000B3
STATUS_IO_TIMEOUT = 0xC00000B5
STATUS_FILE_IS_A_DIRECTORY = 0xC00000BA
STATUS_PIPE_EMPTY = 0xC00000D9
STATUS_DIRECTORY_NOT_EMPTY = 0xC0000101
STATUS_NOT_A_DIRECTORY = 0xC0000103
STATUS_CANCELLED = 0xC0000120
STATUS_CANNOT_DELETE = 0xC0000121
STATUS_PIPE_BROKEN = 0xC000014B
STATUS_NOT_FOUND = 0xC0000225


class Files:
    """Calls on files for ``yield from``; statuses are unsigned."""

    def __init__(self, guest: Guest) -> None:
        self.guest = guest
        self.block = guest.room(16)
        self.cell = guest.room(8)

    def memory(self, address: int, size: int) -> bytes:
        return self.guest.machine.process.space.read(address, size)

    def outcome(self, block: int = 0) -> tuple[int, int]:
        """Status and Information of an IO_STATUS_BLOCK."""
        status, information = struct.unpack("<QQ", self.memory(block or self.block, 16))
        return status, information

    def create(
        self, name: str, access: int = READ_WRITE, disposition: int = OPEN_IF, options: int = SYNCHRONOUS,
        share: int = SHARE_ALL, *, attributes: int = 0, root: int = 0,
    ) -> Any:  # fmt: skip
        """NtCreateFile of ``C:\\name`` or of a full NT name; returns (status, handle, information)."""
        full = name if name.startswith("\\") or root else f"\\??\\C:\\{name}"
        where = self.guest.named(full, CASE_INSENSITIVE, root)
        status = yield (
            "NtCreateFile", self.cell, access | SYNCHRONIZE, where, self.block, 0, attributes, share, disposition,
            options, 0, 0,
        )  # fmt: skip
        return status, self.guest.value(self.cell, 8), self.outcome()[1]

    def open(self, name: str, access: int = READ_WRITE, **more: Any) -> Any:
        """The handle of a file that must open."""
        status, handle, _ = yield from self.create(name, access, **more)
        assert status == 0, f"{name}: {status:#x}"
        return handle

    def write(self, handle: int, data: bytes, offset: int | None = None, *, key: int | None = None) -> Any:
        """NtWriteFile; returns the status, and the count if that is success."""
        at = 0 if offset is None else self.guest.stored(struct.pack("<q", offset))
        lock = 0 if key is None else self.guest.stored(struct.pack("<I", key))
        buffer = self.guest.stored(data) if data else 0
        status = yield "NtWriteFile", handle, 0, 0, 0, self.block, buffer, len(data), at, lock
        return (status, self.outcome()[1]) if status == 0 else (status, 0)

    def read(self, handle: int, size: int, offset: int | None = None, *, key: int | None = None) -> Any:
        """NtReadFile; returns the status and what was read."""
        at = 0 if offset is None else self.guest.stored(struct.pack("<q", offset))
        lock = 0 if key is None else self.guest.stored(struct.pack("<I", key))
        buffer = self.guest.room(max(size, 1))
        block = self.guest.room(16)  # another thread may be reading, too
        status = yield "NtReadFile", handle, 0, 0, 0, block, buffer, size, at, lock
        count = self.outcome(block)[1] if status < 0xC0000000 else 0
        return status, self.memory(buffer, count)

    def query(self, handle: int, kind: int, size: int) -> Any:
        """NtQueryInformationFile; returns the status and the answer."""
        buffer = self.guest.room(size)
        status = yield "NtQueryInformationFile", handle, self.block, buffer, size, kind
        return status, self.memory(buffer, self.outcome()[1] if status < 0xC0000000 else 0)

    def set(self, handle: int, kind: int, data: bytes) -> Any:
        """NtSetInformationFile; returns the status."""
        return (yield "NtSetInformationFile", handle, self.block, self.guest.stored(data), len(data), kind)

    def rename(self, handle: int, target: str, *, replace: bool = False, root: int = 0, kind: int = 10) -> Any:
        """FileRenameInformation, or FileLinkInformation as ``kind`` 11."""
        name = target.encode("utf-16-le")
        return (yield from self.set(handle, kind, struct.pack("<QQI", int(replace), root, len(name)) + name + bytes(4)))

    def list(self, handle: int, pattern: str | None = None, *, kind: int = 12, size: int = 4096, flags: int = 0) -> Any:
        """NtQueryDirectoryFileEx with FileNamesInformation; returns the status and the names."""
        buffer = self.guest.room(size)
        name = self.guest.unicode(pattern) if pattern is not None else 0
        status = yield (
            "NtQueryDirectoryFileEx", handle, 0, 0, 0, self.block, buffer, size, kind, flags, name,
        )  # fmt: skip
        return status, entries(self.memory(buffer, self.outcome()[1])) if status == 0 else []

    def control(self, handle: int, code: int, data: bytes = b"", size: int = 64) -> Any:
        """NtFsControlFile; returns the status and the output."""
        given = self.guest.stored(data) if data else 0
        buffer = self.guest.room(size)
        block = self.guest.room(16)
        status = yield "NtFsControlFile", handle, 0, 0, 0, block, code, given, len(data), buffer, size
        return status, self.memory(buffer, self.outcome(block)[1] if status < 0xC0000000 else 0)

    def close(self, handle: int) -> Any:
        """NtClose, which must succeed."""
        status = yield "NtClose", handle
        assert status == 0


def entries(data: bytes, name_at: int = 12, length_at: int = 8) -> list[str]:
    """The names in a buffer that NtQueryDirectoryFile has filled."""
    names = []
    at = 0
    while data:
        step = int.from_bytes(data[at : at + 4], "little")
        length = int.from_bytes(data[at + length_at : at + length_at + 4], "little")
        names.append(data[at + name_at : at + name_at + length].decode("utf-16-le"))
        if not step:
            break
        at += step
    return names


def run_with_files(
    root: Path, program: Callable[[Guest, Files], Body], *, wine: bool = False, **drives: str
) -> list[Any]:
    """Run ``program(guest, files)`` on a machine with ``root`` as C: and further ``drives``; returns its log.

    ``wine``: the machine's userland is Wine's.
    """
    machine = Machine()
    if wine:
        userland: Any = machine.system.userland
        userland.ntdll_exports = userland.ntdll_exports | {"wine_get_version": 0x40}
    machine.system.drives = Drives({"C": str(root), **drives})
    install_devices(machine.system)

    def main(guest: Guest, _: int) -> Body:
        return (yield from program(guest, Files(guest)))

    machine.run(main)
    machine.process.handles.close_all()
    return machine.guest.log
