"""One console: a terminal with titles, code pages, screen buffers and an input queue, shared by attached processes."""

from __future__ import annotations

from lswd.kernel.console.code_pages import StreamDecoder, codec_of, encode
from lswd.kernel.console.display import Display
from lswd.kernel.console.input import InputQueue
from lswd.kernel.console.protocol import ENABLE_WINDOW_INPUT, RECORD_SIZE, WINDOW_BUFFER_SIZE_EVENT
from lswd.kernel.console.screen import ScreenBuffer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from lswd.host.terminal import Terminal
    from lswd.kernel.object import Waitable
    from lswd.kernel.process import Process

_DEFAULT_CODE_PAGE = 437
_LONGEST_TITLE = 32767


def _no_loop(task: Callable[[], Awaitable[None]]) -> None:
    """Nobody's threads wait: nobody attached yet."""


class Console:
    """See the module's docstring.

    Attributes:
        processes: those attached to it.
        title, original_title: the window's title, now and at first.
        screen: the active screen buffer.
        files: the open file objects that can be waited for.
        start_task: runs a coroutine function in the event loop, beside the guest's threads.
    """

    def __init__(self, terminal: Terminal, oem_code_page: Callable[[], int] = lambda: _DEFAULT_CODE_PAGE) -> None:
        """``oem_code_page``: the code page to begin with, asked for when it first matters."""
        self.terminal = terminal
        self.processes: list[Process] = []
        self.title = self.original_title = ""
        self.files: list[Waitable] = []
        self.start_task: Callable[[Callable[[], Awaitable[None]]], None] = _no_loop
        self.input = InputQueue(self, terminal)
        self._oem_code_page = oem_code_page
        self._input_code_page = 0
        self._decoder: StreamDecoder | None = None
        self._display = Display(terminal) if terminal.output_fd >= 0 else None
        self._first = self.screen = self.new_screen()
        self.screen.display = self._display

    # ---- code pages and titles

    @property
    def input_code_page(self) -> int:
        return self._input_code_page or self._oem_code_page()

    @input_code_page.setter
    def input_code_page(self, value: int) -> None:
        codec_of(value)
        self._input_code_page = value

    @property
    def output_code_page(self) -> int:
        return self._output().code_page

    @output_code_page.setter
    def output_code_page(self, value: int) -> None:
        codec_of(value)
        self._decoder = StreamDecoder(value)

    def encode_input(self, text: str) -> bytes:
        """``text`` in the input code page."""
        if not self._input_code_page and text.isascii():  # OEM code pages agree about ASCII
            return text.encode("ascii")
        return encode(text, self.input_code_page)

    def _output(self) -> StreamDecoder:
        if self._decoder is None:
            self._decoder = StreamDecoder(self._oem_code_page())
        return self._decoder

    def set_title(self, title: str) -> None:
        """Name the console's window."""
        self.title = title[:_LONGEST_TITLE]
        if self._display is not None:
            self._display.title(self.title)

    # ---- output

    def new_screen(self) -> ScreenBuffer:
        """A blank screen buffer as large as the terminal."""
        return ScreenBuffer(self, *self.terminal.size())

    def activate(self, screen: ScreenBuffer) -> None:
        """Show ``screen``: the first one on the terminal's main screen, others on its alternate one."""
        if screen is self.screen:
            return
        self.screen.display = None
        self.screen, screen.display = screen, self._display
        if self._display is not None:
            self._display.alternate(screen is not self._first)
            screen.refresh_all()  # the terminal's alternate screen still shows the last buffer that was there

    def screen_closed(self, screen: ScreenBuffer) -> None:
        """The last handle to ``screen`` is gone; when it was the active one, the first is shown again."""
        if screen is self.screen and screen is not self._first:
            self.activate(self._first)
            self._first.flush()

    def write(self, screen: ScreenBuffer, text: str) -> None:
        """Write UTF-16 text (as ``str``, surrogates not joined) to a buffer and show it."""
        screen.write(text)
        screen.flush()

    def write_bytes(self, screen: ScreenBuffer, data: bytes) -> None:
        """Write text in the output code page."""
        if self._decoder is None and data.isascii():
            self.write(screen, data.decode("ascii"))
        else:
            self.write(screen, self._output().decode(data))

    def write_plain(self, text: str) -> None:
        """Show what is being typed, when the terminal does not."""
        self.screen.write_plain(text)
        self.screen.flush()

    def echoed(self, text: str) -> None:
        """The terminal has shown what was typed."""
        self.screen.echo(text)

    def flush(self) -> None:
        """Let the terminal catch up."""
        self.screen.flush()

    def beep(self) -> None:
        if self._display is not None:
            self._display.bell()

    def reply(self, text: str) -> None:
        """Answer an escape sequence of the program's, as a terminal does: by typing."""
        self.input.reply(text)

    def resized(self) -> None:
        """The terminal's window has another size; a buffer that was as large as the old one follows."""
        if self._display is None:
            return
        old = self._display.width, self._display.height
        self._display.resized()
        width, height = self._display.width, self._display.height
        screen = self.screen
        follows = (screen.width, screen.height) == old
        screen.window_width, screen.window_height = width, height
        if follows:
            screen.resize(width, height)
        else:
            screen.set_window_size(width, height)
        screen.flush()
        if self.input.mode & ENABLE_WINDOW_INPUT:
            record = WINDOW_BUFFER_SIZE_EVENT.to_bytes(4, "little")
            record += screen.width.to_bytes(2, "little") + screen.height.to_bytes(2, "little")
            self.input.add_records(record.ljust(RECORD_SIZE, b"\0"))

    # ---- input

    def input_awaited(self) -> bool:
        """Does a thread wait for one of the console's handles?"""
        return any(file.waits for file in self.files)

    def input_arrived(self) -> None:
        """Let threads that wait for one of the console's handles look."""
        for file in tuple(self.files):
            if file.waits:
                file.wake()

    # ---- end

    def continued(self) -> None:
        """We were stopped, and a shell has used the terminal meanwhile."""
        self.terminal.reapply()

    def close(self) -> None:
        """Give the terminal back."""
        self.screen.flush()
        if self._display is not None:
            self._display.detach()
        self.terminal.restore()
