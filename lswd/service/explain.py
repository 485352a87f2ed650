"""Why a program's loader gave up: the DLL or function that is missing, and who wanted it.

Looked for only after the fact, on the host's files: the guest's loader says no more than a status.
"""

from __future__ import annotations

from lswd.image.errors import ImageError, printable
from lswd.image.imports import Missing, missing_imports
from lswd.kernel.exception import EXCEPTION_WINE_STUB
from lswd.ntdef.status import (
    STATUS_DLL_NOT_FOUND,
    STATUS_ENTRYPOINT_NOT_FOUND,
    STATUS_ORDINAL_NOT_FOUND,
    NtError,
    status_name,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lswd.host.drives import Drives
    from lswd.kernel.process import Process
    from lswd.userland.userland import Userland

# Where the loader looks for DLLs behind the program's own directory (Microsoft "Dynamic-link library search order").
SYSTEM_DIRECTORIES = ("C:\\windows\\system32", "C:\\windows\\system", "C:\\windows")

_LOADER_STATUSES = (STATUS_DLL_NOT_FOUND, STATUS_ENTRYPOINT_NOT_FOUND, STATUS_ORDINAL_NOT_FOUND)
_MOST_NAMED = 3
_LONGEST_NAME = 256

_HINT = "put it beside the program"


def search_path(program: str, directory: str, path: str) -> list[str]:
    """The DOS directories the loader searches: the program's, the system's, the current one, those of PATH."""
    listed = [folder.strip('"') for folder in path.split(";")]
    return [program.rpartition("\\")[0] + "\\", *SYSTEM_DIRECTORIES, directory, *filter(None, listed)]


def dll_finder(directories: Sequence[str], drives: Drives, userland: Userland) -> Callable[[str], str | None]:
    """A function that finds a DLL's file as the loader would: API sets first, then one directory after the other."""

    def find(name: str) -> str | None:
        host = userland.apiset_host(name)
        if host is not None:
            return userland.dll(host)
        if "\\" in name or "/" in name or ":" in name:
            return None
        for directory in directories:
            try:
                found = drives.resolve(directory.rstrip("\\") + "\\" + name)
            except NtError:
                continue
            if found.exists and not found.is_directory:
                return found.host
        return userland.dll(name)

    return find


def import_error(
    process: Process,
    host: str,
    program: str,
    directory: str,
    drives: Drives,
    userland: Userland,
    path: str,
) -> str:
    """One line naming what was missing if that is what ended the process; "" if it ended by its own will.

    Args:
        host, program: the program's file as the host and as the guest name it.
        directory: its current directory, DOS.
        path: its PATH.
    """
    status = process.exit_status
    by_loader = status in _LOADER_STATUSES and not process.initialized
    called = missing_function(process) if status == EXCEPTION_WINE_STUB else None
    if not by_loader and called is None:
        return ""
    try:
        missing = missing_imports(host, dll_finder(search_path(program, directory, path), drives, userland))
    except (ImageError, OSError) as error:
        return str(error)
    if called is not None:
        return _describe_call(called, missing)
    if status != STATUS_DLL_NOT_FOUND:  # then DLLs that were not found are none that the loader looked for
        missing = [each for each in missing if each.function is not None] or missing
    if not missing:
        return f"a DLL or function it needs was not found ({status_name(status)}); --trace shows the search"
    text = "; ".join(map(str, missing[:_MOST_NAMED]))
    more = f"; and {len(missing) - _MOST_NAMED} more" if len(missing) > _MOST_NAMED else ""
    hint = f"; {_HINT}" if len(missing) == 1 and missing[0].function is None and not missing[0].reason else ""
    return text + more + hint


def missing_function(process: Process) -> tuple[str, str | int] | None:
    """DLL and function (or ordinal) whose stand-in the program called and died of.

    Wine's loader lets a program start without a function it imports; a call of it raises this exception, with the
    addresses of both names (the second an ordinal if it is small).
    """
    exception = process.exceptions.get(EXCEPTION_WINE_STUB)
    if exception is None or exception.record.NumberParameters < 2:
        return None
    dll, function = exception.record.ExceptionInformation[:2]
    name = _text(process, dll)
    wanted = _text(process, function) if function >> 16 else function
    return None if name is None or wanted is None else (name, wanted)


def _describe_call(called: tuple[str, str | int], missing: Sequence[Missing]) -> str:
    dll, function = called
    for each in missing:
        if each.function == function and each.dll.lower() in (dll.lower(), dll.lower() + ".dll"):
            return str(each)
    what = f"ordinal {function}" if isinstance(function, int) else printable(str(function))
    return f"it called {what} of {printable(dll)}, which does not have it"


def _text(process: Process, address: int) -> str | None:
    """The ASCII string at a guest address."""
    data = b""
    try:
        while b"\0" not in data and len(data) < _LONGEST_NAME:
            data += process.space.read(address + len(data), 1)
    except NtError:
        return None
    return data.split(b"\0")[0].decode("latin-1")
