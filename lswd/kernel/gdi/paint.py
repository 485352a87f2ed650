"""Colours and brushes as paints for a bitmap.

Source: Microsoft "COLORREF", "SetBkColor", "CreateHatchBrush", "CreatePatternBrush", "SetBrushOrgEx".
"""

from __future__ import annotations

from lswd.kernel.gdi.dib import Format, packed, unpacked
from lswd.kernel.gdi.handle_table import OBJ_BRUSH, OBJ_PALETTE, stock_handle
from lswd.kernel.gdi.objects import BS_HATCHED, BS_NULL, BS_SOLID, Brush, Palette
from lswd.kernel.gdi.pixels import Pixels, pixels_of, run_of
from lswd.kernel.gdi.raster import Pattern, Solid, draw
from lswd.kernel.gdi.stock import DC_BRUSH

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from lswd.kernel.gdi.bitmap import Bitmap
    from lswd.kernel.gdi.device_context import DeviceContext
    from lswd.kernel.gdi.raster import Run
    from lswd.kernel.gdi.region import Band

TRANSPARENT, OPAQUE = 1, 2
# HS_HORIZONTAL to HS_DIAGCROSS; a bit that is set is the brush's colour.
_HATCHES = (
    bytes([0, 0, 0, 0xFF, 0, 0, 0, 0]),
    bytes([8] * 8),
    bytes([0x80, 0x40, 0x20, 0x10, 8, 4, 2, 1]),
    bytes([1, 2, 4, 8, 0x10, 0x20, 0x40, 0x80]),
    bytes([8, 8, 8, 0xFF, 8, 8, 8, 8]),
    bytes([0x81, 0x42, 0x24, 0x18, 0x18, 0x24, 0x42, 0x81]),
)


def swapped(color: int) -> int:
    """COLORREF (0xBBGGRR) to 0xRRGGBB, and back."""
    return (color & 0xFF) << 16 | color & 0xFF00 | color >> 16 & 0xFF


def pixel_of(dc: DeviceContext, target: Pixels, color: int, *, mono: bool = False) -> int:
    """The pixel value of a COLORREF.

    Args:
        mono: in a bitmap of two colours, a colour that is neither's is not the background's.
    """
    form = target.format
    kind = color >> 24
    if kind & 0x10 and color >> 16 == 0x10FF:  # DIBINDEX
        index = color & 0xFFFF
        return index if target.bits <= 8 and index < len(form.colors) else form.pixel(0)
    if kind & 3:
        palette = dc.chosen(OBJ_PALETTE)
        assert isinstance(palette, Palette)
        if kind & 1:  # PALETTEINDEX
            index = color & 0xFFFF
            color = palette.color(index) if index < len(palette) else palette.color(0)
        elif palette.handle != stock_handle(15):  # PALETTERGB
            color = palette.color(palette.nearest(color & 0xFFFFFF))
    wanted = swapped(color & 0xFFFFFF)
    if target.bits != 1 or not mono or wanted in form.colors:
        return form.pixel(wanted)
    background = dc.attributes.number("background_color")
    pixel = pixel_of(dc, target, background)
    return pixel if color == background else 1 - pixel


def color_paint(dc: DeviceContext, target: Pixels, color: int, *, mono: bool = True) -> Solid:
    """A paint of one COLORREF."""
    return Solid(target.bits, target.swapped(pixel_of(dc, target, color, mono=mono)))


class Paint:
    """What a brush paints, and, if it leaves points alone, a run's points that it does not."""

    __slots__ = ("mask", "run")

    def __init__(self, run: Run, mask: Run | None = None) -> None:
        self.run = run
        self.mask = mask

    def draw(self, target: Pixels, bands: Sequence[Band], code: int) -> None:
        """Paint bands with a raster operation that has no source."""
        if self.mask is None:
            draw(target, bands, code, self.run)
        else:  # the mask is the source: where it is 0, the destination stays
            draw(target, bands, code & 0xCC | 0x22, self.run, self.mask)


def brush_paint(dc: DeviceContext, target: Pixels, brush: Brush | None = None) -> Paint | None:
    """What a brush paints, the selected one if none is given; None: nothing."""
    if brush is None:
        known = dc.chosen(OBJ_BRUSH)
        assert isinstance(known, Brush)
        brush = known
    if brush.style == BS_NULL:
        return None
    if brush.style == BS_SOLID:
        own = brush.handle == stock_handle(DC_BRUSH)
        return Paint(color_paint(dc, target, dc.attributes.number("brush_color") if own else brush.color).run)
    origin = dc.attributes.pair("brush_org")
    if brush.style == BS_HATCHED:
        front = target.swapped(pixel_of(dc, target, brush.color, mono=True))
        back = target.swapped(pixel_of(dc, target, dc.attributes.number("background_color"), mono=True))
        hatch = _HATCHES[brush.hatch]
        painted = Pattern(target.bits, 8, _mono_rows(hatch, 8, target.bits, back, front), origin).run
        if dc.attributes.number("background_mode") != TRANSPARENT:
            return Paint(painted)
        every = (1 << target.bits) - 1
        return Paint(painted, Pattern(target.bits, 8, _mono_rows(hatch, 8, target.bits, 0, every), origin).run)
    assert brush.pattern is not None
    rows = _pattern_rows(dc, target, brush.pattern)
    return Paint(Pattern(target.bits, brush.pattern.width, rows, origin).run)


def _mono_rows(rows: bytes, width: int, bits: int, zero: int, one: int) -> list[int]:
    """Rows of one bit a pixel with a number for each."""
    result = []
    for row in rows:
        value = 0
        for i in range(width):
            value = value << bits | (one if row >> 7 - i & 1 else zero)
        result.append(value)
    return result


def _pattern_rows(dc: DeviceContext, target: Pixels, pattern: Bitmap) -> list[int]:
    pixels = pixels_of(pattern)
    turn = converter(dc, pixels, target, is_dib=pattern.is_dib)
    return [turn(pixels, 0, y, pattern.width) for y in range(pattern.height)]


class converter:
    """Turns runs of one bitmap into runs of another's format, with the colours of a device context for two-coloured
    ones that have none."""

    def __init__(
        self, dc: DeviceContext | None, source: Pixels, target: Pixels, *, is_dib: bool, background: int | None = None
    ) -> None:
        """``background``: COLORREF that becomes white in a two-coloured target without colours of its own; ``dc`` is
        only asked for a source without ones."""
        self._same = source.format.same(target.format)
        self._source, self.target = source.format, target.format
        self._background = background
        self._table = b""
        if dc is not None and source.bits == 1 and not is_dib and target.bits != 1:
            colors = [dc.attributes.number(name) for name in ("text_color", "background_color")]
            values = [target.format.color(pixel_of(dc, target, color, mono=True)) for color in colors]
            self._source = Format(1, values)

    def __call__(self, source: Pixels, x: int, y: int, count: int) -> int:
        if self._same:
            return source.get(x, y, count)
        if self._source.bits < 8 and self.target.bits <= 8 and self._background is None:
            indices = unpacked(source.bytes(x, y, count), self._source.bits, count)
            return run_of(self.target, packed(indices.translate(self._pixels()), self.target.bits), count)
        row = self._source.decode(source.bytes(x, y, count), count)
        if self._background is not None and self.target.bits == 1:
            wanted = swapped(self._background)
            values = [int((each & 0xFFFFFF) == wanted) for each in memoryview(row).cast("I")]
            return run_of(self.target, packed(bytes(values), 1), count)
        return run_of(self.target, self.target.encode(row), count)

    def _pixels(self) -> bytes:
        """The target's pixels for the source's, of which there are few."""
        if not self._table:
            self._table = bytes(map(self.target.pixel, self._source.colors)).ljust(256, b"\0")
        return self._table
