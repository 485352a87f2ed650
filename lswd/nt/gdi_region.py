"""Regions and clipping.

Source: Microsoft "CombineRgn", "ExtCreateRegion", "ExtSelectClipRgn", "GetRandomRgn", "SetMetaRgn"; which calls gdi32
makes for them: Wine's include/ntgdi.h.
"""

from __future__ import annotations

import math
import struct

from lswd.kernel.gdi import region as regions
from lswd.kernel.gdi.region import ERROR, RGN_AND, RGN_COPY, RGN_DIFF, Region
from lswd.kernel.gdi.transform import apply, rounded, unpack_matrix
from lswd.nt.declare import Call, syscall
from lswd.nt.gdi_lookup import context, new_handle, region
from lswd.nt.user_failure import ERROR_INVALID_PARAMETER, failed
from lswd.ntdef.types import BOOL, HANDLE, LONG, PVOID, ULONG

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from lswd.kernel.gdi.device_context import DeviceContext
    from lswd.kernel.gdi.region import Band, Box

_RDH_RECTANGLES = 1
_TALLEST = 1 << 16  # what is made row by row
_LIMIT = 1 << 27
_MIRROR = 0x80000000
_CLIP, _META, _APPLICATION, _SYSTEM = 1, 2, 3, 4


def read_box(call: Call, address: int) -> Box:
    """A RECT."""
    left, top, right, bottom = struct.unpack("<4i", call.space.read(address, 16))
    return left, top, right, bottom


def _limited(value: int) -> int:
    return max(-_LIMIT, min(_LIMIT, value))


@syscall
def NtGdiCreateRectRgn(call: Call, left: LONG, top: LONG, right: LONG, bottom: LONG) -> HANDLE:
    return new_handle(call, Region(regions.rectangle(left, top, right, bottom)))


@syscall
def NtGdiCreateRoundRectRgn(
    call: Call, left: LONG, top: LONG, right: LONG, bottom: LONG, ellipse_width: LONG, ellipse_height: LONG
) -> HANDLE:
    return _round_rectangle(call, left, top, right, bottom, ellipse_width, ellipse_height)


@syscall
def NtGdiCreateEllipticRgn(call: Call, left: LONG, top: LONG, right: LONG, bottom: LONG) -> HANDLE:
    return _round_rectangle(call, left, top, right, bottom, right - left, bottom - top)


def _round_rectangle(call: Call, left: int, top: int, right: int, bottom: int, width: int, height: int) -> int:
    corners = max(min(abs(width), abs(right - left)), min(abs(height), abs(bottom - top)))
    if corners > _TALLEST or max(map(abs, (left, top, right, bottom))) > _LIMIT:
        return failed(call.thread, ERROR_INVALID_PARAMETER)
    return new_handle(call, Region(regions.round_rectangle(left, top, right, bottom, width, height)))


@syscall
def NtGdiSetRectRgn(call: Call, hrgn: HANDLE, left: LONG, top: LONG, right: LONG, bottom: LONG) -> BOOL:
    known = region(call, hrgn)
    if known is None:
        return 0
    known.bands = regions.rectangle(left, top, right, bottom)
    return 1


@syscall
def NtGdiCombineRgn(call: Call, dest: HANDLE, src1: HANDLE, src2: HANDLE, mode: LONG) -> LONG:
    target, one = region(call, dest), region(call, src1)
    if target is None or one is None or not RGN_AND <= mode <= RGN_COPY:
        return ERROR
    other = one if mode == RGN_COPY else region(call, src2)
    if other is None:
        return ERROR
    bands = regions.combine(one.bands, other.bands, mode)
    if sum(len(band[2]) for band in bands) > 2 * regions.MOST_RECTANGLES:
        return ERROR
    target.bands = bands
    return target.complexity


@syscall
def NtGdiEqualRgn(call: Call, hrgn1: HANDLE, hrgn2: HANDLE) -> BOOL:
    one, other = region(call, hrgn1), region(call, hrgn2)
    if one is None or other is None:
        return 0
    return int(one.rectangles() == other.rectangles())


@syscall
def NtGdiOffsetRgn(call: Call, hrgn: HANDLE, x: LONG, y: LONG) -> LONG:
    known = region(call, hrgn)
    if known is None:
        return ERROR
    left, top, right, bottom = known.box
    if max(left + x, top + y, right + x, bottom + y) <= _LIMIT and min(left + x, top + y) >= -_LIMIT:
        known.bands = regions.moved(known.bands, x, y)
    return known.complexity


@syscall
def NtGdiPtInRegion(call: Call, hrgn: HANDLE, x: LONG, y: LONG) -> BOOL:
    known = region(call, hrgn)
    return int(known is not None and regions.contains(known.bands, x, y))


@syscall
def NtGdiRectInRegion(call: Call, hrgn: HANDLE, rect: PVOID) -> BOOL:
    known = region(call, hrgn)
    if known is None:
        return 0
    left, top, right, bottom = read_box(call, rect)
    return int(bool(regions.combine(known.bands, regions.rectangle(left, top, right, bottom), RGN_AND)))


@syscall
def NtGdiGetRgnBox(call: Call, hrgn: HANDLE, rect: PVOID) -> LONG:
    known = region(call, hrgn)
    if known is None:
        return ERROR
    call.space.write(rect, struct.pack("<4i", *known.box))
    return known.complexity


@syscall
def NtGdiGetRegionData(call: Call, hrgn: HANDLE, count: ULONG, data: PVOID) -> ULONG:
    known = region(call, hrgn)
    if known is None:
        return 0
    told = known.data()
    if not data:
        return len(told)
    if count < len(told):
        return failed(call.thread, ERROR_INVALID_PARAMETER)
    call.space.write(data, told)
    return len(told)


@syscall(partial="a transform that turns or shears gives the polygons' rows, not their exact shape")
def NtGdiExtCreateRegion(call: Call, xform: PVOID, count: ULONG, data: PVOID) -> HANDLE:
    if not data:
        return failed(call.thread, ERROR_INVALID_PARAMETER)
    size, kind, boxes = struct.unpack("<3I", call.space.read(data, 12))
    if size < 32 or boxes > regions.MOST_RECTANGLES or count < size:
        return failed(call.thread, ERROR_INVALID_PARAMETER)
    if kind != _RDH_RECTANGLES:
        return failed(call.thread, ERROR_INVALID_PARAMETER)
    given = list(struct.iter_unpack("<4i", call.space.read(data + size, 16 * boxes))) if boxes else []
    matrix = unpack_matrix(call.space.read(xform, 24)) if xform else None
    if matrix is None:
        return new_handle(call, Region(regions.union([(a, b, c, d) for a, b, c, d in given])))
    if not all(map(math.isfinite, matrix)):
        return failed(call.thread, ERROR_INVALID_PARAMETER)
    bands: list[Band] = []
    for left, top, right, bottom in given:
        corners = [apply(matrix, x, y) for x, y in ((left, top), (right, top), (right, bottom), (left, bottom))]
        points = [(_limited(rounded(x)), _limited(rounded(y))) for x, y in corners]
        if matrix[1] or matrix[2]:
            if max(y for _, y in points) - min(y for _, y in points) > _TALLEST:
                return failed(call.thread, ERROR_INVALID_PARAMETER)
            piece = regions.polygons(points, [4], regions.WINDING)
        else:
            piece = regions.rectangle(*points[0], *points[2])
        bands = regions.combine(bands, piece, regions.RGN_OR)
    return new_handle(call, Region(bands))


# ---- clipping


def _mirrored(dc: DeviceContext, bands: Sequence[Band]) -> list[Band]:
    """Bands as a device context with a layout from right to left has them."""
    if not dc.attributes.number("layout") & 1:
        return list(bands)
    left, _, right, _ = dc.extent
    return [(top, bottom, tuple([left + right - wall for wall in reversed(walls)])) for top, bottom, walls in bands]


def _state(bands: Sequence[Band]) -> int:
    return Region(bands).complexity


@syscall
def NtGdiExtSelectClipRgn(call: Call, hdc: HANDLE, rgn: HANDLE, mode: LONG) -> LONG:
    dc = context(call, hdc)
    if dc is None:
        return ERROR
    if not rgn:
        if mode != RGN_COPY:
            return failed(call.thread, ERROR_INVALID_PARAMETER)
        dc.clip = None
        return regions.SIMPLEREGION
    known = region(call, rgn)
    if known is None or not RGN_AND <= mode <= RGN_COPY:
        return ERROR
    bands = _mirrored(dc, known.bands)
    if mode == RGN_COPY:
        dc.clip = list(bands)
    else:
        dc.clip = regions.combine(_clip(dc), bands, mode)
    return _state(dc.clip)


def _clip(dc: DeviceContext) -> Sequence[Band]:
    """The clipping region; without one: the device."""
    return dc.clip if dc.clip is not None else regions.rectangle(*dc.extent)


def _device_box(dc: DeviceContext, box: tuple[int, int, int, int]) -> list[Band]:
    (left, top), (right, bottom) = dc.to_device([(box[0], box[1]), (box[2], box[3])])
    if dc.attributes.number("layout") & 1:
        left, right = left + 1, right + 1
    return regions.rectangle(left, top, right, bottom)


@syscall
def NtGdiIntersectClipRect(call: Call, hdc: HANDLE, left: LONG, top: LONG, right: LONG, bottom: LONG) -> LONG:
    dc = context(call, hdc)
    if dc is None:
        return ERROR
    box = _device_box(dc, (left, top, right, bottom))
    dc.clip = box if dc.clip is None else regions.combine(dc.clip, box, RGN_AND)
    return _state(dc.clip)


@syscall
def NtGdiExcludeClipRect(call: Call, hdc: HANDLE, left: LONG, top: LONG, right: LONG, bottom: LONG) -> LONG:
    dc = context(call, hdc)
    if dc is None:
        return ERROR
    dc.clip = regions.combine(_clip(dc), _device_box(dc, (left, top, right, bottom)), RGN_DIFF)
    return _state(dc.clip)


@syscall
def NtGdiOffsetClipRgn(call: Call, hdc: HANDLE, x: LONG, y: LONG) -> LONG:
    dc = context(call, hdc)
    if dc is None:
        return ERROR
    if dc.clip is None:
        return regions.SIMPLEREGION
    (x0, y0), (x1, y1) = dc.to_device([(0, 0), (x, y)])
    dc.clip = regions.moved(dc.clip, x1 - x0, y1 - y0)
    return _state(dc.clip)


@syscall
def NtGdiSetMetaRgn(call: Call, hdc: HANDLE) -> LONG:
    dc = context(call, hdc)
    if dc is None:
        return ERROR
    if dc.clip is not None:
        dc.meta = dc.clip if dc.meta is None else regions.combine(dc.meta, dc.clip, RGN_AND)
        dc.clip = None
    return _state(dc.meta) if dc.meta is not None else regions.SIMPLEREGION


@syscall
def NtGdiGetAppClipBox(call: Call, hdc: HANDLE, rect: PVOID) -> LONG:
    dc = context(call, hdc)
    if dc is None:
        return ERROR
    bands = dc.visible()
    left, top, right, bottom = regions.box_of(bands)
    if dc.attributes.number("layout") & 1:
        left, right = left - 1, right - 1
    corners = dc.to_logical([(left, top), (right, bottom)])
    if corners is None:
        return ERROR
    call.space.write(rect, struct.pack("<4i", *corners[0], *corners[1]))
    return _state(bands)


@syscall
def NtGdiGetRandomRgn(call: Call, hdc: HANDLE, region_handle: HANDLE, code: ULONG) -> LONG:
    dc, known = context(call, hdc), region(call, region_handle)
    if dc is None or known is None:
        return -1
    both = dc.clip
    if dc.meta is not None:
        both = dc.meta if both is None else regions.combine(both, dc.meta, RGN_AND)
    bands = {
        _CLIP: dc.clip, _META: dc.meta, _APPLICATION: both, _SYSTEM: dc.system_region(),
    }.get(code & ~_MIRROR)  # fmt: skip
    if bands is None:
        return 0
    known.bands = _mirrored(dc, bands) if code & _MIRROR else list(bands)
    return 1


@syscall
def NtGdiPtVisible(call: Call, hdc: HANDLE, x: LONG, y: LONG) -> BOOL:
    dc = context(call, hdc)
    if dc is None:
        return 0
    ((px, py),) = dc.to_device([(x, y)])
    return int(regions.contains(dc.visible(), px, py))


@syscall
def NtGdiRectVisible(call: Call, hdc: HANDLE, rect: PVOID) -> BOOL:
    dc = context(call, hdc)
    if dc is None:
        return 0
    return int(bool(regions.combine(dc.visible(), _device_box(dc, read_box(call, rect)), RGN_AND)))
