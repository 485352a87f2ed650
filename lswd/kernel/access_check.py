"""Who gets access: the evaluation of a security descriptor for a token.

Source: [MS-DTYP] 2.5.3.2 "Access Check Algorithm Pseudocode", 2.5.3.3 "MandatoryIntegrityCheck"; Microsoft
"AccessCheck".
"""

from __future__ import annotations

from lswd.kernel import sid as sids
from lswd.kernel.object import MAXIMUM_ALLOWED, READ_CONTROL, WRITE_DAC, WRITE_OWNER
from lswd.kernel.security_descriptor import (
    ACCESS_ALLOWED_ACE_TYPE,
    ACCESS_ALLOWED_OBJECT_ACE_TYPE,
    ACCESS_DENIED_ACE_TYPE,
    ACCESS_DENIED_OBJECT_ACE_TYPE,
    INHERIT_ONLY_ACE,
    SYSTEM_MANDATORY_LABEL_ACE_TYPE,
)
from lswd.kernel.token import SE_SECURITY, SE_TAKE_OWNERSHIP
from lswd.ntdef.status import STATUS_ACCESS_DENIED, STATUS_PRIVILEGE_NOT_HELD, STATUS_SUCCESS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from lswd.kernel.security_descriptor import Acl, SecurityDescriptor
    from lswd.kernel.sid import Sid
    from lswd.kernel.token import Token

    Generic = tuple[int, int, int, int]

ACCESS_SYSTEM_SECURITY = 0x01000000
_GENERIC = (0x80000000, 0x40000000, 0x20000000, 0x10000000)  # read, write, execute, all
_ALLOW = (ACCESS_ALLOWED_ACE_TYPE, ACCESS_ALLOWED_OBJECT_ACE_TYPE)
_DENY = (ACCESS_DENIED_ACE_TYPE, ACCESS_DENIED_OBJECT_ACE_TYPE, 10)  # 10: a callback entry, taken as it stands
_NO_WRITE_UP, _NO_READ_UP, _NO_EXECUTE_UP = 1, 2, 4


class Decision:
    """What came of an access check: STATUS_SUCCESS or why not, the access granted, the privileges it took."""

    __slots__ = ("granted", "privileges", "status")

    def __init__(self, status: int, granted: int, privileges: list[int]) -> None:
        self.status = status
        self.granted = granted
        self.privileges = privileges


def map_generic(mask: int, generic: Generic) -> int:
    """``mask`` with generic rights replaced by what they mean for the object type."""
    for bit, meaning in zip(_GENERIC, generic, strict=True):
        if mask & bit:
            mask = mask & ~bit | meaning
    return mask


def access_check(descriptor: SecurityDescriptor, token: Token, desired: int, generic: Generic) -> Decision:
    """Decide whether ``token`` gets ``desired`` access (generic rights mapped already; MAXIMUM_ALLOWED may be set)."""
    maximum = bool(desired & MAXIMUM_ALLOWED)
    wanted = desired & ~MAXIMUM_ALLOWED
    privileges: list[int] = []
    granted = 0
    if wanted & ACCESS_SYSTEM_SECURITY:
        if not token.holds(SE_SECURITY):
            return Decision(STATUS_PRIVILEGE_NOT_HELD, 0, [])
        privileges.append(SE_SECURITY)
        granted |= ACCESS_SYSTEM_SECURITY
    forbidden = _mandatory(descriptor, token, generic)
    if wanted & WRITE_OWNER and token.holds(SE_TAKE_OWNERSHIP):
        privileges.append(SE_TAKE_OWNERSHIP)
        granted |= WRITE_OWNER
    if descriptor.dacl is None:
        allowed = generic[3] | wanted
    else:
        allowed = _discretionary(descriptor, generic, token.is_member)
        if token.restricted:
            allowed &= _discretionary(descriptor, generic, lambda sid, *, deny=False: sid in token.restricted)
    granted |= allowed & ~forbidden
    if wanted & ~granted:
        return Decision(STATUS_ACCESS_DENIED, 0, [])
    result = granted if maximum else granted & wanted
    return Decision(STATUS_SUCCESS if result else STATUS_ACCESS_DENIED, result, privileges)  # no access is no success


def _discretionary(descriptor: SecurityDescriptor, generic: Generic, is_member: Callable[..., bool]) -> int:
    """All access the DACL gives: each right is decided by the first entry that speaks of it."""
    dacl = descriptor.dacl
    assert dacl is not None
    allowed = denied = 0
    for ace in dacl.aces:
        if ace.flags & INHERIT_ONLY_ACE or ace.sid is None:
            continue
        sid = ace.sid
        mask = map_generic(ace.mask, generic)
        if ace.kind in _ALLOW and _applies(sid, descriptor.owner, is_member, deny=False):
            allowed |= mask & ~denied
        elif ace.kind in _DENY and _applies(sid, descriptor.owner, is_member, deny=True):
            denied |= mask & ~allowed
    if descriptor.owner is not None and is_member(descriptor.owner) and not _limits_owner(dacl):
        allowed |= READ_CONTROL | WRITE_DAC  # whatever the entries say
    return allowed


def _applies(sid: Sid, owner: Sid | None, is_member: Callable[..., bool], *, deny: bool) -> bool:
    if sid == sids.OWNER_RIGHTS:
        return owner is not None and is_member(owner, deny=deny)
    return is_member(sid, deny=deny)


def _limits_owner(dacl: Acl) -> bool:
    return any(ace.sid == sids.OWNER_RIGHTS and not ace.flags & INHERIT_ONLY_ACE for ace in dacl.aces)


def _mandatory(descriptor: SecurityDescriptor, token: Token, generic: Generic) -> int:
    """Access that the object's mandatory label keeps from tokens of lower integrity."""
    level, policy = sids.MEDIUM_LEVEL.parts[0], _NO_WRITE_UP
    for ace in descriptor.sacl.aces if descriptor.sacl is not None else ():
        if ace.kind == SYSTEM_MANDATORY_LABEL_ACE_TYPE and ace.sid is not None and ace.sid.parts:
            level, policy = ace.sid.parts[0], ace.mask
            break
    if token.integrity.parts[0] >= level:
        return 0
    read, write, execute, _ = generic
    forbidden = WRITE_DAC | WRITE_OWNER if policy & _NO_WRITE_UP else 0
    keep = 0
    for bit, meaning in ((_NO_WRITE_UP, write), (_NO_READ_UP, read), (_NO_EXECUTE_UP, execute)):
        if policy & bit:
            forbidden |= meaning
        else:
            keep |= meaning
    return forbidden & ~keep
