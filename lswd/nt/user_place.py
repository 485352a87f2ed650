"""Where windows are and whether they are shown: SetWindowPos, MoveWindow, ShowWindow.

Source: Microsoft "SetWindowPos", "WINDOWPOS", "WM_WINDOWPOSCHANGING", "WM_WINDOWPOSCHANGED", "ShowWindow"; the order of
messages measured with Wine.
"""

from __future__ import annotations

from lswd.kernel.rectangle import Rectangle
from lswd.kernel.user_callback import UserMode
from lswd.kernel.window import SCREEN, WS_CHILD, WS_MAXIMIZE, WS_MINIMIZE, WS_VISIBLE, Window
from lswd.nt.declare import Call, syscall
from lswd.nt.user_activate import (
    WA_ACTIVE,
    WM_ACTIVATE,
    activate_another,
    focus,
    foreground_of,
    input_of,
    lose_focus,
    set_foreground,
)
from lswd.nt.user_failure import ERROR_INVALID_WINDOW_HANDLE, failed
from lswd.nt.user_frame import calculate_client, edge
from lswd.nt.user_procedure import find_window, windows_of
from lswd.nt.user_send import send
from lswd.ntdef.types import BOOL, HANDLE, LONG, ULONG, Struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.kernel.thread import Thread

SWP_NOSIZE, SWP_NOMOVE, SWP_NOZORDER, SWP_NOREDRAW, SWP_NOACTIVATE, SWP_FRAMECHANGED = 1, 2, 4, 8, 0x10, 0x20
SWP_SHOWWINDOW, SWP_HIDEWINDOW, SWP_NOCOPYBITS, SWP_NOSENDCHANGING = 0x40, 0x80, 0x100, 0x400
SWP_NOCLIENTSIZE, SWP_NOCLIENTMOVE, SWP_STATECHANGED = 0x800, 0x1000, 0x8000
_NOTHING_CHANGED = SWP_NOSIZE | SWP_NOMOVE | SWP_NOCLIENTSIZE | SWP_NOCLIENTMOVE | SWP_NOZORDER
_STATUS = _NOTHING_CHANGED | SWP_FRAMECHANGED | SWP_HIDEWINDOW | SWP_SHOWWINDOW
HWND_TOP, HWND_BOTTOM = 0, 1
_TOPMOST = (-1 & 0xFFFFFFFF, -2 & 0xFFFFFFFF)  # HWND_TOPMOST, HWND_NOTOPMOST
WM_QUERYOPEN, WM_CHILDACTIVATE = 0x13, 0x22
WM_MOVE, WM_SIZE, WM_SHOWWINDOW, WM_WINDOWPOSCHANGING, WM_WINDOWPOSCHANGED = 0x03, 0x05, 0x18, 0x46, 0x47
SIZE_RESTORED, SIZE_MINIMIZED, SIZE_MAXIMIZED = 0, 1, 2
SW_HIDE, SW_SHOWNORMAL, SW_SHOWMINIMIZED, SW_SHOWMAXIMIZED, SW_SHOWNOACTIVATE, SW_SHOW, SW_MINIMIZE = range(7)
SW_SHOWMINNOACTIVE, SW_SHOWNA, SW_RESTORE, SW_SHOWDEFAULT, SW_FORCEMINIMIZE = range(7, 12)
_MINIMIZING = (SW_SHOWMINIMIZED, SW_MINIMIZE, SW_SHOWMINNOACTIVE, SW_FORCEMINIMIZE)
_RESTORING = (SW_SHOWNORMAL, SW_SHOWNOACTIVATE, SW_RESTORE, SW_SHOWMAXIMIZED)
_MINIMIZED = Rectangle(-32000, -32000, -31840, -31976)


class WINDOWPOS(Struct):
    hwnd: HANDLE
    hwndInsertAfter: HANDLE
    x: LONG
    y: LONG
    cx: LONG
    cy: LONG
    flags: ULONG


def two_words(low: int, high: int) -> int:
    """MAKELONG."""
    return low & 0xFFFF | (high & 0xFFFF) << 16


async def place(
    thread: Thread, window: Window, after: int, area: tuple[int, int, int, int], flags: int,
    user: UserMode | None = None,
) -> bool:  # fmt: skip
    """What SetWindowPos does. ``area``: left, top, width and height. A window of another thread is not told."""
    user = user or UserMode(thread)
    word = thread.process.space.word
    position = WINDOWPOS(
        hwnd=window.handle, hwndInsertAfter=after, x=area[0], y=area[1], cx=area[2], cy=area[3], flags=flags)
    own = window.thread is thread
    if own and not flags & SWP_NOSENDCHANGING:
        at = user.push(position.pack(word))
        await send(thread, window, WM_WINDOWPOSCHANGING, 0, at, user=user)
        position = WINDOWPOS.unpack(word, thread.process.space.read(at, WINDOWPOS.size(word)))
        if not window.alive:
            return False
    _settle(thread, window, position)
    outer = Rectangle(position.x, position.y, position.x + position.cx, position.y + position.cy)
    client = window.client.moved(outer.left - window.rectangle.left, outer.top - window.rectangle.top)
    if own and position.flags & (SWP_FRAMECHANGED | SWP_NOSIZE) != SWP_NOSIZE:
        client = await calculate_client(thread, window, outer, user, position.pack(word))
        if not window.alive:
            return False
    elif not own:
        client = Rectangle(*client[:2], client.left + max(0, outer.width - window.rectangle.width + client.width),
                           client.top + max(0, outer.height - window.rectangle.height + client.height))
    if (client.width, client.height) == (window.client.width, window.client.height):
        position.flags |= SWP_NOCLIENTSIZE
    if client[:2] == window.client[:2]:
        position.flags |= SWP_NOCLIENTMOVE
    before = window.rectangle, window.client, bool(window.style & WS_VISIBLE)
    _apply(thread, window, outer, client, position)
    parent = _expose(window, *before, position.flags)
    if not position.flags & (SWP_NOACTIVATE | SWP_HIDEWINDOW):
        if window.is_child:
            await send(thread, window, WM_CHILDACTIVATE, 0, 0)
        else:
            await set_foreground(thread, window)
    if not window.alive:
        return False
    if (own and window.can_paint and window.update is not None) or parent is not None:
        from lswd.nt.user_paint import erase

        for exposed in (parent, window):
            if exposed is not None:
                await erase(thread, exposed, children=True)
        if not window.alive:
            return False
    if own and position.flags & _STATUS != _NOTHING_CHANGED:
        position.x, position.y, position.cx, position.cy = outer.left, outer.top, outer.width, outer.height
        await send(thread, window, WM_WINDOWPOSCHANGED, 0, user.push(position.pack(word)), user=user)
    return True


def _expose(window: Window, before: Rectangle, client: Rectangle, was_shown: bool, flags: int) -> Window | None:
    """Have it painted as far as its change needs that; the parent, if that has something to paint, too."""
    if (not was_shown and not window.style & WS_VISIBLE) or window.parent is None or not window.parent.visible:
        return None
    from lswd.nt.user_expose import hidden, placed, shown

    if flags & SWP_HIDEWINDOW:
        return hidden(window, before)
    if flags & SWP_NOREDRAW:
        return None
    if flags & SWP_SHOWWINDOW:
        shown(window)
        return None
    resized = flags & SWP_FRAMECHANGED or flags & (SWP_NOSIZE | SWP_NOCLIENTSIZE) != SWP_NOSIZE | SWP_NOCLIENTSIZE
    return placed(window, before, client, resized=bool(resized), keeps=not flags & SWP_NOCOPYBITS)


async def _hidden(thread: Thread, window: Window) -> None:
    """A window that is not shown any more is not active, and its focus is its parent's."""
    if input_of(thread).active is window:
        await activate_another(thread, window)
    if input_of(thread).focus is window:
        parent = window.parent
        await focus(thread, parent if parent is not None and parent.thread is not None else None)


def _settle(thread: Thread, window: Window, position: WINDOWPOS) -> None:
    """Complete a WINDOWPOS: what is not to change, and what does not."""
    now = window.rectangle
    position.cx, position.cy = (max(0, min(length, 0x7FFF)) for length in (position.cx, position.cy))
    if position.flags & SWP_NOMOVE:
        position.x, position.y = now.left, now.top
    if position.flags & SWP_NOSIZE:
        position.cx, position.cy = now.width, now.height
    if window.style & WS_VISIBLE:
        position.flags &= ~SWP_SHOWWINDOW
    else:
        position.flags &= ~SWP_HIDEWINDOW
    if not window.visible and not position.flags & SWP_SHOWWINDOW:
        position.flags |= SWP_NOREDRAW
    if (position.cx, position.cy) == (now.width, now.height):
        position.flags |= SWP_NOSIZE
    if (position.x, position.y) == (now.left, now.top):
        position.flags |= SWP_NOMOVE
    if foreground_of(thread).window is window:
        position.flags |= SWP_NOACTIVATE
    elif not position.flags & SWP_NOACTIVATE and not window.is_child:
        position.flags &= ~SWP_NOZORDER
        position.hwndInsertAfter = HWND_TOP


def _apply(thread: Thread, window: Window, outer: Rectangle, client: Rectangle, position: WINDOWPOS) -> None:
    window.rectangle, window.client = outer, client
    if not window.style & (WS_MINIMIZE | WS_MAXIMIZE):
        window.normal = outer
    if position.flags & SWP_SHOWWINDOW:
        window.style |= WS_VISIBLE
    elif position.flags & SWP_HIDEWINDOW:
        window.style &= ~WS_VISIBLE
    if not position.flags & SWP_NOZORDER:
        order(thread, window, position.hwndInsertAfter)


def order(thread: Thread, window: Window, after: int) -> None:
    """Put a window behind another of its parent's, or at one end."""
    parent = window.parent
    if parent is None:
        return
    if after & 0xFFFFFFFF in (HWND_TOP, *_TOPMOST):
        window.move_to(parent, 0)
    elif after == HWND_BOTTOM:
        window.move_to(parent, len(parent.children))
    else:
        other = windows_of(thread).find(after)
        if other is not None and other is not window and other.parent is parent:
            parent.children.remove(window)
            parent.children.insert(parent.children.index(other) + 1, window)


def size_kind(window: Window) -> int:
    """What WM_SIZE says of its state."""
    if window.style & WS_MINIMIZE:
        return SIZE_MINIMIZED
    return SIZE_MAXIMIZED if window.style & WS_MAXIMIZE else SIZE_RESTORED


async def size_and_move(thread: Thread, window: Window, user: UserMode | None = None) -> None:
    """Tell a window where its client area is, and how large."""
    size = two_words(window.client.width, window.client.height)
    await send(thread, window, WM_SIZE, size_kind(window), size, user=user)
    await send(thread, window, WM_MOVE, 0, two_words(*window.client[:2]), user=user)


async def show(thread: Thread, window: Window, command: int) -> bool:
    """What ShowWindow does; was it visible before?"""
    was_visible, was_minimized = bool(window.style & WS_VISIBLE), bool(window.style & WS_MINIMIZE)
    showing = command != SW_HIDE
    flags = SWP_NOSIZE | SWP_NOMOVE
    area = (0, 0, 0, 0)
    if not showing:
        if not was_visible:
            return False
        flags |= SWP_HIDEWINDOW
        if window.style & WS_CHILD:
            flags |= SWP_NOACTIVATE | SWP_NOZORDER
    else:
        if command == SW_SHOWDEFAULT:
            command = SW_SHOWNORMAL
        restoring = was_minimized and command in _RESTORING and window.thread is thread
        if restoring and not await send(thread, window, WM_QUERYOPEN, 0, 0):
            return was_visible
        if command in _MINIMIZING and window.thread is thread:
            await lose_focus(thread, window)
        changed = _change_state(window, command)
        if changed is not None:
            area, flags = changed, SWP_STATECHANGED | SWP_FRAMECHANGED
        elif was_visible and command != SW_SHOWNA:
            return True
        flags |= SWP_SHOWWINDOW
        if command in (SW_SHOWNA, SW_SHOWNOACTIVATE, SW_SHOWMINNOACTIVE):
            flags |= SWP_NOACTIVATE
        if window.style & WS_CHILD:
            flags |= SWP_NOACTIVATE | SWP_NOZORDER
    own = window.thread is thread
    if own and not flags & SWP_STATECHANGED and (showing != was_visible or command == SW_SHOWNA):
        await send(thread, window, WM_SHOWWINDOW, int(showing), 0)
        if not window.alive:
            return was_visible
    if window.is_child and window.parent is not None and not window.parent.visible and not flags & SWP_STATECHANGED:
        window.style = window.style | WS_VISIBLE if showing else window.style & ~WS_VISIBLE
    else:
        await place(thread, window, HWND_TOP, area, flags)
    if own and window.alive and not showing:
        await _hidden(thread, window)
    if own and window.alive and was_minimized and not window.style & WS_MINIMIZE:
        await focus(thread, window)
        if not flags & SWP_NOACTIVATE:
            await send(thread, window, WM_ACTIVATE, WA_ACTIVE, 0)
    if own and window.alive and window.needs_size and showing:
        window.needs_size = False
        await size_and_move(thread, window)
    return was_visible


def _change_state(window: Window, command: int) -> tuple[int, int, int, int] | None:
    """Minimise, maximise or restore a window; the area it gets, or None when it stays as it is."""
    style = window.style
    if command in _MINIMIZING and not style & WS_MINIMIZE:
        window.style |= WS_MINIMIZE
        area = _MINIMIZED
    elif command == SW_SHOWMAXIMIZED and not style & WS_MAXIMIZE:
        window.style = style & ~WS_MINIMIZE | WS_MAXIMIZE
        width = edge(style, window.ex_style)
        parent = window.parent
        whole = SCREEN if parent is None else Rectangle(0, 0, parent.client.width, parent.client.height)
        area = whole.grown(width, width)
    elif command in (SW_SHOWNORMAL, SW_SHOWNOACTIVATE, SW_RESTORE) and style & (WS_MINIMIZE | WS_MAXIMIZE):
        window.style &= ~(WS_MINIMIZE | WS_MAXIMIZE)
        area = window.normal
    else:
        return None
    return area.left, area.top, area.width, area.height


@syscall(partial="windows of other threads are not told")
async def NtUserSetWindowPos(
    call: Call, hwnd: HANDLE, after: HANDLE, x: LONG, y: LONG, cx: LONG, cy: LONG, flags: ULONG
) -> BOOL:
    window = find_window(call, hwnd)
    if window is None:
        return 0
    if window.thread is None:
        return failed(call.thread, ERROR_INVALID_WINDOW_HANDLE)
    return int(await place(call.thread, window, after, (x, y, cx, cy), flags))


@syscall(partial="windows of other threads are not told")
async def NtUserMoveWindow(call: Call, hwnd: HANDLE, x: LONG, y: LONG, cx: LONG, cy: LONG, repaint: BOOL) -> BOOL:
    flags = SWP_NOZORDER | SWP_NOACTIVATE | (0 if repaint else SWP_NOREDRAW)
    window = find_window(call, hwnd)
    if window is None or window.thread is None:
        return failed(call.thread, ERROR_INVALID_WINDOW_HANDLE)
    return int(await place(call.thread, window, 0, (x, y, cx, cy), flags))


@syscall(partial="windows of other threads are not told")
async def NtUserShowWindow(call: Call, hwnd: HANDLE, cmd: LONG) -> BOOL:
    window = find_window(call, hwnd)
    if window is None or window.thread is None:
        return failed(call.thread, ERROR_INVALID_WINDOW_HANDLE)
    return int(await show(call.thread, window, cmd))


@syscall(partial="windows of other threads are not told")
async def NtUserShowWindowAsync(call: Call, hwnd: HANDLE, cmd: LONG) -> BOOL:
    window = find_window(call, hwnd)
    if window is None or window.thread is None:
        return failed(call.thread, ERROR_INVALID_WINDOW_HANDLE)
    return int(await show(call.thread, window, cmd))
