"""A service that does as tests say, served over a real socket, and a client of it."""

from __future__ import annotations

import array
import errno
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import trio

from lswd.device.packet import MAX_PACKET, REPLY, REQUEST, Packet, unpack
from lswd.device.socket import SocketTransport
from lswd.device.transport import Caller

if TYPE_CHECKING:
    from lswd.device.transport import Answer

ECHO, BY_VALUE, WAIT, BROKEN, BROKEN_LATER, REFUSED, TOO_LONG, TAKE, WHO, OBSTINATE = range(0x100, 0x10A)
SIZES = {ECHO: (8, 8), WAIT: (0, 4), TOO_LONG: (0, 4), WHO: (0, 12)}


class FakeService:
    """Answers the commands above, and keeps a diary.

    Attributes:
        opened_by, released_openers: what transports told us, in order.
        taken: what the descriptors that came along had in them.
        go: lets WAIT end. freed: set when an opener is released, which ends OBSTINATE.
    """

    def __init__(self) -> None:
        self.opened_by: list[Caller] = []
        self.released_openers: list[object] = []
        self.cancelled = 0
        self.refuse = 0
        self.taken: list[bytes] = []
        self.go = trio.Event()
        self.waiting = 0
        self.freed = trio.Event()

    def opened(self, caller: Caller, flags: int) -> object:
        if self.refuse:
            raise OSError(self.refuse, "not you")
        self.opened_by.append(caller)
        return len(self.opened_by)

    def sizes(self, command: int) -> tuple[int, int] | None:
        return SIZES.get(command, (0, 0)) if ECHO <= command <= OBSTINATE else None

    def ioctl(
        self, opener: object, caller: Caller, command: int, argument: int, data: bytes, descriptors: Sequence[int] = ()
    ) -> Answer | Awaitable[Answer]:
        for descriptor in descriptors:
            with open(descriptor, "rb") as file:
                self.taken.append(file.read())
        match command:
            case 0x100:
                return 7, data[::-1]
            case 0x101 | 0x107:
                return argument & 0x7FFF_FFFF, b""
            case 0x102:
                return self._wait()
            case 0x103:
                raise ValueError("oops")
            case 0x104:
                return self._broken()
            case 0x105:
                raise OSError(errno.EPERM, "no")
            case 0x106:
                return 0, b"12345"
            case 0x108:
                return 0, array.array("I", (caller.tid, caller.uid, caller.gid)).tobytes()
            case _:
                return self._obstinate()

    async def _wait(self) -> Answer:
        self.waiting += 1
        try:
            await self.go.wait()
        except trio.Cancelled:
            self.cancelled += 1
            raise
        return 5, b"done"

    def interrupted(self, opener: object, caller: Caller, command: int, argument: int) -> bool:
        return False

    async def _broken(self) -> Answer:
        await trio.lowlevel.checkpoint()
        raise ValueError("oops")

    async def _obstinate(self) -> Answer:
        """Goes on although it is cancelled, until its opener is released."""
        self.waiting += 1
        with trio.CancelScope(shield=True):
            await self.freed.wait()
        return 9, b""

    def released(self, opener: object) -> None:
        self.released_openers.append(opener)
        self.freed.set()


class Client:
    """One end of a connection; every wait has a limit, so that a silent daemon fails a test."""

    def __init__(self, path: Path) -> None:
        self.socket = trio.socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.path = path
        self.sequence = 0

    async def connect(self) -> Client:
        await self.socket.connect(str(self.path))
        return self

    async def send(
        self, command: int, argument: int = 0, data: bytes = b"", flags: int = REQUEST, sequence: int | None = None,
        descriptors: Sequence[int] = (),
    ) -> int:  # fmt: skip
        """Send a packet; returns its sequence."""
        if sequence is None:
            self.sequence += 1
            sequence = self.sequence
        rights = array.array("i", descriptors).tobytes()
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)] if rights else []
        await self.socket.sendmsg([Packet(command, flags, sequence, argument, data).pack()], ancillary)
        return sequence

    async def receive(self) -> Packet | None:
        """The next packet; None when the connection is closed."""
        with trio.fail_after(20):
            try:
                message = await self.socket.recv(MAX_PACKET)
            except ConnectionResetError:
                return None
        return unpack(message) if message else None

    async def call(self, command: int, argument: int = 0, data: bytes = b"", descriptors: Sequence[int] = ()) -> Answer:
        """Send a request and receive its answer."""
        sequence = await self.send(command, argument, data, descriptors=descriptors)
        packet = await self.receive()
        assert packet is not None
        assert (REPLY, command, sequence) == (packet.flags, packet.command, packet.sequence)
        return packet.result, packet.data


class Served:
    """A transport at work."""

    def __init__(self, path: Path, service: FakeService, max_connections: int) -> None:
        self.path = path
        self.service = service
        self.log: list[tuple[str, str]] = []
        self.transport = SocketTransport(service, self._log, max_connections=max_connections)

    def _log(self, level: str, message: str) -> None:
        self.log.append((level, message))

    async def client(self) -> Client:
        return await Client(self.path).connect()


@asynccontextmanager
async def served(directory: Path, max_connections: int = 64) -> AsyncIterator[Served]:
    """Serve a FakeService until the block ends; then no descriptor may be left over."""
    path = directory / "socket"
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(str(path))
        listener.listen(8)
        async with trio.open_nursery() as nursery:
            here = Served(path, FakeService(), max_connections)
            nursery.start_soon(here.transport.serve, listener)
            yield here
            nursery.cancel_scope.cancel()



def open_descriptors() -> int:
    """How many this process has."""
    return len(os.listdir("/proc/self/fd"))


async def until(condition: object) -> None:
    """Wait until a function says so."""
    assert callable(condition)
    with trio.fail_after(20):
        while not condition():
            await trio.sleep(0.005)
