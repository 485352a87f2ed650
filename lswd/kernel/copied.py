"""Work that keeps the interpreter to itself for as long as a stranger likes, done in a copy of this process.

A thread would not do: the package ``cryptography`` opens PKCS #12 files without letting other threads go on.
"""

from __future__ import annotations

import os
import resource
import signal
import warnings

from lswd.host.parent_death import die_with_parent
from lswd.kernel.loop import event_loop

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_PIECE = 1 << 16


async def in_copy(work: Callable[[], bytes], seconds: int) -> bytes | None:
    """What ``work`` returns; None if it raises or wants the processor for longer than ``seconds``.

    It finds everything as it is now, and what it changes is lost. A call that is given up ends it.

    Raises:
        OSError: the host has no room for another process.
    """
    await event_loop()
    import trio

    reading, writing = os.pipe2(os.O_CLOEXEC)
    try:
        os.set_blocking(reading, False)
        try:
            pid = _start(work, writing, seconds)
        finally:
            os.close(writing)
        data = b""
        try:
            while True:
                await trio.lowlevel.wait_readable(reading)
                piece = os.read(reading, _PIECE)
                if not piece:
                    return data or None
                data += piece
        finally:
            _end(pid)
    finally:
        os.close(reading)


def _start(work: Callable[[], bytes], writing: int, seconds: int) -> int:
    """The copy's process id."""
    parent = os.getpid()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # threads may hold locks: none that the copy takes
        pid = os.fork()
    if pid:
        return pid
    try:
        _bind(parent, seconds)
        with open(writing, "wb", closefd=False) as file:
            file.write(work())
    finally:
        os._exit(0)


def _bind(parent: int, seconds: int) -> None:
    """Make the copy end with its parent, or after its time, and leave signals to the parent."""
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    signal.set_wakeup_fd(-1)
    die_with_parent(parent)
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))


def _end(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    except (ProcessLookupError, ChildProcessError):
        pass  # somebody has seen to it that nobody waits for children
