"""What of windows is to be painted: update regions. That nobody sees a window changes nothing of it.

An update region is in the window's client coordinates; what lies outside the client area is of its frame. Windows at
the top do not cover each other: each is painted whole, as where a desktop is composed.
Source: Microsoft "The Update Region", "RedrawWindow", "BeginPaint".
"""

from __future__ import annotations

from lswd.kernel.gdi import region as regions
from lswd.kernel.rectangle import Rectangle
from lswd.kernel.window import WS_CLIPCHILDREN, WS_MINIMIZE, WS_VISIBLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from lswd.kernel.gdi.region import Band
    from lswd.kernel.window import Window

RDW_INVALIDATE, RDW_INTERNALPAINT, RDW_ERASE, RDW_VALIDATE, RDW_NOINTERNALPAINT, RDW_NOERASE = 1, 2, 4, 8, 0x10, 0x20
RDW_NOCHILDREN, RDW_ALLCHILDREN, RDW_UPDATENOW, RDW_ERASENOW = 0x40, 0x80, 0x100, 0x200
RDW_FRAME, RDW_NOFRAME = 0x400, 0x800
_MOST_BANDS, _MOST_WALLS = 1000, 10000  # of an update region; a rectangle takes the place of one of more


class Update:
    """What one window has to paint.

    Attributes:
        bands: the region. frame: of it, the frame is to be painted, too. erase: WM_ERASEBKGND is to be sent.
        refused: it has been, and the window left erasing to WM_PAINT. internal: WM_PAINT comes without a region.
    """

    __slots__ = ("bands", "erase", "frame", "internal", "refused")

    def __init__(self) -> None:
        self.bands: Sequence[Band] = ()
        self.frame = self.erase = self.refused = self.internal = False


def inner_area(window: Window) -> Rectangle:
    """The client area, in client coordinates."""
    return Rectangle(0, 0, window.client.width, window.client.height)


def outer_area(window: Window) -> Rectangle:
    """The whole window, in client coordinates."""
    return window.rectangle.moved(-window.client.left, -window.client.top)


def visible_part(window: Window, area: Rectangle) -> list[Band]:
    """The part of an area that is the window's own: of WS_CLIPCHILDREN, without the children."""
    bands = regions.rectangle(*area)
    if window.style & WS_CLIPCHILDREN:
        for child in window.children:
            if child.style & WS_VISIBLE:
                bands = regions.combine(bands, regions.rectangle(*child.rectangle), regions.RGN_DIFF)
    return bands


def update_region(window: Window) -> Sequence[Band]:
    """What of its client area is to be painted now."""
    update = window.update
    return regions.clipped(update.bands, inner_area(window)) if update is not None and window.can_paint else ()


def redraw(window: Window, bands: Sequence[Band] | None, flags: int) -> None:
    """What RedrawWindow does to update regions; nothing is sent.

    Args:
        bands: in client coordinates; None: the whole window. flags: RDW_*.
    """
    if not window.can_paint:
        return
    area = outer_area(window) if flags & (RDW_FRAME | RDW_VALIDATE) else inner_area(window)
    part = regions.rectangle(*area) if bands is None else regions.clipped(bands, area)
    if window.thread is not None:
        _change(window, part, flags, whole=bands is None)
    children = flags & RDW_ALLCHILDREN or not window.style & WS_CLIPCHILDREN
    if flags & RDW_NOCHILDREN or not children or not flags & (RDW_INVALIDATE | RDW_VALIDATE):
        return
    if flags & RDW_INVALIDATE:
        flags |= RDW_FRAME | RDW_ERASE
    inside = regions.clipped(part, inner_area(window))
    for child in window.children:
        if child.style & WS_VISIBLE:
            within = regions.clipped(inside, child.rectangle)
            if within:
                redraw(child, regions.moved(within, -child.client.left, -child.client.top), flags)


def _change(window: Window, part: Sequence[Band], flags: int, *, whole: bool) -> None:
    update = window.update or Update()
    if flags & RDW_INVALIDATE and part:
        update.bands = _limited(regions.combine(update.bands, part, regions.RGN_OR))
        update.frame |= bool(flags & RDW_FRAME)
        update.erase |= bool(flags & RDW_ERASE)
    elif flags & RDW_VALIDATE:
        update.bands = _limited([] if whole else regions.combine(update.bands, part, regions.RGN_DIFF))
        update.frame &= not flags & RDW_NOFRAME
        if flags & RDW_NOERASE:
            update.erase = update.refused = False
    if flags & RDW_INTERNALPAINT:
        update.internal = True
    elif flags & RDW_NOINTERNALPAINT:
        update.internal = False
    settle(window, update)


def _limited(bands: list[Band]) -> list[Band]:
    many = len(bands) > _MOST_BANDS or sum(len(walls) for _, _, walls in bands) > _MOST_WALLS
    return regions.rectangle(*regions.box_of(bands)) if many else bands


def settle(window: Window, update: Update) -> None:
    """Keep what is left to paint, and have the window's thread know."""
    if not update.bands:
        update.frame = update.erase = update.refused = False
    queue = window.thread.messages if window.thread is not None else None
    window.update = update if update.bands or update.internal else None
    if queue is not None:
        if window.update is None:
            queue.unpainted.pop(window, None)
        else:
            queue.to_paint(window)


def forget(window: Window) -> None:
    """It is shown no more, and what lies in it: nothing is to be painted."""
    for each in (window, *window.descendants()):
        if each.update is not None:
            settle(each, Update())


def uncover(window: Window, before: Rectangle | None) -> Window | None:
    """A child has left a part of its parent, or all it had there; the parent, if that has to paint it."""
    parent = window.parent
    if parent is None or parent.thread is None or before is None or not parent.can_paint:
        return None
    left = regions.rectangle(*before)
    if window.style & WS_VISIBLE and not window.style & WS_MINIMIZE:
        left = regions.combine(left, regions.rectangle(*window.rectangle), regions.RGN_DIFF)
    if not left:
        return None
    redraw(parent, left, RDW_INVALIDATE | RDW_ERASE | RDW_ALLCHILDREN)
    return parent
