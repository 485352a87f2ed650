"""The frames of windows: how far the client area lies inside, and how large a window may be.

The measures are those of the metrics that programs are told (user_display).
Source: Microsoft "WM_NCCALCSIZE", "NCCALCSIZE_PARAMS", "AdjustWindowRectEx", "WM_GETMINMAXINFO", "MINMAXINFO"; which
style has which edge, measured with Wine.
"""

from __future__ import annotations

import struct

from lswd.kernel.rectangle import SIZE, Rectangle
from lswd.kernel.user_callback import UserMode
from lswd.kernel.window import WS_CAPTION, WS_CHILD, WS_MINIMIZE, WS_POPUP, Window
from lswd.nt.user_display import (
    SM_CXEDGE,
    SM_CXMAXTRACK,
    SM_CXMINTRACK,
    SM_CXVSCROLL,
    SM_CYCAPTION,
    SM_CYEDGE,
    SM_CYHSCROLL,
    SM_CYMAXTRACK,
    SM_CYMENU,
    SM_CYMINTRACK,
    SM_CYSMCAPTION,
    metric,
)
from lswd.nt.user_send import send

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.kernel.thread import Thread

WS_BORDER, WS_DLGFRAME, WS_THICKFRAME, WS_VSCROLL, WS_HSCROLL = 0x800000, 0x400000, 0x40000, 0x200000, 0x100000
WS_EX_DLGMODALFRAME, WS_EX_TOOLWINDOW, WS_EX_CLIENTEDGE, WS_EX_STATICEDGE = 0x1, 0x80, 0x200, 0x20000
WM_GETMINMAXINFO, WM_NCCALCSIZE = 0x24, 0x83
_MINMAXINFO = struct.Struct("<10i")


def edge(style: int, ex_style: int) -> int:
    """How thick the frame is on each side, without the client area's own edge."""
    if ex_style & (WS_EX_STATICEDGE | WS_EX_DLGMODALFRAME) == WS_EX_STATICEDGE:
        width = 1
    else:
        width = 2 if ex_style & WS_EX_DLGMODALFRAME or style & (WS_THICKFRAME | WS_DLGFRAME) else 0
    if style & WS_THICKFRAME:
        width += 1
    if style & (WS_BORDER | WS_DLGFRAME) or ex_style & WS_EX_DLGMODALFRAME:
        width += 1
    return width


def inner(window: Window, outer: Rectangle) -> Rectangle:
    """The client area of a window that takes ``outer``: what DefWindowProc answers to WM_NCCALCSIZE."""
    style, ex_style = window.style, window.ex_style
    if style & WS_MINIMIZE:
        return Rectangle(outer.left, outer.top, outer.left, outer.top)
    width = edge(style, ex_style)
    left, top, right, bottom = outer.grown(-width, -width)
    if style & WS_CAPTION == WS_CAPTION:
        top += metric(SM_CYSMCAPTION if ex_style & WS_EX_TOOLWINDOW else SM_CYCAPTION)
    if window.identifier and not window.is_child:
        top += metric(SM_CYMENU)
    if ex_style & WS_EX_CLIENTEDGE:
        across, down = metric(SM_CXEDGE), metric(SM_CYEDGE)
        left, top, right, bottom = left + across, top + down, right - across, bottom - down
    if style & WS_VSCROLL and right - left >= metric(SM_CXVSCROLL):
        right -= metric(SM_CXVSCROLL)
    if style & WS_HSCROLL and bottom - top > metric(SM_CYHSCROLL):
        bottom -= metric(SM_CYHSCROLL)
    return Rectangle(left, top, max(left, right), max(top, bottom))


def has_limits(style: int) -> bool:
    """Is a window of this style asked how large it may be?"""
    return bool(style & WS_THICKFRAME) or not style & (WS_POPUP | WS_CHILD)


async def size_limits(thread: Thread, window: Window, user: UserMode) -> tuple[int, ...]:
    """Ask a window how large it may be, by WM_GETMINMAXINFO.

    Returns:
        Size and position when it is maximised, the least and the largest size that it can be given.
    """
    width = edge(window.style, window.ex_style)
    assert window.parent is not None
    whole = Rectangle(0, 0, window.parent.client.width, window.parent.client.height).grown(width, width)
    offered = (
        0, 0, whole.width, whole.height, whole.left, whole.top, metric(SM_CXMINTRACK), metric(SM_CYMINTRACK),
        metric(SM_CXMAXTRACK), metric(SM_CYMAXTRACK),
    )  # fmt: skip
    at = user.push(_MINMAXINFO.pack(*offered))
    await send(thread, window, WM_GETMINMAXINFO, 0, at, user=user)
    return _MINMAXINFO.unpack(thread.process.space.read(at, _MINMAXINFO.size))[2:]


async def calculate_client(
    thread: Thread, window: Window, outer: Rectangle, user: UserMode, position: bytes = b""
) -> Rectangle:
    """Ask a window where its client area is to be, by WM_NCCALCSIZE.

    Args:
        outer: in the parent's client coordinates, as the answer. position: the WINDOWPOS, when the window has a place
            already.
    """
    space = thread.process.space
    if not position:
        x, y = window.parent.origin() if window.parent is not None else (0, 0)
        at = user.push(outer.moved(x, y).pack())
        await send(thread, window, WM_NCCALCSIZE, 0, at, user=user)
        return Rectangle.unpack(space.read(at, SIZE)).moved(-x, -y)
    position_at = user.push(position)
    areas = outer.pack() + window.rectangle.pack() + window.client.pack()
    at = user.push(areas + position_at.to_bytes(space.word, "little"))
    await send(thread, window, WM_NCCALCSIZE, 1, at, user=user)
    return Rectangle.unpack(space.read(at, SIZE))
