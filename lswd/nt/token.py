"""Access tokens: NtOpenProcessToken, NtQueryInformationToken, NtAdjustPrivilegesToken, NtDuplicateToken, ...

Source: Microsoft "NtOpenProcessToken", "NtQueryInformationToken", "TOKEN_INFORMATION_CLASS", "AdjustTokenPrivileges",
"CreateRestrictedToken"; winnt.h.
"""

from __future__ import annotations

import struct

from lswd.kernel.handle import OBJ_INHERIT
from lswd.kernel.process import Process
from lswd.kernel.security_descriptor import read_acl, read_sid
from lswd.kernel.thread import Thread
from lswd.kernel.token import (
    SE_CHANGE_NOTIFY,
    SE_GROUP_ENABLED,
    SE_GROUP_ENABLED_BY_DEFAULT,
    SE_GROUP_INTEGRITY,
    SE_GROUP_INTEGRITY_ENABLED,
    SE_GROUP_LOGON_ID,
    SE_GROUP_MANDATORY,
    SE_GROUP_OWNER,
    SE_GROUP_USE_FOR_DENY_ONLY,
    SE_PRIVILEGE_ENABLED,
    SE_PRIVILEGE_REMOVED,
    SE_PRIVILEGE_USED_FOR_ACCESS,
    TOKEN_ADJUST_DEFAULT,
    TOKEN_ADJUST_GROUPS,
    TOKEN_ADJUST_PRIVILEGES,
    TOKEN_ALL_ACCESS,
    TOKEN_DUPLICATE,
    TOKEN_QUERY,
    TOKEN_QUERY_SOURCE,
    Luids,
    SecurityAnonymous,
    SecurityDelegation,
    Token,
    TokenElevationTypeFull,
    TokenImpersonation,
    TokenPrimary,
    anonymous,
    primary_token,
    thread_token,
)
from lswd.nt.declare import Call, Handle, InOut, ObjectAttributes, Out, syscall
from lswd.nt.information import QueryTable, SetTable
from lswd.ntdef.status import (
    STATUS_BAD_IMPERSONATION_LEVEL,
    STATUS_BUFFER_TOO_SMALL,
    STATUS_CANT_DISABLE_MANDATORY,
    STATUS_CANT_OPEN_ANONYMOUS,
    STATUS_INVALID_OWNER,
    STATUS_INVALID_PARAMETER,
    STATUS_INVALID_PRIMARY_GROUP,
    STATUS_NO_TOKEN,
    STATUS_NOT_ALL_ASSIGNED,
    STATUS_PRIVILEGE_NOT_HELD,
    STATUS_SUCCESS,
    NtError,
)
from lswd.ntdef.types import (
    ACCESS_MASK,
    BOOLEAN,
    HANDLE,
    NTSTATUS,
    PVOID,
    ULONG,
    Struct,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.kernel.sid import Sid

TokenUser = 1
TokenGroups = 2
TokenPrivileges = 3
TokenOwner = 4
TokenPrimaryGroup = 5
TokenDefaultDacl = 6
TokenSource = 7
TokenType = 8
TokenImpersonationLevel = 9
TokenStatistics = 10
TokenRestrictedSids = 11
TokenSessionId = 12
TokenSandBoxInert = 15
TokenOrigin = 17
TokenElevationType = 18
TokenLinkedToken = 19
TokenElevation = 20
TokenHasRestrictions = 21
TokenVirtualizationAllowed = 23
TokenVirtualizationEnabled = 24
TokenIntegrityLevel = 25
TokenUIAccess = 26
TokenMandatoryPolicy = 27
TokenLogonSid = 28
TokenIsAppContainer = 29
TokenCapabilities = 30
TokenAppContainerSid = 31
TokenAppContainerNumber = 32

PROCESS_QUERY_LIMITED_INFORMATION = 0x1000

DISABLE_MAX_PRIVILEGE = 1

_MAX_ENTRIES = 4096  # of privileges or groups in one call; NT's own lists stay far below


class SID_AND_ATTRIBUTES(Struct):
    Sid: PVOID
    Attributes: ULONG


# ---- opening


def _open_process_token(call: Call, process: Process, access: int, attributes: int, result: Out[int]) -> int:
    result.set(call.process.handles.add(primary_token(process), access, inherit=bool(attributes & OBJ_INHERIT)))
    return STATUS_SUCCESS


@syscall(access={"ProcessHandle": PROCESS_QUERY_LIMITED_INFORMATION})
def NtOpenProcessToken(
    call: Call, ProcessHandle: Handle[Process], DesiredAccess: ACCESS_MASK, TokenHandle: Out[HANDLE]
) -> NTSTATUS:
    return _open_process_token(call, ProcessHandle, DesiredAccess, 0, TokenHandle)


@syscall(access={"ProcessHandle": PROCESS_QUERY_LIMITED_INFORMATION})
def NtOpenProcessTokenEx(
    call: Call,
    ProcessHandle: Handle[Process],
    DesiredAccess: ACCESS_MASK,
    HandleAttributes: ULONG,
    TokenHandle: Out[HANDLE],
) -> NTSTATUS:
    return _open_process_token(call, ProcessHandle, DesiredAccess, HandleAttributes, TokenHandle)


def _open_thread_token(call: Call, thread: Thread, access: int, attributes: int, result: Out[int]) -> int:
    token = thread_token(thread)
    if token is None:
        return STATUS_NO_TOKEN
    if token.level == SecurityAnonymous:
        return STATUS_CANT_OPEN_ANONYMOUS
    result.set(call.process.handles.add(token, access, inherit=bool(attributes & OBJ_INHERIT)))
    return STATUS_SUCCESS


@syscall
def NtOpenThreadToken(
    call: Call, ThreadHandle: Handle[Thread], DesiredAccess: ACCESS_MASK, OpenAsSelf: BOOLEAN, TokenHandle: Out[HANDLE]
) -> NTSTATUS:
    return _open_thread_token(call, ThreadHandle, DesiredAccess, 0, TokenHandle)


@syscall
def NtOpenThreadTokenEx(
    call: Call,
    ThreadHandle: Handle[Thread],
    DesiredAccess: ACCESS_MASK,
    OpenAsSelf: BOOLEAN,
    HandleAttributes: ULONG,
    TokenHandle: Out[HANDLE],
) -> NTSTATUS:
    return _open_thread_token(call, ThreadHandle, DesiredAccess, HandleAttributes, TokenHandle)


@syscall
def NtImpersonateAnonymousToken(call: Call, ThreadHandle: Handle[Thread]) -> NTSTATUS:
    ThreadHandle.impersonation_token = anonymous(call.process.system.part(Luids))
    return STATUS_SUCCESS


# ---- looking

QUERY = QueryTable(too_small=STATUS_BUFFER_TOO_SMALL)


def _ulong(value: int) -> bytes:
    return (value & 0xFFFFFFFF).to_bytes(4, "little")


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


def _behind_pointer(call: Call, data: bytes, address: int) -> bytes:
    """A pointer, and behind it what it points to; nothing gives a null pointer."""
    if not data:
        return bytes(call.word)
    return (address + call.word).to_bytes(call.word, "little") + data


@QUERY.answers(TokenUser)
def _user(call: Call, token: Token, address: int) -> bytes:
    return sid_list(call, {token.user: token.user_attributes}, address, counted=False)


@QUERY.answers(TokenGroups)
def _groups(call: Call, token: Token, address: int) -> bytes:
    return sid_list(call, token.groups, address, counted=True)


@QUERY.answers(TokenRestrictedSids)
def _restricted(call: Call, token: Token, address: int) -> bytes:
    return sid_list(call, token.restricted, address, counted=True)


@QUERY.answers(TokenCapabilities)
def _capabilities(call: Call, token: Token, address: int) -> bytes:
    return bytes(call.word)


@QUERY.answers(TokenLogonSid)
def _logon(call: Call, token: Token, address: int) -> bytes:
    logon = {sid: a for sid, a in token.groups.items() if a & SE_GROUP_LOGON_ID == SE_GROUP_LOGON_ID}
    return sid_list(call, logon, address, counted=True)


@QUERY.answers(TokenIntegrityLevel)
def _integrity(call: Call, token: Token, address: int) -> bytes:
    return sid_list(call, {token.integrity: SE_GROUP_INTEGRITY | SE_GROUP_INTEGRITY_ENABLED}, address, counted=False)


def pack_privileges(privileges: dict[int, int]) -> bytes:
    """TOKEN_PRIVILEGES."""
    rows = (struct.pack("<QI", luid, attributes) for luid, attributes in privileges.items())
    return _ulong(len(privileges)) + b"".join(rows)


@QUERY.answers(TokenPrivileges)
def _privileges(call: Call, token: Token, address: int) -> bytes:
    return pack_privileges(token.privileges)


@QUERY.answers(TokenOwner)
def _owner(call: Call, token: Token, address: int) -> bytes:
    return _behind_pointer(call, token.owner.pack(), address)


@QUERY.answers(TokenPrimaryGroup)
def _primary_group(call: Call, token: Token, address: int) -> bytes:
    return _behind_pointer(call, token.primary_group.pack(), address)


@QUERY.answers(TokenDefaultDacl)
def _default_dacl(call: Call, token: Token, address: int) -> bytes:
    return _behind_pointer(call, token.default_dacl.pack() if token.default_dacl is not None else b"", address)


@QUERY.answers(TokenAppContainerSid)
def _app_container(call: Call, token: Token, address: int) -> bytes:
    return bytes(call.word)


@QUERY.answers(TokenSource)
def _source(call: Call, token: Token, address: int) -> bytes:
    return token.source + bytes(8)  # the LUID of whoever made it


@QUERY.answers(TokenType)
def _type(call: Call, token: Token, address: int) -> bytes:
    return _ulong(token.kind)


@QUERY.answers(TokenImpersonationLevel)
def _level(call: Call, token: Token, address: int) -> bytes:
    if token.kind == TokenPrimary:
        raise NtError(STATUS_INVALID_PARAMETER)
    return _ulong(token.level)


@QUERY.answers(TokenStatistics)
def _statistics(call: Call, token: Token, address: int) -> bytes:
    return struct.pack(
        "<QQq6IQ",
        token.token_id,
        token.logon_luid,
        0x7FFFFFFFFFFFFFFF,  # never expires
        token.kind,
        token.level & 0xFFFFFFFF,
        0,
        0,
        len(token.groups),
        len(token.privileges),
        token.modified_id,
    )


@QUERY.answers(TokenSessionId)
def _session(call: Call, token: Token, address: int) -> bytes:
    return _ulong(token.session)


@QUERY.answers(TokenOrigin)
def _origin(call: Call, token: Token, address: int) -> bytes:
    return token.logon_luid.to_bytes(8, "little")


@QUERY.answers(TokenElevationType)
def _elevation_type(call: Call, token: Token, address: int) -> bytes:
    return _ulong(token.elevation)


@QUERY.answers(TokenElevation)
def _elevation(call: Call, token: Token, address: int) -> bytes:
    return _ulong(token.elevation == TokenElevationTypeFull)


@QUERY.answers(TokenHasRestrictions)
def _has_restrictions(call: Call, token: Token, address: int) -> bytes:
    return _ulong(bool(token.restricted))


@QUERY.answers(
    TokenSandBoxInert,
    TokenVirtualizationAllowed,
    TokenVirtualizationEnabled,
    TokenUIAccess,
    TokenIsAppContainer,
    TokenAppContainerNumber,
)
def _no(call: Call, token: Token, address: int) -> bytes:
    return _ulong(0)


@QUERY.answers(TokenMandatoryPolicy)
def _mandatory_policy(call: Call, token: Token, address: int) -> bytes:
    return _ulong(1)  # TOKEN_MANDATORY_POLICY_NO_WRITE_UP


@syscall(partial="claims, audit policy and security attributes")
def NtQueryInformationToken(
    call: Call,
    TokenHandle: HANDLE,
    TokenInformationClass: ULONG,
    TokenInformation: PVOID,
    TokenInformationLength: ULONG,
    ReturnLength: Out[ULONG] | None,
) -> NTSTATUS:
    access = TOKEN_QUERY_SOURCE if TokenInformationClass == TokenSource else TOKEN_QUERY
    token = _token(call, TokenHandle, access)
    if TokenInformationClass == TokenLinkedToken:  # makes a handle, so only when there is room for it
        return _linked(call, token, TokenInformation, TokenInformationLength, ReturnLength)
    return QUERY.answer(call, token, TokenInformationClass, TokenInformation, TokenInformationLength, ReturnLength)


def _token(call: Call, handle: int, access: int) -> Token:
    token = call.process.handles.get(handle, Token, access)
    assert isinstance(token, Token)
    return token


def _linked(call: Call, token: Token, buffer: int, length: int, returned: Out[int] | None) -> int:
    if returned is not None:
        returned.set(call.word)
    if length < call.word:
        return STATUS_BUFFER_TOO_SMALL
    call.space.probe_write(buffer, call.word)
    call.space.write_pointer(buffer, call.process.handles.add(token.linked(), TOKEN_QUERY))
    return STATUS_SUCCESS


# ---- changing

SET = SetTable()


class _POINTER(Struct):
    Value: PVOID


def _pointer(call: Call, data: bytes) -> int:
    value: int = _POINTER.unpack(call.word, data).Value
    return value


@SET.takes(TokenOwner, size=_POINTER, exact=False)
def _set_owner(call: Call, token: Token, data: bytes) -> None:
    sid = read_sid(call.space, _pointer(call, data))
    if sid != token.user and not token.groups.get(sid, 0) & SE_GROUP_OWNER:
        raise NtError(STATUS_INVALID_OWNER)
    token.owner = sid


@SET.takes(TokenPrimaryGroup, size=_POINTER, exact=False)
def _set_primary_group(call: Call, token: Token, data: bytes) -> None:
    sid = read_sid(call.space, _pointer(call, data))
    if sid != token.user and sid not in token.groups:
        raise NtError(STATUS_INVALID_PRIMARY_GROUP)
    token.primary_group = sid


@SET.takes(TokenDefaultDacl, size=_POINTER, exact=False)
def _set_default_dacl(call: Call, token: Token, data: bytes) -> None:
    address = _pointer(call, data)
    token.default_dacl = read_acl(call.space, address) if address else None


@SET.takes(TokenIntegrityLevel, size=SID_AND_ATTRIBUTES, exact=False)
def _set_integrity(call: Call, token: Token, data: bytes) -> None:
    """Down is free, up takes SeRelabelPrivilege, which nobody here holds."""
    sid = read_sid(call.space, SID_AND_ATTRIBUTES.unpack(call.word, data).Sid)
    if sid.authority != 16 or len(sid.parts) != 1:
        raise NtError(STATUS_INVALID_PARAMETER)
    if sid.parts[0] > token.integrity.parts[0]:
        raise NtError(STATUS_PRIVILEGE_NOT_HELD)
    token.integrity = sid


@SET.takes(TokenSessionId, size=4)
def _set_session(call: Call, token: Token, data: bytes) -> None:
    """Takes SeTcbPrivilege; the session a token has already may be set by anybody."""
    if int.from_bytes(data, "little") != token.session:
        raise NtError(STATUS_PRIVILEGE_NOT_HELD)


@syscall(access={"TokenHandle": TOKEN_ADJUST_DEFAULT}, partial="owner, primary group, default DACL, integrity level")
def NtSetInformationToken(
    call: Call,
    TokenHandle: Handle[Token],
    TokenInformationClass: ULONG,
    TokenInformation: PVOID,
    TokenInformationLength: ULONG,
) -> NTSTATUS:
    status = SET.apply(call, TokenHandle, TokenInformationClass, TokenInformation, TokenInformationLength)
    if status == STATUS_SUCCESS:
        TokenHandle.changed()
    return status


def read_privileges(call: Call, address: int, count: int) -> list[tuple[int, int]]:
    """LUID_AND_ATTRIBUTES entries in guest memory."""
    if count > _MAX_ENTRIES:
        raise NtError(STATUS_INVALID_PARAMETER)
    return list(struct.iter_unpack("<QI", call.space.read(address, 12 * count)))


@syscall(access={"TokenHandle": TOKEN_ADJUST_PRIVILEGES})
def NtAdjustPrivilegesToken(
    call: Call,
    TokenHandle: Handle[Token],
    DisableAllPrivileges: BOOLEAN,
    NewState: PVOID,
    BufferLength: ULONG,
    PreviousState: PVOID,
    ReturnLength: Out[ULONG] | None,
) -> NTSTATUS:
    """Privileges that the token does not hold are left out, with STATUS_NOT_ALL_ASSIGNED."""
    token = TokenHandle
    status = STATUS_SUCCESS
    changes: list[tuple[int, int]]
    if DisableAllPrivileges:
        changes = [(luid, 0) for luid in token.privileges]
    else:
        if not NewState:
            return STATUS_INVALID_PARAMETER
        changes = read_privileges(call, NewState + 4, call.space.read_u32(NewState))
    before: dict[int, int] = {}
    after = dict(token.privileges)
    for luid, attributes in changes:
        old = after.get(luid)
        if old is None:
            status = STATUS_NOT_ALL_ASSIGNED
        elif attributes & SE_PRIVILEGE_REMOVED:
            before.setdefault(luid, old)
            del after[luid]
        else:
            new = old & ~SE_PRIVILEGE_ENABLED | attributes & SE_PRIVILEGE_ENABLED
            if new != old:
                before.setdefault(luid, old)
                after[luid] = new
    if PreviousState:
        data = pack_privileges(before)
        if ReturnLength is not None:
            ReturnLength.set(len(data))
        if BufferLength < len(data):
            return STATUS_BUFFER_TOO_SMALL
        call.space.write(PreviousState, data)
    if after != token.privileges:
        token.privileges = after
        token.changed()
    return status


@syscall(access={"TokenHandle": TOKEN_ADJUST_GROUPS})
def NtAdjustGroupsToken(
    call: Call,
    TokenHandle: Handle[Token],
    ResetToDefault: BOOLEAN,
    NewState: PVOID,
    BufferLength: ULONG,
    PreviousState: PVOID,
    ReturnLength: Out[ULONG] | None,
) -> NTSTATUS:
    token = TokenHandle
    status = STATUS_SUCCESS
    if ResetToDefault:
        wanted = {sid: a & SE_GROUP_ENABLED_BY_DEFAULT for sid, a in token.groups.items()}
    else:
        wanted = {sid: a & SE_GROUP_ENABLED for sid, a in _read_sids(call, NewState).items()}
    before: dict[Sid, int] = {}
    after = dict(token.groups)
    for sid, enabled in wanted.items():
        old = after.get(sid)
        if old is None:
            status = STATUS_NOT_ALL_ASSIGNED
            continue
        new = old | SE_GROUP_ENABLED if enabled else old & ~SE_GROUP_ENABLED
        if new == old:
            continue
        if old & (SE_GROUP_MANDATORY | SE_GROUP_USE_FOR_DENY_ONLY):
            return STATUS_CANT_DISABLE_MANDATORY
        before[sid] = old
        after[sid] = new
    if PreviousState:
        data = sid_list(call, before, PreviousState, counted=True)
        if ReturnLength is not None:
            ReturnLength.set(len(data))
        if BufferLength < len(data):
            return STATUS_BUFFER_TOO_SMALL
        call.space.write(PreviousState, data)
    if before:
        token.groups = after
        token.changed()
    return status


def _read_sids(call: Call, address: int) -> dict[Sid, int]:
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


# ---- copying


@syscall(partial="copies are never effective-only: the userland passes a level where NT has EffectiveOnly")
def NtDuplicateToken(
    call: Call,
    ExistingTokenHandle: HANDLE,
    DesiredAccess: ACCESS_MASK,
    ObjectAttributes: ObjectAttributes | None,
    ImpersonationLevel: ULONG,
    Type: ULONG,
    NewTokenHandle: Out[HANDLE],
) -> NTSTATUS:
    """A quality of service goes before ``ImpersonationLevel``. No access asked for means that of the handle."""
    table = call.process.handles
    token = _token(call, ExistingTokenHandle, TOKEN_DUPLICATE)
    kind = TokenPrimary if Type == TokenPrimary else TokenImpersonation
    level = ImpersonationLevel
    if ObjectAttributes is not None and ObjectAttributes.quality_of_service:
        level = call.space.read_u32(ObjectAttributes.quality_of_service + 4)
    if level > SecurityDelegation:
        return STATUS_BAD_IMPERSONATION_LEVEL
    if token.kind == TokenImpersonation and kind == TokenImpersonation and level > token.level:
        return STATUS_BAD_IMPERSONATION_LEVEL
    if not DesiredAccess:
        try:
            DesiredAccess = table.entry(ExistingTokenHandle).access
        except NtError:
            DesiredAccess = TOKEN_ALL_ACCESS
    copy = token.duplicate(kind, level if kind == TokenImpersonation else -1)
    inherit = ObjectAttributes is not None and bool(ObjectAttributes.attributes & OBJ_INHERIT)
    NewTokenHandle.set(table.add(copy, DesiredAccess, inherit=inherit))
    return STATUS_SUCCESS


@syscall(partial="SANDBOX_INERT, LUA_TOKEN and WRITE_RESTRICTED")
def NtFilterToken(
    call: Call,
    ExistingTokenHandle: HANDLE,
    Flags: ULONG,
    SidsToDisable: PVOID,
    PrivilegesToDelete: PVOID,
    RestrictedSids: PVOID,
    NewTokenHandle: Out[HANDLE],
) -> NTSTATUS:
    token = _token(call, ExistingTokenHandle, TOKEN_DUPLICATE)
    if Flags & ~DISABLE_MAX_PRIVILEGE:
        return STATUS_INVALID_PARAMETER
    copy = token.duplicate(token.kind, token.level)
    for sid in _read_sids(call, SidsToDisable):
        if sid in copy.groups:
            copy.groups[sid] = copy.groups[sid] & ~SE_GROUP_ENABLED | SE_GROUP_USE_FOR_DENY_ONLY
        elif sid == copy.user:
            copy.user_attributes |= SE_GROUP_USE_FOR_DENY_ONLY
    if Flags & DISABLE_MAX_PRIVILEGE:
        kept = {luid: a for luid, a in copy.privileges.items() if luid == SE_CHANGE_NOTIFY}
        copy.privileges = kept
    if PrivilegesToDelete:
        for luid, _ in read_privileges(call, PrivilegesToDelete + 4, call.space.read_u32(PrivilegesToDelete)):
            copy.privileges.pop(luid, None)
    copy.restricted.update(_read_sids(call, RestrictedSids))
    try:
        access = call.process.handles.entry(ExistingTokenHandle).access
    except NtError:
        access = TOKEN_ALL_ACCESS
    NewTokenHandle.set(call.process.handles.add(copy, access))
    return STATUS_SUCCESS


@syscall(access={"TokenHandle": TOKEN_QUERY})
def NtPrivilegeCheck(
    call: Call, TokenHandle: Handle[Token], RequiredPrivileges: InOut[ULONG], Result: Out[BOOLEAN]
) -> NTSTATUS:
    """``RequiredPrivileges`` is a PRIVILEGE_SET: count, control (1: all are necessary), entries, which get marked."""
    token = TokenHandle
    if token.kind == TokenImpersonation and token.level < 1:
        return STATUS_BAD_IMPERSONATION_LEVEL
    at = RequiredPrivileges.address
    count, control = struct.unpack("<II", call.space.read(at, 8))
    rows = read_privileges(call, at + 8, count)
    held = 0
    for i, (luid, attributes) in enumerate(rows):
        if token.holds(luid):
            held += 1
            call.space.write_u32(at + 8 + 12 * i + 8, attributes | SE_PRIVILEGE_USED_FOR_ACCESS)
    Result.set(held == count if control & 1 else held > 0)
    return STATUS_SUCCESS
