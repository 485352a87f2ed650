"""The controls of ``\\Device\\Afd`` in the shape tests want them."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

from lswd.kernel.afd import protocol as afd
from lswd.kernel.afd.address import to_guest, to_host
from lswd.ntdef.types import Struct

from .file_guest import OPEN, SYNCHRONOUS, Files, run_with_files
from .guest_threads import NOTIFICATION, Guest

Body = Generator[Any, Any, Any]
OVERLAPPED = 0
STREAM, DATAGRAM = (afd.SOCK_STREAM, 6), (afd.SOCK_DGRAM, 17)


class Request:
    """An overlapped request under way."""

    def __init__(self, guest: Guest, event: int, block: int, buffer: int, size: int) -> None:
        self._guest = guest
        self._event = event
        self._block = block
        self._buffer = buffer
        self._size = size

    def end(self) -> Any:
        """Wait for it; returns its status and what it received."""
        yield from self._guest.wait(self._event)
        return self.outcome()

    def outcome(self) -> tuple[int, bytes]:
        """Status and output as they are now."""
        memory = self._guest.machine.process.space
        status, information = struct.unpack("<Q8s", memory.read(self._block, 16))
        count = int.from_bytes(information, "little")
        return status, memory.read(self._buffer, min(count, self._size))


class Sockets:
    """Calls for ``yield from``; statuses are unsigned."""

    def __init__(self, guest: Guest, files: Files) -> None:
        self.guest = guest
        self.files = files

    @property
    def memory(self) -> Any:
        return self.guest.machine.process.space

    def open(self, options: int = SYNCHRONOUS, name: str = "\\Device\\Afd") -> Any:
        """A handle on the device."""
        return (yield from self.files.open(name, 0xC0000000, disposition=OPEN, options=options))

    def control(self, handle: int, code: int, data: bytes | Struct = b"", size: int = 0) -> Any:
        """NtDeviceIoControlFile; returns the status and the output."""
        request, status = yield from self.begin(handle, code, data, size)
        if status == 0x103:
            return (yield from request.end())
        return status, request.outcome()[1] if status < 0xC0000000 else b""

    def begin(self, handle: int, code: int, data: bytes | Struct = b"", size: int = 0) -> Any:
        """The same without waiting; returns the request and the status of the call."""
        given = data.pack(8) if isinstance(data, Struct) else data
        buffer, block = self.guest.room(max(size, 1)), self.guest.room(16)
        event = yield from self.guest.event(NOTIFICATION)
        status = yield (
            "NtDeviceIoControlFile", handle, event, 0, 0, block, code, self.guest.stored(given) if given else 0,
            len(given), buffer, size,
        )  # fmt: skip
        return Request(self.guest, event, block, buffer, size), status

    def create(
        self, kind: tuple[int, int] = STREAM, options: int = SYNCHRONOUS, family: int = afd.AF_INET
    ) -> Any:
        """A new socket's handle."""
        handle = yield from self.open(options)
        parameters = afd.CreateParameters(family=family, type=kind[0], protocol=kind[1])
        status, _ = yield from self.control(handle, afd.IOCTL_AFD_WINE_CREATE, parameters)
        assert status == 0, hex(status)
        return handle

    def bind(self, handle: int, host: str = "127.0.0.1", port: int = 0, family: int = afd.AF_INET) -> Any:
        """Returns the status and the address."""
        where = to_guest((host, port), family)
        status, name = yield from self.control(handle, afd.IOCTL_AFD_BIND, bytes(4) + where, 28)
        return status, to_host(name, family) if status == 0 else None

    def connect(self, handle: int, host: str, port: int, family: int = afd.AF_INET) -> Any:
        """Returns the status."""
        where = to_guest((host, port), family)
        head = afd.ConnectParameters(addr_len=len(where), synchronous=1).pack(8)
        return (yield from self.control(handle, afd.IOCTL_AFD_WINE_CONNECT, head + where))[0]

    def connected(self, options: int = SYNCHRONOUS) -> Any:
        """A socket connected to the host, and the host's end."""
        handle = yield from self.create(options=options)
        with socket.create_server(("127.0.0.1", 0)) as listening:
            status = yield from self.connect(handle, *listening.getsockname())
            assert status == 0, hex(status)
            return handle, listening.accept()[0]

    def begin_receive(self, handle: int, size: int, flags: int = 0, *, force: bool = True) -> Any:
        """Returns the request and the status."""
        room = self.guest.room(size)
        vector = self.guest.stored(afd.WSABUF(len=size, buf=room).pack(8))
        cell = self.guest.stored(struct.pack("<I", flags))
        parameters = afd.RecvmsgParameters(ws_flags_ptr=cell, force_async=int(force), count=1, buffers_ptr=vector)
        request, status = yield from self.begin(handle, afd.IOCTL_AFD_WINE_RECVMSG, parameters)
        request._buffer, request._size = room, size
        return request, status

    def receive(self, handle: int, size: int, flags: int = 0, *, force: bool = False) -> Any:
        """Returns the status and the data."""
        request, status = yield from self.begin_receive(handle, size, flags, force=force)
        if status == 0x103:
            return (yield from request.end())
        return status, request.outcome()[1] if status < 0xC0000000 else b""

    def send(self, handle: int, data: bytes, where: tuple[str, int] | None = None) -> Any:
        """Returns the status."""
        vector = self.guest.stored(afd.WSABUF(len=len(data), buf=self.guest.stored(data)).pack(8))
        address = self.guest.stored(to_guest(where, afd.AF_INET)) if where else 0
        parameters = afd.SendmsgParameters(
            addr_ptr=address, addr_len=16 if where else 0, count=1, buffers_ptr=vector
        )
        return (yield from self.control(handle, afd.IOCTL_AFD_WINE_SENDMSG, parameters))[0]

    def begin_poll(self, through: int, timeout: int, *entries: tuple[int, int]) -> Any:
        """IOCTL_AFD_POLL of (handle, flags); returns the request and the status."""
        head = afd.PollHeader(timeout=timeout, count=len(entries)).pack(8)
        data = head + b"".join(afd.PollEntry(socket=handle, flags=flags).pack(8) for handle, flags in entries)
        return (yield from self.begin(through, afd.IOCTL_AFD_POLL, data, len(data)))


def polled(output: bytes) -> list[tuple[int, int]]:
    """The (handle, flags) that a poll tells of."""
    head = afd.PollHeader.unpack(8, output)
    size = afd.PollHeader.size(8)
    found = [afd.PollEntry.unpack(8, output, size + i * afd.PollEntry.size(8)) for i in range(head.count)]
    return [(entry.socket, entry.flags) for entry in found]


def run_with_sockets(
    root: Path, program: Callable[[Guest, Sockets], Body], *, network: str = "on"
) -> list[Any]:
    """Run ``program(guest, sockets)`` under a network policy; returns its log."""

    def main(guest: Guest, files: Files) -> Body:
        guest.machine.system.network = network
        return (yield from program(guest, Sockets(guest, files)))

    return run_with_files(root, main)
