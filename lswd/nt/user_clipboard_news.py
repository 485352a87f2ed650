"""What the clipboard has, whose it is, and who is told when that changes.

Source: Microsoft "SetClipboardViewer", "ChangeClipboardChain", "AddClipboardFormatListener",
"IsClipboardFormatAvailable",
"GetUpdatedClipboardFormats", "GetPriorityClipboardFormat", "GetClipboardFormatName".
"""

from __future__ import annotations

from lswd.kernel.atom import FIRST_STRING_ATOM, AtomTable
from lswd.kernel.clipboard import MOST_LISTENERS, Clipboard
from lswd.kernel.message_queue import Message
from lswd.nt.declare import Call, Out, encode_wide, syscall
from lswd.nt.user_failure import (
    ERROR_INSUFFICIENT_BUFFER,
    ERROR_INVALID_HANDLE,
    ERROR_INVALID_PARAMETER,
    ERROR_MORE_DATA,
    ERROR_NOACCESS,
    failed,
)
from lswd.nt.user_procedure import find_window
from lswd.nt.user_send import notify, queue_of, send
from lswd.ntdef.status import NtError
from lswd.ntdef.types import BOOL, HANDLE, LONG, PVOID, ULONG

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.kernel.thread import Thread
    from lswd.kernel.window import Window

WM_DESTROYCLIPBOARD, WM_DRAWCLIPBOARD, WM_CHANGECBCHAIN, WM_CLIPBOARDUPDATE = 0x307, 0x308, 0x30D, 0x31D


def clipboard_of(thread: Thread) -> Clipboard:
    """The system's, as it is now."""
    found = thread.process.system.part(Clipboard)
    found.settle()
    return found


async def tell_changed(thread: Thread, clipboard: Clipboard) -> None:
    """Tell the first viewer and the listeners that there is something else."""
    for window in clipboard.listeners:
        if window.thread is not None:
            queue_of(window.thread).post(Message(WM_CLIPBOARDUPDATE, 0, 0, window.handle))
    if clipboard.viewer is not None:
        await _draw(thread, clipboard, clipboard.viewer)


async def _draw(thread: Thread, clipboard: Clipboard, viewer: Window) -> None:
    """Nobody waits for another thread's viewer."""
    owner = _handle(clipboard.owner)
    if viewer.thread is thread:
        await send(thread, viewer, WM_DRAWCLIPBOARD, owner, 0)
    else:
        notify(thread, viewer, WM_DRAWCLIPBOARD, owner, 0, ansi=False)


def _handle(window: Window | None) -> int:
    return window.handle if window is not None else 0


@syscall
def NtUserGetClipboardOwner(call: Call) -> HANDLE:
    return _handle(clipboard_of(call.thread).owner)


@syscall
def NtUserGetOpenClipboardWindow(call: Call) -> HANDLE:
    return _handle(clipboard_of(call.thread).window)


@syscall
def NtUserGetClipboardViewer(call: Call) -> HANDLE:
    return _handle(clipboard_of(call.thread).viewer)


@syscall
def NtUserGetClipboardSequenceNumber(call: Call) -> ULONG:
    return clipboard_of(call.thread).sequence


@syscall
def NtUserCountClipboardFormats(call: Call) -> LONG:
    return len(clipboard_of(call.thread).formats)


@syscall
def NtUserIsClipboardFormatAvailable(call: Call, number: ULONG) -> BOOL:
    return int(number in clipboard_of(call.thread).formats)


@syscall
def NtUserGetPriorityClipboardFormat(call: Call, wanted: PVOID, count: LONG) -> LONG:
    """The first of those wanted that is there; 0 when nothing is, -1 when others are."""
    there = clipboard_of(call.thread).formats
    if not there:
        return 0
    for i in range(count):
        number = call.space.read_u32(wanted + 4 * i)
        if number in there:
            return number
    return -1


@syscall
def NtUserGetUpdatedClipboardFormats(call: Call, formats: PVOID, size: ULONG, out_size: Out[ULONG]) -> BOOL:
    there = [*clipboard_of(call.thread).formats]
    out_size.set(len(there))
    if len(there) > size:
        return failed(call.thread, ERROR_INSUFFICIENT_BUFFER)
    if not formats:
        return failed(call.thread, ERROR_NOACCESS)
    call.space.write(formats, b"".join(number.to_bytes(4, "little") for number in there))
    return 1


@syscall
def NtUserGetClipboardFormatName(call: Call, number: ULONG, buffer: PVOID, maxlen: LONG) -> LONG:
    """Formats with names are global atoms."""
    if not FIRST_STRING_ATOM <= number <= 0xFFFF:
        return failed(call.thread, ERROR_INVALID_PARAMETER)
    if maxlen <= 0:
        return failed(call.thread, ERROR_MORE_DATA)
    try:
        name = call.process.system.part(AtomTable).get(number).name
    except NtError:
        return failed(call.thread, ERROR_INVALID_HANDLE)
    data = encode_wide(name)[: 2 * (maxlen - 1)]
    call.space.write(buffer, data + b"\0\0")
    return len(data) // 2


@syscall
async def NtUserSetClipboardViewer(call: Call, hwnd: HANDLE) -> HANDLE:
    """Whoever was first so far is to be told by the new one. It is told at once of what there is."""
    window = find_window(call, hwnd) if hwnd else None
    if hwnd and window is None:
        return 0
    clipboard = clipboard_of(call.thread)
    former, clipboard.viewer = clipboard.viewer, window
    if window is not None:
        await _draw(call.thread, clipboard, window)
    failed(call.thread, 0)  # there may be none to be told
    return _handle(former)


@syscall
async def NtUserChangeClipboardChain(call: Call, hwnd: HANDLE, follower: HANDLE) -> BOOL:
    """Take a viewer out of the chain; one that is not the first is left to the others of the chain."""
    clipboard = clipboard_of(call.thread)
    window = find_window(call, hwnd)
    behind = find_window(call, follower) if follower else None
    if window is None or (follower and behind is None):
        return 0
    if clipboard.viewer is window:
        clipboard.viewer = behind
    elif clipboard.viewer is not None:
        return int(not await send(call.thread, clipboard.viewer, WM_CHANGECBCHAIN, hwnd, follower))
    return 1


@syscall
def NtUserAddClipboardFormatListener(call: Call, hwnd: HANDLE) -> BOOL:
    window = find_window(call, hwnd)
    if window is None:
        return 0
    clipboard = clipboard_of(call.thread)
    if window in clipboard.listeners or len(clipboard.listeners) >= MOST_LISTENERS:
        return failed(call.thread, ERROR_INVALID_PARAMETER)
    clipboard.listeners.append(window)
    return 1


@syscall
def NtUserRemoveClipboardFormatListener(call: Call, hwnd: HANDLE) -> BOOL:
    window = find_window(call, hwnd)
    if window is None:
        return 0
    clipboard = clipboard_of(call.thread)
    if window not in clipboard.listeners:
        return failed(call.thread, ERROR_INVALID_PARAMETER)
    clipboard.listeners.remove(window)
    return 1
