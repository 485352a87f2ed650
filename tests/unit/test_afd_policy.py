"""The network policy: on, this machine only, off."""

from __future__ import annotations

import os
import socket
import struct
from pathlib import Path
from typing import Any

import pytest

from lswd.kernel.afd import protocol as afd
from lswd.kernel.afd.address import to_host
from lswd.kernel.afd.policy import CHOICES, check_destination, local_address
from lswd.ntdef.status import STATUS_ACCESS_DENIED, STATUS_SUCCESS, NtError
from lswd.unixlib import ws2_32

from .afd_guest import DATAGRAM, STREAM, Body, Sockets, run_with_sockets
from .guest_threads import Guest

ELSEWHERE = "192.0.2.1"  # RFC 5737: nobody


def verdicts(network: str, *hosts: str) -> list[bool]:
    """May one connect there?"""
    found = []
    for host in hosts:
        try:
            check_destination(network, (host, 1))
            found.append(True)
        except NtError as error:
            assert STATUS_ACCESS_DENIED == error.status
            found.append(False)
    return found


def test_each_policy_knows_where_one_may_connect() -> None:
    hosts = ("127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "192.0.2.1", "2001:db8::1", "::ffff:192.0.2.1",
             "1270.0.0.1.example")  # fmt: skip
    assert [True] * 8 == verdicts("on", *hosts)
    assert [True, True, True, True, False, False, False, False] == verdicts("loopback", *hosts)
    assert [False] * 8 == verdicts("off", *hosts)
    assert [False] * 8 == verdicts("a word there is not", *hosts)
    assert ("on", "loopback", "off") == CHOICES


def test_all_addresses_of_this_machine_are_its_loopback_addresses_under_the_loopback_policy() -> None:
    assert ("0.0.0.0", 5) == local_address("on", ("0.0.0.0", 5), afd.AF_INET)
    assert ("127.0.0.1", 5) == local_address("loopback", ("0.0.0.0", 5), afd.AF_INET)
    assert ("::1", 5, 0, 0) == local_address("loopback", ("::", 5, 0, 0), afd.AF_INET6)
    with pytest.raises(NtError):
        local_address("loopback", ("192.0.2.1", 5), afd.AF_INET)
    with pytest.raises(NtError):
        local_address("off", ("0.0.0.0", 5), afd.AF_INET)


@pytest.mark.parametrize(("network", "status"), [("on", 0), ("loopback", 0), ("off", 0xC0012742)])
def test_a_socket_can_be_made_unless_the_network_is_off(network: str, status: int, tmp_path: Path) -> None:
    def main(guest: Guest, sockets: Sockets) -> Body:
        handle = yield from sockets.open()
        parameters = afd.CreateParameters(family=afd.AF_INET, type=afd.SOCK_STREAM, protocol=6)
        guest.log.append((yield from sockets.control(handle, afd.IOCTL_AFD_WINE_CREATE, parameters))[0])

    assert [status] == run_with_sockets(tmp_path, main, network=network)


@pytest.mark.parametrize(("network", "host"), [("on", "0.0.0.0"), ("loopback", "127.0.0.1")])
def test_a_server_for_everybody_is_one_for_this_machine_under_the_loopback_policy(
    network: str, host: str, tmp_path: Path
) -> None:
    def main(guest: Guest, sockets: Sockets) -> Body:
        handle = yield from sockets.create()
        status, address = yield from sockets.bind(handle, "0.0.0.0")
        guest.log.append((status, address[0]))
        guest.log.append(guest.object(handle).host.getsockname()[0])
        _, name = yield from sockets.control(handle, afd.IOCTL_AFD_GETSOCKNAME, size=16)
        guest.log.append(to_host(name, afd.AF_INET) == address)

    assert [(0, "0.0.0.0"), host, True] == run_with_sockets(tmp_path, main, network=network)


def test_the_loopback_policy_refuses_to_connect_send_and_bind_elsewhere(tmp_path: Path) -> None:
    def main(guest: Guest, sockets: Sockets) -> Body:
        stream = yield from sockets.create(STREAM)
        datagram = yield from sockets.create(DATAGRAM)
        guest.log.append((yield from sockets.connect(stream, ELSEWHERE, 80)))
        guest.log.append((yield from sockets.bind(stream, ELSEWHERE))[0])
        guest.log.append((yield from sockets.connect(datagram, ELSEWHERE, 80)))
        guest.log.append((yield from sockets.send(datagram, b"x", (ELSEWHERE, 80))))
        guest.log.append(guest.object(datagram).bound)

    assert [STATUS_ACCESS_DENIED] * 4 + [False] == run_with_sockets(tmp_path, main, network="loopback")


@pytest.mark.parametrize(("network", "host"), [("on", "0.0.0.0"), ("loopback", "127.0.0.1")])
def test_a_datagram_socket_that_sends_first_can_be_answered_only_from_here_under_the_loopback_policy(
    network: str, host: str, tmp_path: Path
) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as there:
        there.bind(("127.0.0.1", 0))

        def main(guest: Guest, sockets: Sockets) -> Body:
            handle = yield from sockets.create(DATAGRAM)
            guest.log.append((yield from sockets.send(handle, b"hello", there.getsockname())))
            guest.log.append(guest.object(handle).host.getsockname()[0])
            guest.log.append(there.recv(16))

        assert [0, host, b"hello"] == run_with_sockets(tmp_path, main, network=network)


@pytest.mark.parametrize(("network", "status"), [("on", 0), ("loopback", STATUS_ACCESS_DENIED)])
def test_groups_are_joined_only_with_the_network_on(network: str, status: int, tmp_path: Path) -> None:
    group, interface, source = b"\xef\1\2\3", b"\x7f\0\0\1", b"\x7f\0\0\2"

    def main(guest: Guest, sockets: Sockets) -> Body:
        handle = yield from sockets.create(DATAGRAM)
        yield from sockets.bind(handle)
        for function, data in ((239, group + interface), (240, group + source + interface)):
            guest.log.append((yield from sockets.control(handle, afd.wine_control(function), data))[0])
            yield from sockets.control(handle, afd.wine_control(244), group + interface)

    assert [status, status] == run_with_sockets(tmp_path, main, network=network)


class AskedHost:
    """Stands in for the host's resolver, which must not be asked anything."""

    def __init__(self) -> None:
        self.questions: list[Any] = []

    def getaddrinfo(self, node: str | None, service: Any, family: int, kind: int, protocol: int, flags: int) -> Any:
        if node is not None and not flags & socket.AI_NUMERICHOST:
            self.questions.append(node)
        if node is not None and not node[0].isdigit():
            raise socket.gaierror(socket.EAI_NONAME, "not known")
        return [(socket.AF_INET, kind, 6, "", (node or "127.0.0.1", 80))]


@pytest.mark.parametrize(
    ("network", "node", "error", "asked"),
    [
        ("loopback", b"example.com", ws2_32.WSAHOST_NOT_FOUND, []),
        ("off", b"example.com", ws2_32.WSAHOST_NOT_FOUND, []),
        ("loopback", b"localhost", STATUS_SUCCESS, []),
        ("loopback", b"192.0.2.7", STATUS_SUCCESS, []),
        ("on", b"example.com", ws2_32.WSAHOST_NOT_FOUND, ["example.com"]),
    ],
)
def test_only_with_the_network_on_is_a_resolver_asked(
    network: str, node: bytes, error: int, asked: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = AskedHost()
    monkeypatch.setattr(socket, "getaddrinfo", host.getaddrinfo)

    def main(guest: Guest, sockets: Sockets) -> Body:
        size = guest.stored(struct.pack("<I", 512))
        question = ws2_32.AddressesQuestion(
            node=guest.stored(node + b"\0"), info=guest.room(512), size_at=size
        )
        guest.log.append((yield "__wine_unix_call", 2, 0, guest.stored(question.pack(8))))

    assert [error] == run_with_sockets(tmp_path, main, network=network)
    assert asked == host.questions


@pytest.mark.parametrize("network", ["loopback", "off"])
def test_the_machine_itself_is_found_without_a_resolver(network: str, tmp_path: Path) -> None:
    def main(guest: Guest, sockets: Sockets) -> Body:
        for flags in (0, 0x2):  # AI_CANONNAME
            size, info = guest.stored(struct.pack("<I", 512)), guest.room(512)
            question = ws2_32.AddressesQuestion(
                node=guest.stored(b"LocalHost\0"), info=info, size_at=size,
                hints=guest.stored(ws2_32.ADDRINFO(flags=flags, socktype=1, family=2).pack(8)),
            )  # fmt: skip
            guest.log.append((yield "__wine_unix_call", 2, 0, guest.stored(question.pack(8))))
            found = ws2_32.ADDRINFO.unpack(8, sockets.memory.read(info, ws2_32.ADDRINFO.size(8)))
            guest.log.append(sockets.memory.read(found.addr + 4, 4))
        guest.log.append(sockets.memory.read(found.canonname, 10))

    loopback = b"\x7f\0\0\1"
    assert [0, loopback, 0, loopback, b"LocalHost\0"] == run_with_sockets(tmp_path, main, network=network)


def test_this_machine_has_its_own_name(tmp_path: Path) -> None:
    def main(guest: Guest, sockets: Sockets) -> Body:
        name = guest.room(64)
        question = ws2_32.OwnNameQuestion(name=name, room=64)
        guest.log.append((yield "__wine_unix_call", 2, 3, guest.stored(question.pack(8))))
        guest.log.append(sockets.memory.read(name, 64).partition(b"\0")[0])

    assert [0, os.uname().nodename.encode()] == run_with_sockets(tmp_path, main, network="off")


@pytest.mark.parametrize("network", ["on", "loopback"])
def test_a_program_kept_on_this_machine_sees_no_other_interface(network: str, tmp_path: Path) -> None:
    def main(guest: Guest, sockets: Sockets) -> Body:
        handle = yield from sockets.create(DATAGRAM)
        status, output = yield from sockets.control(handle, afd.IOCTL_AFD_WINE_GET_INTERFACE_LIST, size=76 * 64)
        flags = [struct.unpack_from("<I", output, at)[0] for at in range(0, len(output), 76)]
        hosts = [to_host(output[at + 4 : at + 20], afd.AF_INET)[0] for at in range(0, len(output), 76)]
        guest.log.append((status, "127.0.0.1" in hosts))
        if network == "loopback":
            guest.log += [flag & 4 for flag in flags]

    expected: list[Any] = [(0, True)]
    assert expected + [4] * (network == "loopback") == run_with_sockets(tmp_path, main, network=network)
