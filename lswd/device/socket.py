"""The socket transport: commands as packets (``packet``) over a SEQPACKET Unix socket, driving the same ``Service`` as
the device.

Who the caller is, the kernel says: uid, gid and pid are those of the process that connected, as it was then
(SO_PEERCRED). A pidfd tells when that process is gone and its number may be somebody else's; from then on the
connection, if others hold it, has no process (``Caller.tid`` is 0). A packet that is none ends its connection and
nothing else.
"""

from __future__ import annotations

import errno
import os
import select
import socket
import struct
from collections import Counter

import trio

from lswd.device.packet import (
    CANCEL,
    GOODBYE,
    MAX_DESCRIPTORS,
    MAX_PACKET,
    REPLY,
    REQUEST,
    BadPacket,
    Packet,
    unpack,
)
from lswd.device.transport import Caller

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from typing import TypeAlias

    from lswd.device.transport import Answer, Service

    Log: TypeAlias = Callable[[str, str], None]  # (level, message)

ROOT = 0  # has no limits
_SO_PEERPIDFD = 77  # Linux 6.5, include/uapi/asm-generic/socket.h
_CREDENTIALS = struct.Struct("iII")
_CONTROL_SIZE = socket.CMSG_SPACE(4 * MAX_DESCRIPTORS)
_MAX_OUTSTANDING = 64  # requests of one connection
_MAX_WITH_DESCRIPTORS = 128  # requests of one user under way that brought descriptors
_FAIR_SHARE = 32  # packets served before others get their turn
_RELEASE_SECONDS = 15.0
_ACCEPT_PAUSE_SECONDS = 0.1


class SocketTransport:
    """Serves any number of connections, of any number of listening sockets."""

    def __init__(self, service: Service, log: Log, *, max_connections: int = 64) -> None:
        """``max_connections``: of one user."""
        self.service = service
        self.log = log
        self.max_connections = max_connections
        self.connections: Counter[int] = Counter()  # uid: how many
        self.with_descriptors: Counter[int] = Counter()

    async def serve(self, listener: socket.socket) -> None:
        """Serve what connects, until cancelled; then all connections end and their openers are released.

        Args:
            listener: a listening SEQPACKET socket; stays the caller's.
        """
        listener.setblocking(False)
        async with trio.open_nursery() as nursery:
            while True:
                try:
                    connected, _ = listener.accept()
                except BlockingIOError:
                    await trio.lowlevel.wait_readable(listener)
                except ConnectionAbortedError:
                    await trio.lowlevel.checkpoint()
                except OSError as error:  # no descriptors or memory left: others will give some back
                    self.log("warning", f"cannot accept a connection: {error.strerror}")
                    await trio.sleep(_ACCEPT_PAUSE_SECONDS)
                else:
                    nursery.start_soon(self._serve_one, connected)
                    await trio.lowlevel.checkpoint()

    async def _serve_one(self, connected: socket.socket) -> None:
        """A connection from its beginning to its end; whatever goes wrong in it stays in it."""
        uid = -1
        try:
            with connected:
                connected.setblocking(False)
                connection = Connection(self, connected)
                uid = connection.uid
                self.connections[uid] += 1
                try:
                    await connection.serve()
                finally:
                    connection.close()
        except Exception as error:
            self.log("error", f"connection of uid {uid}: internal error: {error!r}")
        finally:
            if uid >= 0:
                _subtract(self.connections, uid)


class Connection:
    """One client. Its opener lives as long as it does."""

    def __init__(self, transport: SocketTransport, connected: socket.socket) -> None:
        self._transport = transport
        self._service = transport.service
        self._socket = connected
        credentials = connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        self._pid, self.uid, self._gid = _CREDENTIALS.unpack(credentials)
        self._pidfd = _peer_pidfd(connected, self._pid)
        self._exit = select.poll()
        if self._pidfd >= 0:
            self._exit.register(self._pidfd, select.POLLIN)
        self._opener: object = None
        self._outstanding: dict[int, trio.CancelScope] = {}
        self._sending = trio.Lock()

    def close(self) -> None:
        """Give back what this holds besides the socket."""
        if self._pidfd >= 0:
            os.close(self._pidfd)
            self._pidfd = -1

    def caller(self) -> Caller:
        """Who makes a request now."""
        gone = self._pidfd < 0 or bool(self._exit.poll(0))
        return Caller(0 if gone else self._pid, self.uid, self._gid)

    async def serve(self) -> None:
        """Until either end has had enough."""
        transport = self._transport
        if transport.connections[self.uid] > transport.max_connections and self.uid != ROOT:
            await self._goodbye(errno.EUSERS, f"no more than {transport.max_connections} connections of one user")
            return
        try:
            self._opener = self._service.opened(self.caller(), os.O_RDWR)
        except OSError as error:
            await self._goodbye(error.errno or errno.EIO, error.strerror or str(error))
            return
        async with trio.open_nursery() as nursery:
            try:
                await self._read(nursery)
            except BadPacket as error:
                transport.log("notice", f"uid {self.uid}, pid {self._pid}: connection closed: {error}")
                await self._goodbye(errno.EPROTO, str(error))
            finally:
                # Releasing comes first: what an interruption only asks to end, the opener's end ends.
                await self._release()
                nursery.cancel_scope.cancel()

    async def _release(self) -> None:
        with trio.move_on_after(_RELEASE_SECONDS, shield=True) as limit:
            try:
                released = self._service.released(self._opener)
                if released is not None:
                    await released
            except Exception as error:
                self._transport.log("error", f"releasing what uid {self.uid} held: internal error: {error!r}")
        if limit.cancelled_caught:
            self._transport.log("error", f"releasing what uid {self.uid} held took too long")

    # ---- packets in

    async def _read(self, nursery: trio.Nursery) -> None:
        """Read and serve packets until the client closes its end."""
        served = 0
        while True:
            try:
                message, ancillary, flags, _ = self._socket.recvmsg(MAX_PACKET, _CONTROL_SIZE, socket.MSG_CMSG_CLOEXEC)
            except BlockingIOError:
                served = 0
                await trio.lowlevel.wait_readable(self._socket)
                continue
            except ConnectionError:
                return
            descriptors = _descriptors(ancillary)
            try:
                if not message:
                    return
                if flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC):
                    what = f"{MAX_DESCRIPTORS} descriptors" if flags & socket.MSG_CTRUNC else f"{MAX_PACKET} bytes"
                    raise BadPacket(f"a packet of more than {what}")
                packet = unpack(message)
                if packet.flags == CANCEL:
                    self._cancel(packet)
                elif packet.flags == REQUEST:
                    given, descriptors = descriptors, []
                    await self._request(packet, given, nursery)
                else:
                    raise BadPacket(f"flags {packet.flags:#x} are for the daemon to send")
            finally:
                _close(descriptors)
            served += 1
            if served % _FAIR_SHARE == 0:
                await trio.lowlevel.checkpoint()

    def _cancel(self, packet: Packet) -> None:
        scope = self._outstanding.get(packet.sequence)
        if scope is not None:  # else it was answered while this was on its way
            scope.cancel()

    async def _request(self, packet: Packet, descriptors: list[int], nursery: trio.Nursery) -> None:
        """Serve a request: answer it now, or start a task that will. Owns the descriptors."""
        sizes = self._service.sizes(packet.command)
        refusal = 0
        if packet.sequence in self._outstanding:
            _close(descriptors)
            raise BadPacket(f"sequence {packet.sequence} is under way already")
        if sizes is None or len(packet.data) != sizes[0]:
            refusal = errno.EINVAL
        elif len(self._outstanding) >= _MAX_OUTSTANDING or (
            descriptors and self._transport.with_descriptors[self.uid] >= _MAX_WITH_DESCRIPTORS
        ):
            refusal = errno.EAGAIN
        if refusal:
            _close(descriptors)
            await self._reply(packet, (-refusal, b""))
            return
        try:
            answer = self._service.ioctl(
                self._opener, self.caller(), packet.command, packet.argument, packet.data, list(descriptors)
            )
        except Exception as error:
            await self._reply(packet, self._failed(packet, error))
            return
        if isinstance(answer, tuple):
            await self._reply(packet, answer)
            return
        self._outstanding[packet.sequence] = trio.CancelScope()
        if descriptors:
            self._transport.with_descriptors[self.uid] += 1
        nursery.start_soon(self._finish, packet, answer, bool(descriptors))

    async def _finish(self, packet: Packet, awaitable: Awaitable[Answer], with_descriptors: bool) -> None:
        """Wait for a request's answer and send it."""
        scope = self._outstanding[packet.sequence]
        answer: Answer = (-errno.EINTR, b"")
        try:
            with scope:
                try:
                    answer = await awaitable
                except Exception as error:
                    answer = self._failed(packet, error)
        finally:
            del self._outstanding[packet.sequence]
            if with_descriptors:
                _subtract(self._transport.with_descriptors, self.uid)
        await self._reply(packet, answer)

    def _failed(self, packet: Packet, error: Exception) -> Answer:
        """The answer to a request that ended in an exception: a refusal, or a bug of ours."""
        if isinstance(error, OSError) and error.errno:
            return -error.errno, b""
        self._transport.log("error", f"command {packet.command:#x}: internal error: {error!r}")
        return -errno.EIO, b""

    # ---- packets out

    async def _reply(self, packet: Packet, answer: Answer) -> None:
        result, data = answer
        sizes = self._service.sizes(packet.command)
        if data and (sizes is None or len(data) != sizes[1]):
            self._transport.log("error", f"command {packet.command:#x}: internal error: an answer of {len(data)} bytes")
            result, data = -errno.EIO, b""
        await self._send(Packet(packet.command, REPLY, packet.sequence, result, data))

    async def _goodbye(self, number: int, why: str) -> None:
        """Say why the connection ends. A client that does not listen does not hear it."""
        with trio.move_on_after(1.0):
            await self._send(Packet(0, GOODBYE, 0, -number, why.encode()[:1024]))
        # What is unread when a socket is closed resets the connection, and the client hears of that first.
        for _ in range(_FAIR_SHARE):
            try:
                message, ancillary, _, _ = self._socket.recvmsg(MAX_PACKET, _CONTROL_SIZE, socket.MSG_CMSG_CLOEXEC)
            except OSError:
                break
            _close(_descriptors(ancillary))
            if not message:
                break

    async def _send(self, packet: Packet) -> None:
        message = packet.pack()
        if not self._sending.locked() and self._send_now(message):
            return
        async with self._sending:  # the client is slow to read
            while not self._send_now(message):
                await trio.lowlevel.wait_writable(self._socket)

    def _send_now(self, message: bytes) -> bool:
        """False when there is no room for it."""
        try:
            self._socket.send(message, socket.MSG_NOSIGNAL)
        except BlockingIOError:
            return False
        except OSError:  # the client has gone, which reading will notice
            pass
        return True


def _peer_pidfd(connected: socket.socket, pid: int) -> int:
    """A pidfd of the process that connected; -1 when it has gone or is not of our pid namespace."""
    if pid <= 0:
        return -1
    try:
        return connected.getsockopt(socket.SOL_SOCKET, _SO_PEERPIDFD)
    except OSError as error:
        if error.errno != errno.ENOPROTOOPT:
            return -1
    try:
        return os.pidfd_open(pid)
    except OSError:
        return -1


def _descriptors(ancillary: Sequence[tuple[int, int, bytes]]) -> list[int]:
    found: list[int] = []
    for level, kind, data in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            found += struct.unpack(f"{len(data) // 4}i", data[: len(data) // 4 * 4])
    return found


def _close(descriptors: Sequence[int]) -> None:
    for descriptor in descriptors:
        try:
            os.close(descriptor)
        except OSError:
            pass


def _subtract(counter: Counter[int], uid: int) -> None:
    counter[uid] -= 1
    if counter[uid] <= 0:
        del counter[uid]
