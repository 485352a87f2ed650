"""Which windows there are, and how they lie to each other: parents, owners, order, searching, listing.

Source: Microsoft "GetParent", "GetAncestor", "GetWindow", "SetParent", "FindWindowEx", "EnumWindows",
"EnumChildWindows", "GetWindowThreadProcessId", "IsWindow"; parameters from user32's use of the calls.
"""

from __future__ import annotations

from lswd.host.names import upcase
from lswd.kernel.window import MOST_DEEPLY_NESTED, WS_CHILD, WS_DISABLED, WS_POPUP, Window
from lswd.nt.declare import Call, Out, decode_wide, syscall
from lswd.nt.user_activate import input_of, set_focus
from lswd.nt.user_class import name_of
from lswd.nt.user_failure import ERROR_FILE_NOT_FOUND, ERROR_INVALID_PARAMETER, ERROR_INVALID_WINDOW_HANDLE, failed
from lswd.nt.user_focus import release_capture
from lswd.nt.user_function import user_function
from lswd.nt.user_place import SWP_NOSIZE, SWP_NOZORDER, place
from lswd.nt.user_procedure import find_window, windows_of
from lswd.nt.user_send import send
from lswd.nt.user_text import length, put_text
from lswd.nt.user_window import HWND_MESSAGE
from lswd.ntdef.status import STATUS_BUFFER_TOO_SMALL, STATUS_INVALID_HANDLE, STATUS_SUCCESS
from lswd.ntdef.types import BOOL, HANDLE, NTSTATUS, PVOID, ULONG, UNICODE_STRING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from lswd.kernel.thread import Thread

GA_PARENT, GA_ROOT, GA_ROOTOWNER = 1, 2, 3
GW_HWNDFIRST, GW_HWNDLAST, GW_HWNDNEXT, GW_HWNDPREV, GW_OWNER, GW_CHILD = range(6)
HWND_BOTTOM = 1
WM_ENABLE, WM_CANCELMODE = 0x0A, 0x1F


def _handle(window: Window | None) -> int:
    return 0 if window is None else window.handle


def parent_of(window: Window) -> Window | None:
    """What GetParent gives: a popup's owner, a child's parent."""
    if window.style & WS_POPUP:
        return window.owner
    return window.parent if window.style & WS_CHILD else None


@user_function
def CallHwnd_IsWindow(call: Call, hwnd: int) -> int:
    return int(find_window(call, hwnd) is not None)


@user_function
def CallHwnd_GetParent(call: Call, hwnd: int) -> int:
    window = find_window(call, hwnd)
    return 0 if window is None else _handle(parent_of(window))


@user_function
def CallHwnd_IsWindowEnabled(call: Call, hwnd: int) -> int:
    window = find_window(call, hwnd)
    return int(window is not None and not window.style & WS_DISABLED)


@user_function
def CallHwnd_IsWindowUnicode(call: Call, hwnd: int) -> int:
    window = find_window(call, hwnd)
    return int(window is not None and window.unicode)


@user_function
def CallHwnd_IsWindowVisible(call: Call, hwnd: int) -> int:
    window = find_window(call, hwnd)
    return int(window is not None and window.visible)


@user_function
def CallHwnd_GetWindowTextLength(call: Call, hwnd: int) -> int:
    window = find_window(call, hwnd)
    return 0 if window is None else length(call.process, window.text, ansi=False)


@user_function
def CallHwnd_GetLastActivePopup(call: Call, hwnd: int) -> int:
    """Nothing is ever active."""
    return hwnd


@user_function
def GetFullWindowHandle(call: Call, hwnd: int) -> int:
    return _handle(windows_of(call.thread).find(hwnd)) or hwnd


@user_function
def IsCurrehtProcessWindow(call: Call, hwnd: int) -> int:  # as older userlands spell it
    window = windows_of(call.thread).find(hwnd)
    return window.handle if window is not None and window.process is call.process else 0


@user_function
def IsCurrentProcessWindow(call: Call, hwnd: int) -> int:
    return IsCurrehtProcessWindow(call, hwnd)


@user_function
def IsCurrehtThreadWindow(call: Call, hwnd: int) -> int:
    window = windows_of(call.thread).find(hwnd)
    return window.handle if window is not None and window.thread is call.thread else 0


@user_function
def IsCurrentThreadWindow(call: Call, hwnd: int) -> int:
    return IsCurrehtThreadWindow(call, hwnd)


@user_function
def CallHwndParam_IsChild(call: Call, parent: int, hwnd: int) -> int:
    window, other = find_window(call, hwnd), find_window(call, parent)
    while window is not None and other is not None and window.is_child:
        window = window.parent
        if window is other:
            return 1
    return 0


@user_function
def CallHwndParam_GetWindowThread(call: Call, hwnd: int, process: int) -> int:
    window = find_window(call, hwnd)
    if window is None or window.thread is None:
        return 0
    if process:
        call.space.write_u32(process, window.thread.process.pid)
    return window.thread.tid


@user_function
def CallHwndParam_GetWindowRelative(call: Call, hwnd: int, relation: int) -> int:
    window = find_window(call, hwnd)
    if window is None:
        return 0
    if relation == GW_OWNER:
        return _handle(window.owner)
    if relation == GW_CHILD:
        return _handle(window.children[0]) if window.children else 0
    if window.parent is None:
        return 0
    siblings = window.parent.children
    at = siblings.index(window)
    places = {GW_HWNDFIRST: 0, GW_HWNDLAST: len(siblings) - 1, GW_HWNDNEXT: at + 1, GW_HWNDPREV: at - 1}
    wanted = places.get(relation, -1)
    return siblings[wanted].handle if 0 <= wanted < len(siblings) else 0


async def _let_go(thread: Thread, window: Window) -> None:
    """A window that has been disabled has neither focus nor capture."""
    state = input_of(thread)
    captured = state.capture
    if captured is not None and (captured is window or captured.is_inside(window)):
        await release_capture(thread)
    if state.focus is window:
        await set_focus(thread, None)


@user_function
async def CallHwndParam_EnableWindow(call: Call, hwnd: int, enable: int) -> int:
    window = find_window(call, hwnd)
    if window is None:
        return 0
    was_disabled = bool(window.style & WS_DISABLED)
    if bool(enable) == was_disabled:
        if not enable:
            await send(call.thread, window, WM_CANCELMODE, 0, 0)
        window.style = window.style & ~WS_DISABLED if enable else window.style | WS_DISABLED
        if not enable and window.thread is call.thread:
            await _let_go(call.thread, window)
        await send(call.thread, window, WM_ENABLE, int(bool(enable)), 0)
    return int(was_disabled)


@syscall
def NtUserGetAncestor(call: Call, hwnd: HANDLE, kind: ULONG) -> HANDLE:
    window = find_window(call, hwnd)
    windows = windows_of(call.thread)
    roots = (windows.desktop, windows.messages)
    if window is None or window in roots:
        return 0
    if kind == GA_PARENT:
        return _handle(window.parent)
    if kind == GA_ROOT:
        while window.parent is not None and window.parent not in roots:
            window = window.parent
        return window.handle
    if kind == GA_ROOTOWNER:
        while (above := parent_of(window)) is not None and above not in roots:
            window = above
        return window.handle
    return failed(call.thread, ERROR_INVALID_PARAMETER)


@syscall(partial="windows of other threads are not told")
async def NtUserSetParent(call: Call, hwnd: HANDLE, parent: HANDLE) -> HANDLE:
    window = find_window(call, hwnd)
    windows = windows_of(call.thread)
    if parent & 0xFFFFFFFF == HWND_MESSAGE:
        above: Window | None = windows.messages
    else:
        above = find_window(call, parent) if parent else windows.desktop
    if window is None or above is None:
        return 0
    deepest = max((inner.depth() for inner in window.descendants()), default=window.depth()) - window.depth()
    if (
        window.thread is None or above is window or above.is_inside(window)
        or above.depth() + deepest >= MOST_DEEPLY_NESTED
    ):  # fmt: skip
        return failed(call.thread, ERROR_INVALID_PARAMETER)
    previous = window.parent
    window.move_to(above)
    area = window.rectangle
    await place(call.thread, window, 0, (area.left, area.top, 0, 0), SWP_NOSIZE | SWP_NOZORDER)
    return _handle(previous)


@syscall
def NtUserFindWindowEx(
    call: Call, parent: HANDLE, child: HANDLE, class_name: PVOID, title: PVOID, unknown: ULONG
) -> HANDLE:
    windows = windows_of(call.thread)
    name = upcase(name_of(call, class_name)) if class_name else None
    wanted_text = None
    if title:
        layout = UNICODE_STRING.layout(call.word)
        size, _, buffer = layout.packer.unpack(call.space.read(title, layout.size))
        wanted_text = upcase(decode_wide(call.space.read(buffer, size & ~1))) if size else ""
    if parent & 0xFFFFFFFF == HWND_MESSAGE:
        within: Window | None = windows.messages
    else:
        within = find_window(call, parent) if parent else windows.desktop
    if within is None:
        return 0
    siblings = within.children
    if child:
        after = find_window(call, child)
        if after is None:
            return 0
        if after.parent is not within:
            return failed(call.thread, ERROR_INVALID_WINDOW_HANDLE)
        siblings = siblings[siblings.index(after) + 1 :]
    elif not parent:
        siblings = siblings + windows.messages.children
    for window in siblings:
        if name in (None, upcase(window.window_class.name)) and wanted_text in (None, upcase(window.text)):
            return window.handle
    return failed(call.thread, ERROR_FILE_NOT_FOUND)


def found_window(call: Call, hwnd: int) -> Window:
    """The window of a handle, 0 for the desktop's.

    Raises:
        KeyError: there is no such window.
    """
    windows = windows_of(call.thread)
    window = windows.find(hwnd) if hwnd else windows.desktop
    if window is None:
        raise KeyError(hwnd)
    return window


def of_thread(found: Iterable[Window], thread_id: int) -> list[Window]:
    """Those of a thread, all for 0."""
    return [w for w in found if not thread_id or (w.thread is not None and w.thread.tid == thread_id)]


@syscall(partial="whatever desktop is named, there is one")
def NtUserBuildHwndList(
    call: Call, desktop: HANDLE, hwnd: HANDLE, children: BOOL, non_immersive: BOOL, thread: ULONG, count: ULONG,
    buffer: PVOID, size: Out[ULONG],
) -> NTSTATUS:  # fmt: skip
    """All that lie in a window, or it and those behind it."""
    try:
        window = found_window(call, hwnd)
        if children:
            found: Iterable[Window] = window.descendants()
        elif window.parent is None:
            found = window.children
        else:
            found = window.parent.children[window.parent.children.index(window) :]
        handles = [window.handle for window in of_thread(found, thread)]
    except KeyError:
        failed(call.thread, ERROR_INVALID_WINDOW_HANDLE)
        return STATUS_INVALID_HANDLE
    handles.append(HWND_BOTTOM)
    size.set(len(handles))
    if count < len(handles):
        return STATUS_BUFFER_TOO_SMALL
    call.space.write(buffer, b"".join(map(call.pointer, handles)))
    return STATUS_SUCCESS


@syscall
def NtUserInternalGetWindowText(call: Call, hwnd: HANDLE, text: PVOID, count: ULONG) -> ULONG:
    window = find_window(call, hwnd)
    return 0 if window is None else put_text(call.process, text, min(count, 0x7FFFFFFF), window.text, ansi=False)


