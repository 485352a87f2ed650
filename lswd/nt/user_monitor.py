"""The monitor: there is one, as large as the screen that nobody sees.

Source: Microsoft "EnumDisplayMonitors", "GetMonitorInfo", "MonitorFromRect"; what is called back, and its parameters:
the type information of Wine's user32.
"""

from __future__ import annotations

from lswd.kernel.user_callback import UserMode
from lswd.nt.declare import Call, Out, encode_wide, syscall
from lswd.nt.user_display import DPI, RECT, SCREEN
from lswd.nt.user_failure import ERROR_INVALID_ADDRESS, ERROR_INVALID_PARAMETER, failed
from lswd.nt.user_function import callback_code, user_function, user_structure
from lswd.ntdef.types import BOOL, HANDLE, LONG_PTR, PVOID, ULONG, Struct, raw

MONITOR = 0x10001
MONITORINFOF_PRIMARY = 1
MONITOR_DEFAULTTOPRIMARY, MONITOR_DEFAULTTONEAREST = 1, 2
_MOST_DPI_KIND = 2
_NAME = encode_wide("\\\\.\\DISPLAY1")


class MONITORINFO(Struct):
    cbSize: ULONG
    rcMonitor: RECT
    rcWork: RECT
    dwFlags: ULONG


class MONITORINFOEXW(Struct):
    monitor: MONITORINFO
    szDevice: bytes = raw(64)


def overlap(one: RECT, other: RECT) -> bool:
    """Have the two any point in common?"""
    return (
        max(one.left, other.left) < min(one.right, other.right)
        and max(one.top, other.top) < min(one.bottom, other.bottom)
    )  # fmt: skip


def monitor_of(rectangle: RECT, flags: int) -> int:
    """The monitor that shows a part of it, or what ``flags`` (MONITOR_DEFAULTTO*) want instead."""
    if overlap(rectangle, SCREEN) or flags & (MONITOR_DEFAULTTOPRIMARY | MONITOR_DEFAULTTONEAREST):
        return MONITOR
    return 0


@syscall(partial="device contexts are given back as they come, and not clipped")
async def NtUserEnumDisplayMonitors(call: Call, hdc: HANDLE, rect: PVOID, proc: PVOID, lparam: LONG_PTR) -> BOOL:
    if rect:
        wanted = RECT.unpack(call.word, call.space.read(rect, RECT.size(call.word)))
        if not overlap(wanted, SCREEN):
            return 1
    structure = user_structure(call.process, "enum_display_monitor_params")
    data = bytearray(structure.pack(proc=proc, monitor=MONITOR, hdc=hdc, lparam=lparam))
    at = structure.offset("rect")
    data[at : at + 16] = SCREEN.pack(call.word)
    code = callback_code(call.process, "CallEnumDisplayMonitor")
    status, output = await UserMode(call.thread).call(code, bytes(data))
    return int(bool(int.from_bytes(output[:4], "little") if output else status))


@user_function
def CallTwoParam_GetMonitorInfo(call: Call, monitor: int, info: int) -> int:
    size = call.space.read_u32(info)
    if monitor != MONITOR or size < MONITORINFO.size(call.word):
        return failed(call.thread, ERROR_INVALID_PARAMETER)
    told = MONITORINFO(cbSize=size, rcMonitor=SCREEN, rcWork=SCREEN, dwFlags=MONITORINFOF_PRIMARY)
    if size >= MONITORINFOEXW.size(call.word):
        call.space.write(info, MONITORINFOEXW(monitor=told, szDevice=_NAME).pack(call.word))
    else:
        call.space.write(info, told.pack(call.word))
    return 1


@user_function
def CallTwoParam_MonitorFromRect(call: Call, rectangle: int, flags: int) -> int:
    return monitor_of(RECT.unpack(call.word, call.space.read(rectangle, RECT.size(call.word))), flags)


@syscall
def NtUserGetDpiForMonitor(
    call: Call, monitor: HANDLE, kind: ULONG, x: Out[ULONG] | None, y: Out[ULONG] | None
) -> BOOL:
    if kind > _MOST_DPI_KIND:
        return failed(call.thread, ERROR_INVALID_PARAMETER)
    if x is None or y is None:
        return failed(call.thread, ERROR_INVALID_ADDRESS)
    x.set(DPI)
    y.set(DPI)
    return 1
