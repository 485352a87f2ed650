"""What a socket tells about itself, and the small controls."""

from __future__ import annotations

import struct

from lswd.kernel.afd import protocol as afd
from lswd.kernel.afd.address import to_guest
from lswd.kernel.afd.endpoint import CONNECTED, Socket
from lswd.kernel.loop import event_loop
from lswd.ntdef import file as nt
from lswd.ntdef.status import (
    STATUS_INVALID_CONNECTION,
    STATUS_INVALID_INFO_CLASS,
    STATUS_INVALID_PARAMETER,
    NtError,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.kernel.afd.controls import Control

FileBasicInformation = 4
FileStandardInformation = 5
FilePositionInformation = 14


def query(information_class: int) -> bytes:
    """NtQueryInformationFile of any socket."""
    if information_class == FileBasicInformation:
        return struct.pack("<qqqqI4x", 0, 0, 0, 0, nt.FILE_ATTRIBUTE_NORMAL)
    if information_class == FileStandardInformation:
        return struct.pack("<qqIBB2x", 0, 0, 1, 0, 0)
    if information_class == FilePositionInformation:
        return bytes(8)
    raise NtError(STATUS_INVALID_INFO_CLASS)


async def own_name(sock: Socket, control: Control) -> int:
    """IOCTL_AFD_GETSOCKNAME."""
    if sock.created and not sock.bound:
        raise NtError(STATUS_INVALID_PARAMETER)
    return control.answer(sock.own_address())


async def peer_name(sock: Socket, control: Control) -> int:
    """IOCTL_AFD_WINE_GETPEERNAME."""
    sock.finish_connecting()
    host = sock.host
    if sock.state != CONNECTED:
        raise NtError(STATUS_INVALID_CONNECTION)
    peer = host.getpeername()
    return control.answer(to_guest(peer, sock.family))


async def kind(sock: Socket, control: Control) -> int:
    """IOCTL_AFD_WINE_GET_INFO: family, type and protocol."""
    if not sock.created:
        raise NtError(STATUS_INVALID_PARAMETER)
    info = afd.Information(family=sock.family, type=sock.kind, protocol=sock.protocol)
    return control.answer(info.pack(control.space.word))


async def set_nonblocking(sock: Socket, control: Control) -> int:
    """IOCTL_AFD_WINE_FIONBIO. A socket whose events were selected stays as that made it."""
    if control.length < 4:
        raise NtError(STATUS_INVALID_PARAMETER)
    wanted = bool(control.number())
    if not wanted and sock.event_mask:
        raise NtError(STATUS_INVALID_PARAMETER)
    sock.nonblocking = wanted
    return 0


async def complete(sock: Socket, control: Control) -> int:
    """IOCTL_AFD_WINE_COMPLETE_ASYNC: ends with the status given, so that ws2_32's own operations end as requests do.

    A failure pends first: ws2_32 says that it does, and a call that fails at once would be heard of by nobody else.
    """
    if control.length < 4:
        raise NtError(STATUS_INVALID_PARAMETER)
    status = control.number() & 0xFFFFFFFF
    if status:
        await event_loop()
        raise NtError(status)
    return 0
