"""The network store: rows, pieces of rows, whose connections are whose, what a policy hides, senseless questions."""

from __future__ import annotations

import random
import socket
import struct
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from lswd.host.network import proc
from lswd.host.network.echo import Reply
from lswd.kernel.afd.address import to_guest
from lswd.kernel.afd.protocol import AF_INET
from lswd.kernel.nsi import device as nsi
from lswd.kernel.nsi import icmp
from lswd.kernel.nsi.ip import IPV4_TABLES, IPV6_TABLES
from lswd.kernel.nsi.ndis import TABLES as NDIS_TABLES
from lswd.kernel.nsi.table import Table
from lswd.kernel.nsi.transport import TCP_TABLES, UDP_TABLES
from lswd.ntdef.status import (
    STATUS_BUFFER_OVERFLOW,
    STATUS_INVALID_PARAMETER,
    STATUS_NOT_FOUND,
    STATUS_NOT_SUPPORTED,
    STATUS_OBJECT_NAME_NOT_FOUND,
)

from .afd_guest import Body, Sockets, run_with_sockets
from .guest_threads import Guest

NDIS, IPV4, IPV6, TCP, UDP = 0x11, 0x00, 0x01, 0x03, 0x02
TABLES = {NDIS: NDIS_TABLES, IPV4: IPV4_TABLES, IPV6: IPV6_TABLES, TCP: TCP_TABLES, UDP: UDP_TABLES}


def module(number: int) -> nsi.NPI_MODULEID:
    return nsi.NPI_MODULEID(Length=24, Type=1, Guid=nsi._module(number))


def enumerate_all(
    sockets: Sockets, which: int, table: int, count: int, sizes: tuple[int, ...] | None = None
) -> Any:
    """Returns the status, the number of rows, and the bytes behind it."""
    handle = yield from sockets.open(name="\\Device\\Nsi")
    key, rw, dynamic, static = TABLES[which][table].sizes if sizes is None else sizes
    q = nsi.EnumerateAll(module=module(which), first_arg=1, table=table, key_size=key, rw_size=rw,
                         dynamic_size=dynamic, static_size=static, count=count)
    size = 4 + (key + rw + dynamic + static) * count
    status, out = yield from sockets.control(handle, nsi.IOCTL_NSIPROXY_WINE_ENUMERATE_ALL, q, size)
    return status, int.from_bytes(out[:4], "little"), out[4:]


@pytest.mark.parametrize(("which", "table"), [(which, table) for which in TABLES for table in TABLES[which]])
def test_each_table_counts_its_rows_and_gives_them(which: int, table: int, tmp_path: Path) -> None:
    def main(guest: Guest, sockets: Sockets) -> Body:
        guest.log.append((yield from enumerate_all(sockets, which, table, 0xCCCCCCCC, (0, 0, 0, 0))))
        guest.log.append((yield from enumerate_all(sockets, which, table, guest.log[0][1] + 50)))

    (status, count, _), (full_status, full_count, data) = run_with_sockets(tmp_path, main)
    assert (0, 0) == (status, full_status)
    assert abs(count - full_count) < 50  # connections come and go
    assert (full_count == 0) == (not any(data))


def test_rows_that_do_not_fit_are_left_out_and_that_is_said(tmp_path: Path) -> None:
    def main(guest: Guest, sockets: Sockets) -> Body:
        guest.log.append((yield from enumerate_all(sockets, NDIS, 0, 0)))
        guest.log.append((yield from enumerate_all(sockets, NDIS, 0, 0, (4, 0, 0, 0))))
        guest.log.append((yield from enumerate_all(sockets, NDIS, 9, 0, (0, 0, 0, 0))))

    (whole, count, _), (odd, *_), (unknown, *_) = run_with_sockets(tmp_path, main)
    assert (STATUS_BUFFER_OVERFLOW, 0) == (whole, count)
    assert (STATUS_INVALID_PARAMETER, STATUS_NOT_SUPPORTED) == (odd, unknown)


def test_a_row_is_found_by_its_key(tmp_path: Path) -> None:
    index = socket.if_nametoindex("lo")

    def ask(sockets: Sockets, which: int, table: int, key: bytes, parts: tuple[int, int, int]) -> Any:
        handle = yield from sockets.open(name="\\Device\\Nsi")
        q = nsi.GetAllParameters(module=module(which), first_arg=1, table=table, key_size=len(key), rw_size=parts[0],
                                 dynamic_size=parts[1], static_size=parts[2])
        return (yield from sockets.control(handle, nsi.IOCTL_NSIPROXY_WINE_GET_ALL_PARAMETERS, q.pack(8) + key,
                                           sum(parts)))

    def main(guest: Guest, sockets: Sockets) -> Body:
        guest.log.append((yield from ask(sockets, NDIS, 2, struct.pack("<I", index), (0, 0, 8))))
        luid = guest.log[0][1]
        guest.log.append((yield from ask(sockets, NDIS, 0, luid, (0, 0, NDIS_TABLES[0].sizes[3]))))
        guest.log.append((yield from ask(sockets, NDIS, 2, struct.pack("<I", 0x7FFFFFF), (0, 0, 8))))
        guest.log.append((yield from ask(sockets, IPV4, 10, bytes(16), (28, 0, 0))))
        handle = yield from sockets.open(name="\\Device\\Nsi")
        q = nsi.GetParameter(module=module(NDIS), first_arg=1, table=0, key_size=8, param_type=2, data_offset=0)
        guest.log.append((yield from sockets.control(handle, nsi.IOCTL_NSIPROXY_WINE_GET_PARAMETER,
                                                     q.pack(8) + luid, 4)))

    (status, luid), (again, facts), (missing, _), (no_address, _), piece = run_with_sockets(tmp_path, main)
    assert (0, 0, index << 24 | 24 << 48) == (status, again, int.from_bytes(luid, "little"))
    assert index == int.from_bytes(facts[:4], "little")
    assert (STATUS_OBJECT_NAME_NOT_FOUND, STATUS_NOT_FOUND) == (missing, no_address)
    assert (0, struct.pack("<I", index)) == piece


def test_connections_know_the_process_they_belong_to(tmp_path: Path) -> None:
    def main(guest: Guest, sockets: Sockets) -> Body:
        handle = yield from sockets.create()
        _, name = yield from sockets.bind(handle)
        guest.log.append(name)
        guest.log.append((yield from sockets.control(handle, 0x1200B, struct.pack("<III", 0, 1, 0))))
        guest.log.append((yield from enumerate_all(sockets, TCP, 5, 500)))
        guest.log.append(guest.machine.process.pid)

    (_, port), _, (status, count, data), pid = run_with_sockets(tmp_path, main)
    key_size, _, state_size, owner_size = TCP_TABLES[5].sizes
    keys = [data[i * key_size : (i + 1) * key_size] for i in range(count)]
    owners = data[500 * (key_size + state_size) :]
    local = struct.pack("<H", 2) + port.to_bytes(2, "big") + b"\x7f\0\0\1"
    (row,) = [i for i, key in enumerate(keys) if key.startswith(local)]
    assert (0, pid) == (status, int.from_bytes(owners[row * owner_size + 12 : row * owner_size + 16], "little"))


@pytest.mark.parametrize("network", ["loopback", "off"])
def test_a_policy_shows_only_this_machine(network: str, tmp_path: Path) -> None:
    def main(guest: Guest, sockets: Sockets) -> Body:
        for which, table in ((NDIS, 2), (IPV4, 10), (IPV6, 10), (IPV4, 16), (IPV6, 16), (IPV4, 11)):
            guest.log.append((yield from enumerate_all(sockets, which, table, 100)))
        guest.log.append((yield from enumerate_all(sockets, UDP, 1, 500)))

    indices, addresses, addresses6, routes, routes6, neighbours, endpoints = run_with_sockets(
        tmp_path, main, network=network)
    luid = (socket.if_nametoindex("lo") << 24 | 24 << 48).to_bytes(8, "little")
    assert (1, 0) == (indices[1], neighbours[1])
    assert addresses[2][:16] == luid + b"\x7f\0\0\1" + bytes(4)
    assert {luid} == {addresses[2][i * 16 : i * 16 + 8] for i in range(addresses[1])}
    assert {luid} >= {addresses6[2][i * 24 : i * 24 + 8] for i in range(addresses6[1])}
    assert {luid} == {routes[2][i * 48 + 24 : i * 48 + 32] for i in range(routes[1])}
    assert {luid} >= {routes6[2][i * 72 + 40 : i * 72 + 48] for i in range(routes6[1])}
    locals_only = [endpoints[2][i * 28 : i * 28 + 28] for i in range(endpoints[1])]
    assert all(key[4] == 127 or key[8:24] == b"\0" * 15 + b"\1" for key in locals_only)
    assert network != "off" or not locals_only


@pytest.mark.parametrize("tables", [IPV4_TABLES, IPV6_TABLES, TCP_TABLES, UDP_TABLES])
def test_counters_of_a_host_that_has_run_for_long(
    tables: dict[int, Table], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proc, "_lines", _long_run)
    for table in tables.values():
        table.rows(cast(Any, SimpleNamespace(network="on", running_processes=list)))


def _long_run(path: str) -> list[str]:
    """Linux counts with 64 bits."""
    names = "InReceives InMsgs InErrors OutMsgs OutErrors InSegs ActiveOpens NoPorts InDatagrams ForwDatagrams"
    numbers = " ".join(str((1 << 40) + 5) for _ in names.split())
    if path.endswith("snmp"):
        return [f"{group}: {line}" for group in ("Ip", "Icmp", "Tcp", "Udp") for line in (names, numbers)]
    if path.endswith("snmp6"):
        return [f"{group}6{name} {(1 << 40) + 5}" for group in ("Ip", "Icmp", "Udp") for name in names.split()]
    return []


def test_a_reply_may_be_wanted_at_the_end_of_all_addresses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def answered(address: str, data: bytes, q: object) -> Reply:
        return Reply(0, 0, address, data, 1, 64, 0)

    monkeypatch.setattr(icmp, "_ask", answered)

    def main(guest: Guest, sockets: Sockets) -> Body:
        handle = yield from sockets.open(name="\\Device\\Nsi")
        to = to_guest(("127.0.0.1", 0), AF_INET)
        for bits in (64, 32):
            question = icmp.EchoQuestion(dst=to, user_reply_ptr=(1 << 64) - 8, bits=bits, timeout=1)
            data = question.pack(8)[: icmp.EchoQuestion.offset(8, "timeout") + 4]
            guest.log.append((yield from sockets.control(handle, nsi.IOCTL_NSIPROXY_WINE_ICMP_ECHO, data, 256))[0])

    assert [0, 0] == run_with_sockets(tmp_path, main)


def test_no_question_is_too_senseless(tmp_path: Path) -> None:
    codes = (nsi.IOCTL_NSIPROXY_WINE_ENUMERATE_ALL, nsi.IOCTL_NSIPROXY_WINE_GET_ALL_PARAMETERS,
             nsi.IOCTL_NSIPROXY_WINE_GET_PARAMETER, 0x12100C, 0)
    chance = random.Random(5)
    numbers = (0, 1, 4, 16, 0xFFFFFFFF)

    def main(guest: Guest, sockets: Sockets) -> Body:
        handle = yield from sockets.open(name="\\Device\\Nsi")
        for which in (*TABLES, 7):
            for code in codes:
                for size in (0, 3, 44, 47, 48, 52, 56, 60, 80):
                    rest = b"".join(chance.choice(numbers).to_bytes(4, "little") for _ in range(16))
                    data = (module(which).pack(8) + rest)[:size]
                    guest.log.append((yield from sockets.control(handle, code, data, chance.choice((0, 4, 64))))[0])

    assert 6 * 5 * 9 == len(run_with_sockets(tmp_path, main))
