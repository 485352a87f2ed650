"""Waiting for the machine's addresses to change; the host's news are made up here (test_host_network has real ones)."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from lswd.host.network import netlink
from lswd.kernel.afd import protocol as afd
from lswd.ntdef.status import STATUS_BUFFER_TOO_SMALL, STATUS_CANCELLED, STATUS_DEVICE_NOT_READY, STATUS_PENDING

from .afd_guest import DATAGRAM, OVERLAPPED, Body, Sockets, run_with_sockets
from .guest_threads import Guest

CHANGE = afd.IOCTL_AFD_WINE_ADDRESS_LIST_CHANGE
WAIT, NOW_OR_NEVER = struct.pack("<i", 1), struct.pack("<i", 0)


class Host:
    """What tells of changes."""

    def __init__(self) -> None:
        self.subscriptions: list[socket.socket] = []

    def subscribe(self) -> socket.socket:
        mine, given = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        given.setblocking(False)
        self.subscriptions.append(mine)
        return given

    def tell(self, kind: int, family: int) -> None:
        body = bytes([family, 8, 0, 0]) + struct.pack("<I", 1)
        self.subscriptions[-1].send(struct.pack("<IHHII", 16 + len(body), kind, 0, 0, 0) + body)

    def subscribed(self) -> bool:
        try:
            self.subscriptions[-1].send(b"")
        except OSError:
            return False
        return True


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    host = Host()
    monkeypatch.setattr(netlink, "subscribe_addresses", host.subscribe)
    yield host
    for each in host.subscriptions:
        each.close()


def test_all_that_wait_are_told_of_an_address_of_their_family(host: Host, tmp_path: Path) -> None:
    def main(guest: Guest, sockets: Sockets) -> Body:
        first = yield from sockets.create(options=OVERLAPPED)
        second = yield from sockets.create(DATAGRAM, options=OVERLAPPED)
        other = yield from sockets.create(options=OVERLAPPED, family=afd.AF_INET6)
        requests = []
        for handle in (first, first, second, other):
            request, status = yield from sockets.begin(handle, CHANGE, WAIT)
            requests.append(request)
            guest.log.append(status)
        host.tell(netlink.RTM_GETADDR, socket.AF_INET)
        host.tell(netlink.RTM_NEWADDR, socket.AF_INET)
        for request in requests[:3]:
            guest.log.append((yield from request.end())[0])
        host.tell(netlink.RTM_DELADDR, socket.AF_INET6)
        guest.log.append((yield from requests[3].end())[0])
        guest.log.append((len(host.subscriptions), host.subscribed()))
        request, _ = yield from sockets.begin(first, CHANGE, WAIT)
        host.tell(netlink.RTM_DELADDR, socket.AF_INET)
        guest.log.append((yield from request.end())[0])

    assert [STATUS_PENDING] * 4 + [0] * 4 + [(1, False), 0] == run_with_sockets(tmp_path, main)


def test_closing_and_cancelling_end_the_wait(host: Host, tmp_path: Path) -> None:
    def main(guest: Guest, sockets: Sockets) -> Body:
        cancelled = yield from sockets.create(options=OVERLAPPED)
        closed = yield from sockets.create(options=OVERLAPPED)
        first, _ = yield from sockets.begin(cancelled, CHANGE, WAIT)
        second, _ = yield from sockets.begin(closed, CHANGE, WAIT)
        yield "NtCancelIoFileEx", cancelled, 0, guest.room(16)
        guest.log.append((yield from first.end())[0])
        guest.log.append(host.subscribed())
        yield "NtClose", closed
        guest.log.append((yield from second.end())[0])
        guest.log.append(host.subscribed())

    assert [STATUS_CANCELLED, True, STATUS_CANCELLED, False] == run_with_sockets(tmp_path, main)


def test_a_call_on_a_nonblocking_socket_waits_only_when_it_is_overlapped(host: Host, tmp_path: Path) -> None:
    def main(guest: Guest, sockets: Sockets) -> Body:
        handle = yield from sockets.create(options=OVERLAPPED)
        yield from sockets.control(handle, afd.IOCTL_AFD_WINE_FIONBIO, struct.pack("<i", 1))
        for data in (NOW_OR_NEVER, b""):
            guest.log.append((yield from sockets.control(handle, CHANGE, data))[0])
        request, status = yield from sockets.begin(handle, CHANGE, WAIT)
        guest.log.append(status)
        host.tell(netlink.RTM_NEWADDR, socket.AF_INET)
        guest.log.append((yield from request.end())[0])

    expected = [STATUS_DEVICE_NOT_READY, STATUS_BUFFER_TOO_SMALL, STATUS_PENDING, 0]
    assert expected == run_with_sockets(tmp_path, main)


def test_who_may_use_this_machine_only_is_told_nothing(host: Host, tmp_path: Path) -> None:
    def main(guest: Guest, sockets: Sockets) -> Body:
        handle = yield from sockets.create(options=OVERLAPPED)
        request, status = yield from sockets.begin(handle, CHANGE, WAIT)
        guest.log.append((status, host.subscriptions))
        yield "NtClose", handle
        guest.log.append((yield from request.end())[0])

    assert [(STATUS_PENDING, []), STATUS_CANCELLED] == run_with_sockets(tmp_path, main, network="loopback")
