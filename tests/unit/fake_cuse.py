"""The kernel's side of /dev/cuse over a socket pair: what a test says to the transport, and what it hears."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Awaitable, Callable

import trio

from lswd.device.cuse import wire
from lswd.device.cuse.channel import Channel
from lswd.device.cuse.server import Server
from tests.vm.trivial_daemon import Trivial

INIT_BODY = wire.INIT_REQUEST.pack(7, 38, 0, wire.UNRESTRICTED_IOCTL)


def request(
    opcode: int, unique: int, body: bytes = b"", *, thread: int = 77, uid: int = 1000, gid: int = 1001
) -> bytes:
    """A request as the kernel writes it."""
    length = wire.REQUEST_HEADER.size + len(body)
    return wire.REQUEST_HEADER.pack(length, opcode, unique, 0, uid, gid, thread, 0, 0) + body


def ioctl(unique: int, file: int, command: int, argument: int = 0, data: bytes = b"", size_out: int = 0) -> bytes:
    """An IOCTL request of the ordinary caller."""
    body = struct.pack("<QIIQII", file, 2, command, argument, len(data), size_out)
    return request(wire.IOCTL, unique, body + data)


class Answer:
    """One answer, taken apart."""

    def __init__(self, message: bytes) -> None:
        length, self.error, self.unique = wire.ANSWER_HEADER.unpack_from(message)
        assert len(message) == length
        self.body = message[wire.ANSWER_HEADER.size :]

    @property
    def result(self) -> int:
        """What ioctl() returns, or -errno."""
        return int(struct.unpack_from("<i", self.body)[0]) if not self.error else self.error

    @property
    def data(self) -> bytes:
        """What an ioctl gives the caller."""
        return self.body[16:]

    @property
    def areas(self) -> tuple[int, list[tuple[int, int]]]:
        """Of a retry: how many areas are input, and all of them."""
        _, flags, inputs, outputs = struct.unpack_from("<iIII", self.body)
        assert flags == wire.IOCTL_RETRY
        areas = list(wire.AREA.iter_unpack(self.data))
        assert len(areas) == inputs + outputs
        return inputs, areas


def pair(name: str = "lsw") -> tuple[socket.socket, Channel]:
    """The kernel's end, and a channel that has been introduced to it."""
    kernel, ours = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    kernel.send(request(wire.CUSE_INIT, 2, INIT_BODY))
    channel = Channel.introduce(ours.detach(), name)
    kernel.recv(65536)
    return kernel, channel


class Kernel:
    """The kernel's end, in a test."""

    def __init__(self, end: socket.socket) -> None:
        end.setblocking(False)
        self.end = trio.socket.from_stdlib_socket(end)
        self.unique = 2

    async def send(self, message: bytes) -> None:
        """Send one request."""
        await self.end.send(message)

    async def receive(self) -> Answer:
        """The next answer, of whatever request."""
        return Answer(await self.end.recv(65536))

    async def ask(self, opcode: int, body: bytes = b"") -> Answer:
        """Send a request and receive its answer."""
        self.unique += 2
        await self.send(request(opcode, self.unique, body))
        answer = await self.receive()
        assert answer.unique == self.unique
        return answer

    async def open(self) -> int:
        """Open the device. Returns the file's number."""
        answer = await self.ask(wire.OPEN, wire.OPEN_REQUEST.pack(os.O_RDWR, 0))
        assert 0 == answer.error
        return int(wire.OPEN_ANSWER.unpack(answer.body)[0])

    async def start(self, file: int, command: int, argument: int = 0, data: bytes = b"", size_out: int = 0) -> int:
        """Begin an ioctl. Returns its unique."""
        self.unique += 2
        await self.send(ioctl(self.unique, file, command, argument, data, size_out))
        return self.unique

    async def ioctl(self, file: int, command: int, argument: int = 0, data: bytes = b"", size_out: int = 0) -> Answer:
        """An ioctl, one trip of it, and its answer."""
        unique = await self.start(file, command, argument, data, size_out)
        answer = await self.receive()
        assert answer.unique == unique
        return answer

    async def close(self, file: int) -> None:
        """The last close of a file."""
        await self.ask(wire.RELEASE, struct.pack("<QIIQ", file, 0, 0, 0))

    async def interrupt(self, unique: int) -> None:
        """A signal for the caller of a request."""
        await self.send(request(wire.INTERRUPT, unique | 1, wire.INTERRUPTED.pack(unique)))


def serve(
    scenario: Callable[[Kernel, Trivial], Awaitable[None]], service: Trivial | None = None
) -> tuple[Trivial, list[str]]:
    """Run a test against a server. Returns the service, and what was logged. Fails what hangs."""
    service = service or Trivial()
    logged: list[str] = []
    end, channel = pair()

    async def main() -> None:
        server = Server(channel, service, lambda level, message: logged.append(f"{level}: {message}"))
        with trio.fail_after(60):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(server.run)
                await scenario(Kernel(end), service)
                nursery.cancel_scope.cancel()

    try:
        trio.run(main)
    finally:
        end.close()
        channel.close()
    return service, logged
