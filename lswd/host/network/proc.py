"""Connections, counters and settings of this host's network, from /proc.

Source: Linux proc(5): /proc/net/tcp, /proc/net/udp, /proc/net/snmp, /proc/net/snmp6, /proc/sys/net.
"""

from __future__ import annotations

import socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeAlias

    Address: TypeAlias = tuple[Any, ...]


class Connection:
    """A line of /proc/net/tcp and the like. ``state`` is TCP_*, ``inode`` is the socket's number."""

    __slots__ = ("inode", "local", "remote", "state")

    def __init__(self, local: Address, remote: Address, state: int, inode: int) -> None:
        self.local = local
        self.remote = remote
        self.state = state
        self.inode = inode


def _lines(path: str) -> list[str]:
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.read().splitlines()
    except OSError:
        return []


def _address(written: str, family: int) -> Address:
    """``0100007F:0050``: each 32 bits of the address as the machine's number."""
    host, _, port = written.partition(":")
    raw = bytes.fromhex(host)
    packed = b"".join(raw[i : i + 4][::-1] for i in range(0, len(raw), 4))
    return socket.inet_ntop(family, packed), int(port, 16)


def connections(protocol: str, family: int) -> list[Connection]:
    """Those of "tcp" or "udp"."""
    path = f"/proc/net/{protocol}{'6' if family == socket.AF_INET6 else ''}"
    found = []
    for line in _lines(path)[1:]:
        words = line.split()
        try:
            local, remote = _address(words[1], family), _address(words[2], family)
            found.append(Connection(local, remote, int(words[3], 16), int(words[9])))
        except (ValueError, IndexError):
            continue
    return found


def counters(group: str, family: int) -> dict[str, int]:
    """The counters of a group ("Ip", "Icmp", "IcmpMsg", "Tcp", "Udp") by name; IPv6 has its own, but for TCP's."""
    if family == socket.AF_INET6 and group != "Tcp":
        prefix = {"IcmpMsg": "Icmp"}.get(group, group) + "6"
        pairs = [line.split() for line in _lines("/proc/net/snmp6") if line.startswith(prefix)]
        return {pair[0].removeprefix(prefix): int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdigit()}
    rows = [line.split()[1:] for line in _lines("/proc/net/snmp") if line.startswith(f"{group}: ")]
    if len(rows) != 2:
        return {}
    return {name: int(value) for name, value in zip(*rows, strict=False) if value.lstrip("-").isdigit()}


def setting(path: str) -> int:
    """A number below /proc/sys/net; 0 where there is none."""
    try:
        return int(_lines(f"/proc/sys/net/{path}")[0])
    except (ValueError, IndexError):
        return 0


def started() -> int:
    """When this host was started, in seconds since 1970."""
    for line in _lines("/proc/stat"):
        if line.startswith("btime "):
            return int(line.split()[1])
    return 0
