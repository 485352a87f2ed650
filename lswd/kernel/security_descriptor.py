"""Security descriptors and access control lists, read from a guest and written for it.

Source: [MS-DTYP] 2.4.4 "ACE", 2.4.5 "ACL", 2.4.6 "SECURITY_DESCRIPTOR"; winnt.h.
"""

from __future__ import annotations

import struct

from lswd.kernel.sid import Sid
from lswd.ntdef.status import (
    STATUS_ACCESS_VIOLATION,
    STATUS_INVALID_ACL,
    STATUS_INVALID_SECURITY_DESCR,
    STATUS_UNKNOWN_REVISION,
    NtError,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.memory.space import AddressSpace

ACCESS_ALLOWED_ACE_TYPE = 0
ACCESS_DENIED_ACE_TYPE = 1
SYSTEM_AUDIT_ACE_TYPE = 2
ACCESS_ALLOWED_OBJECT_ACE_TYPE = 5
ACCESS_DENIED_OBJECT_ACE_TYPE = 6
SYSTEM_MANDATORY_LABEL_ACE_TYPE = 17

OBJECT_INHERIT_ACE = 1
CONTAINER_INHERIT_ACE = 2
INHERIT_ONLY_ACE = 8

SE_DACL_PRESENT = 0x0004
SE_SACL_PRESENT = 0x0010
SE_SELF_RELATIVE = 0x8000
_KEPT_CONTROL = 0x3FFF & ~0x3  # everything but self-relative, resource manager control and "defaulted" owner and group

OWNER_SECURITY_INFORMATION = 1
GROUP_SECURITY_INFORMATION = 2
DACL_SECURITY_INFORMATION = 4
SACL_SECURITY_INFORMATION = 8
LABEL_SECURITY_INFORMATION = 0x10

_ACL_REVISIONS = (2, 3, 4)
_WITH_SID_AT_8 = (0, 1, 2, 3, 9, 10, 11, 12, 17, 18, 19, 20)
_WITH_GUIDS = (5, 6, 7, 8)


class Ace:
    """An access control entry; ``sid`` is None for a type this kernel has no use for, which is carried as it is.

    Attributes:
        body: what follows the header, mask included.
    """

    __slots__ = ("body", "flags", "kind", "mask", "sid")

    def __init__(self, kind: int, flags: int, body: bytes) -> None:
        self.kind = kind
        self.flags = flags
        self.body = body
        self.mask = int.from_bytes(body[:4], "little")
        self.sid: Sid | None = None
        if kind in _WITH_SID_AT_8:
            self.sid = Sid.unpack(body[4:])
        elif kind in _WITH_GUIDS and len(body) >= 8:
            guids = int.from_bytes(body[4:8], "little") & 3
            self.sid = Sid.unpack(body[8 + 16 * guids.bit_count() :])

    @classmethod
    def make(cls, kind: int, flags: int, mask: int, sid: Sid) -> Ace:
        """An entry of one of the plain types."""
        return cls(kind, flags, struct.pack("<I", mask) + sid.pack())

    def pack(self) -> bytes:
        return struct.pack("<BBH", self.kind, self.flags, 4 + len(self.body)) + self.body


def allow(mask: int, sid: Sid, flags: int = 0) -> Ace:
    """ACCESS_ALLOWED_ACE."""
    return Ace.make(ACCESS_ALLOWED_ACE_TYPE, flags, mask, sid)


def deny(mask: int, sid: Sid, flags: int = 0) -> Ace:
    """ACCESS_DENIED_ACE."""
    return Ace.make(ACCESS_DENIED_ACE_TYPE, flags, mask, sid)


class Acl:
    """An access control list."""

    __slots__ = ("aces", "revision")

    def __init__(self, aces: list[Ace], revision: int = 2) -> None:
        self.aces = aces
        self.revision = revision

    def pack(self) -> bytes:
        body = b"".join(ace.pack() for ace in self.aces)
        return struct.pack("<BBHHH", self.revision, 0, 8 + len(body), len(self.aces), 0) + body

    @classmethod
    def unpack(cls, data: bytes) -> Acl:
        """
        Raises:
            NtError: STATUS_INVALID_ACL, STATUS_INVALID_SID.
        """
        if len(data) < 8:
            raise NtError(STATUS_INVALID_ACL)
        revision, _, size, count, _ = struct.unpack_from("<BBHHH", data)
        if revision not in _ACL_REVISIONS or size > len(data):
            raise NtError(STATUS_INVALID_ACL)
        aces, at = [], 8
        for _ in range(count):
            if at + 8 > size:
                raise NtError(STATUS_INVALID_ACL)
            kind, flags, length = struct.unpack_from("<BBH", data, at)
            if length < 8 or length % 4 or at + length > size:
                raise NtError(STATUS_INVALID_ACL)
            aces.append(Ace(kind, flags, data[at + 4 : at + length]))
            at += length
        return cls(aces, revision)


class SecurityDescriptor:
    """Who owns an object and who may do what.

    Attributes:
        control: SE_* flags; with SE_DACL_PRESENT and ``dacl`` None everybody may do everything.
    """

    __slots__ = ("control", "dacl", "group", "owner", "sacl")

    def __init__(
        self, owner: Sid | None = None, group: Sid | None = None, dacl: Acl | None = None, sacl: Acl | None = None
    ) -> None:
        self.owner = owner
        self.group = group
        self.dacl = dacl
        self.sacl = sacl
        self.control = (SE_DACL_PRESENT if dacl is not None else 0) | (SE_SACL_PRESENT if sacl is not None else 0)

    def pack(self, information: int) -> bytes:
        """The self-relative form of the parts that ``information`` (xxx_SECURITY_INFORMATION) names."""
        parts: list[bytes] = [
            self.owner.pack() if self.owner is not None and information & OWNER_SECURITY_INFORMATION else b"",
            self.group.pack() if self.group is not None and information & GROUP_SECURITY_INFORMATION else b"",
            self._sacl(information),
            self.dacl.pack() if self.dacl is not None and information & DACL_SECURITY_INFORMATION else b"",
        ]
        control = self.control | SE_SELF_RELATIVE
        if not parts[2]:
            control &= ~SE_SACL_PRESENT
        offsets, at = [], 20
        for part in parts:
            offsets.append(at if part else 0)
            at += len(part)
        return struct.pack("<BBH4I", 1, 0, control, *offsets) + b"".join(parts)

    def _sacl(self, information: int) -> bytes:
        if self.sacl is None or not information & (SACL_SECURITY_INFORMATION | LABEL_SECURITY_INFORMATION):
            return b""
        wanted = [
            ace
            for ace in self.sacl.aces
            if information
            & (LABEL_SECURITY_INFORMATION if ace.kind == SYSTEM_MANDATORY_LABEL_ACE_TYPE else SACL_SECURITY_INFORMATION)
        ]
        return Acl(wanted, self.sacl.revision).pack()

    def replace(self, other: SecurityDescriptor, information: int) -> None:
        """Take over the parts that ``information`` names from ``other``."""
        if information & OWNER_SECURITY_INFORMATION and other.owner is not None:
            self.owner = other.owner
        if information & GROUP_SECURITY_INFORMATION and other.group is not None:
            self.group = other.group
        if information & DACL_SECURITY_INFORMATION:
            self.dacl = other.dacl
            self.control = self.control & ~0x1504 | (other.control & 0x1504)  # present, auto-inherited, protected
        if information & (SACL_SECURITY_INFORMATION | LABEL_SECURITY_INFORMATION):
            self.sacl = other.sacl
            self.control = self.control & ~0x2A10 | (other.control & 0x2A10)


def read_sid(space: AddressSpace, address: int) -> Sid:
    """A SID in guest memory.

    Raises:
        NtError: STATUS_INVALID_SID, STATUS_ACCESS_VIOLATION.
    """
    count = space.read(address, 8)[1]
    return Sid.unpack(space.read(address, 8 + 4 * min(count, 255)))


def read_acl(space: AddressSpace, address: int) -> Acl:
    """An ACL in guest memory; raises as ``Acl.unpack`` does."""
    size = int.from_bytes(space.read(address, 8)[2:4], "little")
    return Acl.unpack(space.read(address, max(size, 8)))


def read_descriptor(space: AddressSpace, address: int) -> SecurityDescriptor:
    """A security descriptor in guest memory, self-relative or with pointers.

    Raises:
        NtError: STATUS_ACCESS_VIOLATION, STATUS_UNKNOWN_REVISION, STATUS_INVALID_SECURITY_DESCR, STATUS_INVALID_SID,
            STATUS_INVALID_ACL.
    """
    if not address:
        raise NtError(STATUS_ACCESS_VIOLATION)
    word = space.word
    revision, _, control = struct.unpack("<BBH", space.read(address, 4))
    if revision != 1:
        raise NtError(STATUS_UNKNOWN_REVISION)
    if control & SE_SELF_RELATIVE:
        offsets = struct.unpack("<4I", space.read(address + 4, 16))
        if any(0 < offset < 20 for offset in offsets):
            raise NtError(STATUS_INVALID_SECURITY_DESCR)
        owner, group, sacl, dacl = (address + offset if offset else 0 for offset in offsets)
    else:
        form = "<4Q" if word == 8 else "<4I"
        owner, group, sacl, dacl = struct.unpack(form, space.read(address + (8 if word == 8 else 4), 4 * word))
    result = SecurityDescriptor(
        read_sid(space, owner) if owner else None,
        read_sid(space, group) if group else None,
        read_acl(space, dacl) if dacl and control & SE_DACL_PRESENT else None,
        read_acl(space, sacl) if sacl and control & SE_SACL_PRESENT else None,
    )
    result.control = control & _KEPT_CONTROL
    return result
