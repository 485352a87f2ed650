"""Access tokens: who a program is and what it may do.

There is one user, whom Wine's programs know as an elevated administrator; ours get the same answers. What a program
may really do to the host is decided by the host.
Source: Microsoft "Access Tokens", "Privilege Constants", [MS-DTYP] 2.5.2 "Token/Authorization Context".
"""

from __future__ import annotations

from lswd.kernel import sid as sids
from lswd.kernel.object import GENERIC_ALL, KernelObject
from lswd.kernel.security_descriptor import Acl, allow
from lswd.kernel.sid import Sid
from lswd.ntdef.status import STATUS_NO_TOKEN, NtError
from lswd.ntdef.types import CURRENT_EFFECTIVE_TOKEN, CURRENT_PROCESS_TOKEN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.kernel.process import Process
    from lswd.kernel.system import System
    from lswd.kernel.thread import Thread

TOKEN_ASSIGN_PRIMARY = 0x0001
TOKEN_DUPLICATE = 0x0002
TOKEN_IMPERSONATE = 0x0004
TOKEN_QUERY = 0x0008
TOKEN_QUERY_SOURCE = 0x0010
TOKEN_ADJUST_PRIVILEGES = 0x0020
TOKEN_ADJUST_GROUPS = 0x0040
TOKEN_ADJUST_DEFAULT = 0x0080
TOKEN_ADJUST_SESSIONID = 0x0100
TOKEN_ALL_ACCESS = 0xF01FF

TokenPrimary = 1
TokenImpersonation = 2

SecurityAnonymous = 0
SecurityIdentification = 1
SecurityImpersonation = 2
SecurityDelegation = 3

TokenElevationTypeDefault = 1
TokenElevationTypeFull = 2
TokenElevationTypeLimited = 3

SE_GROUP_MANDATORY = 0x01
SE_GROUP_ENABLED_BY_DEFAULT = 0x02
SE_GROUP_ENABLED = 0x04
SE_GROUP_OWNER = 0x08
SE_GROUP_USE_FOR_DENY_ONLY = 0x10
SE_GROUP_INTEGRITY = 0x20
SE_GROUP_INTEGRITY_ENABLED = 0x40
SE_GROUP_LOGON_ID = 0xC0000000
_ENABLED = SE_GROUP_MANDATORY | SE_GROUP_ENABLED_BY_DEFAULT | SE_GROUP_ENABLED

SE_PRIVILEGE_ENABLED_BY_DEFAULT = 1
SE_PRIVILEGE_ENABLED = 2
SE_PRIVILEGE_REMOVED = 4
SE_PRIVILEGE_USED_FOR_ACCESS = 0x80000000
_ON = SE_PRIVILEGE_ENABLED_BY_DEFAULT | SE_PRIVILEGE_ENABLED

# Privileges by the low part of their LUID (wdm.h SE_*_PRIVILEGE); the high part is zero.
SE_INCREASE_QUOTA = 5
SE_TCB = 7
SE_SECURITY = 8
SE_TAKE_OWNERSHIP = 9
SE_LOAD_DRIVER = 10
SE_SYSTEM_PROFILE = 11
SE_SYSTEMTIME = 12
SE_PROFILE_SINGLE_PROCESS = 13
SE_INCREASE_BASE_PRIORITY = 14
SE_CREATE_PAGEFILE = 15
SE_BACKUP = 17
SE_RESTORE = 18
SE_SHUTDOWN = 19
SE_DEBUG = 20
SE_SYSTEM_ENVIRONMENT = 22
SE_CHANGE_NOTIFY = 23
SE_REMOTE_SHUTDOWN = 24
SE_UNDOCK = 25
SE_MANAGE_VOLUME = 28
SE_IMPERSONATE = 29
SE_CREATE_GLOBAL = 30

_PRIVILEGES = {
    SE_CHANGE_NOTIFY: _ON,
    SE_TCB: 0,
    SE_SECURITY: 0,
    SE_BACKUP: 0,
    SE_RESTORE: 0,
    SE_SYSTEMTIME: 0,
    SE_SHUTDOWN: 0,
    SE_REMOTE_SHUTDOWN: 0,
    SE_TAKE_OWNERSHIP: 0,
    SE_DEBUG: 0,
    SE_SYSTEM_ENVIRONMENT: 0,
    SE_SYSTEM_PROFILE: 0,
    SE_PROFILE_SINGLE_PROCESS: 0,
    SE_INCREASE_BASE_PRIORITY: 0,
    SE_LOAD_DRIVER: _ON,
    SE_CREATE_PAGEFILE: 0,
    SE_INCREASE_QUOTA: 0,
    SE_UNDOCK: 0,
    SE_MANAGE_VOLUME: 0,
    SE_IMPERSONATE: _ON,
    SE_CREATE_GLOBAL: _ON,
}

_GROUPS = (
    (sids.EVERYONE, _ENABLED),
    (sids.LOCAL, _ENABLED),
    (sids.INTERACTIVE, _ENABLED),
    (sids.AUTHENTICATED_USERS, _ENABLED),
    (sids.DOMAIN_USERS, _ENABLED | SE_GROUP_OWNER),
    (sids.ADMINISTRATORS, _ENABLED | SE_GROUP_OWNER),
    (sids.USERS, _ENABLED),
    (sids.LOGON_SESSION, _ENABLED | SE_GROUP_LOGON_ID),
)


class Luids:
    """Locally unique identifiers: never the same twice while the system is up."""

    def __init__(self, system: System) -> None:
        self._next = 1000  # wdm.h: those below are the system's own

    def new(self) -> int:
        self._next += 1
        return self._next


class Token(KernelObject):
    """See the module's docstring.

    Attributes:
        groups: attributes by group, in order; privileges: attributes by LUID.
        restricted: SIDs that must be granted access too (a restricted token), or empty.
        kind: TokenPrimary or TokenImpersonation; level: of impersonation.
        integrity: the mandatory level.
    """

    type_name = "Token"
    generic = (0x20008, 0x200E0, 0x20000, TOKEN_ALL_ACCESS)

    def __init__(self, luids: Luids) -> None:
        super().__init__()
        self._luids = luids
        self.user = sids.USER
        self.user_attributes = 0
        self.groups: dict[Sid, int] = dict(_GROUPS)
        self.privileges: dict[int, int] = dict(_PRIVILEGES)
        self.restricted: dict[Sid, int] = {}
        self.owner = sids.DOMAIN_USERS
        self.primary_group = sids.DOMAIN_USERS
        self.default_dacl: Acl | None = Acl(
            [allow(GENERIC_ALL, sids.LOCAL_SYSTEM), allow(GENERIC_ALL, sids.DOMAIN_USERS)]
        )
        self.kind = TokenPrimary
        self.level = -1
        self.session = 1
        self.elevation = TokenElevationTypeFull
        self.integrity = sids.HIGH_LEVEL
        self.source = b"User32 \0"
        self.logon_luid = 0
        self.token_id = luids.new()
        self.modified_id = luids.new()

    def changed(self) -> None:
        """Give the token a new modified-id."""
        self.modified_id = self._luids.new()

    def duplicate(self, kind: int, level: int) -> Token:
        """A copy."""
        copy = Token(self._luids)
        copy.user, copy.user_attributes = self.user, self.user_attributes
        copy.groups = dict(self.groups)
        copy.privileges = dict(self.privileges)
        copy.restricted = dict(self.restricted)
        copy.owner, copy.primary_group = self.owner, self.primary_group
        copy.default_dacl = self.default_dacl
        copy.session, copy.elevation, copy.integrity = self.session, self.elevation, self.integrity
        copy.source, copy.logon_luid = self.source, self.logon_luid
        copy.kind, copy.level = kind, level
        return copy

    def linked(self) -> Token:
        """The token User Account Control pairs this one with, for identification only."""
        copy = self.duplicate(TokenImpersonation, SecurityIdentification)
        full = self.elevation == TokenElevationTypeFull
        copy.elevation = TokenElevationTypeLimited if full else TokenElevationTypeFull
        return copy

    def holds(self, privilege: int) -> bool:
        """Is a privilege held and enabled?"""
        return bool(self.privileges.get(privilege, 0) & SE_PRIVILEGE_ENABLED)

    def is_member(self, sid: Sid, *, deny: bool = False) -> bool:
        """Does an entry for ``sid`` apply? ``deny``: a denying entry, for which deny-only groups count too."""
        wanted = SE_GROUP_ENABLED | (SE_GROUP_USE_FOR_DENY_ONLY if deny else 0)
        if sid == self.user:
            return deny or not self.user_attributes & SE_GROUP_USE_FOR_DENY_ONLY
        return bool(self.groups.get(sid, 0) & wanted)


def anonymous(luids: Luids) -> Token:
    """The token of nobody in particular."""
    token = Token(luids)
    token.user = sids.ANONYMOUS
    token.groups = {sids.EVERYONE: _ENABLED}
    token.privileges = {}
    token.owner = token.primary_group = sids.ANONYMOUS
    token.default_dacl = None
    token.integrity = sids.UNTRUSTED_LEVEL
    token.elevation = TokenElevationTypeDefault
    token.kind, token.level = TokenImpersonation, SecurityAnonymous
    return token


def primary_token(process: Process) -> Token:
    """The process's token, made on first use."""
    token = process.token
    if token is None:
        token = process.token = Token(process.system.part(Luids))
    assert isinstance(token, Token)
    return token


def thread_token(thread: Thread) -> Token | None:
    """The token a thread impersonates with, or None."""
    token = thread.impersonation_token
    assert token is None or isinstance(token, Token)
    return token


def effective_token(thread: Thread) -> Token:
    """The token that counts: the thread's own, else its process's."""
    return thread_token(thread) or primary_token(thread.process)


def pseudo_token(thread: Thread, handle: int) -> Token:
    """What a pseudo handle for a token stands for.

    Raises:
        NtError: STATUS_NO_TOKEN for the thread's token when it has none.
    """
    if handle == CURRENT_PROCESS_TOKEN:
        return primary_token(thread.process)
    if handle == CURRENT_EFFECTIVE_TOKEN:
        return effective_token(thread)
    token = thread_token(thread)
    if token is None:
        raise NtError(STATUS_NO_TOKEN)
    return token
