"""Sending messages: within a thread, and between threads and processes.

A message to another thread's window is put into that thread's queue, and handled when the thread next looks for
messages or waits for an answer itself. Who waits for an answer handles what is sent to it meanwhile, so two that send
to each other do not block. Texts and a few structures go to other processes by value.
Source: Microsoft "SendMessage", "SendMessageTimeout", "SendNotifyMessage", "SendMessageCallback", "ReplyMessage",
"InSendMessageEx", "WM_COPYDATA".
"""

from __future__ import annotations

import time
from contextlib import contextmanager

from lswd.kernel.message_queue import QS_SENDMESSAGE, Answer, MessageQueue
from lswd.kernel.object import Waitable
from lswd.kernel.sent_message import ISMEX_CALLBACK, ISMEX_NOTIFY, ISMEX_SEND, SentMessage
from lswd.kernel.user_callback import UserMode
from lswd.kernel.wait import wait_for
from lswd.memory.protection import PAGE_READWRITE
from lswd.nt.declare import encode_wide
from lswd.nt.user_failure import (
    ERROR_INVALID_PARAMETER,
    ERROR_INVALID_WINDOW_HANDLE,
    ERROR_NOT_ENOUGH_QUOTA,
    ERROR_NOT_SUPPORTED,
    ERROR_TIMEOUT,
    failed,
)
from lswd.nt.user_function import callback_code, user_structure
from lswd.nt.user_hook import see_sent
from lswd.nt.user_procedure import call_window
from lswd.nt.user_text import put_text, read_text
from lswd.nt.user_thread import receiving_flags
from lswd.ntdef.status import STATUS_TIMEOUT
from lswd.ntdef.types import PVOID, ULONG, ULONG_PTR, Struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lswd.kernel.process import Process
    from lswd.kernel.thread import Thread
    from lswd.kernel.window import Window

SMTO_BLOCK = 1
WM_USER = 0x400
WM_SETTEXT, WM_GETTEXT, WM_GETTEXTLENGTH, WM_COPYDATA, WM_SETTINGCHANGE = 0x0C, 0x0D, 0x0E, 0x4A, 0x1A
_MOST_DATA = 1 << 24
_MOST_ON_STACK = 1 << 15
_ACTIVATE = 1 << 32  # not a message that a program could send
# Messages whose parameter points to something that is not carried to other processes.
_POINTERS = {
    0x01, 0x1B, 0x24, 0x2B, 0x2C, 0x2D, 0x39, 0x46, 0x47, 0x4E, 0x53, 0x7C, 0x7D, 0x81, 0x83, 0xB0, 0xB2, 0xB3,
    0xB4, 0xC2, 0xC4, 0xCB, 0xE3, 0xE9, 0xEA, 0xEB, 0x140, 0x143, 0x145, 0x148, 0x14A, 0x14C, 0x14D, 0x152, 0x158,
    0x164, 0x180, 0x181, 0x189, 0x18C, 0x18D, 0x18F, 0x191, 0x192, 0x196, 0x198, 0x1A2, 0x213, 0x214, 0x216, 0x219,
    0x220, 0x229, 0x22A, 0x22B, 0x22D, 0x22E, 0x22F, 0x30C,
}  # fmt: skip


class COPYDATASTRUCT(Struct):
    dwData: ULONG_PTR
    cbData: ULONG
    lpData: PVOID


def queue_of(thread: Thread) -> MessageQueue:
    """The queue of a thread, made when it is first needed."""
    if thread.messages is None:
        assert thread.process.scheduler is not None
        thread.messages = MessageQueue(thread.process.scheduler.deadlines)
    return thread.messages


def carries_pointer(code: int) -> bool:
    """Does a message's parameter point to something? Such messages cannot be posted."""
    return code in _POINTERS or code in (WM_SETTEXT, WM_GETTEXT, WM_COPYDATA)


async def send(
    thread: Thread, window: Window, code: int, first: int, second: int, *, ansi: bool = False,
    timeout: int | None = None, flags: int = 0, user: UserMode | None = None,
) -> int | None:  # fmt: skip
    """Send a message and wait for the answer.

    Args:
        timeout: milliseconds; only waiting for other threads has one. flags: SMTO_*.
        user: what the calling system call does in user mode, when ``second`` points to what it has put there.

    Returns:
        The answer; None, with a last error, when there is none.

    Raises:
        NtError: the window's procedure cannot be called, or a parameter cannot be read.
    """
    if window.thread is thread:
        await see_sent(thread, window.handle, code, first, second, own=True)
        return await call_window(thread, window, code, first, second, ansi=ansi, user=user)
    sent = _put(thread, window, code, first, second, ansi=ansi)
    if sent is None:
        return None
    queue = queue_of(thread)
    deadline = None if timeout is None else time.monotonic() + timeout / 1000
    while not sent.answered:
        others: list[Waitable] = [] if flags & SMTO_BLOCK else [queue.listen(QS_SENDMESSAGE, any_there=True)]
        left = None if deadline is None else -max(0, int((deadline - time.monotonic()) * 1e7))
        try:
            status = await wait_for(thread, [sent, *others], timeout=left)
            if status == STATUS_TIMEOUT:
                sent.wanted = False
                failed(thread, ERROR_TIMEOUT)
                return None
            if not sent.answered:
                await receive(thread)
        except BaseException:
            sent.wanted = False  # its sender has been ended, or has unwound its stack
            raise
        finally:
            for news in others:
                queue.forget(news)  # type: ignore[arg-type]
    if sent.failed:
        failed(thread, ERROR_INVALID_WINDOW_HANDLE)
        return None
    return _answer(thread, sent, code, second, ansi=ansi)


def notify(
    thread: Thread, window: Window, code: int, first: int, second: int, *, ansi: bool,
    on_answer: Callable[[SentMessage], None] | None = None,
) -> bool:  # fmt: skip
    """Send a message to another thread's window without waiting for the answer; False, with a last error, if it cannot
    be."""
    if carries_pointer(code):
        failed(thread, ERROR_INVALID_PARAMETER)
        return False
    kind = ISMEX_CALLBACK if on_answer is not None else ISMEX_NOTIFY
    return _put(thread, window, code, first, second, ansi=ansi, kind=kind, on_answer=on_answer) is not None


def _put(
    thread: Thread, window: Window, code: int, first: int, second: int, *, ansi: bool, kind: int = ISMEX_SEND,
    on_answer: Callable[[SentMessage], None] | None = None,
) -> SentMessage | None:  # fmt: skip
    if window.thread is None:
        failed(thread, ERROR_INVALID_WINDOW_HANDLE)
        return None
    sent = SentMessage(window, code, first, second, thread.process, ansi=ansi)
    sent.kind = kind
    sent.on_answer = on_answer
    if window.process is not thread.process and not _carry(thread, sent):
        failed(thread, ERROR_NOT_SUPPORTED)
        return None
    if not queue_of(window.thread).send(sent):
        failed(thread, ERROR_NOT_ENOUGH_QUOTA)
        return None
    return sent


def _carry(thread: Thread, sent: SentMessage) -> bool:
    """Copy what a message to another process points to; False if that is not known."""
    space = thread.process.space
    if sent.code in (WM_SETTEXT, WM_SETTINGCHANGE):
        if sent.second:
            sent.data = encode_wide(read_text(thread.process, sent.second, ansi=sent.ansi)) + b"\0\0"
            sent.ansi = False
    elif sent.code == WM_GETTEXT:
        sent.data = bytes(2 * min(sent.first, _MOST_DATA))
        sent.ansi = False
    elif sent.code == WM_COPYDATA:
        told = COPYDATASTRUCT.unpack(space.word, space.read(sent.second, COPYDATASTRUCT.size(space.word)))
        size = told.cbData if told.lpData else 0
        if size > _MOST_DATA:
            return False
        sent.data = told.dwData.to_bytes(8, "little") + space.read(told.lpData, size)
    elif sent.code < WM_USER and sent.code in _POINTERS and sent.second:
        return False
    return True


def _answer(thread: Thread, sent: SentMessage, code: int, second: int, *, ansi: bool) -> int:
    """Give the sender what the window has left for it."""
    if code == WM_GETTEXT and sent.data is not None and sent.first:
        text = sent.answer.decode("utf-16-le", "surrogatepass")
        return put_text(thread.process, second, sent.first, text, ansi=ansi)
    return sent.result


def activate_other_thread(thread: Thread, window: Window, active: Window | None) -> None:
    """Have the thread of ``window`` make it the active one, or none when ``active`` is None."""
    _put(thread, window, _ACTIVATE, int(active is not None), 0, ansi=False, kind=ISMEX_NOTIFY)


async def receive(thread: Thread) -> None:
    """Handle all that other threads have sent to the thread's windows.

    Raises:
        NtError: a procedure cannot be called; what it was sent counts as answered.
    """
    queue = queue_of(thread)
    while (sent := queue.take_sent()) is not None:
        if isinstance(sent, Answer):
            message = sent.message
            await receive_answer(
                thread, sent.routine, message.window.handle, message.code, sent.data, message.result)
            continue
        queue.receiving.append(sent)
        try:
            with receiving_flags(thread, sent):
                result = await _call(thread, sent)
            sent.reply(result)
        finally:
            if sent in queue.receiving:
                queue.receiving.remove(sent)
            sent.fail()


async def receive_answer(thread: Thread, routine: int, hwnd: int, code: int, data: int, result: int) -> None:
    """Call SendMessageCallback's routine."""
    structure = user_structure(thread.process, "send_async_params")
    parameters = structure.pack(callback=routine, hwnd=hwnd, msg=code, data=data, result=result)
    await UserMode(thread).call(callback_code(thread.process, "CallSendAsyncCallback"), parameters)


async def _call(thread: Thread, sent: SentMessage) -> int:
    if sent.code == _ACTIVATE:
        from lswd.nt.user_activate import set_active

        return int(await set_active(thread, sent.window if sent.first else None))
    second, user = sent.second, UserMode(thread)
    data = sent.data
    if data is not None and len(data) > _MOST_ON_STACK:
        with _lent(thread.process, data[8:] if sent.code == WM_COPYDATA else data) as at:
            return await _call_with_data(thread, sent, user, at)
    if data is not None:
        second = user.push(data[8:] if sent.code == WM_COPYDATA else data)
        return await _call_with_data(thread, sent, user, second)
    await see_sent(thread, sent.window.handle, sent.code, sent.first, second, own=False)
    return await call_window(
        thread, sent.window, sent.code, sent.first, second, ansi=sent.ansi, user=user, mapping="RECVMESSAGE")


@contextmanager
def _lent(process: Process, data: bytes) -> Iterator[int]:
    """Memory of the process's with ``data``; meanwhile, it may have given that back itself."""
    region = process.space.reserve(0, len(data), PAGE_READWRITE, name="a message's data")
    try:
        process.space.commit(region, region.base, region.size, PAGE_READWRITE)
        process.space.write(region.base, data)
        yield region.base
    finally:
        if not process.ended and process.space.find(region.base) is region:
            process.space.unmap(region)


async def _call_with_data(thread: Thread, sent: SentMessage, user: UserMode, at: int) -> int:
    """Handle a message of another process, whose data lies at ``at`` now."""
    data, second = sent.data or b"", at
    if sent.code == WM_COPYDATA:
        told = COPYDATASTRUCT(dwData=int.from_bytes(data[:8], "little"), cbData=len(data) - 8, lpData=at)
        second = user.push(told.pack(thread.process.space.word))
    await see_sent(thread, sent.window.handle, sent.code, sent.first, second, own=False)
    result = await call_window(
        thread, sent.window, sent.code, sent.first, second, ansi=sent.ansi, user=user, mapping="RECVMESSAGE")
    if sent.code == WM_GETTEXT:
        sent.answer = thread.process.space.read(second, min(len(data), 2 * max(result, 0)))
    return result
