"""The Unix half of dnsapi: lists in the caller's room, answers as they have come, nothing under a policy."""

from __future__ import annotations

import socket
import struct
from pathlib import Path

import pytest

from lswd.host.network import resolver
from lswd.unixlib import dnsapi, handle_of

from .afd_guest import Body, Sockets, run_with_sockets
from .guest_threads import Guest

LIBRARY = handle_of("dnsapi.dll")
SEARCH_LIST, SERVER_LIST, SET_SERVERS, QUERY = range(4)
SERVERS = [(int(socket.AF_INET), bytes([192, 0, 2, 1])), (int(socket.AF_INET6), bytes(15) + b"\1")]


@pytest.fixture(autouse=True)
def host(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host with two servers, which knows one name."""

    def query(name: bytes, kind: int, room: int) -> bytes:
        if name != b"known.example":
            raise resolver.ResolverError(resolver.HOST_NOT_FOUND)
        return b"answer of kind %d" % kind

    monkeypatch.setattr(resolver, "servers", lambda: SERVERS)
    monkeypatch.setattr(resolver, "search_list", lambda: ["one.example"])
    monkeypatch.setattr(resolver, "query", query)


def test_the_search_list_ends_in_an_empty_name(tmp_path: Path) -> None:
    def main(guest: Guest, sockets: Sockets) -> Body:
        for room in (4, 64):
            size, where = guest.stored(struct.pack("<I", room)), guest.room(64)
            q = dnsapi.SearchListQuestion(list=where, len=size)
            guest.log.append((yield "__wine_unix_call", LIBRARY, SEARCH_LIST, guest.stored(q.pack(8))))
            guest.log.append(sockets.memory.read_u32(size))
        guest.log.append(sockets.memory.read(where, 26))

    text = "one.example\0\0".encode("utf-16-le")
    assert [dnsapi.ERROR_MORE_DATA, 26, 0, 26, text] == run_with_sockets(tmp_path, main)


@pytest.mark.parametrize(("network", "family", "status", "size"), [
    ("on", 0, 0, 32 + 2 * 64), ("on", 2, 0, 32 + 64), ("on", 23, 0, 32 + 64),
    ("loopback", 0, dnsapi.DNS_ERROR_NO_DNS_SERVERS, 512), ("off", 0, dnsapi.DNS_ERROR_NO_DNS_SERVERS, 512),
])
def test_servers_are_listed_by_family(network: str, family: int, status: int, size: int, tmp_path: Path) -> None:
    def main(guest: Guest, sockets: Sockets) -> Body:
        room, where = guest.stored(struct.pack("<I", 512)), guest.room(512)
        q = dnsapi.ServerListQuestion(family=family, addrs=where, len=room)
        guest.log.append((yield "__wine_unix_call", LIBRARY, SERVER_LIST, guest.stored(q.pack(8))))
        guest.log.append(sockets.memory.read_u32(room))
        guest.log.append(sockets.memory.read(where + 32, 8))

    found = run_with_sockets(tmp_path, main, network=network)
    assert [status, size] == found[:2]
    first = struct.pack("<HH", 2, 0) + SERVERS[0][1] if family != 23 else struct.pack("<H", 23) + bytes(6)
    assert (first if status == 0 else bytes(8)) == found[2]


@pytest.mark.parametrize(("network", "name", "status", "answer"), [
    ("on", b"known.example", 0, b"answer of kind 28"),
    ("on", b"unknown.example", dnsapi.DNS_ERROR_RCODE_NAME_ERROR, b""),
    ("loopback", b"known.example", dnsapi.DNS_ERROR_NO_DNS_SERVERS, b""),
    ("off", b"known.example", dnsapi.DNS_ERROR_NO_DNS_SERVERS, b""),
])
def test_a_question_is_passed_on(network: str, name: bytes, status: int, answer: bytes, tmp_path: Path) -> None:
    def main(guest: Guest, sockets: Sockets) -> Body:
        size, where = guest.stored(struct.pack("<I", 256)), guest.room(256)
        q = dnsapi.QueryQuestion(name=guest.stored(name + b"\0"), type=28, buf=where, len=size)
        guest.log.append((yield "__wine_unix_call", LIBRARY, QUERY, guest.stored(q.pack(8))))
        guest.log.append(sockets.memory.read(where, sockets.memory.read_u32(size)).rstrip(b"\0"))

    assert [status, answer] == run_with_sockets(tmp_path, main, network=network)


def test_servers_of_the_program_s_own_choice_are_refused(tmp_path: Path) -> None:
    def main(guest: Guest, sockets: Sockets) -> Body:
        for chosen in (0, guest.stored(bytes(8)), guest.stored(struct.pack("<I4s", 1, bytes([192, 0, 2, 9])))):
            guest.log.append((yield "__wine_unix_call", LIBRARY, SET_SERVERS, chosen))

    assert [0, 0, dnsapi.ERROR_NOT_SUPPORTED] == run_with_sockets(tmp_path, main)
