"""Activating windows and giving them the focus: what is told to whom, in which order.

Source: Microsoft "WM_ACTIVATE", "WM_NCACTIVATE", "WM_ACTIVATEAPP", "WM_SETFOCUS", "WM_KILLFOCUS",
"SetForegroundWindow"; the order of messages measured with Wine.
"""

from __future__ import annotations

from lswd.kernel.input_state import Foreground, InputState
from lswd.kernel.window import WS_CHILD, WS_DISABLED, WS_MINIMIZE, WS_POPUP, WS_VISIBLE
from lswd.nt.user_procedure import windows_of
from lswd.nt.user_send import activate_other_thread, queue_of, send

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.kernel.thread import Thread
    from lswd.kernel.window import Window

WM_ACTIVATE, WM_SETFOCUS, WM_KILLFOCUS, WM_ACTIVATEAPP, WM_NCACTIVATE, WM_QUERYNEWPALETTE = 6, 7, 8, 0x1C, 0x86, 0x30F
WA_INACTIVE, WA_ACTIVE = 0, 1


def input_of(thread: Thread) -> InputState:
    """A thread's input state."""
    return queue_of(thread).input


def foreground_of(thread: Thread) -> Foreground:
    """The system's."""
    return thread.process.system.part(Foreground)


def _handle(window: Window | None) -> int:
    return window.handle if window is not None else 0


def _activation(kind: int, window: Window) -> int:
    """WM_ACTIVATE's first parameter."""
    return kind | int(bool(window.style & WS_MINIMIZE)) << 16


async def set_active(thread: Thread, window: Window | None, *, focus: bool = True) -> bool:
    """Make a top-level window of the thread the active one, or none; False when it has gone meanwhile.

    Args:
        focus: give it the focus, too, unless one of its children has it.
    """
    state = input_of(thread)
    previous = state.active
    if previous is window:
        return True
    if previous is not None:
        await send(thread, previous, WM_NCACTIVATE, 0, _handle(window))
        await send(thread, previous, WM_ACTIVATE, _activation(WA_INACTIVE, previous), _handle(window))
    state.active = window
    if window is not None:
        await send(thread, window, WM_QUERYNEWPALETTE, 0, 0)
        if not window.alive:
            return False
    await _tell_threads(thread, previous, window)
    if window is not None and window.alive:
        await send(thread, window, WM_NCACTIVATE, int(foreground_of(thread).window is window), _handle(previous))
        await send(thread, window, WM_ACTIVATE, _activation(WA_ACTIVE, window), _handle(previous))
    if focus and state.active is window:
        has = state.focus
        if window is None or has is None or not (has is window or has.is_inside(window)):
            await set_focus(thread, window)
    return window is None or window.alive


async def _tell_threads(thread: Thread, previous: Window | None, window: Window | None) -> None:
    """WM_ACTIVATEAPP to the top-level windows of threads that lose or get the active window."""
    old = previous.thread if previous is not None else None
    new = window.thread if window is not None else None
    if old is new:
        return
    for told, activated, other in ((old, 0, new), (new, 1, old)):
        if told is None:
            continue
        for top in tuple(windows_of(thread).desktop.children):
            if top.thread is told and top.alive:
                await send(thread, top, WM_ACTIVATEAPP, activated, other.tid if other is not None else 0)


async def set_focus(thread: Thread, window: Window | None) -> None:
    """Give a window of the active one's, or none, the focus."""
    state = input_of(thread)
    previous = state.focus
    if previous is window:
        return
    state.focus = window
    if previous is not None:
        await send(thread, previous, WM_KILLFOCUS, _handle(window), 0)
        if state.focus is not window:
            return
    if window is not None and window.alive:
        await send(thread, window, WM_SETFOCUS, _handle(previous), 0)


async def focus(thread: Thread, window: Window | None) -> int:
    """What SetFocus does; which window had it."""
    state = input_of(thread)
    if window is not None:
        if state.focus is window:
            return window.handle
        top = _focusable(thread, window)
        if top is None:
            return 0
        if top is not state.active and (
            not await set_active(thread, top, focus=False) or not window.alive or state.active is not top
        ):
            return 0
    previous = state.focus
    await set_focus(thread, window)
    return _handle(previous)


async def lose_focus(thread: Thread, window: Window) -> None:
    """Neither a window nor any that lies in it has the focus."""
    has = input_of(thread).focus
    if has is not None and (has is window or has.is_inside(window)):
        await set_focus(thread, None)


def _focusable(thread: Thread, window: Window) -> Window | None:
    """The top-level window of one that can have the focus."""
    windows = windows_of(thread)
    while not window.style & (WS_MINIMIZE | WS_DISABLED):
        if not window.style & WS_CHILD or window.parent is None or window.parent is windows.desktop:
            return window
        if window.parent is windows.messages:
            return None
        window = window.parent
    return None


async def set_foreground(thread: Thread, window: Window | None) -> bool:
    """What SetForegroundWindow does, for a window of any thread."""
    foreground = foreground_of(thread)
    before = foreground.thread
    owner = window.thread if window is not None else thread
    if owner is None:
        return False
    foreground.thread = owner
    if before is not None and not before.terminated and input_of(before) is not input_of(owner):
        await _activate_in(thread, before, None)
    return await _activate_in(thread, owner, window)


async def _activate_in(thread: Thread, other: Thread, window: Window | None) -> bool:
    """Another thread is asked to do it, and nobody waits for it."""
    if other is thread:
        return await set_active(thread, window)
    active = input_of(other).active
    if window is not None or active is not None:
        activate_other_thread(thread, window or active, window)  # type: ignore[arg-type]
    return True


async def activate_another(thread: Thread, window: Window) -> None:
    """The active window is about to go: its owner, or the next one, becomes active."""
    other = _next_active(thread, window)
    front = foreground_of(thread).window
    if front is None or front is window:
        await set_foreground(thread, other)
    elif other is None or other.thread is not thread or not await set_active(thread, other):
        await set_active(thread, None)


def _next_active(thread: Thread, window: Window) -> Window | None:
    if window.style & WS_POPUP and window.owner is not None and _can_be_active(window.owner):
        return window.owner
    siblings = windows_of(thread).desktop.children
    at = siblings.index(window) if window in siblings else 0
    return next((each for each in [*siblings[at + 1 :], *siblings[:at]] if _can_be_active(each)), None)


def _can_be_active(window: Window) -> bool:
    return (
        window.thread is not None and window.style & (WS_VISIBLE | WS_DISABLED) == WS_VISIBLE and not window.is_child)
