"""getsockopt and setsockopt: a control for each option and direction.

Source: Wine's public header wine/afd.h for the numbers; Microsoft "SOL_SOCKET Socket Options", "IPPROTO_IP Socket
Options", "IPPROTO_IPV6 Socket Options", "IPPROTO_TCP Socket Options" for values and units.
"""

from __future__ import annotations

import socket
import struct
import time

from lswd.kernel.afd import protocol as afd
from lswd.kernel.afd.endpoint import CONNECTED, LISTENING, Socket
from lswd.kernel.afd.errors import status_of
from lswd.kernel.afd.policy import ON
from lswd.kernel.afd.protocol import wine_control
from lswd.ntdef.status import STATUS_ACCESS_DENIED, STATUS_BUFFER_TOO_SMALL, STATUS_INVALID_PARAMETER, NtError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from lswd.kernel.afd.controls import Control, Handler

_LONGEST = 1024
_IP_MTU_DISCOVER, _IPV6_MTU_DISCOVER = 10, 23  # linux/in.h, linux/in6.h: not in Python's socket module
_PMTUDISC_DONT, _PMTUDISC_DO = 0, 2
_IP_PKTINFO, _IP_RECVTTL, _IP_UNICAST_IF, _IPV6_UNICAST_IF = 8, 12, 50, 76
_NOT_CONNECTED = 0xFFFFFFFF

# Options that are a number on both sides: function of get, function of set, level, the host's option.
_NUMBERS = (
    (220, 221, socket.SOL_SOCKET, socket.SO_BROADCAST),
    (223, 224, socket.SOL_SOCKET, socket.SO_KEEPALIVE),
    (227, 228, socket.SOL_SOCKET, socket.SO_OOBINLINE),
    (246, 247, socket.IPPROTO_IP, socket.IP_HDRINCL),
    (250, 251, socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP),
    (252, 253, socket.IPPROTO_IP, socket.IP_MULTICAST_TTL),
    (256, 257, socket.IPPROTO_IP, _IP_PKTINFO),
    (258, 259, socket.IPPROTO_IP, socket.IP_TOS),
    (260, 261, socket.IPPROTO_IP, socket.IP_TTL),
    (263, 264, socket.IPPROTO_IP, _IP_UNICAST_IF),
    (269, 270, socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS),
    (271, 272, socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF),
    (273, 274, socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_LOOP),
    (275, 276, socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS),
    (277, 278, socket.IPPROTO_IPV6, _IPV6_UNICAST_IF),
    (279, 280, socket.IPPROTO_IPV6, socket.IPV6_V6ONLY),
    (284, 285, socket.IPPROTO_TCP, socket.TCP_NODELAY),
    (286, 287, socket.IPPROTO_IPV6, socket.IPV6_RECVHOPLIMIT),
    (288, 289, socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO),
    (290, 291, socket.IPPROTO_IPV6, socket.IPV6_RECVTCLASS),
    (293, 294, socket.IPPROTO_IP, _IP_RECVTTL),
    (295, 296, socket.IPPROTO_IP, socket.IP_RECVTOS),
    (299, 300, socket.IPPROTO_TCP, socket.TCP_KEEPIDLE),
    (301, 302, socket.IPPROTO_TCP, socket.TCP_KEEPCNT),
    (303, 304, socket.IPPROTO_TCP, socket.TCP_KEEPINTVL),
)

# Options that are the same bytes on both sides: function of set, level, option, their length.
_BYTES = (
    (244, socket.IPPROTO_IP, socket.IP_DROP_MEMBERSHIP, 8),
    (249, socket.IPPROTO_IP, socket.IP_MULTICAST_IF, 4),
    (268, socket.IPPROTO_IPV6, socket.IPV6_LEAVE_GROUP, 20),
)
# The same, but the network is told of it: a policy other than "on" forbids them.
_JOINING = (
    (239, socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, 8),
    (265, socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, 20),
)
# Options with an ip_mreq_source: function of set, the host's option (linux/in.h), do they join?
_SOURCES = ((240, 39, True), (241, 38, False), (245, 40, False), (262, 37, False))

HANDLERS: dict[int, Handler] = {}


def _handles(function: int) -> Callable[[Handler], Handler]:
    """The function below does the control with that number."""

    def add(handler: Handler) -> Handler:
        HANDLERS[wine_control(function)] = handler
        return handler

    return add


def _get(sock: Socket, level: int, option: int) -> int:
    return sock.host.getsockopt(level, option)


def _set(sock: Socket, level: int, option: int, value: int | bytes) -> int:
    try:
        sock.host.setsockopt(level, option, value)
    except OverflowError:
        raise NtError(STATUS_INVALID_PARAMETER) from None
    except OSError as error:
        raise NtError(status_of(error.errno)) from None
    return 0


def _number_option(get: int, set_: int, level: int, option: int) -> None:
    @_handles(get)
    async def read(sock: Socket, control: Control) -> int:
        return control.answer_number(_get(sock, level, option))

    @_handles(set_)
    async def write(sock: Socket, control: Control) -> int:
        return _set(sock, level, option, control.number())


def _check_joining(control: Control) -> None:
    """
    Raises:
        NtError: STATUS_ACCESS_DENIED where the policy is not "on".
    """
    if control.network != ON:
        raise NtError(STATUS_ACCESS_DENIED)


def _bytes_option(set_: int, level: int, option: int, length: int, *, joins: bool = False) -> None:
    @_handles(set_)
    async def write(sock: Socket, control: Control) -> int:
        data = control.data()
        if len(data) < length:
            raise NtError(STATUS_BUFFER_TOO_SMALL)
        if joins:
            _check_joining(control)
        return _set(sock, level, option, data[:length])


def _source_option(set_: int, option: int, joins: bool) -> None:
    """ip_mreq_source: Windows has group, source and interface, Linux the last two the other way round."""

    @_handles(set_)
    async def write(sock: Socket, control: Control) -> int:
        data = control.data()
        if len(data) < 12:
            raise NtError(STATUS_BUFFER_TOO_SMALL)
        if joins:
            _check_joining(control)
        return _set(sock, socket.IPPROTO_IP, option, data[:4] + data[8:12] + data[4:8])


for _entry in _NUMBERS:
    _number_option(*_entry)
for _row in _BYTES:
    _bytes_option(*_row)
for _row in _JOINING:
    _bytes_option(*_row, joins=True)
for _source in _SOURCES:
    _source_option(*_source)


@_handles(219)
async def accepting(sock: Socket, control: Control) -> int:
    """SO_ACCEPTCONN."""
    return control.answer_number(sock.state == LISTENING)


@_handles(222)
async def last_error(sock: Socket, control: Control) -> int:
    """SO_ERROR: Winsock's number, told once."""
    sock.finish_connecting()
    error = _get(sock, socket.SOL_SOCKET, socket.SO_ERROR) or sock.pending_error
    sock.pending_error = 0
    return control.answer_number(_winsock_error(error) if error else 0)


def _winsock_error(error: int) -> int:
    """WSAE* for an errno: 10000 and the number BSD gave the error."""
    import errno

    bsd = {
        errno.EADDRINUSE: 48, errno.EADDRNOTAVAIL: 49, errno.ENETDOWN: 50, errno.ENETUNREACH: 51,
        errno.ECONNABORTED: 53, errno.ECONNRESET: 54, errno.ENOBUFS: 55, errno.EISCONN: 56, errno.ENOTCONN: 57,
        errno.EPIPE: 54, errno.ETIMEDOUT: 60, errno.ECONNREFUSED: 61, errno.EHOSTDOWN: 64, errno.EHOSTUNREACH: 65,
        errno.EACCES: 13, errno.EPERM: 13,
    }  # fmt: skip
    return 10000 + bsd.get(error, 22)


@_handles(225)
async def get_linger(sock: Socket, control: Control) -> int:
    """SO_LINGER: struct linger of two USHORT."""
    data = sock.host.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8)
    on, seconds = struct.unpack("<ii", data)
    return control.answer(struct.pack("<HH", on, min(seconds, 0xFFFF)))


@_handles(226)
async def set_linger(sock: Socket, control: Control) -> int:
    """SO_LINGER; closing waits for nothing here, but 0 seconds end a connection hard, as in Windows."""
    data = control.data()
    if len(data) < 4:
        raise NtError(STATUS_BUFFER_TOO_SMALL)
    return _set(sock, socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("<ii", *struct.unpack("<HH", data[:4])))


def _buffer_size(get: int, set_: int, option: int) -> None:
    """SO_RCVBUF, SO_SNDBUF: the host answers with twice what was asked for, its own needs included."""
    asked: str = f"asked_{option}"

    @_handles(get)
    async def read(sock: Socket, control: Control) -> int:
        return control.answer_number(sock.sizes.get(asked) or _get(sock, socket.SOL_SOCKET, option))

    @_handles(set_)
    async def write(sock: Socket, control: Control) -> int:
        wanted = control.number()
        if wanted < 0:
            raise NtError(STATUS_INVALID_PARAMETER)
        sock.sizes[asked] = wanted
        return _set(sock, socket.SOL_SOCKET, option, wanted)


_buffer_size(230, 229, socket.SO_RCVBUF)
_buffer_size(236, 235, socket.SO_SNDBUF)


@_handles(231)
async def set_receive_timeout(sock: Socket, control: Control) -> int:
    """SO_RCVTIMEO: milliseconds."""
    sock.receive_timeout = control.number() & 0xFFFFFFFF
    return 0


@_handles(232)
async def receive_timeout(sock: Socket, control: Control) -> int:
    return control.answer_number(sock.receive_timeout)


@_handles(237)
async def send_timeout(sock: Socket, control: Control) -> int:
    return control.answer_number(sock.send_timeout)


@_handles(238)
async def set_send_timeout(sock: Socket, control: Control) -> int:
    """SO_SNDTIMEO: milliseconds."""
    sock.send_timeout = control.number() & 0xFFFFFFFF
    return 0


@_handles(233)
async def reuse_address(sock: Socket, control: Control) -> int:
    return control.answer_number(sock.reuse)


@_handles(234)
async def set_reuse_address(sock: Socket, control: Control) -> int:
    """SO_REUSEADDR; for streams connection.bind does what it means, the host's own is always on."""
    value = bool(control.number())
    if value and sock.exclusive:
        raise NtError(STATUS_INVALID_PARAMETER)
    sock.reuse = value
    return 0 if sock.is_stream else _set(sock, socket.SOL_SOCKET, socket.SO_REUSEADDR, int(value))


@_handles(297)
async def exclusive_address(sock: Socket, control: Control) -> int:
    return control.answer_number(sock.exclusive)


@_handles(298)
async def set_exclusive_address(sock: Socket, control: Control) -> int:
    """SO_EXCLUSIVEADDRUSE, which excludes SO_REUSEADDR."""
    value = bool(control.number())
    if value and sock.reuse:
        raise NtError(STATUS_INVALID_PARAMETER)
    sock.exclusive = value
    return 0


@_handles(292)
async def connect_time(sock: Socket, control: Control) -> int:
    """SO_CONNECT_TIME: seconds, or all ones without a connection."""
    if sock.state != CONNECTED or not sock.is_stream:
        return control.answer_number(_NOT_CONNECTED)
    return control.answer_number(int(time.monotonic() - sock.connected_at))


def _dont_fragment(get: int, set_: int, level: int, option: int) -> None:
    @_handles(get)
    async def read(sock: Socket, control: Control) -> int:
        return control.answer_number(_get(sock, level, option) == _PMTUDISC_DO)

    @_handles(set_)
    async def write(sock: Socket, control: Control) -> int:
        return _set(sock, level, option, _PMTUDISC_DO if control.number() else _PMTUDISC_DONT)


_dont_fragment(242, 243, socket.IPPROTO_IP, _IP_MTU_DISCOVER)
_dont_fragment(266, 267, socket.IPPROTO_IPV6, _IPV6_MTU_DISCOVER)


@_handles(248)
async def multicast_interface(sock: Socket, control: Control) -> int:
    """IP_MULTICAST_IF: an address."""
    return control.answer(sock.host.getsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, 4))


async def keepalive_values(sock: Socket, control: Control) -> int:
    """SIO_KEEPALIVE_VALS."""
    if control.length < afd.Keepalive.size(control.space.word):
        raise NtError(STATUS_BUFFER_TOO_SMALL)
    values = control.input(afd.Keepalive)
    _set(sock, socket.SOL_SOCKET, socket.SO_KEEPALIVE, int(bool(values.onoff)))
    if values.onoff:
        _set(sock, socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, max(1, min(values.keepalivetime // 1000, 32767)))
        _set(sock, socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, max(1, min(values.keepaliveinterval // 1000, 32767)))
    return 0
