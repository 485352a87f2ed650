"""Setting one of a file's times and leaving the other alone, which ``os.utime`` cannot: it takes both."""

from __future__ import annotations

import ctypes
import os

_AT_FDCWD = -100
_OMIT = (1 << 30) - 2  # UTIME_OMIT
_LARGEST = (1 << 63) - 1


class _Timespec(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_int64), ("nanoseconds", ctypes.c_long))


def set_times(path: str | int, accessed: int | None, written: int | None) -> None:
    """Set the time of the last access, of the last write, or both, in nanoseconds since 1970; None leaves one as it is.

    Raises:
        OSError.
    """
    times = (_Timespec * 2)()
    for time, value in zip(times, (accessed, written), strict=True):
        seconds, nanoseconds = (0, _OMIT) if value is None else divmod(value, 1_000_000_000)
        time.seconds, time.nanoseconds = max(min(seconds, _LARGEST), -_LARGEST), nanoseconds
    library = ctypes.CDLL(None, use_errno=True)
    if isinstance(path, int):
        result = library.futimens(path, times)
    else:
        result = library.utimensat(_AT_FDCWD, os.fsencode(path), times, 0)
    if result:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
