"""Outlines with the selected pen, insides with the selected brush.

Source: Microsoft "Pens", "SetROP2", "SetPolyFillMode".
"""

from __future__ import annotations

from itertools import pairwise

from lswd.kernel.gdi import region as regions
from lswd.kernel.gdi import shapes
from lswd.kernel.gdi.handle_table import OBJ_EXTPEN, OBJ_PEN, stock_handle
from lswd.kernel.gdi.objects import PS_NULL, PS_STYLE_MASK, PS_USERSTYLE, Brush, Pen
from lswd.kernel.gdi.paint import TRANSPARENT, Paint, brush_paint, color_paint
from lswd.kernel.gdi.pixels import Pixels, pixels_of
from lswd.kernel.gdi.raster import BINARY
from lswd.kernel.gdi.stock import DC_PEN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from lswd.kernel.gdi.device_context import DeviceContext
    from lswd.kernel.gdi.region import Bands
    from lswd.kernel.gdi.shapes import Point


_WIDEST = 4096


class Artist:
    """Draws shapes, given in device coordinates, into a device context's bitmap."""

    def __init__(self, dc: DeviceContext) -> None:
        bitmap = dc.bitmap
        assert bitmap is not None
        self._dc = dc
        self._target: Pixels = pixels_of(bitmap)
        self._visible = dc.visible()
        self._box = regions.box_of(self._visible)
        self._code = BINARY[max(1, min(16, dc.attributes.number("rop_mode"))) - 1]
        pen = dc.chosen(OBJ_PEN)
        assert isinstance(pen, Pen)
        self.pen = pen
        fx, _, _, _ = dc.scale()
        width = round(abs(pen.width * fx)) if pen.kind != OBJ_EXTPEN or pen.style >> 16 else 1
        self.width = min(width, _WIDEST)

    @property
    def has_pen(self) -> bool:
        """Is anything drawn by the pen?"""
        return self.pen.style & PS_STYLE_MASK != PS_NULL

    def paint(self, bands: Bands, paint: Paint | None) -> None:
        """Paint the visible part of bands."""
        if paint is not None:
            paint.draw(self._target, regions.combine(self._visible, bands, regions.RGN_AND), self._code)

    def fill(self, bands: Bands, brush: Brush | None = None) -> None:
        """Paint bands with a brush, the selected one if none is given."""
        self.paint(bands, brush_paint(self._dc, self._target, brush))

    def _pen_paint(self) -> Paint | None:
        if self.pen.kind == OBJ_EXTPEN:
            return brush_paint(self._dc, self._target, self.pen.brush)
        own = self.pen.handle == stock_handle(DC_PEN)
        color = self._dc.attributes.number("pen_color") if own else self.pen.color
        return Paint(color_paint(self._dc, self._target, color).run)

    def lines(self, points: Sequence[Point], *, closed: bool = False) -> None:
        """Connected lines with the pen; the last point is not drawn unless they are closed."""
        if not self.has_pen or len(points) < 2:
            return
        if self.width > 1:
            self.paint(shapes.wide(points, self.width, self._box, closed=closed), self._pen_paint())
            return
        ends = [*points, points[0]] if closed else points
        dashes = shapes.DASHES.get(self.pen.style & PS_STYLE_MASK)
        if self.pen.style & PS_STYLE_MASK == PS_USERSTYLE:
            dashes = self.pen.dashes if len(self.pen.dashes) % 2 == 0 else self.pen.dashes * 2
        paint = self._pen_paint()
        if dashes:
            drawn, between = shapes.dashed(ends, dashes, self._box)
            self.paint(drawn, paint)
            if self._dc.attributes.number("background_mode") != TRANSPARENT:
                background = self._dc.attributes.number("background_color")
                self.paint(between, Paint(color_paint(self._dc, self._target, background).run))
            return
        for one, other in pairwise(ends):
            self.paint(shapes.line(one, other, self._box), paint)

    def polygons(self, points: Sequence[Point], counts: Sequence[int]) -> None:
        """Closed polygons, the inside by the filling mode."""
        mode = self._dc.attributes.number("poly_fill_mode")
        self.fill(regions.polygons(points, counts, mode, self._box))
        first = 0
        for count in counts:
            self.lines(points[first : first + count], closed=True)
            first += count

    def shape(self, points: Sequence[Point]) -> None:
        """One closed shape whose outline's points follow each other; they are inside, too."""
        inside = regions.polygons(points, [len(points)], regions.WINDING, self._box)
        self.fill(regions.combine(inside, shapes.point_bands(points), regions.RGN_OR))
        self.lines(points, closed=True)
