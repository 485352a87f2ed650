"""Stock objects, by the numbers that GetStockObject takes.

Source: Microsoft "GetStockObject"; fonts and the palette as Wine 8 has them for code page 1252.
"""

from __future__ import annotations

import struct

from lswd.kernel.gdi.bitmap import Bitmap
from lswd.kernel.gdi.handle_table import DEFAULT_BITMAP, DEFAULT_PALETTE
from lswd.kernel.gdi.objects import BS_NULL, BS_SOLID, PS_NULL, PS_SOLID, Brush, Font, GdiObject, Palette, Pen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.kernel.process import Process

DC_BRUSH, DC_PEN = 18, 19
_BRUSHES = {
    0: (BS_SOLID, 0xFFFFFF), 1: (BS_SOLID, 0xC0C0C0), 2: (BS_SOLID, 0x808080), 3: (BS_SOLID, 0x404040),
    4: (BS_SOLID, 0), 5: (BS_NULL, 0), DC_BRUSH: (BS_SOLID, 0xFFFFFF),
}  # fmt: skip
_PENS = {6: (PS_SOLID, 0xFFFFFF), 7: (PS_SOLID, 0), 8: (PS_NULL, 0), DC_PEN: (PS_SOLID, 0)}
_OEM, _SYSTEM, _FIXED, _GUI = (
    (12, 0, 400, 255, 49, ""), (16, 7, 700, 0, 34, "System"), (16, 0, 400, 0, 49, "Courier"),
    (-11, 0, 400, 0, 34, "MS Shell Dlg"),
)  # fmt: skip
_FONTS = {
    9: _OEM, 10: _OEM, 11: (12, 0, 400, 0, 49, "Courier"), 12: (12, 0, 400, 0, 34, "MS Sans Serif"),
    13: _SYSTEM, 14: (16, 0, 700, 0, 34, "System"), 16: _FIXED, 17: _GUI, 21: _SYSTEM, 22: _FIXED, 23: _GUI,
}  # fmt: skip
_PALETTE = bytes.fromhex(
    "00000000 80000000 00800000 80800000 00008000 80008000 00808000 c0c0c000 c0dcc000 a6caf000"
    "fffbf000 a0a0a400 80808000 ff000000 00ff0000 ffff0000 0000ff00 ff00ff00 00ffff00 ffffff00"
)


def logical_font(height: int, width: int, weight: int, charset: int, pitch: int, face: str) -> bytes:
    """A LOGFONTW."""
    head = struct.pack("<5i8B", height, width, 0, 0, weight, 0, 0, 0, charset, 0, 0, 0, pitch)
    return head + face.encode("utf-16-le").ljust(64, b"\0")


def stock_object(process: Process, number: int) -> GdiObject:
    """Make a stock object of a process's."""
    made: GdiObject
    if number in _BRUSHES:
        made = Brush(*_BRUSHES[number])
    elif number in _PENS:
        style, color = _PENS[number]
        made = Pen(style, int(style == PS_NULL), color)
    elif number == DEFAULT_PALETTE:
        made = Palette(_PALETTE)
    elif number == DEFAULT_BITMAP:
        made = Bitmap(process.space, 1, 1, 1)
    else:
        made = Font(logical_font(*_FONTS[number]))
    made.system = True
    return made
