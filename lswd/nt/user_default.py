"""What windows do of themselves: DefWindowProc's part in the kernel. Nobody types.

Source: Microsoft "DefWindowProc", and the pages of the messages; what user32 leaves to the kernel, seen in its calls.
"""

from __future__ import annotations

from lswd.kernel.rectangle import SIZE, Rectangle
from lswd.kernel.user_callback import UserMode
from lswd.kernel.window import WS_MINIMIZE, WS_VISIBLE, Window
from lswd.nt.user_activate import WM_ACTIVATE, focus
from lswd.nt.user_frame import has_limits, inner, size_limits
from lswd.nt.user_place import (
    SWP_NOCLIENTMOVE,
    SWP_NOCLIENTSIZE,
    SWP_NOSIZE,
    SWP_STATECHANGED,
    WINDOWPOS,
    WM_MOVE,
    WM_SIZE,
    size_kind,
    two_words,
)
from lswd.nt.user_send import send
from lswd.nt.user_text import length, put_text, read_text
from lswd.ntdef.types import HANDLE, LONG, PVOID, ULONG, Struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import TypeAlias

    from lswd.kernel.thread import Thread

    Answer: TypeAlias = Callable[[Thread, Window, int, int, bool], Awaitable[int]]

WM_CLOSE, WM_SYSCOMMAND, SC_CLOSE = 0x10, 0x112, 0xF060
_IS_NUMBER = 0x10000  # "texts" below are numbers of atoms or resources


class CREATESTRUCT(Struct):
    lpCreateParams: PVOID
    hInstance: HANDLE
    hMenu: HANDLE
    hwndParent: HANDLE
    cy: LONG
    cx: LONG
    y: LONG
    x: LONG
    style: ULONG
    lpszName: PVOID
    lpszClass: PVOID
    dwExStyle: ULONG


# What is answered without a look: WM_QUERYENDSESSION, WM_QUERYOPEN, WM_MOUSEACTIVATE (MA_ACTIVATE), WM_NCHITTEST
# (HTCLIENT), WM_NCACTIVATE, WM_VKEYTOITEM and WM_CHARTOITEM (nothing was done).
_FIXED = {0x11: 1, 0x13: 1, 0x21: 1, 0x84: 1, 0x86: 1, 0x2E: -1, 0x2F: -1}


async def default_procedure(
    thread: Thread, window: Window, message: int, first: int, second: int, *, ansi: bool
) -> int:
    """What DefWindowProc answers.

    Raises:
        NtError: a parameter cannot be read.
    """
    own = _ANSWERS.get(message)
    return _FIXED.get(message, 0) if own is None else await own(thread, window, first, second, ansi)


async def _created(thread: Thread, window: Window, first: int, second: int, ansi: bool) -> int:
    word = thread.process.space.word
    told = CREATESTRUCT.unpack(word, thread.process.space.read(second, CREATESTRUCT.size(word)))
    if told.lpszName >= _IS_NUMBER:
        window.text = read_text(thread.process, told.lpszName, ansi=ansi)
    return 1


async def _client_area(thread: Thread, window: Window, first: int, second: int, ansi: bool) -> int:
    space = thread.process.space
    space.write(second, inner(window, Rectangle.unpack(space.read(second, SIZE))).pack())
    return 0


async def _changing(thread: Thread, window: Window, first: int, second: int, ansi: bool) -> int:
    space = thread.process.space
    position = WINDOWPOS.unpack(space.word, space.read(second, WINDOWPOS.size(space.word)))
    if not position.flags & SWP_NOSIZE and has_limits(window.style):
        _, _, _, _, least_x, least_y, most_x, most_y = await size_limits(thread, window, UserMode(thread))
        position.cx = max(min(position.cx, most_x), least_x)
        position.cy = max(min(position.cy, most_y), least_y)
        space.write(second, position.pack(space.word))
    return 0


async def _changed(thread: Thread, window: Window, first: int, second: int, ansi: bool) -> int:
    space = thread.process.space
    flags = WINDOWPOS.unpack(space.word, space.read(second, WINDOWPOS.size(space.word))).flags
    if not flags & SWP_NOCLIENTMOVE:
        await send(thread, window, WM_MOVE, 0, two_words(*window.client[:2]))
    if not flags & SWP_NOCLIENTSIZE or flags & SWP_STATECHANGED:
        await send(thread, window, WM_SIZE, size_kind(window), two_words(window.client.width, window.client.height))
    return 0


async def _set_text(thread: Thread, window: Window, first: int, second: int, ansi: bool) -> int:
    window.text = read_text(thread.process, second, ansi=ansi) if second else ""
    return 1


async def _get_text(thread: Thread, window: Window, first: int, second: int, ansi: bool) -> int:
    return put_text(thread.process, second, min(first, 0x7FFFFFFF), window.text, ansi=ansi)


async def _text_length(thread: Thread, window: Window, first: int, second: int, ansi: bool) -> int:
    return length(thread.process, window.text, ansi=ansi)


async def _activated(thread: Thread, window: Window, first: int, second: int, ansi: bool) -> int:
    if first & 0xFFFF and not window.style & WS_MINIMIZE:
        await focus(thread, window)
    return 0


async def _close(thread: Thread, window: Window, first: int, second: int, ansi: bool) -> int:
    from lswd.nt.user_window import destroy

    if window.thread is thread:
        await destroy(thread, window)
    return 0


async def _command(thread: Thread, window: Window, first: int, second: int, ansi: bool) -> int:
    if first & 0xFFF0 == SC_CLOSE:
        await send(thread, window, WM_CLOSE, 0, 0)
    return 0


async def _set_redraw(thread: Thread, window: Window, first: int, second: int, ansi: bool) -> int:
    window.style = window.style | WS_VISIBLE if first else window.style & ~WS_VISIBLE
    if not first:
        from lswd.kernel.update_region import forget

        forget(window)
    return 0


async def _paint(thread: Thread, window: Window, first: int, second: int, ansi: bool) -> int:
    from lswd.nt.user_paint import paint_by_default

    if window.thread is thread:
        await paint_by_default(thread, window)
    return 0


async def _erase(thread: Thread, window: Window, first: int, second: int, ansi: bool) -> int:
    """Without a brush nothing is erased, which is the window's part then."""
    return int(bool(window.window_class.background))


async def _get_icon(thread: Thread, window: Window, first: int, second: int, ansi: bool) -> int:
    return window.icons.get(first, 0)


async def _set_icon(thread: Thread, window: Window, first: int, second: int, ansi: bool) -> int:
    previous = window.icons.get(first, 0)
    if first <= 2:
        window.icons[first] = second
    return previous


_ANSWERS: dict[int, Answer] = {
    WM_ACTIVATE: _activated, 0x0F: _paint, 0x14: _erase,
    0x0B: _set_redraw, 0x0C: _set_text, 0x0D: _get_text, 0x0E: _text_length, WM_CLOSE: _close, 0x46: _changing,
    0x47: _changed, 0x7F: _get_icon, 0x80: _set_icon, 0x81: _created, 0x83: _client_area, WM_SYSCOMMAND: _command,
}  # fmt: skip
