"""Tables of the Linux kernel's network, asked for by netlink.

Source: Linux netlink(7), rtnetlink(7); linux/netlink.h, linux/rtnetlink.h.
"""

from __future__ import annotations

import errno
import socket
import struct

RTM_GETLINK = 18
RTM_NEWADDR = 20
RTM_DELADDR = 21
RTM_GETADDR = 22
RTM_GETROUTE = 26
RTM_GETNEIGH = 30

_NETLINK_ROUTE = 0
_ADDRESS_GROUPS = 0x110  # RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR
_REQUEST_DUMP = 0x301  # NLM_F_REQUEST | NLM_F_DUMP
_DONE = 3
_ERROR = 2
_HEAD = struct.Struct("<IHHII")
_ATTRIBUTE = struct.Struct("<HH")
_TYPE_MASK = 0x3FFF
_LARGEST = 1 << 18
# Length of what a message has before its attributes; that of the question is the same.
_FIXED = {RTM_GETLINK: 16, RTM_GETADDR: 8, RTM_GETROUTE: 12, RTM_GETNEIGH: 12}


class Message:
    """One entry of a table: its fixed part, and its attributes by number."""

    __slots__ = ("attributes", "fixed")

    def __init__(self, fixed: bytes, attributes: dict[int, bytes]) -> None:
        self.fixed = fixed
        self.attributes = attributes

    def number(self, attribute: int, default: int = 0) -> int:
        """An attribute that is a number."""
        found = self.attributes.get(attribute)
        return default if found is None else int.from_bytes(found, "little")

    def content(self, attribute: int) -> bytes:
        """An attribute that is an address or the like; empty when it is not there."""
        return self.attributes.get(attribute, b"")


def dump(table: int, family: int = 0) -> list[Message]:
    """All of a table; nothing where the host does not answer."""
    fixed = _FIXED[table]
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_ROUTE) as asking:
            asking.settimeout(5)
            head = _HEAD.pack(_HEAD.size + fixed, table, _REQUEST_DUMP, 1, 0)
            asking.send(head + bytes([family]).ljust(fixed, b"\0"))
            return _answers(asking, fixed)
    except OSError:
        return []


def subscribe_addresses() -> socket.socket:
    """A socket that never blocks and has something to read when an address has come or gone.

    Raises:
        OSError: it cannot be had.
    """
    subscribed = socket.socket(
        socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK, _NETLINK_ROUTE
    )
    try:
        subscribed.bind((0, _ADDRESS_GROUPS))
    except OSError:
        subscribed.close()
        raise
    return subscribed


def changed_families(subscribed: socket.socket) -> set[int]:
    """The families of the addresses that have come or gone since the last time; both when some news got lost."""
    families: set[int] = set()
    while True:
        try:
            data = subscribed.recv(_LARGEST)
        except BlockingIOError:
            return families
        except OSError as error:
            families |= {socket.AF_INET, socket.AF_INET6}
            if error.errno == errno.ENOBUFS:
                continue
            return families
        at = 0
        while at + _HEAD.size < len(data):
            length, kind, *_ = _HEAD.unpack_from(data, at)
            if kind in (RTM_NEWADDR, RTM_DELADDR):
                families.add(data[at + _HEAD.size])
            at += max(length, _HEAD.size) + 3 & -4


def _answers(asking: socket.socket, fixed: int) -> list[Message]:
    found: list[Message] = []
    while True:
        data = asking.recv(_LARGEST)
        at = 0
        while at + _HEAD.size <= len(data):
            length, kind, *_ = _HEAD.unpack_from(data, at)
            if kind in (_DONE, _ERROR) or length < _HEAD.size:
                return found
            body = data[at + _HEAD.size : at + length]
            found.append(Message(body[:fixed], _attributes(body, fixed)))
            at += length + 3 & -4
        if not data:
            return found


def _attributes(data: bytes, at: int) -> dict[int, bytes]:
    found = {}
    while at + _ATTRIBUTE.size <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, at)
        if length < _ATTRIBUTE.size:
            break
        found[kind & _TYPE_MASK] = data[at + _ATTRIBUTE.size : at + length]
        at += length + 3 & -4
    return found
