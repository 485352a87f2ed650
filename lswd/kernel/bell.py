"""What an idle kernel sleeps by until somebody rings: another host thread, or a signal.

A lock would not do: a signal that Linux gives to another thread of this process, or that comes when the interpreter has
looked for signals for the last time before it sleeps, does not end the waiting for one. What it writes here does.
Source: Python "signal.set_wakeup_fd"; signal(7) on process-directed signals.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # signal itself imports enum, which takes longer than all of this
import os

_MOST = 4096


class Bell:
    """Can be waited for while this, a context manager, is entered. Signals ring, too, if this is the thread that may
    handle them."""

    __slots__ = ("_previous", "_reading", "_rung", "_writing")

    def __init__(self) -> None:
        self._reading = self._writing = -1
        self._rung = False
        self._previous: int | None = None

    def __enter__(self) -> None:
        self._reading, self._writing = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self._writing, False)
        if self._rung:
            os.write(self._writing, b"\0")
        try:
            self._previous = _signal.set_wakeup_fd(self._writing, warn_on_full_buffer=False)
        except ValueError:  # only the main thread handles signals
            self._previous = None

    def __exit__(self, *_exception: object) -> None:
        self._rung = True  # so nothing is written any more
        if self._previous is not None:
            _signal.set_wakeup_fd(self._previous)
        os.close(self._reading)
        os.close(self._writing)

    def ring(self) -> None:
        """End ``wait``, or the next one; from signal handlers and other host threads."""
        if not self._rung:
            self._rung = True
            if self._writing >= 0:
                try:
                    os.write(self._writing, b"\0")
                except OSError:  # full of signals
                    pass

    def wait(self, seconds: float | None) -> None:
        """Until it is rung, but no longer than ``seconds``."""
        if seconds is not None:
            import select

            poll = select.poll()
            poll.register(self._reading, select.POLLIN)
            if not poll.poll(seconds * 1000):
                return
        os.read(self._reading, _MOST)
        # Whoever rings before this line has said before why, and is heard after it.
        self._rung = False
