"""Security descriptors of objects and access checks: NtQuerySecurityObject, NtSetSecurityObject, NtAccessCheck.

Source: Microsoft "NtQuerySecurityObject", "NtSetSecurityObject", "AccessCheck"; SECURITY_INFORMATION in winnt.h.
"""

from __future__ import annotations

import struct

from lswd.kernel.access_check import ACCESS_SYSTEM_SECURITY, access_check
from lswd.kernel.object import READ_CONTROL, WRITE_DAC, WRITE_OWNER, KernelObject
from lswd.kernel.security import check_generic, security_of, set_security
from lswd.kernel.security_descriptor import (
    DACL_SECURITY_INFORMATION,
    GROUP_SECURITY_INFORMATION,
    LABEL_SECURITY_INFORMATION,
    OWNER_SECURITY_INFORMATION,
    SACL_SECURITY_INFORMATION,
    read_descriptor,
)
from lswd.kernel.token import (
    SE_PRIVILEGE_USED_FOR_ACCESS,
    SecurityIdentification,
    Token,
    TokenImpersonation,
    effective_token,
)
from lswd.nt.declare import Call, Handle, In, InOut, Out, UnicodeString, syscall
from lswd.ntdef.status import (
    STATUS_BAD_IMPERSONATION_LEVEL,
    STATUS_BUFFER_TOO_SMALL,
    STATUS_GENERIC_NOT_MAPPED,
    STATUS_INVALID_SECURITY_DESCR,
    STATUS_NO_IMPERSONATION_TOKEN,
    STATUS_NO_TOKEN,
    STATUS_SUCCESS,
)
from lswd.ntdef.types import ACCESS_MASK, BOOLEAN, HANDLE, NTSTATUS, PVOID, ULONG, Struct

_PRIVILEGE_SET = 20  # with one entry: the least that callers provide


class GENERIC_MAPPING(Struct):
    GenericRead: ACCESS_MASK
    GenericWrite: ACCESS_MASK
    GenericExecute: ACCESS_MASK
    GenericAll: ACCESS_MASK


def _object(call: Call, handle: int, access: int) -> KernelObject:
    """The object, for a caller whose handle has ``access``; pseudo handles have all there is."""
    return call.process.handles.get(handle, KernelObject, access)


@syscall
def NtQuerySecurityObject(
    call: Call,
    Handle: HANDLE,
    SecurityInformation: ULONG,
    SecurityDescriptor: PVOID,
    Length: ULONG,
    LengthNeeded: Out[ULONG],
) -> NTSTATUS:
    access = 0
    if SecurityInformation & (
        OWNER_SECURITY_INFORMATION | GROUP_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION | LABEL_SECURITY_INFORMATION
    ):
        access |= READ_CONTROL
    if SecurityInformation & SACL_SECURITY_INFORMATION:
        access |= ACCESS_SYSTEM_SECURITY
    obj = _object(call, Handle, access)
    data = security_of(obj, effective_token(call.thread)).pack(SecurityInformation)
    LengthNeeded.set(len(data))
    if Length < len(data):
        return STATUS_BUFFER_TOO_SMALL
    call.space.write(SecurityDescriptor, data)
    return STATUS_SUCCESS


@syscall(partial="of a file only the DACL is kept, as permissions of the host's; owners of files never change")
def NtSetSecurityObject(call: Call, Handle: HANDLE, SecurityInformation: ULONG, SecurityDescriptor: PVOID) -> NTSTATUS:
    access = 0
    if SecurityInformation & (OWNER_SECURITY_INFORMATION | GROUP_SECURITY_INFORMATION | LABEL_SECURITY_INFORMATION):
        access |= WRITE_OWNER
    if SecurityInformation & DACL_SECURITY_INFORMATION:
        access |= WRITE_DAC
    if SecurityInformation & SACL_SECURITY_INFORMATION:
        access |= ACCESS_SYSTEM_SECURITY
    obj = _object(call, Handle, access)
    new = read_descriptor(call.space, SecurityDescriptor)
    if (SecurityInformation & OWNER_SECURITY_INFORMATION and new.owner is None) or (
        SecurityInformation & GROUP_SECURITY_INFORMATION and new.group is None
    ):
        return STATUS_INVALID_SECURITY_DESCR
    set_security(obj, new, SecurityInformation, effective_token(call.thread))
    return STATUS_SUCCESS


def _check(
    call: Call,
    descriptor_at: int,
    token: Token,
    desired: int,
    mapping: GENERIC_MAPPING,
    privileges_at: int,
    privileges_length: InOut[int] | None,
    granted: Out[int],
    status: Out[int],
) -> int:
    if token.kind != TokenImpersonation:
        return STATUS_NO_IMPERSONATION_TOKEN
    if token.level < SecurityIdentification:
        return STATUS_BAD_IMPERSONATION_LEVEL
    if check_generic(desired):
        return STATUS_GENERIC_NOT_MAPPED
    descriptor = read_descriptor(call.space, descriptor_at)
    if descriptor.owner is None or descriptor.group is None:
        return STATUS_INVALID_SECURITY_DESCR
    generic = (mapping.GenericRead, mapping.GenericWrite, mapping.GenericExecute, mapping.GenericAll)
    decision = access_check(descriptor, token, desired, generic)
    if privileges_length is not None:
        rows = b"".join(struct.pack("<QI", luid, SE_PRIVILEGE_USED_FOR_ACCESS) for luid in decision.privileges)
        needed = max(8 + len(rows), _PRIVILEGE_SET)
        room = privileges_length.value
        privileges_length.set(needed)
        if room < needed:
            return STATUS_BUFFER_TOO_SMALL
        call.space.write(privileges_at, struct.pack("<II", len(decision.privileges), 0) + rows)
    granted.set(decision.granted)
    status.set(decision.status)
    return STATUS_SUCCESS


@syscall(partial="conditions of callback entries are not evaluated")
def NtAccessCheck(
    call: Call,
    SecurityDescriptor: PVOID,
    ClientToken: Handle[Token],
    DesiredAccess: ACCESS_MASK,
    GenericMapping: In[GENERIC_MAPPING],
    PrivilegeSet: PVOID,
    PrivilegeSetLength: InOut[ULONG],
    GrantedAccess: Out[ACCESS_MASK],
    AccessStatus: Out[NTSTATUS],
) -> NTSTATUS:
    return _check(
        call,
        SecurityDescriptor,
        ClientToken,
        DesiredAccess,
        GenericMapping,
        PrivilegeSet,
        PrivilegeSetLength,
        GrantedAccess,
        AccessStatus,
    )


@syscall(partial="nothing is audited")
def NtAccessCheckAndAuditAlarm(
    call: Call,
    SubsystemName: UnicodeString,
    HandleId: PVOID,
    ObjectTypeName: UnicodeString,
    ObjectName: UnicodeString,
    SecurityDescriptor: PVOID,
    DesiredAccess: ACCESS_MASK,
    GenericMapping: In[GENERIC_MAPPING],
    ObjectCreation: BOOLEAN,
    GrantedAccess: Out[ACCESS_MASK],
    AccessStatus: Out[NTSTATUS],
    GenerateOnClose: Out[BOOLEAN],
) -> NTSTATUS:
    """Checks the token that the calling thread impersonates with."""
    token = call.thread.impersonation_token
    if token is None:
        return STATUS_NO_TOKEN
    GenerateOnClose.set(0)
    return _check(call, SecurityDescriptor, token, DesiredAccess, GenericMapping, 0, None, GrantedAccess, AccessStatus)
