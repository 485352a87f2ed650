"""Update regions: how many parts they may have, and when a queue tells of them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

from lswd.kernel.deadline import Deadlines
from lswd.kernel.gdi import region as regions
from lswd.kernel.message_queue import QS_PAINT, WM_PAINT, MessageQueue
from lswd.kernel.rectangle import Rectangle
from lswd.kernel.thread import Thread
from lswd.kernel.update_region import RDW_INVALIDATE, RDW_VALIDATE, redraw, update_region
from lswd.kernel.window import WS_MINIMIZE, WS_VISIBLE, Window
from lswd.kernel.window_class import WindowClass


def _window() -> tuple[Window, MessageQueue]:
    queue = MessageQueue(Deadlines())
    window = Window(0x10020, WindowClass("A", 0xC000, 0, 0), None, None)
    window.thread = cast(Thread, SimpleNamespace(messages=queue))
    window.style = WS_VISIBLE
    window.rectangle = window.client = Rectangle(0, 0, 20000, 20000)
    return window, queue


def test_a_region_of_too_many_parts_becomes_a_rectangle() -> None:
    window, _ = _window()
    for i in range(1200):
        redraw(window, regions.rectangle(i * 4, i * 4, i * 4 + 1, i * 4 + 1), RDW_INVALIDATE)
        assert window.update is not None and len(window.update.bands) <= 1000
    assert regions.contains(update_region(window), 4 * 1199, 4 * 1199)


def test_wm_paint_stays_until_the_region_is_valid() -> None:
    window, queue = _window()
    redraw(window, None, RDW_INVALIDATE)
    for _ in range(2):
        message = queue.take(0, 0xFFFFFFFF, remove=True)
        assert message is not None and message.code == WM_PAINT and queue.there() & QS_PAINT
    redraw(window, None, RDW_VALIDATE)
    assert queue.take(0, 0xFFFFFFFF, remove=True) is None and not queue.there()


def test_a_minimised_window_has_nothing_to_paint() -> None:
    window, queue = _window()
    redraw(window, None, RDW_INVALIDATE)
    window.style |= WS_MINIMIZE
    assert not update_region(window) and queue.take(0, 0xFFFFFFFF, remove=True) is None and not queue.there()


def test_a_smaller_window_can_still_be_made_valid() -> None:
    window, queue = _window()
    redraw(window, None, RDW_INVALIDATE)
    window.rectangle = window.client = Rectangle(0, 0, 10, 10)
    redraw(window, None, RDW_VALIDATE)
    assert not queue.there()
