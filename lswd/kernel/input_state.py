"""Who would get what is typed: each thread's active window, focus and capture, and the thread in the foreground.

Nobody types here, but windows are told of all this. Threads that are attached to each other share one state.
Source: Microsoft "About Keyboard Input" (keyboard focus and activation), "AttachThreadInput", "SetForegroundWindow".
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.kernel.system import System
    from lswd.kernel.thread import Thread
    from lswd.kernel.window import Window


class InputState:
    """A thread's, or that of several; a window that has been destroyed is none."""

    __slots__ = ("_active", "_capture", "_focus")

    def __init__(self) -> None:
        self._active: Window | None = None
        self._focus: Window | None = None
        self._capture: Window | None = None

    @property
    def active(self) -> Window | None:
        """The top-level window that is active."""
        return _living(self._active)

    @active.setter
    def active(self, window: Window | None) -> None:
        self._active = window

    @property
    def focus(self) -> Window | None:
        """The window that keys go to."""
        return _living(self._focus)

    @focus.setter
    def focus(self, window: Window | None) -> None:
        self._focus = window

    @property
    def capture(self) -> Window | None:
        """The window that gets the mouse wherever it is."""
        return _living(self._capture)

    @capture.setter
    def capture(self, window: Window | None) -> None:
        self._capture = window


def _living(window: Window | None) -> Window | None:
    return window if window is not None and window.alive else None


class Foreground:
    """Which thread the user works with; a part of the System."""

    def __init__(self, system: System) -> None:
        self.thread: Thread | None = None

    @property
    def window(self) -> Window | None:
        """The active window of that thread."""
        thread = self.thread
        if thread is None or thread.terminated or thread.messages is None:
            return None
        return thread.messages.input.active
