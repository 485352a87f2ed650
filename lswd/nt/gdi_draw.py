"""Lines, curves and filled shapes.

Source: Microsoft "LineTo", "Rectangle", "Ellipse", "RoundRect", "Arc", "FillRgn", "FrameRgn"; which calls gdi32 makes
for them: Wine's include/ntgdi.h.
"""

from __future__ import annotations

import struct

from lswd.kernel.gdi import region as regions
from lswd.kernel.gdi import shapes
from lswd.kernel.gdi.blit import painted
from lswd.kernel.gdi.device_context import GM_ADVANCED
from lswd.kernel.gdi.flood import flooded
from lswd.kernel.gdi.objects import Brush
from lswd.kernel.gdi.paint import pixel_of
from lswd.kernel.gdi.path import PT_LINETO
from lswd.kernel.gdi.pixels import pixels_of
from lswd.kernel.gdi.raster import DSTINVERT
from lswd.kernel.gdi.stroke import Artist
from lswd.nt.declare import Call, syscall
from lswd.nt.gdi_lookup import context, found, region
from lswd.nt.user_failure import ERROR_INVALID_PARAMETER, failed
from lswd.ntdef.types import BOOL, HANDLE, LONG, PVOID, ULONG

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.kernel.gdi.device_context import DeviceContext
    from lswd.kernel.gdi.region import Band, Box

_LARGEST = 1 << 15  # an ellipse's side
_ARC, _ARC_TO, _CHORD, _PIE = range(4)
_CLOCKWISE = 2
_FLOOD_SURFACE = 1
_WIDE = "wide lines have round joins, and about the points that Wine's have"


@syscall
def NtGdiMoveTo(call: Call, hdc: HANDLE, x: LONG, y: LONG, pt: PVOID) -> BOOL:
    dc = context(call, hdc)
    if dc is None:
        return 0
    if pt:
        call.space.write(pt, struct.pack("<2i", *dc.attributes.pair("cur_pos")))
    dc.attributes.set_pair("cur_pos", x, y)
    if dc.recording is not None:
        dc.recording.move()
    return 1


@syscall(partial=_WIDE)
def NtGdiLineTo(call: Call, hdc: HANDLE, x: LONG, y: LONG) -> BOOL:
    dc = context(call, hdc)
    if dc is None:
        return 0
    ends = dc.to_device([dc.attributes.pair("cur_pos"), (x, y)])
    if dc.recording is not None:
        dc.recording.add(ends[0], ends[1:], PT_LINETO)
    elif dc.bitmap is not None:
        Artist(dc).lines(ends)
    dc.attributes.set_pair("cur_pos", x, y)
    return 1


def _device_box(dc: DeviceContext, left: int, top: int, right: int, bottom: int) -> Box:
    """A rectangle on the device; the right and the bottom edge are outside, but not in advanced mode."""
    (x1, y1), (x2, y2) = dc.to_device([(left, top), (right, bottom)])
    if dc.attributes.number("layout") & 1:
        x1, x2 = x1 + 1, x2 + 1
    x1, x2 = sorted((x1, x2))
    y1, y2 = sorted((y1, y2))
    if dc.attributes.number("graphics_mode") == GM_ADVANCED:
        return x1, y1, x2 + 1, y2 + 1
    return x1, y1, x2, y2


@syscall(partial=_WIDE)
def NtGdiRectangle(call: Call, hdc: HANDLE, left: LONG, top: LONG, right: LONG, bottom: LONG) -> BOOL:
    dc = context(call, hdc)
    if dc is None:
        return 0
    x1, y1, x2, y2 = _device_box(dc, left, top, right, bottom)
    corners = [(x2 - 1, y1), (x1, y1), (x1, y2 - 1), (x2 - 1, y2 - 1)]
    if dc.recording is not None:
        dc.recording.figure(corners, closed=True)
        return 1
    if dc.bitmap is None or x1 >= x2 or y1 >= y2:
        return 1
    artist = Artist(dc)
    inner = 1 if artist.has_pen else 0
    if x1 + inner < x2 - 1 and y1 + inner < y2 - 1:
        artist.fill(regions.rectangle(x1 + inner, y1 + inner, x2 - 1, y2 - 1))
    artist.lines(corners, closed=True)
    return 1


@syscall(partial=_WIDE)
def NtGdiEllipse(call: Call, hdc: HANDLE, left: LONG, top: LONG, right: LONG, bottom: LONG) -> BOOL:
    return _arc(call, hdc, (left, top, right, bottom), (0, 0), (0, 0), _CHORD)


@syscall(partial=_WIDE)
def NtGdiArcInternal(
    call: Call, type: ULONG, hdc: HANDLE, left: LONG, top: LONG, right: LONG, bottom: LONG,  # noqa: A002 NT's name
    xstart: LONG, ystart: LONG, xend: LONG, yend: LONG,
) -> BOOL:  # fmt: skip
    return _arc(call, hdc, (left, top, right, bottom), (xstart, ystart), (xend, yend), type)


def _arc(
    call: Call, hdc: int, box: Box, start: tuple[int, int], end: tuple[int, int], kind: int
) -> int:
    dc = context(call, hdc)
    if dc is None or kind > _PIE or dc.recording is not None:
        return 0
    x1, y1, x2, y2 = _device_box(dc, *box)
    if x2 - x1 > _LARGEST or y2 - y1 > _LARGEST:
        return failed(call.thread, ERROR_INVALID_PARAMETER)
    if dc.bitmap is None or x1 >= x2 or y1 >= y2:
        return 1
    artist = Artist(dc)
    middle = x1 + (x2 - x1) // 2, y1 + (y2 - y1) // 2
    rays = [(x - middle[0], y - middle[1]) for x, y in dc.to_device([start, end])]
    points = shapes.arc(
        (x1, y1, x2, y2), rays[0], rays[1], clockwise=dc.attributes.number("arc_direction") == _CLOCKWISE)
    if kind == _ARC_TO:
        points = [*dc.to_device([dc.attributes.pair("cur_pos")]), *points]
        back = dc.to_logical(points[-1:])
        if back:
            dc.attributes.set_pair("cur_pos", *back[0])
    if kind == _PIE:
        points.append(middle)
    if kind in (_CHORD, _PIE):
        artist.shape(points)
    else:
        artist.lines(points)
    return 1


@syscall(partial=_WIDE)
def NtGdiRoundRect(
    call: Call, hdc: HANDLE, left: LONG, top: LONG, right: LONG, bottom: LONG, ell_width: LONG, ell_height: LONG
) -> BOOL:
    dc = context(call, hdc)
    if dc is None or dc.recording is not None:
        return 0
    x1, y1, x2, y2 = _device_box(dc, left, top, right, bottom)
    (ox, oy), (ex, ey) = dc.to_device([(0, 0), (ell_width, ell_height)])
    width, height = min(abs(ex - ox), x2 - x1), min(abs(ey - oy), y2 - y1)
    if max(width, height) > _LARGEST:
        return failed(call.thread, ERROR_INVALID_PARAMETER)
    if dc.bitmap is None or x1 >= x2 or y1 >= y2:
        return 1
    if width <= 2 or height <= 2:
        Artist(dc).shape([(x2 - 1, y1), (x1, y1), (x1, y2 - 1), (x2 - 1, y2 - 1)])
        return 1
    corner = shapes.quadrant(width, height)
    cx, cy = width // 2, height // 2
    lower_right = [(x2 - width + cx + x, y2 - height + cy + y) for x, y in corner]
    lower_left = [(x1 + width - 1 - cx - x, y2 - height + cy + y) for x, y in reversed(corner)]
    upper_left = [(x1 + width - 1 - cx - x, y1 + height - 1 - cy - y) for x, y in corner]
    upper_right = [(x2 - width + cx + x, y1 + height - 1 - cy - y) for x, y in reversed(corner)]
    Artist(dc).shape([*lower_right, *lower_left, *upper_left, *upper_right])
    return 1


# ---- regions


def _device_region(dc: DeviceContext, bands: regions.Bands) -> regions.Bands:
    """A region in logical coordinates on the device."""
    rectangles = regions.Region(bands).rectangles()
    boxes: list[Box] = []
    for left, top, right, bottom in rectangles:
        (x1, y1), (x2, y2) = dc.to_device([(left, top), (right, bottom)])
        boxes.append((min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2)))
    return bands if boxes == rectangles else regions.union(boxes)


@syscall
def NtGdiFillRgn(call: Call, hdc: HANDLE, hrgn: HANDLE, hbrush: HANDLE) -> BOOL:
    dc, known, brush = context(call, hdc), region(call, hrgn), found(call, hbrush, Brush)
    if dc is None or known is None or brush is None:
        return 0
    if dc.bitmap is not None:
        Artist(dc).fill(_device_region(dc, known.bands), brush)
    return 1


@syscall
def NtGdiInvertRgn(call: Call, hdc: HANDLE, hrgn: HANDLE) -> BOOL:
    dc, known = context(call, hdc), region(call, hrgn)
    if dc is None or known is None:
        return 0
    bands = regions.combine(dc.visible(), _device_region(dc, known.bands), regions.RGN_AND)
    return int(painted(dc, bands, DSTINVERT))


@syscall
def NtGdiFrameRgn(call: Call, hdc: HANDLE, hrgn: HANDLE, brush: HANDLE, width: LONG, height: LONG) -> BOOL:
    dc, known, chosen = context(call, hdc), region(call, hrgn), found(call, brush, Brush)
    if dc is None or known is None or chosen is None or min(width, height) < 0:
        return 0
    inside: list[Band] = list(known.bands)
    for x, y in ((-width, 0), (width, 0), (0, -height), (0, height)):
        inside = regions.combine(inside, regions.moved(known.bands, x, y), regions.RGN_AND)
    frame = regions.combine(known.bands, inside, regions.RGN_DIFF)
    if dc.bitmap is not None:
        Artist(dc).fill(_device_region(dc, frame), chosen)
    return 1


@syscall
def NtGdiExtFloodFill(call: Call, hdc: HANDLE, x: LONG, y: LONG, color: ULONG, type: ULONG) -> BOOL:  # noqa: A002
    dc = context(call, hdc)
    if dc is None or dc.bitmap is None:
        return 0
    ((px, py),) = dc.to_device([(x, y)])
    visible = dc.visible()
    if not regions.contains(visible, px, py):
        return 0
    target = pixels_of(dc.bitmap)
    wanted = target.format.color(pixel_of(dc, target, color))
    surface = type == _FLOOD_SURFACE
    there = target.format.color(target.pixel(px, py))
    if (there == wanted) != surface:
        return 0
    Artist(dc).fill(flooded(target, visible, px, py, wanted, surface=surface))
    return 1
