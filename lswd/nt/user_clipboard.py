"""The clipboard: opening, emptying, setting and getting. See ``kernel.clipboard``.

user32 makes bytes of handles and handles of bytes. A process gets the same handle each time, until the data changes:
the kernel keeps it (``WindowClient.clipboard``) and has user32 free it when it no longer stands for what is there.
Source: Microsoft "OpenClipboard", "EmptyClipboard", "SetClipboardData", "GetClipboardData"; parameters from user32's
use of the calls.
"""

from __future__ import annotations

from lswd.kernel.clipboard import Clipboard, Format
from lswd.kernel.user_callback import UserMode
from lswd.nt.declare import Call, syscall
from lswd.nt.locale import locales
from lswd.nt.user_clipboard_news import WM_DESTROYCLIPBOARD, clipboard_of, tell_changed
from lswd.nt.user_failure import ERROR_ACCESS_DENIED, ERROR_CLIPBOARD_NOT_OPEN, failed
from lswd.nt.user_function import callback_code, user_function, user_structure
from lswd.nt.user_procedure import client_of, find_window
from lswd.nt.user_send import send
from lswd.ntdef.status import STATUS_NO_MEMORY, STATUS_SUCCESS, STATUS_UNSUCCESSFUL
from lswd.ntdef.types import BOOL, HANDLE, NTSTATUS, PVOID, ULONG

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.kernel.thread import Thread
    from lswd.kernel.window import Window

WM_RENDERFORMAT, WM_RENDERALLFORMATS = 0x305, 0x306
SMTO_ABORTIFHUNG = 2
_STATUS_OF_ERROR = 0xC0010000
_PATIENCE = 5000  # milliseconds for an owner to learn that it is none any more


@syscall
async def NtUserOpenClipboard(call: Call, hwnd: HANDLE, unknown: ULONG) -> BOOL:
    window = None
    if hwnd:
        window = find_window(call, hwnd)
        if window is None:
            return 0
    clipboard = clipboard_of(call.thread)
    if not clipboard.open(call.thread, window):
        return failed(call.thread, ERROR_ACCESS_DENIED)
    await _free_handles(call, clipboard)
    return 1


@syscall
async def NtUserCloseClipboard(call: Call) -> BOOL:
    clipboard = clipboard_of(call.thread)
    if clipboard.thread is not call.thread:
        return failed(call.thread, ERROR_CLIPBOARD_NOT_OPEN)
    if clipboard.close():
        await tell_changed(call.thread, clipboard)
    return 1


@syscall
async def NtUserEmptyClipboard(call: Call) -> BOOL:
    clipboard = clipboard_of(call.thread)
    if clipboard.thread is not call.thread:
        return failed(call.thread, ERROR_CLIPBOARD_NOT_OPEN)
    if clipboard.owner is not None:
        await send(call.thread, clipboard.owner, WM_DESTROYCLIPBOARD, 0, 0, timeout=_PATIENCE, flags=SMTO_ABORTIFHUNG)
    clipboard.empty()
    await _free_handles(call, clipboard)
    return 1


@syscall
async def NtUserSetClipboardData(call: Call, number: ULONG, data: HANDLE, params: PVOID) -> NTSTATUS:
    """``params`` has the bytes of ``data``; without any the owner renders it later."""
    clipboard = clipboard_of(call.thread)
    structure = user_structure(call.process, "set_clipboard_params")
    handles = client_of(call.process).clipboard
    if call.space.read_u32(params + structure.offset("cache_only")):  # a handle for what has been got
        found = clipboard.formats.get(number)
        if found is None or found.version != call.space.read_u32(params + structure.offset("seqno")):
            return STATUS_UNSUCCESSFUL
        handles[number] = data, found.version
        return STATUS_SUCCESS
    if not clipboard.may_set(call.thread):
        return _STATUS_OF_ERROR | ERROR_CLIPBOARD_NOT_OPEN
    size = call.space.read_pointer(params + structure.offset("size"))
    content = None
    if size:
        content = call.space.read(call.space.read_pointer(params + structure.offset("data")), size)
    made = clipboard.set(number, content, locales(call).user_locale)
    if made is None:
        return STATUS_NO_MEMORY
    former = handles.pop(number, None)
    if data:
        handles[number] = data, made.version
    if former is not None and former[0] != data:
        await _free(call, number, former[0])
    return STATUS_SUCCESS


@syscall
async def NtUserGetClipboardData(call: Call, number: ULONG, params: PVOID) -> HANDLE:
    """The handle that the process has already, or the bytes for a new one; how many, if there is too little room."""
    if clipboard_of(call.thread).thread is not call.thread:
        return failed(call.thread, ERROR_CLIPBOARD_NOT_OPEN)
    found = await _rendered(call, number)
    if found is None or found.data is None:
        return 0
    structure = user_structure(call.process, "get_clipboard_params")
    handle, version = client_of(call.process).clipboard.get(number, (0, 0))
    wants_bytes = call.space.read_u32(params + structure.offset("data_only"))
    if handle and version == found.version and not wants_bytes:
        return handle
    size_at, needed_at = params + structure.offset("size"), params + structure.offset("data_size")
    if len(found.data) > call.space.read_pointer(size_at):
        call.space.write_pointer(needed_at, len(found.data))
        return 0
    call.space.write(call.space.read_pointer(params + structure.offset("data")), found.data)
    call.space.write_pointer(size_at, len(found.data))
    call.space.write_pointer(needed_at, (1 << 8 * call.word) - 1)
    call.space.write_u32(params + structure.offset("seqno"), found.version)
    return 0


async def _rendered(call: Call, number: int) -> Format | None:
    """A format with its data, which may have to be made first."""
    clipboard = clipboard_of(call.thread)
    found = clipboard.formats.get(number)
    if found is None or found.data is not None:
        return found
    clipboard.rendering += 1
    try:
        if found.source:
            structure = user_structure(call.process, "render_synthesized_format_params")
            arguments = structure.pack(**{"format": number, "from": found.source})
            await UserMode(call.thread).call(callback_code(call.process, "RenderSynthesizedFormat"), arguments)
        elif clipboard.owner is not None:
            await send(call.thread, clipboard.owner, WM_RENDERFORMAT, number, 0)
    finally:
        clipboard.rendering -= 1
    return clipboard.formats.get(number)


async def release_clipboard(thread: Thread, window: Window) -> None:
    """A window is about to be destroyed: its clipboard's content is rendered now, or never."""
    clipboard = clipboard_of(thread)
    if clipboard.owner is not window:
        return
    await send(thread, window, WM_RENDERALLFORMATS, 0, 0)
    clipboard.release()
    if clipboard.thread is None and clipboard.close():
        await tell_changed(thread, clipboard)


async def _free_handles(call: Call, clipboard: Clipboard) -> None:
    """Have user32 free the process's handles of what is no longer there."""
    handles = client_of(call.process).clipboard
    for number, (handle, version) in tuple(handles.items()):
        found = clipboard.formats.get(number)
        if (found is None or found.version != version) and handles.pop(number, (0, 0))[0]:
            await _free(call, number, handle)


async def _free(call: Call, number: int, handle: int) -> None:
    arguments = user_structure(call.process, "free_cached_data_params").pack(format=number, handle=handle)
    await UserMode(call.thread).call(callback_code(call.process, "FreeCachedClipboardData"), arguments)


@user_function
def CallOneParam_EnumClipboardFormats(call: Call, number: int) -> int:
    clipboard = clipboard_of(call.thread)
    if clipboard.thread is not call.thread:
        return failed(call.thread, ERROR_CLIPBOARD_NOT_OPEN)
    failed(call.thread, 0)  # at the end there is no error
    return clipboard.after(number)
