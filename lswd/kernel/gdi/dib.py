"""How pixels are coded, and rows of pixels turned from one coding into another.

Everything goes by way of rows of BGRX, four bytes a pixel: a row is turned by translating bytes and by slices with a
step, never by a loop over its pixels.
Source: Microsoft "BITMAPINFOHEADER", "BITMAPV4HEADER", "Color Tables".
"""

from __future__ import annotations

import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

BI_RGB, BI_RLE8, BI_RLE4, BI_BITFIELDS = 0, 1, 2, 3
_CORE_HEADER = 12
_HEADER = struct.Struct("<IiiHHIIiiII")
_SHORTEST_HEADER, _LONGEST_HEADER = _HEADER.size, 1024
DIB_RGB_COLORS, DIB_PAL_COLORS = 0, 1
_MASKS_555 = (0x7C00, 0x3E0, 0x1F)
_MASKS_888 = (0xFF0000, 0xFF00, 0xFF)
_VGA = (0, 0x800000, 0x8000, 0x808000, 0x80, 0x800080, 0x8080, 0x808080, 0xC0C0C0, 0xFF0000, 0xFF00, 0xFFFF00,
        0xFF, 0xFF00FF, 0xFFFF, 0xFFFFFF)  # fmt: skip


def default_colors(bits: int) -> list[int]:
    """The colours, 0xRRGGBB, of a bitmap that has no own."""
    if bits == 1:
        return [0, 0xFFFFFF]
    if bits == 4:
        return list(_VGA)
    if bits == 8:
        # 20 system colours around 3 bits of green, 3 of red and 2 of blue
        first = (*_VGA[:7], 0xC0C0C0, 0xC0DCC0, 0xA6CAF0)
        last = (0xFFFBF0, 0xA0A0A4, 0x808080, *_VGA[9:])
        middle = [(i & 7) * 0x20 << 16 | (i >> 3 & 7) * 0x20 << 8 | (i >> 6) * 0x40 for i in range(10, 246)]
        return [*first, *middle, *last]
    return []


class Format:
    """How a pixel is coded: ``bits``, with a table of ``colors`` (0xRRGGBB) up to 8, else with ``masks``."""

    __slots__ = ("bits", "colors", "masks", "_nearest")

    def __init__(self, bits: int, colors: Sequence[int] = (), masks: tuple[int, int, int] | None = None) -> None:
        self.bits = bits
        self.colors = list(colors)
        self.masks = masks or (_MASKS_555 if bits == 16 else _MASKS_888)
        self._nearest: dict[int, int] = {}

    def same(self, other: Format) -> bool:
        """Do both code all pixels alike?"""
        return self.bits == other.bits and (
            self.colors == other.colors if self.bits <= 8 else self.masks == other.masks
        )

    def set_colors(self, first: int, colors: Sequence[int]) -> None:
        """Change a part of the table."""
        self.colors[first : first + len(colors)] = colors
        self._nearest.clear()

    def pixel(self, color: int) -> int:
        """The pixel nearest to a colour, 0xRRGGBB."""
        if self.bits <= 8:
            found = self._nearest.get(color)
            if found is None:
                if len(self._nearest) > 0x10000:
                    self._nearest.clear()
                found = self._nearest[color] = nearest(self.colors, color)
            return found
        if self.bits == 24 or self.masks == _MASKS_888:
            return color & 0xFFFFFF
        value = 0
        for mask, channel in zip(self.masks, (color >> 16 & 0xFF, color >> 8 & 0xFF, color & 0xFF), strict=True):
            value |= _place(channel, mask)
        return value

    def color(self, pixel: int) -> int:
        """The colour, 0xRRGGBB, of a pixel."""
        if self.bits <= 8:
            return self.colors[pixel] if pixel < len(self.colors) else 0
        if self.bits == 24 or self.masks == _MASKS_888:
            return pixel & 0xFFFFFF
        red, green, blue = [_take(pixel, mask) for mask in self.masks]
        return red << 16 | green << 8 | blue

    def decode(self, row: bytes, count: int) -> bytes:
        """``count`` pixels from the beginning of a row as BGRX."""
        bits = self.bits
        if bits == 32 and self.masks == _MASKS_888:
            return bytes(row[: 4 * count])
        result = bytearray(4 * count)
        if bits <= 8:
            indices = unpacked(row, bits, count)
            for channel, table in enumerate(self._tables()):
                result[channel::4] = indices.translate(table)
        elif bits == 24:
            for channel in range(3):
                result[channel::4] = row[channel : 3 * count : 3]
        else:
            width = bits // 8
            for channel, mask in enumerate(reversed(self.masks)):
                value = 0
                for i in range(width):
                    part = mask >> 8 * i & 0xFF
                    if part:
                        value |= int.from_bytes(row[i : width * count : width].translate(_taking(mask, i)), "little")
                lane = value.to_bytes(count, "little")
                result[channel::4] = lane.translate(_widening(mask))
        return bytes(result)

    def encode(self, row: bytes) -> bytes:
        """The inverse of ``decode``: BGRX as whole bytes of this format (1 and 4 bits: padded with zeros)."""
        bits, count = self.bits, len(row) // 4
        if bits == 32 and self.masks == _MASKS_888:
            return row
        if bits <= 8:
            colors = [each & 0xFFFFFF for each in memoryview(row).cast("I")]
            if bits == 8:  # Wine looks the middle of 32768 cubes of colours up
                pixels = {color: self.pixel(color & 0xF8F8F8 | 0x40404) for color in set(colors)}
            else:
                pixels = {color: self.pixel(color) for color in set(colors)}
            return packed(bytes(map(pixels.__getitem__, colors)), bits)
        result = bytearray(bits // 8 * count)
        if bits == 24:
            for channel in range(3):
                result[channel::3] = row[channel::4]
            return bytes(result)
        width = bits // 8
        for i in range(width):
            value = 0
            for channel, mask in enumerate(reversed(self.masks)):
                if mask >> 8 * i & 0xFF:
                    value |= int.from_bytes(row[channel::4].translate(_placing(mask, i)), "little")
            result[i::width] = value.to_bytes(count, "little")
        return bytes(result)

    def _tables(self) -> list[bytes]:
        colors = (self.colors + [0] * 256)[:256]
        return [bytes([color >> shift & 0xFF for color in colors]) for shift in (0, 8, 16)]


def device_format(bits: int) -> Format:
    """How pixels of a device-dependent bitmap are coded."""
    return Format(bits, default_colors(bits))


def nearest(colors: Sequence[int], color: int) -> int:
    """The first index whose colour is nearest."""
    red, green, blue = color >> 16 & 0xFF, color >> 8 & 0xFF, color & 0xFF
    best, least = 0, 1 << 30
    for i, each in enumerate(colors):
        away = ((each >> 16 & 0xFF) - red) ** 2 + ((each >> 8 & 0xFF) - green) ** 2 + ((each & 0xFF) - blue) ** 2
        if away < least:
            best, least = i, away
            if not away:
                break
    return best


def unpacked(row: bytes, bits: int, count: int) -> bytes:
    """Pixels of 1, 4 or 8 bits as a byte each."""
    if bits == 8:
        return bytes(row[:count])
    data = bytes(row[: (count * bits + 7) // 8])
    each = 8 // bits
    result = bytearray(len(data) * each)
    for i in range(each):
        shift = 8 - bits * (i + 1)
        result[i::each] = data.translate(bytes([value >> shift & (1 << bits) - 1 for value in range(256)]))
    return bytes(result[:count])


def packed(pixels: bytes, bits: int) -> bytes:
    """The inverse of ``unpacked``."""
    if bits == 8:
        return pixels
    each = 8 // bits
    padded = pixels + bytes(-len(pixels) % each)
    value = 0
    for i in range(each):
        value |= int.from_bytes(padded[i::each], "little") << (8 - bits * (i + 1))
    return value.to_bytes(len(padded) // each, "little")


def _shape(mask: int) -> tuple[int, int]:
    """Where a mask begins, and how many bits it has."""
    shift = (mask & -mask).bit_length() - 1 if mask else 0
    return shift, (mask >> shift).bit_length()


def _place(channel: int, mask: int) -> int:
    """A byte of colour, cut to fit a mask."""
    shift, length = _shape(mask)
    return (channel >> 8 - length if length <= 8 else channel << length - 8) << shift & mask


def _take(pixel: int, mask: int, *, whole: bool = True) -> int:
    """A channel as a byte; not ``whole``: only its bits, at most the upper eight of them."""
    shift, length = _shape(mask)
    value = (pixel & mask) >> shift
    if length > 8:
        return value >> length - 8
    return _widening(mask)[value] if whole else value


_made: dict[tuple[str, int, int], bytes] = {}  # tables of the two functions below


def _placing(mask: int, byte: int) -> bytes:
    """What each byte of colour gives to one byte of a pixel."""
    key = "place", mask, byte
    if key not in _made:
        _keep(key, bytes([_place(each, mask) >> 8 * byte & 0xFF for each in range(256)]))
    return _made[key]


def _taking(mask: int, byte: int) -> bytes:
    """What each value of one byte of a pixel gives to a channel's bits."""
    key = "take", mask, byte
    if key not in _made:
        _keep(key, bytes([_take(each << 8 * byte, mask, whole=False) for each in range(256)]))
    return _made[key]


def _keep(key: tuple[str, int, int], table: bytes) -> None:
    if len(_made) > 256:  # masks are the programs' own
        _made.clear()
    _made[key] = table


def _widening(mask: int) -> bytes:
    """Values of as many bits as a mask has to bytes, 255 the largest."""
    _, length = _shape(mask)
    if length >= 8 or not length:
        return bytes(range(256))
    table = bytearray(256)
    for value in range(1 << length):
        wide = value << 8 - length
        have = length
        while have < 8:
            wide |= wide >> have
            have *= 2
        table[value] = wide & 0xFF
    return bytes(table)


class Header:
    """A BITMAPINFO, as far as its pixels are concerned.

    Attributes:
        size: bytes of the header and the colours behind it. raw: the header made a BITMAPINFOHEADER.
    """

    __slots__ = (
        "bits", "clr_used", "compression", "format", "height", "image_size", "raw", "size", "top_down", "width",
    )  # fmt: skip

    def __init__(
        self, width: int, height: int, compression: int, form: Format, size: int, raw: bytes, image_size: int, used: int
    ) -> None:
        self.width = width
        self.height = abs(height)
        self.top_down = height < 0
        self.bits = form.bits
        self.compression = compression
        self.format = form
        self.size = size
        self.raw = raw
        self.image_size = image_size
        self.clr_used = used

    def stride(self) -> int:
        """Bytes of a row."""
        return (self.width * self.bits + 31) // 32 * 4


def parse_header(
    read: Callable[[int, int], bytes], address: int, usage: int, palette: Sequence[int] = ()
) -> Header | None:
    """The BITMAPINFO at ``address``; None if it describes nothing known.

    Args:
        read: reads guest memory (address, size), and raises NtError. usage: DIB_*; palette: for DIB_PAL_COLORS.
    """
    header_size = int.from_bytes(read(address, 4), "little")
    core = header_size == _CORE_HEADER
    resolution: Sequence[int] = (0, 0)
    if core:
        width, height, planes, bits = struct.unpack("<HHHH", read(address + 4, 8))
        compression = image_size = used = 0
    elif _SHORTEST_HEADER <= header_size <= _LONGEST_HEADER:
        _, width, height, planes, bits, compression, image_size, *resolution, used, _ = _HEADER.unpack(
            read(address, _HEADER.size))
    else:
        return None
    if bits not in (1, 4, 8, 16, 24, 32) or planes != 1 or compression > BI_BITFIELDS:
        return None
    masks = None
    at = address + header_size
    if compression == BI_BITFIELDS:
        if bits not in (16, 32):
            return None
        masks = struct.unpack("<3I", read(address + _HEADER.size, 12))
        at = max(at, address + _HEADER.size + 12)
        if not all(masks):
            masks = None
    colors: list[int] = []
    count = 0
    if bits <= 8:
        count = min(used, 1 << bits) or 1 << bits
        if usage == DIB_PAL_COLORS:
            indices = struct.unpack(f"<{count}H", read(at, 2 * count))
            colors = [palette[each % len(palette)] if palette else 0 for each in indices]
        elif usage == DIB_RGB_COLORS:
            width_of_color = 3 if core else 4
            table = read(at, width_of_color * count)
            colors = [
                int.from_bytes(table[i : i + 3], "little") for i in range(0, len(table), width_of_color)
            ]
        else:
            colors = []
        colors += [0] * ((1 << bits) - len(colors))
    size = at - address + count * (2 if usage == DIB_PAL_COLORS else 3 if core else 4)
    raw = _HEADER.pack(_HEADER.size, width, height, planes, bits, compression, image_size, *resolution, used, 0)
    return Header(width, height, compression, Format(bits, colors, masks), size, raw, image_size, used)
