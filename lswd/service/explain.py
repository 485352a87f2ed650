"""Why a program's loader gave up: the DLL or function that is missing, and who wanted it.

Looked for only after the fact, on the host's files: the guest's loader says no more than a status.
"""

from __future__ import annotations

from lswd.image.errors import ImageError, printable
from lswd.image.imports import Missing, missing_imports
from lswd.kernel.exception import EXCEPTION_WINE_STUB, STUB_WORDS
from lswd.kernel.redirection import redirected
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

_LOADER_STATUSES = (STATUS_DLL_NOT_FOUND, STATUS_ENTRYPOINT_NOT_FOUND, STATUS_ORDINAL_NOT_FOUND)
_MOST_NAMED = 3
_HINT = "put it beside the program"


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
    process: Process, host: str, directories: Sequence[str], drives: Drives, userland: Userland
) -> str:
    """One line naming what was missing if that is what ended the process; "" if it ended by its own will.

    Args:
        host: the program's file.
        directories: DOS directories that the loader searched, in order.
    """
    status = process.exit_status
    stub = status == EXCEPTION_WINE_STUB
    if not stub and (status not in _LOADER_STATUSES or process.initialized):
        return ""
    directories = [redirected(process, directory) for directory in directories]
    try:
        missing = missing_imports(host, dll_finder(directories, drives, userland))
    except (ImageError, OSError) as error:
        return str(error)
    if stub:
        return _describe_call(process, missing)
    if status != STATUS_DLL_NOT_FOUND:  # then DLLs that were not found are none that the loader looked for
        missing = [each for each in missing if each.function is not None] or missing
    if not missing:
        return f"a DLL or function it needs was not found ({status_name(status)}); --trace shows the search"
    text = "; ".join(map(str, missing[:_MOST_NAMED]))
    more = f"; and {len(missing) - _MOST_NAMED} more" if len(missing) > _MOST_NAMED else ""
    hint = f"; {_HINT}" if len(missing) == 1 and missing[0].function is None and not missing[0].reason else ""
    return text + more + hint


def _describe_call(process: Process, missing: Sequence[Missing]) -> str:
    """The function whose stand-in the program died of.

    Wine's loader lets a program start without a function that it imports; calling it raises an exception, and the
    last words of the userland ("Call from ... to unimplemented function b.dll.f, aborting") name it.
    """
    dll, _, function = process.last_words.partition(STUB_WORDS)[2].partition(",")[0].rpartition(".")
    for each in missing:
        if each.function is not None and str(each.function) == function and each.dll.lower() == dll.lower():
            return str(each)
    if function:
        return f"it called {printable(function)} of {printable(dll)}, which does not have it"
    functions = [str(each) for each in missing if each.function is not None]
    return "; ".join(functions[:_MOST_NAMED])
