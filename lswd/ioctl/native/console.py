"""Native system calls on the console: the caller's own standard streams (the module's were the first caller's)."""

from __future__ import annotations

import errno
import os
import struct

from lswd.ioctl.native.declare import NativeError, native
from lswd.ioctl.native.streams import LARGEST, can_wait, read_stream, write_stream

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.ioctl.native.declare import Call, Result

STD_INPUT = 0xFFFF_FFF6  # winbase.h STD_INPUT_HANDLE (-10), and so on
STD_OUTPUT = 0xFFFF_FFF5
STD_ERROR = 0xFFFF_FFF4
_NUMBERS = {STD_INPUT: 0, STD_OUTPUT: 1, STD_ERROR: 2}
_LARGEST_READ = 64 << 10


def _standard(call: Call, allowed: tuple[int, ...]) -> int:
    handle = call.args[0] & 0xFFFF_FFFF
    if handle not in allowed:
        raise NativeError(errno.EBADF)
    try:
        return call.files.standard(_NUMBERS[handle])
    except OSError:
        raise NativeError(errno.EBADF) from None


def _report(call: Call, count: int) -> int:
    if call.args[3]:
        call.write(call.args[3], struct.pack("<I", count))
    return 1


@native(0x1002, "handle, buffer*, bytes, written*", since=5)
def LswWriteConsole(call: Call) -> Result:
    size = min(call.args[2] & 0xFFFF_FFFF, LARGEST)
    fd = _standard(call, (STD_OUTPUT, STD_ERROR))
    try:
        data = b"".join(call.read(call.args[1] + at, min(1 << 20, size - at)) for at in range(0, size, 1 << 20))
    except NativeError:
        os.close(fd)
        raise
    if not size:
        os.close(fd)
        return _report(call, 0)
    return _write(call, fd, data)


async def _write(call: Call, fd: int, data: bytes) -> int:
    try:
        if can_wait(fd):
            await write_stream(fd, data)
        else:
            view = memoryview(data)
            while view:
                view = view[os.write(fd, view) :]
    except OSError as error:
        raise NativeError(error.errno or errno.EIO) from None
    finally:
        os.close(fd)
    return _report(call, len(data))


@native(0x1003, "handle, buffer*, bytes, read*", since=5)
def LswReadConsole(call: Call) -> Result:
    size = min(call.args[2] & 0xFFFF_FFFF, _LARGEST_READ)
    fd = _standard(call, (STD_INPUT,))
    if not size:
        os.close(fd)
        return _report(call, 0)
    return _read(call, fd, size)


async def _read(call: Call, fd: int, size: int) -> int:
    try:
        data = await read_stream(fd, size) if can_wait(fd) else os.read(fd, size)
    except OSError as error:
        raise NativeError(error.errno or errno.EIO) from None
    finally:
        os.close(fd)
    call.write(call.args[1], data)
    return _report(call, len(data))


@native(0x1004, "id", since=5)
def LswGetStdHandle(call: Call) -> Result:
    wanted = call.args[0] & 0xFFFF_FFFF
    return wanted if wanted in _NUMBERS else 0
