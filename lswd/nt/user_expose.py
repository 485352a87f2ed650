"""What windows have to paint once their place, size or visibility has changed. Those at the top do not uncover others.

Source: Microsoft "SetWindowPos", "WM_NCCALCSIZE", "Window Class Styles" (CS_HREDRAW, CS_VREDRAW).
"""

from __future__ import annotations

from lswd.kernel.gdi import region as regions
from lswd.kernel.update_region import (
    RDW_ALLCHILDREN,
    RDW_ERASE,
    RDW_FRAME,
    RDW_INVALIDATE,
    forget,
    outer_area,
    redraw,
    uncover,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.kernel.rectangle import Rectangle
    from lswd.kernel.window import Window

_CS_VREDRAW, _CS_HREDRAW = 1, 2
_ALL = RDW_INVALIDATE | RDW_FRAME | RDW_ERASE | RDW_ALLCHILDREN


def shown(window: Window) -> None:
    """It is shown now: all of it is to be painted."""
    redraw(window, None, _ALL)


def hidden(window: Window, before: Rectangle) -> Window | None:
    """It is no more shown, which it was there; the parent, if that has something to paint."""
    forget(window)
    return uncover(window, before)


def placed(window: Window, before: Rectangle, client: Rectangle, *, resized: bool, keeps: bool) -> Window | None:
    """It lies elsewhere or has another size; the parent, if that has something to paint.

    Args:
        before, client: where it and its client area were. resized: or its frame has changed. keeps: what the client
            area shows stays valid.
    """
    if resized:
        style = window.window_class.style
        width, height = min(client.width, window.client.width), min(client.height, window.client.height)
        if style & _CS_HREDRAW and client.width != window.client.width:
            keeps = False
        if style & _CS_VREDRAW and client.height != window.client.height:
            keeps = False
        valid = regions.rectangle(0, 0, width, height) if keeps else []
        redraw(window, regions.combine(regions.rectangle(*outer_area(window)), valid, regions.RGN_DIFF), _ALL)
    elif not keeps:
        redraw(window, None, _ALL)
    return uncover(window, before)
