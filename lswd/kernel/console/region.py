"""Reading, writing, filling and scrolling parts of a screen buffer: what the low-level console functions do.

Source: Microsoft "ReadConsoleOutput", "WriteConsoleOutput", "FillConsoleOutputCharacter", "ScrollConsoleScreenBuffer".
"""

from __future__ import annotations

import struct

from lswd.kernel.console.cells import REPLACEMENT, TAIL, Row, cells_of, from_utf16, part_of, text_units, to_utf16
from lswd.kernel.console.protocol import MODE_ATTRIBUTES, MODE_BOTH, MODE_TEXT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.kernel.console.screen import ScreenBuffer

_CELL_BYTES = {MODE_TEXT: 2, MODE_ATTRIBUTES: 2, MODE_BOTH: 4}
_CHARACTER_ATTRIBUTES = 0xC0FF  # what a program may set; the "half of a wide character" bits are ours


def cell_bytes(mode: int) -> int:
    """Bytes a cell takes in a transfer of ``mode``; 0 when there is no such mode."""
    return _CELL_BYTES.get(mode, 0)


def _pack(row: Row, start: int, end: int, mode: int) -> bytes:
    if mode == MODE_TEXT:
        return text_units(row.text[start:end])
    units, attributes = to_utf16(row.text[start:end], row.styles[start:end])
    if mode == MODE_ATTRIBUTES:
        return struct.pack(f"<{len(units)}H", *attributes)
    mixed = [value for pair in zip(units, attributes, strict=True) for value in pair]
    return struct.pack(f"<{len(mixed)}H", *mixed)


def read_run(screen: ScreenBuffer, x: int, y: int, mode: int, count: int) -> bytes:
    """``count`` cells from (x, y) on, row after row, as far as the buffer goes."""
    if x >= screen.width or y >= screen.height:
        return b""
    parts: list[bytes] = []
    while count > 0 and y < screen.height:
        end = min(screen.width, x + count)
        parts.append(_pack(screen.rows[y], x, end, mode))
        count -= end - x
        x, y = 0, y + 1
    return b"".join(parts)


def read_rectangle(
    screen: ScreenBuffer, x: int, y: int, width: int, height: int
) -> tuple[tuple[int, int, int, int], bytes] | None:
    """The part of a rectangle that lies in the buffer (left, top, right, bottom) and its cells; None when none does."""
    if x >= screen.width or y >= screen.height or not width or not height:
        return None
    right, bottom = min(x + width, screen.width), min(y + height, screen.height)
    cells = b"".join(_pack(screen.rows[row], x, right, MODE_BOTH) for row in range(y, bottom))
    return (x, y, right - 1, bottom - 1), cells


def _set(screen: ScreenBuffer, y: int, x: int, text: str | None, styles: list[int] | None) -> tuple[int, int] | None:
    """Put cells (new characters, new styles or both) into a row; returns from where to where it differs now."""
    row = screen.rows[y]
    old_text, old_styles = row.text, row.styles[:]
    end = x + len(text if text is not None else styles or ())
    if text is not None:
        row.put(x, text, 0)
        row.styles[x:end] = old_styles[x:end]
    if styles is not None:
        row.styles[x:end] = styles
    if row.text == old_text and row.styles == old_styles:
        return None
    first, last = max(0, x - 1), min(screen.width, end + 1)  # a wide character may have lost its other half
    differs = [i for i in range(first, last) if row.text[i] != old_text[i] or row.styles[i] != old_styles[i]]
    return differs[0], differs[-1] + 1


def _change(screen: ScreenBuffer, y: int, x: int, text: str | None, styles: list[int] | None) -> None:
    changed = _set(screen, y, x, text, styles)
    if changed is not None:
        screen.refresh(y, *changed)


def write_run(screen: ScreenBuffer, x: int, y: int, mode: int, data: bytes) -> int:
    """Write cells from (x, y) on, row after row, as far as the buffer goes; returns how many (for text: characters)."""
    if x >= screen.width or y >= screen.height:
        return 0
    if mode == MODE_TEXT:
        return _write_text(screen, x, y, data)
    size = _CELL_BYTES[mode]
    values = struct.unpack(f"<{len(data) // size * size // 2}H", data[: len(data) // size * size])
    text = from_utf16(values[0::2]) if mode == MODE_BOTH else None
    styles = [v & _CHARACTER_ATTRIBUTES for v in (values[1::2] if mode == MODE_BOTH else values)]
    written = 0
    while written < len(styles) and y < screen.height:
        end = written + min(screen.width - x, len(styles) - written)
        _change(screen, y, x, text[written:end] if text is not None else None, styles[written:end])
        written = end
        x, y = 0, y + 1
    return written


def _write_text(screen: ScreenBuffer, x: int, y: int, data: bytes) -> int:
    """Write a string; a wide character that does not fit at a row's end begins the next one."""
    row, start, written = "", x, 0
    for cells in cells_of(data[: len(data) & ~1].decode("utf-16-le", "replace")):
        if x + len(cells) > screen.width:
            _change(screen, y, start, row.ljust(screen.width - start), None)
            row, start, x, y = "", 0, 0, y + 1
            if y == screen.height:
                return written
        row += cells
        x += len(cells)
        written += 2 if cells[0] > "\uffff" else 1
    if row:
        _change(screen, y, start, row, None)
    return written


def write_rectangle(
    screen: ScreenBuffer, x: int, y: int, width: int, data: bytes
) -> tuple[int, int, int, int] | None:
    """Write a rectangle of CHAR_INFOs; returns the part of it that lies in the buffer, None when none does."""
    height = len(data) // (4 * width)
    if x >= screen.width or y >= screen.height or not height:
        return None
    right, bottom = min(x + width, screen.width), min(y + height, screen.height)
    for row in range(y, bottom):
        values = struct.unpack_from(f"<{(right - x) * 2}H", data, (row - y) * width * 4)
        _change(screen, row, x, from_utf16(values[0::2]), [v & _CHARACTER_ATTRIBUTES for v in values[1::2]])
    return x, y, right - 1, bottom - 1


def fill(
    screen: ScreenBuffer, x: int, y: int, mode: int, count: int, character: int, attributes: int, *, wrap: bool = True
) -> int:
    """Fill ``count`` cells from (x, y) on, row after row (or to the row's end); returns how many."""
    if not (0 <= x < screen.width and 0 <= y < screen.height):
        return 0
    cells = "".join(cells_of(chr(character).replace(TAIL, " "))) if not 0xD800 <= character < 0xE000 else REPLACEMENT
    cells = cells or REPLACEMENT
    written = 0
    changed: list[int] = []
    while written < count and y < screen.height:
        end = min(screen.width, x + count - written)
        length = end - x
        text = (cells * (length // len(cells))).ljust(length) if mode != MODE_ATTRIBUTES else None
        styles = [attributes & _CHARACTER_ATTRIBUTES] * length if mode != MODE_TEXT else None
        if length < screen.width:
            _change(screen, y, x, text, styles)
        elif _set(screen, y, 0, text, styles) is not None:
            changed.append(y)
        written += length
        x, y = 0, y + 1
        if not wrap:
            break
    if changed:  # whole rows are shown together: blanking the rest of a window is one escape sequence
        screen.refresh_rows(changed[0], changed[-1])
    return written


def scroll(
    screen: ScreenBuffer,
    source: tuple[int, int, int, int],
    x: int,
    y: int,
    clip: tuple[int, int, int, int],
    character: int,
    attributes: int,
) -> None:
    """Move the cells of a rectangle to (x, y); those it leaves are filled. Nothing outside ``clip`` changes.

    Args:
        source, clip: left, top, right, bottom, all of them included.
    """
    width, height = screen.width, screen.height
    left, top = max(source[0], 0), max(source[1], 0)
    right, bottom = min(source[2], width - 1), min(source[3], height - 1)
    if left > right or top > bottom:
        return
    x, y = x + left - source[0], y + top - source[1]
    clip_left, clip_top = max(clip[0], 0), max(clip[1], 0)
    clip_right, clip_bottom = min(clip[2], width - 1), min(clip[3], height - 1)
    if clip_left > clip_right or clip_top > clip_bottom:
        return
    cell = from_utf16((character,))
    attributes &= _CHARACTER_ATTRIBUTES
    before = {row: screen.rows[row].copy() for row in range(height) if top <= row <= bottom}
    whole = (left, top, right, bottom) == (0, 0, width - 1, height - 1) and _covers(clip, width, height)
    if whole and not x and y < 0:
        _scroll_whole(screen, -y, cell, attributes)
        return
    for row in range(max(top, clip_top), min(bottom, clip_bottom) + 1):
        start, end = max(left, clip_left), min(right, clip_right) + 1
        if start < end:
            _change(screen, row, start, cell * (end - start), [attributes] * (end - start))
    for row, old in before.items():
        target = y + row - top
        if not clip_top <= target <= clip_bottom:
            continue
        start, end = max(x, clip_left), min(x + right - left, clip_right) + 1
        if start < end:
            first, last = left + start - x, left + end - x
            _change(screen, target, start, part_of(old.text, first, last), old.styles[first:last])


def _covers(clip: tuple[int, int, int, int], width: int, height: int) -> bool:
    return clip[0] <= 0 and clip[1] <= 0 and clip[2] >= width - 1 and clip[3] >= height - 1


def _scroll_whole(screen: ScreenBuffer, count: int, cell: str, attributes: int) -> None:
    """The whole buffer moves up, as "clear the screen" does it."""
    count = min(count, screen.height)
    blanks = [Row(screen.width, attributes) for _ in range(count)]
    if cell != " ":
        for row in blanks:
            row.text = cell * screen.width
    screen.rows = screen.rows[count:] + blanks
    screen.refresh_all()


__all__ = ["cell_bytes", "fill", "read_rectangle", "read_run", "scroll", "write_rectangle", "write_run"]
