"""Making and destroying windows.

Windows that no message tells from shown ones: there is no screen, so nothing drawn is kept, and no input comes.
Source: Microsoft "CreateWindowEx", "DestroyWindow", "CREATESTRUCT"; the order of messages measured with Wine.
"""

from __future__ import annotations

from lswd.kernel.rectangle import Rectangle
from lswd.kernel.user_callback import UserMode
from lswd.kernel.window import (
    MOST_DEEPLY_NESTED,
    SCREEN,
    WS_CAPTION,
    WS_CHILD,
    WS_CLIPSIBLINGS,
    WS_MAXIMIZE,
    WS_MINIMIZE,
    WS_POPUP,
    WS_VISIBLE,
    Window,
)
from lswd.nt.declare import Call, syscall
from lswd.nt.user_activate import activate_another, input_of
from lswd.nt.user_class import complete_classes, name_of
from lswd.nt.user_clipboard import release_clipboard
from lswd.nt.user_default import CREATESTRUCT
from lswd.nt.user_failure import (
    ERROR_ACCESS_DENIED,
    ERROR_CANNOT_FIND_WND_CLASS,
    ERROR_INVALID_PARAMETER,
    ERROR_NO_MORE_USER_HANDLES,
    ERROR_TLW_WITH_WSCHILD,
    failed,
)
from lswd.nt.user_frame import (
    WS_DLGFRAME,
    WS_EX_DLGMODALFRAME,
    WS_THICKFRAME,
    calculate_client,
    has_limits,
    size_limits,
)
from lswd.nt.user_hook import CBT_CREATEWND, HCBT_CREATEWND, HCBT_DESTROYWND, WH_CBT, call_hooks
from lswd.nt.user_place import (
    SW_HIDE,
    SW_SHOW,
    SW_SHOWMAXIMIZED,
    SW_SHOWMINIMIZED,
    SWP_HIDEWINDOW,
    SWP_NOACTIVATE,
    SWP_NOMOVE,
    SWP_NOSIZE,
    SWP_NOZORDER,
    place,
    show,
    size_and_move,
    two_words,
)
from lswd.nt.user_procedure import client_of, find_window, windows_of
from lswd.nt.user_send import queue_of, send
from lswd.ntdef.types import BOOL, HANDLE, LONG, PVOID, ULONG, UNICODE_STRING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.kernel.thread import Thread

HWND_MESSAGE = -3 & 0xFFFFFFFF
CW_USEDEFAULT = -(1 << 31)
WM_CREATE, WM_DESTROY, WM_NCCREATE, WM_NCDESTROY, WM_PARENTNOTIFY = 0x01, 0x02, 0x81, 0x82, 0x210
WS_EX_NOPARENTNOTIFY, WS_EX_TOPMOST, WS_EX_WINDOWEDGE = 0x4, 0x8, 0x100


@syscall(partial="no menus; hooks do not change what is made")
async def NtUserCreateWindowEx(
    call: Call, ex_style: ULONG, class_name: PVOID, version: PVOID, window_name: PVOID, style: ULONG, x: LONG, y: LONG,
    cx: LONG, cy: LONG, parent: HANDLE, menu: HANDLE, class_instance: HANDLE, params: PVOID, flags: ULONG,
    instance: HANDLE, unk: ULONG, ansi: BOOL,
) -> HANDLE:  # fmt: skip
    thread = call.thread
    user = UserMode(thread)
    client = await complete_classes(call, user)
    kind = client.find(name_of(call, class_name), class_instance)
    if kind is None:
        return failed(thread, ERROR_CANNOT_FIND_WND_CLASS)
    found = _family(call, parent, style)
    if found is None:
        return 0
    above, owner = found
    area, command = _area(style, x, y, cx, cy)
    ex_style = complete_ex_style(style, ex_style)
    window = windows_of(thread).create(kind, above, thread)
    if window is None:
        return failed(thread, ERROR_NO_MORE_USER_HANDLES)
    queue_of(thread).on_close = lambda: windows_of(thread).end_with(thread)
    window.owner = owner
    window.instance = instance or class_instance
    window.unicode = client.procedures.is_unicode(kind.procedure, not ansi)
    told = CREATESTRUCT(
        lpCreateParams=params, hInstance=window.instance, hMenu=menu, hwndParent=above.handle if parent else 0,
        x=area.left, y=area.top, cx=area.width, cy=area.height, style=style, dwExStyle=ex_style,
        lpszName=_buffer(call, window_name) if window_name else 0, lpszClass=_buffer(call, class_name),
    )  # fmt: skip
    if parent and owner is not None:
        told.hwndParent = owner.handle
    finished = False
    try:
        finished = await _create(thread, window, told, area, command, user, menu)
        if not finished and window.alive:
            await _destroy_tree(thread, window)
    finally:
        if not finished and window.alive:  # a procedure has left by unwinding its stack
            windows_of(thread).forget(window)
    return window.handle if finished else 0


def _buffer(call: Call, string: int) -> int:
    return call.space.read_pointer(string + UNICODE_STRING.offset(call.word, "Buffer"))


def _family(call: Call, parent: int, style: int) -> tuple[Window, Window | None] | None:
    """The parent and the owner that a new window gets; None, with a last error, when it cannot have them."""
    windows = windows_of(call.thread)
    is_child = style & (WS_CHILD | WS_POPUP) == WS_CHILD
    if parent & 0xFFFFFFFF == HWND_MESSAGE or parent == windows.messages.handle:
        return windows.messages, None
    if not parent:
        if is_child:
            failed(call.thread, ERROR_TLW_WITH_WSCHILD)
            return None
        return windows.desktop, None
    other = find_window(call, parent)
    if other is None:
        return None
    if not is_child:
        while other is not None and other.is_child:  # only top-level windows own others
            other = other.parent
        return windows.desktop, other if other is not windows.desktop else None
    if other.depth() >= MOST_DEEPLY_NESTED:
        failed(call.thread, ERROR_INVALID_PARAMETER)
        return None
    return other, None


def _area(style: int, x: int, y: int, cx: int, cy: int) -> tuple[Rectangle, int]:
    """Where a new window is to be, and the command it is shown with."""
    command = SW_SHOW
    if style & (WS_CHILD | WS_POPUP):
        if x == CW_USEDEFAULT:
            x = y = 0
        if cx == CW_USEDEFAULT:
            cx = cy = 0
    else:
        if x == CW_USEDEFAULT:
            if y != CW_USEDEFAULT:
                command = y
            x = y = 0
        if cx == CW_USEDEFAULT:
            cx, cy = SCREEN.width * 3 // 4 - x, SCREEN.height * 3 // 4 - y
        elif cy == CW_USEDEFAULT:
            cy = SCREEN.height * 3 // 4 - y
    return Rectangle(x, y, x + cx, y + cy), command


def complete_ex_style(style: int, ex_style: int) -> int:
    """WS_EX_WINDOWEDGE follows from the rest."""
    if ex_style & WS_EX_DLGMODALFRAME or style & (WS_DLGFRAME | WS_THICKFRAME):
        return ex_style | WS_EX_WINDOWEDGE
    return ex_style & ~WS_EX_WINDOWEDGE


async def _create(
    thread: Thread, window: Window, told: CREATESTRUCT, area: Rectangle, command: int, user: UserMode, menu: int
) -> bool:
    """Send a new window what such windows get; False when it does not want to be, or is gone."""
    window.style = told.style & ~WS_VISIBLE
    window.ex_style = told.dwExStyle
    if not window.is_child:
        window.style |= WS_CLIPSIBLINGS
        if not window.style & WS_POPUP:
            window.style |= WS_CAPTION
    if window.style & (WS_DLGFRAME | WS_THICKFRAME) and not window.style & (WS_CHILD | WS_POPUP):
        window.ex_style |= WS_EX_WINDOWEDGE
    window.needs_size = not window.style & (WS_CHILD | WS_POPUP)
    window.identifier = menu
    at = user.push(told.pack(thread.process.space.word))
    made = user.push(CBT_CREATEWND(lpcs=at).pack(thread.process.space.word))
    if await call_hooks(thread, WH_CBT, HCBT_CREATEWND, window.handle, made, user):
        if window.alive:
            windows_of(thread).forget(window)
        return False
    width, height = area.width, area.height
    if has_limits(told.style):
        _, _, _, _, least_x, least_y, most_x, most_y = await size_limits(thread, window, user)
        width, height = max(min(width, most_x), least_x), max(min(height, most_y), least_y)
    width, height = (max(0, min(length, 0x7FFF)) for length in (width, height))
    window.rectangle = window.client = window.normal = Rectangle(
        area.left, area.top, area.left + width, area.top + height)
    if not window.alive or not await send(thread, window, WM_NCCREATE, 0, at, user=user):
        return False
    if not window.alive:
        return False
    window.client = await calculate_client(thread, window, window.rectangle, user)
    if not window.alive or window.parent is None:
        return False
    if not window.is_child:
        window.move_to(window.parent, 0)
    answer = await send(thread, window, WM_CREATE, 0, at, user=user)
    if answer == -1 or not window.alive:
        return False
    if not window.needs_size:
        await size_and_move(thread, window, user)
    await _notify_parents(thread, window, WM_CREATE)
    if window.alive and told.style & WS_VISIBLE:
        if window.style & WS_MAXIMIZE:
            window.style &= ~WS_MAXIMIZE
            command = SW_SHOWMAXIMIZED
        elif window.style & WS_MINIMIZE:
            window.style &= ~WS_MINIMIZE
            command = SW_SHOWMINIMIZED
        await show(thread, window, command)
    return window.alive


async def _notify_parents(thread: Thread, window: Window, message: int) -> None:
    """Tell those it lies in that a child comes or goes."""
    child = window
    identifier = two_words(message, child.identifier)
    while window.is_child and not window.ex_style & WS_EX_NOPARENTNOTIFY and window.parent is not None:
        window = window.parent
        if window.thread is None:
            return
        await send(thread, window, WM_PARENTNOTIFY, identifier, child.handle)


@syscall
async def NtUserDestroyWindow(call: Call, hwnd: HANDLE) -> BOOL:
    window = find_window(call, hwnd)
    if window is None:
        return 0
    if window.thread is not call.thread:
        return failed(call.thread, ERROR_ACCESS_DENIED)
    client_of(call.process)
    await destroy(call.thread, window)
    return 1


async def destroy(thread: Thread, window: Window) -> None:
    """What DestroyWindow does to a window of the thread."""
    if await call_hooks(thread, WH_CBT, HCBT_DESTROYWND, window.handle, 0):
        return
    if window.is_child:
        await _notify_parents(thread, window, WM_DESTROY)
    if window.alive and window.style & WS_VISIBLE:
        if window.is_child:
            await show(thread, window, SW_HIDE)
        else:
            flags = SWP_NOMOVE | SWP_NOSIZE | SWP_NOZORDER | SWP_NOACTIVATE | SWP_HIDEWINDOW
            await place(thread, window, 0, (0, 0, 0, 0), flags)
    if not window.alive:
        return
    for owned in [other for other in windows_of(thread).desktop.children if other.owner is window]:
        if owned.thread is thread and owned.alive:
            await destroy(thread, owned)
        owned.owner = None
    await _tell_destroyed(thread, window)
    if window.alive:
        await _destroy_tree(thread, window)


async def _tell_destroyed(thread: Thread, window: Window) -> None:
    """WM_DESTROY to a window and those that lie in it."""
    if window.thread is thread and input_of(thread).active is window:
        await activate_another(thread, window)
    await release_clipboard(thread, window)
    await send(thread, window, WM_DESTROY, 0, 0)
    for child in tuple(window.children):
        if child.alive:
            await _tell_destroyed(thread, child)


async def _destroy_tree(thread: Thread, window: Window) -> None:
    """End a window, those that lie in it first. One of another thread goes without a last word."""
    for child in tuple(window.children):
        if child.thread is thread:
            await _destroy_tree(thread, child)
    if window.alive:
        await send(thread, window, WM_NCDESTROY, 0, 0)
    if window.alive:
        windows_of(thread).forget(window)
