"""Texts and names in guest memory, and where relative names begin."""

from __future__ import annotations

from lswd.host.dospath import full_dos_path, nt_path
from lswd.ntdef.status import STATUS_NAME_TOO_LONG, NtError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.userland.supplements.declare import ProcessCall

_PAGE = 0x1000
_LONGEST = 0x10000  # bytes of a name
_PARAMETERS = {8: 0x20, 4: 0x10}  # PEB.ProcessParameters
_CURRENT_DIRECTORY = {8: 0x38, 4: 0x24}  # RTL_USER_PROCESS_PARAMETERS.CurrentDirectory.DosPath


def text(call: ProcessCall, address: int, encoding: str = "utf-16-le") -> str:
    """The text at ``address`` up to its terminating zero. Raises NtError."""
    data = b""
    unit = 2 if encoding == "utf-16-le" else 1
    while len(data) < _LONGEST:
        data += call.space.read(address + len(data), _PAGE - (address + len(data)) % _PAGE)
        whole = data[: len(data) // unit * unit]
        found, end, _ = whole.decode(encoding, "surrogatepass" if unit == 2 else "replace").partition("\0")
        if end:
            return found
    raise NtError(STATUS_NAME_TOO_LONG)


def current_directory(call: ProcessCall) -> str:
    """The process's, as a DOS path."""

    def number(address: int, size: int) -> int:
        return int.from_bytes(call.space.read(address, size), "little")

    word = call.word
    string = number(call.process.peb + _PARAMETERS[word], word) + _CURRENT_DIRECTORY[word]
    data = call.space.read(number(string + word, word), number(string, 2))
    return data.decode("utf-16-le", "surrogatepass")


def nt_name(call: ProcessCall, name: str) -> str:
    """The NT name of a DOS path. Raises ValueError: it is none."""
    return nt_path(full_dos_path(name, current_directory(call)))
