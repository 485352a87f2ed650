"""Access tokens: NtOpenProcessToken, NtOpenThreadToken, NtDuplicateToken, NtFilterToken.

Source: Microsoft "NtOpenProcessToken", "DuplicateTokenEx", "CreateRestrictedToken".
"""

from __future__ import annotations

from lswd.kernel.handle import OBJ_INHERIT
from lswd.kernel.process import PROCESS_QUERY_LIMITED_INFORMATION, Process
from lswd.kernel.thread import Thread
from lswd.kernel.token import (
    SE_CHANGE_NOTIFY,
    SE_GROUP_ENABLED,
    SE_GROUP_USE_FOR_DENY_ONLY,
    TOKEN_ALL_ACCESS,
    TOKEN_DUPLICATE,
    Luids,
    SecurityAnonymous,
    SecurityDelegation,
    Token,
    TokenImpersonation,
    TokenPrimary,
    anonymous,
    primary_token,
    thread_token,
)
from lswd.nt.declare import Call, Handle, ObjectAttributes, Out, syscall
from lswd.nt.token_lists import read_privileges, read_sids
from lswd.ntdef.status import (
    STATUS_BAD_IMPERSONATION_LEVEL,
    STATUS_CANT_OPEN_ANONYMOUS,
    STATUS_INVALID_PARAMETER,
    STATUS_NO_TOKEN,
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
)

DISABLE_MAX_PRIVILEGE = 1


def token_of(call: Call, handle: int, access: int) -> Token:
    """The token behind a handle that has ``access``.

    Raises:
        NtError: STATUS_INVALID_HANDLE, STATUS_OBJECT_TYPE_MISMATCH, STATUS_ACCESS_DENIED.
    """
    token = call.process.handles.get(handle, Token, access)
    assert isinstance(token, Token)
    return token


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
    token = token_of(call, ExistingTokenHandle, TOKEN_DUPLICATE)
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
    token = token_of(call, ExistingTokenHandle, TOKEN_DUPLICATE)
    if Flags & ~DISABLE_MAX_PRIVILEGE:
        return STATUS_INVALID_PARAMETER
    copy = token.duplicate(token.kind, token.level)
    for sid in read_sids(call, SidsToDisable):
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
    copy.restricted.update(read_sids(call, RestrictedSids))
    try:
        access = call.process.handles.entry(ExistingTokenHandle).access
    except NtError:
        access = TOKEN_ALL_ACCESS
    NewTokenHandle.set(call.process.handles.add(copy, access))
    return STATUS_SUCCESS
