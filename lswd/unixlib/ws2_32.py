"""The Unix half of ws2_32 (Wine 8): names of machines, asked of the host.

A function answers with 0, with Winsock's error number, or with ERROR_INSUFFICIENT_BUFFER and the size it needs. What
may take the network's time runs in a thread of its own. Under a policy other than "on" only addresses and this
machine's own names are known; nothing is asked of anybody.
Source: Microsoft "getaddrinfo", "getnameinfo", "gethostbyname", "gethostbyaddr"; the layouts are in the type
information of the DLL.
"""

from __future__ import annotations

import os
import socket

from lswd.kernel.afd.address import HOST_FAMILIES, SIZES, to_guest, to_host
from lswd.kernel.afd.policy import ON
from lswd.kernel.loop import event_loop
from lswd.ntdef.status import NtError
from lswd.ntdef.types import LONG, PVOID, SHORT, SIZE_T, ULONG, Struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    from lswd.kernel.thread import Thread
    from lswd.memory.space import AddressSpace
    from lswd.unixlib import UnixFunction

    T = TypeVar("T")

ERROR_NOT_ENOUGH_MEMORY = 8
ERROR_INSUFFICIENT_BUFFER = 122
WSAEFAULT = 10014
WSAEINVAL = 10022
WSAESOCKTNOSUPPORT = 10044
WSAEAFNOSUPPORT = 10047
WSATYPE_NOT_FOUND = 10109
WSAHOST_NOT_FOUND = 11001
WSATRY_AGAIN = 11002
WSANO_RECOVERY = 11003
WSANO_DATA = 11004

_LONGEST_NAME = 1025  # NI_MAXHOST
_MOST_ADDRESSES = 256

_AI_FLAGS: dict[int, int] = {
    0x1: socket.AI_PASSIVE, 0x2: socket.AI_CANONNAME, 0x4: socket.AI_NUMERICHOST, 0x8: socket.AI_NUMERICSERV,
    0x100: socket.AI_ALL, 0x400: socket.AI_ADDRCONFIG, 0x800: socket.AI_V4MAPPED,
}  # fmt: skip
_NI_FLAGS: dict[int, int] = {
    0x1: socket.NI_NOFQDN, 0x2: socket.NI_NUMERICHOST, 0x4: socket.NI_NAMEREQD, 0x8: socket.NI_NUMERICSERV,
    0x10: socket.NI_DGRAM,
}  # fmt: skip
_GAI_ERRORS = {
    socket.EAI_ADDRFAMILY: WSAHOST_NOT_FOUND, socket.EAI_AGAIN: WSATRY_AGAIN, socket.EAI_BADFLAGS: WSAEINVAL,
    socket.EAI_FAIL: WSANO_RECOVERY,
    socket.EAI_FAMILY: WSAEAFNOSUPPORT, socket.EAI_MEMORY: ERROR_NOT_ENOUGH_MEMORY, socket.EAI_NODATA: WSANO_DATA,
    socket.EAI_NONAME: WSAHOST_NOT_FOUND, socket.EAI_OVERFLOW: WSAEFAULT, socket.EAI_SERVICE: WSATYPE_NOT_FOUND,
    socket.EAI_SOCKTYPE: WSAESOCKTNOSUPPORT,
}  # fmt: skip
_H_ERRORS = {1: WSAHOST_NOT_FOUND, 2: WSATRY_AGAIN, 3: WSANO_RECOVERY, 4: WSANO_DATA}
_GUEST_FAMILIES = {host: guest for guest, host in HOST_FAMILIES.items()}


class AddressesQuestion(Struct):
    node: PVOID
    service: PVOID
    hints: PVOID
    info: PVOID
    size_at: PVOID


class AddressQuestion(Struct):
    addr: PVOID
    len: LONG
    family: LONG
    host: PVOID
    size_at: PVOID


class NameQuestion(Struct):
    name: PVOID
    host: PVOID
    size_at: PVOID


class OwnNameQuestion(Struct):
    name: PVOID
    room: ULONG


class NamesQuestion(Struct):
    addr: PVOID
    addr_len: LONG
    host: PVOID
    host_len: ULONG
    serv: PVOID
    serv_len: ULONG
    flags: LONG


class ADDRINFO(Struct):
    flags: LONG
    family: LONG
    socktype: LONG
    protocol: LONG
    addrlen: SIZE_T
    canonname: PVOID
    addr: PVOID
    next: PVOID


class HOSTENT(Struct):
    name: PVOID
    aliases: PVOID
    addrtype: SHORT
    length: SHORT
    addr_list: PVOID


class Answer(Exception):
    """Ends a function with an error number."""

    def __init__(self, error: int) -> None:
        super().__init__(error)
        self.error = error


async def _asked(ask: Callable[[], T]) -> T:
    """What the host says, in its own time.

    Raises:
        Answer: Winsock's error.
    """
    await event_loop()
    import trio

    try:
        return await trio.to_thread.run_sync(ask, abandon_on_cancel=True)
    except OSError as error:
        raise _failure(error) from None
    except UnicodeError:
        raise Answer(WSAHOST_NOT_FOUND) from None


def _failure(error: OSError) -> Answer:
    number = error.errno or 0
    if isinstance(error, socket.gaierror):
        return Answer(_GAI_ERRORS.get(number, WSANO_RECOVERY))
    return Answer(_H_ERRORS.get(number, WSANO_RECOVERY))


def _string(space: AddressSpace, address: int) -> str | None:
    """A string that ends in a zero; None at no address."""
    if not address:
        return None
    data = b""
    while b"\0" not in data:
        if len(data) > _LONGEST_NAME:
            raise Answer(WSAHOST_NOT_FOUND)
        at = address + len(data)
        data += space.read(at, 64 - at % 64)
    return os.fsdecode(data.partition(b"\0")[0])


def _flags(given: int, table: dict[int, int]) -> int:
    return sum(host for guest, host in table.items() if given & guest)


def _is_own_name(name: str) -> bool:
    name = name.lower().rstrip(".")
    return name in ("localhost", "localhost.localdomain") or name.endswith(".localhost") or name == _host_name().lower()


def _host_name() -> str:
    return os.uname().nodename


async def getaddrinfo(thread: Thread, arguments: int) -> int:
    """getaddrinfo: a chain of ADDRINFO in the room the caller gave, everything it points to behind it."""
    space = thread.process.space
    q = _question(space, arguments, AddressesQuestion)
    try:
        node, service = _string(space, q.node), _string(space, q.service)
        family = kind = protocol = flags = 0
        if q.hints:
            hints = _question(space, q.hints, ADDRINFO)
            flags, kind, protocol = hints.flags, hints.socktype, hints.protocol
            family = HOST_FAMILIES.get(hints.family, 0)
            if hints.family and not family:
                raise Answer(WSAEAFNOSUPPORT)
        found = await _addresses(thread, node, service, family, kind, protocol, flags)
    except Answer as answer:
        return answer.error
    return _give(space, q.info, q.size_at, lambda at: _chain(space.word, found, flags, at))


async def _addresses(
    thread: Thread, node: str | None, service: str | None, family: int, kind: int, protocol: int, flags: int
) -> list[Any]:
    """What socket.getaddrinfo says; of kinds and protocols only what was asked for comes back, as in Windows."""
    host_flags = _flags(flags, _AI_FLAGS)

    wanted = kind
    kind = kind or socket.SOCK_STREAM  # the host would answer for every kind there is
    own_name = ""
    if node is not None and thread.process.system.network != ON and _is_own_name(node):
        own_name = node if host_flags & socket.AI_CANONNAME else ""
        node, service = None, service or "0"  # one of the two must be there
        host_flags &= ~(socket.AI_PASSIVE | socket.AI_CANONNAME)

    def ask(name: str | None, more: int) -> list[Any]:
        try:
            return socket.getaddrinfo(name, service, family, kind, protocol, host_flags | more)
        except socket.gaierror as error:
            if wanted or error.errno != socket.EAI_SERVICE:
                raise
            return socket.getaddrinfo(name, service, family, socket.SOCK_DGRAM, protocol, host_flags | more)

    try:
        found = ask(node, socket.AI_NUMERICHOST if node is not None else 0)  # needs nobody's help
    except OSError as error:
        unknown = error.errno == socket.EAI_NONAME and node and not host_flags & socket.AI_NUMERICHOST
        if not unknown or thread.process.system.network != ON:
            raise _failure(error) from None
        found = await _asked(lambda: ask(node, 0))
    except UnicodeError:
        raise Answer(WSAHOST_NOT_FOUND) from None
    known = [entry for entry in found if entry[0] in _GUEST_FAMILIES][:_MOST_ADDRESSES]
    return [(family, wanted, protocol, name or own_name, address) for family, _, _, name, address in known]


def _chain(word: int, found: list[Any], flags: int, at: int) -> bytes:
    """The list as it lies at address ``at``: for each entry its structure, its address and its name."""
    head = ADDRINFO.size(word)
    parts = []
    for i, (host_family, kind, protocol, name, address) in enumerate(found):
        family = _GUEST_FAMILIES[host_family]
        data = to_guest(address, family)
        text = os.fsencode(name) + b"\0" if name else b""
        size = head + len(data) + len(text) + 7 & -8
        entry = ADDRINFO(
            flags=flags,
            family=family,
            socktype=int(kind),
            protocol=protocol,
            addrlen=len(data),
            canonname=at + head + len(data) if text else 0,
            addr=at + head,
            next=at + size if i + 1 < len(found) else 0,
        )
        parts.append((entry.pack(word) + data + text).ljust(size, b"\0"))
        at += size
    return b"".join(parts)


def _give(space: AddressSpace, where: int, size_at: int, make: Callable[[int], bytes]) -> int:
    """Write an answer into the caller's room, or tell how much it takes."""
    room = space.read_u32(size_at)
    data = make(where)
    if len(data) > room:
        space.write_u32(size_at, len(data))
        return ERROR_INSUFFICIENT_BUFFER
    space.write(where, data)
    return 0


def _question(space: AddressSpace, address: int, kind: type[Any]) -> Any:
    return kind.unpack(space.word, space.read(address, kind.size(space.word)))


def _hostent(word: int, name: str, aliases: list[str], family: int, addresses: list[bytes], at: int) -> bytes:
    """A HOSTENT at address ``at`` with everything behind it: two arrays that end in NULL, addresses, texts."""
    head = HOSTENT.size(word) + 7 & -8
    texts = [os.fsencode(text) + b"\0" for text in (name, *aliases)]
    lists = head + (len(aliases) + 1 + len(addresses) + 1) * word
    places = []
    end = lists
    for item in (*addresses, *texts):
        places.append(at + end)
        end += len(item)
    of_addresses, of_texts = places[: len(addresses)], places[len(addresses) :]
    entry = HOSTENT(
        name=of_texts[0],
        aliases=at + head,
        addrtype=family,
        length=len(addresses[0]) if addresses else 0,
        addr_list=at + head + (len(aliases) + 1) * word,
    )
    pointers = b"".join(place.to_bytes(word, "little") for place in (*of_texts[1:], 0, *of_addresses, 0))
    return entry.pack(word).ljust(head, b"\0") + pointers + b"".join((*addresses, *texts))


async def gethostbyname(thread: Thread, arguments: int) -> int:
    """gethostbyname: IPv4 only, as it has always been."""
    space = thread.process.space
    q = _question(space, arguments, NameQuestion)
    aliases: list[str] = []
    try:
        name = _string(space, q.name) or ""
        if thread.process.system.network != ON or _is_own_name(name):
            found = await _addresses(thread, name, None, socket.AF_INET, socket.SOCK_STREAM, 0, 0)
            canonical, addresses = name, list(dict.fromkeys(entry[4][0] for entry in found))
        else:
            canonical, aliases, addresses = await _asked(lambda: socket.gethostbyname_ex(name))
    except Answer as answer:
        return answer.error
    packed = [socket.inet_aton(address) for address in addresses[:_MOST_ADDRESSES]]
    return _give(space, q.host, q.size_at, lambda at: _hostent(space.word, canonical, aliases, 2, packed, at))


async def gethostbyaddr(thread: Thread, arguments: int) -> int:
    space = thread.process.space
    q = _question(space, arguments, AddressQuestion)
    host_family = HOST_FAMILIES.get(q.family)
    if host_family is None:
        return WSAEAFNOSUPPORT
    length = 4 if host_family == socket.AF_INET else 16
    if q.len < length:
        return WSAEFAULT
    packed = space.read(q.addr, length)
    text = socket.inet_ntop(host_family, packed)
    try:
        if thread.process.system.network != ON:
            raise Answer(WSAHOST_NOT_FOUND)
        name, aliases, _ = await _asked(lambda: socket.gethostbyaddr(text))
    except Answer as answer:
        return answer.error
    return _give(space, q.host, q.size_at, lambda at: _hostent(space.word, name, aliases, q.family, [packed], at))


def gethostname(thread: Thread, arguments: int) -> int:
    space = thread.process.space
    q = _question(space, arguments, OwnNameQuestion)
    data = os.fsencode(_host_name())[: max(0, q.room - 1)]
    if not q.room:
        return WSAEFAULT
    space.write(q.name, data + b"\0")
    return 0


async def getnameinfo(thread: Thread, arguments: int) -> int:
    """getnameinfo: names of an address and a port, or their numbers."""
    space = thread.process.space
    q = _question(space, arguments, NamesQuestion)
    data = space.read(q.addr, max(0, min(q.addr_len, 128)))
    family = int.from_bytes(data[:2], "little")
    if family not in SIZES:
        return WSAEAFNOSUPPORT
    try:
        address = to_host(data, family)
    except NtError:
        return WSAEFAULT
    flags = _flags(q.flags, _NI_FLAGS)
    try:
        if thread.process.system.network != ON:
            flags |= socket.NI_NUMERICHOST
        if flags & socket.NI_NUMERICHOST:
            try:
                host, service = socket.getnameinfo(address, flags)
            except OSError as error:
                raise _failure(error) from None
        else:
            host, service = await _asked(lambda: socket.getnameinfo(address, flags))
    except Answer as answer:
        return answer.error
    for text, where, room in ((host, q.host, q.host_len), (service, q.serv, q.serv_len)):
        encoded = os.fsencode(text) + b"\0"
        if where and room:
            if len(encoded) > room:
                return ERROR_INSUFFICIENT_BUFFER
            space.write(where, encoded)
    return 0


FUNCTIONS: dict[int, UnixFunction] = {
    0: getaddrinfo,
    1: gethostbyaddr,
    2: gethostbyname,
    3: gethostname,
    4: getnameinfo,
}
