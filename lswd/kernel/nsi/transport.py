"""The store's tables of TCP and UDP: counters, connections, and whose they are as far as it is programs of ours."""

from __future__ import annotations

import functools
import socket

from lswd.host.network.proc import connections, counters
from lswd.kernel.afd.address import is_loopback, to_guest
from lswd.kernel.afd.endpoint import Socket
from lswd.kernel.afd.policy import OFF, ON
from lswd.kernel.afd.protocol import AF_INET, AF_INET6
from lswd.kernel.nsi.table import Table
from lswd.ntdef.types import ULONG, ULONGLONG, Struct, array

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from lswd.host.network.proc import Connection
    from lswd.kernel.nsi.table import Row
    from lswd.kernel.process import Process
    from lswd.kernel.system import System

_FAMILIES = ((AF_INET, socket.AF_INET), (AF_INET6, socket.AF_INET6))
_SOCKADDR_INET = 28
# MIB_TCP_STATE by Linux's TCP_*: established, syn sent, syn received, ... closing.
_STATES = {1: 5, 2: 3, 3: 4, 4: 6, 5: 7, 6: 11, 7: 1, 8: 8, 9: 10, 10: 2, 11: 9, 12: 4}
_ESTABLISHED, _LISTENING = 5, 2


class TcpCounters(Struct):
    """nsi_tcp_stats_dynamic"""

    active_opens: ULONG
    passive_opens: ULONG
    attempt_fails: ULONG
    est_rsts: ULONG
    cur_est: ULONG
    pad: ULONG
    in_segs: ULONGLONG
    out_segs: ULONGLONG
    retrans_segs: ULONG
    out_rsts: ULONG
    in_errs: ULONG
    num_conns: ULONG
    unk: tuple[int, ...] = array(ULONG, 12)


class TcpSettings(Struct):
    """nsi_tcp_stats_static"""

    rto_algo: ULONG
    rto_min: ULONG
    rto_max: ULONG
    max_conns: ULONG
    unk: ULONG


class TcpState(Struct):
    """nsi_tcp_conn_dynamic"""

    state: ULONG
    unk: tuple[int, ...] = array(ULONG, 4)


class TcpOwner(Struct):
    """nsi_tcp_conn_static"""

    unk: tuple[int, ...] = array(ULONG, 3)
    pid: ULONG
    create_time: ULONGLONG
    mod_info: ULONGLONG


class UdpCounters(Struct):
    """nsi_udp_stats_dynamic"""

    in_dgrams: ULONGLONG
    no_ports: ULONG
    in_errs: ULONG
    out_dgrams: ULONGLONG
    num_addrs: ULONG
    unk: tuple[int, ...] = array(ULONG, 5)


class UdpOwner(Struct):
    """nsi_udp_endpoint_static"""

    pid: ULONG
    unk: ULONG
    create_time: ULONGLONG
    flags: ULONG
    unk2: ULONG
    mod_info: ULONGLONG


def _owners(system: System) -> dict[int, Process]:
    """The processes of ours that have sockets, by the socket's number."""
    owners = {}
    for process in system.running_processes():
        for _, entry in process.handles:
            if isinstance(entry.object, Socket) and (number := entry.object.host_number()):
                owners[number] = process
    return owners


def _visible(system: System, protocol: str) -> Iterator[tuple[int, Connection]]:
    """Each connection and its family. Under a policy other than "on" those that stay on this machine."""
    for family, host_family in _FAMILIES:
        if system.network == OFF:
            return
        for each in connections(protocol, host_family):
            if system.network == ON or is_loopback(each.local):
                yield family, each


def _count(system: System, protocol: str, family: int) -> int:
    return sum(1 for found, _ in _visible(system, protocol) if found == family)


def _tcp_connections(wanted: int, system: System) -> Iterator[Row]:
    owners = _owners(system)
    for family, each in _visible(system, "tcp"):
        state = _STATES.get(each.state, 0)
        if wanted and state != wanted:
            continue
        key = b"".join(to_guest(address, family).ljust(_SOCKADDR_INET, b"\0") for address in (each.local, each.remote))
        owner = owners.get(each.inode)
        facts = TcpOwner(pid=owner.pid, create_time=owner.created) if owner is not None else None
        yield key, None, TcpState(state=state), facts


def _udp_endpoints(system: System) -> Iterator[Row]:
    owners = _owners(system)
    for family, each in _visible(system, "udp"):
        owner = owners.get(each.inode)
        facts = UdpOwner(pid=owner.pid, create_time=owner.created) if owner is not None else None
        yield to_guest(each.local, family), None, None, facts


def _small(counter: int) -> int:
    return counter & 0xFFFFFFFF


def _tcp_counters(system: System) -> Iterator[Row]:
    for family, host_family in _FAMILIES:
        known = counters("Tcp", host_family)
        found = TcpCounters(
            active_opens=_small(known.get("ActiveOpens", 0)), passive_opens=_small(known.get("PassiveOpens", 0)),
            attempt_fails=_small(known.get("AttemptFails", 0)), est_rsts=_small(known.get("EstabResets", 0)),
            cur_est=_small(known.get("CurrEstab", 0)), in_segs=known.get("InSegs", 0), out_segs=known.get("OutSegs", 0),
            retrans_segs=_small(known.get("RetransSegs", 0)), out_rsts=_small(known.get("OutRsts", 0)),
            in_errs=_small(known.get("InErrs", 0)), num_conns=_count(system, "tcp", family),
        )  # fmt: skip
        settings = TcpSettings(
            rto_algo=_small(known.get("RtoAlgorithm", 0)), rto_min=_small(known.get("RtoMin", 0)),
            rto_max=_small(known.get("RtoMax", 0)), max_conns=_small(known.get("MaxConn", -1)),
        )  # fmt: skip
        yield family.to_bytes(2, "little"), None, found, settings


def _udp_counters(system: System) -> Iterator[Row]:
    for family, host_family in _FAMILIES:
        known = counters("Udp", host_family)
        found = UdpCounters(
            in_dgrams=known.get("InDatagrams", 0), no_ports=_small(known.get("NoPorts", 0)),
            in_errs=_small(known.get("InErrors", 0)), out_dgrams=known.get("OutDatagrams", 0),
            num_addrs=_count(system, "udp", family),
        )  # fmt: skip
        yield family.to_bytes(2, "little"), None, found, None


def _of_tcp(wanted: int) -> Table:
    return Table((2 * _SOCKADDR_INET, 0, TcpState, TcpOwner), functools.partial(_tcp_connections, wanted))


TCP_TABLES = {
    0: Table((2, 0, TcpCounters, TcpSettings), _tcp_counters),
    3: _of_tcp(0),
    4: _of_tcp(_ESTABLISHED),
    5: _of_tcp(_LISTENING),
}
UDP_TABLES = {
    0: Table((2, 0, UdpCounters, 0), _udp_counters),
    1: Table((_SOCKADDR_INET, 0, 0, UdpOwner), _udp_endpoints),
}
