"""Rectangles of the window system: RECT without the memory it lies in."""

from __future__ import annotations

import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Self

_RECT = struct.Struct("<4i")
SIZE = _RECT.size
_LOWEST, _HIGHEST = -(1 << 31), (1 << 31) - 1


def _bounded(value: int) -> int:
    return min(max(value, _LOWEST), _HIGHEST)


class Rectangle(tuple[int, int, int, int]):
    """Left, top, right and bottom, of which the last two are outside."""

    __slots__ = ()

    def __new__(cls, left: int = 0, top: int = 0, right: int = 0, bottom: int = 0) -> Self:
        return super().__new__(cls, (left, top, right, bottom))

    @property
    def left(self) -> int:
        return self[0]

    @property
    def top(self) -> int:
        return self[1]

    @property
    def right(self) -> int:
        return self[2]

    @property
    def bottom(self) -> int:
        return self[3]

    @property
    def width(self) -> int:
        return self.right - self.left

    @property
    def height(self) -> int:
        return self.bottom - self.top

    def moved(self, x: int, y: int) -> Rectangle:
        """The same one elsewhere."""
        return Rectangle(self.left + x, self.top + y, self.right + x, self.bottom + y)

    def grown(self, x: int, y: int) -> Rectangle:
        """With so much more on each side."""
        return Rectangle(self.left - x, self.top - y, self.right + x, self.bottom + y)

    def overlaps(self, other: Rectangle) -> bool:
        """Have the two any point in common?"""
        return (
            max(self.left, other.left) < min(self.right, other.right)
            and max(self.top, other.top) < min(self.bottom, other.bottom)
        )  # fmt: skip

    def pack(self) -> bytes:
        """As a RECT; numbers that have no room there are the nearest that have."""
        return _RECT.pack(*map(_bounded, self))

    @classmethod
    def unpack(cls, data: bytes) -> Rectangle:
        """From a RECT."""
        return cls(*_RECT.unpack(data))
