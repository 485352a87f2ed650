"""Device contexts of windows and of the screen: as large as these, and nothing of what is drawn into them is kept.

Source: Microsoft "GetDC", "GetDCEx", "GetWindowDC", "ReleaseDC", "WindowFromDC", "Class Styles".
"""

from __future__ import annotations

from lswd.kernel.gdi.device_context import DeviceContext
from lswd.kernel.gdi.handle_table import gdi_handles
from lswd.kernel.gdi.objects import delete
from lswd.nt.declare import Call, syscall
from lswd.nt.gdi_lookup import found, new_context
from lswd.nt.user_procedure import find_window, windows_of
from lswd.ntdef.types import HANDLE, LONG, ULONG

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.kernel.window import Window

DCX_WINDOW = 1
CS_OWNDC = 0x20


@syscall(partial="what is drawn is not kept")
def NtUserGetDC(call: Call, hwnd: HANDLE) -> HANDLE:
    return window_context(call, hwnd, 0)


@syscall(partial="what is drawn is not kept; regions do not clip")
def NtUserGetDCEx(call: Call, hwnd: HANDLE, clip_rgn: HANDLE, flags: ULONG) -> HANDLE:
    return window_context(call, hwnd, flags)


@syscall(partial="what is drawn is not kept")
def NtUserGetWindowDC(call: Call, hwnd: HANDLE) -> HANDLE:
    return window_context(call, hwnd, DCX_WINDOW)


def window_context(call: Call, hwnd: int, flags: int) -> int:
    """The handle of a device context of a window, of the screen without one; 0, with a last error, if there is none."""
    window = find_window(call, hwnd) if hwnd else windows_of(call.thread).desktop
    if window is None:
        return 0
    owned = window.window_class.style & CS_OWNDC and not flags & DCX_WINDOW and window.process is call.process
    if owned and found(call, window.own_dc, DeviceContext) is not None:
        return window.own_dc
    handle = new_context(call, memory=False)
    made = found(call, handle, DeviceContext) if handle else None
    if made is not None:
        area = window.rectangle if flags & DCX_WINDOW else window.client
        made.set_window(window.handle, area.width, area.height)
        if owned:
            window.own_dc = handle
    return handle


@syscall
def NtUserReleaseDC(call: Call, hwnd: HANDLE, hdc: HANDLE) -> LONG:
    """One that a window keeps stays."""
    dc = found(call, hdc, DeviceContext)
    if dc is None or not dc.window:
        return 0
    window = windows_of(call.thread).find(dc.window)
    if window is None or not _is_own(window, dc):
        delete(gdi_handles(call.process), dc)
    else:
        dc.shown = None
    return 1


def _is_own(window: Window, dc: DeviceContext) -> bool:
    return window.own_dc & 0xFFFFFFFF == dc.handle & 0xFFFFFFFF


@syscall
def NtUserWindowFromDC(call: Call, hdc: HANDLE) -> HANDLE:
    dc = found(call, hdc, DeviceContext)
    window = windows_of(call.thread).find(dc.window) if dc is not None and dc.window else None
    return window.handle if window is not None else 0
