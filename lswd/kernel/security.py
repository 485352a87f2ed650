"""The security descriptor of any object: what was set, what the host's permissions say, or the default.

Source: Microsoft "Securable Objects", "DACL for a New Object"; defaults of processes and keys as Wine's
programs see them.
"""

from __future__ import annotations

import os

from lswd.kernel import sid as sids
from lswd.kernel.access_check import map_generic
from lswd.kernel.file_disk import DiskObject
from lswd.kernel.file_metadata import nt_error
from lswd.kernel.object import GENERIC_ALL, GENERIC_READ
from lswd.kernel.process import Process
from lswd.kernel.registry.key import Key
from lswd.kernel.security_descriptor import (
    CONTAINER_INHERIT_ACE,
    DACL_SECURITY_INFORMATION,
    INHERIT_ONLY_ACE,
    Acl,
    SecurityDescriptor,
    allow,
)
from lswd.ntdef.status import STATUS_ACCESS_DENIED, NtError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.kernel.object import KernelObject
    from lswd.kernel.token import Token

_CHILDREN = CONTAINER_INHERIT_ACE | INHERIT_ONLY_ACE


def security_of(obj: KernelObject, token: Token) -> SecurityDescriptor:
    """The descriptor of ``obj``; ``token`` is the one its default comes from.

    Raises:
        NtError: the host does not tell.
    """
    if obj.security is not None:
        return obj.security
    if isinstance(obj, DiskObject):
        try:
            from lswd.kernel.file_security import descriptor_of

            return descriptor_of(os.fstat(obj.fd))
        except OSError as error:
            raise nt_error(error) from None
    everything = obj.generic[3]
    if isinstance(obj, Process):
        aces = [allow(GENERIC_READ, sids.DOMAIN_USERS, _CHILDREN), allow(everything, sids.ADMINISTRATORS)]
        return SecurityDescriptor(sids.ADMINISTRATORS, sids.DOMAIN_USERS, Acl(aces))
    if isinstance(obj, Key):
        aces = [allow(GENERIC_READ, sids.USERS, _CHILDREN), allow(everything, sids.ADMINISTRATORS)]
        return SecurityDescriptor(sids.ADMINISTRATORS, sids.ADMINISTRATORS, Acl(aces))
    dacl = None
    if token.default_dacl is not None:
        dacl = Acl(
            [
                allow(map_generic(a.mask, obj.generic), a.sid, a.flags)
                for a in token.default_dacl.aces
                if a.sid is not None
            ]
        )
    return SecurityDescriptor(token.owner, token.primary_group, dacl)


def set_security(obj: KernelObject, new: SecurityDescriptor, information: int, token: Token) -> None:
    """Replace the parts of the descriptor that ``information`` names. A file's DACL becomes its host permissions.

    Raises:
        NtError: STATUS_ACCESS_DENIED for a file of the userland or one the host does not let the user change.
    """
    if isinstance(obj, DiskObject):
        if obj.overlay:
            raise NtError(STATUS_ACCESS_DENIED)
        if information & DACL_SECURITY_INFORMATION:
            from lswd.kernel.file_security import mode_of

            try:
                os.chmod(obj.where, mode_of(new, os.fstat(obj.fd)))
            except OSError as error:
                raise nt_error(error) from None
        return
    current = security_of(obj, token)
    if obj.security is None:
        current = SecurityDescriptor(current.owner, current.group, current.dacl, current.sacl)
    current.replace(new, information)
    obj.security = current


def check_generic(mask: int) -> bool:
    """Are there generic rights left in ``mask``?"""
    return bool(mask & (GENERIC_ALL | GENERIC_READ | 0x60000000))
