"""One socket from the daemon to a session, and a native call on its way through it."""

from __future__ import annotations

import errno
import os
import socket
import struct

import trio

from lswd.session import messages as m

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lswd.device.transport import Answer


_QUICK_MICROSECONDS = 1000
_QUICK_PACKETS = 8
_FAIR_SHARE = 32
"""Packets received before other tasks get their turn, however many a session sends."""


class Pending:
    """A native call that a session serves. ``answer`` None: the caller is not who he was."""

    __slots__ = ("_event", "answer", "done", "identifier", "tid")

    def __init__(self, identifier: int, tid: int) -> None:
        self.tid = tid
        self.identifier = identifier
        self.done = False
        self.answer: Answer | None = (-errno.EIO, b"")
        self._event: trio.Event | None = None

    def end(self) -> None:
        """The answer is there, or never will be."""
        self.done = True
        if self._event is not None:
            self._event.set()

    async def wait(self) -> None:
        """Until it is done."""
        if not self.done:
            if self._event is None:
                self._event = trio.Event()
            await self._event.wait()


class Link:
    """One socket to a session. Sending never waits; what does not fit is sent later, in order."""

    def __init__(self, connection: socket.socket, receive: Callable[[bytes], None]) -> None:
        self.connection = connection
        self._receive = receive
        self._unsent: list[tuple[bytes, list[int]]] = []
        self._more = trio.Event()
        # It stays blocking, for receive_soon, which has this limit; everything else asks not to be held up.
        connection.setblocking(True)
        limit = struct.pack("@ll", 0, _QUICK_MICROSECONDS)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)

    def send(self, packet: bytes, descriptors: Sequence[int] = ()) -> None:
        """Send a packet; the descriptors stay the caller's."""
        if not self._unsent:
            try:
                if descriptors:
                    m.send_with(self.connection, packet, descriptors, socket.MSG_DONTWAIT)
                else:
                    self.connection.send(packet, socket.MSG_DONTWAIT)
                return
            except BlockingIOError:
                self._more.set()
            except OSError:
                return  # it has ended, which run() notices
        self._unsent.append((packet, [os.dup(fd) for fd in descriptors]))

    async def _send_later(self) -> None:
        while True:
            await self._more.wait()
            self._more = trio.Event()
            while self._unsent:
                packet, descriptors = self._unsent[0]
                try:
                    m.send_with(self.connection, packet, descriptors, socket.MSG_DONTWAIT)
                except BlockingIOError:
                    await trio.lowlevel.wait_writable(self.connection)
                    continue
                except OSError:
                    pass
                for fd in descriptors:
                    os.close(fd)
                del self._unsent[0]

    def receive_soon(self, pending: Pending) -> None:
        """Receive until ``pending`` is done, if that takes a moment only."""
        for _ in range(_QUICK_PACKETS):
            try:
                packet = self.connection.recv(m.LARGEST)
            except OSError:
                return  # run() looks after all but the time
            if not packet:
                return
            self._receive(packet)
            if pending.done:
                return

    async def run(self) -> None:
        """Receive until the other end closes."""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._send_later)
                count = 0
                while True:
                    try:
                        packet = self.connection.recv(m.LARGEST, socket.MSG_DONTWAIT)
                    except BlockingIOError:
                        await trio.lowlevel.wait_readable(self.connection)
                        continue
                    except OSError:
                        break
                    if not packet:
                        break
                    self._receive(packet)
                    count += 1
                    if count % _FAIR_SHARE == 0:
                        await trio.lowlevel.checkpoint()
                nursery.cancel_scope.cancel()
        finally:
            self.connection.close()
            for _, descriptors in self._unsent:
                for fd in descriptors:
                    os.close(fd)
            self._unsent.clear()
