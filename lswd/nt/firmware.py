"""Firmware variables: NtQuerySystemEnvironmentValue. Source: Microsoft "GetFirmwareEnvironmentVariable".

The answer of a machine without UEFI: ERROR_INVALID_FUNCTION, which is how programs find out. Variables of the host's
firmware are none of a guest's business.
"""

from __future__ import annotations

from lswd.nt.declare import Call, Out, UnicodeString, syscall
from lswd.ntdef.status import STATUS_NOT_IMPLEMENTED
from lswd.ntdef.types import NTSTATUS, PVOID, ULONG


@syscall
def NtQuerySystemEnvironmentValue(
    call: Call, VariableName: UnicodeString, Value: PVOID, ValueBufferLength: ULONG, ReturnLength: Out[ULONG] | None
) -> NTSTATUS:
    return STATUS_NOT_IMPLEMENTED


@syscall
def NtQuerySystemEnvironmentValueEx(
    call: Call,
    VariableName: UnicodeString,
    VendorGuid: PVOID,
    Value: PVOID,
    ValueLength: PVOID,
    Attributes: PVOID,
) -> NTSTATUS:
    return STATUS_NOT_IMPLEMENTED
