"""CreateSymbolicLinkW: Wine's says that it has made a link and makes none.

Source: Microsoft "CreateSymbolicLinkW", "File path formats on Windows systems".
"""

from __future__ import annotations

from lswd.host.dospath import RtlPathTypeRelative, RtlPathTypeRooted, full_dos_path, nt_path, path_type
from lswd.ntdef import status as nt
from lswd.ntdef.status import NtError
from lswd.ntdef.types import BOOL, PVOID, ULONG
from lswd.userland.supplements.declare import supplement

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.userland.supplements.declare import ProcessCall

_DIRECTORY, _ALLOW_UNPRIVILEGED_CREATE = 1, 2  # SYMBOLIC_LINK_FLAG_*
_PAGE = 0x1000
_LONGEST = 0x10000  # bytes of a name
_LAST_ERROR = {8: 0x68, 4: 0x34}  # TEB.LastErrorValue
_PARAMETERS = {8: 0x20, 4: 0x10}  # PEB.ProcessParameters
_CURRENT_DIRECTORY = {8: 0x38, 4: 0x24}  # RTL_USER_PROCESS_PARAMETERS.CurrentDirectory.DosPath
# [winerror.h]
ERROR_PATH_NOT_FOUND, ERROR_INVALID_PARAMETER, ERROR_GEN_FAILURE = 3, 87, 31
_ERRORS = {
    nt.STATUS_INVALID_DEVICE_REQUEST: 1,  # ERROR_INVALID_FUNCTION
    nt.STATUS_OBJECT_NAME_NOT_FOUND: 2,  # ERROR_FILE_NOT_FOUND
    nt.STATUS_OBJECT_PATH_NOT_FOUND: ERROR_PATH_NOT_FOUND,
    nt.STATUS_NOT_A_DIRECTORY: ERROR_PATH_NOT_FOUND,
    nt.STATUS_ACCESS_DENIED: 5,  # ERROR_ACCESS_DENIED
    nt.STATUS_MEDIA_WRITE_PROTECTED: 19,  # ERROR_WRITE_PROTECT
    nt.STATUS_DISK_FULL: 112,  # ERROR_DISK_FULL
    nt.STATUS_OBJECT_NAME_INVALID: 123,  # ERROR_INVALID_NAME
    nt.STATUS_OBJECT_PATH_SYNTAX_BAD: 161,  # ERROR_BAD_PATHNAME
    nt.STATUS_OBJECT_NAME_COLLISION: 183,  # ERROR_ALREADY_EXISTS
    nt.STATUS_NAME_TOO_LONG: 206,  # ERROR_FILENAME_EXCED_RANGE
    nt.STATUS_ACCESS_VIOLATION: 998,  # ERROR_NOACCESS
    nt.STATUS_IO_REPARSE_DATA_INVALID: 4392,  # ERROR_INVALID_REPARSE_DATA
}


@supplement("kernelbase.dll", partial="whether a link is a directory's is what its target is")
def CreateSymbolicLinkW(call: ProcessCall, lpSymlinkFileName: PVOID, lpTargetFileName: PVOID, dwFlags: ULONG) -> BOOL:
    """TRUE: it has been made."""
    return create_symbolic_link(call, lpSymlinkFileName, lpTargetFileName, dwFlags, "utf-16-le")


def create_symbolic_link(call: ProcessCall, link: int, target: int, flags: int, encoding: str) -> int:
    """CreateSymbolicLink for names in ``encoding``: 1, or 0 with the thread's last error."""
    try:
        if not link or not target or flags & ~(_DIRECTORY | _ALLOW_UNPRIVILEGED_CREATE):
            return _failed(call, ERROR_INVALID_PARAMETER)
        _create(call, _text(call, link, encoding), _text(call, target, encoding), directory=bool(flags & _DIRECTORY))
    except ValueError:  # no name at all
        return _failed(call, ERROR_PATH_NOT_FOUND)
    except NtError as error:
        return _failed(call, _ERRORS.get(error.status, ERROR_GEN_FAILURE))
    return 1


def _create(call: ProcessCall, link: str, target: str, *, directory: bool) -> None:
    here = _current_directory(call)
    relative = path_type(target) in (RtlPathTypeRelative, RtlPathTypeRooted)
    if relative:
        target = target.replace("/", "\\")
    elif target:
        target = nt_path(full_dos_path(target, here))
    name = nt_path(full_dos_path(link, here))
    device, rest = call.process.system.namespace.walk(name, None)
    make_link = getattr(device, "make_link", None)
    if make_link is None:
        raise NtError(nt.STATUS_OBJECT_PATH_NOT_FOUND)
    make_link(call.process, rest, target, relative=relative, directory=directory)


def _current_directory(call: ProcessCall) -> str:
    def number(address: int, size: int) -> int:
        return int.from_bytes(call.space.read(address, size), "little")

    word = call.word
    string = number(call.process.peb + _PARAMETERS[word], word) + _CURRENT_DIRECTORY[word]
    text = call.space.read(number(string + word, word), number(string, 2))
    return text.decode("utf-16-le", "surrogatepass")


def _text(call: ProcessCall, address: int, encoding: str) -> str:
    data = b""
    unit = 2 if encoding == "utf-16-le" else 1
    while len(data) < _LONGEST:
        data += call.space.read(address + len(data), _PAGE - (address + len(data)) % _PAGE)
        whole = data[: len(data) // unit * unit]
        text, end, _ = whole.decode(encoding, "surrogatepass" if unit == 2 else "replace").partition("\0")
        if end:
            return text
    raise NtError(nt.STATUS_NAME_TOO_LONG)


def _failed(call: ProcessCall, error: int) -> int:
    call.space.write(call.thread.teb + _LAST_ERROR[call.word], error.to_bytes(4, "little"))
    return 0
