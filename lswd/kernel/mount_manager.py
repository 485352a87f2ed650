"""``\\Device\\MountPointManager``: which names lead to which volume.

Every drive has two: ``\\DosDevices\\C:`` and ``\\??\\Volume{00000000-0000-0000-0000-000000000043}``, the letter in it.
Source: mountmgr.h (IOCTL_MOUNTMGR_QUERY_POINTS), Microsoft "Supporting Mount Manager Requests".
"""

from __future__ import annotations

import struct

from lswd.kernel.file import FileDevice, FileObject, Overflow
from lswd.kernel.object import MAXIMUM_ALLOWED
from lswd.kernel.volume import volume_guid_name
from lswd.ntdef import file as nt
from lswd.ntdef.status import (
    STATUS_BUFFER_OVERFLOW,
    STATUS_INVALID_DEVICE_REQUEST,
    STATUS_INVALID_PARAMETER,
    STATUS_OBJECT_NAME_NOT_FOUND,
    NtError,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from lswd.kernel.file import OpenParameters
    from lswd.kernel.process import Process
    from lswd.kernel.thread import Thread

IOCTL_MOUNTMGR_QUERY_POINTS = 0x6D0008
# MOUNTMGR_MOUNT_POINT: offset and length of a symbolic link's name, a unique identifier and a device's name.
_POINT = struct.Struct("<IH2xIH2xIH2x")
_HEADER = struct.Struct("<II")  # MOUNTMGR_MOUNT_POINTS: Size, NumberOfMountPoints
_MAX_INPUT = 4096


class MountManager(FileDevice):
    """The device. ``drives``: device name by drive letter."""

    def __init__(self, drives: Mapping[str, str]) -> None:
        super().__init__()
        self.drives = drives

    def open(self, process: Process, rest: str, parameters: OpenParameters) -> FileObject:
        if rest:
            raise NtError(STATUS_OBJECT_NAME_NOT_FOUND)
        parameters.information = nt.FILE_OPENED
        return MountManagerFile(self, parameters)

    def points(self) -> list[tuple[str, bytes, str]]:
        """Every mount point: symbolic link, unique identifier, device."""
        return [
            (link, b"lsw" + letter.encode(), device)
            for letter, device in self.drives.items()
            for link in (f"\\DosDevices\\{letter}:", "\\??\\" + volume_guid_name(letter))
        ]


class MountManagerFile(FileObject):
    """The device, open."""

    def __init__(self, device: MountManager, parameters: OpenParameters) -> None:
        super().__init__(parameters.access & ~MAXIMUM_ALLOWED or nt.FILE_GENERIC_READ, parameters.options)
        self._device = device

    def path(self) -> str:
        return "\\Device\\MountPointManager"

    async def device_control(
        self, thread: Thread, code: int, address: int, length: int, out_address: int, out_length: int
    ) -> int:
        if code != IOCTL_MOUNTMGR_QUERY_POINTS:
            raise NtError(STATUS_INVALID_DEVICE_REQUEST)
        space = thread.process.space
        link, identifier, device = _asked(space.read(address, min(length, _MAX_INPUT)))
        found = [
            point
            for point in self._device.points()
            if (not link or point[0].upper() == link.upper())
            and (not identifier or point[1] == identifier)
            and (not device or point[2].upper() == device.upper())
        ]
        if (link or identifier or device) and not found:
            raise NtError(STATUS_OBJECT_NAME_NOT_FOUND)
        data = _answer(found)
        if out_length < _HEADER.size:
            raise NtError(STATUS_INVALID_PARAMETER)
        if out_length < len(data):
            space.write(out_address, data[: _HEADER.size])
            raise Overflow(STATUS_BUFFER_OVERFLOW, _HEADER.size)
        space.write(out_address, data)
        return len(data)


def _asked(data: bytes) -> tuple[str, bytes, str]:
    """What a MOUNTMGR_MOUNT_POINT asks for; empty parts match everything."""
    if len(data) < _POINT.size:
        raise NtError(STATUS_INVALID_PARAMETER)
    parts = []
    fields = _POINT.unpack_from(data)
    for offset, size in zip(fields[::2], fields[1::2], strict=True):
        if size and offset + size > len(data):
            raise NtError(STATUS_INVALID_PARAMETER)
        parts.append(data[offset : offset + size] if size else b"")
    link, identifier, device = parts
    return link.decode("utf-16-le", "replace"), identifier, device.decode("utf-16-le", "replace")


def _answer(points: list[tuple[str, bytes, str]]) -> bytes:
    """MOUNTMGR_MOUNT_POINTS with the names behind it."""
    at = _HEADER.size + _POINT.size * len(points)
    heads = bytearray()
    tail = bytearray()
    for link, identifier, device in points:
        fields: list[int] = []
        for part in (link.encode("utf-16-le"), identifier, device.encode("utf-16-le")):
            fields += [at + len(tail), len(part)]
            tail += part
        heads += _POINT.pack(*fields)
    return _HEADER.pack(at + len(tail), len(points)) + heads + tail
