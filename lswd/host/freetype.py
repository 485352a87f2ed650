"""The host's FreeType library: faces of font files, their glyphs as bitmaps.

Only what drawing text needs, by ctypes: programs that draw none do not load it, and there is no package to install.
Source: "FreeType 2 API Reference": FT_New_Face, FT_FaceRec, FT_GlyphSlotRec, FT_Load_Glyph, FT_Load_Sfnt_Table.
"""

from __future__ import annotations

import ctypes
from ctypes import POINTER, byref, c_char_p, c_int, c_long, c_short, c_ubyte, c_uint, c_ulong, c_ushort, c_void_p

_LIBRARY = "libfreetype.so.6"
_LOAD_RENDER, _TARGET_MONO = 4, 2 << 16
_LARGEST_TABLE = 1 << 24
FIXED_WIDTH = 4
STYLE_ITALIC, STYLE_BOLD = 1, 2


class FreeTypeError(Exception):
    """The library is not there, or a font is none. The message says which."""


class _Bitmap(ctypes.Structure):
    _fields_ = [
        ("rows", c_uint), ("width", c_uint), ("pitch", c_int), ("buffer", c_void_p), ("num_grays", c_ushort),
        ("pixel_mode", c_ubyte), ("palette_mode", c_ubyte), ("palette", c_void_p),
    ]  # fmt: skip


class _Slot(ctypes.Structure):
    _fields_ = [
        ("library", c_void_p), ("face", c_void_p), ("next", c_void_p), ("glyph_index", c_uint),
        ("generic", c_void_p * 2), ("metrics", c_long * 8), ("linear_advance", c_long * 2), ("advance", c_long * 2),
        ("format", c_int), ("bitmap", _Bitmap), ("bitmap_left", c_int), ("bitmap_top", c_int),
    ]  # fmt: skip


class _Face(ctypes.Structure):
    _fields_ = [
        ("num_faces", c_long), ("face_index", c_long), ("face_flags", c_long), ("style_flags", c_long),
        ("num_glyphs", c_long), ("family_name", c_char_p), ("style_name", c_char_p), ("num_fixed_sizes", c_int),
        ("available_sizes", c_void_p), ("num_charmaps", c_int), ("charmaps", c_void_p), ("generic", c_void_p * 2),
        ("bbox", c_long * 4), ("units_per_em", c_ushort), ("ascender", c_short), ("descender", c_short),
        ("height", c_short), ("max_advance_width", c_short), ("max_advance_height", c_short),
        ("underline_position", c_short), ("underline_thickness", c_short), ("glyph", POINTER(_Slot)),
    ]  # fmt: skip


class Glyph:
    """A glyph as a bitmap: ``rows`` of a byte a pixel (0 to 255), from ``left`` of and ``top`` above the origin."""

    __slots__ = ("advance", "left", "rows", "top", "width")

    def __init__(self, slot: _Slot) -> None:
        bitmap = slot.bitmap
        self.advance = slot.metrics[4] + 63 >> 6
        self.left = slot.bitmap_left
        self.top = slot.bitmap_top
        self.width = bitmap.width
        pitch = bitmap.pitch
        data = ctypes.string_at(bitmap.buffer, pitch * bitmap.rows) if bitmap.buffer and pitch > 0 else b""
        rows = [data[i * pitch : (i + 1) * pitch] for i in range(bitmap.rows if data else 0)]
        if bitmap.pixel_mode == 1:  # one bit a pixel
            rows = [bytes([255 if row[x >> 3] >> 7 - (x & 7) & 1 else 0 for x in range(bitmap.width)]) for row in rows]
        self.rows = [row[: bitmap.width] for row in rows]


class Face:
    """A font of a file."""

    def __init__(self, library: ctypes.CDLL, handle: c_void_p) -> None:
        self._library = library
        self._handle = handle
        self._record = ctypes.cast(handle, POINTER(_Face)).contents
        self._size = 0
        self.family = (self._record.family_name or b"").decode("utf-8", "replace")
        self.style = (self._record.style_name or b"").decode("utf-8", "replace")
        self.fixed = bool(self._record.face_flags & FIXED_WIDTH)
        self.bold = bool(self._record.style_flags & STYLE_BOLD)
        self.italic = bool(self._record.style_flags & STYLE_ITALIC)
        self.units = self._record.units_per_em
        self.box = tuple(self._record.bbox)

    def index(self, character: int) -> int:
        """The number of a character's glyph; 0: it has none."""
        return int(self._library.FT_Get_Char_Index(self._handle, c_ulong(character)))

    def glyph(self, index: int, size: int, *, mono: bool) -> Glyph:
        """A glyph, ``size`` pixels to the em.

        Raises:
            FreeTypeError: the font has no such, or it cannot be drawn.
        """
        if size != self._size:
            self._library.FT_Set_Pixel_Sizes(self._handle, 0, size)
            self._size = size
        flags = _LOAD_RENDER | (_TARGET_MONO if mono else 0)
        if self._library.FT_Load_Glyph(self._handle, index, flags):
            raise FreeTypeError(f"glyph {index} of {self.family} cannot be drawn")
        return Glyph(self._record.glyph.contents)

    def table(self, tag: int, offset: int = 0) -> bytes:
        """A table of the font by its tag (big-endian), 0 for the whole file; empty: there is none."""
        length = c_ulong(0)
        arguments = self._handle, c_ulong(tag), c_long(0)
        if self._library.FT_Load_Sfnt_Table(*arguments, None, byref(length)) or length.value > _LARGEST_TABLE:
            return b""
        buffer = ctypes.create_string_buffer(length.value)
        if self._library.FT_Load_Sfnt_Table(*arguments, buffer, byref(length)):
            return b""
        return buffer.raw[offset:]


class FreeType:
    """The library, once it is loaded."""

    def __init__(self) -> None:
        """Raises FreeTypeError: this host has none."""
        try:
            self._library = ctypes.CDLL(_LIBRARY)
        except OSError as error:
            raise FreeTypeError(f"drawing text needs FreeType ({_LIBRARY}, package libfreetype6): {error}") from None
        self._handle = c_void_p()
        if self._library.FT_Init_FreeType(byref(self._handle)):
            raise FreeTypeError(f"{_LIBRARY} cannot be used")

    def face(self, path: str, number: int = 0) -> Face:
        """A font of a file. Raises FreeTypeError: it is none."""
        handle = c_void_p()
        if self._library.FT_New_Face(self._handle, path.encode(), c_long(number), byref(handle)):
            raise FreeTypeError(f"{path} is no font")
        return Face(self._library, handle)
