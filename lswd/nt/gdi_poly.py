"""Many lines, curves or polygons by one call.

Source: Microsoft "PolyPolygon", "PolyBezier", "CreatePolyPolygonRgn"; which calls gdi32 makes: Wine's include/ntgdi.h.
"""

from __future__ import annotations

import struct

from lswd.kernel.gdi import region as regions
from lswd.kernel.gdi import shapes
from lswd.kernel.gdi.path import PT_BEZIERTO, PT_LINETO, Path
from lswd.kernel.gdi.region import Region
from lswd.kernel.gdi.stroke import Artist
from lswd.nt.declare import Call, syscall
from lswd.nt.gdi_lookup import context, new_handle
from lswd.nt.user_failure import ERROR_INVALID_PARAMETER, failed
from lswd.ntdef.types import HANDLE, PVOID, ULONG

_MOST_POINTS = 1 << 20
_TALLEST = 1 << 16
_POLYGONS, _POLYLINES, _BEZIER, _BEZIER_TO, _LINE_TO, _POLYGON_REGION = range(1, 7)


@syscall(partial="curves are lines of their own number; wide lines have round joins")
def NtGdiPolyPolyDraw(
    call: Call, hdc: HANDLE, points: PVOID, counts: PVOID, count: ULONG, function: ULONG
) -> ULONG:
    if not 0 < count <= _MOST_POINTS:
        return failed(call.thread, ERROR_INVALID_PARAMETER)
    numbers = struct.unpack(f"<{count}i", call.space.read(counts, 4 * count))
    total = sum(numbers)
    if min(numbers) < 0 or not 0 < total <= _MOST_POINTS:
        return failed(call.thread, ERROR_INVALID_PARAMETER)
    places: list[tuple[int, int]] = list(struct.iter_unpack("<2i", call.space.read(points, 8 * total)))
    if function == _POLYGON_REGION:  # the device context is the mode
        return _polygon_region(call, hdc, places, numbers)
    return _draw(call, hdc, places, numbers, function)


def _draw(call: Call, hdc: int, points: list[tuple[int, int]], counts: tuple[int, ...], function: int) -> int:
    dc = context(call, hdc)
    curved, onwards = function in (_BEZIER, _BEZIER_TO), function in (_BEZIER_TO, _LINE_TO)
    least = 0 if onwards else 2
    if dc is None or function > _LINE_TO or min(counts) < least or (curved and len(points) % 3 != (not onwards)):
        return failed(call.thread, ERROR_INVALID_PARAMETER)
    start = [dc.attributes.pair("cur_pos")] if onwards else []
    if onwards:
        dc.attributes.set_pair("cur_pos", *points[-1])
    places = dc.to_device(start + points)
    if dc.recording is not None:
        _record(dc.recording, places, counts, function)
        return 1
    if dc.bitmap is None:
        return 1
    artist = Artist(dc)
    if function == _POLYGONS:
        artist.polygons(places, counts)
    elif function == _POLYLINES:
        for count in counts:
            artist.lines(places[:count])
            places = places[count:]
    else:
        artist.lines(shapes.bezier(places) if curved else places)
    return 1


def _record(path: Path, places: list[tuple[int, int]], counts: tuple[int, ...], function: int) -> None:
    if function in (_POLYGONS, _POLYLINES):
        for count in counts:
            path.figure(places[:count], closed=function == _POLYGONS)
            places = places[count:]
        return
    if function == _BEZIER:
        path.move()
    path.add(places[0], places[1:], PT_BEZIERTO if function in (_BEZIER, _BEZIER_TO) else PT_LINETO)
    if function == _BEZIER:
        path.move()


def _polygon_region(call: Call, mode: int, points: list[tuple[int, int]], counts: tuple[int, ...]) -> int:
    rows = [y for _, y in points]
    if mode not in (regions.ALTERNATE, regions.WINDING) or max(rows) - min(rows) > _TALLEST:
        return failed(call.thread, ERROR_INVALID_PARAMETER)
    return new_handle(call, Region(regions.polygons(points, counts, mode)))
