"""Text: where its glyphs go, and drawing them.

Smooth glyphs have 17 levels; how much of the text's colour a level gives depends on the colours, as in Wine's DIB
engine, whose table of intensities this is.
Source: Microsoft "ExtTextOut", "SetTextAlign", "Character Widths".
"""

from __future__ import annotations

from lswd.kernel.gdi import region as regions
from lswd.kernel.gdi.paint import pixel_of
from lswd.kernel.gdi.pixels import pixels_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from lswd.kernel.gdi.device_context import DeviceContext
    from lswd.kernel.gdi.fonts import SizedFont
    from lswd.kernel.gdi.pixels import Pixels
    from lswd.kernel.gdi.region import Bands

_RAMP = (0, 0x4D, 0x68, 0x7C, 0x8C, 0x9A, 0xA7, 0xB2, 0xBD, 0xC7, 0xD0, 0xD9, 0xE1, 0xE9, 0xF0, 0xF8, 0xFF)
_LEVELS = bytes([value * 17 // 256 for value in range(256)])


def _mixed(there: int, text: int, level: int) -> int:
    """A channel of a point that a glyph covers to a level."""
    if there == text:
        return there
    if there > text:
        most = _RAMP[16 - level] + (0xFF - _RAMP[16 - level]) * text // 0xFF
        return text + (there - text) * (most - text) // (0xFF - text)
    least = _RAMP[level] * text // 0xFF
    return text - (text - there) * (text - least) // text


class GlyphPainter:
    """Draws glyphs of one colour into a device context's bitmap."""

    def __init__(self, dc: DeviceContext, font: SizedFont, clip: Bands) -> None:
        bitmap = dc.bitmap
        assert bitmap is not None
        self._font = font
        self._clip = clip
        self._box = regions.box_of(clip)
        self._simple = len(clip) == 1 and len(clip[0][2]) == 2
        self.target: Pixels = pixels_of(bitmap)
        self._mono = bitmap.bits <= 8
        color = dc.attributes.number("text_color")
        self._pixel = pixel_of(dc, self.target, color, mono=True)
        text = self.target.format.color(self._pixel)
        self._channels = text >> 16 & 0xFF, text >> 8 & 0xFF, text & 0xFF
        self._known: dict[tuple[int, int], int] = {}

    def draw(self, index: int, x: int, y: int) -> None:
        """A glyph with its origin at a point of the device."""
        glyph = self._font.glyph(index, mono=self._mono)
        if glyph is None:
            return
        left, top = x + glyph.left, y - glyph.top
        if not (left < self._box[2] and left + glyph.width > self._box[0]):
            return
        for i, row in enumerate(glyph.rows):
            if self._box[1] <= top + i < self._box[3]:
                self._row(row.translate(_LEVELS), left, top + i)

    def _row(self, levels: bytes, left: int, y: int) -> None:
        target = self.target
        for i, level in enumerate(levels):
            x = left + i
            if level <= 1 or not self._box[0] <= x < self._box[2]:
                continue
            if not self._simple and not regions.contains(self._clip, x, y):
                continue
            pixel = self._pixel if level >= 16 else self._smooth(target.pixel(x, y), level)
            target.put(x, y, 1, target.swapped(pixel))

    def _smooth(self, there: int, level: int) -> int:
        found = self._known.get((there, level))
        if found is None:
            color = self.target.format.color(there)
            channels = color >> 16 & 0xFF, color >> 8 & 0xFF, color & 0xFF
            red, green, blue = [_mixed(c, t, level) for c, t in zip(channels, self._channels, strict=True)]
            found = self._known[there, level] = self.target.format.pixel(red << 16 | green << 8 | blue)
        return found


def advances(dc: DeviceContext, font: SizedFont, indices: Sequence[int], breaks: Sequence[bool]) -> list[int]:
    """How far each glyph moves on, in points of the device."""
    extra = round(dc.attributes.number("char_extra", signed=True) * dc.scale()[0])
    each, _, left = dc.justification
    result = []
    for index, is_break in zip(indices, breaks, strict=True):
        advance = font.advance(index) + extra
        if is_break:
            advance += each + (1 if left > 0 else 0)
            left -= 1
        result.append(advance)
    return result
