"""Blends: alpha, transparent colours, gradients.

Source: Microsoft "AlphaBlend", "TransparentBlt", "GradientFill"; which calls gdi32 makes for them: Wine's
include/ntgdi.h.
"""

from __future__ import annotations

import struct

from lswd.kernel.gdi import region as regions
from lswd.kernel.gdi.blend import AC_SRC_ALPHA, blended, gradient, without
from lswd.kernel.gdi.dib import Format
from lswd.kernel.gdi.paint import converter, swapped
from lswd.kernel.gdi.pixels import Pixels, pixels_of, run_of
from lswd.kernel.gdi.raster import SRCCOPY, draw
from lswd.kernel.gdi.stretch import COLORONCOLOR, Side, stretched
from lswd.nt.declare import Call, syscall
from lswd.nt.gdi_blit import LARGEST, device_box, device_sides
from lswd.nt.gdi_lookup import context
from lswd.nt.user_failure import ERROR_INVALID_PARAMETER, failed
from lswd.ntdef.types import BOOL, HANDLE, LONG, PVOID, ULONG

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from lswd.kernel.gdi.device_context import DeviceContext

_PLAIN = Format(32)
_MOST_VERTICES = 1 << 16
_HORIZONTAL, _VERTICAL = 0, 1
_VERTEX = struct.Struct("<2i4H")


def _mixed(
    call: Call, hdc: int, to: tuple[int, int, int, int], hdc_src: int, of: tuple[int, int, int, int],
    mix: Callable[[bytes, bytes], bytes],
) -> int:  # fmt: skip
    """Make each row of the target of itself and the row of the source that falls there, both BGRA."""
    dc, other = context(call, hdc), context(call, hdc_src)
    if dc is None or other is None:
        return 0
    target, source = device_sides(dc, *to), device_sides(other, *of)
    bitmap, from_bitmap = dc.bitmap, other.bitmap
    if bitmap is None or from_bitmap is None:
        return 1
    pixels = pixels_of(from_bitmap)
    inside = source[0] >= 0 and source[1] >= 0 and (
        source[0] + source[2] <= pixels.width and source[1] + source[3] <= pixels.height)  # fmt: skip
    if not inside or min(*source[2:], *target[2:]) < 0:
        return failed(call.thread, ERROR_INVALID_PARAMETER)
    if max(map(abs, target)) > LARGEST:
        return 0
    bands = regions.clipped(dc.visible(), device_box(*target))
    if not bands or not all(target[2:]) or not all(source[2:]):
        return 1
    plain = Pixels(_PLAIN, 1, 1, 4, b"")
    sides = (Side(target[0], target[2], source[0], source[2], pixels.width),
             Side(target[1], target[3], source[1], source[3], pixels.height))  # fmt: skip
    turn = converter(dc, pixels, plain, is_dib=from_bitmap.is_dib)
    part, corner = stretched(pixels, turn, sides, regions.box_of(bands), COLORONCOLOR)
    if part is not None:
        _mix_into(dc, bands, part, corner, mix)
    return 1


def _mix_into(
    dc: DeviceContext, bands: regions.Bands, part: Pixels, corner: tuple[int, int], mix: Callable[[bytes, bytes], bytes]
) -> None:
    bitmap = dc.bitmap
    assert bitmap is not None
    target = pixels_of(bitmap)
    form = target.format
    left, top = corner
    inside = regions.clipped(bands, (left, top, left + part.width, top + part.height))

    def run(x: int, y: int, count: int) -> int:
        there = form.decode(target.bytes(x, y, count), count)
        return run_of(form, form.encode(mix(there, part.bytes(x - left, y - top, count))), count)

    draw(target, inside, SRCCOPY, None, run)


@syscall
def NtGdiAlphaBlend(
    call: Call, hdc_dst: HANDLE, x_dst: LONG, y_dst: LONG, width_dst: LONG, height_dst: LONG, hdc_src: HANDLE,
    x_src: LONG, y_src: LONG, width_src: LONG, height_src: LONG, blend_function: ULONG, xform: HANDLE,
) -> BOOL:  # fmt: skip
    constant, mode = blend_function >> 16 & 0xFF, blend_function >> 24
    if blend_function & 0xFF or mode & ~AC_SRC_ALPHA:
        return failed(call.thread, ERROR_INVALID_PARAMETER)
    other = context(call, hdc_src)
    bitmap = other.bitmap if other is not None else None
    if mode and bitmap is not None and bitmap.bits != 32:
        return failed(call.thread, ERROR_INVALID_PARAMETER)
    return _mixed(
        call, hdc_dst, (x_dst, y_dst, width_dst, height_dst), hdc_src, (x_src, y_src, width_src, height_src),
        lambda there, new: blended(there, new, constant, mode))  # fmt: skip


@syscall(partial="with fewer than 16 bits, colours are compared before they are made the target's")
def NtGdiTransparentBlt(
    call: Call, hdc_dst: HANDLE, x_dst: LONG, y_dst: LONG, width_dst: LONG, height_dst: LONG, hdc_src: HANDLE,
    x_src: LONG, y_src: LONG, width_src: LONG, height_src: LONG, color: ULONG,
) -> BOOL:  # fmt: skip
    if min(width_dst, height_dst, width_src, height_src) < 0:
        return 0
    return _mixed(
        call, hdc_dst, (x_dst, y_dst, width_dst, height_dst), hdc_src, (x_src, y_src, width_src, height_src),
        lambda there, new: without(new, there, swapped(color & 0xFFFFFF)))  # fmt: skip


@syscall(partial="no triangles; bitmaps of 16 bits and fewer get no dithered colours")
def NtGdiGradientFill(
    call: Call, hdc: HANDLE, vert_array: PVOID, nvert: ULONG, grad_array: PVOID, ngrad: ULONG, mode: ULONG
) -> BOOL:
    dc = context(call, hdc)
    if dc is None or not 0 < nvert <= _MOST_VERTICES or not 0 < ngrad <= _MOST_VERTICES:
        return 0
    if mode not in (_HORIZONTAL, _VERTICAL):
        return failed(call.thread, ERROR_INVALID_PARAMETER)
    vertices = list(_VERTEX.iter_unpack(call.space.read(vert_array, _VERTEX.size * nvert)))
    pairs = list(struct.iter_unpack("<2I", call.space.read(grad_array, 8 * ngrad)))
    if any(max(pair) >= nvert for pair in pairs):
        return failed(call.thread, ERROR_INVALID_PARAMETER)
    places = dc.to_device([(vertex[0], vertex[1]) for vertex in vertices])
    if dc.bitmap is None:
        return 1
    for first, last in pairs:
        axis = mode
        if places[last][axis] < places[first][axis]:
            first, last = last, first
        _fill(dc, places[first], places[last], vertices[first][2:], vertices[last][2:], vertical=mode == _VERTICAL)
    return 1


def _fill(
    dc: DeviceContext, one: tuple[int, int], other: tuple[int, int], first: tuple[int, ...], last: tuple[int, ...],
    *, vertical: bool,
) -> None:  # fmt: skip
    bitmap = dc.bitmap
    assert bitmap is not None
    target = pixels_of(bitmap)
    form = target.format
    begin, end = (one[1], other[1]) if vertical else (one[0], other[0])
    bands = regions.clipped(
        dc.visible(), (min(one[0], other[0]), min(one[1], other[1]), max(one[0], other[0]), max(one[1], other[1])))
    known: dict[tuple[int, int], int] = {}

    def run(x: int, y: int, count: int) -> int:
        if vertical:
            return run_of(form, form.encode(gradient(first, last, begin, end, range(y, y + 1)) * count), count)
        if (x, count) not in known:
            known[x, count] = run_of(form, form.encode(gradient(first, last, begin, end, range(x, x + count))), count)
        return known[x, count]

    draw(target, bands, SRCCOPY, None, run)
