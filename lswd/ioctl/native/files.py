"""Native system calls on files.

Source: protocol.md, section "Native system calls"; the module's own limit of 4096 bytes a call is not kept.
"""

from __future__ import annotations

import errno
import os
import stat

from lswd.ioctl.native.declare import U64, NativeError, RefusedError, native, signed
from lswd.ioctl.native.holdings import FIRST_FILE, OpenFile
from lswd.ioctl.native.streams import LARGEST, can_wait, pieces, read_stream, write_stream

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import TypeVar

    from lswd.ioctl.native.declare import Call, Result

    T = TypeVar("T")
    R = TypeVar("R")

GENERIC_READ = 0x8000_0000
GENERIC_WRITE = 0x4000_0000
_DISPOSITION = {1: os.O_CREAT | os.O_EXCL, 2: os.O_CREAT | os.O_TRUNC, 4: os.O_CREAT, 5: os.O_TRUNC}

_FIRST_LOOK, _LAST_LOOK = 0.002, 0.1  # seconds, between looks for a reader

LEGACY_PATH = b"/tmp/test.txt"
LEGACY_TEXT = b"LSW Test Write\n"


def open_flags(access: int, disposition: int) -> int:
    """What the module made of access and disposition."""
    wanted = access & (GENERIC_READ | GENERIC_WRITE)
    if wanted == GENERIC_READ | GENERIC_WRITE:
        flags = os.O_RDWR
    else:
        flags = os.O_WRONLY if wanted == GENERIC_WRITE else os.O_RDONLY
    return flags | _DISPOSITION.get(disposition & 0xFFFF_FFFF, 0)


@native(0x55, "path*, access, disposition, flags", legacy="access, share, disposition", modern_count=4)
def NtCreateFile(call: Call) -> Result:
    if call.modern:
        access, disposition, failed = call.args[1], call.args[2], U64
        try:
            path = call.text(call.args[0])
        except NativeError as error:
            raise NativeError(error.number, failed) from None
    else:
        path, access, disposition, failed = LEGACY_PATH, call.args[0], call.args[2], 0
    flags = open_flags(access, disposition)
    try:
        fd = call.files.open(path, flags)
    except OSError as error:
        if error.errno == errno.ENXIO and _is_fifo(call, path):
            return _open_for_writing(call, path, flags, failed)
        raise NativeError(errno.ENOENT, failed) from None
    # A FIFO that nobody writes to yet is open at once; reading it then waits, as opening it would have.
    return _add(call, fd, flags, failed)


def _add(call: Call, fd: int, flags: int, failed: int) -> int:
    mode = flags & os.O_ACCMODE
    file = OpenFile(fd, readable=mode != os.O_WRONLY, writable=mode != os.O_RDONLY, waits=can_wait(fd))
    try:
        return call.holdings.add_file(file)
    except NativeError:
        os.close(fd)
        raise NativeError(errno.ENOENT, failed) from None


def _is_fifo(call: Call, path: bytes) -> bool:
    try:
        fd = call.files.open(path, os.O_PATH)
    except OSError:
        return False
    try:
        return stat.S_ISFIFO(os.fstat(fd).st_mode)
    finally:
        os.close(fd)


async def _open_for_writing(call: Call, path: bytes, flags: int, failed: int) -> int:
    """Open a FIFO once somebody reads it. Linux tells nobody when that is; a thread that waits cannot be called off."""
    import trio

    seconds = _FIRST_LOOK
    while True:
        await trio.sleep(seconds)
        seconds = min(2 * seconds, _LAST_LOOK)
        try:
            fd = call.files.open(path, flags & ~(os.O_CREAT | os.O_EXCL))
        except OSError as error:
            if error.errno == errno.ENXIO:
                continue
            raise NativeError(errno.ENOENT, failed) from None
        return _add(call, fd, flags, failed)


def _file(call: Call, *, from_loader: bool) -> OpenFile:
    """The file of the first argument.

    Raises:
        RefusedError: a handle the loader got elsewhere: it falls back to that. NativeError (EBADF): any other.
    """
    handle = call.args[0]
    file = call.holdings.files.get(handle)
    if file is None:
        if from_loader and handle < FIRST_FILE:
            raise RefusedError(errno.EBADF)
        raise NativeError(errno.EBADF)
    return file


def _from_loader(call: Call, count: int) -> bool:
    return call.command >= 5 and call.count >= count


@native(0x06, "handle, buffer*, size", legacy="handle, size", modern_count=3)
def NtReadFile(call: Call) -> Result:
    buffer, size = (call.args[1], call.args[2]) if call.modern else (0, min(call.args[1], 4096))
    if not size:
        raise NativeError(errno.EINVAL)
    file = _file(call, from_loader=_from_loader(call, 3))
    if not file.readable:
        raise NativeError(errno.EBADF)
    if file.waits:
        return _read_waiting(call, file, buffer, size)
    total = 0
    for piece in pieces(size):
        try:
            data = os.read(file.fd, piece)
        except OSError as error:
            raise NativeError(error.errno or errno.EIO) from None
        if data and buffer:
            call.write(buffer + total, data)
        total += len(data)
        if len(data) < piece:
            break
    return total


async def _read_waiting(call: Call, file: OpenFile, buffer: int, size: int) -> int:
    data = await _while_open(file, read_stream, size)
    if data and buffer:
        call.write(buffer, data)
    return len(data)


@native(0x08, "handle, buffer*, size", legacy="handle", modern_count=3)
def NtWriteFile(call: Call) -> Result:
    if not call.modern:
        data = LEGACY_TEXT
    else:
        handle, buffer, size = call.args[:3]
        data = _gather(call, buffer, min(size, LARGEST))
        if not size:
            raise NativeError(errno.EINVAL)
        if handle >> 63:
            return _write_standard(call, 2 if signed(handle) == -12 else 1, data)
    file = _file(call, from_loader=call.modern and _from_loader(call, 3))
    if not file.writable:
        raise NativeError(errno.EBADF)
    if file.waits:
        return _write_waiting(file, data)
    written = 0
    try:
        while written < len(data):
            written += os.write(file.fd, data[written:])
    except OSError as error:
        if not written:
            raise NativeError(error.errno or errno.EIO) from None
    return written


def _gather(call: Call, address: int, size: int) -> bytes:
    return b"".join(call.read(address + at, min(1 << 20, size - at)) for at in range(0, size, 1 << 20))


async def _while_open(file: OpenFile, operation: Callable[[int, T], Awaitable[R]], argument: T) -> R:
    """The operation on the file's descriptor.

    Raises:
        NativeError: EBADF, when the handle is closed before it has ended; what the operation fails with.
    """
    import trio

    if file.closed:
        raise NativeError(errno.EBADF)
    scope = trio.CancelScope()
    file.waiting.add(scope)
    try:
        with scope:
            return await operation(file.fd, argument)
    except OSError as error:
        raise NativeError(error.errno or errno.EIO) from None
    finally:
        file.waiting.discard(scope)
        file.release()
    raise NativeError(errno.EBADF)


async def _write_waiting(file: OpenFile, data: bytes) -> int:
    await _while_open(file, write_stream, data)
    return len(data)


async def _write_standard(call: Call, number: int, data: bytes) -> int:
    """The module wrote this to the kernel's log; the caller meant its standard output, or error for handle -12."""
    try:
        fd = call.files.standard(number)
    except OSError as error:
        raise NativeError(error.errno or errno.EIO) from None
    try:
        await write_stream(fd, data)
    except OSError as error:
        raise NativeError(error.errno or errno.EIO) from None
    finally:
        os.close(fd)
    return len(data)


@native(0x0F, "handle")
def NtClose(call: Call) -> Result:
    file = call.holdings.files.pop(call.args[0], None)
    if file is None:
        raise NativeError(errno.EBADF)
    file.close()
    return 0


@native(0x1000, "handle", since=5)
def LswGetFileSize(call: Call) -> Result:
    try:
        file = _file(call, from_loader=_from_loader(call, 1))
        return os.fstat(file.fd).st_size
    except (NativeError, OSError):
        raise NativeError(errno.EBADF, U64) from None


@native(0x1001, "handle, offset, whence", since=5)
def LswSetFilePointer(call: Call) -> Result:
    try:
        file = _file(call, from_loader=_from_loader(call, 3))
    except NativeError:
        raise NativeError(errno.EBADF, U64) from None
    if call.args[2] not in (0, 1, 2):
        raise NativeError(errno.EINVAL, U64)
    try:
        return os.lseek(file.fd, signed(call.args[1]), call.args[2])
    except (OSError, OverflowError):
        raise NativeError(errno.EINVAL, U64) from None


@native(0x75, "handle", since=5)
def NtFlushBuffersFile(call: Call) -> Result:
    file = call.holdings.files.get(call.args[0])
    if file is not None:
        try:
            os.fsync(file.fd)
        except OSError:
            pass  # the module never failed this
    return 0


@native(0x0D, "handle, -, -, buffer*, length", since=5, partial="answers zeros")
def NtQueryInformationFile(call: Call) -> Result:
    zero_fill(call, call.args[3], call.args[4])
    return 0


def zero_fill(call: Call, buffer: int, length: int) -> None:
    """Clear ``length`` (32 bits of it) bytes at ``buffer``, as far as there is memory."""
    length &= 0xFFFF_FFFF
    if not buffer:
        return
    try:
        for at in range(0, min(length, LARGEST), 1 << 20):
            call.write(buffer + at, bytes(min(1 << 20, length - at)))
    except NativeError:
        pass


@native(0x27, "ignored", since=5, partial="does nothing")
def NtSetInformationFile(call: Call) -> Result:
    return 0
