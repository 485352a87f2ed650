"""GDI objects: pens, brushes, fonts, palettes, what all objects have in common.

Source: Microsoft "GetObject", "DeleteObject", "SelectObject", "CreatePen", "ExtCreatePen", "CreatePalette"; which calls
gdi32 makes for them, and with what: Wine's include/ntgdi.h.
"""

from __future__ import annotations

import struct

from lswd.kernel.gdi.bitmap import Bitmap
from lswd.kernel.gdi.device_context import DeviceContext
from lswd.kernel.gdi.dib import default_colors, parse_header
from lswd.kernel.gdi.handle_table import (
    OBJ_BITMAP,
    OBJ_BRUSH,
    OBJ_EXTPEN,
    OBJ_FONT,
    OBJ_PALETTE,
    OBJ_PEN,
    gdi_handles,
)
from lswd.kernel.gdi.objects import (
    BS_DIBPATTERN,
    BS_HATCHED,
    BS_NULL,
    BS_PATTERN,
    BS_SOLID,
    PS_ALTERNATE,
    PS_GEOMETRIC,
    PS_INSIDEFRAME,
    PS_NULL,
    PS_SOLID,
    PS_STYLE_MASK,
    PS_TYPE_MASK,
    PS_USERSTYLE,
    Brush,
    ClientObject,
    Font,
    GdiObject,
    Palette,
    Pen,
    delete,
)
from lswd.nt.declare import Call, syscall
from lswd.nt.gdi_lookup import context, found, new_handle, shown
from lswd.nt.user_failure import ERROR_INVALID_PARAMETER, ERROR_NOACCESS, failed
from lswd.ntdef.types import BOOL, HANDLE, LONG, PVOID, ULONG, ULONG_PTR, USHORT

_HATCHES = 6
_LOGFONT = 92
_LONGEST_PALETTE = 1024
_MOST_DASHES = 16
_ANIMATE, _SET_ENTRIES, _GET_ENTRIES, _GET_SYSTEM, _GET_TABLE, _SET_TABLE = range(6)


@syscall
def NtGdiDeleteObjectApp(call: Call, obj: HANDLE) -> BOOL:
    known = gdi_handles(call.process).get(obj)
    if known is None:
        return 0
    if isinstance(known, DeviceContext) and known.system:
        return 1
    delete(gdi_handles(call.process), known)
    return 1


@syscall
def NtGdiCreateClientObj(call: Call, type: ULONG) -> HANDLE:  # noqa: A002 NT's name
    return new_handle(call, ClientObject(type >> 16 & 0x7F if type > 0xFF else type & 0x7F))


@syscall
def NtGdiDeleteClientObj(call: Call, obj: HANDLE) -> BOOL:
    known = found(call, obj, ClientObject)
    if known is None:
        return 0
    gdi_handles(call.process).remove(known)
    return 1


@syscall
def NtGdiFlush(call: Call) -> BOOL:
    return 1


@syscall
def NtGdiUnrealizeObject(call: Call, obj: HANDLE) -> BOOL:
    return int(gdi_handles(call.process).get(obj) is not None)


@syscall
def NtGdiExtGetObjectW(call: Call, handle: HANDLE, count: LONG, buffer: PVOID) -> LONG:
    known = gdi_handles(call.process).get(handle)
    if known is None:
        return 0
    if buffer and not buffer >> 16:  # arguments in the wrong order
        return failed(call.thread, ERROR_NOACCESS)
    data, least = _described(call, known, count)
    if not buffer or not data:
        return len(data) if not buffer else 0
    if least and count < least:
        return 0
    data = data[: max(count, 0)]
    call.space.write(buffer, data)
    return len(data)


def _described(call: Call, known: GdiObject, count: int) -> tuple[bytes, int]:
    """What GetObject tells of it when there is room for ``count`` bytes, and how many there must be at least."""
    word = call.word
    if isinstance(known, Pen):
        if known.kind == OBJ_EXTPEN or count == (32 if word == 8 else 28):
            data = struct.pack("<4I", known.style, known.width & 0xFFFFFFFF, known.brush.style, known.brush.color)
            data += call.pointer(known.hatch) + struct.pack("<I", len(known.dashes))
            data += struct.pack(f"<{len(known.dashes)}I", *known.dashes)
            if known.kind == OBJ_PEN:
                data = data.ljust(count, b"\0")
            return data, len(data)
        return struct.pack("<IiiI", known.style, known.width, 0, known.color), 16
    if isinstance(known, Brush):
        padding = b""
        return struct.pack("<II", known.style, known.color) + padding + call.pointer(known.hatch), 0
    if isinstance(known, Font):
        return known.logical, 0
    if isinstance(known, Palette):
        return struct.pack("<H", len(known)), 2
    if isinstance(known, Bitmap):
        stride = known.stride if known.is_dib else (known.width * known.bits + 15) // 16 * 2
        data = struct.pack("<4iHH", 0, known.width, known.height, stride, known.planes, known.bits)
        data += bytes(4 if word == 8 else 0) + call.pointer(known.address if known.is_dib else 0)
        if known.is_dib and count >= (104 if word == 8 else 84):
            handle, offset = known.section
            masks = known.format.masks if known.bits in (16, 32) and known.header[16] == 3 else (0, 0, 0)
            data += known.header + struct.pack("<3I", *masks) + bytes(4 if word == 8 else 0)
            data += call.pointer(handle) + struct.pack("<I", offset) + bytes(4 if word == 8 else 0)
        return data, len(data)
    return b"", 0


# ---- selecting


def _select(call: Call, hdc: int, handle: int, kind: type[GdiObject], slot: int) -> int:
    dc = context(call, hdc)
    chosen = found(call, handle, kind)
    if dc is None or chosen is None:
        return 0
    return shown(call, dc.select(slot, chosen))


@syscall
def NtGdiSelectBrush(call: Call, hdc: HANDLE, handle: HANDLE) -> HANDLE:
    return _select(call, hdc, handle, Brush, OBJ_BRUSH)


@syscall
def NtGdiSelectPen(call: Call, hdc: HANDLE, handle: HANDLE) -> HANDLE:
    return _select(call, hdc, handle, Pen, OBJ_PEN)


@syscall
def NtGdiSelectFont(call: Call, hdc: HANDLE, handle: HANDLE) -> HANDLE:
    return _select(call, hdc, handle, Font, OBJ_FONT)


@syscall
def NtGdiSelectBitmap(call: Call, hdc: HANDLE, handle: HANDLE) -> HANDLE:
    dc = context(call, hdc)
    chosen = found(call, handle, Bitmap)
    if dc is None or chosen is None or not dc.is_memory:
        return 0
    if dc.bitmap is chosen:
        return shown(call, chosen.handle)
    if chosen.selected and not chosen.system:
        return 0  # a bitmap is in one device context at a time
    return shown(call, dc.select(OBJ_BITMAP, chosen))


@syscall
def NtUserSelectPalette(call: Call, hdc: HANDLE, hpal: HANDLE, force_background: ULONG) -> HANDLE:
    return _select(call, hdc, hpal, Palette, OBJ_PALETTE)


@syscall
def NtGdiGetDCObject(call: Call, hdc: HANDLE, type: ULONG) -> HANDLE:  # noqa: A002 NT's name
    dc = context(call, hdc)
    kind = type >> 16 if type > 0xFF else type
    if dc is None:
        return 0
    kind = {OBJ_EXTPEN: OBJ_PEN, 5: OBJ_BITMAP}.get(kind, kind)
    return shown(call, dc.current.get(kind, 0))


# ---- pens and brushes


@syscall
def NtGdiCreatePen(call: Call, style: LONG, width: LONG, color: ULONG, brush: HANDLE) -> HANDLE:
    if not PS_SOLID <= style <= PS_INSIDEFRAME:
        style = PS_SOLID
    if style == PS_NULL:  # all of those are the stock object's like
        width, color = 1, 0
    return new_handle(call, Pen(style, abs(width), color))


@syscall
def NtGdiExtCreatePen(
    call: Call, style: ULONG, width: ULONG, brush_style: ULONG, color: ULONG, client_hatch: ULONG_PTR,
    hatch: ULONG_PTR, style_count: ULONG, style_bits: PVOID, dib_size: ULONG, old_style: BOOL, brush: HANDLE,
) -> HANDLE:  # fmt: skip
    dashes: tuple[int, ...] = ()
    kind = style & PS_STYLE_MASK
    geometric = style & PS_TYPE_MASK == PS_GEOMETRIC
    if kind == PS_USERSTYLE:
        if not 0 < style_count <= _MOST_DASHES:
            return failed(call.thread, ERROR_INVALID_PARAMETER)
        dashes = struct.unpack(f"<{style_count}I", call.space.read(style_bits, 4 * style_count))
        if any(each > 0x7FFFFFFF for each in dashes) or not any(dashes):
            return failed(call.thread, ERROR_INVALID_PARAMETER)
    elif style_count or style_bits:
        return failed(call.thread, ERROR_INVALID_PARAMETER)
    wrong = (
        (geometric and kind == PS_ALTERNATE) or (not geometric and (width != 1 or brush_style != BS_SOLID))
        or kind > PS_ALTERNATE or (kind == PS_INSIDEFRAME and not geometric)
    )  # fmt: skip
    if wrong and kind != PS_NULL:
        return failed(call.thread, ERROR_INVALID_PARAMETER)
    if kind == PS_NULL:
        return new_handle(call, Pen(PS_NULL, 1, 0))
    own = _brush(call, brush_style, color, hatch, dib_size)
    if own is None:
        return failed(call.thread, ERROR_INVALID_PARAMETER)
    return new_handle(
        call, Pen(style, width, own.color, extended=True, brush=own, dashes=dashes, hatch=client_hatch or own.hatch))


def _brush(call: Call, style: int, color: int, hatch: int, size: int) -> Brush | None:
    if style == BS_SOLID:
        return Brush(BS_SOLID, color)
    if style == BS_NULL:
        return Brush(BS_NULL)
    if style == BS_HATCHED:
        return Brush(BS_HATCHED, color, hatch) if hatch < _HATCHES else None
    if style == BS_PATTERN:
        bitmap = found(call, hatch, Bitmap)
        return Brush(BS_PATTERN, 0, hatch, _copied(bitmap)) if bitmap is not None else None
    if size:
        return _dib_brush(call, hatch, color, size)
    return None


def _copied(bitmap: Bitmap) -> Bitmap:
    """A brush has a bitmap of its own."""
    made = Bitmap(bitmap.space, bitmap.width, bitmap.height, bitmap.bits)
    made.format, made.is_dib = bitmap.format, bitmap.is_dib
    source, stride, height = bitmap.memory(), bitmap.stride, bitmap.height
    target = made.memory()
    for y in range(height):
        at = (y if bitmap.top_down else height - 1 - y) * stride
        target[y * stride : (y + 1) * stride] = source[at : at + stride]
    return made


@syscall
def NtGdiCreateSolidBrush(call: Call, color: ULONG, brush: HANDLE) -> HANDLE:
    return new_handle(call, Brush(BS_SOLID, color))


@syscall
def NtGdiCreateHatchBrushInternal(call: Call, style: LONG, color: ULONG, pen: BOOL) -> HANDLE:
    if not 0 <= style < _HATCHES:
        return 0
    return new_handle(call, Brush(BS_HATCHED, color, style))


@syscall
def NtGdiCreatePatternBrushInternal(call: Call, bitmap: HANDLE, pen: BOOL, is_8x8: BOOL) -> HANDLE:
    known = found(call, bitmap, Bitmap)
    if known is None:
        return 0
    return new_handle(call, Brush(BS_PATTERN, 0, bitmap, _copied(known)))


@syscall
def NtGdiCreateDIBBrush(
    call: Call, data: PVOID, coloruse: ULONG, size: ULONG, is_8x8: BOOL, pen: BOOL, client: PVOID
) -> HANDLE:
    made = _dib_brush(call, data, coloruse, size)
    if made is None:
        return failed(call.thread, ERROR_INVALID_PARAMETER)
    made.hatch = client
    return new_handle(call, made)


def _dib_brush(call: Call, data: int, usage: int, size: int) -> Brush | None:
    header = parse_header(call.space.read, data, usage)
    if header is None or header.compression not in (0, 3) or header.width <= 0 or header.height <= 0:
        return None
    at, stride = data + header.size, header.stride()
    if header.size + stride * header.height > size:
        return None
    made = Bitmap(call.space, header.width, header.height, header.bits)
    made.format, made.is_dib = header.format, True
    target = made.memory()
    for y in range(header.height):
        row = y if header.top_down else header.height - 1 - y
        target[y * stride : (y + 1) * stride] = call.space.read(at + row * stride, stride)
    brush = Brush(BS_DIBPATTERN, 0, data, made)
    brush.palette_colors = bool(usage)
    return brush


@syscall
def NtGdiHfontCreate(
    call: Call, enumex: PVOID, size: ULONG, type: ULONG, flags: ULONG, data: PVOID  # noqa: A002 NT's name
) -> HANDLE:  # fmt: skip
    if size and size < _LOGFONT:
        return 0
    return new_handle(call, Font(call.space.read(enumex, _LOGFONT)))


# ---- palettes


@syscall
def NtGdiCreatePaletteInternal(call: Call, palette: PVOID, count: ULONG) -> HANDLE:
    if not 0 < count <= _LONGEST_PALETTE:
        return 0
    return new_handle(call, Palette(call.space.read(palette + 4, 4 * count)))


@syscall
def NtGdiCreateHalftonePalette(call: Call, hdc: HANDLE) -> HANDLE:
    levels = (0, 51, 102, 153, 204, 255)
    cube = [(r << 16 | g << 8 | b) for b in levels for g in levels for r in levels]
    system = default_colors(8)
    entries = [*system[:10], *[0] * 246]
    entries[10 : 10 + len(cube)] = cube
    entries[246:] = system[246:]
    return new_handle(call, Palette(b"".join([struct.pack("<I", _swapped(color)) for color in entries])))


def _swapped(color: int) -> int:
    """0xRRGGBB to 0xBBGGRR and back."""
    return (color & 0xFF) << 16 | color & 0xFF00 | color >> 16 & 0xFF


@syscall
def NtGdiResizePalette(call: Call, palette: HANDLE, count: ULONG) -> BOOL:
    known = found(call, palette, Palette)
    if known is None or not 0 < count <= _LONGEST_PALETTE:
        return 0
    known.entries = known.entries[: 4 * count].ljust(4 * count, b"\0")
    return 1


@syscall
def NtGdiGetNearestPaletteIndex(call: Call, hpalette: HANDLE, color: ULONG) -> ULONG:
    known = found(call, hpalette, Palette)
    if known is None:
        return 0
    return known.nearest(color)


@syscall(partial="the system palette is that of a display with all colours: it has none")
def NtGdiDoPalette(
    call: Call, handle: HANDLE, start: USHORT, count: USHORT, entries: PVOID, func: ULONG, inbound: BOOL
) -> LONG:
    if func in (_GET_TABLE, _SET_TABLE):
        return _color_table(call, handle, start, count, entries, setting=func == _SET_TABLE)
    if func == _GET_SYSTEM:
        if entries and context(call, handle) is not None:
            call.space.write(entries, bytes(4 * count))
        return 0
    known = found(call, handle, Palette)
    if known is None or func > _GET_SYSTEM:
        return 0
    size = len(known)
    if func == _GET_ENTRIES:
        if not entries:
            return size
        taken = max(0, min(count, size - start))
        call.space.write(entries, bytes(known.entries[4 * start : 4 * (start + taken)]))
        return taken
    if known.system or start >= size:
        return 0
    taken = min(count, size - start)
    data = call.space.read(entries, 4 * taken) if taken else b""
    if func == _ANIMATE:
        for i in range(taken):  # only those that are reserved for it (PC_RESERVED)
            if known.entries[4 * (start + i) + 3] & 1:
                known.entries[4 * (start + i) : 4 * (start + i) + 4] = data[4 * i : 4 * i + 4]
        return 1
    known.entries[4 * start : 4 * (start + taken)] = data
    return taken


def _color_table(call: Call, hdc: int, start: int, count: int, entries: int, *, setting: bool) -> int:
    dc = context(call, hdc)
    bitmap = dc.bitmap if dc is not None else None
    if bitmap is None or not bitmap.is_dib or bitmap.bits > 8:
        return 0
    known = bitmap.format
    taken = max(0, min(count, (1 << bitmap.bits) - start))
    if not taken:
        return 0
    if setting:
        colors = struct.unpack(f"<{taken}I", call.space.read(entries, 4 * taken))
        known.set_colors(start, [color & 0xFFFFFF for color in colors])
    else:
        call.space.write(entries, struct.pack(f"<{taken}I", *known.colors[start : start + taken]))
    return taken


@syscall
def NtGdiGetSystemPaletteUse(call: Call, hdc: HANDLE) -> ULONG:
    return 1


@syscall
def NtGdiSetSystemPaletteUse(call: Call, hdc: HANDLE, use: ULONG) -> ULONG:
    return 1


@syscall
def NtGdiUpdateColors(call: Call, hdc: HANDLE) -> BOOL:
    return 0


@syscall
def NtGdiSetMagicColors(call: Call, hdc: HANDLE, magic: ULONG, index: ULONG) -> BOOL:
    return 0


@syscall
def NtGdiGetColorAdjustment(call: Call, hdc: HANDLE, ca: PVOID) -> BOOL:
    """Wine has none either."""
    return 0


@syscall
def NtGdiSetColorAdjustment(call: Call, hdc: HANDLE, ca: PVOID) -> BOOL:
    return 0


