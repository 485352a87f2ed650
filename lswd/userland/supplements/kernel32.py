"""CreateSymbolicLinkA, which in Wine is as little of a function as the one for wide names (``kernelbase``)."""

from __future__ import annotations

from lswd.ntdef.types import BOOL, PVOID, ULONG
from lswd.userland.supplements.declare import supplement
from lswd.userland.supplements.kernelbase.links import create_symbolic_link

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.userland.supplements.declare import ProcessCall

_ANSI = "cp1252"  # the registry's ACP


@supplement("kernel32.dll", partial="whether a link is a directory's is what its target is")
def CreateSymbolicLinkA(call: ProcessCall, lpSymlinkFileName: PVOID, lpTargetFileName: PVOID, dwFlags: ULONG) -> BOOL:
    """TRUE: it has been made."""
    return create_symbolic_link(call, lpSymlinkFileName, lpTargetFileName, dwFlags, _ANSI)
