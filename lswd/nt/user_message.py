"""Message queues: posting, taking, waiting, timers.

Taking and peeking handle what other threads have sent first, as on Windows.
Source: Microsoft "GetMessage", "PeekMessage", "PostMessage", "PostThreadMessage", "PostQuitMessage",
"MsgWaitForMultipleObjectsEx", "GetQueueStatus", "SetTimer", "WaitForInputIdle".
"""

from __future__ import annotations

from lswd.image.formats import SUBSYSTEM_WINDOWS_GUI
from lswd.kernel.input_idle import InputIdles
from lswd.kernel.message_queue import QS_ALLINPUT, WM_PAINT, WM_SYSTIMER, WM_TIMER, Message
from lswd.kernel.object import SYNCHRONIZE, Waitable
from lswd.kernel.process import PROCESS_QUERY_INFORMATION, Process
from lswd.kernel.wait import wait_for
from lswd.nt.declare import Call, syscall
from lswd.nt.user_display import POINT
from lswd.nt.user_failure import (
    ERROR_ACCESS_DENIED,
    ERROR_INVALID_PARAMETER,
    ERROR_INVALID_THREAD_ID,
    ERROR_INVALID_WINDOW_HANDLE,
    ERROR_MESSAGE_SYNC_ONLY,
    ERROR_NOT_ENOUGH_QUOTA,
    failed,
)
from lswd.nt.user_function import user_function
from lswd.nt.user_hook import HC_ACTION, WH_GETMESSAGE, call_hooks
from lswd.nt.user_procedure import call_window, find_window, windows_of
from lswd.nt.user_send import carries_pointer, queue_of, receive
from lswd.nt.user_thread import put
from lswd.ntdef.types import BOOL, HANDLE, LONG_PTR, PVOID, ULONG, ULONG_PTR, Struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from lswd.kernel.thread import Thread

WM_QUIT = 0x12
PM_REMOVE = 1
MWMO_WAITALL, MWMO_ALERTABLE, MWMO_INPUTAVAILABLE = 1, 2, 4
WAIT_FAILED = 0xFFFFFFFF
_ALL = 0xFFFFFFFF
_THREAD_ONLY = -1 & 0xFFFFFFFF  # a window handle that stands for messages to the thread
_BROADCAST = 0xFFFF
_MOST_HANDLES = 63


class MSG(Struct):
    hwnd: HANDLE
    message: ULONG
    wParam: ULONG_PTR
    lParam: ULONG_PTR
    time: ULONG
    pt: POINT


def _deliver(call: Call, address: int, message: Message) -> None:
    """Write a message where the program wants it."""
    told = MSG(
        hwnd=message.window, message=message.code, wParam=message.first, lParam=message.second, time=message.time)
    call.space.write(address, told.pack(call.word))
    put(call.thread, message_time=message.time, message_pos=0)


def _filter(call: Call, hwnd: int) -> Callable[[int], bool] | None:
    """Which windows' messages are meant; None, with a last error, when there is no such window."""
    if not hwnd:
        return lambda window: True
    if hwnd & 0xFFFFFFFF == _THREAD_ONLY:
        return lambda window: not window
    windows = windows_of(call.thread)
    wanted = find_window(call, hwnd)
    if wanted is None:
        return None

    def accepts(handle: int) -> bool:
        window = windows.find(handle) if handle else None
        return window is not None and (window is wanted or window.is_inside(wanted))

    return accepts


@syscall(partial="no input")
async def NtUserPeekMessage(call: Call, msg: PVOID, hwnd: HANDLE, first: ULONG, last: ULONG, flags: ULONG) -> BOOL:
    await receive(call.thread)
    accepts = _filter(call, hwnd)
    if accepts is None:
        return 0
    highest = last if first or last else _ALL
    message = queue_of(call.thread).take(
        first, highest, remove=bool(flags & PM_REMOVE), accepts=accepts, kinds=flags >> 16 or QS_ALLINPUT)
    if message is None:
        call.process.system.part(InputIdles).of(call.process).reach()
        return 0
    _deliver(call, msg, message)
    await call_hooks(call.thread, WH_GETMESSAGE, HC_ACTION, flags & PM_REMOVE, msg)
    return 1


@syscall(partial="no input")
async def NtUserGetMessage(call: Call, msg: PVOID, hwnd: HANDLE, first: ULONG, last: ULONG) -> BOOL:
    call.space.probe_write(msg, MSG.size(call.word))
    queue = queue_of(call.thread)
    while True:
        await receive(call.thread)
        accepts = _filter(call, hwnd)
        if accepts is None:
            return -1
        message = queue.take(first, last if first or last else _ALL, remove=True, accepts=accepts)
        if message is not None:
            _deliver(call, msg, message)
            await call_hooks(call.thread, WH_GETMESSAGE, HC_ACTION, PM_REMOVE, msg)
            return int(call.space.read_u32(msg + MSG.offset(call.word, "message")) != WM_QUIT)
        await _wait(call.thread, [], QS_ALLINPUT, flags=0, timeout=None)


@syscall
async def NtUserWaitMessage(call: Call) -> BOOL:
    await _wait(call.thread, [], QS_ALLINPUT, flags=0, timeout=None)
    return 1


@syscall
async def NtUserMsgWaitForMultipleObjectsEx(
    call: Call, count: ULONG, handles: PVOID, timeout: ULONG, mask: ULONG, flags: ULONG
) -> ULONG:
    if count > _MOST_HANDLES:
        failed(call.thread, ERROR_INVALID_PARAMETER)
        return WAIT_FAILED
    word = call.word
    objects: list[Waitable] = []
    for i in range(count):
        found = call.process.handles.get(call.space.read_pointer(handles + i * word), Waitable, SYNCHRONIZE)
        assert isinstance(found, Waitable)
        objects.append(found)
    return await _wait(
        call.thread, objects, mask, flags=flags, timeout=None if timeout == _ALL else -timeout * 10_000)


async def _wait(thread: Thread, objects: list[Waitable], mask: int, *, flags: int, timeout: int | None) -> int:
    """Wait for objects or messages; messages are the last object."""
    queue = queue_of(thread)
    thread.process.system.part(InputIdles).of(thread.process).reach()
    news = queue.listen(mask, any_there=bool(flags & MWMO_INPUTAVAILABLE))
    try:
        return await wait_for(
            thread, [*objects, news], wait_all=bool(flags & MWMO_WAITALL), alertable=bool(flags & MWMO_ALERTABLE),
            timeout=timeout)  # fmt: skip
    finally:
        queue.forget(news)


@syscall
def NtUserPostThreadMessage(call: Call, thread: ULONG, msg: ULONG, wparam: ULONG_PTR, lparam: ULONG_PTR) -> BOOL:
    """A thread that has never asked for a message has no queue."""
    for process in call.process.system.running_processes():
        found = process.find_thread(thread)
        if found is not None and (found.messages is not None or found is call.thread):
            return _post(call, found, Message(msg, wparam, lparam))
    return failed(call.thread, ERROR_INVALID_THREAD_ID)


@syscall(partial="what is posted to all reaches top-level windows of this system")
def NtUserPostMessage(call: Call, hwnd: HANDLE, msg: ULONG, wparam: ULONG_PTR, lparam: ULONG_PTR) -> BOOL:
    if carries_pointer(msg):
        return failed(call.thread, ERROR_MESSAGE_SYNC_ONLY)
    windows = windows_of(call.thread)
    if hwnd == _BROADCAST:
        for window in windows.desktop.children:
            if window.thread is not None:
                queue_of(window.thread).post(Message(msg, wparam, lparam, window.handle))
        return 1
    if not hwnd:
        return _post(call, call.thread, Message(msg, wparam, lparam))
    found = find_window(call, hwnd)
    if found is None:
        return 0
    if found.thread is None:
        return failed(call.thread, ERROR_ACCESS_DENIED) if found is not windows.desktop else 1
    return _post(call, found.thread, Message(msg, wparam, lparam, found.handle))


def _post(call: Call, thread: Thread, message: Message) -> int:
    return 1 if queue_of(thread).post(message) else failed(call.thread, ERROR_NOT_ENOUGH_QUOTA)


@user_function
def CallOneParam_PostQuitMessage(call: Call, code: int) -> int:
    queue_of(call.thread).post_quit(code)
    return 1


@syscall
async def NtUserDispatchMessage(call: Call, msg: PVOID) -> LONG_PTR:
    """user32 leaves to the kernel only what it does not do itself."""
    told = MSG.unpack(call.word, call.space.read(msg, MSG.size(call.word)))
    if told.message in (WM_TIMER, WM_SYSTIMER) and told.lParam and not told.hwnd:
        return 0
    window = find_window(call, told.hwnd) if told.hwnd else None
    if window is None:
        return 0
    if window.thread is not call.thread:
        return failed(call.thread, ERROR_INVALID_WINDOW_HANDLE)
    answer = await call_window(
        call.thread, window, told.message, told.wParam, told.lParam, mapping="DISPATCHMESSAGE")
    if told.message == WM_PAINT and window.update is not None:  # it has not begun to paint
        from lswd.nt.user_paint import erase

        await erase(call.thread, window, children=False)
    return answer


@syscall
def NtUserTranslateMessage(call: Call, msg: PVOID, flags: ULONG) -> BOOL:
    """Nobody types, so nothing becomes a character; what is a key's message is one all the same."""
    return int(0x100 <= MSG.unpack(call.word, call.space.read(msg, MSG.size(call.word))).message <= 0x105)


@syscall
def NtUserGetQueueStatus(call: Call, flags: ULONG) -> ULONG:
    """What is there (high word) and what of it is new (low word), which is old from now on."""
    queue = queue_of(call.thread)
    new = queue.changed & flags
    queue.changed &= ~flags
    return (queue.there() & flags & 0xFFFF) << 16 | (new & 0xFFFF)


def _timer(call: Call, hwnd: int, identifier: int, period: int, routine: int, code: int) -> int:
    handle = 0
    if hwnd:
        window = find_window(call, hwnd)
        if window is None:
            return 0
        if window.thread is not call.thread:
            return failed(call.thread, ERROR_INVALID_WINDOW_HANDLE)
        handle = window.handle
    made = queue_of(call.thread).set_timer(identifier, period, routine, handle, code)
    if handle and (made or not identifier):
        return identifier or 1
    return made or failed(call.thread, ERROR_NOT_ENOUGH_QUOTA)


@syscall
def NtUserSetTimer(
    call: Call, hwnd: HANDLE, nIDEvent: ULONG_PTR, timeout: ULONG, proc: PVOID, tolerance: ULONG
) -> ULONG_PTR:
    return _timer(call, hwnd, nIDEvent, timeout, proc, WM_TIMER)


@syscall
def NtUserSetSystemTimer(call: Call, hwnd: HANDLE, nIDEvent: ULONG_PTR, timeout: ULONG) -> ULONG_PTR:
    return _timer(call, hwnd, nIDEvent, timeout, 0, WM_SYSTIMER)


@syscall
def NtUserKillTimer(call: Call, hwnd: HANDLE, nIDEvent: ULONG_PTR) -> BOOL:
    window = find_window(call, hwnd) if hwnd else None
    if hwnd and (window is None or window.thread is not call.thread):
        return 0
    return int(queue_of(call.thread).kill_timer(nIDEvent, window.handle if window is not None else 0))


@syscall
async def NtUserWaitForInputIdle(call: Call, process: HANDLE, timeout: ULONG, wow: BOOL) -> ULONG:
    """Fails for a program that is made for a console. One that ends need not be waited for."""
    found = call.process.handles.get(process, Process, PROCESS_QUERY_INFORMATION | SYNCHRONIZE)
    assert isinstance(found, Process)
    if found.image is None or found.image.image.subsystem != SUBSYSTEM_WINDOWS_GUI:
        return WAIT_FAILED
    idle = call.process.system.part(InputIdles).of(found)
    limit = None if timeout == _ALL else -timeout * 10_000
    status = await wait_for(call.thread, [idle, found], timeout=limit)
    return 0 if status == 1 else status
