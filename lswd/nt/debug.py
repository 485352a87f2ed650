"""Debug output and debugger control: __wine_dbg_write, NtSetDebugFilterState, NtSystemDebugControl, NtDisplayString.

Source: Microsoft "DbgSetDebugFilterState"; __wine_dbg_write is Wine's own: its DLLs' diagnostics come through it.
"""

from __future__ import annotations

from lswd.kernel.diagnostics import print_to_host, write_diagnostics
from lswd.nt.declare import Call, Out, UnicodeString, syscall
from lswd.ntdef.status import STATUS_ACCESS_DENIED, STATUS_DEBUGGER_INACTIVE, STATUS_SUCCESS
from lswd.ntdef.types import BOOLEAN, NTSTATUS, PVOID, ULONG


@syscall
def __wine_dbg_write(call: Call, str: PVOID, len: ULONG) -> NTSTATUS:  # noqa: A002
    return write_diagnostics(call.process, str, len)


@syscall
def NtDisplayString(call: Call, String: UnicodeString) -> NTSTATUS:
    """Text for the screen of a machine that starts up: goes to the terminal."""
    print_to_host(String.encode("utf-8", "replace"))
    return STATUS_SUCCESS


@syscall
def NtSetDebugFilterState(call: Call, ComponentId: ULONG, Level: ULONG, State: BOOLEAN) -> NTSTATUS:
    """Needs SeDebugPrivilege, enabled."""
    return STATUS_ACCESS_DENIED


@syscall
def NtSystemDebugControl(
    call: Call,
    Command: ULONG,
    InputBuffer: PVOID,
    InputBufferLength: ULONG,
    OutputBuffer: PVOID,
    OutputBufferLength: ULONG,
    ReturnLength: Out[ULONG] | None,
) -> NTSTATUS:
    """No kernel debugger is attached."""
    return STATUS_DEBUGGER_INACTIVE
