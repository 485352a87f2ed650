"""A signal that comes at short intervals, so that a read that blocks comes back and others get their turn.

A timer of our own thread: it interrupts that thread and no other, and leaves alarm() and its signal to others.
Source: timer_create(2), SIGEV_THREAD_ID.
"""

from __future__ import annotations

import ctypes
import signal
import threading
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType
    from typing import Final, Self

SIGNAL: Final = signal.SIGRTMIN + 7
_THREAD_ID: Final = 4


class _SigEvent(ctypes.Structure):
    _fields_ = (
        ("value", ctypes.c_void_p),
        ("number", ctypes.c_int),
        ("notify", ctypes.c_int),
        ("thread", ctypes.c_int),
        ("_rest", ctypes.c_byte * 44),
    )


class _Interval(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_long) for name in ("again_seconds", "again", "first_seconds", "first"))


_libc = ctypes.CDLL(None)


class Ticks:
    """While it is entered (``with``), the signal comes every ``milliseconds``, and `ticked` is set by it.

    Made by the main thread, which alone can have a signal handler in Python.
    """

    __slots__ = ("_running", "_stopped", "_timer", "ticked")

    def __init__(self, milliseconds: int) -> None:
        """Raises OSError: there can be no such timer; ValueError: this is not the main thread."""
        self.ticked = False
        signal.signal(SIGNAL, self._tick)
        event = _SigEvent(number=SIGNAL, notify=_THREAD_ID, thread=threading.get_native_id())
        self._timer = ctypes.c_void_p()
        try:
            create = _libc.timer_create
        except AttributeError:
            raise OSError("this C library has no timers") from None
        if create(time.CLOCK_MONOTONIC, ctypes.byref(event), ctypes.byref(self._timer)):
            raise OSError("the system refuses a timer")
        nanoseconds = milliseconds * 1_000_000
        self._running = _Interval(0, nanoseconds, 0, nanoseconds)
        self._stopped = _Interval()

    def _tick(self, _number: int, _frame: FrameType | None) -> None:
        self.ticked = True

    def __enter__(self) -> Self:
        self.ticked = False
        _libc.timer_settime(self._timer, 0, ctypes.byref(self._running), None)
        return self

    def __exit__(self, *_: object) -> None:
        _libc.timer_settime(self._timer, 0, ctypes.byref(self._stopped), None)

    def close(self) -> None:
        """End it. The handler stays: a signal that is under way harms nobody."""
        _libc.timer_delete(self._timer)
