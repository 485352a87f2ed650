"""SystemParametersInfo: the settings of the desktop, as a user has them who never changed any.

Source: Microsoft "SystemParametersInfo", "NONCLIENTMETRICS", "ICONMETRICS", "LOGFONT"; values measured with Wine.
"""

from __future__ import annotations

import struct

from lswd.nt.declare import Call, encode_wide, syscall
from lswd.nt.user_display import DPI, SCREEN
from lswd.nt.user_failure import ERROR_INVALID_PARAMETER, ERROR_INVALID_SPI_VALUE, failed
from lswd.ntdef.types import BOOL, PVOID, ULONG

# SPI_GET* that fill in one number.
_NUMBERS = {
    0x01: 1,  # beep
    0x05: 1,  # border
    0x0A: 31,  # keyboard speed
    0x0D: 75,  # distance between icons
    0x0E: 300,  # screen saver's time
    0x10: 1,  # screen saver on
    0x12: 0,  # desktop's grid
    0x16: 1,  # keyboard delay
    0x18: 75,  # distance between icons, downwards
    0x19: 1,  # titles of icons are wrapped
    0x1B: 0,  # menus drop to the left
    0x23: 1,  # fast task switch
    0x26: 0,  # full windows are dragged
    0x38: 0,  # sounds are shown
    0x44: 1,  # keyboard is preferred
    0x46: 0,  # screen reader
    0x4A: 1,  # font smoothing
    0x53: 0, 0x54: 0,  # low power, power off
    0x5E: 0, 0x5F: 0,  # mouse trails, snap to button
    0x62: 4, 0x64: 4, 0x66: 400,  # hovering: width, height, time
    0x68: 3, 0x6C: 3,  # lines and characters a wheel scrolls
    0x6A: 400,  # menu delay
    0x70: 10,  # mouse speed
    0x72: 0,  # screen saver runs
    0x1000: 0, 0x1002: 0, 0x1004: 0, 0x1006: 0, 0x1008: 1, 0x100C: 0, 0x100E: 0, 0x1012: 0, 0x1014: 0, 0x1016: 0,
    0x1018: 0, 0x101A: 0, 0x101C: 0, 0x101E: 0, 0x1020: 0, 0x1022: 1, 0x1024: 0, 0x1026: 0, 0x103E: 1, 0x1040: 0,
    0x1048: 1, 0x104A: 0,  # effects of the desktop
    0x100A: 1,  # keyboard cues
    0x1042: 1,  # animation in client areas
    0x2000: 0, 0x2002: 0, 0x2004: 3,  # foreground: lock, tracking, flashes
    0x2006: 1,  # width of the caret
    0x2008: 1200, 0x200A: 1, 0x200C: 0, 0x200E: 1, 0x2010: 1, 0x2012: 1,  # font smoothing, focus border
}  # fmt: skip
# SPI_GET* that fill in a structure which says its size in front.
SPI_GETNONCLIENTMETRICS, SPI_GETMINIMIZEDMETRICS, SPI_GETICONMETRICS = 0x29, 0x2B, 0x2D
SPI_GETANIMATION, SPI_GETHIGHCONTRAST = 0x48, 0x42
SPI_GETICONTITLELOGFONT, SPI_GETWORKAREA = 0x1F, 0x30
_NORMAL, _BOLD = 400, 700
_PITCH_AND_FAMILY = 0x22
_PADDED_BORDER = 4  # bytes of NONCLIENTMETRICS that callers from before Vista do not have


def _font(weight: int, dpi: int) -> bytes:
    """LOGFONTW of the dialogs' font."""
    face = encode_wide("MS Shell Dlg").ljust(64, b"\0")
    return struct.pack("<5i8B", -(11 * dpi // DPI), 0, 0, 0, weight, 0, 0, 0, 0, 0, 0, 0, _PITCH_AND_FAMILY) + face


def _structure(action: int, word: int, dpi: int) -> bytes | None:
    """The structure of an action, but for the size in front."""
    if action == SPI_GETNONCLIENTMETRICS:
        border, scroll, caption, small, menu = (value * dpi // DPI for value in (1, 17, 18, 15, 18))
        normal = _font(_NORMAL, dpi)
        return (
            struct.pack("<5i", border, scroll, scroll, caption, caption) + _font(_BOLD, dpi)
            + struct.pack("<2i", small, small) + normal + struct.pack("<2i", menu, menu) + 3 * normal + bytes(4)
        )  # fmt: skip
    if action == SPI_GETICONMETRICS:
        return struct.pack("<3i", 75 * dpi // DPI, 75 * dpi // DPI, 1) + _font(_NORMAL, dpi)
    if action == SPI_GETMINIMIZEDMETRICS:
        return struct.pack("<4i", 154, 0, 0, 8)
    if action == SPI_GETANIMATION:
        return bytes(4)
    if action == SPI_GETHIGHCONTRAST:
        return bytes(4 + word)
    return None


@syscall(partial="reading; nothing can be set")
def NtUserSystemParametersInfo(call: Call, action: ULONG, val: ULONG, ptr: PVOID, winini: ULONG) -> BOOL:
    return _tell(call, action, ptr, DPI)


@syscall(partial="fonts, sizes of frames and icons")
def NtUserSystemParametersInfoForDpi(
    call: Call, action: ULONG, val: ULONG, ptr: PVOID, winini: ULONG, dpi: ULONG
) -> BOOL:
    if action not in (SPI_GETNONCLIENTMETRICS, SPI_GETICONMETRICS, SPI_GETICONTITLELOGFONT):
        return failed(call.thread, ERROR_INVALID_PARAMETER)
    return _tell(call, action, ptr, min(dpi, 100 * DPI))


def _tell(call: Call, action: int, address: int, dpi: int) -> int:
    if action in _NUMBERS:
        call.space.write_u32(address, _NUMBERS[action])
        return 1
    if action == SPI_GETWORKAREA:
        call.space.write(address, SCREEN.pack(call.word))
        return 1
    if action == SPI_GETICONTITLELOGFONT:
        call.space.write(address, _font(_NORMAL, dpi))
        return 1
    content = _structure(action, call.word, dpi)
    if content is None:
        return failed(call.thread, ERROR_INVALID_SPI_VALUE)
    size = call.space.read_u32(address)
    short = len(content) - _PADDED_BORDER if action == SPI_GETNONCLIENTMETRICS else len(content)
    if size not in (4 + len(content), 4 + short):
        return failed(call.thread, ERROR_INVALID_PARAMETER)
    call.space.write(address + 4, content[: size - 4])
    return 1
