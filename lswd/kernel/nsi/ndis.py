"""The store's tables of interfaces."""

from __future__ import annotations

import struct

from lswd.host.network.state import IFF_UP
from lswd.kernel.nsi.table import Table, interface_type, luid, visible_interfaces
from lswd.ntdef.status import STATUS_OBJECT_NAME_NOT_FOUND
from lswd.ntdef.types import ULONG, ULONGLONG, USHORT, Struct, array, raw

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from lswd.host.network.state import Interface
    from lswd.kernel.nsi.table import Row
    from lswd.kernel.system import System

_IF_TYPE_LOOPBACK = 24
_UP, _DOWN = 1, 2  # IF_OPER_STATUS
_ADMIN_UP, _ADMIN_DOWN = 1, 2  # NET_IF_ADMIN_STATUS
_CONNECTED, _DISCONNECTED = 1, 2  # NET_IF_MEDIA_CONNECT_STATE
_ACCESS_LOOPBACK, _ACCESS_BROADCAST = 1, 2  # NET_IF_ACCESS_TYPE
_DEDICATED = 1  # NET_IF_CONNECTION_TYPE
_DEFAULT_SPEED = 1_000_000
_STRING = 516  # IF_COUNTED_STRING
_PHYSICAL = 34  # IF_PHYSICAL_ADDRESS


class Luid(Struct):
    Value: ULONGLONG


class Index(Struct):
    Value: ULONG


class InterfaceSettings(Struct):
    """nsi_ndis_ifinfo_rw"""

    network_guid: bytes = raw(16)
    admin_status: ULONG
    alias: bytes = raw(_STRING)
    phys_addr: bytes = raw(_PHYSICAL)
    pad: USHORT
    name2: bytes = raw(_STRING)
    unk: ULONG


class InterfaceState(Struct):
    """nsi_ndis_ifinfo_dynamic"""

    oper_status: ULONG
    flags: ULONG
    media_conn_state: ULONG
    unk: ULONG
    mtu: ULONG
    xmit_speed: ULONGLONG
    rcv_speed: ULONGLONG
    unk2: tuple[int, ...] = array(ULONGLONG, 3)
    in_discards: ULONGLONG
    in_errors: ULONGLONG
    in_octets: ULONGLONG
    in_ucast_pkts: ULONGLONG
    in_mcast_pkts: ULONGLONG
    in_bcast_pkts: ULONGLONG
    out_octets: ULONGLONG
    out_ucast_pkts: ULONGLONG
    out_mcast_pkts: ULONGLONG
    out_bcast_pkts: ULONGLONG
    out_errors: ULONGLONG
    out_discards: ULONGLONG
    octets_by_kind: tuple[int, ...] = array(ULONGLONG, 6)
    unk4: ULONGLONG


class InterfaceFacts(Struct):
    """nsi_ndis_ifinfo_static"""

    if_index: ULONG
    descr: bytes = raw(_STRING)
    type: ULONG
    access_type: ULONG
    unk: ULONG
    conn_type: ULONG
    if_guid: bytes = raw(16)
    conn_present: USHORT
    perm_phys_addr: bytes = raw(_PHYSICAL)
    flags: ULONG
    media_type: ULONG
    phys_medium_type: ULONG


def _counted(text: str) -> bytes:
    """IF_COUNTED_STRING: the length in bytes before it."""
    data = text.encode("utf-16-le")[: _STRING - 4]
    return len(data).to_bytes(2, "little") + data


def _physical(interface: Interface) -> bytes:
    """IF_PHYSICAL_ADDRESS; the loopback has none."""
    address = b"" if interface.is_loopback else interface.address[:32]
    return len(address).to_bytes(2, "little") + address


def _guid(interface: Interface) -> bytes:
    """Any that stays the same; this is the one Wine makes of the index."""
    return struct.pack("<IHH2x6s", interface.index, 0, 0, b"NetDev")


def _state(interface: Interface) -> InterfaceState:
    counters = interface.counters.get
    speed = interface.speed() or _DEFAULT_SPEED
    carrier = {None: 0, 0: _DISCONNECTED}.get(interface.carrier, _CONNECTED)
    return InterfaceState(
        oper_status=_UP if interface.flags & IFF_UP else _DOWN,
        media_conn_state=carrier,
        mtu=interface.mtu & 0xFFFFFFFF,
        xmit_speed=speed,
        rcv_speed=speed,
        in_discards=counters("rx_dropped", 0),
        in_errors=counters("rx_errors", 0),
        in_octets=counters("rx_bytes", 0),
        in_ucast_pkts=counters("rx_packets", 0),
        in_mcast_pkts=counters("multicast", 0),
        out_octets=counters("tx_bytes", 0),
        out_ucast_pkts=counters("tx_packets", 0),
        out_errors=counters("tx_errors", 0),
        out_discards=counters("tx_dropped", 0),
    )


def _interfaces(system: System) -> Iterator[Row]:
    for interface in visible_interfaces(system).values():
        kind = interface_type(interface)
        own = kind == _IF_TYPE_LOOPBACK
        settings = InterfaceSettings(
            admin_status=_ADMIN_UP if interface.flags & IFF_UP else _ADMIN_DOWN,
            alias=_counted(interface.name),
            phys_addr=_physical(interface),
        )
        facts = InterfaceFacts(
            if_index=interface.index,
            descr=_counted(interface.name),
            type=kind,
            access_type=_ACCESS_LOOPBACK if own else _ACCESS_BROADCAST,
            conn_type=_DEDICATED,
            if_guid=_guid(interface),
            conn_present=not own,
            perm_phys_addr=_physical(interface),
            flags=not own,
        )
        yield Luid(Value=luid(interface)), settings, _state(interface), facts


def _indices(system: System) -> Iterator[Row]:
    for interface in visible_interfaces(system).values():
        yield Index(Value=interface.index), None, None, Luid(Value=luid(interface))


TABLES = {
    0: Table((Luid, InterfaceSettings, InterfaceState, InterfaceFacts), _interfaces, STATUS_OBJECT_NAME_NOT_FOUND),
    2: Table((Index, 0, 0, Luid), _indices, STATUS_OBJECT_NAME_NOT_FOUND),
}
