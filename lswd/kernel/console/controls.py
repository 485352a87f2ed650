"""The IOCTLs of console handles: those of input (and the console as a whole), and those of screen buffers.

Source: wine/condrv.h; the behaviour is that of the Windows function each one serves.
"""

from __future__ import annotations

import struct

from lswd.kernel.console import protocol, region
from lswd.kernel.console.protocol import (
    COLORS,
    CTRL_EVENT_PARAMETERS,
    FILL_PARAMETERS,
    INPUT_INFO,
    OUTPUT_INFO,
    OUTPUT_PARAMETERS,
    RECORD_SIZE,
    SCROLL_PARAMETERS,
    SMALL_RECT,
)
from lswd.kernel.console.screen import MOST_CELLS, MOST_ROWS_OR_COLUMNS
from lswd.ntdef.status import STATUS_BUFFER_TOO_SMALL, STATUS_INVALID_PARAMETER, NtError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from lswd.kernel.console.console import Console
    from lswd.kernel.console.screen import ScreenBuffer
    from lswd.kernel.process import Process
    from lswd.ntdef.types import Struct

_FONT = "Consolas"
_FONT_SIZE = (8, 16)
_FONT_WEIGHT = 400
_FONT_PITCH_FAMILY = 0x36  # FF_MODERN | TMPF_VECTOR | TMPF_TRUETYPE


class Request:
    """What an IOCTL brings along: input bytes, room for output, and who asks."""

    __slots__ = ("data", "process", "room")

    def __init__(self, process: Process, data: bytes, room: int) -> None:
        self.process = process
        self.data = data
        self.room = room

    def parameters(self, kind: type[Struct]) -> None:
        """Check that the input is at least a ``kind``.

        Raises:
            NtError: STATUS_INVALID_PARAMETER.
        """
        if len(self.data) < kind.size(8):
            raise NtError(STATUS_INVALID_PARAMETER)

    def number(self) -> int:
        """The input as one ULONG."""
        if len(self.data) != 4:
            raise NtError(STATUS_INVALID_PARAMETER)
        return int.from_bytes(self.data, "little")


def _ulong(value: int) -> bytes:
    return value.to_bytes(4, "little")


# ---- input and the console as a whole


def _get_input_mode(console: Console, request: Request) -> bytes:
    return _ulong(console.input.mode)


def _set_input_mode(console: Console, request: Request) -> bytes:
    console.input.set_mode(request.number())
    return b""


def _write_input(console: Console, request: Request) -> bytes:
    if len(request.data) % RECORD_SIZE:
        raise NtError(STATUS_INVALID_PARAMETER)
    console.input.add_records(request.data)
    return b""


def _peek(console: Console, request: Request) -> bytes:
    if request.room % RECORD_SIZE:
        raise NtError(STATUS_INVALID_PARAMETER)
    return console.input.peek_records(request.room // RECORD_SIZE)


def _get_input_info(console: Console, request: Request) -> bytes:
    info = INPUT_INFO(
        InputCodePage=console.input_code_page,
        OutputCodePage=console.output_code_page,
        InputCount=console.input.count() if request.room >= INPUT_INFO.size(8) else 0,
    ).pack(8)
    if request.room < 8:
        raise NtError(STATUS_INVALID_PARAMETER)
    return info[: request.room]


def _set_input_info(console: Console, request: Request) -> bytes:
    if len(request.data) < 12:
        raise NtError(STATUS_INVALID_PARAMETER)
    mask, input_code_page, output_code_page = struct.unpack_from("<3I", request.data)
    if mask & protocol.SET_INPUT_CODE_PAGE:
        console.input_code_page = input_code_page
    if mask & protocol.SET_OUTPUT_CODE_PAGE:
        console.output_code_page = output_code_page
    return b""


def _get_title(console: Console, request: Request) -> bytes:
    """The length in characters, then as much as there is room for; the structure ends in 4 bytes of padding."""
    original = len(request.data) == 4 and not request.number()
    title = (console.original_title if original else console.title).encode("utf-16-le", "surrogatepass")
    if request.room < 8:
        raise NtError(STATUS_INVALID_PARAMETER)
    return _ulong(len(title) // 2) + title[: (request.room - 8) & ~1] + bytes(4)


def _set_title(console: Console, request: Request) -> bytes:
    console.set_title(request.data.decode("utf-16-le", "replace"))
    console.flush()
    return b""


def _control_event(console: Console, request: Request) -> bytes:
    """Group 0 is everybody on the console; a group is named by the process it began with."""
    request.parameters(CTRL_EVENT_PARAMETERS)
    event = CTRL_EVENT_PARAMETERS.unpack(8, request.data)
    if event.Event not in (protocol.CTRL_C_EVENT, protocol.CTRL_BREAK_EVENT):
        raise NtError(STATUS_INVALID_PARAMETER)
    from lswd.kernel.console.signals import start_control_event

    for process in reversed(console.processes):
        if event.Group in (0, process.group) and not process.ended:
            start_control_event(process, event.Event)
    return b""


def _beep(console: Console, request: Request) -> bytes:
    console.beep()
    console.flush()
    return b""


def _flush(console: Console, request: Request) -> bytes:
    console.input.flush()
    return b""


def _get_window(console: Console, request: Request) -> bytes:
    """A terminal is no window."""
    return _ulong(0)


def _get_process_list(console: Console, request: Request) -> bytes:
    if request.room < 4:
        raise NtError(STATUS_INVALID_PARAMETER)
    if request.room < 4 * len(console.processes):
        raise NtError(STATUS_BUFFER_TOO_SMALL)
    return b"".join(_ulong(process.pid) for process in console.processes)


def _get_input_count(console: Console, request: Request) -> bytes:
    return _ulong(console.input.count())


def _nothing(console: Console, request: Request) -> bytes:
    return b""


INPUT: dict[int, Callable[[Console, Request], bytes]] = {
    protocol.GET_MODE: _get_input_mode,
    protocol.SET_MODE: _set_input_mode,
    protocol.IS_UNIX: _nothing,
    protocol.WRITE_INPUT: _write_input,
    protocol.PEEK: _peek,
    protocol.GET_INPUT_INFO: _get_input_info,
    protocol.SET_INPUT_INFO: _set_input_info,
    protocol.GET_TITLE: _get_title,
    protocol.SET_TITLE: _set_title,
    protocol.CTRL_EVENT: _control_event,
    protocol.BEEP: _beep,
    protocol.FLUSH: _flush,
    protocol.GET_WINDOW: _get_window,
    protocol.GET_PROCESS_LIST: _get_process_list,
    protocol.GET_INPUT_COUNT: _get_input_count,
}


# ---- screen buffers


def _get_output_mode(screen: ScreenBuffer, request: Request) -> bytes:
    return _ulong(screen.mode)


def _set_output_mode(screen: ScreenBuffer, request: Request) -> bytes:
    screen.mode = request.number()
    return b""


def _write_console(screen: ScreenBuffer, request: Request) -> bytes:
    if len(request.data) & 1:
        raise NtError(STATUS_INVALID_PARAMETER)
    screen.console.write(screen, request.data.decode("utf-16-le", "surrogatepass"))
    return b""


def _write_file(screen: ScreenBuffer, request: Request) -> bytes:
    screen.console.write_bytes(screen, request.data)
    return b""


def _output_parameters(request: Request) -> OUTPUT_PARAMETERS:
    request.parameters(OUTPUT_PARAMETERS)
    parameters = OUTPUT_PARAMETERS.unpack(8, request.data)
    if not region.cell_bytes(parameters.Mode) or (parameters.Width and parameters.Mode != protocol.MODE_BOTH):
        raise NtError(STATUS_INVALID_PARAMETER)
    return parameters


def _read_output(screen: ScreenBuffer, request: Request) -> bytes:
    p = _output_parameters(request)
    if not p.Width:
        return region.read_run(screen, p.X, p.Y, p.Mode, request.room // region.cell_bytes(p.Mode))
    head = SMALL_RECT.size(8)
    height = max(0, request.room - head) // (p.Width * region.cell_bytes(p.Mode))
    found = region.read_rectangle(screen, p.X, p.Y, p.Width, height)
    return struct.pack("<4h", *found[0]) + found[1] if found else b""


def _write_output(screen: ScreenBuffer, request: Request) -> bytes:
    p = _output_parameters(request)
    data = request.data[OUTPUT_PARAMETERS.size(8) :]
    if not p.Width:
        result = _ulong(region.write_run(screen, p.X, p.Y, p.Mode, data))
    else:
        written = region.write_rectangle(screen, p.X, p.Y, p.Width, data)
        result = struct.pack("<4h", *written) if written else b""
    screen.flush()
    return result


def _fill_output(screen: ScreenBuffer, request: Request) -> bytes:
    request.parameters(FILL_PARAMETERS)
    p = FILL_PARAMETERS.unpack(8, request.data)
    if not region.cell_bytes(p.Mode):
        raise NtError(STATUS_INVALID_PARAMETER)
    written = region.fill(screen, p.X, p.Y, p.Mode, p.Count & 0xFFFFFFFF, p.Char, p.Attributes, wrap=bool(p.Wrap))
    screen.flush()
    return _ulong(written)


def _scroll(screen: ScreenBuffer, request: Request) -> bytes:
    request.parameters(SCROLL_PARAMETERS)
    p = SCROLL_PARAMETERS.unpack(8, request.data)
    source = (p.Scroll.Left, p.Scroll.Top, p.Scroll.Right, p.Scroll.Bottom)
    clip = (p.Clip.Left, p.Clip.Top, p.Clip.Right, p.Clip.Bottom)
    region.scroll(screen, source, p.X, p.Y, clip, p.Char, p.Attributes)
    screen.flush()
    return b""


def _get_output_info(screen: ScreenBuffer, request: Request) -> bytes:
    size = OUTPUT_INFO.size(8)
    if request.room < size:
        raise NtError(STATUS_INVALID_PARAMETER)
    columns, rows = screen.console.terminal.size()
    info = OUTPUT_INFO(
        CursorSize=screen.cursor_size,
        CursorVisible=int(screen.cursor_visible),
        CursorX=screen.x,
        CursorY=screen.y,
        Width=screen.width,
        Height=screen.height,
        Attributes=screen.style & 0xFFFF,
        PopupAttributes=screen.popup_attributes,
        WindowLeft=0,
        WindowTop=screen.window_top,
        WindowRight=screen.window_width - 1,
        WindowBottom=screen.window_top + screen.window_height - 1,
        MaximumWidth=columns,
        MaximumHeight=rows,
        FontWidth=_FONT_SIZE[0],
        FontHeight=_FONT_SIZE[1],
        FontWeight=_FONT_WEIGHT,
        FontPitchFamily=_FONT_PITCH_FAMILY,
        Colors=COLORS,
    )
    return info.pack(8) + _FONT.encode("utf-16-le")[: (request.room - size) & ~1]


def _set_output_info(screen: ScreenBuffer, request: Request) -> bytes:
    if len(request.data) < 4 + OUTPUT_INFO.size(8):
        raise NtError(STATUS_INVALID_PARAMETER)
    mask = int.from_bytes(request.data[:4], "little")
    info = OUTPUT_INFO.unpack(8, request.data, 4)
    if mask & protocol.SET_CURSOR_GEOMETRY and not 1 <= info.CursorSize <= 100:
        raise NtError(STATUS_INVALID_PARAMETER)
    if mask & protocol.SET_SIZE:
        _resize(screen, info.Width, info.Height)
    if mask & protocol.SET_WINDOW:
        _set_window(screen, info)
    if mask & protocol.SET_CURSOR_POSITION:
        if not (0 <= info.CursorX < screen.width and 0 <= info.CursorY < screen.height):
            raise NtError(STATUS_INVALID_PARAMETER)
        screen.move_to(info.CursorX, info.CursorY)
    if mask & protocol.SET_CURSOR_GEOMETRY:
        screen.cursor_size, screen.cursor_visible = info.CursorSize, bool(info.CursorVisible)
    if mask & protocol.SET_ATTRIBUTES:
        screen.style = info.Attributes
    if mask & protocol.SET_POPUP_ATTRIBUTES:
        screen.popup_attributes = info.PopupAttributes
    screen.flush()
    return b""


def _resize(screen: ScreenBuffer, width: int, height: int) -> None:
    """SetConsoleScreenBufferSize: a buffer is at least as large as its window."""
    if not (screen.window_width <= width <= MOST_ROWS_OR_COLUMNS and height <= MOST_ROWS_OR_COLUMNS):
        raise NtError(STATUS_INVALID_PARAMETER)
    if height < screen.window_height or width * height > MOST_CELLS:
        raise NtError(STATUS_INVALID_PARAMETER)
    if (width, height) != (screen.width, screen.height):
        screen.resize(width, height)


def _set_window(screen: ScreenBuffer, info: OUTPUT_INFO) -> None:
    """SetConsoleWindowInfo. The terminal's own size stays as it is; a program may look at less of it."""
    columns, rows = screen.console.terminal.size()
    width, height = info.WindowRight - info.WindowLeft + 1, info.WindowBottom - info.WindowTop + 1
    inside = 0 <= info.WindowLeft <= info.WindowRight < screen.width and 0 <= info.WindowTop <= info.WindowBottom
    if not inside or info.WindowBottom >= screen.height or width > columns or height > rows:
        raise NtError(STATUS_INVALID_PARAMETER)
    screen.window_width, screen.window_height = width, height
    if info.WindowTop != screen.window_top:
        screen.window_top = info.WindowTop
        screen.refresh_all()


def _activate(screen: ScreenBuffer, request: Request) -> bytes:
    screen.console.activate(screen)
    screen.flush()
    return b""


OUTPUT: dict[int, Callable[[ScreenBuffer, Request], bytes]] = {
    protocol.GET_MODE: _get_output_mode,
    protocol.SET_MODE: _set_output_mode,
    protocol.WRITE_CONSOLE: _write_console,
    protocol.WRITE_FILE: _write_file,
    protocol.READ_OUTPUT: _read_output,
    protocol.WRITE_OUTPUT: _write_output,
    protocol.GET_OUTPUT_INFO: _get_output_info,
    protocol.SET_OUTPUT_INFO: _set_output_info,
    protocol.ACTIVATE: _activate,
    protocol.FILL_OUTPUT: _fill_output,
    protocol.SCROLL: _scroll,
}
