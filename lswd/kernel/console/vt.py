"""Escape sequences in a program's output: what ENABLE_VIRTUAL_TERMINAL_PROCESSING makes a screen buffer understand.

They act on the buffer like any other call, and the terminal is brought up to date from there; only what a buffer does
not know (hyperlinks, mouse and paste modes, the cursor's shape) goes through as it is.
Source: Microsoft "Console Virtual Terminal Sequences"; ECMA-48; xterm "Control Sequences".
"""

from __future__ import annotations

from lswd.kernel.console.cells import Row, part_of
from lswd.kernel.console.protocol import DEFAULT_ATTRIBUTES
from lswd.kernel.console.styles import Pen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from lswd.kernel.console.screen import ScreenBuffer

_LONGEST = 8192  # of one sequence; what never ends is dropped
_LARGEST = 32767  # of a parameter
_MOST_PARAMETERS = 32
_STRINGS = "]P^_X"  # OSC, DCS, PM, APC, SOS
# DEC line drawing: ESC ( 0 gives these to the letters from "`" on
_LINES = str.maketrans("`abcdefghijklmnopqrstuvwxyz{|}~", "◆▒␉␌␍␊°±␤␋┘┐┌└┼⎺⎻─⎼⎽├┤┴┬│≤≥π≠£·")
# Modes of the terminal itself: cursor keys, mouse reports, focus reports, bracketed paste
_TERMINAL_MODES = frozenset((1, 9, 1000, 1002, 1003, 1004, 1005, 1006, 1015, 2004))


class VirtualTerminal:
    """The parser of one screen buffer, and the state that only escape sequences have."""

    def __init__(self, screen: ScreenBuffer) -> None:
        self._screen = screen
        self._pending = ""
        self._pen = Pen()
        self._pen.reset(screen.style & 0xFFFF)
        self._drawing = False
        self._saved = (0, 0, screen.style)
        self._main: tuple[list[Row], int, int] | None = None
        self._finals: dict[str, Callable[[list[int]], None]] = {
            "A": lambda p: self._move(0, -self._count(p)),
            "B": lambda p: self._move(0, self._count(p)),
            "C": lambda p: self._move(self._count(p), 0),
            "D": lambda p: self._move(-self._count(p), 0),
            "E": lambda p: self._to(0, self._row + self._count(p)),
            "F": lambda p: self._to(0, self._row - self._count(p)),
            "G": lambda p: self._to(self._count(p) - 1, self._row),
            "H": lambda p: self._to(self._count(p, 1) - 1, self._count(p) - 1),
            "J": self._erase_display,
            "K": self._erase_line,
            "L": lambda p: self._shift_lines(self._count(p)),
            "M": lambda p: self._shift_lines(-self._count(p)),
            "P": lambda p: self._shift_cells(-self._count(p)),
            "@": lambda p: self._shift_cells(self._count(p)),
            "S": lambda p: screen.scroll_up(self._count(p)),
            "T": lambda p: screen.scroll_down(self._count(p)),
            "X": lambda p: self._blank(self._row, screen.x, screen.x + self._count(p)),
            "d": lambda p: self._to(screen.x, self._count(p) - 1),
            "m": self._sgr,
            "n": self._report,
            "r": self._margins,
            "s": lambda p: self._save(),
            "u": lambda p: self._restore(),
            "c": lambda p: screen.console.reply("\x1b[?1;0c"),
        }
        self._finals["f"] = self._finals["H"]
        self._finals["`"] = self._finals["G"]

    @property
    def _row(self) -> int:
        """The cursor's row in the window, which is what sequences count in."""
        return self._screen.y - self._screen.window_top

    @staticmethod
    def _count(parameters: list[int], index: int = 0) -> int:
        value = parameters[index] if index < len(parameters) else 0
        return value or 1

    # ---- parsing

    def feed(self, text: str) -> None:
        """Write text that may hold escape sequences, whole or in part."""
        if self._pending:
            text, self._pending = self._pending + text, ""
        at = 0
        while True:
            escape = text.find("\x1b", at)
            plain = text[at:] if escape < 0 else text[at:escape]
            if plain:
                self._screen.write_plain(plain.translate(_LINES) if self._drawing else plain)
            if escape < 0:
                return
            end = self._end_of(text, escape)
            if end < 0:
                if len(text) - escape <= _LONGEST:
                    self._pending = text[escape:]
                return
            self._carry_out(text[escape:end])
            at = end

    @staticmethod
    def _end_of(text: str, start: int) -> int:
        """Where the sequence at ``start`` ends; -1 when its end has not come yet."""
        length = len(text)
        if start + 1 >= length:
            return -1
        kind = text[start + 1]
        i = start + 2
        if kind == "[":
            while i < length:
                if "@" <= text[i] <= "~":
                    return i + 1
                if not " " <= text[i] <= "?":
                    return i  # broken off: what is there now is text again
                i += 1
            return -1
        if kind in _STRINGS:
            while i < length:
                if text[i] == "\a":
                    return i + 1
                if text[i] == "\x1b":
                    if i + 1 >= length:
                        return -1
                    return i + 2 if text[i + 1] == "\\" else i
                i += 1
            return -1
        while " " <= kind <= "/":
            if i >= length:
                return -1
            kind = text[i]
            i += 1
        return i

    def _carry_out(self, sequence: str) -> None:
        kind, body = sequence[1], sequence[2:]
        if kind == "[":
            self._control_sequence(body)
        elif kind == "]":
            self._system_command(body)
        elif kind == "(":
            self._drawing = body == "0"
        else:
            self._escape(kind)

    def _escape(self, kind: str) -> None:
        screen = self._screen
        if kind == "7":
            self._save()
        elif kind == "8":
            self._restore()
        elif kind == "D":
            screen.line_feed(False)
        elif kind == "E":
            screen.line_feed(True)
        elif kind == "M":
            screen.reverse_line_feed()
        elif kind == "c":
            self._pen.reset()
            screen.style = self._pen.style
            self._drawing = False
            self._margins([])
            self._erase_display([2])

    def _control_sequence(self, body: str) -> None:
        if not body or not "@" <= body[-1] <= "~":
            return
        final, text = body[-1], body[:-1]
        if text.startswith("?"):
            self._private(text[1:], final)
        elif text.endswith(" ") and final == "q":
            if self._screen.display is not None:
                self._screen.display.raw(f"\x1b[{text}{final}")
        elif text == "!" and final == "p":
            self._escape("c")
        else:
            action = self._finals.get(final)
            if action is not None and not text.strip("0123456789;:"):
                action(self._parameters(text))

    @staticmethod
    def _parameters(text: str) -> list[int]:
        parts = text.replace(":", ";").split(";")[:_MOST_PARAMETERS]
        return [min(int(p[:6]), _LARGEST) if p else 0 for p in parts]

    def _private(self, text: str, final: str) -> None:
        """``ESC [ ? modes h`` and ``l``."""
        if final not in "hl" or text.strip("0123456789;"):
            return
        on = final == "h"
        for mode in self._parameters(text):
            if mode == 25:
                self._screen.cursor_visible = on
            elif mode in (47, 1047, 1049):
                self._alternate(on)
            elif mode in _TERMINAL_MODES and self._screen.display is not None:
                self._screen.display.set_mode(str(mode), on)

    def _system_command(self, body: str) -> None:
        body = body.removesuffix("\a").removesuffix("\x1b\\")
        number, _, text = body.partition(";")
        if number in ("0", "2"):
            self._screen.console.set_title(text[:1024])
        elif number == "8" and self._screen.display is not None and text.isprintable():
            self._screen.display.raw(f"\x1b]8;{text}\x1b\\")

    # ---- moving

    def _to(self, x: int, row: int) -> None:
        screen = self._screen
        y = screen.window_top + max(0, min(row, screen.window_height - 1))
        screen.move_to(max(0, min(x, screen.width - 1)), y)

    def _move(self, across: int, down: int) -> None:
        """Relative movement stays between the scrolling margins when it starts there."""
        screen = self._screen
        y = screen.y + down
        if screen.top <= screen.y <= screen.bottom and down:
            y = max(screen.top, min(y, screen.bottom))
        self._to(screen.x + across, y - screen.window_top)

    def _save(self) -> None:
        self._saved = (self._screen.x, self._row, self._screen.style)

    def _restore(self) -> None:
        x, row, style = self._saved
        self._to(x, row)
        self._screen.style = style

    def _margins(self, parameters: list[int]) -> None:
        screen = self._screen
        first = self._count(parameters) - 1
        wanted = parameters[1] if len(parameters) > 1 else 0
        last = min(wanted or screen.window_height, screen.window_height)
        if first >= last - 1:
            return
        if (first, last) == (0, screen.window_height):
            screen.top, screen.bottom = 0, screen.height - 1
        else:
            screen.top, screen.bottom = screen.window_top + first, screen.window_top + last - 1
        self._to(0, 0)

    # ---- erasing and shifting

    def _blank(self, row: int, start: int, end: int) -> None:
        screen = self._screen
        y = screen.window_top + row
        end = min(end, screen.width)
        if start < end and y < screen.height:
            screen.rows[y].put(start, " " * (end - start), screen.style)
            screen.refresh(y, max(0, start - 1), end + 1)  # wide characters may have lost a half

    def _erase_line(self, parameters: list[int]) -> None:
        screen, kind = self._screen, parameters[0]
        if kind in (0, 1, 2):
            self._blank(self._row, screen.x if kind == 0 else 0, screen.x + 1 if kind == 1 else screen.width)

    def _erase_display(self, parameters: list[int]) -> None:
        screen, kind = self._screen, parameters[0]
        first, last = {0: (self._row + 1, screen.window_height), 1: (0, self._row)}.get(kind, (0, screen.window_height))
        if kind in (0, 1):
            self._erase_line(parameters)
        for row in range(first, last):
            screen.rows[screen.window_top + row] = Row(screen.width, screen.style)
        screen.refresh_rows(screen.window_top + first, screen.window_top + last - 1)

    def _shift_lines(self, count: int) -> None:
        """Insert blank lines at the cursor, or (negative) delete lines there."""
        screen = self._screen
        if not screen.top <= screen.y <= screen.bottom:
            return
        top, screen.top = screen.top, screen.y
        bottom = screen.bottom
        try:
            if bottom == screen.height - 1:
                screen.bottom = screen.window_top + screen.window_height - 1
            if count > 0:
                screen.scroll_down(count)
            elif screen.top == 0 and screen.bottom == screen.height - 1:
                self._delete_all(-count)
            else:
                screen.scroll_up(-count)
        finally:
            screen.top, screen.bottom = top, bottom
        screen.x = 0

    def _delete_all(self, count: int) -> None:
        """Delete lines from the buffer's top: unlike scrolling, that leaves no history."""
        screen = self._screen
        count = min(count, screen.height)
        screen.rows = screen.rows[count:] + [Row(screen.width, screen.style) for _ in range(count)]
        screen.refresh_all()

    def _shift_cells(self, count: int) -> None:
        """Insert blank cells at the cursor, or (negative) delete cells there."""
        screen = self._screen
        row, x, width = screen.rows[screen.y], screen.x, screen.width
        many = min(abs(count), width - x)
        if count > 0:
            text, styles = part_of(row.text, x, width - many), row.styles[x : width - many]
            row.put(x, " " * many + text, screen.style)
            row.styles[x + many :] = styles
        else:
            text, styles = part_of(row.text, x + many, width), row.styles[x + many :]
            row.put(x, text + " " * many, screen.style)
            row.styles[x : x + len(styles)] = styles
        screen.refresh(screen.y, max(0, x - 1))

    # ---- everything else

    def _sgr(self, parameters: list[int]) -> None:
        if self._pen.style != self._screen.style:  # changed behind our back by SetConsoleTextAttribute
            self._pen.reset(self._screen.style & 0xFFFF)
        self._pen.apply(parameters)
        self._screen.style = self._pen.style

    def _report(self, parameters: list[int]) -> None:
        if parameters[0] == 5:
            self._screen.console.reply("\x1b[0n")
        elif parameters[0] == 6:
            self._screen.console.reply(f"\x1b[{self._row + 1};{self._screen.x + 1}R")

    def _alternate(self, on: bool) -> None:
        """The other screen: blank when it comes, gone with its contents when it goes."""
        screen = self._screen
        if on == (self._main is not None):
            return
        if on:
            self._main = (screen.rows, screen.x, screen.y)
            screen.rows = [Row(screen.width, DEFAULT_ATTRIBUTES) for _ in range(screen.height)]
            if screen.display is not None:
                screen.display.alternate(True)
            screen.move_to(screen.x, screen.window_top)
        else:
            assert self._main is not None
            screen.rows, x, y = self._main
            self._main = None
            for row in screen.rows:
                row.resize(screen.width, DEFAULT_ATTRIBUTES)
            del screen.rows[screen.height :]
            screen.rows += [Row(screen.width, DEFAULT_ATTRIBUTES) for _ in range(screen.height - len(screen.rows))]
            if screen.display is not None:
                screen.display.alternate(False)
            screen.move_to(min(x, screen.width - 1), min(y, screen.height - 1))


__all__ = ["VirtualTerminal"]
