"""TOKEN_GROUPS and TOKEN_PRIVILEGES: lists as they lie in guest memory. Source: winnt.h."""

from __future__ import annotations

import struct

from lswd.kernel.security_descriptor import read_sid
from lswd.nt.declare import Call
from lswd.ntdef.status import (
    STATUS_INVALID_PARAMETER,
    NtError,
)
from lswd.ntdef.types import (
    PVOID,
    ULONG,
    Struct,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.kernel.sid import Sid

_MAX_ENTRIES = 4096  # in one call; NT's own lists stay far below


class SID_AND_ATTRIBUTES(Struct):
    Sid: PVOID
    Attributes: ULONG


def sid_list(call: Call, entries: dict[Sid, int], address: int, *, counted: bool) -> bytes:
    """SID_AND_ATTRIBUTES entries (behind their count: TOKEN_GROUPS) with the SIDs behind them."""
    word = call.word
    head = len(entries).to_bytes(word, "little") if counted else b""
    at = address + len(head) + len(entries) * SID_AND_ATTRIBUTES.size(word)
    rows, packed = b"", b""
    for sid, attributes in entries.items():
        data = sid.pack()
        rows += SID_AND_ATTRIBUTES(Sid=at + len(packed), Attributes=attributes).pack(word)
        packed += data
    return head + rows + packed


def pack_privileges(privileges: dict[int, int]) -> bytes:
    """TOKEN_PRIVILEGES."""
    rows = (struct.pack("<QI", luid, attributes) for luid, attributes in privileges.items())
    return len(privileges).to_bytes(4, "little") + b"".join(rows)


def read_privileges(call: Call, address: int, count: int) -> list[tuple[int, int]]:
    """LUID_AND_ATTRIBUTES entries in guest memory."""
    if count > _MAX_ENTRIES:
        raise NtError(STATUS_INVALID_PARAMETER)
    return list(struct.iter_unpack("<QI", call.space.read(address, 12 * count)))


def read_sids(call: Call, address: int) -> dict[Sid, int]:
    """TOKEN_GROUPS in guest memory; a null pointer means none."""
    if not address:
        return {}
    count = call.space.read_u32(address)
    if count > _MAX_ENTRIES:
        raise NtError(STATUS_INVALID_PARAMETER)
    size = SID_AND_ATTRIBUTES.size(call.word)
    result = {}
    for i in range(count):
        at = address + call.word + i * size
        row = SID_AND_ATTRIBUTES.unpack(call.word, call.space.read(at, size))
        result[read_sid(call.space, row.Sid)] = row.Attributes
    return result
