"""CreateSymbolicLinkW: Wine's says that it has made a link and makes none.

Source: Microsoft "CreateSymbolicLinkW", "File path formats on Windows systems".
"""

from __future__ import annotations

from lswd.host.dospath import RtlPathTypeRelative, RtlPathTypeRooted, path_type
from lswd.ntdef import status as nt
from lswd.ntdef.status import NtError
from lswd.ntdef.types import BOOL, PVOID, ULONG
from lswd.userland.supplements.declare import supplement
from lswd.userland.supplements.guest_text import nt_name, text
from lswd.userland.supplements.last_error import (
    ERROR_INVALID_PARAMETER,
    ERROR_PATH_NOT_FOUND,
    failed,
    fails_by_last_error,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.userland.supplements.declare import ProcessCall

_DIRECTORY, _ALLOW_UNPRIVILEGED_CREATE = 1, 2  # SYMBOLIC_LINK_FLAG_*


@supplement("kernelbase.dll", partial="whether a link is a directory's is what its target is")
def CreateSymbolicLinkW(call: ProcessCall, lpSymlinkFileName: PVOID, lpTargetFileName: PVOID, dwFlags: ULONG) -> BOOL:
    """TRUE: it has been made."""
    return create_symbolic_link(call, lpSymlinkFileName, lpTargetFileName, dwFlags, "utf-16-le")


@fails_by_last_error
def create_symbolic_link(call: ProcessCall, link: int, target: int, flags: int, encoding: str) -> int:
    """CreateSymbolicLink for names in ``encoding``: 1, or 0 with the thread's last error."""
    if not link or not target or flags & ~(_DIRECTORY | _ALLOW_UNPRIVILEGED_CREATE):
        return failed(call, ERROR_INVALID_PARAMETER)
    try:
        _create(call, text(call, link, encoding), text(call, target, encoding), directory=bool(flags & _DIRECTORY))
    except ValueError:  # no name at all
        return failed(call, ERROR_PATH_NOT_FOUND)
    return 1


def _create(call: ProcessCall, link: str, target: str, *, directory: bool) -> None:
    relative = path_type(target) in (RtlPathTypeRelative, RtlPathTypeRooted)
    if relative:
        target = target.replace("/", "\\")
    elif target:
        target = nt_name(call, target)
    device, rest = call.process.system.namespace.walk(nt_name(call, link), None)
    make_link = getattr(device, "make_link", None)
    if make_link is None:
        raise NtError(nt.STATUS_OBJECT_PATH_NOT_FOUND)
    make_link(call.process, rest, target, relative=relative, directory=directory)
