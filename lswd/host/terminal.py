"""The host's terminal: its size, writing to it, and its line discipline, which is put back as it was whatever happens.

Source: termios(3), ioctl_tty(2).
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

DEFAULT_SIZE = (80, 25)
_AS_FOUND = (True, True, True, True)


class Terminal:
    """A terminal by its descriptors; both stay the caller's.

    Attributes:
        input_fd, output_fd: -1 when there is no way to read or to write.
        newline: what takes the cursor to the start of the next line.
    """

    def __init__(self, input_fd: int, output_fd: int) -> None:
        self.input_fd = input_fd
        self.output_fd = output_fd
        self._original: Any = None  # the line discipline as we found it, once we have changed it
        self._current = _AS_FOUND
        self._registered = False
        self.newline = "\n" if self._translates_newlines() else "\r\n"

    def _translates_newlines(self) -> bool:
        import termios

        try:
            output_flags = termios.tcgetattr(self.output_fd)[1]
        except (termios.error, ValueError):
            return True
        return bool(output_flags & termios.OPOST and output_flags & termios.ONLCR)

    def size(self) -> tuple[int, int]:
        """Columns and rows."""
        for fd in (self.output_fd, self.input_fd):
            try:
                columns, rows = os.get_terminal_size(fd)
            except (OSError, ValueError):
                continue
            if columns > 0 and rows > 0:
                return columns, rows
        return DEFAULT_SIZE

    def write(self, data: bytes) -> None:
        """Write all of ``data``; what a terminal that has gone away was to show is lost."""
        view = memoryview(data)
        while view:
            try:
                view = view[os.write(self.output_fd, view) :]
            except BlockingIOError:
                import select

                select.select((), (self.output_fd,), ())
            except OSError:
                return

    def read(self, limit: int = 4096) -> bytes | None:
        """What can be read at once: b"" at the end (terminal gone, or Ctrl-D), None when there is nothing yet."""
        import select

        try:
            if not select.select((self.input_fd,), (), (), 0)[0]:
                return None
            return os.read(self.input_fd, limit)
        except BlockingIOError:
            return None
        except (OSError, ValueError):
            return b""

    # ---- line discipline

    def set_input(self, *, lines: bool, echo: bool, signals: bool, suspend: bool) -> None:
        """Choose how the terminal treats what is typed.

        Args:
            lines: it edits lines and hands them over whole (canonical mode); echo: it shows them.
            signals: Ctrl-C and Ctrl-\\ are signals, not characters; suspend: Ctrl-Z is one too.
        """
        wanted = (lines, echo, signals, suspend)
        if self.input_fd < 0 or wanted == self._current:
            return
        if wanted == _AS_FOUND:
            self.restore()
            return
        import termios

        try:
            if self._original is None:
                self._original = termios.tcgetattr(self.input_fd)
                if not self._registered:
                    import atexit

                    self._registered = True
                    atexit.register(self.restore)
            iflag, oflag, cflag, lflag, ispeed, ospeed, characters = self._original
            control = list(characters)
            lflag &= ~(termios.ICANON | termios.ECHO | termios.ECHONL | termios.ISIG)
            lflag |= (termios.ICANON if lines else 0) | (termios.ECHO if echo else 0) | (termios.ISIG if signals else 0)
            if not lines:
                lflag &= ~termios.IEXTEN
                iflag &= ~(termios.ICRNL | termios.INLCR | termios.IGNCR | termios.IXON | termios.ISTRIP)
                control[termios.VMIN] = 1
                control[termios.VTIME] = 0
            if not suspend:
                control[termios.VSUSP] = b"\0"
            termios.tcsetattr(self.input_fd, termios.TCSANOW, [iflag, oflag, cflag, lflag, ispeed, ospeed, control])
            self._current = wanted
        except termios.error:
            pass  # it is gone, or not ours any more

    def reapply(self) -> None:
        """Set the line discipline again: a shell changed it while we were stopped."""
        lines, echo, signals, suspend = self._current
        if self._original is not None:
            self._current = _AS_FOUND
            self.set_input(lines=lines, echo=echo, signals=signals, suspend=suspend)

    def restore(self) -> None:
        """Give the terminal back as it was."""
        if self._original is None:
            return
        import termios

        original, self._original, self._current = self._original, None, _AS_FOUND
        try:
            termios.tcsetattr(self.input_fd, termios.TCSANOW, original)
        except (termios.error, ValueError):
            pass
