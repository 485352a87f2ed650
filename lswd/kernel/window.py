"""Windows: who is whose child and owner, in which order, and where. Nobody sees them.

All processes of a system share a desktop; its window, and the one whose children only get messages, belong to nobody.
A window's rectangles are in its parent's client coordinates.
Source: Microsoft "About Windows", "Window Features"; handles as Wine makes them, which programs print.
"""

from __future__ import annotations

from lswd.kernel.rectangle import Rectangle
from lswd.kernel.window_class import WindowClass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from lswd.kernel.process import Process
    from lswd.kernel.system import System
    from lswd.kernel.thread import Thread
    from lswd.kernel.update_region import Update

MOST_OF_A_PROCESS = 10000
MOST_DEEPLY_NESTED = 50
MOST_PROPERTIES = 10000
_FIRST, _STEP, _COUNT = 0x20, 2, 0x7FF0
SCREEN = Rectangle(0, 0, 1024, 768)
_MESSAGE_AREA = Rectangle(0, 0, 100, 100)

WS_POPUP, WS_CHILD, WS_VISIBLE, WS_DISABLED = 0x80000000, 0x40000000, 0x10000000, 0x08000000
WS_MINIMIZE, WS_MAXIMIZE, WS_CLIPSIBLINGS, WS_CAPTION = 0x20000000, 0x01000000, 0x04000000, 0x00C00000
WS_CLIPCHILDREN = 0x02000000


class Window:
    """See the module's docstring.

    Attributes:
        thread, process: whose it is; None for the two that are nobody's.
        children: topmost first.
        identifier: a child's number, or another's menu.
        procedure: a handle (window_procedure), or an address; unicode: it takes such texts.
        properties: by global atoms.
        needs_size: it has not been told its size yet, as it is when it is first shown.
        own_dc: the device context that it keeps, if it keeps one.
        update: what of it is to be painted.
        alive: it has not been destroyed.
    """

    __slots__ = (
        "alive", "children", "client", "dialog_info", "ex_style", "extra", "handle", "help_id", "icons", "identifier",
        "instance", "mdi_info", "needs_size", "normal", "own_dc", "owner", "parent", "procedure", "process",
        "properties", "rectangle", "style", "text", "thread", "unicode", "update", "user_data",
        "window_class",
    )  # fmt: skip

    def __init__(self, handle: int, window_class: WindowClass, parent: Window | None, thread: Thread | None) -> None:
        self.handle = handle
        self.window_class = window_class
        self.thread = thread
        self.process: Process | None = thread.process if thread is not None else None
        self.parent = parent
        self.owner: Window | None = None
        self.children: list[Window] = []
        self.style = self.ex_style = 0
        self.rectangle = self.client = self.normal = Rectangle()
        self.text = ""
        self.identifier = self.user_data = self.instance = 0
        self.dialog_info = self.mdi_info = self.help_id = 0
        self.extra = bytearray(window_class.window_extra)
        self.procedure = window_class.procedure
        self.unicode = True
        self.icons: dict[int, int] = {}
        self.properties: dict[int, int] = {}
        self.needs_size = False
        self.own_dc = 0
        self.update: Update | None = None
        self.alive = True

    @property
    def is_child(self) -> bool:
        """Of the kind that lives inside its parent."""
        return self.style & (WS_CHILD | WS_POPUP) == WS_CHILD

    @property
    def visible(self) -> bool:
        """It and all it lies in are shown."""
        window: Window | None = self
        while window is not None and window.parent is not None:
            if not window.style & WS_VISIBLE:
                return False
            window = window.parent
        return window is None or bool(window.style & WS_VISIBLE)

    @property
    def can_paint(self) -> bool:
        """It is shown, and neither it nor one it lies in is minimised."""
        window: Window | None = self
        while window is not None:
            if window.style & (WS_VISIBLE | WS_MINIMIZE) != WS_VISIBLE:
                return False
            window = window.parent
        return True

    def origin(self) -> tuple[int, int]:
        """Where the client area's corner lies on the screen."""
        x, y = self.client.left, self.client.top
        window = self.parent
        while window is not None:
            x, y = x + window.client.left, y + window.client.top
            window = window.parent
        return x, y

    def on_screen(self, rectangle: Rectangle) -> Rectangle:
        """One of its rectangles in coordinates of the screen."""
        return rectangle.moved(*self.parent.origin()) if self.parent is not None else rectangle

    def is_inside(self, other: Window) -> bool:
        """Is it a child of the other, or a child's child, ...?"""
        window = self.parent
        while window is not None and window is not other:
            window = window.parent
        return window is not None

    def depth(self) -> int:
        """How many windows it lies in."""
        depth, window = 0, self.parent
        while window is not None:
            depth, window = depth + 1, window.parent
        return depth

    def descendants(self) -> Iterator[Window]:
        """All that lie in it, each before its own."""
        for child in tuple(self.children):
            yield child
            yield from child.descendants()

    def move_to(self, parent: Window | None, at: int = 0) -> None:
        """Lie in another, as its topmost child or below ``at`` others; in none when there is no such."""
        if self.parent is not None and self in self.parent.children:
            self.parent.children.remove(self)
        self.parent = parent
        if parent is not None:
            parent.children.insert(at, self)

    def __repr__(self) -> str:
        return f"Window({self.handle:#x}, {self.window_class.name!r})"


class Windows:
    """All windows of a system, by their handles; a part of the System."""

    def __init__(self, system: System) -> None:
        self._slots: list[Window | None] = []
        self._generations: list[int] = []
        self._free: list[int] = []
        self._of_process: dict[Process, int] = {}
        self.desktop = self._root("#32769", 32769, SCREEN)
        self.desktop.style |= WS_VISIBLE
        self.messages = self._root("Message", 0, _MESSAGE_AREA)

    def _root(self, name: str, atom: int, area: Rectangle) -> Window:
        root = self._insert(WindowClass(name, atom, 0, 0), None, None)
        assert root is not None
        root.style = WS_POPUP | WS_CLIPSIBLINGS
        root.rectangle = root.client = root.normal = area
        return root

    def create(self, window_class: WindowClass, parent: Window, thread: Thread) -> Window | None:
        """A new one, below its siblings; None when there are too many."""
        count = self._of_process.get(thread.process, 0)
        if count >= MOST_OF_A_PROCESS:
            return None
        window = self._insert(window_class, parent, thread)
        if window is not None:
            self._of_process[thread.process] = count + 1
            window_class.windows += 1
            parent.children.append(window)
        return window

    def _insert(self, window_class: WindowClass, parent: Window | None, thread: Thread | None) -> Window | None:
        if self._free:
            index = self._free.pop(0)
        elif len(self._slots) < _COUNT:
            index = len(self._slots)
            self._slots.append(None)
            self._generations.append(0)
        else:
            return None
        generation = self._generations[index] = self._generations[index] % 0xFFFE + 1
        window = self._slots[index] = Window(generation << 16 | index * _STEP + _FIRST, window_class, parent, thread)
        return window

    def find(self, handle: int) -> Window | None:
        """The window of a handle; its upper half may be missing."""
        index, odd = divmod((handle & 0xFFFF) - _FIRST, _STEP)
        if odd or not 0 <= index < len(self._slots):
            return None
        window = self._slots[index]
        upper = handle >> 16 & 0xFFFF
        return window if window is not None and upper in (0, 0xFFFF, window.handle >> 16) else None

    def forget(self, window: Window) -> None:
        """It has been destroyed: nobody finds it any more. Its children go with it; those it owns lose their owner."""
        for child in tuple(window.children):
            self.forget(child)
        if not window.alive:
            return
        window.alive = False
        window.move_to(None)
        for other in self.desktop.children:
            if other.owner is window:
                other.owner = None
        index = ((window.handle & 0xFFFF) - _FIRST) // _STEP
        self._slots[index] = None
        self._free.append(index)
        window.window_class.windows -= 1
        if window.process is not None:
            left = self._of_process[window.process] - 1
            if left:
                self._of_process[window.process] = left
            else:
                del self._of_process[window.process]
        if window.thread is not None and window.thread.messages is not None:
            window.thread.messages.forget_window(window)

    def end_with(self, thread: Thread) -> None:
        """A thread's windows go when it ends, without being told."""
        for window in self.of_thread(thread):
            self.forget(window)

    def of_thread(self, thread: Thread) -> list[Window]:
        """All of a thread's."""
        return [window for window in self._slots if window is not None and window.thread is thread]
