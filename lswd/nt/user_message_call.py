"""NtUserMessageCall: the many things that user32 does with a message, by one call.

The codes are those of Windows' user32 for the functions that have one there; Wine's has the same in all versions.
Source: Microsoft "SendMessageTimeout", "SendMessageCallback", "CallWindowProc"; parameters from user32's use of it.
"""

from __future__ import annotations

from lswd.kernel.sent_message import SentMessage
from lswd.nt.declare import Call, syscall
from lswd.nt.user_default import default_procedure
from lswd.nt.user_failure import ERROR_CALL_NOT_IMPLEMENTED, ERROR_INVALID_WINDOW_HANDLE, failed
from lswd.nt.user_function import user_function, user_structure
from lswd.nt.user_hook import see_sent
from lswd.nt.user_procedure import call_window, find_window, parameters, window_parameters, windows_of
from lswd.nt.user_send import notify, queue_of, receive_answer, send
from lswd.nt.user_thread import nesting, replied
from lswd.ntdef.types import BOOL, HANDLE, LONG_PTR, PVOID, ULONG, ULONG_PTR

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.kernel.window import Window

SCROLL_BAR, POPUP_MENU, DESKTOP, DEFAULT = 0x29A, 0x29C, 0x29D, 0x29E
CALL_PROCEDURE, SEND, SEND_TIMEOUT, SEND_NOTIFY, SEND_CALLBACK, DISPATCH = 0x2AB, 0x2B1, 0x2B3, 0x2B7, 0x2B8, 0x3001
_MOST_NESTED = 64
_BROADCAST = (0xFFFF, 0xFFFFFFFF, (1 << 64) - 1)
_SPY = range(0x300, 0x30A)  # what Wine's user32 tells its own trace


@syscall(partial="no menus, scroll bars or drawing; SMTO_ABORTIFHUNG; few messages with pointers reach other processes")
async def NtUserMessageCall(
    call: Call, hwnd: HANDLE, msg: ULONG, wparam: ULONG_PTR, lparam: LONG_PTR, result_info: PVOID, code: ULONG,
    ansi: BOOL,
) -> LONG_PTR:  # fmt: skip
    thread, second = call.thread, lparam & (1 << 8 * call.word) - 1
    if code in _SPY:
        return 0
    if code == CALL_PROCEDURE:
        return _fill(call, hwnd, msg, wparam, second, result_info, ansi=bool(ansi))
    if code in (SEND, SEND_TIMEOUT, SEND_NOTIFY, SEND_CALLBACK) and hwnd in _BROADCAST:
        return await _broadcast(call, msg, wparam, second, ansi=bool(ansi))
    window = find_window(call, hwnd)
    if window is None:
        return 0
    if code in (DEFAULT, DESKTOP, POPUP_MENU, SCROLL_BAR):
        return await default_procedure(thread, window, msg, wparam, second, ansi=bool(ansi))
    if code == DISPATCH:
        if window.thread is not thread:
            return failed(thread, ERROR_INVALID_WINDOW_HANDLE)
        data = window_parameters(window, msg, wparam, second, ansi=bool(ansi), mapping="DISPATCHMESSAGE")
        _tell(call, result_info, data)
        return 1
    if code == SEND:
        if window.thread is thread and window.procedure:  # user32 calls the procedure itself
            if nesting(thread) > _MOST_NESTED:
                return 0
            await see_sent(thread, window.handle, msg, wparam, second, own=True)
            if not window.alive:
                return 0
            _tell(call, result_info, window_parameters(window, msg, wparam, second, ansi=bool(ansi)))
            return 0
        return await send(thread, window, msg, wparam, second, ansi=bool(ansi)) or 0
    if code == SEND_TIMEOUT:
        return await _send_with_timeout(call, window, msg, wparam, second, result_info, ansi=bool(ansi))
    if code == SEND_NOTIFY:
        if window.thread is thread:
            await call_window(thread, window, msg, wparam, second, ansi=bool(ansi))
            return 1
        return int(notify(thread, window, msg, wparam, second, ansi=bool(ansi)))
    if code == SEND_CALLBACK:
        return await _send_with_callback(call, window, msg, wparam, second, result_info, ansi=bool(ansi))
    return failed(thread, ERROR_CALL_NOT_IMPLEMENTED)


def _fill(call: Call, hwnd: int, msg: int, first: int, second: int, info: int, *, ansi: bool) -> int:
    """Tell user32 how to call the procedure in ``info`` (``win_proc_params.func``)."""
    procedure = call.space.read_pointer(info + user_structure(call.process, "win_proc_params").offset("func"))
    if not procedure:
        return 0
    data = parameters(
        call.process, procedure, hwnd, msg, first, second, ansi=ansi, takes_ansi=ansi, mapping="CALLWINDOWPROC")
    _tell(call, info, data)
    return 1


def _tell(call: Call, info: int, data: bytes) -> None:
    """Write ``win_proc_params``; where the result goes (in older userlands) is user32's business."""
    at, size = user_structure(call.process, "win_proc_params").fields.get("result", (0, 0))
    result = call.space.read(info + at, size) if size else b""
    call.space.write(info, data[:at] + result + data[at + size :])


async def _send_with_timeout(
    call: Call, window: Window, msg: int, first: int, second: int, info: int, *, ansi: bool
) -> int:
    """The structure says whether there is an answer."""
    structure = user_structure(call.process, "send_message_timeout_params")
    flags = call.space.read_u32(info + structure.offset("flags"))
    timeout = call.space.read_u32(info + structure.offset("timeout"))
    result = await send(call.thread, window, msg, first, second, ansi=ansi, timeout=timeout, flags=flags)
    call.space.write_pointer(info + structure.offset("result"), int(result is not None))
    return result or 0


async def _send_with_callback(
    call: Call, window: Window, msg: int, first: int, second: int, info: int, *, ansi: bool
) -> int:
    structure = user_structure(call.process, "send_message_callback_params")
    routine = call.space.read_pointer(info + structure.offset("callback"))
    data = call.space.read_pointer(info + structure.offset("data"))
    thread = call.thread
    if window.thread is thread:
        result = await call_window(thread, window, msg, first, second, ansi=ansi)
        await receive_answer(thread, routine, window.handle, msg, data, result)
        return 1
    queue = queue_of(thread)

    def answered(sent: SentMessage) -> None:
        if not thread.terminated:
            queue.send_answer(routine, data, sent)

    return int(notify(thread, window, msg, first, second, ansi=ansi, on_answer=answered))


async def _broadcast(call: Call, msg: int, first: int, second: int, *, ansi: bool) -> int:
    """To each top-level window, without waiting for those of other threads."""
    thread = call.thread
    for window in tuple(windows_of(thread).desktop.children):
        if window.thread is thread:
            await call_window(thread, window, msg, first, second, ansi=ansi)
        elif window.thread is not None:
            notify(thread, window, msg, first, second, ansi=ansi)
    return 1


@user_function
def CallOneParam_ReplyMessage(call: Call, result: int) -> int:
    queue = call.thread.messages
    if queue is None or not queue.receiving:
        return 0
    bits = 8 * call.word
    done = queue.receiving[-1].reply((result & (1 << bits) - 1 ^ 1 << bits - 1) - (1 << bits - 1))
    replied(call.thread)
    return int(done)


