"""The active window, focus, capture and foreground: asking for them and setting them. See ``kernel.input_state``.

Source: Microsoft "SetFocus", "SetActiveWindow", "SetForegroundWindow", "SetCapture", "ReleaseCapture",
"GetGUIThreadInfo", "AttachThreadInput".
"""

from __future__ import annotations

from lswd.kernel.input_state import InputState
from lswd.nt.declare import Call, syscall
from lswd.nt.user_activate import focus, foreground_of, input_of, set_active, set_foreground
from lswd.nt.user_display import DESKTOP_WINDOW, RECT
from lswd.nt.user_failure import ERROR_INVALID_PARAMETER, ERROR_INVALID_WINDOW_HANDLE, failed
from lswd.nt.user_function import user_function
from lswd.nt.user_procedure import find_window
from lswd.nt.user_send import queue_of, send
from lswd.ntdef.types import BOOL, HANDLE, ULONG, ULONG_PTR, Struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.kernel.thread import Thread
    from lswd.kernel.window import Window

WM_CAPTURECHANGED = 0x215


class GUITHREADINFO(Struct):
    cbSize: ULONG
    flags: ULONG
    hwndActive: HANDLE
    hwndFocus: HANDLE
    hwndCapture: HANDLE
    hwndMenuOwner: HANDLE
    hwndMoveSize: HANDLE
    hwndCaret: HANDLE
    rcCaret: RECT


def _handle(window: Window | None) -> int:
    return window.handle if window is not None else 0


def _own(call: Call, hwnd: int) -> Window | None:
    """A window of the calling thread, or of one that it is attached to."""
    window = find_window(call, hwnd)
    if window is not None and (window.thread is None or input_of(window.thread) is not input_of(call.thread)):
        failed(call.thread, ERROR_INVALID_WINDOW_HANDLE)
        return None
    return window


def _find_thread(call: Call, identifier: int) -> Thread | None:
    for process in call.process.system.running_processes():
        found = process.find_thread(identifier)
        if found is not None:
            return found
    return None


@syscall(partial="there are no input methods")
async def NtUserSetFocus(call: Call, hwnd: HANDLE) -> HANDLE:
    window = _own(call, hwnd) if hwnd else None
    return 0 if hwnd and window is None else await focus(call.thread, window)


@syscall
async def NtUserSetActiveWindow(call: Call, hwnd: HANDLE) -> HANDLE:
    previous = input_of(call.thread).active
    window = _own(call, hwnd) if hwnd else None
    if hwnd and window is None:
        return 0
    if window is None or not window.is_child:
        await set_active(call.thread, window)
    return _handle(previous)


@user_function
async def CallHwnd_SetForegroundWindow(call: Call, hwnd: int) -> int:
    window = find_window(call, hwnd)
    return 0 if window is None else int(await set_foreground(call.thread, window))


@syscall
def NtUserGetForegroundWindow(call: Call) -> HANDLE:
    """The desktop, until a window has been activated."""
    foreground = foreground_of(call.thread)
    return DESKTOP_WINDOW if foreground.thread is None else _handle(foreground.window)


@syscall
async def NtUserSetCapture(call: Call, hwnd: HANDLE) -> HANDLE:
    window = _own(call, hwnd) if hwnd else None
    return 0 if hwnd and window is None else await _capture(call.thread, window)


@user_function
async def CallNoParam_ReleaseCapture(call: Call) -> int:
    await release_capture(call.thread)
    return 1


async def release_capture(thread: Thread) -> None:
    """Nobody has the mouse any more."""
    await _capture(thread, None)


async def _capture(thread: Thread, window: Window | None) -> int:
    state = input_of(thread)
    previous, state.capture = state.capture, window
    if previous is not None and previous is not window:
        await send(thread, previous, WM_CAPTURECHANGED, 0, _handle(window))
    return _handle(previous)


@syscall(partial="no menus, no moving, no carets")
def NtUserGetGUIThreadInfo(call: Call, thread: ULONG, info: ULONG_PTR) -> BOOL:
    """Thread 0 is the one in the foreground."""
    if call.space.read_u32(info) != GUITHREADINFO.size(call.word):
        return failed(call.thread, ERROR_INVALID_PARAMETER)
    found = foreground_of(call.thread).thread if not thread else _find_thread(call, thread)
    if found is None and thread:
        return failed(call.thread, ERROR_INVALID_PARAMETER)
    told = GUITHREADINFO(cbSize=GUITHREADINFO.size(call.word))
    if found is not None and found.messages is not None:
        state = found.messages.input
        told.hwndActive, told.hwndFocus = _handle(state.active), _handle(state.focus)
        told.hwndCapture = _handle(state.capture)
    call.space.write(info, told.pack(call.word))
    return 1


@syscall
def NtUserAttachThreadInput(call: Call, source: ULONG, target: ULONG, attach: BOOL) -> BOOL:
    """The first thread uses the second's state, or gets one of its own again."""
    attached, other = _find_thread(call, source), _find_thread(call, target)
    if attached is None or other is None or attached is other:
        return failed(call.thread, ERROR_INVALID_PARAMETER)
    if attach:
        queue_of(attached).input = queue_of(other).input
    elif input_of(attached) is not input_of(other):
        return failed(call.thread, ERROR_INVALID_PARAMETER)
    else:
        queue_of(attached).input = InputState()
    return 1
