"""How a Unix function gets at its arguments: one structure in guest memory, which points to texts and buffers there."""

from __future__ import annotations

from lswd.ntdef.status import STATUS_INVALID_PARAMETER, NtError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from lswd.kernel.thread import Thread
    from lswd.memory.space import AddressSpace


def question(thread: Thread, address: int, kind: type[Any]) -> Any:
    """The structure of type ``kind`` at ``address``."""
    return structure(thread.process.space, address, kind)


def structure(space: AddressSpace, address: int, kind: type[Any]) -> Any:
    """The same, where the thread is not at hand."""
    return kind.unpack(space.word, space.read(address, kind.size(space.word)))


def text(space: AddressSpace, address: int, longest: int, *, width: int = 1) -> bytes:
    """The characters of ``width`` bytes each before a zero, at most ``longest`` of them.

    Raises:
        NtError: STATUS_INVALID_PARAMETER: it is longer.
    """
    data = b""
    end = bytes(width)
    while len(data) <= longest * width:
        at = address + len(data)
        piece = space.read(at, 64 - at % 64 if (64 - at % 64) % width == 0 else width)
        for i in range(0, len(piece), width):
            if piece[i : i + width] == end:
                return data + piece[:i]
        data += piece
    raise NtError(STATUS_INVALID_PARAMETER)


def wide_text(space: AddressSpace, address: int, longest: int) -> str:
    """UTF-16 that ends in a zero.

    Raises:
        NtError: STATUS_INVALID_PARAMETER: it is longer than ``longest``.
    """
    return text(space, address, longest, width=2).decode("utf-16-le", "surrogatepass")
