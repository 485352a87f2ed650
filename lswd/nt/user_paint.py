"""Painting: who is told to, and when. Nothing of what is drawn is kept.

A window gets WM_NCPAINT and WM_ERASEBKGND when it is shown or changes its size, by BeginPaint, or at once when a
program asks for that; WM_PAINT comes from the queue, once nothing else is there, or at once by UpdateWindow.
Source: Microsoft "Painting and Drawing", "BeginPaint", "RedrawWindow", "UpdateWindow", "GetUpdateRect", "WM_NCPAINT".
"""

from __future__ import annotations

from lswd.kernel.gdi import region as regions
from lswd.kernel.gdi.device_context import DeviceContext
from lswd.kernel.gdi.handle_table import gdi_handles
from lswd.kernel.gdi.objects import delete
from lswd.kernel.gdi.region import Region
from lswd.kernel.message_queue import WM_PAINT
from lswd.kernel.rectangle import Rectangle
from lswd.kernel.update_region import (
    RDW_ALLCHILDREN,
    RDW_ERASE,
    RDW_ERASENOW,
    RDW_FRAME,
    RDW_INVALIDATE,
    RDW_NOCHILDREN,
    RDW_UPDATENOW,
    RDW_VALIDATE,
    Update,
    inner_area,
    outer_area,
    redraw,
    settle,
    update_region,
    visible_part,
)
from lswd.kernel.window import WS_CLIPCHILDREN
from lswd.nt.declare import Call, syscall
from lswd.nt.gdi_lookup import context, found, new_handle, region
from lswd.nt.gdi_region import read_box
from lswd.nt.user_dc import NtUserReleaseDC, window_context
from lswd.nt.user_display import RECT
from lswd.nt.user_failure import ERROR_INVALID_HANDLE, failed
from lswd.nt.user_procedure import find_window, windows_of
from lswd.nt.user_send import send
from lswd.ntdef.types import BOOL, HANDLE, LONG, PVOID, ULONG, Struct, raw

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from lswd.kernel.gdi.region import Band
    from lswd.kernel.thread import Thread
    from lswd.kernel.window import Window

WM_ERASEBKGND, WM_NCPAINT = 0x14, 0x85
_WHOLE = 1  # instead of WM_NCPAINT's region


class PAINTSTRUCT(Struct):
    hdc: HANDLE
    fErase: BOOL
    rcPaint: RECT
    fRestore: BOOL
    fIncUpdate: BOOL
    rgbReserved: bytes = raw(32)


async def erase(thread: Thread, window: Window, *, children: bool) -> None:
    """Have a window paint its frame and erase its background, and those that lie in it; only the thread's own."""
    for each in (window, *(window.descendants() if children else ())):
        if each.alive and each.thread is thread and each.update is not None and each.can_paint:
            await _frame(thread, each)
            if each.alive:
                await _background(thread, each)


async def _frame(thread: Thread, window: Window) -> None:
    """WM_NCPAINT; what is left to paint is in the client area."""
    update = window.update
    if update is None:
        return
    if update.frame:
        outer = outer_area(window)
        whole = list(update.bands) == regions.rectangle(*outer)
        call, handle = Call(thread), _WHOLE
        if not whole:
            handle = new_handle(call, Region(regions.moved(update.bands, *window.origin())))
        update.frame = False
        try:
            await send(thread, window, WM_NCPAINT, handle, 0)
        finally:
            known = None if whole else found(call, handle, Region)
            if known is not None:
                delete(gdi_handles(thread.process), known)
    if window.alive and window.update is update:
        update.bands = regions.clipped(update.bands, inner_area(window))
        settle(window, update)


async def _background(thread: Thread, window: Window) -> None:
    """WM_ERASEBKGND; a window that does not erase is told so by BeginPaint."""
    update = window.update
    if update is None or not update.erase:
        return
    update.erase = False
    call = Call(thread)
    handle = _context(call, window, update.bands)
    if not handle:
        return
    try:
        update.refused = not await send(thread, window, WM_ERASEBKGND, handle, 0)
    finally:
        NtUserReleaseDC(call, window.handle, handle)


def _context(call: Call, window: Window, bands: Sequence[Band]) -> int:
    """A device context that draws to the window's own part of these bands."""
    handle = window_context(call, window.handle, 0)
    made = found(call, handle, DeviceContext) if handle else None
    if made is not None:
        made.shown = regions.combine(visible_part(window, inner_area(window)), bands, regions.RGN_AND)
    return handle


async def begin(thread: Thread, window: Window) -> PAINTSTRUCT | None:
    """What BeginPaint does; None when there is nothing to draw with any more."""
    call = Call(thread)
    if window.thread is thread:
        await _frame(thread, window)
        if window.alive:
            await _background(thread, window)
    if not window.alive:
        return None
    update = window.update or Update()
    bands = update_region(window)
    settle(window, Update())
    handle = _context(call, window, bands)
    made = found(call, handle, DeviceContext) if handle else None
    if made is None:
        return None
    box = Rectangle(*regions.box_of(made.system_region()))
    return PAINTSTRUCT(hdc=handle, fErase=int(update.refused), rcPaint=RECT.unpack(call.word, box.pack()))


async def paint_by_default(thread: Thread, window: Window) -> None:
    """What DefWindowProc does for WM_PAINT."""
    begun = await begin(thread, window)
    if begun is not None:
        NtUserReleaseDC(Call(thread), window.handle, begun.hdc)


@syscall(partial="what is drawn is not kept")
async def NtUserBeginPaint(call: Call, hwnd: HANDLE, ps: PVOID) -> HANDLE:
    window = find_window(call, hwnd) if hwnd else None
    if window is None:
        return 0 if hwnd else failed(call.thread, ERROR_INVALID_HANDLE)
    begun = await begin(call.thread, window)
    if begun is None:
        return 0
    call.space.write(ps, begun.pack(call.word))
    return begun.hdc


@syscall
def NtUserEndPaint(call: Call, hwnd: HANDLE, ps: PVOID) -> BOOL:
    NtUserReleaseDC(call, hwnd, PAINTSTRUCT.unpack(call.word, call.space.read(ps, PAINTSTRUCT.size(call.word))).hdc)
    return 1


async def _redraw(call: Call, hwnd: int, bands: Sequence[Band] | None, flags: int) -> int:
    """RedrawWindow: update regions change, then messages are sent."""
    window = find_window(call, hwnd) if hwnd else windows_of(call.thread).desktop
    if window is None:
        return 0
    redraw(window, bands, flags)
    children = not flags & RDW_NOCHILDREN and (bool(flags & RDW_ALLCHILDREN) or not window.style & WS_CLIPCHILDREN)
    if flags & RDW_UPDATENOW:
        for each in (window, *(window.descendants() if children else ())):
            if each.alive and each.thread is call.thread and each.update is not None and each.can_paint:
                if not each.update.bands:
                    settle(each, Update())
                await send(call.thread, each, WM_PAINT, 0, 0)
    elif flags & RDW_ERASENOW:
        await erase(call.thread, window, children=children)
    return 1


def _bands(call: Call, rect: int) -> Sequence[Band] | None:
    return regions.rectangle(*read_box(call, rect)) if rect else None


async def _redraw_region(call: Call, hwnd: int, hrgn: int, flags: int) -> int:
    known = region(call, hrgn) if hrgn else None
    return 0 if hrgn and known is None else await _redraw(call, hwnd, known.bands if known else None, flags)


@syscall(partial="windows of other threads paint later")
async def NtUserRedrawWindow(call: Call, hwnd: HANDLE, rect: PVOID, hrgn: HANDLE, flags: ULONG) -> BOOL:
    if hrgn:
        return await _redraw_region(call, hwnd, hrgn, flags)
    return await _redraw(call, hwnd, _bands(call, rect), flags)


@syscall
async def NtUserInvalidateRect(call: Call, hwnd: HANDLE, rect: PVOID, erase: BOOL) -> BOOL:
    """Without a window: all of them, at once."""
    if not hwnd:
        return await _everything(call)
    return await _redraw(call, hwnd, _bands(call, rect), RDW_INVALIDATE | (RDW_ERASE if erase else 0))


async def _everything(call: Call) -> int:
    return await _redraw(call, 0, None, RDW_INVALIDATE | RDW_FRAME | RDW_ERASE | RDW_ERASENOW | RDW_ALLCHILDREN)


@syscall
async def NtUserInvalidateRgn(call: Call, hwnd: HANDLE, hrgn: HANDLE, erase: BOOL) -> BOOL:
    if not hwnd:
        return await _everything(call)
    return await _redraw_region(call, hwnd, hrgn, RDW_INVALIDATE | (RDW_ERASE if erase else 0))


@syscall
async def NtUserValidateRect(call: Call, hwnd: HANDLE, rect: PVOID) -> BOOL:
    if not hwnd:
        return await _everything(call)
    return await _redraw(call, hwnd, _bands(call, rect), RDW_VALIDATE | RDW_NOCHILDREN)


@syscall
async def NtUserGetUpdateRgn(call: Call, hwnd: HANDLE, hrgn: HANDLE, erased: BOOL) -> LONG:
    known, window = region(call, hrgn), find_window(call, hwnd)
    if known is None or window is None:
        return regions.ERROR
    known.bands = update_region(window)
    if erased:
        await erase(call.thread, window, children=False)
    return known.complexity


@syscall
async def NtUserGetUpdateRect(call: Call, hwnd: HANDLE, rect: PVOID, erased: BOOL) -> BOOL:
    window = find_window(call, hwnd)
    if window is None:
        return 0
    bands = update_region(window)
    if erased:
        await erase(call.thread, window, children=False)
    if rect:
        call.space.write(rect, Rectangle(*regions.box_of(bands)).pack())
    return int(bool(bands))


@syscall
def NtUserExcludeUpdateRgn(call: Call, hdc: HANDLE, hwnd: HANDLE) -> LONG:
    """Clip a device context to what is valid."""
    dc, window = context(call, hdc), find_window(call, hwnd)
    if dc is None or window is None:
        return regions.ERROR
    clip = dc.clip if dc.clip is not None else regions.rectangle(*dc.extent)
    dc.clip = regions.combine(clip, update_region(window), regions.RGN_DIFF)
    return Region(dc.visible()).complexity
