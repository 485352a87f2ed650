"""Window stations and desktops: who asks learns that it is on WinSta0 and Default, like any program of a user.

OpenSSL and others look at the station's name to tell a service from a program; nothing can be shown on either.
Source: Microsoft "GetUserObjectInformation", "USEROBJECTFLAGS", "GetProcessWindowStation", "GetThreadDesktop".
"""

from __future__ import annotations

from lswd.kernel.desktop import Desktop, Surroundings, WindowStation
from lswd.nt.declare import Call, Out, encode_wide, syscall
from lswd.nt.user_failure import (
    ERROR_INSUFFICIENT_BUFFER,
    ERROR_INVALID_HANDLE,
    ERROR_INVALID_PARAMETER,
    failed,
)
from lswd.ntdef.status import NtError
from lswd.ntdef.types import BOOL, HANDLE, LONG, PVOID, ULONG, Struct

UOI_FLAGS, UOI_NAME, UOI_TYPE = 1, 2, 3
_WSF_VISIBLE = 1


class USEROBJECTFLAGS(Struct):
    fInherit: BOOL
    fReserved: BOOL
    dwFlags: ULONG


def _surroundings(call: Call) -> Surroundings:
    process = call.process
    if process.surroundings is None:
        process.surroundings = Surroundings(process.handles)
    return process.surroundings


@syscall
def NtUserGetProcessWindowStation(call: Call) -> HANDLE:
    return _surroundings(call).window_station


@syscall
def NtUserGetThreadDesktop(call: Call, thread: ULONG) -> HANDLE:
    if call.process.find_thread(thread) is None:
        return failed(call.thread, ERROR_INVALID_PARAMETER)
    return _surroundings(call).desktop


@syscall
def NtUserCloseWindowStation(call: Call, handle: HANDLE) -> BOOL:
    return _close(call, handle, WindowStation)


@syscall
def NtUserCloseDesktop(call: Call, handle: HANDLE) -> BOOL:
    return _close(call, handle, Desktop)


def _close(call: Call, handle: int, kind: type[WindowStation] | type[Desktop]) -> int:
    """Those that the process has been given without asking stay."""
    own = _surroundings(call)
    try:
        call.process.handles.get(handle, kind, 0)
        if handle not in (own.window_station, own.desktop):
            call.process.handles.close(handle)
    except NtError:
        return failed(call.thread, ERROR_INVALID_HANDLE)
    return 1


@syscall(partial="no SID, heap size or I/O state")
def NtUserGetObjectInformation(
    call: Call, handle: HANDLE, index: LONG, info: PVOID, length: ULONG, needed: Out[ULONG] | None
) -> BOOL:
    try:
        found = call.process.handles.get(handle)
    except NtError:
        return failed(call.thread, ERROR_INVALID_HANDLE)
    if not isinstance(found, WindowStation | Desktop):
        return failed(call.thread, ERROR_INVALID_HANDLE)
    if index == UOI_FLAGS:
        data = USEROBJECTFLAGS(dwFlags=_WSF_VISIBLE if isinstance(found, WindowStation) else 0).pack(call.word)
    elif index == UOI_NAME:
        data = encode_wide(found.name) + b"\0\0"
    elif index == UOI_TYPE:
        data = encode_wide(found.type_name) + b"\0\0"
    else:
        return failed(call.thread, ERROR_INVALID_PARAMETER)
    if needed is not None:
        needed.set(len(data))
    if length < len(data):
        return failed(call.thread, ERROR_INSUFFICIENT_BUFFER)
    call.space.write(info, data)
    return 1
