"""Socket addresses: Winsock's layout on one side, Python's tuples on the other.

Source: Microsoft "SOCKADDR_IN", "SOCKADDR_IN6".
"""

from __future__ import annotations

import socket
import struct

from lswd.kernel.afd.protocol import AF_INET, AF_INET6
from lswd.ntdef.status import STATUS_BUFFER_TOO_SMALL, STATUS_INVALID_ADDRESS, NtError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeAlias

    Address: TypeAlias = tuple[Any, ...]

SIZES = {AF_INET: 16, AF_INET6: 28}
HOST_FAMILIES = {AF_INET: socket.AF_INET, AF_INET6: socket.AF_INET6}
_IN = struct.Struct("<H2s4s8x")
_IN6 = struct.Struct("<H2s4s16sI")
_FLOW = 0xFFFFF  # the flow label; the host takes no more


def family_of(data: bytes) -> int:
    """sa_family."""
    return int.from_bytes(data[:2], "little")


def to_host(data: bytes, family: int) -> Address:
    """The address in ``data``, for a socket of (Winsock's) ``family``.

    Raises:
        NtError: STATUS_BUFFER_TOO_SMALL (WSAEFAULT) when it is cut off, STATUS_INVALID_ADDRESS when it is of another
            family.
    """
    if len(data) < 2 or len(data) < SIZES[family]:
        raise NtError(STATUS_BUFFER_TOO_SMALL)
    if family_of(data) != family:
        raise NtError(STATUS_INVALID_ADDRESS)
    if family == AF_INET:
        _, port, host = _IN.unpack(data[:16])
        return socket.inet_ntop(socket.AF_INET, host), int.from_bytes(port, "big")
    _, port, flow, host, scope = _IN6.unpack(data[:28])
    label = int.from_bytes(flow, "big") & _FLOW
    return socket.inet_ntop(socket.AF_INET6, host), int.from_bytes(port, "big"), label, scope


def to_guest(address: Address, family: int) -> bytes:
    """The inverse of ``to_host``; an empty address (nobody) is all zeros behind the family."""
    if family == AF_INET:
        host, port = address[:2] if address else ("0.0.0.0", 0)
        return _IN.pack(AF_INET, port.to_bytes(2, "big"), socket.inet_pton(socket.AF_INET, host))
    host, port, flow, scope = (*address, 0, 0)[:4] if address else ("::", 0, 0, 0)
    packed = socket.inet_pton(socket.AF_INET6, host.partition("%")[0])
    return _IN6.pack(AF_INET6, port.to_bytes(2, "big"), flow.to_bytes(4, "big"), packed, scope)


def is_loopback(address: Address) -> bool:
    """Does it stay on this machine: 127/8, ::1, and the first mapped into IPv6?"""
    host = str(address[0]).partition("%")[0]
    return host == "::1" or host.startswith(("127.", "::ffff:127."))


def is_wildcard(address: Address) -> bool:
    """0.0.0.0 or ::"""
    return address[0] in ("0.0.0.0", "::")


def loopback(family: int, port: int) -> Address:
    """This machine's own address."""
    return ("127.0.0.1", port) if family == AF_INET else ("::1", port, 0, 0)
