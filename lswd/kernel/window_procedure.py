"""Window procedures and their handles.

A procedure takes texts as ANSI or as Unicode. Whoever asks for one that takes the other gets a handle instead of an
address, which only CallWindowProc understands; classes and windows here keep handles. Wine's user32 tells which
of its own procedures are two in one.
Source: Microsoft "CallWindowProc", "SetWindowLongPtr" (GWLP_WNDPROC); the handles' form from user32's use of them.
"""

from __future__ import annotations

_HANDLES = 0xFFFF
MOST = 4096


class Procedures:
    """The procedures of one process: pairs of an ANSI and a Unicode address, 0 for none."""

    __slots__ = ("_numbers", "_of_user32", "_pairs")

    def __init__(self, of_user32: list[tuple[int, int]]) -> None:
        self._pairs = list(of_user32)
        self._numbers: dict[tuple[int, bool], int] = {}
        for number, (ansi, wide) in enumerate(of_user32):
            for address in (ansi, wide):  # either stands for both: programs confuse them
                if address and ansi and wide:
                    self._numbers.setdefault((address, True), number)
                    self._numbers.setdefault((address, False), number)

    def handle(self, procedure: int, *, ansi: bool) -> int:
        """The handle of a procedure; the procedure itself when it is one, or none, or there are too many."""
        if not procedure or self.pair(procedure) is not None:
            return procedure
        number = self._numbers.get((procedure, ansi))
        if number is None:
            number = len(self._pairs)
            if number >= MOST:
                return procedure
            self._pairs.append((procedure, 0) if ansi else (0, procedure))
            self._numbers[procedure, ansi] = number
        return _HANDLES << 16 | number

    def builtin(self, number: int) -> int:
        """The handle of one of user32's own; 0 when it has not so many."""
        return _HANDLES << 16 | number if number < len(self._pairs) else 0

    def pair(self, handle: int) -> tuple[int, int] | None:
        """The addresses behind a handle; None when it is no handle."""
        number = handle & 0xFFFF
        return self._pairs[number] if handle >> 16 == _HANDLES and number < len(self._pairs) else None

    def address(self, procedure: int, *, ansi: bool) -> int:
        """What a program gets that asks for an ANSI or a Unicode procedure: its address or, without one, a handle."""
        pair = self.pair(procedure)
        return procedure if pair is None else pair[not ansi] or procedure

    def is_unicode(self, procedure: int, default: bool) -> bool:
        """Does it take Unicode? ``default`` for one that takes both, or is unknown."""
        ansi, wide = self.pair(procedure) or (0, 0)
        return default if bool(ansi) == bool(wide) else bool(wide)
