"""Accelerator tables: keys that stand for commands. Keys come from other programs only; nobody types.

Source: Microsoft "CreateAcceleratorTable", "CopyAcceleratorTable", "TranslateAccelerator", "ACCEL".
"""

from __future__ import annotations

import struct

from lswd.nt.declare import Call, syscall
from lswd.nt.user_failure import ERROR_INVALID_PARAMETER, failed
from lswd.nt.user_message import MSG
from lswd.nt.user_procedure import find_window
from lswd.nt.user_send import send
from lswd.ntdef.types import BOOL, HANDLE, LONG, PVOID

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.kernel.system import System

WM_KEYDOWN, WM_CHAR, WM_SYSKEYDOWN, WM_SYSCHAR, WM_COMMAND = 0x100, 0x102, 0x104, 0x106, 0x111
FVIRTKEY, FSHIFT, FCONTROL, FALT = 1, 4, 8, 0x10
ERROR_INVALID_ACCEL_HANDLE = 1403
_ACCEL = struct.Struct("<BxHH")
_FIRST, _MOST, _MOST_KEYS = 0x50001, 10000, 10000


class AcceleratorTables:
    """Entries (flags, key, command) by handle; a part of the System."""

    def __init__(self, system: System) -> None:
        self.tables: dict[int, list[tuple[int, int, int]]] = {}
        self.next = _FIRST


def _tables(call: Call) -> AcceleratorTables:
    return call.process.system.part(AcceleratorTables)


@syscall
def NtUserCreateAcceleratorTable(call: Call, table: PVOID, count: LONG) -> HANDLE:
    tables = _tables(call)
    if not 0 < count <= _MOST_KEYS or len(tables.tables) >= _MOST:
        return failed(call.thread, ERROR_INVALID_PARAMETER)
    handle, tables.next = tables.next, tables.next + 2
    tables.tables[handle] = list(_ACCEL.iter_unpack(call.space.read(table, _ACCEL.size * count)))
    return handle


@syscall
def NtUserDestroyAcceleratorTable(call: Call, handle: HANDLE) -> BOOL:
    if _tables(call).tables.pop(handle, None) is None:
        return failed(call.thread, ERROR_INVALID_ACCEL_HANDLE)
    return 1


@syscall
def NtUserCopyAcceleratorTable(call: Call, src: HANDLE, dst: PVOID, count: LONG) -> LONG:
    """How many entries there are, or have been written."""
    entries = _tables(call).tables.get(src)
    if entries is None:
        return failed(call.thread, ERROR_INVALID_ACCEL_HANDLE)
    if not dst:
        return len(entries)
    entries = entries[: max(0, count)]
    call.space.write(dst, b"".join(_ACCEL.pack(flags & 0x7F, key, command) for flags, key, command in entries))
    return len(entries)


@syscall(partial="no key is held down meanwhile; menus are not asked")
async def NtUserTranslateAccelerator(call: Call, hwnd: HANDLE, accel: HANDLE, msg: PVOID) -> LONG:
    told = MSG.unpack(call.word, call.space.read(msg, MSG.size(call.word)))
    entries = _tables(call).tables.get(accel)
    if entries is None or told.message not in (WM_KEYDOWN, WM_SYSKEYDOWN, WM_CHAR, WM_SYSCHAR):
        return 0
    window = find_window(call, hwnd)
    if window is None:
        return 0
    kind = FVIRTKEY if told.message in (WM_KEYDOWN, WM_SYSKEYDOWN) else 0
    for flags, key, command in entries:
        if key == told.wParam & 0xFFFF and flags & (FVIRTKEY | FSHIFT | FCONTROL | FALT) == kind:
            await send(call.thread, window, WM_COMMAND, command | 1 << 16, 0)
            return 1
    return 0
