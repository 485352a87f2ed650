"""What a 32-bit process means by ``C:\\windows\\system32``: the 32-bit DLLs, which lie in ``C:\\windows\\syswow64``.

Source: Microsoft "File System Redirector". There is no WoW64 here, so nothing can be done to turn it off.
"""

from __future__ import annotations

from lswd.host.names import upcase

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.kernel.process import Process

_SYSTEM = "C:\\WINDOWS\\SYSTEM32"
_NATIVE = "C:\\WINDOWS\\SYSNATIVE"
# Directories of system32 that both kinds of programs share.
_SHARED = ("\\CATROOT", "\\CATROOT2", "\\DRIVERSTORE", "\\DRIVERS\\ETC", "\\LOGFILES", "\\SPOOL")


def redirected(process: Process, dos_path: str) -> str:
    """The path that ``process`` means by ``dos_path``."""
    if process.space.word == 8:
        return dos_path
    start = upcase(dos_path[: len(_NATIVE)])
    if start.startswith(_SYSTEM):
        rest = dos_path[len(_SYSTEM) :]
        if rest[:1] in ("", "\\") and not _is_shared(rest):
            return "C:\\windows\\syswow64" + rest
    elif start == _NATIVE and dos_path[len(_NATIVE) :][:1] in ("", "\\"):
        return "C:\\windows\\system32" + dos_path[len(_NATIVE) :]
    return dos_path


def _is_shared(rest: str) -> bool:
    upper = upcase(rest) + "\\"
    return any(upper.startswith(shared + "\\") for shared in _SHARED)
