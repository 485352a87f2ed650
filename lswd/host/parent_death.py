"""Ending with one's parent (prctl(2), PR_SET_PDEATHSIG), for processes that are of no use without it."""

from __future__ import annotations

import ctypes
import os
import signal

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


def die_with_parent(parent: int) -> None:
    """Have this process killed when its parent ``parent`` ends. Setting user ids undoes it."""
    _libc.prctl(_PR_SET_PDEATHSIG, *map(ctypes.c_ulong, (signal.SIGKILL, 0, 0, 0)))
    if os.getppid() != parent:
        os._exit(1)
