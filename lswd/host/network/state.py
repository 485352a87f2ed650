"""Interfaces, addresses, routes and neighbours of this host.

Source: Linux rtnetlink(7), netdevice(7); linux/if_link.h, linux/if_addr.h, linux/rtnetlink.h, linux/neighbour.h.
"""

from __future__ import annotations

import os
import socket
import struct

from lswd.host.network.netlink import RTM_GETADDR, RTM_GETLINK, RTM_GETNEIGH, RTM_GETROUTE, dump

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.host.network.netlink import Message

IFF_UP = 1
IFF_BROADCAST = 2
IFF_LOOPBACK = 8
IFF_POINTOPOINT = 0x10
IFF_RUNNING = 0x40
IFA_F_DEPRECATED = 0x20
IFA_F_TENTATIVE = 0x40
IFA_F_PERMANENT = 0x80

_LENGTHS: dict[int, int] = {socket.AF_INET: 4, socket.AF_INET6: 16}
_COUNTERS = ("rx_packets", "tx_packets", "rx_bytes", "tx_bytes", "rx_errors", "tx_errors", "rx_dropped", "tx_dropped",
             "multicast")  # fmt: skip
_NUD_NOARP = 0x40
_TABLE_MAIN, _TABLE_LOCAL = 254, 255
_ROUTE_UNICAST, _ROUTE_LOCAL = 1, 2


class Interface:
    """A network interface. ``hardware`` is its kind (ARPHRD_*), ``counters`` go by the names of rtnl_link_stats64."""

    __slots__ = ("address", "carrier", "counters", "flags", "hardware", "index", "mtu", "name")

    def __init__(self, message: Message) -> None:
        _, self.hardware, self.index, self.flags = struct.unpack_from("<HHiI", message.fixed)
        self.name = message.content(3).rstrip(b"\0").decode("utf-8", "replace")
        self.address = message.content(1)
        self.mtu = message.number(4)
        self.carrier: int | None = message.number(33, -1) if 33 in message.attributes else None
        numbers = message.content(23)[: 8 * len(_COUNTERS)]
        self.counters = dict(zip(_COUNTERS, struct.unpack(f"<{len(numbers) // 8}Q", numbers), strict=False))

    @property
    def is_loopback(self) -> bool:
        return bool(self.flags & IFF_LOOPBACK)

    @property
    def is_wireless(self) -> bool:
        return os.path.isdir(f"/sys/class/net/{self.name}/wireless")

    def speed(self) -> int:
        """Bits in a second; 0 when the host does not know."""
        try:
            with open(f"/sys/class/net/{self.name}/speed", encoding="ascii") as file:
                return max(0, int(file.read())) * 1_000_000
        except (OSError, ValueError):
            return 0


class InterfaceAddress:
    """An address of an interface. Lifetimes are in seconds."""

    __slots__ = ("address", "family", "flags", "index", "preferred", "prefix", "scope", "valid")

    def __init__(self, message: Message) -> None:
        self.family, self.prefix, flags, self.scope, self.index = struct.unpack_from("<BBBBI", message.fixed)
        self.flags = message.number(8, flags)
        self.address = message.content(2) or message.content(1)
        lifetimes = message.content(6)[:8]
        self.preferred, self.valid = struct.unpack("<II", lifetimes) if len(lifetimes) == 8 else 2 * (0xFFFFFFFF,)


class Route:
    """A way to a network. A gateway of zeros is none."""

    __slots__ = ("destination", "family", "gateway", "index", "is_local", "metric", "prefix")

    def __init__(self, message: Message) -> None:
        self.family, self.prefix, _, _, _, _, _, kind = struct.unpack_from("<8B", message.fixed)
        length = _LENGTHS.get(self.family, 0)
        self.destination = message.content(1) or bytes(length)
        self.gateway = message.content(5) or bytes(length)
        self.index = message.number(4)
        self.metric = message.number(6)
        self.is_local = kind == _ROUTE_LOCAL


class Neighbour:
    """Who has an address on an interface's network. ``state`` is NUD_*."""

    __slots__ = ("address", "family", "index", "is_router", "link_address", "state")

    def __init__(self, message: Message) -> None:
        self.family, self.index, self.state, flags = struct.unpack_from("<B3xiHB", message.fixed)
        self.address = message.content(1)
        self.link_address = message.content(2)
        self.is_router = bool(flags & 0x80)


def interfaces() -> list[Interface]:
    return [Interface(message) for message in dump(RTM_GETLINK)]


def addresses(family: int) -> list[InterfaceAddress]:
    found = [InterfaceAddress(message) for message in dump(RTM_GETADDR, family)]
    return [each for each in found if each.family == family and len(each.address) == _LENGTHS[family]]


def routes(family: int) -> list[Route]:
    """Those of the main table; for IPv6 those to addresses of its own as well, as the host's own list of routes has."""
    tables = (_TABLE_MAIN, _TABLE_LOCAL) if family == socket.AF_INET6 else (_TABLE_MAIN,)
    kinds = (_ROUTE_UNICAST, _ROUTE_LOCAL)
    return [
        Route(message)
        for message in dump(RTM_GETROUTE, family)
        if message.fixed[0] == family and message.fixed[7] in kinds and message.number(15, message.fixed[4]) in tables
    ]


def neighbours(family: int) -> list[Neighbour]:
    """Those that had to be found out: not groups, nor this machine itself."""
    found = [Neighbour(message) for message in dump(RTM_GETNEIGH, family)]
    return [
        each
        for each in found
        if each.family == family and len(each.address) == _LENGTHS[family] and each.state != _NUD_NOARP
    ]
