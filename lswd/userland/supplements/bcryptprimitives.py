"""bcryptprimitives.dll: the random numbers that current Rust and Go runtimes are built on.

Source: Microsoft, "ProcessPrng function" (bcryptprimitives.dll): fills the buffer and returns TRUE, always.
"""

from __future__ import annotations

import os

from lswd.ntdef.status import NtError
from lswd.ntdef.types import BOOL, PVOID, SIZE_T
from lswd.userland.supplements.declare import supplement

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.userland.supplements.declare import Call

_PIECE = 1 << 16


@supplement("bcryptprimitives.dll")
def ProcessPrng(call: Call, pbData: PVOID, cbData: SIZE_T) -> BOOL:
    """Fill ``cbData`` bytes at ``pbData`` with random bytes, a piece at a time: a guest may ask for any amount.

    Where Windows would fault on a buffer that cannot be written, this returns FALSE.
    """
    try:
        for offset in range(0, cbData, _PIECE):
            call.space.write(pbData + offset, os.urandom(min(_PIECE, cbData - offset)))
    except NtError:
        return 0
    return 1
