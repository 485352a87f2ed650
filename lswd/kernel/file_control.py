"""File system controls of files on drives: reparse points, sparse ranges.

Source: [MS-FSCC] 2.3 "FSCTL Structures".
"""

from __future__ import annotations

import errno
import os
import struct

from lswd.host.file_holes import punch_hole
from lswd.kernel import reparse
from lswd.kernel.file import Overflow
from lswd.kernel.file_disk import DiskFile, DiskObject
from lswd.kernel.file_metadata import nt_error
from lswd.ntdef.file import FILE_WRITE_DATA
from lswd.ntdef.status import (
    STATUS_ACCESS_DENIED,
    STATUS_BUFFER_OVERFLOW,
    STATUS_BUFFER_TOO_SMALL,
    STATUS_INVALID_DEVICE_REQUEST,
    STATUS_INVALID_PARAMETER,
    NtError,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.memory.space import AddressSpace

FSCTL_GET_COMPRESSION = 0x9003C
FSCTL_GET_REPARSE_POINT = 0x900A8
FSCTL_SET_SPARSE = 0x900C4
FSCTL_QUERY_ALLOCATED_RANGES = 0x940CF
FSCTL_SET_ZERO_DATA = 0x980C8
FSCTL_SET_REPARSE_POINT = 0x900A4
FSCTL_DELETE_REPARSE_POINT = 0x900AC

_LARGEST_REPARSE_DATA = (16 << 10) + 1  # one byte more than is allowed
_CHUNK = 1 << 20


def control(
    file: DiskObject, space: AddressSpace, code: int, address: int, length: int, out_address: int, out_length: int
) -> int:
    """Carry out an FSCTL; returns how many bytes of output there are.

    Raises:
        NtError: STATUS_INVALID_DEVICE_REQUEST for one that is unknown, and what each has to say.
    """
    if code == FSCTL_GET_REPARSE_POINT:
        data = reparse.read(file)
        if out_length < 8:
            raise NtError(STATUS_BUFFER_TOO_SMALL)
        if out_length < len(data):
            space.write(out_address, data[:out_length])
            raise Overflow(STATUS_BUFFER_OVERFLOW, out_length)
    elif code == FSCTL_GET_COMPRESSION:
        data = bytes(2)
    elif code == FSCTL_SET_SPARSE:
        data = b""  # every file is
    elif code == FSCTL_QUERY_ALLOCATED_RANGES:
        return _allocated_ranges(file, space, address, length, out_address, out_length)
    elif code == FSCTL_SET_ZERO_DATA:
        return _zero(file, space, address, length)
    elif code in (FSCTL_SET_REPARSE_POINT, FSCTL_DELETE_REPARSE_POINT):
        change = reparse.write if code == FSCTL_SET_REPARSE_POINT else reparse.delete
        change(file, space.read(address, min(length, _LARGEST_REPARSE_DATA)))
        return 0
    else:
        raise NtError(STATUS_INVALID_DEVICE_REQUEST)
    if out_length < len(data):
        raise NtError(STATUS_BUFFER_TOO_SMALL)
    space.write(out_address, data)
    return len(data)


def _range(space: AddressSpace, address: int, length: int) -> tuple[int, int]:
    if length < 16:
        raise NtError(STATUS_INVALID_PARAMETER)
    first, second = struct.unpack("<qq", space.read(address, 16))
    if first < 0 or second < 0:
        raise NtError(STATUS_INVALID_PARAMETER)
    return first, second


def _extents(fd: int, start: int, end: int) -> list[tuple[int, int]]:
    """Where between ``start`` and ``end`` the file has data."""
    found = []
    while start < end:
        try:
            start = os.lseek(fd, start, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:  # only a hole follows
                break
            raise
        if start >= end:
            break
        stop = min(os.lseek(fd, start, os.SEEK_HOLE), end)
        found.append((start, stop))
        start = stop
    return found


def _private_fd(file: DiskObject) -> int:
    """A descriptor whose position nobody else uses."""
    return os.open(f"/proc/self/fd/{file.fd}", os.O_RDONLY | os.O_CLOEXEC)


def _allocated_ranges(
    file: DiskObject, space: AddressSpace, address: int, length: int, out_address: int, out_length: int
) -> int:
    if not isinstance(file, DiskFile):
        raise NtError(STATUS_INVALID_PARAMETER)
    start, count = _range(space, address, length)
    try:
        fd = _private_fd(file)
        try:
            extents = _extents(fd, start, min(start + count, os.fstat(fd).st_size))
        finally:
            os.close(fd)
    except OSError as error:
        raise nt_error(error) from None
    data = b"".join(struct.pack("<qq", at, stop - at) for at, stop in extents)
    fits = out_length & -16
    space.write(out_address, data[:fits])
    if len(data) > fits:
        raise Overflow(STATUS_BUFFER_OVERFLOW, fits) if fits else NtError(STATUS_BUFFER_TOO_SMALL)
    return len(data)


def _zero(file: DiskObject, space: AddressSpace, address: int, length: int) -> int:
    """Give back what the range has of data, or write zeros over it where the file system cannot."""
    if not isinstance(file, DiskFile):
        raise NtError(STATUS_INVALID_PARAMETER)
    if not file.access & FILE_WRITE_DATA:
        raise NtError(STATUS_ACCESS_DENIED)
    start, end = _range(space, address, length)
    if end < start:
        raise NtError(STATUS_INVALID_PARAMETER)
    end = min(end, os.fstat(file.fd).st_size)
    if end <= start or punch_hole(file.fd, start, end - start):
        return 0
    zeros = bytes(_CHUNK)
    try:
        fd = _private_fd(file)
        try:
            for at, stop in _extents(fd, start, end):
                while at < stop:
                    at += os.pwrite(file.fd, memoryview(zeros)[: stop - at], at)
        finally:
            os.close(fd)
    except OSError as error:
        raise nt_error(error) from None
    return 0
