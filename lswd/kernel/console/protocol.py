"""What a Wine userland says to its console device: IOCTL numbers and structures, and Windows's console constants.

Source: wine/condrv.h (Wine 8.0); Microsoft "Console Functions", "Console Structures"; wincon.h.
"""

from __future__ import annotations

from lswd.ntdef.types import BOOL, LONG, SHORT, ULONG, USHORT, WCHAR, Struct, array

FILE_READ_ACCESS = 1
FILE_WRITE_ACCESS = 2


def _code(function: int, access: int = 0) -> int:
    """CTL_CODE(FILE_DEVICE_CONSOLE, function, METHOD_BUFFERED, access)."""
    return 0x50 << 16 | access << 14 | function << 2


def required_access(code: int) -> int:
    """FILE_READ_ACCESS and FILE_WRITE_ACCESS bits that an IOCTL asks of its handle."""
    return code >> 14 & 3


# Any console handle
GET_MODE = _code(0, FILE_READ_ACCESS)
SET_MODE = _code(1, FILE_WRITE_ACCESS)
IS_UNIX = _code(2)
# Input
READ_CONSOLE = _code(10, FILE_READ_ACCESS)
READ_FILE = _code(11, FILE_READ_ACCESS)
READ_INPUT = _code(12, FILE_READ_ACCESS)
WRITE_INPUT = _code(13, FILE_WRITE_ACCESS)
PEEK = _code(14, FILE_READ_ACCESS)
GET_INPUT_INFO = _code(15, FILE_READ_ACCESS)
SET_INPUT_INFO = _code(16, FILE_WRITE_ACCESS)
GET_TITLE = _code(17, FILE_READ_ACCESS)
SET_TITLE = _code(18, FILE_WRITE_ACCESS)
CTRL_EVENT = _code(19)
BEEP = _code(20)
FLUSH = _code(21)
GET_WINDOW = _code(22)
GET_PROCESS_LIST = _code(23)
READ_CONSOLE_CONTROL = _code(24, FILE_READ_ACCESS)
GET_INPUT_COUNT = _code(25, FILE_READ_ACCESS)  # since Wine 9; before that a field of GET_INPUT_INFO
# Output
WRITE_CONSOLE = _code(30, FILE_WRITE_ACCESS)
WRITE_FILE = _code(31, FILE_WRITE_ACCESS)
READ_OUTPUT = _code(32, FILE_READ_ACCESS)
WRITE_OUTPUT = _code(33, FILE_WRITE_ACCESS)
GET_OUTPUT_INFO = _code(34, FILE_READ_ACCESS)
SET_OUTPUT_INFO = _code(35, FILE_WRITE_ACCESS)
ACTIVATE = _code(36, FILE_WRITE_ACCESS)
FILL_OUTPUT = _code(37, FILE_WRITE_ACCESS)
SCROLL = _code(38, FILE_WRITE_ACCESS)
# Connection
BIND_PID = _code(51)

# Input modes (SetConsoleMode)
ENABLE_PROCESSED_INPUT = 0x0001
ENABLE_LINE_INPUT = 0x0002
ENABLE_ECHO_INPUT = 0x0004
ENABLE_WINDOW_INPUT = 0x0008
ENABLE_MOUSE_INPUT = 0x0010
ENABLE_INSERT_MODE = 0x0020
ENABLE_QUICK_EDIT_MODE = 0x0040
ENABLE_EXTENDED_FLAGS = 0x0080
ENABLE_AUTO_POSITION = 0x0100
ENABLE_VIRTUAL_TERMINAL_INPUT = 0x0200
DEFAULT_INPUT_MODE = 0x01F7  # all of these but window and virtual terminal input

# Output modes
ENABLE_PROCESSED_OUTPUT = 0x0001
ENABLE_WRAP_AT_EOL_OUTPUT = 0x0002
ENABLE_VIRTUAL_TERMINAL_PROCESSING = 0x0004
DISABLE_NEWLINE_AUTO_RETURN = 0x0008
DEFAULT_OUTPUT_MODE = 0x0003

# Character attributes
FOREGROUND_BLUE = 0x0001
FOREGROUND_GREEN = 0x0002
FOREGROUND_RED = 0x0004
FOREGROUND_INTENSITY = 0x0008
BACKGROUND_INTENSITY = 0x0080
COMMON_LVB_LEADING_BYTE = 0x0100
COMMON_LVB_TRAILING_BYTE = 0x0200
COMMON_LVB_REVERSE_VIDEO = 0x4000
COMMON_LVB_UNDERSCORE = 0x8000
DEFAULT_ATTRIBUTES = 0x0007

# Control events
CTRL_C_EVENT = 0
CTRL_BREAK_EVENT = 1
CTRL_CLOSE_EVENT = 2

# Input records
KEY_EVENT = 0x0001
WINDOW_BUFFER_SIZE_EVENT = 0x0004
FOCUS_EVENT = 0x0010
RECORD_SIZE = 20

# Control key state
RIGHT_ALT_PRESSED = 0x0001
LEFT_ALT_PRESSED = 0x0002
RIGHT_CTRL_PRESSED = 0x0004
LEFT_CTRL_PRESSED = 0x0008
SHIFT_PRESSED = 0x0010
ENHANCED_KEY = 0x0100

# The standard colour table, as 0x00BBGGRR
COLORS = (
    0x000000, 0x800000, 0x008000, 0x808000, 0x000080, 0x800080, 0x008080, 0xC0C0C0,
    0x808080, 0xFF0000, 0x00FF00, 0xFFFF00, 0x0000FF, 0xFF00FF, 0x00FFFF, 0xFFFFFF,
)  # fmt: skip

# What the parameters of READ_OUTPUT, WRITE_OUTPUT and FILL_OUTPUT are about
MODE_TEXT = 0
MODE_ATTRIBUTES = 1
MODE_BOTH = 2

# Which fields SET_INPUT_INFO and SET_OUTPUT_INFO set
SET_INPUT_CODE_PAGE = 1
SET_OUTPUT_CODE_PAGE = 2
SET_CURSOR_GEOMETRY = 0x01
SET_CURSOR_POSITION = 0x02
SET_SIZE = 0x04
SET_ATTRIBUTES = 0x08
SET_WINDOW = 0x10
SET_MAXIMUM_SIZE = 0x20
SET_POPUP_ATTRIBUTES = 0x40
SET_FONT = 0x80


class KEY_EVENT_RECORD(Struct):
    """An INPUT_RECORD of type KEY_EVENT."""

    EventType: USHORT
    Reserved: USHORT
    KeyDown: BOOL
    RepeatCount: USHORT
    VirtualKeyCode: USHORT
    VirtualScanCode: USHORT
    Char: WCHAR
    ControlKeyState: ULONG


class INPUT_INFO(Struct):
    """``struct condrv_input_info``; later versions of Wine have no InputCount."""

    InputCodePage: ULONG
    OutputCodePage: ULONG
    InputCount: ULONG


class OUTPUT_PARAMETERS(Struct):
    """``struct condrv_output_params``: a place, what about it, and a rectangle's width or 0 for a run of cells."""

    X: ULONG
    Y: ULONG
    Mode: ULONG
    Width: ULONG


class OUTPUT_INFO(Struct):
    """``struct condrv_output_info``."""

    CursorSize: SHORT
    CursorVisible: SHORT
    CursorX: SHORT
    CursorY: SHORT
    Width: SHORT
    Height: SHORT
    Attributes: USHORT
    PopupAttributes: USHORT
    WindowLeft: SHORT
    WindowTop: SHORT
    WindowRight: SHORT
    WindowBottom: SHORT
    MaximumWidth: SHORT
    MaximumHeight: SHORT
    FontWidth: SHORT
    FontHeight: SHORT
    FontWeight: SHORT
    FontPitchFamily: SHORT
    Colors: tuple[int, ...] = array(ULONG, 16)


class FILL_PARAMETERS(Struct):
    """``struct condrv_fill_output_params``."""

    X: LONG
    Y: LONG
    Mode: LONG
    Count: LONG
    Wrap: LONG
    Char: WCHAR
    Attributes: USHORT


class SMALL_RECT(Struct):
    Left: SHORT
    Top: SHORT
    Right: SHORT
    Bottom: SHORT


class SCROLL_PARAMETERS(Struct):
    """``struct condrv_scroll_params``."""

    Scroll: SMALL_RECT
    X: SHORT
    Y: SHORT
    Clip: SMALL_RECT
    Char: WCHAR
    Attributes: USHORT


class CTRL_EVENT_PARAMETERS(Struct):
    """``struct condrv_ctrl_event``."""

    Event: LONG
    Group: ULONG
