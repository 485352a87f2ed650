"""How much one session may write to the daemon's log: what it says is its user's, who shall not fill it.

Lines beyond the limit are left out, which is said when it begins, and how many when there is room again or the session
has ended.
"""

from __future__ import annotations

import trio

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

MOST_LINES, PERIOD_SECONDS = 100, 600


class LimitedLog:
    """Passes on up to MOST_LINES lines in PERIOD_SECONDS."""

    def __init__(self, write: Callable[[str], None]) -> None:
        """``write`` takes a line."""
        self._write = write
        self._began = trio.current_time()
        self._lines = self._left_out = 0

    def say(self, line: str) -> None:
        """Write a line, if there is room."""
        now = trio.current_time()
        if now - self._began >= PERIOD_SECONDS:
            self.tell_left_out()
            self._began, self._lines = now, 0
        if self._lines < MOST_LINES:
            self._lines += 1
            self._write(line)
            return
        if not self._left_out:
            self._write(f"more than {MOST_LINES} lines in {PERIOD_SECONDS} seconds: the others are left out")
        self._left_out += 1

    def tell_left_out(self) -> None:
        """Say how many lines have been left out since this was last said, if any."""
        if self._left_out:
            self._write(f"{self._left_out} lines were left out")
            self._left_out = 0
