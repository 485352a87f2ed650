"""Telling a window of a socket's events: WSAAsyncSelect.

Source: Microsoft "WSAAsyncSelect": which event has which number, and what a message says.
"""

from __future__ import annotations

import errno

from lswd.kernel.afd import protocol as afd
from lswd.kernel.message_queue import Message
from lswd.kernel.window import Windows

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.kernel.afd.controls import Control
    from lswd.kernel.afd.endpoint import Socket

FD_READ, FD_WRITE, FD_OOB, FD_ACCEPT, FD_CONNECT, FD_CLOSE = 1, 2, 4, 8, 16, 32
# In the order in which they are told.
_EVENTS = (
    (afd.POLL_CONNECT | afd.POLL_CONNECT_ERR, FD_CONNECT), (afd.POLL_ACCEPT, FD_ACCEPT), (afd.POLL_READ, FD_READ),
    (afd.POLL_OOB, FD_OOB), (afd.POLL_WRITE, FD_WRITE), (afd.POLL_HUP | afd.POLL_RESET, FD_CLOSE),
)  # fmt: skip
_WSAECONNRESET, _WSAECONNREFUSED = 10054, 10061
_ERRORS = {
    errno.EADDRNOTAVAIL: 10049, errno.ENETDOWN: 10050, errno.ENETUNREACH: 10051, errno.ECONNRESET: _WSAECONNRESET,
    errno.ETIMEDOUT: 10060, errno.ECONNREFUSED: _WSAECONNREFUSED, errno.EHOSTUNREACH: 10065,
}  # fmt: skip


class SocketMessages:
    """Where a socket's events are told: a window, the message's number, and what the program calls the socket."""

    __slots__ = ("code", "socket", "window", "windows")

    def __init__(self, windows: Windows, window: int, code: int, socket: int) -> None:
        self.windows = windows
        self.window = window
        self.code = code
        self.socket = socket

    def of(self, socket: int) -> SocketMessages:
        """The same for another socket: one that was accepted."""
        return SocketMessages(self.windows, self.window, self.code, socket)

    def post(self, sock: Socket, flags: int) -> None:
        """Tell of POLL_* events; a window that is gone is not told."""
        window = self.windows.find(self.window)
        if window is None or window.thread is None or window.thread.messages is None:
            return
        for wanted, event in _EVENTS:
            if flags & wanted:
                error = 0
                if flags & wanted & afd.POLL_CONNECT_ERR:
                    error = _ERRORS.get(sock.connect_error, _WSAECONNREFUSED)
                elif flags & wanted & afd.POLL_RESET:
                    error = _WSAECONNRESET
                window.thread.messages.post(Message(self.code, self.socket, event | error << 16, window.handle))


async def message_select(sock: Socket, control: Control) -> int:
    """IOCTL_AFD_WINE_MESSAGE_SELECT: WSAAsyncSelect."""
    p = control.input(afd.MessageSelectParameters)
    messages = SocketMessages(control.process.system.part(Windows), p.window, p.message, p.handle)
    sock.select_events(control.scheduler, None, p.mask, messages if p.mask else None)
    return 0
