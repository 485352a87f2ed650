"""The socket object: the host's socket, what has become of it, who waits for it, and the events a program selected.

Source for what counts as an event, and when it is told again: Microsoft "WSAEventSelect", "WSAPoll", "select".
"""

from __future__ import annotations

import errno
import os
import select
import socket
import time

from lswd.kernel.afd import protocol as afd
from lswd.kernel.afd.address import to_guest
from lswd.kernel.afd.errors import status_of
from lswd.kernel.afd.turns import Turns
from lswd.kernel.afd.watch import FAILED, READABLE, URGENT, WRITABLE, HostWatch, fire
from lswd.kernel.file import FileObject
from lswd.ntdef.file import FILE_DEVICE_NAMED_PIPE, FILE_READ_DATA, FILE_SYNCHRONOUS_IO_NONALERT, FILE_WRITE_DATA
from lswd.ntdef.status import (
    STATUS_BAD_DEVICE_TYPE,
    STATUS_CANCELLED,
    STATUS_CONNECTION_RESET,
    STATUS_INVALID_CONNECTION,
    STATUS_INVALID_DEVICE_REQUEST,
    NtError,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.kernel.afd.address import Address
    from lswd.kernel.afd.address_list import AddressNews
    from lswd.kernel.afd.messages import SocketMessages
    from lswd.kernel.afd.poll import Poll
    from lswd.kernel.event import Event
    from lswd.kernel.file import Waiter
    from lswd.kernel.scheduler import Scheduler
    from lswd.kernel.thread import Thread

# What a stream has become; a datagram socket is UNCONNECTED or has a default destination (CONNECTED).
UNCONNECTED = 0
LISTENING = 1
CONNECTING = 2
CONNECTED = 3

_WRITE_EVENTS = afd.POLL_WRITE | afd.POLL_CONNECT | afd.POLL_CONNECT_ERR
_MORE_THAN_ONCE = afd.POLL_READ | afd.POLL_WRITE | afd.POLL_ACCEPT | afd.POLL_OOB


class Shared:
    """What the sockets of one system have in common.

    Attributes:
        host: what waits for the host's sockets, once somebody has to.
        bound: those that were given an address; see connection.bind.
        news: of the machine's addresses, once somebody waits for them to change.
    """

    def __init__(self) -> None:
        self.host: HostWatch | None = None
        self.bound: list[Socket] = []
        self.news: AddressNews | None = None

    def watch(self, scheduler: Scheduler) -> HostWatch:
        """The one watch of the system, whose processes run on one scheduler."""
        if self.host is None:
            self.host = HostWatch(scheduler)
        return self.host


class Socket(FileObject):
    """See the module's docstring.

    Attributes:
        family, kind, protocol: Winsock's numbers.
        bound: has it an address of its own? local: the address it asked for, which a policy may have narrowed.
        nonblocking: calls that are not overlapped fail rather than wait.
        receive_shut, send_shut: what the program has shut down; reset: the peer (or the network) has ended it.
        connect_error: errno of the connection attempt that failed last; pending_error: what SO_ERROR will say.
        receive_timeout, send_timeout: milliseconds for calls that are not overlapped; 0 for ever.
        sizes: the buffer sizes the program asked for.
        reading, reading_urgent, writing: whose turn it is.
        main_poll: the poll that an exclusive one would end.
    """

    device_type = FILE_DEVICE_NAMED_PIPE  # what GetFileType knows as FILE_TYPE_PIPE, as in Windows

    def __init__(self, shared: Shared, access: int, options: int = FILE_SYNCHRONOUS_IO_NONALERT) -> None:
        super().__init__(access, options)
        self.shared = shared
        self._host: socket.socket | None = None
        self._interests: dict[Waiter, int] = {}
        self._trying = False
        self._retry = 0
        self.family = self.kind = self.protocol = 0
        self.state = UNCONNECTED
        self.bound = False
        self.local: Address | None = None
        self.nonblocking = False
        self.receive_shut = self.send_shut = self.reset = self.closed = False
        self.connect_error = self.pending_error = 0
        self.connected_at = 0.0
        self.receive_timeout = self.send_timeout = 0
        self.reuse = self.exclusive = False
        self.sizes: dict[str, int] = {}
        self.reading, self.reading_urgent, self.writing = Turns(READABLE), Turns(URGENT), Turns(WRITABLE)
        self.event: Event | None = None
        self.messages: SocketMessages | None = None
        self.event_mask = 0
        self._told = 0  # events not to be told again until the program has done something about them
        self.untold = 0  # events for WSAEnumNetworkEvents
        self.main_poll: Poll | None = None

    def path(self) -> str:
        return "\\Device\\Afd"

    # ---- the host's socket

    @property
    def host(self) -> socket.socket:
        """
        Raises:
            NtError: STATUS_BAD_DEVICE_TYPE when nothing was created on this handle, STATUS_CANCELLED when it is closed.
        """
        if self._host is None:
            raise NtError(STATUS_CANCELLED if self.closed else STATUS_BAD_DEVICE_TYPE)
        return self._host

    def attach(self, host: socket.socket, family: int, kind: int, protocol: int) -> None:
        """Make ``host`` (from now on never blocking) what this object stands for."""
        self.detach()
        host.setblocking(False)
        self._host = host
        self.family, self.kind, self.protocol = family, kind, protocol
        if self.shared.host is not None and (self.event_mask or self._interests):
            self.shared.host.add(self, READABLE | WRITABLE | URGENT)

    def detach(self) -> None:
        """Close the host's socket."""
        host = self._host
        if host is not None:
            if self.shared.host is not None:
                self.shared.host.forget(self)
            self._host = None
            host.close()

    def fileno(self) -> int:
        return self.host.fileno()

    @property
    def is_stream(self) -> bool:
        return self.kind == afd.SOCK_STREAM

    @property
    def created(self) -> bool:
        """Is there a socket behind the handle?"""
        return self._host is not None

    def host_number(self) -> int:
        """The inode of the host's socket; 0 when there is none."""
        return os.fstat(self._host.fileno()).st_ino if self._host is not None else 0

    def own_address(self) -> bytes:
        """What getsockname tells."""
        address = self.host.getsockname()
        if self.local is not None:
            address = (self.local[0], address[1], *self.local[2:])
        return to_guest(address, self.family)

    def require_connection(self) -> None:
        """
        Raises:
            NtError: STATUS_INVALID_CONNECTION for a stream that is not connected, STATUS_CONNECTION_RESET; what
                ``host`` raises.
        """
        self.fileno()
        self.finish_connecting()
        if self.reset:
            raise NtError(STATUS_CONNECTION_RESET)
        if self.is_stream and self.state != CONNECTED:
            raise NtError(STATUS_INVALID_CONNECTION)

    # ---- connecting

    def finish_connecting(self) -> None:
        """If the host has finished connecting, take note of how."""
        if self.state != CONNECTING or not _poll(self.fileno(), WRITABLE):
            return
        error = self.host.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error:
            self.connection_failed(error)
        else:
            self.connection_made()

    def connection_made(self) -> None:
        self.state = CONNECTED
        self.connected_at = time.monotonic()
        self.receive_shut = self.send_shut = self.reset = False
        self.connect_error = 0

    def connection_failed(self, error: int) -> None:
        self.state = UNCONNECTED
        self.connect_error = self.pending_error = error

    # ---- what can be done without waiting

    def poll_flags(self) -> int:
        """POLL_* as it is now."""
        if self.closed:
            return afd.POLL_CLOSE
        if self._host is None:
            return 0
        self.finish_connecting()
        flags = afd.POLL_CONNECT_ERR if self.connect_error else 0
        if self.is_stream and self.state in (UNCONNECTED, CONNECTING):
            return flags
        events = _poll(self.fileno(), READABLE | WRITABLE | URGENT)
        if self.state == LISTENING:
            return flags | (afd.POLL_ACCEPT if events & READABLE else 0)
        if self.is_stream:
            flags |= afd.POLL_CONNECT
        if events & URGENT:
            flags |= afd.POLL_OOB
        if events & WRITABLE and not self.reset and not self.send_shut:
            flags |= afd.POLL_WRITE
        if events & (READABLE | FAILED):
            flags |= self._readable_flags() if self.is_stream else afd.POLL_READ
        return flags

    def _readable_flags(self) -> int:
        """Is it data, the end, or an error that a connection has to give?"""
        if not self.reset and not self.receive_shut:
            try:
                if self.host.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT):
                    return afd.POLL_READ
                return afd.POLL_HUP
            except BlockingIOError:
                return 0
            except OSError as error:
                if error.errno == errno.EINVAL:  # nothing but urgent data
                    return 0
                self.broken(error.errno)
        return afd.POLL_RESET if self.reset else afd.POLL_HUP

    def broken(self, error: int | None) -> None:
        """The connection has ended with an error."""
        self.reset = True
        self.pending_error = error or 0

    # ---- waiting

    def add_interest(self, scheduler: Scheduler, waiter: Waiter, mask: int) -> None:
        """``waiter`` fires when one of the host's events in ``mask`` happens, or the socket changes."""
        self._interests[waiter] = self._interests.get(waiter, 0) | mask
        self.watch(scheduler, mask)

    def remove_interest(self, waiter: Waiter) -> None:
        """It has enough."""
        self._interests.pop(waiter, None)

    def watch(self, scheduler: Scheduler, mask: int) -> None:
        """From now on the host tells us of changes in ``mask``, too."""
        if self._host is None:
            return
        self.shared.watch(scheduler).add(self, mask)

    def on_host_events(self, events: int) -> None:
        """The host has news: everybody concerned has a try."""
        if self.state == CONNECTING:
            self.finish_connecting()
        self._let_try(events)
        self.tell_events()

    def stir(self) -> None:
        """The socket itself has changed: let everybody who waits for it look again."""
        self._let_try(FAILED)
        self.tell_events()

    def leave(self, turns: Turns, token: object) -> None:
        """An operation is over; it may have left something to those behind it."""
        if turns.leave(token):
            self._let_try(turns.mask)

    def _let_try(self, events: int) -> None:
        """Fire who waits for one of ``events``, again if operations ended meanwhile: never one inside another."""
        self._retry |= events
        if self._trying:
            return
        self._trying = True
        try:
            while self._retry:
                events, self._retry = self._retry, 0
                for turns in (self.reading, self.reading_urgent, self.writing):
                    turns.call_first()
                for waiter, mask in tuple(self._interests.items()):
                    if events & (mask | FAILED):
                        fire(waiter)
        finally:
            self._trying = False

    # ---- WSAEventSelect, WSAAsyncSelect

    def select_events(
        self, scheduler: Scheduler, event: Event | None, mask: int, messages: SocketMessages | None = None
    ) -> None:
        """From now on tell of the events in ``mask`` through ``event``, or by ``messages``; what is so already is told
        at once."""
        self.event, self.messages = event, messages
        self.event_mask = mask if event is not None or messages is not None else 0
        self._told = self.untold = 0
        if self.event_mask:
            self.nonblocking = True
        self.tell_events()
        if self.event_mask:
            self.watch(scheduler, READABLE | URGENT | (WRITABLE if mask & _WRITE_EVENTS else 0))

    def tell_events(self) -> None:
        """Set the event for what is new."""
        wanted = self.event_mask & ~self._told
        if not wanted or self._host is None:
            return
        flags = self.poll_flags()
        if flags & afd.POLL_READ:
            flags &= ~afd.POLL_HUP  # the end comes behind what is to be read
        new = flags & wanted
        if new:
            self._told |= new
            if self.event is not None:
                self.untold |= new
                self.event.set()
            elif self.messages is not None:
                self.messages.post(self, new)

    def enable_events(self, flags: int) -> None:
        """The program has done what makes these events worth telling again."""
        if self.event_mask:
            self._told &= ~(flags & _MORE_THAN_ONCE)
            self.tell_events()

    def event_statuses(self) -> tuple[int, ...]:
        """For GET_EVENTS: how each event of a selection ended."""
        statuses = [0] * afd.POLL_BITS
        if self.connect_error:
            statuses[6] = statuses[8] = status_of(self.connect_error)  # POLL_CONNECT, POLL_CONNECT_ERR
        if self.reset:
            statuses[4] = STATUS_CONNECTION_RESET  # POLL_RESET
        return tuple(statuses)

    # ---- as a file

    async def device_control(
        self, thread: Thread, code: int, address: int, length: int, out_address: int, out_length: int
    ) -> int:
        from lswd.kernel.afd.controls import Control, handler_of

        handler = handler_of(code)
        if handler is None:
            missing = thread.process.missing_calls
            name = f"\\Device\\Afd control {code:#x}"
            missing[name] = missing.get(name, 0) + 1
            raise NtError(STATUS_INVALID_DEVICE_REQUEST)
        try:
            return await handler(self, Control(thread, code, address, length, out_address, out_length))
        except OSError as error:
            raise NtError(status_of(error.errno)) from None

    async def read(self, thread: Thread, address: int, length: int, offset: int | None, key: int = 0) -> int:
        from lswd.kernel.afd.transfer import receive

        return await receive(self, thread, [(address, length)], waits=True)

    async def write(self, thread: Thread, address: int, length: int, offset: int | None, key: int = 0) -> int:
        from lswd.kernel.afd.transfer import send

        return await send(self, thread, [(address, length)], waits=True)

    def query(self, information_class: int) -> bytes:
        from lswd.kernel.afd.information import query

        return query(information_class)

    def on_last_handle(self) -> None:
        self.closed = True
        self.stir()  # polls tell so; what else goes on is cancelled
        super().on_last_handle()

    def cleanup(self) -> None:
        self.closed = True
        self.event_mask = 0
        self.stir()
        self.detach()


def _poll(fd: int, mask: int) -> int:
    """What the host says of a descriptor now."""
    poll = select.poll()
    poll.register(fd, mask)
    found = poll.poll(0)
    return found[0][1] if found else 0


# What an endpoint may be opened for, whatever a program asks.
ALL_ACCESS = FILE_READ_DATA | FILE_WRITE_DATA | 0x1F0180
