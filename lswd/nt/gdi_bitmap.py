"""Bitmaps and DIB sections: making them, their bits, and device-independent bits.

Source: Microsoft "CreateBitmap", "CreateDIBSection", "GetDIBits", "SetDIBits", "GetBitmapBits"; which calls gdi32 makes
for them: Wine's include/ntgdi.h.
"""

from __future__ import annotations

import struct

from lswd.kernel.gdi.bitmap import Bitmap
from lswd.kernel.gdi.device_context import DeviceContext
from lswd.kernel.gdi.dib import (
    BI_BITFIELDS,
    BI_RGB,
    DIB_PAL_COLORS,
    Format,
    Header,
    default_colors,
    parse_header,
)
from lswd.kernel.gdi.handle_table import OBJ_PALETTE
from lswd.kernel.gdi.objects import Palette
from lswd.kernel.gdi.paint import converter, swapped
from lswd.kernel.gdi.pixels import Pixels, pixels_of
from lswd.kernel.section import Section
from lswd.memory.protection import PAGE_READWRITE
from lswd.nt.declare import Call, syscall
from lswd.nt.gdi_lookup import context, found, new_handle
from lswd.nt.user_failure import ERROR_INVALID_PARAMETER, failed
from lswd.ntdef.status import NtError
from lswd.ntdef.types import BOOL, HANDLE, LONG, PVOID, ULONG

_MOST_BITS = 32
_LARGEST_SIDE = 1 << 27
_GRANULARITY = 0x10000
_CBM_INIT = 4
_CORE_HEADER = 12


def palette_colors(dc: DeviceContext | None) -> list[int]:
    """The selected palette's colours, 0xRRGGBB."""
    if dc is None:
        return []
    palette = dc.chosen(OBJ_PALETTE)
    assert isinstance(palette, Palette)
    return [swapped(palette.color(i)) for i in range(len(palette))]


@syscall
def NtGdiCreateBitmap(call: Call, width: LONG, height: LONG, planes: ULONG, bpp: ULONG, bits: PVOID) -> HANDLE:
    return _device_bitmap(call, width, abs(height), planes, bpp, bits)


def _device_bitmap(call: Call, width: int, height: int, planes: int, bpp: int, bits: int) -> int:
    if not width or not height:
        width = height = planes = bpp = 1
        bits = 0
    if width < 0 or max(width, height) > _LARGEST_SIDE or planes != 1 or bpp > _MOST_BITS:
        return failed(call.thread, ERROR_INVALID_PARAMETER)
    depth = next(each for each in (1, 4, 8, 16, 24, 32) if bpp <= each)
    if depth * width * height > 1 << 34:
        return failed(call.thread, ERROR_INVALID_PARAMETER)
    made = _new(call, width, height, depth)
    if made is None:
        return 0
    if bits:
        _set_bits(call, made, bits, _device_stride(made) * height)
    return new_handle(call, made)


def _new(call: Call, width: int, height: int, bits: int) -> Bitmap | None:
    try:
        return Bitmap(call.space, width, height, bits)
    except NtError:
        failed(call.thread, 8)  # ERROR_NOT_ENOUGH_MEMORY
        return None


@syscall
def NtGdiCreateCompatibleBitmap(call: Call, hdc: HANDLE, width: LONG, height: LONG) -> HANDLE:
    dc = context(call, hdc)
    if dc is None:
        return 0
    bitmap = dc.bitmap
    if not dc.is_memory or bitmap is None:
        return _device_bitmap(call, width, abs(height), 1, 32, 0)
    if not bitmap.is_dib or not width or not height:
        return _device_bitmap(call, width, abs(height), 1, bitmap.bits, 0)
    if width < 0 or max(width, abs(height)) > _LARGEST_SIDE:
        return failed(call.thread, ERROR_INVALID_PARAMETER)
    form = Format(bitmap.bits, bitmap.format.colors, bitmap.format.masks)
    try:
        made = Bitmap(call.space, width, abs(height), bitmap.bits, dib=form, top_down=height < 0)
    except NtError:
        return failed(call.thread, 8)
    made.header = struct.pack("<IiiHH", 40, width, abs(height), 1, bitmap.bits) + bitmap.header[16:20]
    made.header += struct.pack("<I", made.size) + bytes(16)
    return new_handle(call, made)


@syscall
def NtGdiCreateDIBSection(
    call: Call, hdc: HANDLE, section: HANDLE, offset: ULONG, bmi: PVOID, usage: ULONG, header_size: ULONG,
    flags: ULONG, color_space: PVOID, bits: PVOID,
) -> HANDLE:  # fmt: skip
    if bits:
        call.space.write_pointer(bits, 0)
    colors = palette_colors(found(call, hdc, DeviceContext)) if usage == DIB_PAL_COLORS else []
    header = parse_header(call.space.read, bmi, usage, colors)
    if header is None or header.compression not in (BI_RGB, BI_BITFIELDS):
        return failed(call.thread, ERROR_INVALID_PARAMETER)
    if usage > DIB_PAL_COLORS or not 0 < header.width <= _LARGEST_SIDE or not 0 < header.height <= _LARGEST_SIDE:
        return failed(call.thread, ERROR_INVALID_PARAMETER)
    try:
        made = _section_bitmap(call, header, section, offset)
    except NtError:
        return failed(call.thread, 8)
    if made is None:
        return failed(call.thread, ERROR_INVALID_PARAMETER)
    handle = new_handle(call, made)
    if handle and bits:
        call.space.write_pointer(bits, made.address)
    return handle


def _section_bitmap(call: Call, header: Header, section: int, offset: int) -> Bitmap | None:
    """The bitmap in memory of its own, or over a section's; None: that is none."""
    stride = header.stride()
    size = stride * header.height
    address = 0
    region = None
    if section:
        known = call.process.handles.get(section, Section)
        assert isinstance(known, Section)
        first = offset & -_GRANULARITY
        region, _ = known.map(call.space, 0, first, size + offset - first, PAGE_READWRITE)
        address = region.base + offset - first
    made = Bitmap(
        call.space, header.width, header.height, header.bits, dib=header.format, address=address,
        top_down=header.top_down)  # fmt: skip
    if region is not None:
        made.region = region
    made.section = (section, offset if section else 0)
    used = header.clr_used if header.bits <= 8 else 0
    if header.bits <= 8:
        used = min(header.clr_used, 1 << header.bits) or 1 << header.bits
    raw = bytearray(header.raw)
    struct.pack_into("<i", raw, 8, header.height)
    struct.pack_into("<I", raw, 20, size)
    struct.pack_into("<I", raw, 32, used)
    made.header = bytes(raw)
    return made


@syscall
def NtGdiGetBitmapDimension(call: Call, bitmap: HANDLE, size: PVOID) -> BOOL:
    known = found(call, bitmap, Bitmap)
    if known is None:
        return 0
    call.space.write(size, struct.pack("<2i", *known.dimension))
    return 1


@syscall
def NtGdiSetBitmapDimension(call: Call, hbitmap: HANDLE, x: LONG, y: LONG, prev_size: PVOID) -> BOOL:
    known = found(call, hbitmap, Bitmap)
    if known is None:
        return 0
    if prev_size:
        call.space.write(prev_size, struct.pack("<2i", *known.dimension))
    known.dimension = x, y
    return 1


# ---- bits as they are


def _device_stride(bitmap: Bitmap) -> int:
    """Rows of device-dependent bits are whole words."""
    return (bitmap.width * bitmap.bits + 15) // 16 * 2


def _set_bits(call: Call, bitmap: Bitmap, bits: int, count: int) -> int:
    stride = _device_stride(bitmap)
    rows, rest = divmod(min(count, stride * bitmap.height), stride)
    data = call.space.read(bits, rows * stride + rest)
    pixels = pixels_of(bitmap)
    memory = pixels.memory
    assert not isinstance(memory, bytes)
    for y in range(rows + bool(rest)):
        row = data[y * stride : (y + 1) * stride]
        at = pixels.row(y)
        memory[at : at + len(row)] = row
    return len(data)


@syscall
def NtGdiSetBitmapBits(call: Call, hbitmap: HANDLE, count: LONG, bits: PVOID) -> LONG:
    known = found(call, hbitmap, Bitmap)
    if known is None or not bits:
        return 0
    return _set_bits(call, known, bits, abs(count))


@syscall
def NtGdiGetBitmapBits(call: Call, hbitmap: HANDLE, count: LONG, bits: PVOID) -> LONG:
    known = found(call, hbitmap, Bitmap)
    if known is None:
        return 0
    stride = _device_stride(known)
    most = stride * known.height
    if not bits:
        return most
    count = most if count < 0 else min(count, most)
    pixels = pixels_of(known)
    rows = [pixels.bytes(0, y, known.width).ljust(stride, b"\0") for y in range((count + stride - 1) // stride)]
    call.space.write(bits, b"".join(rows)[:count])
    return count


# ---- device-independent bits


def dib_pixels(call: Call, header: Header, bits: int, lines: int | None = None) -> Pixels | None:
    """The pixels of a DIB in guest memory, or of as many of its scan lines; None: it cannot be.

    Raises:
        NtError: not all of them are there.
    """
    if not 0 < header.width <= _LARGEST_SIDE or not 0 < header.height <= _LARGEST_SIDE:
        return None
    if header.compression not in (BI_RGB, BI_BITFIELDS):
        from lswd.kernel.gdi.run_length import LARGEST, expanded

        if header.width * header.height > LARGEST:
            return None

        data = call.space.read(bits, header.image_size)
        memory = expanded(data, header.width, header.height, header.bits)
        return Pixels(header.format, header.width, header.height, header.stride(), memory, top_down=False)
    stride = header.stride()
    rows = header.height if lines is None else lines
    data = call.space.read(bits, rows * stride)
    return Pixels(header.format, header.width, rows, stride, data, top_down=header.top_down)


@syscall
def NtGdiGetDIBitsInternal(
    call: Call, hdc: HANDLE, hbitmap: HANDLE, startscan: ULONG, lines: ULONG, bits: PVOID, info: PVOID,
    coloruse: ULONG, max_bits: ULONG, max_info: ULONG,
) -> LONG:  # fmt: skip
    bitmap = found(call, hbitmap, Bitmap)
    dc = context(call, hdc)
    if bitmap is None or dc is None or not info or coloruse > DIB_PAL_COLORS:
        return 0
    space = call.space
    size = space.read_u32(info)
    core = size == _CORE_HEADER
    if not core and not 40 <= size <= 1024:
        return 0
    depth = space.read_u16(info + (10 if core else 14))
    if not depth:
        if bits:
            return failed(call.thread, ERROR_INVALID_PARAMETER)
        _tell_header(call, bitmap, info, core=core)
        return bitmap.height
    header = parse_header(space.read, info, 0)
    if header is None or header.compression not in (BI_RGB, BI_BITFIELDS):
        return failed(call.thread, ERROR_INVALID_PARAMETER)
    if depth <= 8:
        _tell_colors(call, dc, bitmap, header, info, core=core, usage=coloruse)
    if header.width <= 0 or not header.height:
        return 0
    if not bits:
        if not core:
            space.write(info + 20, struct.pack("<I", header.stride() * header.height))
        return min(bitmap.height, header.height)
    return _copy_lines(call, dc, bitmap, header, bits, startscan, lines)


def _tell_header(call: Call, bitmap: Bitmap, info: int, *, core: bool) -> None:
    space = call.space
    if core:
        space.write(info + 4, struct.pack("<4H", bitmap.width & 0xFFFF, bitmap.height & 0xFFFF, 1, bitmap.bits))
        return
    compression = BI_BITFIELDS if bitmap.bits in (16, 32) else BI_RGB
    height = -bitmap.height if bitmap.is_dib and bitmap.top_down else bitmap.height
    space.write(info + 4, struct.pack(
        "<iiHHIIiiII", bitmap.width, height, 1, bitmap.bits, compression, bitmap.size, 0, 0, 0, 0))  # fmt: skip


def _tell_colors(
    call: Call, dc: DeviceContext, bitmap: Bitmap, header: Header, info: int, *, core: bool, usage: int
) -> None:
    """The colours that the bits will be told in."""
    count = 1 << header.bits
    at = info + (_CORE_HEADER if core else call.space.read_u32(info))
    if usage == DIB_PAL_COLORS:
        call.space.write(at, struct.pack(f"<{count}H", *range(count)))
        colors = (palette_colors(dc) + [0] * count)[:count]
    elif bitmap.bits == header.bits and bitmap.is_dib:
        colors = (bitmap.format.colors + [0] * count)[:count]
    else:
        colors = default_colors(header.bits)
    if usage != DIB_PAL_COLORS:
        form = "<I" if not core else "<BH"
        table = b"".join([
            struct.pack(form, color) if not core else color.to_bytes(3, "little") for color in colors
        ])  # fmt: skip
        call.space.write(at, table)
    if not core:
        call.space.write(info + 32, struct.pack("<II", 0, 0))
    header.format = Format(header.bits, colors)


def _copy_lines(
    call: Call, dc: DeviceContext, bitmap: Bitmap, header: Header, bits: int, first: int, lines: int
) -> int:
    """Scan lines count from the bottom of a DIB that has its first row there."""
    if first >= header.height or first >= bitmap.height:
        return 0
    lines = min(lines, header.height - first, bitmap.height - first)
    stride = header.stride()
    source = pixels_of(bitmap)
    width = min(bitmap.width, header.width)
    target = Pixels(header.format, header.width, 1, stride, bytearray(stride))
    turn = converter(dc, source, target, is_dib=True)
    result = bytearray()
    for i in range(lines):
        y = first + i if header.top_down else bitmap.height - 1 - first - i
        target.memory = bytearray(stride)
        target.put(0, 0, width, turn(source, 0, y, width))
        result += target.memory
    call.space.write(bits, bytes(result))
    return lines


def set_lines(
    dc: DeviceContext | None, bitmap: Bitmap, header: Header, source: Pixels, first: int, lines: int
) -> int:
    """Put scan lines into a bitmap, the first of them ``first`` from its bottom (or top, as the DIB has it)."""
    target = pixels_of(bitmap)
    width = min(bitmap.width, header.width)
    turn = converter(dc, source, target, is_dib=True)
    done = 0
    for i in range(lines):
        y = first + i if header.top_down else bitmap.height - 1 - first - i
        if not 0 <= y < bitmap.height:
            continue
        row = i if source.top_down else source.height - 1 - i
        target.put(0, y, width, turn(source, 0, row, width))
        done += 1
    return done


@syscall
def SetDIBits(
    call: Call, hdc: HANDLE, hbitmap: HANDLE, startscan: ULONG, lines: ULONG, bits: PVOID, info: PVOID,
    coloruse: ULONG,
) -> LONG:  # fmt: skip
    bitmap = found(call, hbitmap, Bitmap)
    return 0 if bitmap is None else _set_dib_bits(call, hdc, bitmap, startscan, lines, bits, info, coloruse)


def _set_dib_bits(
    call: Call, hdc: int, bitmap: Bitmap, startscan: int, lines: int, bits: int, info: int, coloruse: int
) -> int:
    dc = found(call, hdc, DeviceContext)
    header = parse_header(call.space.read, info, coloruse, palette_colors(dc) if coloruse else [])
    if header is None or not 0 < header.width <= _LARGEST_SIDE or startscan > header.height:
        return failed(call.thread, ERROR_INVALID_PARAMETER)
    if header.compression not in (BI_RGB, BI_BITFIELDS):
        startscan, lines = 0, header.height
    lines = min(lines, header.height - startscan)
    source = dib_pixels(call, header, bits, lines) if lines else None
    if source is None:
        return 0
    return set_lines(dc, bitmap, header, source, startscan, lines)


@syscall
def NtGdiCreateDIBitmapInternal(
    call: Call, hdc: HANDLE, width: LONG, height: LONG, init: ULONG, bits: PVOID, data: PVOID, coloruse: ULONG,
    max_info: ULONG, max_bits: ULONG, flags: ULONG, xform: HANDLE,
) -> HANDLE:  # fmt: skip
    depth = 1
    if hdc:
        dc = context(call, hdc)
        if dc is None:
            return 0
        bitmap = dc.bitmap
        depth = bitmap.bits if dc.is_memory and bitmap is not None else 32
    elif data and init & _CBM_INIT:
        depth = 1
    handle = _device_bitmap(call, width, abs(height), 1, depth, 0)
    made = found(call, handle, Bitmap)
    if made is not None and init & _CBM_INIT and bits and data:
        _set_dib_bits(call, hdc, made, 0, _LARGEST_SIDE, bits, data, coloruse)
    return handle


