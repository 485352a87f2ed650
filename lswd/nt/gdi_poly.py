"""Many lines, curves or polygons by one call.

Source: Microsoft "PolyPolygon", "CreatePolyPolygonRgn"; which calls gdi32 makes for them: Wine's include/ntgdi.h.
"""

from __future__ import annotations

import struct

from lswd.kernel.gdi import region as regions
from lswd.kernel.gdi.region import Region
from lswd.nt.declare import Call, syscall
from lswd.nt.gdi_lookup import new_handle
from lswd.nt.user_failure import ERROR_INVALID_PARAMETER, failed
from lswd.ntdef.types import HANDLE, PVOID, ULONG

_MOST_POINTS = 1 << 20
_TALLEST = 1 << 16
_POLYGON_REGION = 6


@syscall(partial="regions of polygons")
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
    return failed(call.thread, ERROR_INVALID_PARAMETER)


def _polygon_region(call: Call, mode: int, points: list[tuple[int, int]], counts: tuple[int, ...]) -> int:
    rows = [y for _, y in points]
    if mode not in (regions.ALTERNATE, regions.WINDING) or max(rows) - min(rows) > _TALLEST:
        return failed(call.thread, ERROR_INVALID_PARAMETER)
    return new_handle(call, Region(regions.polygons(points, counts, mode)))
