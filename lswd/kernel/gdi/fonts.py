"""Fonts: which of the host's a logical font means, its metrics, its glyphs.

Source: Microsoft "LOGFONT", "TEXTMETRIC", "Font Mapper"; numbers are rounded as Wine does it.
"""

from __future__ import annotations

import os
import struct
from math import floor

from lswd.host.fonts import FAMILY_NAME, FULL_NAME, STYLE_NAME, directories, font_files, name_in
from lswd.host.freetype import Face, FreeType, FreeTypeError, Glyph

_OS2 = int.from_bytes(b"OS/2", "big")
_NAME = int.from_bytes(b"name", "big")
_HHEA = int.from_bytes(b"hhea", "big")
_FALLBACKS = ("DejaVu Sans", "Liberation Sans", "FreeSans", "Noto Sans")
_FIXED_FALLBACKS = ("DejaVu Sans Mono", "Liberation Mono", "FreeMono")
_LARGEST_SIZE = 2048
_MOST_GLYPHS = 4096
FF_SWISS, FF_ROMAN, FF_MODERN = 0x20, 0x10, 0x30


class Metrics:
    """What TEXTMETRIC tells of a font at a size, in pixels."""

    def __init__(self, file: FontFile, size: float) -> None:
        def scaled(value: int) -> int:
            return floor(value * size / file.units + 0.5)

        self.ascent, self.descent = scaled(file.ascent), scaled(file.descent)
        self.height = self.ascent + self.descent
        self.internal = scaled(file.ascent + file.descent - file.units)
        self.external = scaled(file.external)
        self.average = scaled(file.average) or 1
        self.maximum = scaled(file.face.box[2] - file.face.box[0])
        self.weight, self.italic = file.weight, file.face.italic
        self.first, self.last = file.first, file.last
        self.fixed, self.family = file.face.fixed, file.family_bits()


class FontFile:
    """A font of the host: its face, and what its tables say."""

    def __init__(self, face: Face) -> None:
        self.face = face
        names = face.table(_NAME) or bytes(6)
        self.family = name_in(names, FAMILY_NAME) or face.family
        self.style = name_in(names, STYLE_NAME) or face.style
        self.full = name_in(names, FULL_NAME) or face.family
        os2 = face.table(_OS2)
        hhea = face.table(_HHEA)
        self.units = face.units or 1000
        self.average, self.weight = 0, 700 if face.bold else 400
        self.ascent, self.descent = self.units, 0
        self.first, self.last, self.panose = 0x20, 0xFFFF, bytes(10)
        line_gap = 0
        if len(hhea) >= 10:
            ascent, descent, line_gap = struct.unpack_from(">3h", hhea, 4)
            self.ascent, self.descent = ascent, -descent
        self.signature = struct.pack("<6I", 0, 0, 0, 0, 1, 0)
        self.external = max(0, line_gap)
        if len(os2) >= 78:
            self.average, self.weight = struct.unpack_from(">hH", os2, 2)
            self.panose = os2[32:42]
            self.first, self.last = struct.unpack_from(">2H", os2, 64)
            hhea_height = self.ascent + self.descent
            ascent, descent = struct.unpack_from(">2H", os2, 74)
            if ascent + descent:
                self.ascent, self.descent = ascent, descent
            self.external = max(0, line_gap - (self.ascent + self.descent - hhea_height))
            pages = struct.unpack_from(">2I", os2, 78) if len(os2) >= 86 else (1, 0)
            self.signature = struct.pack("<4I", *struct.unpack_from(">4I", os2, 42)) + struct.pack("<2I", *pages)

    def family_bits(self) -> int:
        """FF_*."""
        if self.face.fixed:
            return FF_MODERN
        serif = self.panose[1]
        if self.panose[0] in (0, 2) and serif:
            return FF_SWISS if serif >= 11 else FF_ROMAN
        return 0


class SizedFont:
    """A font at a size, as a logical font asks for it."""

    def __init__(self, file: FontFile, height: int) -> None:
        self.file = file
        total = file.ascent + file.descent
        if height < 0:
            size = -height
        else:
            size = (file.units * (height or 16) * 2 + total) // (2 * total) if total else height
        self.size = max(1, min(size, _LARGEST_SIZE))
        self.metrics = Metrics(file, self.size)
        self._glyphs: dict[tuple[int, bool], Glyph | None] = {}
        self._indices: dict[int, int] = {}

    def index(self, character: int) -> int:
        """The number of a character's glyph; 0: it has none."""
        found = self._indices.get(character)
        if found is None:
            found = self._indices[character] = self.file.face.index(character)
        return found

    def glyph(self, index: int, *, mono: bool = False) -> Glyph | None:
        """A glyph by its number; None: it cannot be drawn."""
        key = index, mono
        if key not in self._glyphs:
            if len(self._glyphs) >= _MOST_GLYPHS:
                self._glyphs.clear()
            try:
                self._glyphs[key] = self.file.face.glyph(index, self.size, mono=mono)
            except FreeTypeError:
                self._glyphs[key] = None
        return self._glyphs[key]

    def advance(self, index: int) -> int:
        """How far a glyph moves on."""
        found = self.glyph(index)
        return found.advance if found is not None else 0


class Fonts:
    """The host's fonts."""

    def __init__(self) -> None:
        """Raises FreeTypeError: the host has no FreeType, or no fonts."""
        library = FreeType()
        self.files: list[FontFile] = []
        for path in font_files(directories(os.environ)):
            try:
                self.files.append(FontFile(library.face(path)))
            except (FreeTypeError, struct.error):
                continue
        if not self.files:
            raise FreeTypeError("this host has no fonts (/usr/share/fonts)")
        self._sized: dict[bytes, SizedFont] = {}

    def chosen(self, logical: bytes, scale: float) -> SizedFont:
        """The font that a LOGFONTW means, on a device with ``scale`` points a unit."""
        key = logical + struct.pack("<d", scale)
        found = self._sized.get(key)
        if found is None:
            height, _, _, _, weight, italic, _, _, _, _, _, _, pitch = struct.unpack_from("<5i8B", logical)
            if len(self._sized) > 256:
                self._sized.clear()
            height = max(-_LARGEST_SIZE, min(_LARGEST_SIZE, round(height * scale)))
            file = self._file(face_name(logical), weight, bool(italic), fixed=pitch & 3 == 1)
            found = self._sized[key] = SizedFont(file, height)
        return found

    def _file(self, name: str, weight: int, italic: bool, *, fixed: bool) -> FontFile:
        others = _FIXED_FALLBACKS if fixed else _FALLBACKS
        for family in [*([name.lower()] if name else []), *map(str.lower, others), ""]:
            matching = [file for file in self.files if not family or file.family.lower() == family]
            if matching:
                wanted = weight or 400
                return min(matching, key=lambda f: (f.face.italic != italic, abs(f.weight - wanted)))
        return self.files[0]


def face_name(logical: bytes) -> str:
    """The name in a LOGFONTW."""
    return logical[28:92].decode("utf-16-le", "replace").partition("\0")[0]


_fonts: Fonts | None = None


def fonts() -> Fonts:
    """The host's fonts, looked for once. Raises FreeTypeError."""
    global _fonts
    if _fonts is None:
        _fonts = Fonts()
    return _fonts
