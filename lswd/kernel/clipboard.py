"""The clipboard that all processes of a system share: formats with their data, who owns it, who is told of changes.

Data is kept as bytes that user32 has made of its handles. A format without data is rendered by the owner when somebody
asks for it, or made by user32 from another one (``source``): texts of each other, bitmaps of each other.
Source: Microsoft "About the Clipboard", "Clipboard Formats" (synthesized formats); their order measured with Wine.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.kernel.process import Process
    from lswd.kernel.system import System
    from lswd.kernel.thread import Thread
    from lswd.kernel.window import Window

CF_TEXT, CF_BITMAP, CF_METAFILEPICT, CF_OEMTEXT, CF_DIB = 1, 2, 3, 7, 8
CF_UNICODETEXT, CF_ENHMETAFILE, CF_LOCALE, CF_DIBV5 = 13, 14, 16, 17
TEXTS = (CF_TEXT, CF_OEMTEXT, CF_UNICODETEXT)
MOST_BYTES = 1 << 28
MOST_LISTENERS = 10000
# What is made of what: the first that is there.
_SOURCES = (
    (CF_TEXT, (CF_UNICODETEXT, CF_OEMTEXT)),
    (CF_OEMTEXT, (CF_UNICODETEXT, CF_TEXT)),
    (CF_UNICODETEXT, (CF_TEXT, CF_OEMTEXT)),
    (CF_METAFILEPICT, (CF_ENHMETAFILE,)),
    (CF_ENHMETAFILE, (CF_METAFILEPICT,)),
    (CF_BITMAP, (CF_DIB, CF_DIBV5)),
    (CF_DIB, (CF_BITMAP, CF_DIBV5)),
    (CF_DIBV5, (CF_DIB, CF_BITMAP)),
)


class Format:
    """One format.

    Attributes:
        data: None: not rendered yet. source: the format it is made of, 0 when it has been set.
        version: another number for each data.
    """

    __slots__ = ("data", "number", "source", "version")

    def __init__(self, number: int, data: bytes | None, source: int = 0, version: int = 0) -> None:
        self.number = number
        self.data = data
        self.source = source
        self.version = version


class Clipboard:
    """See the module's docstring; a part of the System.

    Attributes:
        thread: who has opened it; window: for which window.
        owner: whose window's the content is, if any's.
        viewer: the first of the chain; listeners: windows that are posted WM_CLIPBOARDUPDATE.
        sequence: changes with the content.
        rendering: how many are being rendered just now.
    """

    def __init__(self, system: System) -> None:
        self.thread: Thread | None = None
        self.window: Window | None = None
        self.owner: Window | None = None
        self.viewer: Window | None = None
        self.listeners: list[Window] = []
        self.sequence = 1
        self.rendering = 0
        self.formats: dict[int, Format] = {}
        self._locale = 0
        self._told = 1
        self._version = 0

    def settle(self) -> None:
        """Let go of windows and threads that are gone."""
        if self.thread is not None and self.thread.terminated:
            self.close()
        if self.window is not None and not self.window.alive:
            self.window = None
        if self.owner is not None and not self.owner.alive:
            self.release()
        if self.viewer is not None and not self.viewer.alive:
            self.viewer = None
        self.listeners = [window for window in self.listeners if window.alive]

    def open(self, thread: Thread, window: Window | None) -> bool:
        """False: another window's, or another thread, has it."""
        if self.thread is not None and (self.window is not window or (window is None and self.thread is not thread)):
            return False
        self.thread, self.window = thread, window
        return True

    def close(self) -> bool:
        """Let others open it; has the content changed since it was last told?"""
        self.thread = self.window = None
        self._synthesize()
        changed, self._told = self._told != self.sequence, self.sequence
        return changed

    def empty(self) -> None:
        """Nothing is there; the window that has it open becomes the owner."""
        self.formats.clear()
        self.owner = self.window
        self.sequence += 1

    def set(self, number: int, data: bytes | None, locale: int) -> Format | None:
        """Set a format; None when there is too much."""
        kept = sum(len(each.data or b"") for each in self.formats.values() if each.number != number)
        if kept + len(data or b"") > MOST_BYTES:
            return None
        if number in TEXTS:
            self._locale = locale
        self._version += 1
        found = self.formats[number] = Format(number, data, version=self._version)
        if not self.rendering:
            self.sequence += 1
        return found

    def release(self) -> None:
        """The owner goes: what it has not rendered is lost."""
        self.owner = None
        count = len(self.formats)
        lost = {each.number for each in self.formats.values() if each.data is None and not each.source}
        for each in tuple(self.formats.values()):
            if each.number in lost or (each.source in lost and each.data is None):
                del self.formats[each.number]
        if len(self.formats) != count:
            self.sequence += 1
            self._synthesize()

    def may_set(self, thread: Thread) -> bool:
        """Whoever has it open, or is asked to render."""
        return self.thread is thread or (
            self.thread is not None and self.owner is not None and self.owner.process is thread.process)

    def is_owners(self, process: Process) -> bool:
        """Is the content this process's?"""
        return self.owner is not None and self.owner.process is process

    def after(self, number: int) -> int:
        """The format behind another, or the first behind 0; 0 at the end."""
        numbers = list(self.formats)
        at = numbers.index(number) + 1 if number in self.formats else 0 if not number else len(numbers)
        return numbers[at] if at < len(numbers) else 0

    def _synthesize(self) -> None:
        """Add the formats that can be made of those that have been set."""
        there = set(self.formats)
        if there & set(TEXTS) and CF_LOCALE not in there:
            self._add(Format(CF_LOCALE, self._locale.to_bytes(4, "little")))
        for number, sources in _SOURCES:
            source = next((each for each in sources if each in there), 0)
            if number not in there and source:
                self._add(Format(number, None, source))

    def _add(self, made: Format) -> None:
        self._version += 1
        made.version = self._version
        self.formats[made.number] = made
