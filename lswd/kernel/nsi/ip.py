"""The store's tables of IPv4 and IPv6: addresses, routes, neighbours, counters."""

from __future__ import annotations

import functools
import socket

from lswd.host.network.proc import counters, setting, started
from lswd.host.network.state import (
    IFA_F_DEPRECATED,
    IFA_F_PERMANENT,
    IFA_F_TENTATIVE,
    addresses,
    neighbours,
    routes,
)
from lswd.kernel.nsi.ndis import Luid
from lswd.kernel.nsi.table import Table, luid, visible_interfaces
from lswd.ntdef.types import UCHAR, ULONG, ULONGLONG, USHORT, Struct, array, raw

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lswd.host.network.state import Interface, InterfaceAddress
    from lswd.kernel.nsi.table import Part, Row
    from lswd.kernel.system import System

_FOR_EVER = 0xFFFFFFFF
_COMPARTMENT = 1  # the only one
# NL_PREFIX_ORIGIN and NL_SUFFIX_ORIGIN
_MANUAL, _WELL_KNOWN, _DHCP, _ADVERTISED, _LINK_LAYER = 1, 2, 3, 4, 4
_TENTATIVE, _DEPRECATED, _PREFERRED = 1, 3, 4  # NL_DAD_STATE
_LOCAL, _NETMGMT = 2, 3  # NL_ROUTE_PROTOCOL
_SCOPE_LINK = 253
# NL_NEIGHBOR_STATE by NUD_*: incomplete, reachable, stale, delay, probe, failed, noarp, permanent.
_NEIGHBOUR_STATES = {0x01: 1, 0x02: 5, 0x04: 4, 0x08: 3, 0x10: 2, 0x20: 0, 0x40: 6, 0x80: 6}
_EPOCH = 11644473600


class Ipv4AddressKey(Struct):
    """nsi_ipv4_unicast_key"""

    luid: ULONGLONG
    addr: bytes = raw(4)
    pad: ULONG


class Ipv6AddressKey(Struct):
    """nsi_ipv6_unicast_key"""

    luid: ULONGLONG
    addr: bytes = raw(16)


class AddressSettings(Struct):
    """nsi_ip_unicast_rw"""

    preferred_lifetime: ULONG
    valid_lifetime: ULONG
    prefix_origin: ULONG
    suffix_origin: ULONG
    on_link_prefix: ULONG
    unk: tuple[int, ...] = array(ULONG, 2)


class AddressState(Struct):
    """nsi_ip_unicast_dynamic"""

    scope_id: ULONG
    dad_state: ULONG


class Ipv4NeighbourKey(Struct):
    """nsi_ipv4_neighbour_key"""

    luid: ULONGLONG
    luid2: ULONGLONG
    addr: bytes = raw(4)
    pad: ULONG


class Ipv6NeighbourKey(Struct):
    """nsi_ipv6_neighbour_key"""

    luid: ULONGLONG
    luid2: ULONGLONG
    addr: bytes = raw(16)


class NeighbourState(Struct):
    """nsi_ip_neighbour_dynamic"""

    state: ULONG
    time: ULONG
    is_router: UCHAR
    is_unreachable: UCHAR
    phys_addr_len: USHORT
    unk: ULONG


class Ipv4RouteKey(Struct):
    """nsi_ipv4_forward_key"""

    unk: ULONG
    prefix: bytes = raw(4)
    prefix_len: UCHAR
    unk2: bytes = raw(3)
    unk3: tuple[int, ...] = array(ULONG, 3)
    luid: ULONGLONG
    luid2: ULONGLONG
    next_hop: bytes = raw(4)
    pad: ULONG


class Ipv6RouteKey(Struct):
    """nsi_ipv6_forward_key"""

    unk: ULONG
    prefix: bytes = raw(16)
    prefix_len: UCHAR
    unk2: bytes = raw(3)
    unk3: tuple[int, ...] = array(ULONG, 3)
    pad: ULONG
    luid: ULONGLONG
    luid2: ULONGLONG
    next_hop: bytes = raw(16)


class RouteSettings(Struct):
    """nsi_ip_forward_rw"""

    site_prefix_len: ULONG
    valid_lifetime: ULONG
    preferred_lifetime: ULONG
    metric: ULONG
    protocol: ULONG
    loopback: UCHAR
    autoconf: UCHAR
    publish: UCHAR
    immortal: UCHAR
    unk: bytes = raw(4)
    unk2: ULONG


class RouteFacts(Struct):
    """nsi_ip_forward_static"""

    origin: ULONG
    if_index: ULONG


class CompartmentSettings(Struct):
    """nsi_ip_cmpt_rw"""

    not_forwarding: ULONG
    unk: ULONG
    default_ttl: ULONG
    unk2: ULONG


class CompartmentState(Struct):
    """nsi_ip_cmpt_dynamic"""

    num_ifs: ULONG
    num_routes: ULONG
    unk: ULONG
    num_addrs: ULONG


class IcmpCounters(Struct):
    """nsi_ip_icmpstats_dynamic"""

    in_msgs: ULONG
    in_errors: ULONG
    in_type_counts: tuple[int, ...] = array(ULONG, 256)
    out_msgs: ULONG
    out_errors: ULONG
    out_type_counts: tuple[int, ...] = array(ULONG, 256)


class IpCounters(Struct):
    """nsi_ip_ipstats_dynamic"""

    unk: tuple[int, ...] = array(ULONG, 4)
    in_recv: ULONGLONG
    in_octets: ULONGLONG
    fwd_dgrams: ULONGLONG
    in_delivers: ULONGLONG
    out_reqs: ULONGLONG
    unk2: ULONGLONG
    unk3: ULONGLONG
    out_octets: ULONGLONG
    unk4: tuple[int, ...] = array(ULONGLONG, 6)
    in_hdr_errs: ULONGLONG
    in_addr_errs: ULONG
    in_unk_protos: ULONG
    unk5: ULONG
    reasm_reqds: ULONG
    reasm_oks: ULONG
    reasm_fails: ULONG
    in_discards: ULONG
    out_no_routes: ULONG
    out_discards: ULONG
    routing_discards: ULONG
    frag_oks: ULONG
    frag_fails: ULONG
    frag_creates: ULONG
    unk6: tuple[int, ...] = array(ULONG, 7)


_COUNTER_NAMES = {
    "in_recv": "InReceives", "in_hdr_errs": "InHdrErrors", "in_addr_errs": "InAddrErrors",
    "in_unk_protos": "InUnknownProtos", "reasm_reqds": "ReasmReqds", "reasm_oks": "ReasmOKs",
    "reasm_fails": "ReasmFails", "in_discards": "InDiscards", "in_delivers": "InDelivers", "out_reqs": "OutRequests",
    "out_no_routes": "OutNoRoutes", "out_discards": "OutDiscards", "frag_oks": "FragOKs", "frag_fails": "FragFails",
    "frag_creates": "FragCreates",
}  # fmt: skip


def _origins(interface: Interface, address: InterfaceAddress) -> tuple[int, int]:
    """Where prefix and suffix are from, as far as the host tells."""
    if address.family == socket.AF_INET6 and address.scope == _SCOPE_LINK:
        return _WELL_KNOWN, _LINK_LAYER
    if address.flags & IFA_F_PERMANENT or interface.is_loopback:
        return _MANUAL, _MANUAL
    return (_ADVERTISED, _LINK_LAYER) if address.family == socket.AF_INET6 else (_DHCP, _DHCP)


def _addresses(family: int, system: System) -> Iterator[Row]:
    visible = visible_interfaces(system)
    created = ((started() + _EPOCH) * 10_000_000).to_bytes(8, "little")
    for address in addresses(family):
        interface = visible.get(address.index)
        if interface is None:
            continue
        key_type = Ipv4AddressKey if family == socket.AF_INET else Ipv6AddressKey
        prefix_origin, suffix_origin = _origins(interface, address)
        settings = AddressSettings(
            preferred_lifetime=address.preferred,
            valid_lifetime=address.valid,
            prefix_origin=prefix_origin,
            suffix_origin=suffix_origin,
            on_link_prefix=address.prefix,
        )
        is_local = family == socket.AF_INET6 and address.scope == _SCOPE_LINK
        dad = _TENTATIVE if address.flags & IFA_F_TENTATIVE else _PREFERRED
        state = AddressState(
            scope_id=interface.index if is_local else 0,
            dad_state=_DEPRECATED if address.flags & IFA_F_DEPRECATED else dad,
        )
        yield key_type(luid=luid(interface), addr=address.address), settings, state, created


def _route(
    family: int, interface: Interface, destination: bytes, prefix: int, gateway: bytes, metric: int, is_local: bool
) -> Row:
    key_type = Ipv4RouteKey if family == socket.AF_INET else Ipv6RouteKey
    number = luid(interface)
    protocol = _NETMGMT if any(gateway) else _LOCAL
    own = is_local or (protocol == _LOCAL and prefix == 8 * len(destination))
    key = key_type(prefix=destination, prefix_len=prefix, luid=number, luid2=number, next_hop=gateway)
    settings = RouteSettings(
        valid_lifetime=_FOR_EVER, preferred_lifetime=_FOR_EVER, metric=metric, protocol=protocol, loopback=own,
        autoconf=1, immortal=1,
    )  # fmt: skip
    return key, settings, None, RouteFacts(if_index=interface.index)


def _routes(family: int, system: System) -> Iterator[Row]:
    visible = visible_interfaces(system)
    if family == socket.AF_INET:
        # Linux keeps the ways to itself in another table; Windows shows them.
        for interface in visible.values():
            if interface.is_loopback:
                for destination, prefix in ((b"\x7f\0\0\0", 8), (b"\x7f\0\0\x01", 32)):
                    yield _route(family, interface, destination, prefix, bytes(4), 0, True)
    for route in routes(family):
        found = visible.get(route.index)
        if found is not None:
            yield _route(family, found, route.destination, route.prefix, route.gateway, route.metric, route.is_local)


def _neighbours(family: int, system: System) -> Iterator[Row]:
    visible = visible_interfaces(system)
    key_type = Ipv4NeighbourKey if family == socket.AF_INET else Ipv6NeighbourKey
    for neighbour in neighbours(family):
        interface = visible.get(neighbour.index)
        if interface is None:
            continue
        number = luid(interface)
        link = neighbour.link_address[:32]
        state = NeighbourState(
            state=_NEIGHBOUR_STATES.get(neighbour.state, 0),
            is_router=neighbour.is_router,
            is_unreachable=not link or neighbour.state in (0x01, 0x20),
            phys_addr_len=len(link),
        )
        yield key_type(luid=number, luid2=number, addr=neighbour.address), link, state, None


def _compartment(family: int, system: System) -> Iterator[Row]:
    four = family == socket.AF_INET
    settings = CompartmentSettings(
        not_forwarding=not setting(f"{'ipv4' if four else 'ipv6'}/conf/default/forwarding"),
        default_ttl=setting("ipv4/ip_default_ttl" if four else "ipv6/conf/default/hop_limit"),
    )
    state = CompartmentState(
        num_ifs=len(visible_interfaces(system)),
        num_routes=len(list(_routes(family, system))),
        num_addrs=len(list(_addresses(family, system))),
    )
    yield _COMPARTMENT.to_bytes(4, "little"), settings, state, None


def _icmp_counters(family: int, system: System) -> Iterator[Row]:
    messages, kinds = counters("Icmp", family), counters("IcmpMsg", family)

    def number(name: str) -> int:
        return messages.get(name, 0) & 0xFFFFFFFF

    def by_kind(direction: str) -> tuple[int, ...]:
        return tuple([kinds.get(f"{direction}Type{kind}", 0) & 0xFFFFFFFF for kind in range(256)])

    found = IcmpCounters(
        in_msgs=number("InMsgs"), in_errors=number("InErrors"), in_type_counts=by_kind("In"),
        out_msgs=number("OutMsgs"), out_errors=number("OutErrors"), out_type_counts=by_kind("Out"),
    )  # fmt: skip
    yield None, None, found, None


def _ip_counters(family: int, system: System) -> Iterator[Row]:
    known = counters("Ip", family)
    found = IpCounters(fwd_dgrams=known.get("ForwDatagrams", known.get("OutForwDatagrams", 0)))
    for field, name in _COUNTER_NAMES.items():
        wide = field in ("in_recv", "in_hdr_errs", "in_delivers", "out_reqs")
        setattr(found, field, known.get(name, 0) & (0xFFFFFFFFFFFFFFFF if wide else 0xFFFFFFFF))
    yield None, None, found, (known.get("ReasmTimeout", 0) & 0xFFFFFFFF).to_bytes(4, "little")


def _tables(family: int) -> dict[int, Table]:
    four = family == socket.AF_INET
    dynamic_route = 20 if four else 32  # nsi_ipv4_forward_dynamic, nsi_ipv6_forward_dynamic

    def of(parts: tuple[Part, Part, Part, Part], rows: Callable[[int, System], Iterator[Row]]) -> Table:
        return Table(parts, functools.partial(rows, family))

    return {
        2: of((4, CompartmentSettings, CompartmentState, 0), _compartment),
        3: of((0, 0, IcmpCounters, 0), _icmp_counters),
        6: of((0, 0, IpCounters, 4), _ip_counters),
        10: of((Ipv4AddressKey if four else Ipv6AddressKey, AddressSettings, AddressState, Luid), _addresses),
        11: of((Ipv4NeighbourKey if four else Ipv6NeighbourKey, 32, NeighbourState, 0), _neighbours),
        16: of((Ipv4RouteKey if four else Ipv6RouteKey, RouteSettings, dynamic_route, RouteFacts), _routes),
    }


IPV4_TABLES = _tables(socket.AF_INET)
IPV6_TABLES = _tables(socket.AF_INET6)
