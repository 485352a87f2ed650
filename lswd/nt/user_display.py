"""What programs ask the window system about the display, colours and input of a session without a screen.

Programs for a console load user32 for a string function or a version check, and some look at metrics. The answers are
those of Wine 8 without a display: 1024 by 768 points at 96 dots an inch, its default theme, no window but the
desktop's.
Source: Microsoft "GetSystemMetrics", "GetSysColor", "DPI_AWARENESS_CONTEXT".
"""

from __future__ import annotations

from lswd.nt.declare import Call, syscall
from lswd.nt.user_function import user_function
from lswd.ntdef.types import BOOL, HANDLE, LONG, ULONG, Struct

DESKTOP_WINDOW = 0x10020
DPI = 96
_DIALOG_BASE_UNITS = 0x100009

SM_CXVSCROLL, SM_CYHSCROLL, SM_CYCAPTION, SM_CYMENU, SM_CXMINTRACK, SM_CYMINTRACK = 2, 3, 4, 15, 34, 35
SM_CXEDGE, SM_CYEDGE, SM_CYSMCAPTION, SM_CXMAXTRACK, SM_CYMAXTRACK = 45, 46, 51, 59, 60
_WIDTH, _HEIGHT = 1024, 768
_METRICS = (
    _WIDTH, _HEIGHT, 17, 17, 19, 1, 1, 3, 3, 17, 17, 32, 32, 32, 32, 19, 1024, 779, 0, 1, 17, 17, 0, 0, 0, 0, 0, 0, 116,
    27, 18, 18, 4, 4, 116, 27, 4, 4, 75, 75, 0, 0, 0, 3, 0, 2, 2, 160, 24, 16, 16, 16, 15, 15, 18, 18, 8, 160, 24, 1036,
    780, 1032, 806, 3, 0, 0, 0, 0, 4, 4, 0, 13, 13, 0, 0, 1, 0, 0, 1024, 768, 1, 1, 0, 1, 1, 0, 0, 0, 0, 0, 90,
)  # fmt: skip
_COLORS = (
    0xFFFFFF, 0x956F25, 0xFA9632, 0x808080, 0xFFFFFF, 0xFFFFFF, 0x9E9E9E, 0, 0, 0, 0xFFFFFF, 0xFFFFFF, 0x808080,
    0xFA9630, 0xFFFFFF, 0xF5F5F5, 0xA6A6A6, 0xA6A6A6, 0, 0xC8C8C8, 0xFFFFFF, 0x6A6A6A, 0xE3E3E3, 0, 0xFFFFFF,
    0xFFFFFF, 0xE0E0E0, 0xFA9632, 0x808080, 0xFA9630, 0xFFFFFF,
)  # fmt: skip
_DPI_UNAWARE = 0x6010


class RECT(Struct):
    left: LONG
    top: LONG
    right: LONG
    bottom: LONG


class POINT(Struct):
    x: LONG
    y: LONG


SCREEN = RECT(left=0, top=0, right=_WIDTH, bottom=_HEIGHT)


@user_function
def CallNoParam_GetDesktopWindow(call: Call) -> int:
    return DESKTOP_WINDOW


@user_function
def CallNoParam_GetDialogBaseUnits(call: Call) -> int:
    return _DIALOG_BASE_UNITS


@user_function
def CallNoParam_GetInputState(call: Call) -> int:
    """There is no input."""
    return 0


@user_function
def CallNoParam_GetProcessDefaultLayout(call: Call) -> int:
    return 0


@user_function
def CallNoParam_GetProgmanWindow(call: Call) -> int:
    return 0


@user_function
def CallNoParam_GetShellWindow(call: Call) -> int:
    return 0


@user_function
def CallNoParam_GetTaskmanWindow(call: Call) -> int:
    return 0


@user_function
def ExitingThread(call: Call) -> int:
    return 0


@user_function
def ThreadDetach(call: Call) -> int:
    return 0


@user_function
def CallOneParam_GetSystemMetrics(call: Call, index: int) -> int:
    return metric(index)


@user_function
def CallTwoParam_GetSystemMetricsForDpi(call: Call, index: int, dpi: int) -> int:
    return metric(index)


@user_function
def CallOneParam_GetSysColor(call: Call, index: int) -> int:
    return _COLORS[index] if index < len(_COLORS) else 0


@user_function
def CallOneParam_GetPrimaryMonitorRect(call: Call, rectangle: int) -> int:
    call.space.write(rectangle, SCREEN.pack(call.word))
    return 1


@user_function
def CallOneParam_GetVirtualScreenRect(call: Call, rectangle: int) -> int:
    call.space.write(rectangle, SCREEN.pack(call.word))
    return 1


@user_function
def CallTwoParam_GetVirtualScreenRect(call: Call, rectangle: int, dpi: int) -> int:
    call.space.write(rectangle, SCREEN.pack(call.word))
    return 1


@user_function
def CallOneParam_GetCursorPos(call: Call, point: int) -> int:
    call.space.write(point, POINT().pack(call.word))
    return 1


@user_function
def CallOneParam_MessageBeep(call: Call, kind: int) -> int:
    return 1


def metric(index: int) -> int:
    """What GetSystemMetrics tells."""
    return _METRICS[index] if index < len(_METRICS) else 0


@syscall
def NtUserGetSystemDpiForProcess(call: Call, process: HANDLE) -> ULONG:
    return DPI


@syscall(partial="the caller's, whatever the process")
def NtUserGetProcessDpiAwarenessContext(call: Call, process: HANDLE) -> ULONG:
    return call.process.dpi_awareness or _DPI_UNAWARE


@syscall
def NtUserSetProcessDpiAwarenessContext(call: Call, awareness: ULONG, unknown: ULONG) -> BOOL:
    """Can be said once."""
    if call.process.dpi_awareness:
        return 0
    call.process.dpi_awareness = awareness
    return 1


@syscall
def NtUserGetDoubleClickTime(call: Call) -> ULONG:
    return 500


@syscall
def NtUserGetCaretBlinkTime(call: Call) -> ULONG:
    return 500


@syscall
def NtUserGetKeyState(call: Call, vkey: LONG) -> LONG:
    """No key is down."""
    return 0


@syscall
def NtUserGetAsyncKeyState(call: Call, key: LONG) -> LONG:
    return 0
