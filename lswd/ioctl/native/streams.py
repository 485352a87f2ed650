"""Reading and writing descriptors without ever holding up the session: what is not ready is waited for in trio."""

from __future__ import annotations

import os
import select
import stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

CHUNK = 1 << 20
LARGEST = 64 << 20
_ATOMIC = 4096  # PIPE_BUF: this much fits once poll(2) calls a pipe writable


def can_wait(fd: int) -> bool:
    """May reading or writing ``fd`` have to wait?"""
    mode = os.fstat(fd).st_mode
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISBLK(mode))


def pieces(size: int) -> Iterator[int]:
    """``size``, at most LARGEST, in steps that are not too large."""
    left = min(size, LARGEST)
    while left > 0:
        yield min(left, CHUNK)
        left -= CHUNK


def is_ready(fd: int, events: int) -> bool:
    """Would an operation return at once? Errors and hang-ups are ready too."""
    poll = select.poll()
    poll.register(fd, events)
    return bool(poll.poll(0))


async def _ready(fd: int, events: int) -> None:
    """Until ``fd`` is ready; asks again, for somebody else may have been faster."""
    import trio

    wait = trio.lowlevel.wait_readable if events == select.POLLIN else trio.lowlevel.wait_writable
    while not is_ready(fd, events):
        try:
            await wait(fd)
        except (OSError, ValueError, trio.BusyResourceError):  # it is ready always, or another call watches it
            await trio.sleep(0.02)


async def read_stream(fd: int, size: int) -> bytes:
    """Up to ``size`` bytes, at least one unless the stream has ended. Raises OSError."""
    while True:
        await _ready(fd, select.POLLIN)
        try:
            return os.read(fd, min(size, CHUNK))
        except BlockingIOError:
            continue


async def write_stream(fd: int, data: bytes) -> None:
    """All of ``data``. Raises OSError."""
    view = memoryview(data)
    while view:
        await _ready(fd, select.POLLOUT)
        try:
            view = view[os.write(fd, view[:_ATOMIC]) :]
        except BlockingIOError:
            continue
