"""Drawing's one way of changing pixels: runs, inside bands, combined by a raster operation.

What is drawn with is a *paint* (a colour or a pattern), and a *source* for operations that have one; both give runs in
the destination's format.
Source: Microsoft "Ternary Raster Operations", "Binary Raster Operations".
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TypeAlias

    from lswd.kernel.gdi.pixels import Pixels
    from lswd.kernel.gdi.region import Band

    Run: TypeAlias = Callable[[int, int, int], int]
    Operation: TypeAlias = Callable[[int, int, int, int], int]

PATCOPY, SRCCOPY, DSTINVERT = 0xF0, 0xCC, 0x55
# R2_BLACK (1) to R2_WHITE (16) as ternary operations of pattern and destination.
BINARY = (0x00, 0x05, 0x0A, 0x0F, 0x50, 0x55, 0x5A, 0x5F, 0xA0, 0xA5, 0xAA, 0xAF, 0xF0, 0xF5, 0xFA, 0xFF)
# By truth table, bit 2s+d: operations of two numbers and the mask of their bits.
_TWO: tuple[Callable[[int, int, int], int], ...] = (
    lambda s, d, m: 0,
    lambda s, d, m: ~(s | d) & m,
    lambda s, d, m: ~s & d,
    lambda s, d, m: ~s & m,
    lambda s, d, m: s & ~d,
    lambda s, d, m: ~d & m,
    lambda s, d, m: s ^ d,
    lambda s, d, m: ~(s & d) & m,
    lambda s, d, m: s & d,
    lambda s, d, m: ~(s ^ d) & m,
    lambda s, d, m: d,
    lambda s, d, m: ~s & m | d,
    lambda s, d, m: s,
    lambda s, d, m: s | ~d & m,
    lambda s, d, m: s | d,
    lambda s, d, m: m,
)


def uses_paint(code: int) -> bool:
    """Does the result depend on the pattern?"""
    return code >> 4 & 15 != code & 15


def uses_source(code: int) -> bool:
    """Does it depend on the source?"""
    return code >> 2 & 0x33 != code & 0x33


def uses_target(code: int) -> bool:
    """Does it depend on what was there?"""
    return code >> 1 & 0x55 != code & 0x55


def operation(code: int) -> Operation:
    """A function of pattern, source, destination and the mask of their bits."""
    without, with_paint = _TWO[code & 15], _TWO[code >> 4 & 15]
    if not uses_paint(code):
        return lambda p, s, d, m: without(s, d, m)
    if code == PATCOPY:
        return lambda p, s, d, m: p
    return lambda p, s, d, m: p & with_paint(s, d, m) | ~p & without(s, d, m)


class Solid:
    """A paint of one pixel value, given as its number in a run."""

    __slots__ = ("bits", "value", "_known")

    def __init__(self, bits: int, value: int) -> None:
        self.bits = bits
        self.value = value
        self._known: dict[int, int] = {}

    def run(self, x: int, y: int, count: int) -> int:
        """``count`` pixels of it."""
        found = self._known.get(count)
        if found is None:
            found = self._known[count] = repeated(self.value, self.bits, count)
        return found


class Pattern:
    """A paint that repeats: its rows' numbers, each ``width`` pixels, from an origin."""

    __slots__ = ("bits", "origin", "rows", "width")

    def __init__(self, bits: int, width: int, rows: Sequence[int], origin: tuple[int, int]) -> None:
        self.bits = bits
        self.width = width
        self.rows = rows
        self.origin = origin

    def run(self, x: int, y: int, count: int) -> int:
        """The pattern's pixels there."""
        phase = (x - self.origin[0]) % self.width
        times = (phase + count + self.width - 1) // self.width
        value = repeated(self.rows[(y - self.origin[1]) % len(self.rows)], self.bits * self.width, times)
        after = times * self.width - phase - count
        return value >> after * self.bits & (1 << count * self.bits) - 1


def repeated(value: int, bits: int, count: int) -> int:
    """A number of ``bits`` bits, ``count`` times."""
    if bits % 8 == 0:
        return int.from_bytes(value.to_bytes(bits // 8, "big") * count, "big")
    return value * (((1 << bits * count) - 1) // ((1 << bits) - 1)) if count else 0


def draw(target: Pixels, bands: Sequence[Band], code: int, paint: Run | None = None, source: Run | None = None) -> None:
    """Combine runs inside ``bands``, all of which lie in ``target``.

    Args:
        code: the raster operation's truth table. paint, source: give (x, y, count) of the destination; only asked for
            if the operation needs them.
    """
    if not uses_paint(code):
        paint = None
    if not uses_source(code):
        source = None
    needs_target = uses_target(code)
    plain = paint if code == PATCOPY else source if code == SRCCOPY else None
    combine = operation(code)
    bits = target.bits
    for top, bottom, walls in bands:
        for y in range(top, bottom):
            for i in range(0, len(walls), 2):
                x, count = walls[i], walls[i + 1] - walls[i]
                if plain is not None:
                    target.put(x, y, count, plain(x, y, count))
                    continue
                pattern = paint(x, y, count) if paint is not None else 0
                wanted = source(x, y, count) if source is not None else 0
                there = target.get(x, y, count) if needs_target else 0
                target.put(x, y, count, combine(pattern, wanted, there, (1 << count * bits) - 1))
