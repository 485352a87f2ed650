"""Where windows lie, on the screen and in each other: GetWindowRect, MapWindowPoints and their kin.

Source: Microsoft "GetWindowRect", "GetClientRect", "MapWindowPoints", "WINDOWINFO", "MonitorFromWindow".
"""

from __future__ import annotations

from lswd.kernel.rectangle import Rectangle
from lswd.kernel.window import Window
from lswd.nt.declare import Call
from lswd.nt.user_display import DPI, RECT
from lswd.nt.user_failure import ERROR_INVALID_PARAMETER, failed
from lswd.nt.user_frame import edge
from lswd.nt.user_function import user_function, user_structure
from lswd.nt.user_monitor import monitor_of
from lswd.nt.user_procedure import find_window, windows_of
from lswd.ntdef.types import ULONG, USHORT, Struct

_UNAWARE = 0x6010
_MOST_POINTS = 0x10000


class WINDOWINFO(Struct):
    cbSize: ULONG
    rcWindow: RECT
    rcClient: RECT
    dwStyle: ULONG
    dwExStyle: ULONG
    dwWindowStatus: ULONG
    cxWindowBorders: ULONG
    cyWindowBorders: ULONG
    atomWindowType: USHORT
    wCreatorVersion: USHORT


def _screen(window: Window, *, client: bool = False) -> Rectangle:
    """On the screen."""
    return window.on_screen(window.client if client else window.rectangle)


@user_function
def CallHwndParam_GetWindowRect(call: Call, hwnd: int, rectangle: int) -> int:
    window = find_window(call, hwnd)
    if window is None:
        return 0
    call.space.write(rectangle, _screen(window).pack())
    return 1


@user_function
def CallHwndParam_GetClientRect(call: Call, hwnd: int, rectangle: int) -> int:
    window = find_window(call, hwnd)
    if window is None:
        return 0
    call.space.write(rectangle, Rectangle(0, 0, window.client.width, window.client.height).pack())
    return 1


@user_function
def CallHwndParam_GetWindowRects(call: Call, hwnd: int, parameters: int) -> int:
    """Newer userlands ask for either by one function."""
    structure = user_structure(call.process, "get_window_rects_params")
    rectangle = call.space.read_pointer(parameters + structure.offset("rect"))
    if call.space.read_u32(parameters + structure.offset("client")):
        return CallHwndParam_GetClientRect(call, hwnd, rectangle)
    return CallHwndParam_GetWindowRect(call, hwnd, rectangle)


@user_function
def CallHwndParam_GetChildRect(call: Call, hwnd: int, rectangle: int) -> int:
    window = find_window(call, hwnd)
    if window is None:
        return 0
    call.space.write(rectangle, window.rectangle.pack())
    return 1


@user_function
def CallHwndParam_GetWindowInfo(call: Call, hwnd: int, info: int) -> int:
    window = find_window(call, hwnd)
    if window is None:
        return 0
    width = edge(window.style, window.ex_style)
    outer, client = _screen(window), _screen(window, client=True)
    told = WINDOWINFO(
        cbSize=call.space.read_u32(info), dwStyle=window.style, dwExStyle=window.ex_style, cxWindowBorders=width,
        cyWindowBorders=width, atomWindowType=window.window_class.atom, wCreatorVersion=0x0400,
        rcWindow=RECT.unpack(call.word, outer.pack()), rcClient=RECT.unpack(call.word, client.pack()),
    )  # fmt: skip
    call.space.write(info, told.pack(call.word))
    return 1


def _move_points(call: Call, points: int, count: int, x: int, y: int) -> None:
    data = call.space.read(points, 8 * count)
    moved = bytearray()
    for at in range(0, len(data), 8):
        for begin, distance in ((at, x), (at + 4, y)):
            number = int.from_bytes(data[begin : begin + 4], "little") + distance
            moved += (number & 0xFFFFFFFF).to_bytes(4, "little")
    call.space.write(points, bytes(moved))


@user_function
def CallHwndParam_ClientToScreen(call: Call, hwnd: int, point: int) -> int:
    window = find_window(call, hwnd)
    if window is None:
        return 0
    _move_points(call, point, 1, *window.origin())
    return 1


@user_function
def CallHwndParam_ScreenToClient(call: Call, hwnd: int, point: int) -> int:
    window = find_window(call, hwnd)
    if window is None:
        return 0
    x, y = window.origin()
    _move_points(call, point, 1, -x, -y)
    return 1


@user_function
def CallHwndParam_MapWindowPoints(call: Call, hwnd: int, parameters: int) -> int:
    """By how much points move, in two words."""
    structure = user_structure(call.process, "map_window_points_params")
    to = call.space.read_pointer(parameters + structure.offset("hwnd_to"))
    points = call.space.read_pointer(parameters + structure.offset("points"))
    count = call.space.read_u32(parameters + structure.offset("count"))
    origins = []
    for handle in (hwnd, to):
        window = find_window(call, handle) if handle else windows_of(call.thread).desktop
        if window is None:
            return 0
        origins.append(window.origin())
    if count > _MOST_POINTS:
        return failed(call.thread, ERROR_INVALID_PARAMETER)
    x, y = (origins[0][axis] - origins[1][axis] for axis in (0, 1))
    _move_points(call, points, count, x, y)
    return x & 0xFFFF | (y & 0xFFFF) << 16


@user_function
def CallHwndParam_MonitorFromWindow(call: Call, hwnd: int, flags: int) -> int:
    window = windows_of(call.thread).find(hwnd)
    area = Rectangle() if window is None else _screen(window)
    return monitor_of(RECT.unpack(call.word, area.pack()), flags)


@user_function
def CallHwnd_GetDpiForWindow(call: Call, hwnd: int) -> int:
    return 0 if find_window(call, hwnd) is None else DPI


@user_function
def CallHwndParam_GetWinMonitorDpi(call: Call, hwnd: int, kind: int) -> int:
    return DPI


@user_function
def CallHwnd_GetWindowDpiAwarenessContext(call: Call, hwnd: int) -> int:
    window = find_window(call, hwnd)
    if window is None:
        return 0
    return (window.process.dpi_awareness if window.process is not None else 0) or _UNAWARE


