"""Registry hives. Loading, saving and replacing them takes privileges that no program here holds.

Source: Microsoft "RegLoadKey", "RegSaveKey", "RegReplaceKey".
"""

from __future__ import annotations

from lswd.kernel.registry.key import Key
from lswd.nt.declare import Call, Handle, syscall
from lswd.ntdef.status import (
    STATUS_PRIVILEGE_NOT_HELD,
)
from lswd.ntdef.types import ACCESS_MASK, HANDLE, NTSTATUS, PVOID, ULONG


@syscall
def NtLoadKey(call: Call, TargetKey: PVOID, SourceFile: PVOID) -> NTSTATUS:
    return STATUS_PRIVILEGE_NOT_HELD


@syscall
def NtLoadKey2(call: Call, TargetKey: PVOID, SourceFile: PVOID, Flags: ULONG) -> NTSTATUS:
    return STATUS_PRIVILEGE_NOT_HELD


@syscall
def NtLoadKeyEx(
    call: Call,
    TargetKey: PVOID,
    SourceFile: PVOID,
    Flags: ULONG,
    TrustClassKey: HANDLE,
    Event: HANDLE,
    DesiredAccess: ACCESS_MASK,
    RootHandle: PVOID,
    Reserved: PVOID,
) -> NTSTATUS:
    return STATUS_PRIVILEGE_NOT_HELD


@syscall
def NtUnloadKey(call: Call, TargetKey: PVOID) -> NTSTATUS:
    return STATUS_PRIVILEGE_NOT_HELD


@syscall
def NtSaveKey(call: Call, KeyHandle: Handle[Key], FileHandle: HANDLE) -> NTSTATUS:
    return STATUS_PRIVILEGE_NOT_HELD


@syscall
def NtRestoreKey(call: Call, KeyHandle: Handle[Key], FileHandle: HANDLE, Flags: ULONG) -> NTSTATUS:
    return STATUS_PRIVILEGE_NOT_HELD


@syscall
def NtReplaceKey(call: Call, NewFile: PVOID, TargetHandle: HANDLE, OldFile: PVOID) -> NTSTATUS:
    return STATUS_PRIVILEGE_NOT_HELD
