"""Privileges and groups: NtAdjustPrivilegesToken, NtAdjustGroupsToken, NtPrivilegeCheck.

Source: Microsoft "AdjustTokenPrivileges", "AdjustTokenGroups", "PrivilegeCheck".
"""

from __future__ import annotations

import struct

from lswd.kernel.token import (
    SE_GROUP_ENABLED,
    SE_GROUP_ENABLED_BY_DEFAULT,
    SE_GROUP_MANDATORY,
    SE_GROUP_USE_FOR_DENY_ONLY,
    SE_PRIVILEGE_ENABLED,
    SE_PRIVILEGE_REMOVED,
    SE_PRIVILEGE_USED_FOR_ACCESS,
    TOKEN_ADJUST_GROUPS,
    TOKEN_ADJUST_PRIVILEGES,
    TOKEN_QUERY,
    Token,
    TokenImpersonation,
)
from lswd.nt.declare import Call, Handle, InOut, Out, syscall
from lswd.nt.token_lists import pack_privileges, read_privileges, read_sids, sid_list
from lswd.ntdef.status import (
    STATUS_BAD_IMPERSONATION_LEVEL,
    STATUS_BUFFER_TOO_SMALL,
    STATUS_CANT_DISABLE_MANDATORY,
    STATUS_INVALID_PARAMETER,
    STATUS_NOT_ALL_ASSIGNED,
    STATUS_SUCCESS,
)
from lswd.ntdef.types import (
    BOOLEAN,
    NTSTATUS,
    PVOID,
    ULONG,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.kernel.sid import Sid


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
        wanted = {sid: a & SE_GROUP_ENABLED for sid, a in read_sids(call, NewState).items()}
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
