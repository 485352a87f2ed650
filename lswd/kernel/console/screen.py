"""A screen buffer: a grid of cells with a cursor, and text written onto it the way Windows writes it.

The window is the part of the buffer that the terminal shows: as wide and high as the terminal, at the buffer's left
edge, and following the cursor. Source: Microsoft "Console Screen Buffers", "High-Level Console Modes".
"""

from __future__ import annotations

from lswd.kernel.console.cells import REPLACEMENT, TAIL, Row, cell_width, is_simple
from lswd.kernel.console.protocol import (
    DEFAULT_ATTRIBUTES,
    DEFAULT_OUTPUT_MODE,
    DISABLE_NEWLINE_AUTO_RETURN,
    ENABLE_PROCESSED_OUTPUT,
    ENABLE_VIRTUAL_TERMINAL_PROCESSING,
    ENABLE_WRAP_AT_EOL_OUTPUT,
)
from lswd.kernel.console.styles import has_background

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.kernel.console.console import Console
    from lswd.kernel.console.display import Display
    from lswd.kernel.console.vt import VirtualTerminal

MOST_CELLS = 4 << 20
MOST_ROWS_OR_COLUMNS = 32767
_TAB = 8


class ScreenBuffer:
    """See the module's docstring.

    Attributes:
        x, y: the cursor; ``wrapped``: it stands behind the last column (VT programs only).
        style: what text is written in; ``mode``: the output mode.
        window_top: the buffer's row that the window begins with.
        display: the terminal while the buffer is the active one, else None.
        opens: how many file objects are open on this very buffer.
        top, bottom: the rows that scroll, as escape sequences may limit them.
    """

    def __init__(self, console: Console, width: int, height: int, style: int = DEFAULT_ATTRIBUTES) -> None:
        self.console = console
        self.width, self.height = width, height
        self.rows = [Row(width, style) for _ in range(height)]
        self.x = self.y = 0
        self.wrapped = False
        self.style = style
        self.mode = DEFAULT_OUTPUT_MODE
        self.popup_attributes = 0xF5
        self.cursor_size = 25
        self.cursor_visible = True
        self.window_top = 0
        self.window_width, self.window_height = width, height
        self.display: Display | None = None
        self.opens = 0
        self.top, self.bottom = 0, height - 1
        self._vt: VirtualTerminal | None = None
        self._surrogate = ""

    # ---- text

    def write(self, text: str) -> None:
        """Write ``text`` (lone surrogates allowed) at the cursor, as the mode says."""
        if self._surrogate or not text.isascii():
            text = self._whole(text)
        if self.mode & ENABLE_VIRTUAL_TERMINAL_PROCESSING:
            if self._vt is None:
                from lswd.kernel.console.vt import VirtualTerminal

                self._vt = VirtualTerminal(self)
            self._vt.feed(text)
        else:
            self.write_plain(text)

    def _whole(self, text: str) -> str:
        """``text`` with its surrogate pairs as characters; a half at the end waits for the next write."""
        text = self._surrogate + text
        self._surrogate = ""
        if text and "\ud800" <= text[-1] <= "\udbff":
            self._surrogate, text = text[-1], text[:-1]
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").replace(TAIL, REPLACEMENT)

    def write_plain(self, text: str) -> None:
        """Write text without escape sequences."""
        if not self.mode & ENABLE_PROCESSED_OUTPUT:
            self.put(text)
            return
        start = 0
        for i, character in enumerate(text):
            if character < " " and character in "\a\b\t\n\r":
                if start < i:
                    self.put(text[start:i])
                start = i + 1
                self.control(character)
        if start < len(text):
            self.put(text[start:] if start else text)

    def control(self, character: str) -> None:
        """Carry out one of the control characters BEL, BS, TAB, LF, CR."""
        if character == "\n":
            self.line_feed(self.mode & DISABLE_NEWLINE_AUTO_RETURN == 0)
            return
        if character == "\a":
            self.console.beep()
            return
        self.wrapped = False
        if character == "\r":
            self.x = 0
        elif character == "\b":
            self.x = max(0, self.x - 1)
        elif self.mode & ENABLE_VIRTUAL_TERMINAL_PROCESSING:
            self.x = min(self.x // _TAB * _TAB + _TAB, self.width - 1)
        else:
            self.put(" " * (min(self.x // _TAB * _TAB + _TAB, self.width) - self.x))

    def put(self, text: str) -> None:
        """Write characters that move the cursor and do nothing else."""
        if is_simple(text):
            self._put_simple(text)
            return
        for character in text:
            width = cell_width(character)
            if not width:
                self._combine(character)
                continue
            if self.wrapped or self.x + width > self.width:
                self._next_line(width)
            cells = character + TAIL * (width - 1)
            self._draw(self.x, self.y, cells[: self.width - self.x])
            self._advance(width)

    def _put_simple(self, text: str) -> None:
        at, length = 0, len(text)
        wrap = self.mode & ENABLE_WRAP_AT_EOL_OUTPUT
        while at < length:
            if self.wrapped:
                self._next_line(1)
            room = self.width - self.x
            if length - at > room and not wrap:  # the last column takes the last character
                self._draw(self.x, self.y, text[at : at + room - 1] + text[-1])
                self.x = self.width - 1
                return
            part = text[at : at + room] if at or length > room else text
            self._draw(self.x, self.y, part)
            at += len(part)
            self._advance(len(part))

    def _advance(self, cells: int) -> None:
        self.x += cells
        if self.x >= self.width:
            self.x = self.width - 1
            if not self.mode & ENABLE_WRAP_AT_EOL_OUTPUT:
                return
            delayed = ENABLE_VIRTUAL_TERMINAL_PROCESSING | DISABLE_NEWLINE_AUTO_RETURN
            if self.mode & delayed == delayed:
                self.wrapped = True
            else:
                self.line_feed(True)

    def _next_line(self, width: int) -> None:
        """The next character does not fit any more."""
        if self.wrapped or self.mode & ENABLE_WRAP_AT_EOL_OUTPUT:
            self.line_feed(True)
        else:
            self.x = max(0, self.width - width)

    def _combine(self, mark: str) -> None:
        """Show a character without cells of its own: it goes with the one before."""
        display = self.display
        if display is not None and self.x and display.x == self.x and display.y == self.y - self.window_top:
            display.draw(self.x, display.y, mark, self.style, 0)

    def _draw(self, x: int, y: int, cells: str) -> None:
        self.rows[y].put(x, cells, self.style)
        display = self.display
        if display is not None:
            row = y - self.window_top
            if 0 <= row < self.window_height:
                text = cells if cells.isascii() else cells.replace(TAIL, "")
                display.draw(x, row, text, self.style, len(cells))

    # ---- the cursor and scrolling

    def line_feed(self, carriage_return: bool) -> None:
        """Down one row, scrolling when there is none."""
        self.wrapped = False
        if carriage_return:
            self.x = 0
        if self.y == self.bottom:
            self.scroll_up(1)
        elif self.y < self.height - 1:
            self.move_to(self.x, self.y + 1)

    def reverse_line_feed(self) -> None:
        """Up one row, scrolling when there is none."""
        self.wrapped = False
        if self.y == self.top:
            self.scroll_down(1)
        elif self.y:
            self.move_to(self.x, self.y - 1)

    def move_to(self, x: int, y: int) -> None:
        """Place the cursor inside the buffer; the window follows."""
        self.x, self.y, self.wrapped = x, y, False
        below = y - (self.window_top + self.window_height) + 1
        if below > 0:
            self.window_top += below
            if self.display is not None:
                self.display.scrolled(below)
                for row in range(y - below + 1, y + 1):
                    self.refresh(row)
        elif y < self.window_top:
            self.window_top = y
            self.refresh_all()

    def scroll_up(self, count: int) -> None:
        """Move the scrolling rows up; blanks come in below."""
        count = min(count, self.bottom - self.top + 1)
        del self.rows[self.top : self.top + count]
        blank = self.style if self.mode & ENABLE_VIRTUAL_TERMINAL_PROCESSING else self.style & 0xFFFF
        self.rows[self.bottom - count + 1 : self.bottom - count + 1] = [Row(self.width, blank) for _ in range(count)]
        whole = not self.top and self.bottom == self.height - 1
        if whole and self.display is not None and self.window_top + self.window_height == self.height:
            self.display.scrolled(count)
            for y in range(self.height - count, self.height):
                self.refresh(y)
        else:
            self.refresh_rows(self.top, self.bottom)

    def scroll_down(self, count: int) -> None:
        """Move the scrolling rows down; blanks come in above."""
        count = min(count, self.bottom - self.top + 1)
        del self.rows[self.bottom - count + 1 : self.bottom + 1]
        self.rows[self.top : self.top] = [Row(self.width, self.style) for _ in range(count)]
        self.refresh_rows(self.top, self.bottom)

    # ---- bringing the terminal up to date

    def refresh(self, y: int, start: int = 0, end: int = -1) -> None:
        """Show the cells ``start`` to ``end`` of a row again."""
        display, shown = self.display, y - self.window_top
        if display is None or not 0 <= shown < self.window_height:
            return
        row = self.rows[y]
        text, styles = row.text, row.styles
        if end < 0 or end > self.width:
            end = self.width
        if start and text[start] == TAIL:
            start -= 1
        if end < self.width and text[end] == TAIL:
            end += 1
        blank_from = end
        fresh = shown >= display.rows and not has_background(styles[-1])  # the line will come as blank as it is
        if end == self.width:
            blank_from = max(start, row.content_end(styles[-1]))
            if end - blank_from < 4 and not fresh:
                blank_from = end
        x = start
        while x < blank_from:
            style = styles[x]
            stop = x + 1
            while stop < blank_from and styles[stop] == style:
                stop += 1
            part = text[x:stop]
            display.draw(x, shown, part if part.isascii() else part.replace(TAIL, ""), style, stop - x)
            x = stop
        if blank_from < end and not fresh:
            display.erase_rest(blank_from, shown, styles[-1])

    def refresh_rows(self, first: int, last: int) -> None:
        """Show rows again, ``last`` included."""
        display = self.display
        if display is None:
            return
        bottom = self.window_top + self.window_height - 1
        first, last = max(first, self.window_top), min(last, bottom)
        used = bottom
        while used >= first and self.rows[used].is_blank(DEFAULT_ATTRIBUTES):
            used -= 1
        for y in range(first, min(last, used) + 1):
            self.refresh(y)
        if used < last:
            display.erase_below(used + 1 - self.window_top)

    def refresh_all(self) -> None:
        """Show the whole window again."""
        self.refresh_rows(self.window_top, self.window_top + self.window_height - 1)

    def flush(self) -> None:
        """Let the terminal catch up."""
        if self.display is not None:
            row = self.y - self.window_top
            self.display.flush(self.x, max(0, min(row, self.window_height - 1)), self.cursor_visible)

    def echo(self, text: str) -> None:
        """The terminal has echoed ``text``: take it into the grid."""
        display = self.display
        if display is None:
            return
        style = display.style
        self.write_plain(text)
        display.echoed(self.x, self.y - self.window_top, style)

    # ---- size

    def resize(self, width: int, height: int) -> None:
        """Change the buffer's size, keeping the rows around the cursor."""
        for row in self.rows:
            row.resize(width, self.style)
        surplus = self.y - height + 1
        if surplus > 0:
            del self.rows[:surplus]
            self.y -= surplus
            self.window_top = max(0, self.window_top - surplus)
            if self.display is not None:
                self.display.scrolled(surplus)
        del self.rows[height:]
        self.rows += [Row(width, self.style) for _ in range(height - len(self.rows))]
        self.width, self.height = width, height
        self.x, self.wrapped = min(self.x, width - 1), False
        self.top, self.bottom = 0, height - 1
        self.set_window_size(self.window_width, self.window_height)

    def set_window_size(self, width: int, height: int) -> None:
        """How much of the buffer the terminal can show."""
        self.window_width, self.window_height = min(width, self.width), min(height, self.height)
        before = self.window_top
        self.window_top = min(self.window_top, self.height - self.window_height)
        self.window_top = max(self.window_top, self.y - self.window_height + 1)
        if self.display is not None:
            self.display.scrolled(self.window_top - before)
