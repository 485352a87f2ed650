"""Rows of character cells.

A row keeps one character and one style for each cell. A character that takes two cells is followed by ``TAIL``; one
that takes none (a combining mark) is shown but not kept. Programs see cells as UTF-16, one code unit a cell: a wide
character is there twice, a surrogate pair has one half in each of its cells.
Source: Microsoft "CHAR_INFO structure"; UAX #11 "East Asian Width".
"""

from __future__ import annotations

from lswd.kernel.console.protocol import COMMON_LVB_LEADING_BYTE, COMMON_LVB_TRAILING_BYTE

TAIL = "\uffff"  # a noncharacter: no text holds it
REPLACEMENT = "\ufffd"

_FIRST_UNUSUAL = 0x300  # everything below takes one cell


class Row:
    """One line of a screen buffer: ``text`` and ``styles`` have one entry a cell."""

    __slots__ = ("styles", "text")

    def __init__(self, width: int, style: int) -> None:
        self.text = " " * width
        self.styles = [style] * width

    def put(self, x: int, cells: str, style: int) -> None:
        """Replace the cells from ``x`` on; a double-width character that loses a half becomes blank."""
        text, end = self.text, x + len(cells)
        head, tail = text[:x], text[end:]
        if cells and text[x] == TAIL:
            head = head[:-1] + " "
        if tail.startswith(TAIL):
            tail = " " + tail[1:]
        self.text = head + cells + tail
        self.styles[x:end] = [style] * len(cells)

    def resize(self, width: int, style: int) -> None:
        """Cut the row or fill it up with blanks."""
        missing = width - len(self.text)
        if missing > 0:
            self.text += " " * missing
            self.styles += [style] * missing
        elif missing < 0:
            if self.text[width] == TAIL:
                self.text = self.text[: width - 1] + " "
            self.text = self.text[:width]
            del self.styles[width:]

    def is_blank(self, style: int) -> bool:
        """Nothing but spaces in ``style``?"""
        return self.text.isspace() and self.styles.count(style) == len(self.styles)

    def content_end(self, style: int) -> int:
        """Where the blanks in ``style`` begin that fill the rest of the row."""
        end = len(self.text.rstrip(" "))
        styles = self.styles
        i = len(styles)
        while i > end and styles[i - 1] == style:
            i -= 1
        return i

    def copy(self) -> Row:
        result = Row(0, 0)
        result.text, result.styles = self.text, self.styles[:]
        return result


def cell_width(character: str) -> int:
    """How many cells a terminal gives to ``character``: 0, 1 or 2."""
    if ord(character) < _FIRST_UNUSUAL:
        return 1
    import unicodedata

    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1


def is_simple(text: str) -> bool:
    """Does each character of ``text`` take one cell (so that text and cells are the same)?"""
    return text.isascii() or max(text) < "\u0300"


def part_of(text: str, start: int, end: int) -> str:
    """Some cells of a row; a wide character that is cut in two there is blank."""
    part = text[start:end]
    if part.startswith(TAIL):
        part = " " + part[1:]
    if text[end : end + 1] == TAIL:
        part = part[:-1] + " "
    return part


def to_utf16(text: str, styles: list[int]) -> tuple[list[int], list[int]]:
    """Cells as programs see them: UTF-16 code units and attributes, one of each a cell."""
    attributes = [s & 0xFFFF for s in styles]
    if is_simple(text):
        return [ord(c) for c in text], attributes
    units: list[int] = []
    for i, character in enumerate(text):
        if character == TAIL and i:
            lead = ord(text[i - 1])
            units.append(0xDC00 | lead & 0x3FF if lead > 0xFFFF else lead)
            attributes[i] |= COMMON_LVB_TRAILING_BYTE
            continue
        if text[i + 1 : i + 2] == TAIL:
            attributes[i] |= COMMON_LVB_LEADING_BYTE
        code = ord(character)
        if code > 0xFFFF:
            code = 0xD800 | (code - 0x10000) >> 10 if text[i + 1 : i + 2] == TAIL else ord(REPLACEMENT)
        units.append(code)
    return units, attributes


def from_utf16(units: tuple[int, ...]) -> str:
    """The inverse, for the characters: what does not fill its cells (half of a pair, a wide character that is there
    only once, a combining mark) becomes U+FFFD.
    """
    text = "".join(map(chr, units))
    if not text or is_simple(text):
        return text
    result: list[str] = []
    i = 0
    while i < len(units):
        unit = units[i]
        following = units[i + 1] if i + 1 < len(units) else 0
        if 0xD800 <= unit < 0xDC00 and 0xDC00 <= following < 0xE000:
            character = chr(0x10000 + ((unit & 0x3FF) << 10 | following & 0x3FF))
            result += (character, TAIL) if cell_width(character) == 2 else (REPLACEMENT, REPLACEMENT)
            i += 2
            continue
        surrogate = 0xD800 <= unit < 0xE000 or unit == 0xFFFF
        width = 0 if surrogate else cell_width(chr(unit))
        if width == 2 and following == unit:
            result += (chr(unit), TAIL)
            i += 2
            continue
        result.append(chr(unit) if width == 1 else REPLACEMENT)
        i += 1
    return "".join(result)


def text_units(text: str) -> bytes:
    """Cells as a string of UTF-16: each character once."""
    return text.replace(TAIL, "").encode("utf-16-le", "surrogatepass")


def cells_of(text: str) -> list[str]:
    """The cells of each character of a string (one to two; combining marks have none and are left out)."""
    result = []
    for character in text:
        width = cell_width(character) if character != TAIL else 0
        if width:
            result.append(character + TAIL * (width - 1))
    return result
