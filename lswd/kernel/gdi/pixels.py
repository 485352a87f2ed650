"""Pixels in rows: reading and writing runs of them, as one large number each.

A run's number has its leftmost pixel on top, whatever the format; so raster operations are the numbers' own operators,
and 1- and 4-bit pixels need no code of their own but for the edges of a run.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.kernel.gdi.bitmap import Bitmap
    from lswd.kernel.gdi.dib import Format


class Pixels:
    """Rows of pixels in memory."""

    __slots__ = ("bits", "format", "height", "memory", "stride", "top_down", "width")

    def __init__(
        self, form: Format, width: int, height: int, stride: int, memory: memoryview | bytearray | bytes, *,
        top_down: bool = True,
    ) -> None:  # fmt: skip
        self.format = form
        self.bits = form.bits
        self.width = width
        self.height = height
        self.stride = stride
        self.memory = memory
        self.top_down = top_down

    def row(self, y: int) -> int:
        """Where a row begins."""
        return self.stride * (y if self.top_down else self.height - 1 - y)

    def get(self, x: int, y: int, count: int) -> int:
        """A run that lies inside, as a number."""
        first, last = x * self.bits, (x + count) * self.bits
        at = self.row(y)
        value = int.from_bytes(self.memory[at + (first >> 3) : at + (last + 7 >> 3)], "big")
        if self.bits < 8:
            return value >> (-last & 7) & (1 << last - first) - 1
        return value

    def put(self, x: int, y: int, count: int, value: int) -> None:
        """Write a run that lies inside."""
        memory = self.memory
        assert not isinstance(memory, bytes)
        first, last = x * self.bits, (x + count) * self.bits
        at = self.row(y)
        begin, end = at + (first >> 3), at + (last + 7 >> 3)
        if self.bits < 8 and (first | last) & 7:
            shift = -last & 7
            mask = (1 << last - first) - 1 << shift
            value = int.from_bytes(memory[begin:end], "big") & ~mask | value << shift
        memory[begin:end] = value.to_bytes(end - begin, "big")

    def bytes(self, x: int, y: int, count: int) -> bytes:
        """A run as bytes; pixels of 1 and 4 bits begin with the first."""
        if self.bits >= 8:
            at = self.row(y) + x * self.bits // 8
            return bytes(self.memory[at : at + count * self.bits // 8])
        size = count * self.bits
        return (self.get(x, y, count) << (-size & 7)).to_bytes((size + 7) // 8, "big")

    def pixel(self, x: int, y: int) -> int:
        """One pixel's value."""
        return self.swapped(self.get(x, y, 1))

    def swapped(self, value: int) -> int:
        """One pixel's value from its number in a run, and back."""
        if self.bits <= 8:
            return value
        return int.from_bytes(value.to_bytes(self.bits // 8, "big"), "little")


def pixels_of(bitmap: Bitmap) -> Pixels:
    """A bitmap's pixels, as they lie in memory now. Never keep them.

    Raises:
        NtError: the process has given the memory away.
    """
    return Pixels(
        bitmap.format, bitmap.width, bitmap.height, bitmap.stride, bitmap.memory(), top_down=bitmap.top_down)


def run_of(form: Format, row: bytes, count: int) -> int:
    """The number of a run from its bytes."""
    value = int.from_bytes(row, "big")
    return value >> (-count * form.bits & 7) if form.bits < 8 else value


def bytes_of(form: Format, run: int, count: int) -> bytes:
    """The inverse: whole bytes, padded behind the last pixel."""
    size = count * form.bits
    return (run << (-size & 7)).to_bytes((size + 7) // 8, "big")
