"""Text: metrics of the selected font, extents, drawing.

Source: Microsoft "GetTextMetrics", "GetTextExtentExPoint", "ExtTextOut", "SetTextAlign", "GetCharABCWidths",
"GetGlyphIndices", "GetFontData"; which calls gdi32 makes for them: Wine's include/ntgdi.h.
"""

from __future__ import annotations

import struct

from lswd.host.freetype import FreeTypeError
from lswd.kernel.gdi import region as regions
from lswd.kernel.gdi.fonts import SizedFont, fonts
from lswd.kernel.gdi.handle_table import OBJ_FONT
from lswd.kernel.gdi.objects import Font
from lswd.kernel.gdi.paint import OPAQUE, color_paint
from lswd.kernel.gdi.pixels import pixels_of
from lswd.kernel.gdi.raster import PATCOPY, draw
from lswd.kernel.gdi.text import GlyphPainter, advances
from lswd.nt.declare import Call, encode_wide, syscall
from lswd.nt.gdi_lookup import context
from lswd.nt.gdi_region import read_box
from lswd.nt.user_failure import ERROR_NOT_SUPPORTED, failed
from lswd.ntdef.types import BOOL, HANDLE, LONG, PVOID, ULONG

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from lswd.kernel.gdi.device_context import DeviceContext
    from lswd.kernel.gdi.fonts import Metrics

_LONGEST = 1 << 16
_ETO_OPAQUE, _ETO_CLIPPED, _ETO_GLYPH_INDEX, _ETO_PDY = 2, 4, 0x10, 0x2000
_TA_UPDATECP, _TA_RIGHT, _TA_CENTER, _TA_BOTTOM, _TA_BASELINE = 1, 2, 6, 8, 24
_NO_GLYPH = 0xFFFF
_GDI_ERROR = 0xFFFFFFFF
_NO_LIBRARY = "needs FreeType on the host; without bold or slanted forms that a font lacks, and vertical ones"


def selected_font(call: Call, dc: DeviceContext) -> SizedFont | None:
    """The font that text has; None leaves an error, and says once why there is none."""
    known = dc.chosen(OBJ_FONT)
    assert isinstance(known, Font)
    try:
        return fonts().chosen(known.logical, abs(dc.scale()[1]))
    except FreeTypeError as error:
        missing = call.process.missing_calls
        missing[str(error)] = missing.get(str(error), 0) + 1
        failed(call.thread, ERROR_NOT_SUPPORTED)
        return None


def text_metrics(metrics: Metrics, charset: int) -> bytes:
    """A TEXTMETRICW, without what pads it."""
    first = metrics.first
    space = first + 2 if first <= 1 else 0x20 if first > 0xFF else first
    family = metrics.family | 6 | (0 if metrics.fixed else 1)
    return struct.pack(
        "<11i4H5B", metrics.height, metrics.ascent, metrics.descent, metrics.internal, metrics.external,
        metrics.average, metrics.maximum, metrics.weight, 0, 96, 96, first, metrics.last, space - 1, space,
        255 if metrics.italic else 0, 0, 0, family, charset)  # fmt: skip


def _charset(dc: DeviceContext) -> int:
    known = dc.chosen(OBJ_FONT)
    assert isinstance(known, Font)
    charset = known.logical[23]
    return 0 if charset in (1, 255) else charset


@syscall(partial=_NO_LIBRARY)
def NtGdiGetTextMetricsW(call: Call, hdc: HANDLE, metrics: PVOID, flags: ULONG) -> BOOL:
    dc = context(call, hdc)
    font = selected_font(call, dc) if dc is not None else None
    if dc is None or font is None:
        return 0
    data = bytearray(text_metrics(font.metrics, _charset(dc)).ljust(60, b"\0"))
    fx, fy, _, _ = dc.scale()
    for i in range(7):  # in logical units
        scale = abs(fy if i < 5 else fx)
        value = struct.unpack_from("<i", data, 4 * i)[0]
        struct.pack_into("<i", data, 4 * i, round(value / scale) if scale else value)
    known = dc.chosen(OBJ_FONT)
    assert isinstance(known, Font)
    data[53], data[54] = known.logical[21], known.logical[22]
    call.space.write(metrics, bytes(data))
    return 1


@syscall
def NtGdiGetTextFaceW(call: Call, hdc: HANDLE, count: LONG, name: PVOID, alias_name: BOOL) -> LONG:
    dc = context(call, hdc)
    font = selected_font(call, dc) if dc is not None else None
    if font is None:
        return 0
    text = font.file.family
    if not name:
        return len(text) + 1
    text = text[: max(count - 1, 0)]
    if count > 0:
        call.space.write(name, encode_wide(text) + b"\0\0")
    return len(text) + 1


@syscall
def NtGdiGetTextCharsetInfo(call: Call, hdc: HANDLE, fs: PVOID, flags: ULONG) -> ULONG:
    dc = context(call, hdc)
    font = selected_font(call, dc) if dc is not None else None
    if dc is None or font is None:
        return 1  # DEFAULT_CHARSET
    if fs:
        call.space.write(fs, font.file.signature)
    return _charset(dc)


# ---- widths


def _text(call: Call, address: int, count: int) -> list[int]:
    """Code units."""
    return list(struct.unpack(f"<{count}H", call.space.read(address, 2 * count))) if count else []


def _indices(font: SizedFont, units: Sequence[int], *, glyphs: bool) -> list[int]:
    return list(units) if glyphs else [font.index(unit) for unit in units]


def _logical(dc: DeviceContext, length: int) -> int:
    scale = abs(dc.scale()[0])
    return round(length / scale) if scale not in (0, 1) else length


@syscall(partial=_NO_LIBRARY)
def NtGdiGetTextExtentExW(
    call: Call, hdc: HANDLE, str: PVOID, count: LONG, max_ext: LONG, nfit: PVOID, dxs: PVOID, size: PVOID,  # noqa: A002
    flags: ULONG,
) -> BOOL:  # fmt: skip
    dc = context(call, hdc)
    if dc is None or not 0 <= count <= _LONGEST:
        return 0
    font = selected_font(call, dc)
    if font is None:
        return 0
    units = _text(call, str, count)
    glyphs = bool(flags & 1)
    each = advances(dc, font, _indices(font, units, glyphs=glyphs), [not glyphs and unit == 0x20 for unit in units])
    ends: list[int] = []
    total = 0
    for advance in each:
        total += advance
        ends.append(_logical(dc, total))
    fitting = len(ends)
    if nfit:
        fitting = sum(end <= max_ext for end in ends)
        call.space.write_u32(nfit, fitting)
    if dxs and fitting:
        call.space.write(dxs, struct.pack(f"<{fitting}i", *ends[:fitting]))
    scale = abs(dc.scale()[1])
    height = round(font.metrics.height / scale) if scale else font.metrics.height
    call.space.write(size, struct.pack("<2i", _logical(dc, total), height))
    return 1


def _range(call: Call, font: SizedFont, first: int, last: int, chars: int, *, glyphs: bool) -> list[int] | None:
    """The glyphs of characters from ``first`` to ``last``, or of as many in an array."""
    count = last - first + 1
    if not 0 < count <= _LONGEST:
        return None
    units = _text(call, chars, count) if chars else [unit & 0xFFFF for unit in range(first, last + 1)]
    return _indices(font, units, glyphs=glyphs)


@syscall(partial=_NO_LIBRARY)
def NtGdiGetCharWidthW(
    call: Call, hdc: HANDLE, first_char: ULONG, last_char: ULONG, chars: PVOID, flags: ULONG, buffer: PVOID
) -> BOOL:
    dc = context(call, hdc)
    font = selected_font(call, dc) if dc is not None else None
    if dc is None or font is None:
        return 0
    glyphs = _range(call, font, first_char, last_char, chars, glyphs=bool(flags & 8))
    if glyphs is None:
        return 0
    widths = [_logical(dc, font.advance(index)) for index in glyphs]
    form = f"<{len(widths)}i" if flags & 2 else f"<{len(widths)}f"
    call.space.write(buffer, struct.pack(form, *widths))
    return 1


@syscall(partial=_NO_LIBRARY)
def NtGdiGetCharABCWidthsW(
    call: Call, hdc: HANDLE, first: ULONG, last: ULONG, chars: PVOID, flags: ULONG, buffer: PVOID
) -> BOOL:
    dc = context(call, hdc)
    font = selected_font(call, dc) if dc is not None else None
    if dc is None or font is None or not buffer:
        return 0
    glyphs = _range(call, font, first, last, chars, glyphs=bool(flags & 2))
    if glyphs is None:
        return 0
    result = b""
    for index in glyphs:
        glyph = font.glyph(index)
        if glyph is None:
            result += bytes(12)
            continue
        left, width = _logical(dc, glyph.left), _logical(dc, glyph.width) or 1
        result += struct.pack("<iIi" if flags & 1 else "<fff", left, width, _logical(dc, glyph.advance) - left - width)
    call.space.write(buffer, result)
    return 1


@syscall
def NtGdiGetCharWidthInfo(call: Call, hdc: HANDLE, info: PVOID) -> BOOL:
    return 0


@syscall(partial=_NO_LIBRARY)
def NtGdiGetGlyphIndicesW(
    call: Call, hdc: HANDLE, str: PVOID, count: LONG, indices: PVOID, flags: ULONG  # noqa: A002 NT's name
) -> ULONG:  # fmt: skip
    dc = context(call, hdc)
    font = selected_font(call, dc) if dc is not None and 0 <= count <= _LONGEST else None
    if font is None:
        return _GDI_ERROR
    missing = _NO_GLYPH if flags & 1 else 0
    found = [font.index(unit) or missing for unit in _text(call, str, count)]
    if indices and found:
        call.space.write(indices, struct.pack(f"<{len(found)}H", *found))
    return count


@syscall(partial=_NO_LIBRARY)
def NtGdiGetFontData(
    call: Call, hdc: HANDLE, table: ULONG, offset: ULONG, buffer: PVOID, length: ULONG
) -> ULONG:
    dc = context(call, hdc)
    font = selected_font(call, dc) if dc is not None else None
    data = font.file.face.table(int.from_bytes(table.to_bytes(4, "little"), "big")) if font is not None else b""
    if not data or offset > len(data):
        return _GDI_ERROR
    if not buffer:
        return len(data) - offset
    part = data[offset : offset + length]
    call.space.write(buffer, part)
    return len(part)


@syscall
def NtGdiGetRasterizerCaps(call: Call, status: PVOID, size: ULONG) -> BOOL:
    call.space.write(status, struct.pack("<3H", 6, 3, 0)[:size])
    return 1


@syscall(partial=_NO_LIBRARY)
def NtGdiGetRealizationInfo(call: Call, hdc: HANDLE, info: PVOID) -> BOOL:
    dc = context(call, hdc)
    size = call.space.read_u32(info)
    font = selected_font(call, dc) if dc is not None and size in (16, 24) else None
    if font is None:
        return 0
    number = fonts().files.index(font.file) + 1
    call.space.write(info, struct.pack("<5I2H", size, 3, number, number, 1, 0, 0)[:size])
    return 1


@syscall
def NtGdiGetKerningPairs(call: Call, hdc: HANDLE, count: ULONG, kern_pair: PVOID) -> ULONG:
    return 0


@syscall
def NtGdiFontIsLinked(call: Call, hdc: HANDLE) -> BOOL:
    return 0


# ---- drawing


@syscall(partial=f"{_NO_LIBRARY}; no lines under or through, no turned text; with 8 bits and fewer, other points")
def NtGdiExtTextOutW(
    call: Call, hdc: HANDLE, x: LONG, y: LONG, flags: ULONG, rect: PVOID, str: PVOID, count: ULONG,  # noqa: A002
    dx: PVOID, cp: ULONG,
) -> BOOL:  # fmt: skip
    dc = context(call, hdc)
    if dc is None or count > _LONGEST or dc.recording is not None:
        return 0
    box = _device_rectangle(dc, read_box(call, rect)) if rect and flags & (_ETO_OPAQUE | _ETO_CLIPPED) else None
    clip = dc.visible()
    if box is not None:
        if flags & _ETO_OPAQUE:
            _fill_background(dc, regions.clipped(clip, box))
        if flags & _ETO_CLIPPED:
            clip = regions.clipped(clip, box)
    if not count:
        return 1
    font = selected_font(call, dc)
    if font is None:
        return 0
    units = _text(call, str, count)
    glyphs = bool(flags & _ETO_GLYPH_INDEX)
    indices = _indices(font, units, glyphs=glyphs)
    moves = _moves(call, dc, dx, count, both=bool(flags & _ETO_PDY))
    if moves is None:
        moves = [(move, 0) for move in advances(
            dc, font, indices, [not glyphs and unit == 0x20 for unit in units])]  # fmt: skip
    _draw(dc, font, indices, moves, (x, y), clip, opaque=not flags & _ETO_OPAQUE)
    return 1


def _device_rectangle(dc: DeviceContext, box: regions.Box) -> regions.Box:
    (x1, y1), (x2, y2) = dc.to_device([(box[0], box[1]), (box[2], box[3])])
    return min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2)


def _fill_background(dc: DeviceContext, bands: regions.Bands) -> None:
    bitmap = dc.bitmap
    if bitmap is not None:
        target = pixels_of(bitmap)
        draw(target, bands, PATCOPY, color_paint(dc, target, dc.attributes.number("background_color")).run)


def _moves(call: Call, dc: DeviceContext, address: int, count: int, *, both: bool) -> list[tuple[int, int]] | None:
    """How far each glyph moves on, if the caller says so."""
    if not address:
        return None
    numbers = struct.unpack(f"<{count * (1 + both)}i", call.space.read(address, 4 * count * (1 + both)))
    fx, fy, _, _ = dc.scale()
    if both:
        return [(round(numbers[i] * abs(fx)), round(-numbers[i + 1] * abs(fy))) for i in range(0, len(numbers), 2)]
    return [(round(number * abs(fx)), 0) for number in numbers]


def _draw(
    dc: DeviceContext, font: SizedFont, indices: Sequence[int], moves: Sequence[tuple[int, int]],
    at: tuple[int, int], clip: regions.Bands, *, opaque: bool,
) -> None:  # fmt: skip
    align = dc.attributes.number("text_align")
    if align & _TA_UPDATECP:
        at = dc.attributes.pair("cur_pos")
    ((x, y),) = dc.to_device([at])
    metrics = font.metrics
    width = sum(move for move, _ in moves)
    if align & _TA_CENTER == _TA_CENTER:
        x -= width // 2
    elif align & _TA_RIGHT:
        x -= width
    if align & _TA_UPDATECP and not align & _TA_RIGHT:
        end = dc.to_logical([(x + width, y)])
        if end:
            dc.attributes.set_pair("cur_pos", end[0][0], at[1])
    vertical = align & _TA_BASELINE
    baseline = y if vertical == _TA_BASELINE else y - metrics.descent if vertical == _TA_BOTTOM else y + metrics.ascent
    if dc.bitmap is None or not clip:
        return
    if opaque and dc.attributes.number("background_mode") == OPAQUE:
        top = baseline - metrics.ascent
        _fill_background(dc, regions.clipped(clip, (x, top, x + width, top + metrics.height)))
    painter = GlyphPainter(dc, font, clip)
    for index, (across, down) in zip(indices, moves, strict=True):
        painter.draw(index, x, baseline)
        x, baseline = x + across, baseline + down
