"""Permissions of host files as security descriptors, and back.

    owner          the user, or Anonymous for anybody else's files
    group          Domain Users
    DACL           SYSTEM: everything; the owner: what the mode gives the owner; Everyone: what it gives others

Group permissions are set from a DACL but do not show in one: NT has one user here.
Source: Microsoft "File Security and Access Rights"; measured with Wine, whose programs know these answers.
"""

from __future__ import annotations

import os
import stat

from lswd.kernel import sid as sids
from lswd.kernel.access_check import map_generic
from lswd.kernel.object import DELETE, WRITE_DAC, WRITE_OWNER
from lswd.kernel.security_descriptor import (
    ACCESS_ALLOWED_ACE_TYPE,
    ACCESS_DENIED_ACE_TYPE,
    CONTAINER_INHERIT_ACE,
    INHERIT_ONLY_ACE,
    OBJECT_INHERIT_ACE,
    Acl,
    allow,
    deny,
)
from lswd.kernel.security_descriptor import SecurityDescriptor as Descriptor
from lswd.ntdef.file import (
    FILE_ALL_ACCESS,
    FILE_DELETE_CHILD,
    FILE_EXECUTE,
    FILE_GENERIC_EXECUTE,
    FILE_GENERIC_READ,
    FILE_GENERIC_WRITE,
    FILE_READ_DATA,
    FILE_WRITE_DATA,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.kernel.sid import Sid

_GENERIC = (FILE_GENERIC_READ, FILE_GENERIC_WRITE, FILE_GENERIC_EXECUTE, FILE_ALL_ACCESS)
_READ = FILE_GENERIC_READ | FILE_GENERIC_EXECUTE  # programs that may be read may be run: Windows files have no x bit
_WRITE = FILE_GENERIC_WRITE | FILE_DELETE_CHILD | DELETE
_SPECIFIC = 0x1FF


def descriptor_of(found: os.stat_result) -> Descriptor:
    """The security descriptor of a file or directory with this status."""
    owner = sids.USER if found.st_uid == os.geteuid() else sids.ANONYMOUS
    own, others = found.st_mode >> 6 & 7, found.st_mode & 7
    inherit = OBJECT_INHERIT_ACE | CONTAINER_INHERIT_ACE if stat.S_ISDIR(found.st_mode) else 0
    aces = [allow(FILE_ALL_ACCESS, sids.LOCAL_SYSTEM, inherit)]
    if own:  # who owns a file may change its permissions, too
        aces.append(allow(access_of(own) | WRITE_DAC | WRITE_OWNER, owner, inherit))
    withheld = access_of(others) & ~access_of(own) & _SPECIFIC
    if withheld:
        aces.append(deny(withheld, owner, inherit))
    if others:
        aces.append(allow(access_of(others), sids.EVERYONE, inherit))
    return Descriptor(owner, sids.DOMAIN_USERS, Acl(aces))


def access_of(bits: int) -> int:
    """Access rights of ``rwx`` permission bits."""
    return (_READ if bits & 4 else 0) | (_WRITE if bits & 2 else 0)


def mode_of(descriptor: Descriptor, found: os.stat_result) -> int:
    """The permission bits that come nearest to a descriptor's DACL; set-id and sticky bits stay as they are."""
    kept = stat.S_IMODE(found.st_mode) & 0o7000
    dacl = descriptor.dacl
    if dacl is None:
        return kept | 0o777
    everyone = frozenset((sids.EVERYONE,))
    group = everyone | {sids.DOMAIN_USERS, sids.USERS, sids.AUTHENTICATED_USERS}
    owner = group | {sids.USER, sids.ADMINISTRATORS, sids.INTERACTIVE, sids.LOCAL, sids.CREATOR_OWNER}
    return (
        kept | _bits(_granted(dacl, owner)) << 6 | _bits(_granted(dacl, group)) << 3 | _bits(_granted(dacl, everyone))
    )


def _bits(access: int) -> int:
    return (
        (4 if access & FILE_READ_DATA else 0)
        | (2 if access & FILE_WRITE_DATA else 0)
        | (1 if access & FILE_EXECUTE else 0)
    )


def _granted(dacl: Acl, members: frozenset[Sid]) -> int:
    allowed = denied = 0
    for ace in dacl.aces:
        if ace.flags & INHERIT_ONLY_ACE or ace.sid not in members:
            continue
        mask = map_generic(ace.mask, _GENERIC)
        if ace.kind == ACCESS_ALLOWED_ACE_TYPE:
            allowed |= mask & ~denied
        elif ace.kind == ACCESS_DENIED_ACE_TYPE:
            denied |= mask & ~allowed
    return allowed
