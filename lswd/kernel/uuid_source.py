"""What time-based UUIDs are made of. Source: RFC 9562, 5.1; Microsoft "UuidCreateSequential"."""

from __future__ import annotations

import os
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.kernel.system import System

_EPOCH_DIFFERENCE = 0x01B21DD213814000  # 100 ns units from 1582-10-15 to 1970-01-01


class UuidSource:
    """Timestamps that never repeat, a clock sequence, and a node: random ones, which RFC 9562 6.10 prefers."""

    def __init__(self, system: System | None = None) -> None:
        self.sequence = int.from_bytes(os.urandom(2), "little") & 0x3FFF
        node = bytearray(os.urandom(6))
        node[0] |= 1  # multicast: no network card has it
        self.node = bytes(node)
        self._last = 0

    def take(self, count: int) -> int:
        """The first of ``count`` consecutive timestamps that are the caller's alone."""
        first = max(time.time_ns() // 100 + _EPOCH_DIFFERENCE, self._last + 1)
        self._last = first + count - 1
        return first
