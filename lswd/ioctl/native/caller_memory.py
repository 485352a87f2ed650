"""The calling process's memory, as native calls see it."""

from __future__ import annotations

import errno
import os

from lswd.host.process_memory import PAGE, read_memory, read_some, write_memory


class CallerMemory:
    """Memory that we may look into ourselves. Every method raises OSError."""

    def read(self, tid: int, address: int, size: int) -> bytes:
        """Exactly ``size`` bytes."""
        return read_memory(tid, address, size)

    def some(self, tid: int, address: int, size: int) -> bytes:
        """Those of ``size`` bytes that are there; EFAULT if none is."""
        return read_some(tid, address, size)

    def write(self, tid: int, address: int, data: bytes) -> None:
        """Write; a part may have been written when it fails."""
        write_memory(tid, address, data)

    def text(self, tid: int, address: int, limit: int = PAGE) -> bytes:
        """The bytes before the first NUL; pages are read one at a time, for the next may not be there.

        Raises:
            OSError: EFAULT: no NUL before the memory ends. ENAMETOOLONG: none within ``limit`` bytes.
        """
        text = b""
        while len(text) < limit:
            at = address + len(text)
            part = self.some(tid, at, min(PAGE - at % PAGE, limit - len(text)))
            end = part.find(0)
            if end >= 0:
                return text + part[:end]
            text += part
        raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))


DIRECT = CallerMemory()
