"""The host's TrueType and OpenType fonts by their full names, read from their own tables.

Source: Microsoft "OpenType specification": the table directory, 'ttcf' collections, 'name' table.
"""

from __future__ import annotations

import os
import struct

from lswd.host.regular_file import open_regular

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_MOST = 2000
_LARGEST_TABLE = 1 << 20
FAMILY_NAME, STYLE_NAME, FULL_NAME = 1, 2, 4
_SUFFIXES = (".ttf", ".otf", ".ttc")
_VERSIONS = (b"\0\1\0\0", b"true", b"OTTO")


def directories(environ: Mapping[str, str]) -> list[str]:
    """Where fonts are (fontconfig's usual places)."""
    home = environ.get("HOME", "")
    data = environ.get("XDG_DATA_HOME") or (f"{home}/.local/share" if home else "")
    own = [f"{home}/.fonts"] if home else []
    return ["/usr/share/fonts", "/usr/local/share/fonts", *own, *([f"{data}/fonts"] if data else [])]


def fonts(places: list[str]) -> dict[str, str]:
    """Full name to file. A collection's fonts share one, as "One & Two"."""
    found: dict[str, str] = {}
    for path in font_files(places):
        try:
            with open(open_regular(path), "rb") as file:
                names = [name for at in _offsets(file.read(256)) if (name := _name(file.fileno(), at))]
        except (OSError, struct.error):
            continue
        if names:
            found.setdefault(" & ".join(dict.fromkeys(names)), path)
    return found


def font_files(places: list[str]) -> Iterator[str]:
    """The font files in these directories, up to a limit."""
    left = _MOST
    for place in places:
        for directory, below, names in os.walk(place):
            below.sort()
            for name in sorted(names):
                if name.lower().endswith(_SUFFIXES) and left:
                    left -= 1
                    yield os.path.join(directory, name)


def _offsets(head: bytes) -> list[int]:
    """Where the fonts of a file begin."""
    if head[:4] != b"ttcf":
        return [0]
    count = struct.unpack_from(">I", head, 8)[0]
    return list(struct.unpack_from(f">{min(count, 32)}I", head, 12))


def _name(fd: int, at: int) -> str:
    """The full name of the font at ``at``; "" if it has none. Raises struct.error: it is damaged."""
    version, tables = struct.unpack(">4sH6x", os.pread(fd, 12, at))
    if version not in _VERSIONS:
        return ""
    directory = os.pread(fd, 16 * tables, at + 12)
    for i in range(tables):
        tag, _, offset, length = struct.unpack_from(">4sIII", directory, 16 * i)
        if tag == b"name" and length <= _LARGEST_TABLE:
            return name_in(os.pread(fd, length, offset), FULL_NAME)
    return ""


def name_in(table: bytes, wanted: int) -> str:
    """A name by its number from a 'name' table; "" if there is none. Raises struct.error: it is damaged."""
    _, count, strings = struct.unpack_from(">HHH", table)
    best = ""
    for i in range(count):
        platform, _, language, kind, length, offset = struct.unpack_from(">6H", table, 6 + 12 * i)
        if kind != wanted:
            continue
        data = table[strings + offset : strings + offset + length]
        if platform == 3 and language == 0x409:
            return data.decode("utf-16-be", "replace")
        if not best:
            best = data.decode("latin-1" if platform == 1 else "utf-16-be", "replace")
    return best
