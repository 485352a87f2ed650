"""Texts that programs hand to the window system: zero-terminated, Unicode or in the process's ANSI code page."""

from __future__ import annotations

from lswd.kernel.console.code_pages import codec_of, encode
from lswd.kernel.environment_block import PEB
from lswd.nt.declare import decode_wide, encode_wide
from lswd.ntdef.status import NtError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.kernel.process import Process

LONGEST = 0x10000  # characters
_PAGE = 0x1000
_DEFAULT = 1252


def code_page(process: Process) -> int:
    """The ANSI code page that the process's ntdll has loaded."""
    space = process.space
    try:
        table = space.read_pointer(process.peb + PEB.offset(space.word, "AnsiCodePageData"))
        return space.read_u16(table + 2) if table else _DEFAULT
    except NtError:
        return _DEFAULT


def read_text(process: Process, address: int, *, ansi: bool) -> str:
    """The text at an address, at most LONGEST characters of it.

    Raises:
        NtError: it cannot be read.
    """
    size = 1 if ansi else 2
    data = bytearray()
    while len(data) < LONGEST * size:
        room = (_PAGE - address % _PAGE) // size * size or size
        piece = process.space.read(address, room)
        end = _terminator(piece, size)
        if end >= 0:
            data += piece[:end]
            break
        data += piece
        address += room
    return bytes(data).decode(codec_of(code_page(process)), "replace") if ansi else decode_wide(bytes(data))


def _terminator(data: bytes, size: int) -> int:
    """Where the first zero character begins; -1: nowhere."""
    at = data.find(bytes(size))
    while at >= 0 and at % size:
        at = data.find(bytes(size), at + 1)
    return at


def put_text(process: Process, address: int, room: int, text: str, *, ansi: bool) -> int:
    """Write as much of a text as ``room`` characters hold with their zero; how many characters that is."""
    if room <= 0:
        return 0
    if ansi:
        data = encode(text, code_page(process))[: room - 1]
        process.space.write(address, data + b"\0")
        return len(data)
    wide = encode_wide(text)[: 2 * (room - 1)]
    process.space.write(address, wide + b"\0\0")
    return len(wide) // 2


def length(process: Process, text: str, *, ansi: bool) -> int:
    """In the characters that the caller counts in."""
    return len(encode(text, code_page(process))) if ansi else len(encode_wide(text)) // 2
