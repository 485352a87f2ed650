"""The device of the network store, and the controls by which nsi.dll reads it."""

from __future__ import annotations

import struct

from lswd.kernel.file import FileDevice, FileObject, Overflow
from lswd.kernel.nsi.icmp import echo
from lswd.kernel.nsi.ip import IPV4_TABLES, IPV6_TABLES
from lswd.kernel.nsi.ndis import TABLES as NDIS_TABLES
from lswd.kernel.nsi.transport import TCP_TABLES, UDP_TABLES
from lswd.kernel.object import MAXIMUM_ALLOWED
from lswd.ntdef import file as nt
from lswd.ntdef.status import (
    STATUS_BUFFER_OVERFLOW,
    STATUS_INVALID_PARAMETER,
    STATUS_NOT_SUPPORTED,
    STATUS_OBJECT_NAME_NOT_FOUND,
    NtError,
)
from lswd.ntdef.types import ULONG, Struct, raw

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.kernel.file import OpenParameters
    from lswd.kernel.nsi.table import Table
    from lswd.kernel.process import Process
    from lswd.kernel.thread import Thread

IOCTL_NSIPROXY_WINE_ENUMERATE_ALL = 0x121000
IOCTL_NSIPROXY_WINE_GET_ALL_PARAMETERS = 0x121004
IOCTL_NSIPROXY_WINE_GET_PARAMETER = 0x121008
IOCTL_NSIPROXY_WINE_ICMP_ECHO = 0x12100C


def _module(number: int) -> bytes:
    """[netiodef.h] NPI_MS_*_MODULEID: {eb004a??-9b1a-11d4-9123-0050047759bc}."""
    return struct.pack("<IHH8s", 0xEB004A00 | number, 0x9B1A, 0x11D4, bytes.fromhex("91230050047759bc"))


_MODULES = {
    _module(0x11): NDIS_TABLES,
    _module(0x00): IPV4_TABLES,
    _module(0x01): IPV6_TABLES,
    _module(0x03): TCP_TABLES,
    _module(0x02): UDP_TABLES,
}
_MOST_INPUT = 1 << 17
_LARGEST_ANSWER = 1 << 26


class NPI_MODULEID(Struct):
    Length: ULONG
    Type: ULONG
    Guid: bytes = raw(16)


class EnumerateAll(Struct):
    module: NPI_MODULEID
    first_arg: ULONG
    second_arg: ULONG
    table: ULONG
    key_size: ULONG
    rw_size: ULONG
    dynamic_size: ULONG
    static_size: ULONG
    count: ULONG


class GetAllParameters(Struct):
    """Then the key."""

    module: NPI_MODULEID
    first_arg: ULONG
    table: ULONG
    key_size: ULONG
    rw_size: ULONG
    dynamic_size: ULONG
    static_size: ULONG


class GetParameter(Struct):
    """Then the key."""

    module: NPI_MODULEID
    first_arg: ULONG
    table: ULONG
    key_size: ULONG
    param_type: ULONG
    data_offset: ULONG


class NsiDevice(FileDevice):
    """``\\Device\\Nsi``."""

    def open(self, process: Process, rest: str, parameters: OpenParameters) -> FileObject:
        if rest:
            raise NtError(STATUS_OBJECT_NAME_NOT_FOUND)
        parameters.information = nt.FILE_OPENED
        return NsiFile(parameters.access & ~MAXIMUM_ALLOWED or nt.FILE_GENERIC_READ, parameters.options)


class NsiFile(FileObject):
    """The device, open."""

    def path(self) -> str:
        return "\\Device\\Nsi"

    async def device_control(
        self, thread: Thread, code: int, address: int, length: int, out_address: int, out_length: int
    ) -> int:
        space = thread.process.space
        data = space.read(address, min(length, _MOST_INPUT))
        if code == IOCTL_NSIPROXY_WINE_ICMP_ECHO:
            space.probe_write(out_address, out_length)
            reply = await echo(thread, data, out_length)
            space.write(out_address, reply)
            return len(reply)
        if code == IOCTL_NSIPROXY_WINE_ENUMERATE_ALL:
            answer, whole = _enumerate(thread, data, out_length)
            space.write(out_address, answer)
            if not whole:
                raise Overflow(STATUS_BUFFER_OVERFLOW, len(answer))
            return len(answer)
        if code == IOCTL_NSIPROXY_WINE_GET_ALL_PARAMETERS:
            answer = _all_parameters(thread, data)
        elif code == IOCTL_NSIPROXY_WINE_GET_PARAMETER:
            answer = _parameter(thread, data, out_length)
        else:
            raise NtError(STATUS_NOT_SUPPORTED)
        if out_length < len(answer):
            raise NtError(STATUS_INVALID_PARAMETER)
        space.write(out_address, answer)
        return len(answer)


def _table(module: NPI_MODULEID, number: int) -> Table:
    """
    Raises:
        NtError: STATUS_NOT_SUPPORTED: there is no such table.
    """
    found = _MODULES.get(module.Guid, {}).get(number)
    if found is None:
        raise NtError(STATUS_NOT_SUPPORTED)
    return found


def _check(table: Table, sizes: tuple[int, ...]) -> None:
    """Each part is wanted whole or not at all.

    Raises:
        NtError: STATUS_INVALID_PARAMETER: it is not.
    """
    if any(given not in (0, size) for given, size in zip(sizes, table.sizes, strict=True)):
        raise NtError(STATUS_INVALID_PARAMETER)


def _enumerate(thread: Thread, data: bytes, room: int) -> tuple[bytes, bool]:
    """How many rows there are, then the rows part by part; and whether that is all."""
    if len(data) != EnumerateAll.size(8):
        raise NtError(STATUS_INVALID_PARAMETER)
    q = EnumerateAll.unpack(8, data)
    sizes = (q.key_size, q.rw_size, q.dynamic_size, q.static_size)
    table = _table(q.module, q.table)
    _check(table, sizes)
    if not 4 + sum(sizes) * q.count <= min(room, _LARGEST_ANSWER):
        raise NtError(STATUS_INVALID_PARAMETER)
    rows = table.rows(thread.process.system)
    if not any(sizes):  # a question how many there are; the count means nothing
        return len(rows).to_bytes(4, "little"), True
    given = rows[: q.count]
    parts = [
        b"".join(row[i] for row in given).ljust(size * q.count, b"\0") for i, size in enumerate(sizes) if size
    ]  # fmt: skip
    return len(given).to_bytes(4, "little") + b"".join(parts), len(given) == len(rows)


def _row(thread: Thread, table: Table, key: bytes) -> tuple[bytes, ...]:
    """
    Raises:
        NtError: there is none: what the table says then.
    """
    for row in table.rows(thread.process.system):
        if row[0] == key:
            return row
    raise NtError(table.missing)


def _all_parameters(thread: Thread, data: bytes) -> bytes:
    head = GetAllParameters.size(8)
    if len(data) < head:
        raise NtError(STATUS_INVALID_PARAMETER)
    q = GetAllParameters.unpack(8, data)
    sizes = (q.key_size, q.rw_size, q.dynamic_size, q.static_size)
    table = _table(q.module, q.table)
    _check(table, sizes)
    row = _row(thread, table, data[head : head + q.key_size])
    return b"".join(part for part, size in zip(row[1:], sizes[1:], strict=True) if size)


def _parameter(thread: Thread, data: bytes, room: int) -> bytes:
    """A piece of one part of a row."""
    head = GetParameter.size(8)
    if len(data) < head:
        raise NtError(STATUS_INVALID_PARAMETER)
    q = GetParameter.unpack(8, data)
    if q.param_type > 2:
        raise NtError(STATUS_INVALID_PARAMETER)
    table = _table(q.module, q.table)
    part = _row(thread, table, data[head : head + q.key_size])[1 + q.param_type]
    if q.data_offset + room > len(part):
        raise NtError(STATUS_INVALID_PARAMETER)
    return part[q.data_offset : q.data_offset + room]
