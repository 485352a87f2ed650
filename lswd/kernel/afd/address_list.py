"""Waiting for the machine's addresses to change (SIO_ADDRESS_LIST_CHANGE).

One subscription serves all sockets of a system; it is there while somebody waits.
"""

from __future__ import annotations

from lswd.host.network import netlink
from lswd.kernel.afd.errors import status_of
from lswd.kernel.afd.policy import ON
from lswd.kernel.afd.watch import READABLE, HostWait
from lswd.ntdef.status import STATUS_BUFFER_TOO_SMALL, STATUS_CANCELLED, STATUS_DEVICE_NOT_READY, NtError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket

    from lswd.kernel.afd.controls import Control
    from lswd.kernel.afd.endpoint import Socket
    from lswd.kernel.afd.watch import HostWatch


class AddressNews:
    """The subscription.

    Attributes:
        changes: how often an address of a family (Linux' number, which is Winsock's for IPv4) came or went so far.
    """

    def __init__(self) -> None:
        self.changes: dict[int, int] = {}
        self._waiting: list[Socket] = []
        self._host: socket.socket | None = None

    def fileno(self) -> int:
        assert self._host is not None
        return self._host.fileno()

    def join(self, sock: Socket, watch: HostWatch) -> None:
        """``sock`` waits, once more.

        Raises:
            OSError: the host does not tell.
        """
        if self._host is None:
            self._host = netlink.subscribe_addresses()
            watch.add(self, READABLE)
        self._waiting.append(sock)

    def leave(self, sock: Socket, watch: HostWatch) -> None:
        """It waits once less."""
        self._waiting.remove(sock)
        if not self._waiting and self._host is not None:
            watch.forget(self)
            self._host.close()
            self._host = None

    def on_host_events(self, events: int) -> None:
        """Addresses may have changed."""
        assert self._host is not None
        families = netlink.changed_families(self._host)
        for family in families:
            self.changes[family] = self.changes.get(family, 0) + 1
        if families:
            for sock in tuple(self._waiting):
                sock.stir()


async def address_list_change(sock: Socket, control: Control) -> int:
    """IOCTL_AFD_WINE_ADDRESS_LIST_CHANGE: ends with the next change of an address of the socket's family. Programs that
    may not use the network see addresses of the loopback only, which stay."""
    if control.length < 4:
        raise NtError(STATUS_BUFFER_TOO_SMALL)
    if sock.nonblocking and not control.number():
        raise NtError(STATUS_DEVICE_NOT_READY)
    family = sock.host.family
    news = sock.shared.news = sock.shared.news or AddressNews()
    watch = sock.shared.watch(control.scheduler)
    known = news.changes.get(family, 0)
    subscribed = control.network == ON
    if subscribed:
        try:
            news.join(sock, watch)
        except OSError as error:
            raise NtError(status_of(error.errno)) from None
    try:
        with HostWait(control.thread) as wait:
            while sock.created and news.changes.get(family, 0) == known:
                await wait.until([(sock, 0)])
    finally:
        if subscribed:
            news.leave(sock, watch)
    if not sock.created:
        raise NtError(STATUS_CANCELLED)
    return 0
