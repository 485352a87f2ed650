"""From a request's bytes to its answer's."""

from __future__ import annotations

import errno

# Importing a module declares its calls.
from lswd.ioctl.native import console, files, programs, regions, sync
from lswd.ioctl.native.caller_memory import DIRECT, CallerMemory
from lswd.ioctl.native.declare import NATIVE, REQUEST, Call, NativeError, RefusedError, answer, is_modern, known

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable

    from lswd.ioctl.native.holdings import Holdings
    from lswd.ioctl.native.process_files import CallerFiles

__all__ = ["INTERRUPTED", "NATIVE", "console", "files", "is_known", "programs", "regions", "serve", "sync"]

INTERRUPTED = errno.EINTR  # error_code of a call that a signal ended


def is_known(request: bytes, command: int) -> bool:
    """Does the request name a call there is? If not it is its own answer."""
    return known(REQUEST.unpack_from(request)[0], command)


def serve(
    request: bytes,
    command: int,
    tid: int,
    holdings: Holdings,
    caller: CallerFiles,
    memory: CallerMemory = DIRECT,
) -> tuple[int, bytes] | Awaitable[tuple[int, bytes]]:
    """Serve one request of SYSCALL.

    Args:
        command: 4 or 5, the number of the ioctl it came with.

    Returns:
        What ioctl(2) returns (0 or -errno) and the struct to copy back, now or later.

    Raises:
        StaleSession: the caller must be looked at anew.
    """
    number, count, *arguments, _value, _error = REQUEST.unpack(request)
    if not known(number, command):
        return 0, request
    declared = NATIVE[number]
    modern = is_modern(declared, command, count)
    call = Call(number, count, tuple(arguments), command, modern, tid, holdings, caller, memory)
    try:
        result = declared.handler(call)
    except NativeError as error:
        return 0, answer(request, error.value, error.number)
    except RefusedError as error:
        return -error.number, b""
    except OSError as error:
        return 0, answer(request, 0, error.errno or errno.EIO)
    if isinstance(result, int):
        return 0, answer(request, result, 0)
    return _later(request, result)


async def _later(request: bytes, result: Awaitable[int]) -> tuple[int, bytes]:
    try:
        return 0, answer(request, await result, 0)
    except NativeError as error:
        return 0, answer(request, error.value, error.number)
    except OSError as error:
        return 0, answer(request, 0, error.errno or errno.EIO)
