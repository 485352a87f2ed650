"""Paths: recording them, drawing them, clipping with them.

Source: Microsoft "BeginPath", "StrokeAndFillPath", "PathToRegion", "SelectClipPath", "GetPath".
"""

from __future__ import annotations

import struct

from lswd.kernel.gdi import region as regions
from lswd.kernel.gdi.path import Path
from lswd.kernel.gdi.region import Region
from lswd.kernel.gdi.stroke import Artist
from lswd.nt.declare import Call, syscall
from lswd.nt.gdi_lookup import context, new_handle
from lswd.nt.user_failure import ERROR_INVALID_PARAMETER, failed
from lswd.ntdef.types import BOOL, HANDLE, LONG, PVOID

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.kernel.gdi.device_context import DeviceContext

ERROR_CAN_NOT_COMPLETE = 1003
_TALLEST = 1 << 16
_RECORDED = "ellipses, arcs and text are not recorded: they fail meanwhile"


@syscall(partial=_RECORDED)
def NtGdiBeginPath(call: Call, hdc: HANDLE) -> BOOL:
    dc = context(call, hdc)
    if dc is None:
        return 0
    if dc.path is None or not dc.path.open:
        dc.path = Path()
    return 1


@syscall
def NtGdiEndPath(call: Call, hdc: HANDLE) -> BOOL:
    dc = context(call, hdc)
    if dc is None:
        return 0
    if dc.path is None or not dc.path.open:
        return failed(call.thread, ERROR_CAN_NOT_COMPLETE)
    dc.path.open = False
    return 1


@syscall
def NtGdiAbortPath(call: Call, hdc: HANDLE) -> BOOL:
    dc = context(call, hdc)
    if dc is None:
        return 0
    dc.path = None
    return 1


@syscall
def NtGdiCloseFigure(call: Call, hdc: HANDLE) -> BOOL:
    dc = context(call, hdc)
    if dc is None:
        return 0
    if dc.path is None or not dc.path.open:
        return failed(call.thread, ERROR_CAN_NOT_COMPLETE)
    dc.path.close()
    return 1


def _finished(call: Call, dc: DeviceContext | None, *, keep: bool = False) -> Path | None:
    """The path that has been recorded; it is used up."""
    if dc is None:
        return None
    path = dc.path
    if path is None or path.open:
        failed(call.thread, ERROR_CAN_NOT_COMPLETE)
        return None
    if not keep:
        dc.path = None
    return path


def _bands(dc: DeviceContext, path: Path, box: regions.Box | None) -> list[regions.Band]:
    figures = [points for points, _ in path.lines()]
    mode = dc.attributes.number("poly_fill_mode")
    return regions.polygons([p for points in figures for p in points], [len(points) for points in figures], mode, box)


def _draw(call: Call, hdc: int, *, fill: bool, stroke: bool) -> int:
    dc = context(call, hdc)
    path = _finished(call, dc)
    if dc is None or path is None:
        return 0
    if dc.bitmap is None:
        return 1
    artist = Artist(dc)
    if fill:
        artist.fill(_bands(dc, path, dc.extent))
    if stroke:
        for points, closed in path.lines():
            artist.lines(points, closed=closed or fill)
    return 1


@syscall
def NtGdiFillPath(call: Call, hdc: HANDLE) -> BOOL:
    return _draw(call, hdc, fill=True, stroke=False)


@syscall
def NtGdiStrokePath(call: Call, hdc: HANDLE) -> BOOL:
    return _draw(call, hdc, fill=False, stroke=True)


@syscall
def NtGdiStrokeAndFillPath(call: Call, hdc: HANDLE) -> BOOL:
    return _draw(call, hdc, fill=True, stroke=True)


@syscall
def NtGdiFlattenPath(call: Call, hdc: HANDLE) -> BOOL:
    dc = context(call, hdc)
    path = _finished(call, dc, keep=True)
    if dc is None or path is None:
        return 0
    dc.path = path.flattened()
    return 1


@syscall
def NtGdiGetPath(call: Call, hdc: HANDLE, points: PVOID, types: PVOID, size: LONG) -> LONG:
    dc = context(call, hdc)
    path = _finished(call, dc, keep=True)
    if dc is None or path is None:
        return -1
    count = len(path.points)
    if size == 0:
        return count
    if size < count:
        failed(call.thread, ERROR_INVALID_PARAMETER)
        return -1
    places = dc.to_logical(path.points)
    if places is None:
        return -1
    call.space.write(points, b"".join([struct.pack("<2i", x, y) for x, y in places]))
    call.space.write(types, bytes(path.types))
    return count


@syscall
def NtGdiPathToRegion(call: Call, hdc: HANDLE) -> HANDLE:
    dc = context(call, hdc)
    path = _finished(call, dc)
    if dc is None or path is None:
        return 0
    rows = [y for _, y in path.points] or [0]
    if max(rows) - min(rows) > _TALLEST:
        return failed(call.thread, ERROR_INVALID_PARAMETER)
    return new_handle(call, Region(_bands(dc, path, None)))


@syscall
def NtGdiSelectClipPath(call: Call, hdc: HANDLE, mode: LONG) -> BOOL:
    dc = context(call, hdc)
    path = _finished(call, dc)
    if dc is None or path is None or not regions.RGN_AND <= mode <= regions.RGN_COPY:
        return 0
    bands = _bands(dc, path, dc.extent)
    if mode == regions.RGN_COPY:
        dc.clip = bands
    else:
        dc.clip = regions.combine(dc.clip if dc.clip is not None else regions.rectangle(*dc.extent), bands, mode)
    return 1
