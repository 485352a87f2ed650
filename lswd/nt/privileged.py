"""Calls that change the machine. They take privileges that no program here holds: the machine is the host's.

Source: Microsoft "Privilege Constants", "NtLoadDriver", "NtShutdownSystem", "NtInitiatePowerAction".
"""

from __future__ import annotations

from lswd.nt.declare import Call, UnicodeString, syscall
from lswd.ntdef.status import STATUS_PRIVILEGE_NOT_HELD
from lswd.ntdef.types import BOOLEAN, NTSTATUS, PVOID, ULONG


@syscall
def NtLoadDriver(call: Call, DriverServiceName: UnicodeString) -> NTSTATUS:
    return STATUS_PRIVILEGE_NOT_HELD


@syscall
def NtUnloadDriver(call: Call, DriverServiceName: UnicodeString) -> NTSTATUS:
    return STATUS_PRIVILEGE_NOT_HELD


@syscall
def NtCreatePagingFile(
    call: Call, PageFileName: UnicodeString, MinimumSize: PVOID, MaximumSize: PVOID, Priority: ULONG
) -> NTSTATUS:
    return STATUS_PRIVILEGE_NOT_HELD


@syscall
def NtShutdownSystem(call: Call, Action: ULONG) -> NTSTATUS:
    return STATUS_PRIVILEGE_NOT_HELD


@syscall
def NtInitiatePowerAction(
    call: Call, SystemAction: ULONG, LightestSystemState: ULONG, Flags: ULONG, Asynchronous: BOOLEAN
) -> NTSTATUS:
    return STATUS_PRIVILEGE_NOT_HELD


@syscall
def NtSetSystemTime(call: Call, SystemTime: PVOID, PreviousTime: PVOID) -> NTSTATUS:
    return STATUS_PRIVILEGE_NOT_HELD


@syscall
def NtSetSystemInformation(
    call: Call, SystemInformationClass: ULONG, SystemInformation: PVOID, SystemInformationLength: ULONG
) -> NTSTATUS:
    return STATUS_PRIVILEGE_NOT_HELD
