"""What the terminal shows of the active screen buffer, kept up to date with as little output as possible.

Where on the terminal a program starts is not known, and its screen is not ours to clear. So everything is relative: row
0 is the line the program started on, going down creates lines with newlines (which scrolls the terminal when it must),
going up and across are relative movements. A program that only prints comes out as plain text; one that paints its
whole window pushes what was there before into the terminal's history.
Source: ECMA-48 (CUU, CUD, CUF, EL, ED), xterm "Control Sequences".
"""

from __future__ import annotations

from lswd.kernel.console.protocol import DEFAULT_ATTRIBUTES
from lswd.kernel.console.styles import has_background, sgr

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.host.terminal import Terminal

# How the characters that are no characters look on Windows (code page 437's pictures for them).
_PICTURES = dict(enumerate(" ☺☻♥♦♣♠•◘○◙♂♀♪♫☼►◄↕‼¶§▬↨↑↓→←∟↔▲▼")) | {0x7F: "⌂"}
_PICTURES |= dict.fromkeys((*range(0x80, 0xA0), *range(0xD800, 0xE000), 0x2028, 0x2029, 0xFFFF), "\ufffd")


class Display:
    """See the module's docstring. Positions are columns and rows of the window.

    Attributes:
        width, height: the terminal's.
        x, y: where its cursor is; ``x == width`` means "behind the last column, the next character wraps".
        rows: how many rows of the window exist on the terminal so far.
    """

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self.width, self.height = terminal.size()
        self.x = self.y = 0
        self.rows = 1
        self._style = DEFAULT_ATTRIBUTES
        self._cursor_visible = True
        self._out: list[str] = []
        self._main: tuple[int, int, int] | None = None  # x, y and rows of the main screen, while the other one is shown
        self._titled = False
        self._modes: set[str] = set()
        self._attached = True

    def resized(self) -> None:
        """The terminal has a new size."""
        self.width, self.height = self._terminal.size()
        self.x = min(self.x, self.width)
        self.rows = min(self.rows, self.height)
        self.y = min(self.y, self.height - 1)

    # ---- drawing

    def draw(self, x: int, y: int, text: str, style: int, cells: int) -> None:
        """Show ``text``, which takes ``cells`` cells and does not reach over the end of the row."""
        if x + cells > self.width:
            if x >= self.width:
                return
            cells = self.width - x
            text = text[:cells]
        self._go(x, y, printing=True)
        self._set_style(style)
        self._out.append(text if text.isprintable() else text.translate(_PICTURES))
        self.x += cells

    def erase_rest(self, x: int, y: int, style: int) -> None:
        """Blank a row from ``x`` on."""
        if x < self.width:
            self._go(x, y)
            self._set_style(style)
            self._out.append("\x1b[K")

    def erase_below(self, y: int) -> None:
        """Blank row ``y`` and all below, in the default style."""
        if y >= self.rows:
            return
        self._go(0, y)
        self._set_style(DEFAULT_ATTRIBUTES)
        self._out.append("\x1b[J")
        if self._main is None:
            self.rows = max(y, 0) + 1

    def scrolled(self, count: int) -> None:
        """The window's rows have moved up: lines that exist keep their place in the terminal's history."""
        self.y -= count
        self.rows = max(self.rows - count, self.y + 1)

    def bell(self) -> None:
        self._out.append("\a")

    def raw(self, sequence: str) -> None:
        """An escape sequence that does not move the cursor, as it is."""
        self._out.append(sequence)

    def set_mode(self, parameters: str, on: bool) -> None:
        """A private terminal mode, undone at the end (``parameters``: as in ``ESC [ ? 2004 h``)."""
        (self._modes.add if on else self._modes.discard)(parameters)
        self._out.append(f"\x1b[?{parameters}{'h' if on else 'l'}")

    def title(self, text: str) -> None:
        """Name the terminal's window; its own title comes back at the end."""
        if not self._titled:
            self._titled = True
            self._out.append("\x1b[22;0t")
        clean = "".join(c for c in text if c.isprintable())
        self._out.append(f"\x1b]0;{clean}\a")

    def alternate(self, on: bool) -> None:
        """Show the terminal's other screen, which is blank, or the main one again."""
        if on == (self._main is not None):
            return
        if on:
            self._set_style(DEFAULT_ATTRIBUTES)
            self._main = (self.x, self.y, self.rows)
            self._out.append("\x1b[?1049h\x1b[H")
            self.x = self.y = 0
            self.rows = self.height
        else:
            assert self._main is not None
            self._set_style(DEFAULT_ATTRIBUTES)
            self._out.append("\x1b[?1049l")
            self.x, self.y, self.rows = self._main
            self._main = None

    # ---- output

    def flush(self, x: int, y: int, visible: bool) -> None:
        """Put the cursor where it belongs and send everything."""
        self._go(min(x, self.width - 1), y)
        if visible != self._cursor_visible:
            self._cursor_visible = visible
            self._out.append("\x1b[?25h" if visible else "\x1b[?25l")
        self._send()

    def echoed(self, x: int, y: int, style: int) -> None:
        """What was drawn since the last flush is there already, up to the cursor: the terminal, writing in ``style``,
        has echoed what was typed.
        """
        self._go(x, y)
        self._out.clear()
        self._style = style

    def _send(self) -> None:
        if self._out:
            data = "".join(self._out).encode("utf-8", "replace")
            self._out.clear()
            self._terminal.write(data)

    def detach(self) -> None:
        """Leave the terminal as a well-behaved program leaves it."""
        if not self._attached:
            return
        self._attached = False
        self.alternate(False)
        for parameters in sorted(self._modes):
            self._out.append(f"\x1b[?{parameters}l")
        self._set_style(DEFAULT_ATTRIBUTES)
        if not self._cursor_visible:
            self._out.append("\x1b[?25h")
        if self._titled:
            self._out.append("\x1b[23;0t")
        self._send()

    def _set_style(self, style: int) -> None:
        if style != self._style:
            self._style = style
            self._out.append(sgr(style))

    @property
    def style(self) -> int:
        """The style the terminal writes in now."""
        return self._style

    def _go(self, x: int, y: int, *, printing: bool = False) -> None:
        out = self._out
        if x == self.x and y == self.y:
            return
        colored = y >= self.rows and has_background(self._style)  # new lines get that background on many terminals
        if self.x >= self.width:
            if printing and not x and y == self.y + 1 and not colored:  # the terminal wraps by itself
                self.x, self.y = 0, y
                self.rows = max(self.rows, y + 1)
                return
            out.append("\r")
            self.x = 0
        down = y - self.y
        if down > 0:
            if colored:
                self._set_style(DEFAULT_ATTRIBUTES)
            if y >= self.rows or (down <= 4 and not x):
                out.append(self._terminal.newline * down)
                self.x = 0
                self.rows = max(self.rows, y + 1)
            else:
                out.append(f"\x1b[{down}B")
        elif down < 0:
            out.append(f"\x1b[{-down}A")
        self.y = y
        across = x - self.x
        if not across:
            return
        if not x:
            out.append("\r")
        elif across > 0:
            out.append(f"\x1b[{across}C")
        elif across >= -4:
            out.append("\b" * -across)
        else:
            out.append(f"\r\x1b[{x}C")
        self.x = x
