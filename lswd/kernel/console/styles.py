"""How cells look: Windows's attribute bits, and what escape sequences can ask for beyond them, as SGR parameters.

A style is an int: the attributes that programs read back in its low 16 bits, above them the index of SGR parameters
that say more than attributes can (256 colours, italics). Attributes 7, grey on black, are the terminal's own colours.
Source: Microsoft "Console Screen Buffers" (character attributes), "Console Virtual Terminal Sequences"; ECMA-48 SGR.
"""

from __future__ import annotations

from lswd.kernel.console.protocol import (
    COMMON_LVB_REVERSE_VIDEO,
    COMMON_LVB_UNDERSCORE,
    DEFAULT_ATTRIBUTES,
    FOREGROUND_INTENSITY,
)

_MOST = 4096  # different SGR parameters in one program; what comes later shows in the 16 colours
_SWAP = (0, 4, 2, 6, 1, 5, 3, 7)  # Windows counts blue, green, red from the lowest bit; ANSI red, green, blue
_VISIBLE_BLANKS = {"48", "9", *map(str, range(40, 48))}  # SGR parameters that spaces show, too
_SHOWN = 0xC0FF  # the attribute bits that change how a cell looks

_extended: list[str] = [""]
_indices: dict[str, int] = {"": 0}


def style_of(attributes: int, parameters: str = "") -> int:
    """The style for ``attributes``, shown with SGR ``parameters`` when there are any."""
    index = _indices.get(parameters)
    if index is None:
        if len(_extended) >= _MOST:
            return attributes
        index = _indices[parameters] = len(_extended)
        _extended.append(parameters)
    return index << 16 | attributes


def has_background(style: int) -> bool:
    """Would blanks in this style show?"""
    visible = style & (0xF0 | COMMON_LVB_REVERSE_VIDEO | COMMON_LVB_UNDERSCORE)
    return bool(visible) or bool(style >> 16 and _VISIBLE_BLANKS & set(_extended[style >> 16].split(";")))


def sgr(style: int) -> str:
    """The escape sequence that makes the terminal write in ``style``."""
    parameters = _extended[style >> 16]
    if not parameters:
        parameters = _from_attributes(style & _SHOWN)
    return f"\x1b[0;{parameters}m" if parameters else "\x1b[m"


def _from_attributes(attributes: int) -> str:
    foreground, background = attributes & 0xF, attributes >> 4 & 0xF
    parts: list[str] = []
    if foreground != DEFAULT_ATTRIBUTES or background:
        parts.append(_basic(foreground, 30))
    if background or not foreground:
        parts.append(_basic(background, 40))
    if attributes & COMMON_LVB_UNDERSCORE:
        parts.append("4")
    if attributes & COMMON_LVB_REVERSE_VIDEO:
        parts.append("7")
    return ";".join(parts)


def _basic(color: int, first: int) -> str:
    """One of the 16 colours; ``first`` is 30 for the foreground, 40 for the background."""
    return str(first + (60 if color & 8 else 0) + _SWAP[color & 7])


class Pen:
    """The style that SGR sequences of a program have built up."""

    __slots__ = ("_background", "_background_sgr", "_flags", "_foreground", "_foreground_sgr")

    def __init__(self) -> None:
        self.reset()

    def reset(self, attributes: int = DEFAULT_ATTRIBUTES) -> None:
        """Go back to plain attributes."""
        self._foreground, self._background = attributes & 0xF, attributes >> 4 & 0xF
        self._foreground_sgr = "" if self._foreground == DEFAULT_ATTRIBUTES else _basic(self._foreground, 30)
        self._background_sgr = _basic(self._background, 40) if self._background else ""
        self._flags: dict[int, str] = {}  # what undoes a flag, to the flag
        if attributes & COMMON_LVB_UNDERSCORE:
            self._flags[24] = "4"
        if attributes & COMMON_LVB_REVERSE_VIDEO:
            self._flags[27] = "7"

    @property
    def attributes(self) -> int:
        """The nearest that attributes can say: what programs read back."""
        flags = self._flags
        bold = FOREGROUND_INTENSITY if flags.get(22) == "1" else 0
        result = self._foreground | bold | self._background << 4
        result |= COMMON_LVB_UNDERSCORE if 24 in flags else 0
        return result | (COMMON_LVB_REVERSE_VIDEO if 27 in flags else 0)

    @property
    def style(self) -> int:
        attributes = self.attributes
        parts = [part for part in (self._foreground_sgr, self._background_sgr, *self._flags.values()) if part]
        parameters = ";".join(parts)
        return style_of(attributes, "" if parameters == _from_attributes(attributes) else parameters)

    def apply(self, parameters: list[int]) -> None:
        """Carry out SGR ``parameters``; unknown ones are ignored."""
        i = 0
        while i < len(parameters):
            p = parameters[i]
            i += 1
            if p in (38, 48):
                i = self._extended_color(parameters, i, p)
            elif p == 0:
                self.reset()
            elif p in (1, 2, 3, 4, 5, 7, 8, 9):
                self._set_flag(p)
            elif p in (22, 23, 24, 25, 27, 28, 29):
                self._flags.pop(p, None)
            elif 30 <= p <= 37 or 90 <= p <= 97:
                self._foreground, self._foreground_sgr = _SWAP[p % 10] | (8 if p >= 90 else 0), str(p)
            elif p == 39:
                self._foreground, self._foreground_sgr = DEFAULT_ATTRIBUTES, ""
            elif 40 <= p <= 47 or 100 <= p <= 107:
                self._background, self._background_sgr = _SWAP[p % 10] | (8 if p >= 100 else 0), str(p)
            elif p == 49:
                self._background, self._background_sgr = 0, ""

    def _set_flag(self, flag: int) -> None:
        self._flags[22 if flag in (1, 2) else flag + 20] = str(flag)

    def _extended_color(self, parameters: list[int], i: int, which: int) -> int:
        """38 or 48, then 5 and an index, or 2 and red, green, blue; returns where the next parameter is."""
        kind = parameters[i] if i < len(parameters) else 0
        if kind == 5 and i + 1 < len(parameters):
            index = parameters[i + 1] & 0xFF
            if index < 16:
                color = _SWAP[index & 7] | index & 8
            elif index < 232:
                red, green, blue = (index - 16) // 36, (index - 16) // 6 % 6, (index - 16) % 6
                color = _nearest(*(55 + 40 * v if v else 0 for v in (red, green, blue)))
            else:
                color = _nearest(*(8 + (index - 232) * 10,) * 3)
            text, after = f"{which};5;{index}", i + 2
        elif kind == 2 and i + 3 < len(parameters):
            red, green, blue = (v & 0xFF for v in parameters[i + 1 : i + 4])
            color = _nearest(red, green, blue)
            text, after = f"{which};2;{red};{green};{blue}", i + 4
        else:
            return len(parameters)
        if which == 38:
            self._foreground, self._foreground_sgr = color, text
        else:
            self._background, self._background_sgr = color, text
        return after


def _nearest(red: int, green: int, blue: int) -> int:
    """The one of the 16 colours that is meant: hue by what stands out, intensity by brightness."""
    brightest = max(red, green, blue)
    if brightest < 48:
        return 0
    half = brightest // 2
    color = (4 if red > half else 0) | (2 if green > half else 0) | (1 if blue > half else 0)
    if color == 7:
        return 8 if brightest < 144 else 7 if brightest < 224 else 15
    return color | (FOREGROUND_INTENSITY if brightest >= 192 else 0)


__all__ = ["Pen", "has_background", "sgr", "style_of"]
