"""Opening a file that somebody else has named for reading, without being made to wait.

A FIFO that nobody writes to keeps whoever opens it for ever, and to open a device may do something.
"""

from __future__ import annotations

import errno
import os
import stat


def open_regular(path: str) -> int:
    """A descriptor for reading the regular file ``path`` (or what a link leads to).

    Raises:
        OSError: EISDIR, EINVAL: it is no regular file. Anything else: as the host says.
    """
    _check(path, os.stat(path))
    # It may have become another one meanwhile. A regular file takes no notice of O_NONBLOCK.
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        _check(path, os.fstat(fd))
    except OSError:
        os.close(fd)
        raise
    return fd


def _check(path: str, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        error = errno.EISDIR if stat.S_ISDIR(found.st_mode) else errno.EINVAL
        raise OSError(error, os.strerror(error), path)
