"""Moving pixels from one bitmap to another, as they are.

Source: Microsoft "BitBlt", "MaskBlt".
"""

from __future__ import annotations

from lswd.kernel.gdi import region as regions
from lswd.kernel.gdi.paint import brush_paint, converter
from lswd.kernel.gdi.pixels import Pixels, pixels_of
from lswd.kernel.gdi.raster import draw, uses_paint

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from lswd.kernel.gdi.bitmap import Bitmap
    from lswd.kernel.gdi.device_context import DeviceContext
    from lswd.kernel.gdi.raster import Run
    from lswd.kernel.gdi.region import Band, Box


def copied(pixels: Pixels, box: Box) -> Pixels:
    """A part of some pixels (it lies inside), which what is drawn meanwhile does not change."""
    left, top, right, bottom = box
    width, height = right - left, bottom - top
    stride = (width * pixels.bits + 7) // 8
    data = b"".join([pixels.bytes(left, y, width) for y in range(top, bottom)])
    return Pixels(pixels.format, width, height, stride, data)


def painted(dc: DeviceContext, bands: Sequence[Band], code: int) -> bool:
    """Paint bands with the selected brush."""
    bitmap = dc.bitmap
    if bitmap is None:
        return True
    target = pixels_of(bitmap)
    paint = brush_paint(dc, target)
    if paint is None:
        if uses_paint(code):
            return True
        draw(target, bands, code)
        return True
    paint.draw(target, bands, code)
    return True


def transferred(
    dc: DeviceContext, bands: Sequence[Band], code: int, source: Pixels, offset: tuple[int, int], *, is_dib: bool,
    background: int | None = None,
) -> bool:  # fmt: skip
    """Combine pixels of the same size into bands.

    Args:
        source: never the target's own memory. offset: from a target's point to the source's; what lies outside the
            source stays as it is. is_dib, background: see ``converter``.
    """
    bitmap = dc.bitmap
    if bitmap is None:
        return True
    target = pixels_of(bitmap)
    dx, dy = offset
    inside = regions.clipped(bands, (-dx, -dy, source.width - dx, source.height - dy))
    turn = converter(dc, source, target, is_dib=is_dib, background=background)

    def run(x: int, y: int, count: int) -> int:
        return turn(source, x + dx, y + dy, count)

    paint: Run | None = None
    if uses_paint(code):
        known = brush_paint(dc, target)
        if known is None:
            return True
        paint = known.run
    draw(target, inside, code, paint, run)
    return True


def own_colors(bitmap: Bitmap) -> bool:
    """Does it have colours of its own, even if only two?"""
    return bitmap.is_dib or bitmap.bits > 1
