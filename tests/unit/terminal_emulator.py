"""A terminal to look at: carries out what a console sends it, as the independent judge of what a person would see."""

from __future__ import annotations

import unicodedata


class Emulator:
    """A screen of ``width`` by ``height`` with a history above it.

    Attributes:
        lines: history and screen, each line a list of (character, SGR parameters); a wide character is followed by ""
        x, y: the cursor; y counts from the first line of history.
    """

    def __init__(self, width: int, height: int, row: int = 0) -> None:
        """The cursor starts in ``row`` of a screen that has something on it already."""
        self.width, self.height = width, height
        self.lines = [[("#", "")] * width if y < row else self._blank() for y in range(height)]
        self.x, self.y = 0, row
        self.wrapped = False
        self.sgr = ""
        self.visible = True
        self.bells = 0
        self.titles: list[str] = []
        self.modes: set[str] = set()
        self.plain: list[str] = []  # everything, as it came
        self._main: tuple[list[list[tuple[str, str]]], int, int] | None = None

    def _blank(self) -> list[tuple[str, str]]:
        return [(" ", "")] * self.width

    @property
    def top(self) -> int:
        """The first line of the screen."""
        return len(self.lines) - self.height

    @property
    def alternate(self) -> bool:
        return self._main is not None

    def rows(self, first: int, count: int) -> list[str]:
        """The text of lines."""
        return ["".join(c for c, _ in line) for line in self.lines[first : first + count]]

    def styles(self, line: int) -> list[str]:
        return [style for _, style in self.lines[line]]

    # ---- what is sent

    def feed(self, text: str) -> None:
        self.plain.append(text)
        i = 0
        while i < len(text):
            character = text[i]
            i += 1
            if character == "\x1b":
                i = self._escape(text, i)
            elif character == "\n":  # the host's line discipline makes CR LF of it
                self.x, self.wrapped = 0, False
                self._down()
            elif character == "\r":
                self.x, self.wrapped = 0, False
            elif character == "\b":
                self.x, self.wrapped = max(0, self.x - 1), False
            elif character == "\a":
                self.bells += 1
            else:
                assert character >= " ", f"control character {character!r}"
                self._print(character)

    def _down(self) -> None:
        if self.y == len(self.lines) - 1:
            if self.alternate:
                del self.lines[self.top]
                self.y -= 1
            colored = "48" in self.sgr or "4" in [p[:1] for p in self.sgr.split(";") if len(p) == 2]
            self.lines.append([(" ", self.sgr if colored else "")] * self.width)
        self.y += 1

    def _print(self, character: str) -> None:
        if unicodedata.category(character) in ("Mn", "Me", "Cf"):
            return
        cells = 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1
        if self.wrapped or self.x + cells > self.width:
            self.x, self.wrapped = 0, False
            self._down()
        line = self.lines[self.y]
        if line[self.x][0] == "":
            line[self.x - 1] = (" ", line[self.x - 1][1])
        end = self.x + cells
        if end < self.width and line[end][0] == "":
            line[end] = (" ", line[end][1])
        line[self.x] = (character, self.sgr)
        if cells == 2:
            line[self.x + 1] = ("", self.sgr)
        self.x = end
        if self.x == self.width:
            self.x, self.wrapped = self.width - 1, True

    def _escape(self, text: str, i: int) -> int:
        kind = text[i]
        if kind == "]":
            end = text.index("\a", i) if "\a" in text[i:] else text.index("\x1b\\", i) + 1
            if text[i : i + 3] == "]0;":
                self.titles.append(text[i + 3 : end])
            return end + 1
        assert kind == "[", text[i - 1 : i + 8]
        end = i + 1
        while not "@" <= text[end] <= "~":
            end += 1
        body, final = text[i + 1 : end], text[end]
        if body.startswith("?"):
            self._mode(body[1:], final == "h")
        elif final == "m":
            self.sgr = body.removeprefix("0;")
        elif final not in "tq":
            self.wrapped = False
            self._move(final, int(body) if body else 0)
        return end + 1

    def _move(self, final: str, count: int) -> None:
        if final == "A":
            self.y = max(self.top, self.y - max(1, count))
        elif final == "B":
            self.y = min(len(self.lines) - 1, self.y + max(1, count))
        elif final == "C":
            self.x = min(self.width - 1, self.x + max(1, count))
        elif final == "H":
            self.x, self.y = 0, self.top
        elif final == "K":
            self._erase(self.x, self.y)
        elif final == "J":
            self._erase(self.x, self.y)
            for y in range(self.y + 1, len(self.lines)):
                self._erase(0, y)
        else:
            raise AssertionError(f"ESC [ {count} {final}")

    def _erase(self, x: int, y: int) -> None:
        self.lines[y][x:] = [(" ", self.sgr)] * (self.width - x)

    def _mode(self, number: str, on: bool) -> None:
        if number == "25":
            self.visible = on
        elif number == "1049" and on:
            self._main = (self.lines, self.x, self.y)
            self.lines = [self._blank() for _ in range(self.height)]
            self.y = min(self.y - (len(self._main[0]) - self.height), self.height - 1)
        elif number == "1049":
            assert self._main is not None
            self.lines, self.x, self.y = self._main
            self._main = None
        else:
            (self.modes.add if on else self.modes.discard)(number)


class FakeTerminal:
    """What a console takes for its terminal: an emulator, and a script of what is typed."""

    def __init__(self, emulator: Emulator, typed: list[bytes] | None = None) -> None:
        self.emulator = emulator
        self.typed = typed or []
        self.input_fd, self.output_fd = 0, 1
        self.newline = "\n"
        self.settings: list[tuple[bool, bool, bool, bool]] = []
        self.restored = 0

    def size(self) -> tuple[int, int]:
        return self.emulator.width, self.emulator.height

    def write(self, data: bytes) -> None:
        self.emulator.feed(data.decode("utf-8"))

    def read(self, limit: int = 4096) -> bytes | None:
        return self.typed.pop(0) if self.typed else None

    def set_input(self, *, lines: bool, echo: bool, signals: bool, suspend: bool) -> None:
        self.settings.append((lines, echo, signals, suspend))

    def reapply(self) -> None: ...

    def restore(self) -> None:
        self.restored += 1
