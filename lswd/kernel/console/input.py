"""A console's input: lines edited by the terminal itself, or key records from a terminal in raw mode.

The terminal stays in its own line mode until a program asks for keys (or turns line input off): so type-ahead, line
editing and Ctrl-Z work as in any Unix program. A program that waits for, peeks at or reads records puts it into raw
mode, the next line read puts it back. One task reads the terminal, and only while somebody wants input.
Source: Microsoft "Low-Level Console Input Functions", "High-Level Console I/O", "Console Modes".
"""

from __future__ import annotations

import time

from lswd.kernel.console.code_pages import decode
from lswd.kernel.console.keys import KeyDecoder, character_records, typed_character
from lswd.kernel.console.protocol import (
    DEFAULT_INPUT_MODE,
    ENABLE_ECHO_INPUT,
    ENABLE_LINE_INPUT,
    ENABLE_PROCESSED_INPUT,
    ENABLE_VIRTUAL_TERMINAL_INPUT,
    RECORD_SIZE,
)
from lswd.kernel.file import Waiter, notify, wait_for_change
from lswd.ntdef.status import STATUS_INVALID_HANDLE, NtError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from lswd.host.terminal import Terminal
    from lswd.kernel.console.console import Console

_MOST_RECORDS = 1 << 16
_LONGEST_LINE = 1 << 16
ESCAPE_SECONDS = 0.05  # an escape sequence comes faster than anybody types Escape and another key
_POLLS = 16  # so many questions for the number of records in a row are somebody waiting for a key
_CONTROL_Z = "\x1a"


class InputQueue:
    """See the module's docstring.

    Attributes:
        mode: the input mode.
        records: INPUT_RECORDs not read yet.
    """

    def __init__(self, console: Console, terminal: Terminal) -> None:
        self.mode = DEFAULT_INPUT_MODE
        self.records: list[bytes] = []
        self._console = console
        self._terminal = terminal
        self._keys = KeyDecoder()
        self._keys_at = 0.0
        self._lines: list[bytes] = []  # what the terminal has handed over, in line mode
        self._typed = ""  # of a line typed in raw mode, so far
        self._rest = b""  # UTF-16 of a line that the last read had no room for
        self._rest_bytes = b""  # the same for reads of bytes
        self._wants_records = False
        self._line_readers = 0
        self._readers = 0
        self._polls = 0
        self._ended = terminal.input_fd < 0
        self._waiters: list[Waiter] = []
        self._pumping = False
        self._scope: Any = None

    # ---- modes

    def set_mode(self, mode: int) -> None:
        """SetConsoleMode."""
        self.mode = mode
        self._apply()

    def _apply(self) -> None:
        """Make the terminal's line discipline what reads and modes ask for."""
        echo, signals = bool(self.mode & ENABLE_ECHO_INPUT), bool(self.mode & ENABLE_PROCESSED_INPUT)
        if self._line_readers:  # Ctrl-Z is the end of input then, as on Windows
            self._terminal.set_input(lines=True, echo=echo, signals=signals, suspend=False)
        elif self._wants_records or not self.mode & ENABLE_LINE_INPUT:
            self._terminal.set_input(lines=False, echo=False, signals=signals, suspend=False)
        else:
            self._terminal.set_input(lines=True, echo=echo, signals=signals, suspend=signals)

    # ---- text

    async def read_text(self, limit: int) -> bytes:
        """UTF-16 of at most ``limit`` bytes; b"" at the end of input (and for a limit below 2)."""
        limit &= ~1
        if self._rest_bytes:
            self._rest, self._rest_bytes = decode(self._rest_bytes, self._console.input_code_page), b""
        if not self._rest and limit:
            self._rest = (await self._text()).encode("utf-16-le", "surrogatepass")
        result, self._rest = self._rest[:limit], self._rest[limit:]
        return result

    async def read_bytes(self, limit: int) -> bytes:
        """The same in the input code page; a line that begins with Ctrl-Z is the end of input."""
        if self._rest:
            text = self._rest.decode("utf-16-le", "surrogatepass")
            self._rest_bytes, self._rest = self._console.encode_input(text), b""
        if not self._rest_bytes and limit:
            text = await self._text()
            if text.startswith(_CONTROL_Z) and self.mode & ENABLE_PROCESSED_INPUT and self.mode & ENABLE_LINE_INPUT:
                return b""
            self._rest_bytes = self._console.encode_input(text)
        result, self._rest_bytes = self._rest_bytes[:limit], self._rest_bytes[limit:]
        return result

    async def _text(self) -> str:
        self._polls = 0
        return await (self._line() if self.mode & ENABLE_LINE_INPUT else self._characters())

    async def _line(self) -> str:
        """One line, ended by CR LF; less when Ctrl-D ends it."""
        self._console.flush()
        self._wants_records = False
        self._line_readers += 1
        self._apply()
        try:
            while True:
                line = self._take_line()
                if line is not None:
                    return line
                await self._wait()
        finally:
            self._line_readers -= 1
            self._apply()

    def _take_line(self) -> str | None:
        while self.records:  # typed while the terminal was in raw mode, or put there by WriteConsoleInput
            for character in typed_character(self.records.pop(0)):
                line = self._type(character)
                if line is not None:
                    return line
        data = self._lines.pop(0) if self._lines else self._read_terminal()
        if data is None:
            return None
        text = data.decode("utf-8", "replace")
        line = self._typed + text.replace("\n", "\r\n")
        self._typed = ""
        if self.mode & ENABLE_ECHO_INPUT:
            self._console.echoed(text.replace("\n", "\r\n"))
        return line

    def _read_terminal(self) -> bytes | None:
        if self._ended:
            return b"" if self._gone else None
        return self._terminal.read()

    @property
    def _gone(self) -> bool:
        """There was a terminal to read from, and is no more."""
        return self._ended and self._terminal.input_fd >= 0

    def _type(self, character: str) -> str | None:
        """A character typed into a line that we edit; the line, when this ended it."""
        if character == "\r":
            line, self._typed = self._typed + "\r\n", ""
            self._show("\r\n")
            return line
        if character == "\b":
            if self._typed:
                self._typed = self._typed[:-1]
                self._show("\b \b")
        elif len(self._typed) < _LONGEST_LINE:
            self._typed += character
            self._show(character if character >= " " else f"^{chr(ord(character) ^ 0x40)}")
        return None

    def _show(self, text: str) -> None:
        if self.mode & ENABLE_ECHO_INPUT:
            self._console.write_plain(text)

    async def _characters(self) -> str:
        """What has been typed, at least one character."""
        while True:
            self._drain()
            text = "".join(map(typed_character, self.records))
            self.records.clear()
            if text or self._gone:
                return text
            await self._wait()

    # ---- records

    async def read_records(self, limit: int) -> bytes:
        """At least one and at most ``limit`` records, removed from the queue.

        Raises:
            NtError: STATUS_INVALID_HANDLE when none will ever come: the terminal is gone.
        """
        self._want_records()
        while not self.records:
            if self._gone:
                raise NtError(STATUS_INVALID_HANDLE)
            await self._wait()
        result = b"".join(self.records[:limit])
        del self.records[:limit]
        return result

    def peek_records(self, limit: int) -> bytes:
        """At most ``limit`` records, which stay in the queue."""
        self._want_records()
        return b"".join(self.records[:limit])

    def add_records(self, data: bytes) -> None:
        """Records as if they had come from the keyboard (those that there is no room for are lost)."""
        room = _MOST_RECORDS - len(self.records)
        end = min(len(data) // RECORD_SIZE, room) * RECORD_SIZE
        self.records += [data[i : i + RECORD_SIZE] for i in range(0, end, RECORD_SIZE)]
        self._arrived()

    def count(self) -> int:
        """How many records there are. Asking once may mean the code pages (it is the same IOCTL), asking again and
        again means waiting for a key.
        """
        self._polls += 1
        if self._polls >= _POLLS:
            self._want_records()
        elif self._wants_records:
            self._drain()
        return len(self.records)

    def flush(self) -> None:
        """Forget what has been typed."""
        self._drain()
        while not self._ended and not self._wants_records and self._terminal.read() is not None:
            pass
        self.records.clear()
        self._lines.clear()
        self._typed = ""
        self._rest = self._rest_bytes = b""

    def reply(self, text: str) -> None:
        """The terminal's answer to an escape sequence."""
        self.add_records(b"".join(r for c in text for r in character_records(c)))

    def ready(self) -> bool:
        """Are there records? (Somebody waits for the handle, or looks.)"""
        if self._lines or self._rest or self._rest_bytes:
            return True
        if not self._line_readers:
            self._want_records()
        return bool(self.records)

    def _want_records(self) -> None:
        self._polls = 0
        if not self._wants_records:
            self._console.flush()
            self._wants_records = True
            self._apply()
        self._drain()

    def _drain(self) -> None:
        """Take what the terminal has for us now, as records."""
        if self._ended or self._line_readers or not (self._wants_records or not self.mode & ENABLE_LINE_INPUT):
            return
        while len(self.records) < _MOST_RECORDS:
            data = self._terminal.read()
            if not data:
                self._ended = data == b""
                break
            self.records += self._keys.feed(data, sequences=not self.mode & ENABLE_VIRTUAL_TERMINAL_INPUT)
            self._keys_at = time.monotonic()
        if self._keys.incomplete and time.monotonic() - self._keys_at > ESCAPE_SECONDS:
            self.records += self._keys.give_up()

    # ---- waiting

    async def _wait(self) -> None:
        """Until there is more input (or was)."""
        self._readers += 1
        self.demand_changed()
        try:
            await wait_for_change(self._waiters)
        finally:
            self._readers -= 1
            self.demand_changed()

    def _wanted(self) -> bool:
        return not self._ended and (self._readers > 0 or self._console.input_awaited())

    def demand_changed(self) -> None:
        """Somebody began or ceased to wait for input."""
        if self._wanted():
            if not self._pumping:
                self._pumping = True
                self._console.start_task(self._pump)
        elif self._scope is not None:
            self._scope.cancel()

    def _arrived(self) -> None:
        notify(self._waiters)
        self._console.input_arrived()

    async def _pump(self) -> None:
        """Read the terminal while somebody wants input."""
        import trio

        try:
            while self._wanted():
                with trio.CancelScope() as self._scope:
                    if self._keys.incomplete:
                        with trio.move_on_after(ESCAPE_SECONDS):
                            await self._readable()
                    else:
                        await self._readable()
                self._scope = None
                if self._wanted():
                    self._take()
        finally:
            self._scope = None
            self._pumping = False

    async def _readable(self) -> None:
        import trio

        try:
            await trio.lowlevel.wait_readable(self._terminal.input_fd)
        except OSError:
            self._ended = True

    def _take(self) -> None:
        """There is something to read: for readers of lines as it is, for everybody else as records."""
        if not self._line_readers:
            self._drain()
        elif not self._ended:
            data = self._terminal.read()
            if data is not None:
                self._lines.append(data)
        if self._lines or self.records or self._ended:
            self._arrived()
