"""The Unix half of crypt32 (Wine 8), as far as the DLL needs it to start.

Functions that are absent (PFX files, the host's root certificates) fail with STATUS_NOT_IMPLEMENTED and are counted.
The numbers of the functions are in the type information of the DLL.
"""

from __future__ import annotations

from lswd.ntdef.status import STATUS_SUCCESS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.kernel.thread import Thread
    from lswd.unixlib import UnixFunction


def process_attach(thread: Thread, arguments: int) -> int:
    """The DLL is loaded, and refuses to be if this fails; nothing is to be prepared."""
    return STATUS_SUCCESS


FUNCTIONS: dict[int, UnixFunction] = {0: process_attach, 1: process_attach}  # the second: it is unloaded
