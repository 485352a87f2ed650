"""Window classes, and what a process's user32 has told about itself.

Source: Microsoft "About Window Classes", "WNDCLASSEX", "RegisterClassEx" (search order, limits).
"""

from __future__ import annotations

from lswd.host.names import upcase
from lswd.kernel.window_procedure import Procedures

MOST_EXTRA = 0x10000  # bytes of a class, and of a window
MOST_CLASSES = 10000
CS_GLOBALCLASS = 0x4000


class WindowClass:
    """One class of a process.

    Attributes:
        name: of integer atoms ``#1234``; atom: its number.
        procedure: a handle (window_procedure), or an address.
        local: only of its module; others are found by every module of the process.
        menu_name: what user32 keeps with it (``client_menu_name``), as it lies in the guest.
        windows: how many there are of it.
    """

    __slots__ = (
        "atom", "background", "cursor", "extra", "icon", "instance", "local", "menu_name", "name", "procedure",
        "small_icon", "style", "window_extra", "windows",
    )  # fmt: skip

    def __init__(self, name: str, atom: int, procedure: int, instance: int, style: int = 0) -> None:
        self.name = name
        self.atom = atom
        self.procedure = procedure
        self.instance = instance
        self.style = style
        self.local = False
        self.extra = bytearray()
        self.window_extra = 0
        self.icon = self.small_icon = self.cursor = self.background = 0
        self.menu_name = b""
        self.windows = 0


class WindowClient:
    """What a process has of the window system: user32's procedures, and classes.

    Attributes:
        user32: where it lies.
        complete: user32 has registered its classes, or has begun to.
        clipboard: handles that stand for formats of the clipboard, and which version of the data each is.
    """

    __slots__ = ("_classes", "clipboard", "complete", "procedures", "user32")

    def __init__(self, procedures: list[tuple[int, int]], user32: int) -> None:
        self.procedures = Procedures(procedures)
        self.user32 = user32
        self.complete = False
        self.clipboard: dict[int, tuple[int, int]] = {}
        self._classes: list[WindowClass] = []

    def find(self, name: str, instance: int) -> WindowClass | None:
        """The class that a module means by a name: its own come first."""
        wanted = upcase(name)
        for found in self._classes:
            if upcase(found.name) == wanted and (
                not found.local or not instance or found.instance & ~0xFFFF == instance & ~0xFFFF
            ):
                return found
        return None

    def add(self, added: WindowClass) -> bool:
        """False: there is one of that name already, or too many."""
        wanted = upcase(added.name)
        for known in self._classes:
            same_module = known.instance & ~0xFFFF == added.instance & ~0xFFFF
            if upcase(known.name) == wanted and known.local == added.local and (same_module or not added.local):
                return False
        if len(self._classes) >= MOST_CLASSES:
            return False
        self._classes.insert(0 if added.local else len(self._classes), added)
        return True

    def remove(self, removed: WindowClass) -> None:
        """Nobody finds it any more."""
        self._classes.remove(removed)
