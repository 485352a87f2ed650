"""Socket options and controls that Wine 8's ws2_32 does not know.

Programs that see Windows 10 set those of TCP's keep-alive probes or give up the connection (libuv, and so node); Go
makes no datagram socket without SIO_UDP_NETRESET.
Source: Microsoft "IPPROTO_TCP Socket Options": TCP_KEEPIDLE and TCP_KEEPINTVL in seconds, TCP_KEEPCNT.
"""

from __future__ import annotations

import socket

from lswd.ntdef.status import NtError
from lswd.ntdef.types import HANDLE, LONG, PVOID, ULONG
from lswd.userland.supplements.declare import supplement
from lswd.userland.supplements.last_error import failed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.userland.supplements.declare import ProcessCall

_OPTIONS = {3: socket.TCP_KEEPIDLE, 16: socket.TCP_KEEPCNT, 17: socket.TCP_KEEPINTVL}
_MOST = {3: 32767, 16: 127, 17: 32767}  # Linux takes no more, Windows does
_SOCKET_ERROR = -1
_WSAEFAULT, _WSAEINVAL, _WSAENOTSOCK, _WSAEOPNOTSUPP = 10014, 10022, 10038, 10045


@supplement("ws2_32.dll")
def setsockopt(call: ProcessCall, s: HANDLE, level: LONG, optname: LONG, optval: PVOID, optlen: LONG) -> LONG:
    host = _host_socket(call, s)
    if host is None:
        return _failed(call, _WSAENOTSOCK)
    if optlen < 1:
        return _failed(call, _WSAEFAULT)
    try:
        value = int.from_bytes(call.space.read(optval, min(optlen, 4)), "little")
        host.setsockopt(socket.IPPROTO_TCP, _OPTIONS[optname], max(1, min(value, _MOST[optname])))
    except NtError:
        return _failed(call, _WSAEFAULT)
    except OSError:
        return _failed(call, _WSAEINVAL)
    return 0


@supplement("ws2_32.dll")
def getsockopt(call: ProcessCall, s: HANDLE, level: LONG, optname: LONG, optval: PVOID, optlen: PVOID) -> LONG:
    host = _host_socket(call, s)
    if host is None:
        return _failed(call, _WSAENOTSOCK)
    try:
        if int.from_bytes(call.space.read(optlen, 4), "little", signed=True) < 4:
            return _failed(call, _WSAEFAULT)
        value = host.getsockopt(socket.IPPROTO_TCP, _OPTIONS[optname])
        call.space.write(optval, value.to_bytes(4, "little"))
        call.space.write(optlen, (4).to_bytes(4, "little"))
    except NtError:
        return _failed(call, _WSAEFAULT)
    except OSError:
        return _failed(call, _WSAEINVAL)
    return 0


@supplement("ws2_32.dll")
def WSAIoctl(
    call: ProcessCall, s: HANDLE, dwIoControlCode: ULONG, lpvInBuffer: PVOID, cbInBuffer: ULONG, lpvOutBuffer: PVOID,
    cbOutBuffer: ULONG, lpcbBytesReturned: PVOID, lpOverlapped: PVOID, lpCompletionRoutine: PVOID,
) -> LONG:  # fmt: skip
    """SIO_UDP_NETRESET: are datagrams that did not arrive (their TTL expired) to end receives with an error? Here they
    never do, so the answer no is taken, and yes is not."""
    if _host_socket(call, s) is None:
        return _failed(call, _WSAENOTSOCK)
    if cbInBuffer < 1 or not lpcbBytesReturned:
        return _failed(call, _WSAEFAULT)
    try:
        wanted = any(call.space.read(lpvInBuffer, min(cbInBuffer, 4)))
        if wanted or lpOverlapped:
            return _failed(call, _WSAEOPNOTSUPP)
        call.space.write(lpcbBytesReturned, bytes(4))
    except NtError:
        return _failed(call, _WSAEFAULT)
    return 0


def _host_socket(call: ProcessCall, handle: int) -> socket.socket | None:
    """The host's socket behind a guest's, if that is one and has been made."""
    try:
        host = getattr(call.process.handles.get(handle), "host", None)
    except NtError:
        return None
    return host if isinstance(host, socket.socket) else None


def _failed(call: ProcessCall, error: int) -> int:
    return failed(call, error, _SOCKET_ERROR)
