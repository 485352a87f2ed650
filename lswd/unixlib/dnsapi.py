"""The Unix half of dnsapi (Wine 8): the host's name servers, and questions to them.

A function answers with 0 or with an error number of Windows. Under a policy other than "on" there are no servers.
Servers of the program's own choice are not asked.
Source: Microsoft "DnsQueryConfig", "DNS_ADDR_ARRAY", "DnsQuery_UTF8"; the layouts and the numbers of the functions are
in the type information of the DLL.
"""

from __future__ import annotations

from lswd.host.network import resolver
from lswd.kernel.afd.address import HOST_FAMILIES
from lswd.kernel.afd.policy import ON
from lswd.kernel.loop import event_loop
from lswd.ntdef.types import PVOID, ULONG, USHORT, Struct, array, raw
from lswd.unixlib.arguments import question, text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.kernel.thread import Thread
    from lswd.unixlib import UnixFunction

ERROR_NOT_SUPPORTED = 50
ERROR_MORE_DATA = 234
DNS_ERROR_RCODE_SERVER_FAILURE = 9002
DNS_ERROR_RCODE_NAME_ERROR = 9003
DNS_ERROR_RCODE_REFUSED = 9005
DNS_ERROR_NO_DNS_SERVERS = 9852

_REASONS = {
    resolver.HOST_NOT_FOUND: DNS_ERROR_RCODE_NAME_ERROR,
    resolver.NO_DATA: DNS_ERROR_RCODE_NAME_ERROR,
    resolver.NO_RECOVERY: DNS_ERROR_RCODE_REFUSED,
}
_GUEST_FAMILIES = {int(host): guest for guest, host in HOST_FAMILIES.items()}
_LONGEST_NAME = 1024
_LONGEST_ANSWER = 1 << 16


class SearchListQuestion(Struct):
    list: PVOID
    len: PVOID


class ServerListQuestion(Struct):
    family: USHORT
    addrs: PVOID
    len: PVOID


class QueryQuestion(Struct):
    name: PVOID
    type: USHORT
    options: ULONG
    buf: PVOID
    len: PVOID


class DNS_ADDR(Struct):
    MaxSa: bytes = raw(32)
    DnsAddrUserDword: tuple[int, ...] = array(ULONG, 8)


class DNS_ADDR_ARRAY(Struct):
    MaxCount: ULONG
    AddrCount: ULONG
    Tag: ULONG
    Family: USHORT
    WordReserved: USHORT
    Flags: ULONG
    MatchFlag: ULONG
    Reserved1: ULONG
    Reserved2: ULONG


def _give(thread: Thread, data: bytes, where: int, size_at: int) -> int:
    """Write an answer into the caller's room, or tell how much it takes."""
    space = thread.process.space
    room = space.read_u32(size_at) if where else 0
    space.write_u32(size_at, len(data))
    if not where or room < len(data):
        return ERROR_MORE_DATA if where else 0
    space.write(where, data)
    return 0


def get_searchlist(thread: Thread, arguments: int) -> int:
    """Each domain with a zero behind it, and another zero at the end."""
    q = question(thread, arguments, SearchListQuestion)
    domains = resolver.search_list() if thread.process.system.network == ON else []
    return _give(thread, "".join(f"{domain}\0" for domain in [*domains, ""]).encode("utf-16-le"), q.list, q.len)


def _servers(thread: Thread, family: int) -> list[tuple[int, bytes]]:
    """Winsock's family and the address of each server; of one family only where one is asked for."""
    if thread.process.system.network != ON:
        return []
    found = [(_GUEST_FAMILIES[known], address) for known, address in resolver.servers()]
    return [each for each in found if family not in HOST_FAMILIES or each[0] == family]


def get_serverlist(thread: Thread, arguments: int) -> int:
    q = question(thread, arguments, ServerListQuestion)
    found = _servers(thread, q.family)
    if not found:
        return DNS_ERROR_NO_DNS_SERVERS
    parts = [DNS_ADDR_ARRAY(MaxCount=len(found), AddrCount=len(found)).pack(8)]
    for family, address in found:
        # A SOCKADDR_IN, or a SOCKADDR_IN6, which has flow information before its address.
        head = family.to_bytes(2, "little") + bytes(2 if len(address) == 4 else 6)
        size = 16 if len(address) == 4 else 28
        parts.append(DNS_ADDR(MaxSa=head + address, DnsAddrUserDword=(size,)).pack(8))
    return _give(thread, b"".join(parts), q.addrs, q.len)


def set_serverlist(thread: Thread, arguments: int) -> int:
    """The list itself (IP4_ARRAY) is the argument."""
    chosen = thread.process.space.read_u32(arguments) if arguments else 0
    return ERROR_NOT_SUPPORTED if chosen else 0


async def query(thread: Thread, arguments: int) -> int:
    """The answer as it has come; the DLL takes it apart."""
    q = question(thread, arguments, QueryQuestion)
    space = thread.process.space
    name = text(space, q.name, _LONGEST_NAME)
    room = min(space.read_u32(q.len), _LONGEST_ANSWER)
    space.probe_write(q.buf, room)
    if thread.process.system.network != ON:
        return DNS_ERROR_NO_DNS_SERVERS
    await event_loop()
    import trio

    try:
        answer = await trio.to_thread.run_sync(resolver.query, name, q.type, room, abandon_on_cancel=True)
    except resolver.ResolverError as error:
        return _REASONS.get(error.reason, DNS_ERROR_RCODE_SERVER_FAILURE)
    space.write(q.buf, answer)
    space.write_u32(q.len, len(answer))
    return 0


FUNCTIONS: dict[int, UnixFunction] = {
    0: get_searchlist,
    1: get_serverlist,
    2: set_serverlist,
    3: query,
}
