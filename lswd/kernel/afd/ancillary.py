"""What WSARecvMsg tells beside the data: a datagram's destination, interface, time to live, type of service.

Source: Microsoft "WSAMSG", "IPPROTO_IP Socket Options", "IPPROTO_IPV6 Socket Options"; Linux ip(7), ipv6(7).
"""

from __future__ import annotations

import socket
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    Messages: TypeAlias = list[tuple[int, int, bytes]]

ROOM = 512  # for the host's own messages

# Winsock's types
_IP_TOS, _IP_TTL, _IP_PKTINFO = 3, 4, 19
_IPV6_PKTINFO, _IPV6_HOPLIMIT, _IPV6_TCLASS = 19, 21, 39

_HOST_IP_TTL, _HOST_IP_PKTINFO = 2, 8


def _number(data: bytes) -> bytes:
    return int.from_bytes(data[:4], "little").to_bytes(4, "little")


def _packet_info(data: bytes) -> bytes:
    """in_pktinfo (interface, own address, destination) to IN_PKTINFO (destination, interface)."""
    interface, _, destination = struct.unpack("<I4s4s", data[:12])
    return struct.pack("<4sI", destination, interface)


_KNOWN: dict[tuple[int, int], tuple[int, Callable[[bytes], bytes]]] = {
    (socket.IPPROTO_IP, socket.IP_TOS): (_IP_TOS, _number),
    (socket.IPPROTO_IP, _HOST_IP_TTL): (_IP_TTL, _number),
    (socket.IPPROTO_IP, _HOST_IP_PKTINFO): (_IP_PKTINFO, _packet_info),
    (socket.IPPROTO_IPV6, socket.IPV6_PKTINFO): (_IPV6_PKTINFO, bytes),
    (socket.IPPROTO_IPV6, socket.IPV6_HOPLIMIT): (_IPV6_HOPLIMIT, _number),
    (socket.IPPROTO_IPV6, socket.IPV6_TCLASS): (_IPV6_TCLASS, _number),
}


def for_guest(messages: Messages, word: int, room: int) -> tuple[bytes, bool]:
    """Those of the host's messages that Winsock has, each behind its WSACMSGHDR.

    Args:
        room: how many bytes there may be.

    Returns:
        What fits, and whether something did not.
    """
    result = b""
    for level, kind, data in messages:
        known = _KNOWN.get((level, kind))
        if known is None:
            continue
        theirs, convert = known
        content = convert(data)
        start = (word + 8 + word - 1) & -word  # WSA_CMSGDATA_ALIGN
        header = (start + len(content)).to_bytes(word, "little") + struct.pack("<ii", level, theirs)
        message = header.ljust(start, b"\0") + content
        at = (len(result) + word - 1) & -word
        if at + len(message) > room:
            return result, True
        result = result.ljust(at, b"\0") + message
    return result, False
