"""Sending and receiving: streams and datagrams.

Source: Microsoft "WSARecv", "WSARecvFrom", "WSASend", "WSASendTo".
"""

from __future__ import annotations

import errno
import select
import socket

from lswd.kernel.afd import ancillary
from lswd.kernel.afd import protocol as afd
from lswd.kernel.afd.address import to_guest, to_host
from lswd.kernel.afd.buffers import (
    LONGEST_DATAGRAM,
    MOST_AT_ONCE,
    buffers_at,
    gathered,
    readable,
    rest,
    scatter,
    writable,
)
from lswd.kernel.afd.endpoint import CONNECTED, Socket
from lswd.kernel.afd.errors import status_of
from lswd.kernel.afd.policy import check_destination, local_address
from lswd.kernel.afd.watch import HostWait
from lswd.kernel.file import Overflow
from lswd.kernel.loop import event_loop
from lswd.ntdef.status import (
    STATUS_ACCESS_VIOLATION,
    STATUS_BUFFER_OVERFLOW,
    STATUS_CONNECTION_RESET,
    STATUS_DEVICE_NOT_READY,
    STATUS_INVALID_CONNECTION,
    STATUS_INVALID_PARAMETER,
    STATUS_IO_TIMEOUT,
    STATUS_PIPE_DISCONNECTED,
    STATUS_PORT_UNREACHABLE,
    NtError,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from lswd.kernel.afd.address import Address
    from lswd.kernel.afd.ancillary import Messages
    from lswd.kernel.afd.buffers import Buffers
    from lswd.kernel.afd.controls import Control
    from lswd.kernel.thread import Thread
    from lswd.memory.space import AddressSpace


class Received:
    """What a receive tells beyond its count; filled in by ``receive``.

    Attributes:
        room: for the host's ancillary messages; 0 when nobody wants them.
    """

    __slots__ = ("address", "flags", "messages", "room")

    def __init__(self, room: int = 0) -> None:
        self.address: Address | None = None
        self.flags = 0
        self.messages: Messages = []
        self.room = room


async def receive(
    sock: Socket, thread: Thread, buffers: Buffers, flags: int = 0, *, waits: bool, result: Received | None = None
) -> int:
    """Receive into guest memory.

    Args:
        flags: Winsock's MSG_PEEK, MSG_OOB, MSG_WAITALL.
        waits: an overlapped call: it waits even on a non-blocking socket, and knows no time limit.

    Raises:
        NtError: STATUS_DEVICE_NOT_READY (WSAEWOULDBLOCK), STATUS_IO_TIMEOUT, STATUS_INVALID_CONNECTION,
            STATUS_PIPE_DISCONNECTED (WSAESHUTDOWN), STATUS_CONNECTION_RESET, ...; Overflow with
            STATUS_BUFFER_OVERFLOW for a datagram that was cut off.
    """
    sock.require_connection()
    if sock.receive_shut:
        raise NtError(STATUS_PIPE_DISCONNECTED)
    if not sock.is_stream and not sock.bound and sock.state != CONNECTED:
        raise NtError(STATUS_INVALID_PARAMETER)
    result = result or Received()
    writable(thread.process.space, buffers)  # a bad buffer is refused even when there is nothing yet
    urgent = bool(flags & afd.MSG_OOB)
    seconds = None if waits or not sock.receive_timeout else sock.receive_timeout / 1000
    turns = sock.reading_urgent if urgent else sock.reading
    turn = turns.join()
    done = 0
    try:
        with HostWait(thread, seconds) as wait:
            while True:
                if turns.is_first(turn):
                    count = _receive_now(sock, thread, rest(buffers, done), flags, result)
                    if count is not None:
                        done += count
                        whole = flags & afd.MSG_WAITALL and sock.is_stream and not flags & afd.MSG_PEEK
                        if not whole or not count or done >= sum(length for _, length in buffers):
                            return done
                        continue
                if sock.nonblocking and not waits:
                    raise NtError(STATUS_DEVICE_NOT_READY)
                if wait.expired:
                    raise NtError(STATUS_IO_TIMEOUT)
                await wait.until_turn(sock, turns, turn)
    except NtError:
        if done:
            return done
        raise
    finally:
        sock.leave(turns, turn)
        if not flags & afd.MSG_PEEK:
            sock.enable_events(afd.POLL_OOB if urgent else afd.POLL_READ)


def _receive_now(sock: Socket, thread: Thread, buffers: Buffers, flags: int, result: Received) -> int | None:
    """Receive what is there; None when that is nothing yet."""
    host = sock.host
    if sock.reset:
        raise NtError(STATUS_CONNECTION_RESET)
    views = writable(thread.process.space, buffers)
    whole = None
    if len(views) > MOST_AT_ONCE:
        if sock.is_stream:
            del views[MOST_AT_ONCE:]
        else:
            whole = bytearray(min(sum(map(len, views)), LONGEST_DATAGRAM))
    if sock.is_stream and not views:
        # Nothing to receive into: a way to wait for data, which the host does not know.
        return 0 if sock.poll_flags() & (afd.POLL_READ | afd.POLL_HUP | afd.POLL_RESET) else None
    host_flags = socket.MSG_DONTWAIT
    if flags & afd.MSG_PEEK:
        host_flags |= socket.MSG_PEEK
    if flags & afd.MSG_OOB:
        host_flags |= socket.MSG_OOB
    try:
        into = views if whole is None else [whole]
        count, result.messages, told, address = host.recvmsg_into(into, result.room, host_flags)
    except BlockingIOError:
        return None
    except OSError as error:
        raise failure(sock, error) from None
    if whole is not None:
        scatter(views, memoryview(whole)[:count])
    result.address = address or None
    if not sock.is_stream and told & socket.MSG_TRUNC:
        result.flags = afd.MSG_PARTIAL
        raise Overflow(STATUS_BUFFER_OVERFLOW, count)
    return count


def failure(sock: Socket, error: OSError) -> NtError:
    """What an error of the host's means for the socket and its program."""
    if sock.is_stream and error.errno in (errno.ECONNRESET, errno.EPIPE, errno.ETIMEDOUT):
        sock.broken(error.errno)
    if not sock.is_stream and error.errno == errno.ECONNREFUSED:
        return NtError(STATUS_PORT_UNREACHABLE)
    return NtError(status_of(error.errno))


async def send(
    sock: Socket, thread: Thread, buffers: Buffers, flags: int = 0, *, waits: bool, destination: bytes = b""
) -> int:
    """Send guest memory: a stream's all of it, unless the socket is non-blocking; ``waits`` as for ``receive``.

    Args:
        destination: a sockaddr, for datagrams.
    """
    sock.require_connection()
    if sock.send_shut:
        raise NtError(STATUS_PIPE_DISCONNECTED)
    address: Address | None = None
    if not sock.is_stream:
        address = _destination(sock, thread, destination)
    host_flags = socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL
    if flags & afd.MSG_OOB:
        host_flags |= socket.MSG_OOB
    total = sum(length for _, length in buffers)
    seconds = None if waits or not sock.send_timeout else sock.send_timeout / 1000
    turn = sock.writing.join()
    done = 0
    try:
        with HostWait(thread, seconds) as wait:
            while True:
                if sock.writing.is_first(turn):
                    views: Sequence[memoryview | bytes] = readable(thread.process.space, buffers, done)
                    if not sock.is_stream and len(views) == MOST_AT_ONCE:
                        views = [gathered(thread.process.space, buffers)]
                    try:
                        done += _send_now(sock, views, host_flags, address)
                        if not sock.is_stream or done >= total:
                            return done
                        continue
                    except BlockingIOError:
                        pass
                if sock.nonblocking and not waits:
                    sock.enable_events(afd.POLL_WRITE)
                    if done:
                        return done
                    raise NtError(STATUS_DEVICE_NOT_READY)
                if wait.expired:
                    raise NtError(STATUS_IO_TIMEOUT)
                await wait.until_turn(sock, sock.writing, turn)
    except NtError as error:
        if done and error.status == STATUS_IO_TIMEOUT:
            return done
        raise
    finally:
        sock.leave(sock.writing, turn)


def _send_now(sock: Socket, views: Sequence[memoryview | bytes], flags: int, address: Address | None) -> int:
    """
    Raises:
        BlockingIOError: not now.
        NtError: an error of the host's.
    """
    try:
        if address is not None:
            return sock.host.sendmsg(views, [], flags, address)
        return sock.host.sendmsg(views, [], flags)
    except BlockingIOError:
        raise
    except OSError as error:
        raise failure(sock, error) from None


def _destination(sock: Socket, thread: Thread, destination: bytes) -> Address | None:
    """Where a datagram goes; the socket gets an address of its own if it has none."""
    if not destination:
        if sock.state != CONNECTED:
            raise NtError(STATUS_INVALID_CONNECTION)
        return None
    network = thread.process.system.network
    address = to_host(destination, sock.family)
    check_destination(network, address)
    if not sock.bound:
        bind_anywhere(sock, network)
    return address


def bind_anywhere(sock: Socket, network: str) -> None:
    """Bind to the wildcard address and any port, as sending from an unbound socket does."""
    wildcard: Address = ("0.0.0.0", 0) if sock.family == afd.AF_INET else ("::", 0, 0, 0)
    allowed = local_address(network, wildcard, sock.family)
    try:
        sock.host.bind(allowed)
    except OSError as error:
        raise NtError(status_of(error.errno)) from None
    sock.bound = True
    if allowed != wildcard:
        sock.local = wildcard


# ---- the controls


async def recvmsg(sock: Socket, control: Control) -> int:
    """IOCTL_AFD_WINE_RECVMSG: recv, WSARecv, recvfrom, WSARecvFrom, WSARecvMsg."""
    p = control.input(afd.RecvmsgParameters)
    space = control.space
    buffers = buffers_at(space, p.buffers_ptr, p.count)
    flags = space.read_u32(p.ws_flags_ptr) if p.ws_flags_ptr else 0
    result = Received(ancillary.ROOM if p.control_ptr and not sock.is_stream else 0)
    cut: Overflow | None = None
    count = 0
    try:
        count = await receive(sock, control.thread, buffers, flags, waits=bool(p.force_async), result=result)
    except Overflow as error:
        cut = error
    if result.address is not None and p.addr_ptr and p.addr_len_ptr:
        _tell_sender(sock, space, p.addr_ptr, p.addr_len_ptr, result.address)
    if p.control_ptr:
        size = afd.WSABUF.size(space.word)
        room = afd.WSABUF.unpack(space.word, space.read(p.control_ptr, size))
        messages, lost = ancillary.for_guest(result.messages, space.word, room.len)
        space.write(room.buf, messages)
        space.write_u32(p.control_ptr, len(messages))  # WSABUF.len
        result.flags |= afd.MSG_CTRUNC if lost else 0
    if p.ws_flags_ptr and result.address is not None:
        space.write_u32(p.ws_flags_ptr, result.flags)
    if cut is not None:
        if p.force_async:  # ws2_32 tells how much there was only of requests that pended
            await event_loop()
        raise cut
    return count


def _tell_sender(sock: Socket, space: AddressSpace, where: int, length_at: int, address: Address) -> None:
    data = to_guest(address, sock.family)
    if sock.is_stream or space.read_u32(length_at) < len(data):
        return
    space.write(where, data)
    space.write_u32(length_at, len(data))


async def recv(sock: Socket, control: Control) -> int:
    """IOCTL_AFD_RECV, as Windows has it."""
    p = control.input(afd.ReceiveParameters)
    known = {afd.AFD_MSG_OOB: afd.MSG_OOB, afd.AFD_MSG_PEEK: afd.MSG_PEEK, afd.AFD_MSG_WAITALL: afd.MSG_WAITALL}
    flags = sum(ours for theirs, ours in known.items() if p.msg_flags & theirs)
    waits = bool(p.recv_flags & afd.AFD_RECV_FORCE_ASYNC)
    return await receive(sock, control.thread, buffers_at(control.space, p.buffers, p.count), flags, waits=waits)


async def sendmsg(sock: Socket, control: Control) -> int:
    """IOCTL_AFD_WINE_SENDMSG: send, WSASend, sendto, WSASendTo, WSASendMsg."""
    p = control.input(afd.SendmsgParameters)
    destination = control.space.read(p.addr_ptr, min(p.addr_len, 128)) if p.addr_ptr else b""
    buffers = buffers_at(control.space, p.buffers_ptr, p.count)
    return await send(
        sock, control.thread, buffers, p.ws_flags, waits=bool(p.force_async), destination=destination
    )


async def unread(sock: Socket, control: Control) -> int:
    """IOCTL_AFD_WINE_FIONREAD: how much one call could receive."""
    import fcntl
    import termios

    if control.out_length < 4:
        raise NtError(STATUS_ACCESS_VIOLATION)
    found = fcntl.ioctl(sock.fileno(), termios.FIONREAD, bytes(4))
    return control.answer(found)


async def at_mark(sock: Socket, control: Control) -> int:
    """IOCTL_AFD_WINE_SIOCATMARK: is there no urgent data left to be read?"""
    poll = select.poll()
    poll.register(sock.fileno(), select.POLLPRI)
    return control.answer(int(not poll.poll(0)).to_bytes(4, "little"))
