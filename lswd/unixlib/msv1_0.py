"""The Unix half of msv1_0 (Wine 8), without which the DLL does not load: NTLM, which takes a helper program of Samba's.

There is none here, and the DLL is told so: it offers no NTLM then.
"""

from __future__ import annotations

from lswd.ntdef.status import STATUS_DLL_NOT_FOUND

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.kernel.thread import Thread
    from lswd.unixlib import UnixFunction


def ntlm_check_version(thread: Thread, arguments: int) -> int:
    return STATUS_DLL_NOT_FOUND


FUNCTIONS: dict[int, UnixFunction] = {3: ntlm_check_version}
