"""Blits: filling rectangles and moving pixels.

Source: Microsoft "PatBlt", "BitBlt", "StretchBlt", "MaskBlt", "StretchDIBits", "SetDIBitsToDevice"; which calls gdi32
makes for them: Wine's include/ntgdi.h.
"""

from __future__ import annotations

from lswd.kernel.gdi import region as regions
from lswd.kernel.gdi.blit import copied, painted, transferred
from lswd.kernel.gdi.dib import BI_BITFIELDS, BI_RGB, parse_header
from lswd.kernel.gdi.paint import converter, pixel_of, swapped
from lswd.kernel.gdi.pixels import Pixels, pixels_of
from lswd.kernel.gdi.raster import SRCCOPY, uses_source
from lswd.kernel.gdi.stretch import Side, stretched
from lswd.nt.declare import Call, syscall
from lswd.nt.gdi_bitmap import dib_pixels, palette_colors
from lswd.nt.gdi_lookup import context
from lswd.nt.user_failure import ERROR_INVALID_PARAMETER, failed
from lswd.ntdef.types import BOOL, HANDLE, LONG, PVOID, ULONG

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.kernel.gdi.device_context import DeviceContext

CLR_INVALID = 0xFFFFFFFF
LARGEST = 1 << 27


def device_sides(dc: DeviceContext, x: int, y: int, width: int, height: int) -> tuple[int, int, int, int]:
    """Where a rectangle begins on the device, and how far it goes: negative is to the left or upwards."""
    (left, top), (right, bottom) = dc.to_device([(x, y), (x + width, y + height)])
    if dc.attributes.number("layout") & 1:
        left, right = left + 1, right + 1
    return left, top, right - left, bottom - top


def device_box(left: int, top: int, width: int, height: int) -> regions.Box:
    """The rectangle of such sides; one that goes backwards has its corner inside."""
    if width < 0:
        left, width = left + width + 1, -width
    if height < 0:
        top, height = top + height + 1, -height
    return left, top, left + width, top + height


@syscall
def NtGdiPatBlt(call: Call, hdc: HANDLE, left: LONG, top: LONG, width: LONG, height: LONG, rop: ULONG) -> BOOL:
    dc = context(call, hdc)
    if dc is None or uses_source(rop >> 16 & 0xFF):
        return 0
    return _paint(dc, left, top, width, height, rop)


def _paint(dc: DeviceContext, left: int, top: int, width: int, height: int, rop: int) -> int:
    box = device_box(*device_sides(dc, left, top, width, height))
    return int(painted(dc, regions.clipped(dc.visible(), box), rop >> 16 & 0xFF))


@syscall
def NtGdiBitBlt(
    call: Call, hdc_dst: HANDLE, x_dst: LONG, y_dst: LONG, width: LONG, height: LONG, hdc_src: HANDLE, x_src: LONG,
    y_src: LONG, rop: ULONG, bk_color: ULONG, fl: ULONG,
) -> BOOL:  # fmt: skip
    return _blit(
        call, hdc_dst, (x_dst, y_dst, width, height), hdc_src, (x_src, y_src, width, height), rop)


@syscall(partial="without HALFTONE")
def NtGdiStretchBlt(
    call: Call, hdc: HANDLE, x_dst: LONG, y_dst: LONG, width_dst: LONG, height_dst: LONG, hdc_src: HANDLE,
    x_src: LONG, y_src: LONG, width_src: LONG, height_src: LONG, rop: ULONG, bk_color: ULONG,
) -> BOOL:  # fmt: skip
    return _blit(
        call, hdc, (x_dst, y_dst, width_dst, height_dst), hdc_src, (x_src, y_src, width_src, height_src), rop)


def _blit(
    call: Call, hdc: int, to: tuple[int, int, int, int], hdc_src: int, of: tuple[int, int, int, int], rop: int
) -> int:
    dc = context(call, hdc)
    if dc is None:
        return 0
    code = rop >> 16 & 0xFF
    if not uses_source(code):
        return _paint(dc, *to, rop)
    other = context(call, hdc_src)
    if other is None:
        return 0
    matrix = other.matrix
    if matrix[1] or matrix[2]:
        return failed(call.thread, ERROR_INVALID_PARAMETER)
    target, source = device_sides(dc, *to), device_sides(other, *of)
    bitmap, from_bitmap = dc.bitmap, other.bitmap
    if bitmap is None or from_bitmap is None:  # the screen, which shows nothing
        return 1
    background = other.attributes.number("background_color")
    pixels = pixels_of(from_bitmap)
    white = background if bitmap.bits == 1 < from_bitmap.bits and not bitmap.is_dib else None
    return int(moved(dc, target, source, pixels, from_bitmap.is_dib, code, white))


def moved(
    dc: DeviceContext, target: tuple[int, int, int, int], source: tuple[int, int, int, int], pixels: Pixels,
    is_dib: bool, code: int, background: int | None = None,
) -> bool:  # fmt: skip
    """Combine a rectangle of pixels into one of a device context's, of another size or mirrored if need be."""
    if not all(target[2:]) or not all(source[2:]):
        return True
    bands = regions.clipped(dc.visible(), device_box(*target))
    if not bands:
        return True
    if target[2:] == source[2:] and target[2] > 0 and target[3] > 0:
        left, top = max(source[0], 0), max(source[1], 0)
        right, bottom = min(source[0] + source[2], pixels.width), min(source[1] + source[3], pixels.height)
        if left >= right or top >= bottom:
            return True
        part = copied(pixels, (left, top, right, bottom))
        return transferred(dc, bands, code, part, (source[0] - left - target[0], source[1] - top - target[1]),
                           is_dib=is_dib, background=background)  # fmt: skip
    if max(map(abs, (*target, *source))) > LARGEST:
        return False
    mode = dc.attributes.number("stretch_blt_mode")
    bitmap = dc.bitmap
    assert bitmap is not None
    turn = converter(dc, pixels, pixels_of(bitmap), is_dib=is_dib, background=background)
    result, corner = stretched(
        pixels, turn, (Side(target[0], target[2], source[0], source[2], pixels.width),
                 Side(target[1], target[3], source[1], source[3], pixels.height)), regions.box_of(bands), mode)
    if result is None:
        return True
    return transferred(dc, bands, code, result, (-corner[0], -corner[1]), is_dib=True)


# ---- pixels


def _point(call: Call, hdc: int, x: int, y: int) -> tuple[DeviceContext, Pixels, int, int] | None:
    """A device context, its pixels and where the point is in them; None when it can be drawn at nowhere."""
    dc = context(call, hdc)
    if dc is None:
        return None
    ((px, py),) = dc.to_device([(x, y)])
    bitmap = dc.bitmap
    if bitmap is None or not regions.contains(dc.visible(), px, py):
        return None
    return dc, pixels_of(bitmap), px, py


@syscall
def NtGdiSetPixel(call: Call, hdc: HANDLE, x: LONG, y: LONG, color: ULONG) -> ULONG:
    found = _point(call, hdc, x, y)
    if found is None:
        return CLR_INVALID
    dc, target, px, py = found
    pixel = pixel_of(dc, target, color)
    target.put(px, py, 1, target.swapped(pixel))
    return swapped(target.format.color(pixel))


@syscall
def NtGdiGetPixel(call: Call, hdc: HANDLE, x: LONG, y: LONG) -> ULONG:
    found = _point(call, hdc, x, y)
    if found is None:
        return CLR_INVALID
    _, source, px, py = found
    return swapped(source.format.color(source.pixel(px, py)))


@syscall
def NtGdiGetNearestColor(call: Call, hdc: HANDLE, color: ULONG) -> ULONG:
    dc = context(call, hdc)
    if dc is None:
        return CLR_INVALID
    bitmap = dc.bitmap
    if bitmap is None:
        return color & 0xFFFFFF
    target = pixels_of(bitmap)
    return swapped(target.format.color(pixel_of(dc, target, color)))


# ---- device-independent bits


@syscall(partial="without HALFTONE")
def NtGdiStretchDIBitsInternal(
    call: Call, hdc: HANDLE, x_dst: LONG, y_dst: LONG, width_dst: LONG, height_dst: LONG, x_src: LONG, y_src: LONG,
    width_src: LONG, height_src: LONG, bits: PVOID, bmi: PVOID, coloruse: ULONG, rop: ULONG, max_info: ULONG,
    max_bits: ULONG, xform: HANDLE,
) -> LONG:  # fmt: skip
    dc = context(call, hdc)
    if dc is None:
        return 0
    code = rop >> 16 & 0xFF
    if not bits or not uses_source(code):
        return _paint(dc, x_dst, y_dst, width_dst, height_dst, rop)
    header = parse_header(call.space.read, bmi, coloruse, palette_colors(dc) if coloruse else [])
    if header is None:
        return 0
    pixels = dib_pixels(call, header, bits)
    if pixels is None:
        return 0
    if not header.top_down:  # rows count from the bottom
        y_src = header.height - height_src - y_src
    if dc.bitmap is None:
        return header.height
    done = moved(
        dc, device_sides(dc, x_dst, y_dst, width_dst, height_dst), (x_src, y_src, width_src, height_src), pixels,
        True, code)  # fmt: skip
    return header.height if done else 0


@syscall
def NtGdiSetDIBitsToDeviceInternal(
    call: Call, hdc: HANDLE, x_dst: LONG, y_dst: LONG, cx: ULONG, cy: ULONG, x_src: LONG, y_src: LONG,
    startscan: ULONG, lines: ULONG, bits: PVOID, bmi: PVOID, coloruse: ULONG, max_bits: ULONG, max_info: ULONG,
    xform_coords: BOOL, xform: HANDLE,
) -> LONG:  # fmt: skip
    dc = context(call, hdc)
    if dc is None or not bits or cx > LARGEST or cy > LARGEST:
        return 0
    header = parse_header(call.space.read, bmi, coloruse, palette_colors(dc) if coloruse else [])
    if header is None or startscan >= header.height or not lines:
        return 0
    lines = min(lines, header.height - startscan)
    pixels = dib_pixels(call, header, bits, lines)
    if pixels is None:
        return 0
    if header.compression not in (BI_RGB, BI_BITFIELDS):
        startscan, lines = 0, header.height
    # in rows from the top of the whole DIB; the first line of the bits is startscan from its own beginning
    top = y_src if header.top_down else header.height - y_src - cy
    first = startscan if header.top_down else header.height - startscan - lines
    bitmap = dc.bitmap
    if bitmap is None:
        return lines
    ((x, y),) = dc.to_device([(x_dst, y_dst)]) if xform_coords else [(x_dst, y_dst)]
    bands = regions.clipped(dc.visible(), (x, y, x + cx, y + cy))
    transferred(dc, bands, SRCCOPY, pixels, (x_src - x, top - first - y), is_dib=True)
    return lines
