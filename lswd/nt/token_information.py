"""NtQueryInformationToken and NtSetInformationToken.

Source: Microsoft "NtQueryInformationToken", "TOKEN_INFORMATION_CLASS", winnt.h.
"""

from __future__ import annotations

import struct

from lswd.kernel.security_descriptor import read_acl, read_sid
from lswd.kernel.token import (
    SE_GROUP_INTEGRITY,
    SE_GROUP_INTEGRITY_ENABLED,
    SE_GROUP_LOGON_ID,
    SE_GROUP_OWNER,
    TOKEN_ADJUST_DEFAULT,
    TOKEN_QUERY,
    TOKEN_QUERY_SOURCE,
    Token,
    TokenElevationTypeFull,
    TokenPrimary,
)
from lswd.nt.declare import Call, Handle, Out, syscall
from lswd.nt.information import QueryTable, SetTable
from lswd.nt.token import token_of
from lswd.nt.token_lists import SID_AND_ATTRIBUTES, pack_privileges, sid_list
from lswd.ntdef.status import (
    STATUS_BUFFER_TOO_SMALL,
    STATUS_INVALID_OWNER,
    STATUS_INVALID_PARAMETER,
    STATUS_INVALID_PRIMARY_GROUP,
    STATUS_PRIVILEGE_NOT_HELD,
    STATUS_SUCCESS,
    NtError,
)
from lswd.ntdef.types import (
    HANDLE,
    NTSTATUS,
    PVOID,
    ULONG,
    Struct,
)

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

QUERY = QueryTable(too_small=STATUS_BUFFER_TOO_SMALL)


def _ulong(value: int) -> bytes:
    return (value & 0xFFFFFFFF).to_bytes(4, "little")


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
    token = token_of(call, TokenHandle, access)
    if TokenInformationClass == TokenLinkedToken:  # makes a handle, so only when there is room for it
        return _linked(call, token, TokenInformation, TokenInformationLength, ReturnLength)
    return QUERY.answer(call, token, TokenInformationClass, TokenInformation, TokenInformationLength, ReturnLength)


def _linked(call: Call, token: Token, buffer: int, length: int, returned: Out[int] | None) -> int:
    if returned is not None:
        returned.set(call.word)
    if length < call.word:
        return STATUS_BUFFER_TOO_SMALL
    call.space.probe_write(buffer, call.word)
    call.space.write_pointer(buffer, call.process.handles.add(token.linked(), TOKEN_QUERY))
    return STATUS_SUCCESS


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
