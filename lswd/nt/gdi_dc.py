"""Device contexts: making them, what they can, saving and restoring, coordinates.

Source: Microsoft "CreateCompatibleDC", "CreateDC", "SaveDC", "GetDeviceCaps", "SetWorldTransform", "SetLayout"; which
calls gdi32 makes for them: Wine's include/ntgdi.h. Capabilities: those of Wine 8 without a display.
"""

from __future__ import annotations

import struct

from lswd.kernel.gdi.device_context import GM_ADVANCED
from lswd.kernel.gdi.transform import (
    IDENTITY,
    MM_ANISOTROPIC,
    MM_ISOTROPIC,
    inverted,
    multiplied,
    pack_matrix,
    unpack_matrix,
)
from lswd.nt.declare import Call, Out, syscall
from lswd.nt.gdi_lookup import context, new_context
from lswd.nt.user_failure import ERROR_INVALID_PARAMETER, failed
from lswd.ntdef.types import BOOL, HANDLE, LONG, PVOID, ULONG

_CAPABILITIES = {
    0: 0x4000, 2: 1, 4: 271, 6: 203, 8: 1024, 10: 768, 12: 32, 14: 1, 16: -1, 18: -1, 24: -1, 28: 511, 30: 254, 32: 255,
    34: 31223, 36: 1, 38: 48793, 40: 36, 42: 36, 44: 51, 88: 96, 90: 96, 106: 20, 108: 24, 116: 60, 117: 768, 118: 1024,
}  # fmt: skip
_SET_MAP_MODE = 8
_BK_COLOR, _TEXT_COLOR, _BRUSH_COLOR, _PEN_COLOR, _GRAPHICS_MODE = 100, 102, 103, 104, 105
_COLORS = {_BK_COLOR: "background_color", _TEXT_COLOR: "text_color", _BRUSH_COLOR: "brush_color",
           _PEN_COLOR: "pen_color"}  # fmt: skip
_MWT_IDENTITY, _MWT_LEFT, _MWT_RIGHT, _MWT_SET = 1, 2, 3, 4
_GDI_ERROR = 0xFFFFFFFF
_MOST_POINTS = 1 << 24
_WORLD_TO_PAGE, _WORLD_TO_DEVICE, _PAGE_TO_DEVICE, _DEVICE_TO_PAGE, _DEVICE_TO_WORLD = (
    0x203, 0x204, 0x304, 0x403, 0x402
)  # fmt: skip


@syscall
def NtGdiCreateCompatibleDC(call: Call, hdc: HANDLE) -> HANDLE:
    if hdc and context(call, hdc) is None:
        return 0
    return new_context(call, memory=True)


@syscall(partial="the display only: there are no printers")
def NtGdiOpenDCW(
    call: Call, device: PVOID, devmode: PVOID, output: PVOID, type: ULONG,  # noqa: A002 NT's name
    is_display: BOOL, hspool: HANDLE, driver_info: PVOID, pdev: PVOID,
) -> HANDLE:  # fmt: skip
    if not is_display:
        return failed(call.thread, ERROR_INVALID_PARAMETER)
    return new_context(call, memory=False)


@syscall
def NtGdiGetDeviceCaps(call: Call, hdc: HANDLE, cap: LONG) -> LONG:
    dc = context(call, hdc)
    return _CAPABILITIES.get(cap, 0) if dc is not None else 0


@syscall
def NtGdiSaveDC(call: Call, hdc: HANDLE) -> LONG:
    dc = context(call, hdc)
    return dc.save() if dc is not None and len(dc.saved) < 10_000 else 0


@syscall
def NtGdiRestoreDC(call: Call, hdc: HANDLE, level: LONG) -> BOOL:
    dc = context(call, hdc)
    return int(dc is not None and dc.restore(level))


@syscall
def NtGdiResetDC(
    call: Call, hdc: HANDLE, devmode: PVOID, banding: PVOID, driver_info: PVOID, dev: PVOID
) -> BOOL:
    """The display has nothing to set."""
    return 0


# ---- attributes


@syscall
def NtGdiGetAndSetDCDword(call: Call, hdc: HANDLE, method: ULONG, value: ULONG, result: Out[ULONG]) -> BOOL:
    dc = context(call, hdc)
    if dc is None:
        return 0
    attributes = dc.attributes
    if method in _COLORS:
        before = attributes.number(_COLORS[method])
        attributes.set(_COLORS[method], value)
    elif method == _SET_MAP_MODE:
        before = attributes.number("map_mode")
        if not dc.set_mode(value):
            before = 0
    elif method == _GRAPHICS_MODE:
        before = attributes.number("graphics_mode")
        if not 1 <= value <= GM_ADVANCED:
            return failed(call.thread, ERROR_INVALID_PARAMETER)
        if value == 1:  # what only advanced mode has is gone
            dc.world = IDENTITY
        attributes.set("graphics_mode", value)
    else:
        return failed(call.thread, ERROR_INVALID_PARAMETER)
    result.set(before)
    return 1


@syscall
def NtGdiGetDCDword(call: Call, hdc: HANDLE, method: ULONG, result: Out[ULONG]) -> BOOL:
    """Wine's gdi32 reads them by itself, and does not ask."""
    return 0


@syscall
def NtGdiGetDCPoint(call: Call, hdc: HANDLE, method: ULONG, result: PVOID) -> BOOL:
    return 0


@syscall
def NtGdiSetBrushOrg(call: Call, hdc: HANDLE, x: LONG, y: LONG, prev_org: PVOID) -> BOOL:
    dc = context(call, hdc)
    if dc is None:
        return 0
    if prev_org:
        call.space.write(prev_org, struct.pack("<2i", *dc.attributes.pair("brush_org")))
    dc.attributes.set_pair("brush_org", x, y)
    return 1


@syscall
def NtGdiSetTextJustification(call: Call, hdc: HANDLE, extra: LONG, breaks: LONG) -> BOOL:
    dc = context(call, hdc)
    if dc is None:
        return 0
    extra = abs(round(dc.scale()[0] * extra)) if extra else 0
    dc.justification = (extra // breaks, breaks, extra - breaks * (extra // breaks)) if breaks > 0 else (0, 0, 0)
    return 1


@syscall
def NtGdiSetLayout(call: Call, hdc: HANDLE, wox: LONG, layout: ULONG) -> ULONG:
    dc = context(call, hdc)
    if dc is None:
        return _GDI_ERROR
    before = dc.attributes.number("layout")
    dc.attributes.set("layout", layout)
    if layout != before:
        if layout & 1:
            dc.attributes.set("map_mode", MM_ANISOTROPIC)
        dc.attributes.set("arc_direction", 2 if layout & 1 else 1)
    return before


# ---- coordinates


@syscall
def NtGdiComputeXformCoefficients(call: Call, hdc: HANDLE) -> BOOL:
    """gdi32 has changed an origin or an extent."""
    dc = context(call, hdc)
    if dc is None:
        return 0
    dc.keep_shape()
    return 1


@syscall
def NtGdiModifyWorldTransform(call: Call, hdc: HANDLE, xform: PVOID, mode: ULONG) -> BOOL:
    dc = context(call, hdc)
    if dc is None or (not xform and mode != _MWT_IDENTITY):
        return 0
    if dc.attributes.number("graphics_mode") != GM_ADVANCED:
        return 0
    if mode == _MWT_IDENTITY:
        dc.world = IDENTITY
        return 1
    if mode not in (_MWT_LEFT, _MWT_RIGHT, _MWT_SET):
        return 0
    given = unpack_matrix(call.space.read(xform, 24))
    if mode == _MWT_SET:
        if inverted(given) is None:
            return 0
        dc.world = given
    else:
        dc.world = multiplied(given, dc.world) if mode == _MWT_LEFT else multiplied(dc.world, given)
    return 1


@syscall
def NtGdiGetTransform(call: Call, hdc: HANDLE, which: ULONG, xform: PVOID) -> BOOL:
    dc = context(call, hdc)
    if dc is None:
        return 0
    fx, fy, dx, dy = dc.scale()
    page = (fx, 0.0, 0.0, fy, dx, dy)
    matrix = {
        _WORLD_TO_PAGE: dc.world, _WORLD_TO_DEVICE: dc.matrix, _PAGE_TO_DEVICE: page,
        _DEVICE_TO_PAGE: inverted(page), _DEVICE_TO_WORLD: inverted(dc.matrix),
    }.get(which)  # fmt: skip
    if matrix is None:
        return 0
    call.space.write(xform, pack_matrix(matrix))
    return 1


@syscall
def NtGdiTransformPoints(
    call: Call, hdc: HANDLE, points_in: PVOID, points_out: PVOID, count: LONG, mode: ULONG
) -> BOOL:
    dc = context(call, hdc)
    if dc is None or count <= 0 or count > _MOST_POINTS:
        return int(dc is not None and count == 0)
    data = call.space.read(points_in, 8 * count)
    points = list(struct.iter_unpack("<2i", data))
    turned = dc.to_device(points) if mode == 0 else dc.to_logical(points) if mode == 1 else None
    if turned is None:
        return 0
    call.space.write(points_out, b"".join([struct.pack("<2i", x, y) for x, y in turned]))
    return 1


def _scale(call: Call, hdc: int, name: str, factors: tuple[int, int, int, int], size: int) -> int:
    dc = context(call, hdc)
    if dc is None:
        return 0
    x, y = dc.attributes.pair(name)
    if size:
        call.space.write(size, struct.pack("<2i", x, y))
    if dc.attributes.number("map_mode") not in (MM_ISOTROPIC, MM_ANISOTROPIC):
        return 1
    x_num, x_denom, y_num, y_denom = factors
    if not (x_num and x_denom and y_num and y_denom):
        return 0
    x, y = int(x * x_num / x_denom), int(y * y_num / y_denom)
    dc.attributes.set_pair(name, x or 1, y or 1)
    dc.keep_shape()
    return 1


@syscall
def NtGdiScaleViewportExtEx(
    call: Call, hdc: HANDLE, x_num: LONG, x_denom: LONG, y_num: LONG, y_denom: LONG, size: PVOID
) -> BOOL:
    return _scale(call, hdc, "vport_ext", (x_num, x_denom, y_num, y_denom), size)


@syscall
def NtGdiScaleWindowExtEx(
    call: Call, hdc: HANDLE, x_num: LONG, x_denom: LONG, y_num: LONG, y_denom: LONG, size: PVOID
) -> BOOL:
    return _scale(call, hdc, "wnd_ext", (x_num, x_denom, y_num, y_denom), size)


@syscall
def NtGdiSetVirtualResolution(
    call: Call, hdc: HANDLE, horz_res: ULONG, vert_res: ULONG, horz_size: ULONG, vert_size: ULONG
) -> BOOL:
    dc = context(call, hdc)
    values = horz_res, vert_res, horz_size, vert_size
    if dc is None or (any(values) and not all(values)) or max(values) > 0x7FFFFFFF:
        return 0
    dc.virtual = values
    dc.attributes.set_pair("virtual_res", horz_res, vert_res)
    dc.attributes.set_pair("virtual_size", horz_size, vert_size)
    return 1


# ---- what no display without a screen has


@syscall
def NtGdiGetDeviceGammaRamp(call: Call, hdc: HANDLE, ptr: PVOID) -> BOOL:
    return 0


@syscall
def NtGdiSetDeviceGammaRamp(call: Call, hdc: HANDLE, ptr: PVOID) -> BOOL:
    return 0


@syscall
def NtGdiExtEscape(
    call: Call, hdc: HANDLE, driver: PVOID, driver_id: LONG, escape: LONG, input_size: LONG, input: PVOID,  # noqa: A002
    output_size: LONG, output: PVOID,
) -> LONG:  # fmt: skip
    return 0


