"""The machine's IPv4 interfaces: SIO_GET_INTERFACE_LIST.

Source: Microsoft "INTERFACE_INFO", "SIO_GET_INTERFACE_LIST"; Linux netdevice(7).
"""

from __future__ import annotations

import fcntl
import socket
import struct

from lswd.kernel.afd.address import to_guest
from lswd.kernel.afd.policy import ON
from lswd.kernel.afd.protocol import AF_INET

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.kernel.afd.controls import Control
    from lswd.kernel.afd.endpoint import Socket

_SIOCGIFFLAGS = 0x8913
_SIOCGIFADDR = 0x8915
_SIOCGIFBRDADDR = 0x8919
_SIOCGIFNETMASK = 0x891B
# The host's flag, and Winsock's: up, broadcast, loopback, point to point, multicast.
_UP = 1
_LOOPBACK = 8
_FLAGS = ((_UP, 1), (2, 2), (_LOOPBACK, 4), (0x10, 8), (0x1000, 0x10))
_ROOM = 24  # of a sockaddr in INTERFACE_INFO


def _address(host: socket.socket, name: str, question: int) -> bytes:
    """One of an interface's addresses, as Winsock writes it; all zeros when it has none."""
    request = struct.pack("<16s24x", name.encode())
    try:
        answer = fcntl.ioctl(host.fileno(), question, request)
    except OSError:
        return bytes(_ROOM)
    return to_guest((socket.inet_ntoa(answer[20:24]), 0), AF_INET).ljust(_ROOM, b"\0")


async def interface_list(sock: Socket, control: Control) -> int:
    """IOCTL_AFD_WINE_GET_INTERFACE_LIST: an INTERFACE_INFO for each interface that is up and has an address."""
    found = []
    for _, name in socket.if_nameindex():
        try:
            answer = fcntl.ioctl(sock.fileno(), _SIOCGIFFLAGS, struct.pack("<16s24x", name.encode()))
        except OSError:  # gone meanwhile
            continue
        flags = int.from_bytes(answer[16:18], "little")
        address = _address(sock.host, name, _SIOCGIFADDR)
        hidden = control.network != ON and not flags & _LOOPBACK
        if not flags & _UP or not any(address) or hidden:
            continue
        theirs = sum(ours for host_flag, ours in _FLAGS if flags & host_flag)
        broadcast = _address(sock.host, name, _SIOCGIFBRDADDR)
        mask = _address(sock.host, name, _SIOCGIFNETMASK)
        found.append(struct.pack("<I", theirs) + address + broadcast + mask)
    return control.answer(b"".join(found))
