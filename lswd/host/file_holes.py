"""Giving back a part of a file to the host's file system, which Python's library cannot."""

from __future__ import annotations

import ctypes

_KEEP_SIZE_PUNCH_HOLE = 3


def punch_hole(fd: int, offset: int, length: int) -> bool:
    """Make a range of an open file a hole, which reads as zeros; False if the file system does not know how."""
    library = ctypes.CDLL(None, use_errno=True)
    library.fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]
    return bool(library.fallocate(fd, _KEEP_SIZE_PUNCH_HOLE, offset, length) == 0)
