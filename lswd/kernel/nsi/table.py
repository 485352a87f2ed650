"""What a table of the network store is."""

from __future__ import annotations

from lswd.kernel.afd.policy import ON
from lswd.ntdef.status import STATUS_NOT_FOUND

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeAlias

    from lswd.host.network.state import Interface
    from lswd.kernel.system import System
    from lswd.ntdef.types import Struct

    Row: TypeAlias = tuple[Struct | bytes | None, ...]
    Part: TypeAlias = type[Struct] | int


class Table:
    """``parts`` are the layouts of key, rw, dynamic and static (a number: that many bytes); ``missing`` is what asking
    for a key that is not there ends with."""

    __slots__ = ("_rows", "missing", "sizes")

    def __init__(
        self,
        parts: tuple[Part, Part, Part, Part],
        rows: Callable[[System], Iterator[Row]],
        missing: int = STATUS_NOT_FOUND,
    ) -> None:
        self._rows = rows
        self.missing = missing
        # There are no pointers in them: they are the same for programs of either width.
        self.sizes = tuple([part if isinstance(part, int) else part.size(8) for part in parts])

    def rows(self, system: System) -> list[tuple[bytes, ...]]:
        """The four parts of each row, packed."""
        found = []
        for row in self._rows(system):
            packed = []
            for part, size in zip(row, self.sizes, strict=True):
                data = b"" if part is None else part if isinstance(part, bytes) else part.pack(8)
                packed.append(data.ljust(size, b"\0"))
            found.append(tuple(packed))
        return found


def visible_interfaces(system: System) -> dict[int, Interface]:
    """By index. Under a policy other than "on" there is only this machine."""
    from lswd.host.network.state import interfaces

    return {each.index: each for each in interfaces() if system.network == ON or each.is_loopback}


# [ifdef.h] IFTYPE, by ARPHRD_*.
_ETHERNET, _LOOPBACK, _PPP, _OTHER, _WIRELESS, _TUNNEL = 6, 24, 23, 1, 71, 131
_TYPES = {1: _ETHERNET, 772: _LOOPBACK, 774: 15, 6: 9, 800: 9, 256: 28, 512: _PPP, 768: _TUNNEL, 769: _TUNNEL,
          776: _TUNNEL, 778: _TUNNEL, 801: _WIRELESS, 802: _WIRELESS, 803: _WIRELESS}  # fmt: skip
_POINT_TO_POINT = 0x10


def interface_type(interface: Interface) -> int:
    """IF_TYPE_* of an interface."""
    kind = _TYPES.get(interface.hardware, _OTHER)
    if kind == _ETHERNET and interface.is_wireless:
        return _WIRELESS
    return _PPP if kind == _OTHER and interface.flags & _POINT_TO_POINT else kind


def luid(interface: Interface) -> int:
    """NET_LUID: the index and the type."""
    index: int = interface.index
    return index << 24 | interface_type(interface) << 48
