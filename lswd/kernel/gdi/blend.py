"""Rows of BGRA blended with each other, and colours that change from one to another.

Every channel of a row is a lane of 16 bits in one large number, so that a row is divided by 255 in a few operations.
Source: Microsoft "AlphaBlend", "BLENDFUNCTION", "GradientFill", "TransparentBlt"; rounded as Wine's DIB engine does it.
"""

from __future__ import annotations

from array import array
from operator import mul

AC_SRC_ALPHA = 1


def _lanes(row: bytes) -> int:
    wide = bytearray(2 * len(row))
    wide[::2] = row
    return int.from_bytes(wide, "little")


def _divided(lanes: int, count: int) -> bytes:
    """(lane + 127) // 255 for each lane; no lane is above 255 * 255."""
    each = int.from_bytes(b"\1\0" * count, "little")
    lanes += 127 * each
    high = lanes >> 8 & 255 * each
    return (lanes + each + high).to_bytes(2 * count + 1, "little")[1 : 2 * count : 2]


def _products(one: bytes, other: bytes) -> int:
    return int.from_bytes(array("H", map(mul, one, other)).tobytes(), "little")


def _alphas(row: bytes) -> bytes:
    """Each pixel's alpha for each of its channels."""
    alpha = row[3::4]
    result = bytearray(len(row))
    for channel in range(4):
        result[channel::4] = alpha
    return bytes(result)


def blended(target: bytes, source: bytes, constant: int, mode: int) -> bytes:
    """A row of BGRA blended into another.

    Args:
        constant: of the whole source; mode: AC_SRC_ALPHA if the source has alpha of its own, multiplied into it.
    """
    count = len(target)
    if not mode & AC_SRC_ALPHA:
        return _divided(_lanes(source) * constant + _lanes(target) * (255 - constant), count)
    if constant != 255:
        source = _divided(_lanes(source) * constant, count)
    rest = _alphas(source).translate(bytes(range(255, -1, -1)))
    behind = _divided(_products(target, rest), count)
    each = int.from_bytes(b"\xff\0" * count, "little")
    total = _lanes(source) + _lanes(behind) & each  # a byte overflows as a byte does
    return total.to_bytes(2 * count, "little")[::2]


def without(row: bytes, behind: bytes, color: int) -> bytes:
    """``row`` with what is ``behind`` it where it has this colour (0xRRGGBB); the alpha of both is lost."""
    pixels, others = memoryview(row).cast("I"), memoryview(behind).cast("I")
    pairs = zip(pixels, others, strict=True)
    chosen = [(other if each & 0xFFFFFF == color else each) & 0xFFFFFF for each, other in pairs]
    return array("I", chosen).tobytes()


def gradient(first: tuple[int, ...], last: tuple[int, ...], begin: int, end: int, places: range) -> bytes:
    """BGRA at ``places`` between two colours (red, green, blue, alpha; 16 bits each) at ``begin`` and ``end``."""
    length = max(end - begin, 1)
    result = bytearray(4 * len(places))
    for channel, index in enumerate((2, 1, 0, 3)):
        one, other = first[index], last[index]
        result[channel::4] = bytes([(one * (end - x) + other * (x - begin)) // length >> 8 & 0xFF for x in places])
    return bytes(result)
