"""Making sockets, giving them addresses, connecting them, and ending that.

Source: Microsoft "socket", "bind", "listen", "accept", "AcceptEx", "connect", "ConnectEx", "shutdown".
"""

from __future__ import annotations

import errno
import socket

from lswd.kernel.afd import protocol as afd
from lswd.kernel.afd.address import HOST_FAMILIES, family_of, is_wildcard, to_guest, to_host
from lswd.kernel.afd.endpoint import CONNECTED, CONNECTING, LISTENING, UNCONNECTED, Socket
from lswd.kernel.afd.errors import creation_status, status_of
from lswd.kernel.afd.policy import OFF, check_destination, local_address
from lswd.kernel.afd.transfer import bind_anywhere, receive, send
from lswd.kernel.afd.watch import WRITABLE, HostWait
from lswd.ntdef.status import (
    STATUS_ADDRESS_ALREADY_EXISTS,
    STATUS_BUFFER_TOO_SMALL,
    STATUS_CONNECTION_ACTIVE,
    STATUS_DEVICE_NOT_READY,
    STATUS_INVALID_ADDRESS_COMPONENT,
    STATUS_INVALID_CONNECTION,
    STATUS_INVALID_PARAMETER,
    STATUS_NOT_SUPPORTED,
    NtError,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.kernel.afd.address import Address
    from lswd.kernel.afd.controls import Control

_LONGEST_ADDRESS = 128
_LONGEST_QUEUE = 4096
# IP_MULTICAST_ALL and IPV6_MULTICAST_ALL (linux/in.h, linux/in6.h)
_OWN_GROUPS = {afd.AF_INET: (socket.IPPROTO_IP, 49), afd.AF_INET6: (socket.IPPROTO_IPV6, 29)}
_TYPES = {afd.SOCK_STREAM: socket.SOCK_STREAM, afd.SOCK_DGRAM: socket.SOCK_DGRAM, afd.SOCK_RAW: socket.SOCK_RAW}
_SHUTDOWN = (socket.SHUT_RD, socket.SHUT_WR, socket.SHUT_RDWR)
_BY_DEFAULT = {afd.SOCK_STREAM: socket.IPPROTO_TCP, afd.SOCK_DGRAM: socket.IPPROTO_UDP}


def _new_host_socket(family: int, kind: int, protocol: int) -> socket.socket:
    """A socket of the host with the defaults Windows has.

    Raises:
        NtError: with a Winsock error in it.
    """
    if family not in HOST_FAMILIES:
        raise NtError(afd.winsock_status(afd.WSAEAFNOSUPPORT))
    if kind not in _TYPES:
        raise NtError(afd.winsock_status(afd.WSAESOCKTNOSUPPORT))
    try:
        host = socket.socket(HOST_FAMILIES[family], _TYPES[kind], protocol)
    except OSError as error:
        raise NtError(creation_status(error.errno)) from None
    if family == afd.AF_INET6:
        host.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    if kind == afd.SOCK_DGRAM:
        # Only groups of its own, not those that others on this machine have joined.
        try:
            host.setsockopt(*_OWN_GROUPS[family], 0)
        except OSError:
            pass  # Linux before 4.20 cannot, for IPv6
    if kind == afd.SOCK_STREAM:
        # A closed connection that lingers does not keep its port from Windows programs.
        host.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return host


async def create(sock: Socket, control: Control) -> int:
    """IOCTL_AFD_WINE_CREATE: what kind of socket a new handle is."""
    p = control.input(afd.CreateParameters)
    if sock.created:
        raise NtError(STATUS_INVALID_PARAMETER)
    if control.network == OFF:
        raise NtError(afd.winsock_status(afd.WSAENETDOWN))
    host = _new_host_socket(p.family, p.type, p.protocol)
    sock.attach(host, p.family, p.type, p.protocol or _BY_DEFAULT.get(p.type, 0))
    return 0


async def bind(sock: Socket, control: Control) -> int:
    """IOCTL_AFD_BIND: a number nobody needs, then the address; the answer is the address with its port."""
    host = sock.host
    if sock.bound:
        raise NtError(STATUS_INVALID_PARAMETER)
    address = to_host(control.data()[4:], sock.family)
    allowed = local_address(control.network, address, sock.family)
    _check_others(sock, allowed)
    host.bind(allowed)
    sock.bound = True
    if allowed != address:
        sock.local = address
    bound_sockets(sock).append(sock)
    if not control.out_length:
        return 0
    return control.answer(sock.own_address()[: control.out_length])


def bound_sockets(sock: Socket) -> list[Socket]:
    """The sockets of this system that were bound to an address and are open still."""
    everyone = sock.shared.bound
    everyone[:] = [other for other in everyone if other.created]
    return everyone


def _check_others(sock: Socket, address: Address) -> None:
    """Windows asks both sockets that want one address whether they agree; the host would let streams share a port
    until one of them listens.

    Raises:
        NtError: STATUS_ADDRESS_ALREADY_EXISTS.
    """
    if not sock.is_stream or not address[1]:
        return
    for other in bound_sockets(sock):
        if other.kind != sock.kind or other.family != sock.family:
            continue
        theirs = other.host.getsockname()
        same = theirs[0] == address[0] or is_wildcard(theirs) or is_wildcard(address)
        if theirs[1] == address[1] and same and not (sock.reuse and other.reuse):
            raise NtError(STATUS_ADDRESS_ALREADY_EXISTS)


async def listen(sock: Socket, control: Control) -> int:
    """IOCTL_AFD_LISTEN."""
    p = control.input(afd.ListenParameters)
    host = sock.host
    if not sock.bound or sock.state in (CONNECTED, CONNECTING):
        raise NtError(STATUS_INVALID_PARAMETER)
    host.listen(max(1, min(abs(p.backlog), _LONGEST_QUEUE)))
    sock.state = LISTENING
    sock.stir()
    return 0


async def _next_connection(sock: Socket, control: Control, *, waits: bool) -> tuple[socket.socket, Address]:
    """The next one to arrive."""
    if not sock.is_stream:
        raise NtError(STATUS_NOT_SUPPORTED)
    turn = sock.reading.join()
    try:
        with HostWait(control.thread) as wait:
            while True:
                if sock.state != LISTENING:
                    raise NtError(STATUS_INVALID_PARAMETER)
                if sock.reading.is_first(turn):
                    try:
                        return sock.host.accept()
                    except BlockingIOError:
                        pass
                    except OSError as error:
                        if error.errno != errno.ECONNABORTED:  # it left before it was let in
                            raise NtError(status_of(error.errno)) from None
                        continue
                if sock.nonblocking and not waits:
                    raise NtError(STATUS_DEVICE_NOT_READY)
                await wait.until_turn(sock, sock.reading, turn)
    finally:
        sock.leave(sock.reading, turn)
        sock.enable_events(afd.POLL_ACCEPT)


def _accepted(sock: Socket, new: Socket, host: socket.socket) -> None:
    """``new`` is the end of a connection that arrived at ``sock``."""
    new.attach(host, sock.family, sock.kind, sock.protocol)
    new.bound = True
    new.connection_made()


async def accept(sock: Socket, control: Control) -> int:
    """IOCTL_AFD_WINE_ACCEPT: the handle of a connection, which is like the socket it arrived at."""
    if control.out_length < 4:
        raise NtError(STATUS_BUFFER_TOO_SMALL)
    host, _ = await _next_connection(sock, control, waits=False)
    new = Socket(sock.shared, sock.access, sock.options)
    _accepted(sock, new, host)
    new.nonblocking = sock.nonblocking
    new.receive_timeout, new.send_timeout = sock.receive_timeout, sock.send_timeout
    handles = control.process.handles
    handle = handles.add(new, new.access, inherit=True)
    try:
        control.space.write_u32(control.out_address, handle)
    except NtError:
        handles.close(handle)
        raise
    if sock.event_mask:
        messages = sock.messages.of(handle) if sock.messages is not None else None
        new.select_events(control.scheduler, sock.event, sock.event_mask, messages)
    return 4


async def accept_into(sock: Socket, control: Control) -> int:
    """IOCTL_AFD_WINE_ACCEPT_INTO: AcceptEx. The output is room for received data, then for both addresses, each behind
    its length."""
    p = control.input(afd.AcceptIntoParameters)
    new = control.process.handles.get(p.accept_handle, Socket)
    assert isinstance(new, Socket)
    if new.bound or new.state != UNCONNECTED or not new.created or new is sock:
        raise NtError(STATUS_INVALID_PARAMETER)
    if p.recv_len + p.local_len > control.out_length:
        raise NtError(STATUS_BUFFER_TOO_SMALL)
    control.space.probe_write(control.out_address, control.out_length)
    host, peer = await _next_connection(sock, control, waits=True)
    if new.closed or new.state != UNCONNECTED:
        host.close()
        raise NtError(STATUS_INVALID_CONNECTION)
    _accepted(sock, new, host)
    count = 0
    if p.recv_len:
        count = await receive(new, control.thread, [(control.out_address, p.recv_len)], waits=True)
    remote_len = control.out_length - p.recv_len - p.local_len
    at = control.out_address + p.recv_len
    _write_address(control, at, p.local_len, new.own_address())
    _write_address(control, at + p.local_len, remote_len, to_guest(peer, sock.family))
    return count


def _write_address(control: Control, at: int, room: int, address: bytes) -> None:
    """An address behind its length, if there is room for it."""
    data = len(address).to_bytes(4, "little") + address
    if room >= len(data):
        control.space.write(at, data)


async def connect(sock: Socket, control: Control) -> int:
    """IOCTL_AFD_WINE_CONNECT: connect (synchronous) or ConnectEx; the input is the address and what to send first."""
    p = control.input(afd.ConnectParameters)
    if not 0 <= p.addr_len <= min(_LONGEST_ADDRESS, control.length - 8):
        raise NtError(STATUS_INVALID_PARAMETER)
    data = control.space.read(control.address + 8, p.addr_len)
    first = (control.address + 8 + p.addr_len, control.length - 8 - p.addr_len)
    sock.finish_connecting()
    host = sock.host
    if not sock.is_stream:
        return _set_destination(sock, control, data)
    if sock.state == LISTENING or sock.state == CONNECTING:
        raise NtError(STATUS_INVALID_PARAMETER)
    if sock.state == CONNECTED:
        raise NtError(STATUS_CONNECTION_ACTIVE)
    address = to_host(data, sock.family)
    if not address[1]:
        raise NtError(STATUS_INVALID_ADDRESS_COMPONENT)
    check_destination(control.network, address)
    if not sock.bound and not p.synchronous:
        raise NtError(STATUS_INVALID_PARAMETER)
    _start_connecting(sock, host, address)
    sock.bound = True
    if sock.state == CONNECTING and sock.event_mask:
        sock.watch(control.scheduler, WRITABLE)
    if sock.state == CONNECTING and sock.nonblocking and p.synchronous:
        raise NtError(STATUS_DEVICE_NOT_READY)
    with HostWait(control.thread) as wait:
        while sock.state == CONNECTING:
            await wait.until([(sock, WRITABLE)])
            sock.finish_connecting()
    if sock.state != CONNECTED:
        raise NtError(status_of(sock.connect_error or errno.ECONNABORTED))
    if first[1] and not p.synchronous:
        return await send(sock, control.thread, [first], waits=True)
    return 0


def _start_connecting(sock: Socket, host: socket.socket, address: Address) -> None:
    sock.connect_error = sock.pending_error = 0
    try:
        host.connect(address)
        sock.connection_made()
    except BlockingIOError:
        sock.state = CONNECTING
    except OSError as error:
        sock.connection_failed(error.errno or errno.EINVAL)
        raise NtError(status_of(error.errno)) from None


def _set_destination(sock: Socket, control: Control, data: bytes) -> int:
    """A datagram socket's default destination and only source; an address of no family takes it back."""
    if len(data) >= 2 and family_of(data) == afd.AF_UNSPEC:
        try:
            sock.host.connect(("0.0.0.0", 0) if sock.family == afd.AF_INET else ("::", 0))
        except OSError:
            pass
        sock.state = UNCONNECTED
        return 0
    address = to_host(data, sock.family)
    check_destination(control.network, address)
    if not sock.bound:
        bind_anywhere(sock, control.network)
    sock.host.connect(address)
    sock.state = CONNECTED
    return 0


async def shutdown(sock: Socket, control: Control) -> int:
    """IOCTL_AFD_WINE_SHUTDOWN: SD_RECEIVE, SD_SEND or SD_BOTH."""
    how = control.number()
    if not 0 <= how < len(_SHUTDOWN):
        raise NtError(STATUS_INVALID_PARAMETER)
    sock.finish_connecting()
    if sock.is_stream and sock.state != CONNECTED:
        raise NtError(STATUS_INVALID_CONNECTION)
    try:
        sock.host.shutdown(_SHUTDOWN[how])
    except OSError as error:
        if error.errno != errno.ENOTCONN:  # the peer has gone, or there never was one
            raise NtError(status_of(error.errno)) from None
    sock.receive_shut |= how != 1
    sock.send_shut |= how != 0
    sock.stir()
    return 0

