"""Messages between threads: posting, taking, waiting, timers.

Source: Microsoft "GetMessage", "PeekMessage", "PostThreadMessage", "MsgWaitForMultipleObjectsEx", "GetQueueStatus",
"SetTimer", "WaitForInputIdle".
"""

from __future__ import annotations

from lswd.kernel.message_queue import Message, MessageQueue
from lswd.kernel.object import SYNCHRONIZE, Waitable
from lswd.kernel.wait import wait_for
from lswd.nt.declare import Call, syscall
from lswd.nt.user_display import POINT
from lswd.nt.user_failure import (
    ERROR_INVALID_PARAMETER,
    ERROR_INVALID_THREAD_ID,
    ERROR_INVALID_WINDOW_HANDLE,
    ERROR_NOT_ENOUGH_QUOTA,
    failed,
)
from lswd.ntdef.types import BOOL, HANDLE, PVOID, ULONG, ULONG_PTR, Struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.kernel.thread import Thread

WM_QUIT = 0x12
PM_REMOVE = 1
QS_ALLINPUT = 0x4FF
MWMO_WAITALL, MWMO_ALERTABLE, MWMO_INPUTAVAILABLE = 1, 2, 4
WAIT_FAILED = 0xFFFFFFFF
_ALL = 0xFFFFFFFF
_THREAD_ONLY = (0, -1 & (1 << 64) - 1, -1 & (1 << 32) - 1)  # window handles that stand for messages to a thread
_BROADCAST = 0xFFFF
_MOST_HANDLES = 63


class MSG(Struct):
    hwnd: HANDLE
    message: ULONG
    wParam: ULONG_PTR
    lParam: ULONG_PTR
    time: ULONG
    pt: POINT


def _queue(thread: Thread) -> MessageQueue:
    """The queue of a thread, made when it is first needed."""
    if thread.messages is None:
        assert thread.process.scheduler is not None
        thread.messages = MessageQueue(thread.process.scheduler.deadlines)
    return thread.messages


def _deliver(call: Call, address: int, message: Message) -> int:
    """Write a message where the program wants it; 0 for the one that ends its loop."""
    call.space.write(
        address,
        MSG(message=message.code, wParam=message.first, lParam=message.second, time=message.time).pack(call.word),
    )
    return int(message.code != WM_QUIT)


@syscall(partial="messages of threads and timers only")
def NtUserPeekMessage(call: Call, msg: PVOID, hwnd: HANDLE, first: ULONG, last: ULONG, flags: ULONG) -> BOOL:
    if hwnd not in _THREAD_ONLY:
        return failed(call.thread, ERROR_INVALID_WINDOW_HANDLE)
    message = _queue(call.thread).take(first, last if first or last else _ALL, remove=bool(flags & PM_REMOVE))
    if message is None:
        return 0
    _deliver(call, msg, message)
    return 1


@syscall(partial="messages of threads and timers only")
async def NtUserGetMessage(call: Call, msg: PVOID, hwnd: HANDLE, first: ULONG, last: ULONG) -> BOOL:
    if hwnd not in _THREAD_ONLY:
        failed(call.thread, ERROR_INVALID_WINDOW_HANDLE)
        return -1
    call.space.probe_write(msg, MSG.size(call.word))
    queue = _queue(call.thread)
    while True:
        message = queue.take(first, last if first or last else _ALL, remove=True)
        if message is not None:
            return _deliver(call, msg, message)
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
    queue = _queue(thread)
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


@syscall(partial="there are no windows to post to")
def NtUserPostMessage(call: Call, hwnd: HANDLE, msg: ULONG, wparam: ULONG_PTR, lparam: ULONG_PTR) -> BOOL:
    if hwnd == _BROADCAST:
        return 1
    if hwnd:
        return failed(call.thread, ERROR_INVALID_WINDOW_HANDLE)
    return _post(call, call.thread, Message(msg, wparam, lparam))


def _post(call: Call, thread: Thread, message: Message) -> int:
    return 1 if _queue(thread).post(message) else failed(call.thread, ERROR_NOT_ENOUGH_QUOTA)


@syscall
def NtUserGetQueueStatus(call: Call, flags: ULONG) -> ULONG:
    """What is there (high word) and what of it is new (low word), which is old from now on."""
    queue = _queue(call.thread)
    new = queue.changed & flags
    queue.changed &= ~flags
    return (queue.there() & flags & 0xFFFF) << 16 | (new & 0xFFFF)


@syscall(partial="routines are not called")
def NtUserSetTimer(
    call: Call, hwnd: HANDLE, nIDEvent: ULONG_PTR, timeout: ULONG, proc: PVOID, tolerance: ULONG
) -> ULONG_PTR:
    if hwnd:
        return failed(call.thread, ERROR_INVALID_WINDOW_HANDLE)
    return _queue(call.thread).set_timer(nIDEvent, timeout, proc) or failed(call.thread, ERROR_NOT_ENOUGH_QUOTA)


@syscall
def NtUserKillTimer(call: Call, hwnd: HANDLE, nIDEvent: ULONG_PTR) -> BOOL:
    return int(not hwnd and _queue(call.thread).kill_timer(nIDEvent))


@syscall(partial="no program has windows, so none is waited for")
def NtUserWaitForInputIdle(call: Call, process: HANDLE, timeout: ULONG, wow: BOOL) -> ULONG:
    return WAIT_FAILED
