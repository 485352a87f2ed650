"""Security identifiers. Source: [MS-DTYP] 2.4.2 "SID", 2.4.2.4 "Well-Known SID Structures"."""

from __future__ import annotations

import struct

from lswd.ntdef.status import STATUS_INVALID_SID, NtError

MAX_SUB_AUTHORITIES = 15


class Sid:
    """A security identifier: an authority and sub-authorities. Immutable, hashable."""

    __slots__ = ("authority", "parts")

    def __init__(self, authority: int, *parts: int) -> None:
        self.authority = authority
        self.parts = parts

    def pack(self) -> bytes:
        """The binary form."""
        head = bytes((1, len(self.parts))) + self.authority.to_bytes(6, "big")
        return head + struct.pack(f"<{len(self.parts)}I", *self.parts)

    @classmethod
    def unpack(cls, data: bytes) -> Sid:
        """From the binary form; what follows it in ``data`` is ignored.

        Raises:
            NtError: STATUS_INVALID_SID.
        """
        if len(data) < 8 or data[0] != 1 or data[1] > MAX_SUB_AUTHORITIES or len(data) < 8 + 4 * data[1]:
            raise NtError(STATUS_INVALID_SID)
        return cls(int.from_bytes(data[2:8], "big"), *struct.unpack_from(f"<{data[1]}I", data, 8))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sid) and (self.authority, self.parts) == (other.authority, other.parts)

    def __hash__(self) -> int:
        return hash((self.authority, self.parts))

    def __str__(self) -> str:
        return "-".join(("S-1", str(self.authority), *map(str, self.parts)))

    __repr__ = __str__


EVERYONE = Sid(1, 0)
LOCAL = Sid(2, 0)
CREATOR_OWNER = Sid(3, 0)
CREATOR_GROUP = Sid(3, 1)
OWNER_RIGHTS = Sid(3, 4)
INTERACTIVE = Sid(5, 4)
ANONYMOUS = Sid(5, 7)
AUTHENTICATED_USERS = Sid(5, 11)
LOCAL_SYSTEM = Sid(5, 18)
ADMINISTRATORS = Sid(5, 32, 544)
USERS = Sid(5, 32, 545)
LOGON_SESSION = Sid(5, 5, 0, 0)
UNTRUSTED_LEVEL = Sid(16, 0)
MEDIUM_LEVEL = Sid(16, 0x2000)
HIGH_LEVEL = Sid(16, 0x3000)

# There is one account: the person who runs the programs. Wine gives it these identifiers too.
MACHINE = (21, 0, 0, 0)
USER = Sid(5, *MACHINE, 1000)
DOMAIN_USERS = Sid(5, *MACHINE, 513)
