"""Which control of ``\\Device\\Afd`` is done by which function, and what such a function is given."""

from __future__ import annotations

from lswd.kernel.afd import protocol as afd
from lswd.ntdef.status import STATUS_BUFFER_TOO_SMALL, STATUS_INVALID_PARAMETER, NtError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any, TypeAlias, TypeVar

    from lswd.kernel.afd.endpoint import Socket
    from lswd.kernel.process import Process
    from lswd.kernel.scheduler import Scheduler
    from lswd.kernel.thread import Thread
    from lswd.memory.space import AddressSpace
    from lswd.ntdef.types import Struct

    S = TypeVar("S", bound=Struct)

_LONGEST_INPUT = 1 << 20


class Control:
    """One NtDeviceIoControlFile: whose, and its two buffers in guest memory."""

    __slots__ = ("address", "code", "length", "out_address", "out_length", "thread")

    def __init__(
        self, thread: Thread, code: int, address: int, length: int, out_address: int, out_length: int
    ) -> None:
        self.thread = thread
        self.code = code
        self.address = address
        self.length = length
        self.out_address = out_address
        self.out_length = out_length

    @property
    def process(self) -> Process:
        return self.thread.process

    @property
    def scheduler(self) -> Scheduler:
        scheduler = self.thread.process.scheduler
        assert scheduler is not None
        return scheduler

    @property
    def space(self) -> AddressSpace:
        return self.thread.process.space

    @property
    def network(self) -> str:
        """The policy (kernel.afd.policy)."""
        return self.thread.process.system.network

    def data(self) -> bytes:
        """All of the input.

        Raises:
            NtError: STATUS_INVALID_PARAMETER when there is unreasonably much, STATUS_ACCESS_VIOLATION.
        """
        if self.length > _LONGEST_INPUT:
            raise NtError(STATUS_INVALID_PARAMETER)
        return self.space.read(self.address, self.length)

    def input(self, kind: type[S]) -> S:
        """The structure the input begins with.

        Raises:
            NtError: STATUS_INVALID_PARAMETER when it is not all there.
        """
        word = self.space.word
        size = kind.size(word)
        if self.length < size:
            raise NtError(STATUS_INVALID_PARAMETER)
        return kind.unpack(word, self.space.read(self.address, size))

    def number(self) -> int:
        """An input that is a signed number of 32 bits or less."""
        if not self.length:
            raise NtError(STATUS_BUFFER_TOO_SMALL)
        return int.from_bytes(self.space.read(self.address, min(self.length, 4)), "little", signed=self.length >= 4)

    def answer(self, data: bytes) -> int:
        """Write all of an output; returns its length.

        Raises:
            NtError: STATUS_BUFFER_TOO_SMALL (WSAEFAULT).
        """
        if self.out_length < len(data):
            raise NtError(STATUS_BUFFER_TOO_SMALL)
        self.space.write(self.out_address, data)
        return len(data)

    def answer_number(self, value: int) -> int:
        """Write a number into as much room as there is for its 32 bits."""
        if not self.out_length:
            raise NtError(STATUS_BUFFER_TOO_SMALL)
        return self.answer((value & 0xFFFFFFFF).to_bytes(4, "little")[: self.out_length])


if TYPE_CHECKING:
    Handler: TypeAlias = Callable[[Socket, Control], Coroutine[Any, Any, int]]

_HANDLERS: dict[int, Handler] = {}


def handler_of(code: int) -> Handler | None:
    """What does a control, or None when nothing does."""
    if not _HANDLERS:
        _fill()
    return _HANDLERS.get(code)


def _fill() -> None:
    from lswd.kernel.afd import (
        address_list,
        connection,
        information,
        interfaces,
        messages,
        options,
        poll,
        transfer,
        transmit,
    )

    _HANDLERS.update(
        {
            afd.IOCTL_AFD_BIND: connection.bind,
            afd.IOCTL_AFD_LISTEN: connection.listen,
            afd.IOCTL_AFD_RECV: transfer.recv,
            afd.IOCTL_AFD_POLL: poll.poll,
            afd.IOCTL_AFD_GETSOCKNAME: information.own_name,
            afd.IOCTL_AFD_EVENT_SELECT: poll.event_select,
            afd.IOCTL_AFD_GET_EVENTS: poll.get_events,
            afd.IOCTL_AFD_WINE_CREATE: connection.create,
            afd.IOCTL_AFD_WINE_ACCEPT: connection.accept,
            afd.IOCTL_AFD_WINE_ACCEPT_INTO: connection.accept_into,
            afd.IOCTL_AFD_WINE_CONNECT: connection.connect,
            afd.IOCTL_AFD_WINE_SHUTDOWN: connection.shutdown,
            afd.IOCTL_AFD_WINE_RECVMSG: transfer.recvmsg,
            afd.IOCTL_AFD_WINE_SENDMSG: transfer.sendmsg,
            afd.IOCTL_AFD_WINE_TRANSMIT: transmit.transmit,
            afd.IOCTL_AFD_WINE_ADDRESS_LIST_CHANGE: address_list.address_list_change,
            afd.IOCTL_AFD_WINE_FIONBIO: information.set_nonblocking,
            afd.IOCTL_AFD_WINE_COMPLETE_ASYNC: information.complete,
            afd.IOCTL_AFD_WINE_FIONREAD: transfer.unread,
            afd.IOCTL_AFD_WINE_SIOCATMARK: transfer.at_mark,
            afd.IOCTL_AFD_WINE_GET_INTERFACE_LIST: interfaces.interface_list,
            afd.IOCTL_AFD_WINE_KEEPALIVE_VALS: options.keepalive_values,
            afd.IOCTL_AFD_WINE_MESSAGE_SELECT: messages.message_select,
            afd.IOCTL_AFD_WINE_GETPEERNAME: information.peer_name,
            afd.IOCTL_AFD_WINE_GET_INFO: information.kind,
            **options.HANDLERS,
        }
    )


__all__ = ["Control", "handler_of"]
