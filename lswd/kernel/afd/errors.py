"""Errors of the host's sockets as the statuses that ws2_32 turns into Winsock's."""

from __future__ import annotations

import errno

from lswd.kernel.afd.protocol import (
    WSAEACCES,
    WSAEAFNOSUPPORT,
    WSAEMFILE,
    WSAENOBUFS,
    WSAEPROTONOSUPPORT,
    WSAESOCKTNOSUPPORT,
    winsock_status,
)
from lswd.ntdef import status as nt

_STATUSES = {
    errno.EACCES: nt.STATUS_ACCESS_DENIED,
    errno.EADDRINUSE: nt.STATUS_ADDRESS_ALREADY_EXISTS,
    errno.EADDRNOTAVAIL: nt.STATUS_INVALID_ADDRESS_COMPONENT,
    errno.EAFNOSUPPORT: nt.STATUS_INVALID_ADDRESS,
    errno.EAGAIN: nt.STATUS_DEVICE_NOT_READY,
    errno.EALREADY: nt.STATUS_INVALID_PARAMETER,
    errno.ECONNABORTED: nt.STATUS_CONNECTION_ABORTED,
    errno.ECONNREFUSED: nt.STATUS_CONNECTION_REFUSED,
    errno.ECONNRESET: nt.STATUS_CONNECTION_RESET,
    errno.EDESTADDRREQ: nt.STATUS_INVALID_CONNECTION,
    errno.EHOSTDOWN: nt.STATUS_HOST_UNREACHABLE,
    errno.EHOSTUNREACH: nt.STATUS_HOST_UNREACHABLE,
    errno.EISCONN: nt.STATUS_CONNECTION_ACTIVE,
    errno.EMFILE: nt.STATUS_TOO_MANY_OPENED_FILES,
    errno.EMSGSIZE: nt.STATUS_BUFFER_OVERFLOW,
    errno.ENETDOWN: nt.STATUS_NETWORK_UNREACHABLE,
    errno.ENETUNREACH: nt.STATUS_NETWORK_UNREACHABLE,
    errno.ENFILE: nt.STATUS_TOO_MANY_OPENED_FILES,
    errno.ENOBUFS: nt.STATUS_INSUFFICIENT_RESOURCES,
    errno.ENOMEM: nt.STATUS_INSUFFICIENT_RESOURCES,
    errno.ENOPROTOOPT: nt.STATUS_INVALID_PARAMETER,
    errno.ENOTCONN: nt.STATUS_INVALID_CONNECTION,
    errno.EOPNOTSUPP: nt.STATUS_NOT_SUPPORTED,
    errno.EPERM: nt.STATUS_ACCESS_DENIED,
    errno.EPIPE: nt.STATUS_CONNECTION_RESET,  # our own shutdown is noticed before the host is asked
    errno.ETIMEDOUT: nt.STATUS_IO_TIMEOUT,
}
_OF_CREATION = {
    errno.EACCES: WSAEACCES,
    errno.EPERM: WSAEACCES,
    errno.EAFNOSUPPORT: WSAEAFNOSUPPORT,
    errno.EMFILE: WSAEMFILE,
    errno.ENFILE: WSAEMFILE,
    errno.ENOBUFS: WSAENOBUFS,
    errno.ENOMEM: WSAENOBUFS,
    errno.EPROTONOSUPPORT: WSAEPROTONOSUPPORT,
    errno.ESOCKTNOSUPPORT: WSAESOCKTNOSUPPORT,
}


def status_of(number: int | None) -> int:
    """The NTSTATUS for an errno; WSAEINVAL for one that has no counterpart."""
    return _STATUSES.get(number or 0, nt.STATUS_INVALID_PARAMETER)


def creation_status(number: int | None) -> int:
    """The same for making a socket, where ws2_32 expects Winsock's number in the status."""
    return winsock_status(_OF_CREATION.get(number or 0, WSAESOCKTNOSUPPORT))
