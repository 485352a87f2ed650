"""The controls of ``\\Device\\Afd`` as Wine 8's ws2_32 uses them, and their arguments.

Source: Wine's public header wine/afd.h, checked against the type information in the ws2_32.dll of Wine 8.0; the
controls of the first group have Windows' own numbers. Flags: Microsoft "WSARecv", "WSASend".
"""

from __future__ import annotations

from lswd.ntdef.types import (
    BOOLEAN,
    HANDLE,
    LARGE_INTEGER,
    LONG,
    PVOID,
    ULONG,
    ULONG_PTR,
    ULONGLONG,
    Struct,
    array,
    raw,
)

# Windows' own
IOCTL_AFD_BIND = 0x12003
IOCTL_AFD_LISTEN = 0x1200B
IOCTL_AFD_RECV = 0x12017
IOCTL_AFD_POLL = 0x12024
IOCTL_AFD_GETSOCKNAME = 0x1202F
IOCTL_AFD_EVENT_SELECT = 0x12087
IOCTL_AFD_GET_EVENTS = 0x1208B


def wine_control(function: int) -> int:
    """CTL_CODE(FILE_DEVICE_NETWORK, function, METHOD_BUFFERED, FILE_ANY_ACCESS)."""
    return 0x12 << 16 | function << 2


IOCTL_AFD_WINE_CREATE = wine_control(200)
IOCTL_AFD_WINE_ACCEPT = wine_control(201)
IOCTL_AFD_WINE_ACCEPT_INTO = wine_control(202)
IOCTL_AFD_WINE_CONNECT = wine_control(203)
IOCTL_AFD_WINE_SHUTDOWN = wine_control(204)
IOCTL_AFD_WINE_RECVMSG = wine_control(205)
IOCTL_AFD_WINE_SENDMSG = wine_control(206)
IOCTL_AFD_WINE_TRANSMIT = wine_control(207)
IOCTL_AFD_WINE_ADDRESS_LIST_CHANGE = wine_control(208)
IOCTL_AFD_WINE_FIONBIO = wine_control(209)
IOCTL_AFD_WINE_COMPLETE_ASYNC = wine_control(210)
IOCTL_AFD_WINE_FIONREAD = wine_control(211)
IOCTL_AFD_WINE_SIOCATMARK = wine_control(212)
IOCTL_AFD_WINE_GET_INTERFACE_LIST = wine_control(213)
IOCTL_AFD_WINE_KEEPALIVE_VALS = wine_control(214)
IOCTL_AFD_WINE_MESSAGE_SELECT = wine_control(215)
IOCTL_AFD_WINE_GETPEERNAME = wine_control(216)
IOCTL_AFD_WINE_GET_INFO = wine_control(218)

# What poll tells: AFD_POLL_*
POLL_READ = 0x001
POLL_OOB = 0x002
POLL_WRITE = 0x004
POLL_HUP = 0x008
POLL_RESET = 0x010
POLL_CLOSE = 0x020  # the handle polled was closed here
POLL_CONNECT = 0x040
POLL_ACCEPT = 0x080
POLL_CONNECT_ERR = 0x100
POLL_BITS = 13  # room for so many in GET_EVENTS

# Winsock's MSG_* flags
MSG_OOB = 0x1
MSG_PEEK = 0x2
MSG_DONTROUTE = 0x4
MSG_WAITALL = 0x8
MSG_TRUNC = 0x100
MSG_CTRUNC = 0x200
MSG_PARTIAL = 0x8000

# TDI's, in IOCTL_AFD_RECV
AFD_RECV_FORCE_ASYNC = 0x2
AFD_MSG_OOB = 0x40
AFD_MSG_PEEK = 0x80
AFD_MSG_WAITALL = 0x4000

# TransmitFile
TF_DISCONNECT = 1

# Winsock's numbers where the host has others
AF_UNSPEC = 0
AF_INET = 2
AF_INET6 = 23
SOCK_STREAM = 1
SOCK_DGRAM = 2
SOCK_RAW = 3

WSAEACCES = 10013
WSAEMFILE = 10024
WSAEPROTONOSUPPORT = 10043
WSAESOCKTNOSUPPORT = 10044
WSAEAFNOSUPPORT = 10047
WSAENETDOWN = 10050
WSAENOBUFS = 10055


def winsock_status(error: int) -> int:
    """The NTSTATUS that RtlNtStatusToDosError turns back into a Winsock error."""
    return 0xC0010000 | error


class CreateParameters(Struct):
    family: LONG
    type: LONG
    protocol: LONG
    flags: ULONG


class ListenParameters(Struct):
    unknown1: LONG
    backlog: LONG
    unknown2: LONG


class AcceptIntoParameters(Struct):
    accept_handle: ULONG
    recv_len: ULONG
    local_len: ULONG


class ConnectParameters(Struct):
    """The address follows, and then data to send."""

    addr_len: LONG
    synchronous: LONG


class ReceiveParameters(Struct):
    """IOCTL_AFD_RECV."""

    buffers: PVOID
    count: ULONG
    recv_flags: LONG
    msg_flags: LONG


class RecvmsgParameters(Struct):
    control_ptr: ULONGLONG
    addr_ptr: ULONGLONG
    addr_len_ptr: ULONGLONG
    ws_flags_ptr: ULONGLONG
    force_async: LONG
    count: ULONG
    buffers_ptr: ULONGLONG


class SendmsgParameters(Struct):
    addr_ptr: ULONGLONG
    addr_len: ULONG
    ws_flags: ULONG
    force_async: LONG
    count: ULONG
    buffers_ptr: ULONGLONG


class TransmitParameters(Struct):
    position: LARGE_INTEGER
    head_ptr: ULONGLONG
    tail_ptr: ULONGLONG
    head_len: ULONG
    tail_len: ULONG
    file: ULONG
    file_len: ULONG
    buffer_size: ULONG
    flags: ULONG


class WSABUF(Struct):
    len: ULONG
    buf: PVOID


class PollHeader(Struct):
    """AFD_POLL_INFO up to its array."""

    timeout: LARGE_INTEGER
    count: ULONG
    exclusive: BOOLEAN
    padding: bytes = raw(3)


class PollEntry(Struct):
    """One socket of it."""

    socket: ULONG_PTR
    flags: LONG
    status: ULONG


class EventSelectParameters(Struct):
    event: HANDLE
    mask: LONG


class MessageSelectParameters(Struct):
    handle: ULONG
    window: ULONG
    message: ULONG
    mask: LONG


class NetworkEvents(Struct):
    flags: LONG
    status: tuple[int, ...] = array(ULONG, POLL_BITS)


class Information(Struct):
    family: LONG
    type: LONG
    protocol: LONG


class Keepalive(Struct):
    """mstcpip.h tcp_keepalive: milliseconds."""

    onoff: ULONG
    keepalivetime: ULONG
    keepaliveinterval: ULONG
