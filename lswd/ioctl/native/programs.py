"""Native system calls on processes, threads and libraries. They account for programs; EXECUTE_PE is what runs them."""

from __future__ import annotations

import errno
import os
import stat
import struct

from lswd.ioctl.native.declare import NativeError, RefusedError, native
from lswd.ioctl.native.files import zero_fill

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.ioctl.native.declare import Call, Result

STATUS_ACCESS_VIOLATION = 0xC000_0005
LEGACY_LIBRARY = b"/tmp/test.dll"
LEGACY_PROGRAM = b"/tmp/hello.exe"
_LARGEST_IMAGE = 100 << 20
_PROCESS_BASIC = 0
_MOST_PIDS = 1 << 22


def image_base(call: Call, path: bytes) -> int:
    """The u64 at offset 24 of a PE file's optional header. Raises NativeError with the module's codes."""
    try:
        fd = call.files.open(path, os.O_RDONLY)
    except OSError as error:
        raise NativeError(error.errno or errno.ENOENT) from None
    try:
        information = os.fstat(fd)
        if information.st_size > _LARGEST_IMAGE:
            raise NativeError(errno.EFBIG)
        if not stat.S_ISREG(information.st_mode):
            raise NativeError(errno.EIO)
        if not information.st_size:
            raise NativeError(errno.ENOMEM)
        start = os.pread(fd, 64, 0)
        if len(start) < 64 or start[:2] != b"MZ":
            raise NativeError(errno.EINVAL)
        header = struct.unpack_from("<I", start, 0x3C)[0]
        if header >= information.st_size - 4:
            raise NativeError(errno.EINVAL)
        pe = os.pread(fd, 56, header)
    except OSError as error:
        raise NativeError(error.errno or errno.EIO) from None
    finally:
        os.close(fd)
    if pe[:4] != b"PE\0\0":
        raise NativeError(errno.EINVAL)
    return int(struct.unpack_from("<Q", pe.ljust(56, b"\0"), 48)[0])


@native(0x26, "path*", legacy="-", modern_count=1, partial="reads the headers, maps nothing")
def LdrLoadDll(call: Call) -> Result:
    if call.modern or (call.command >= 5 and call.args[0]):
        path = call.text(call.args[0])
    else:
        path = LEGACY_LIBRARY
    base = image_base(call, path)
    call.holdings.add_module(base)
    return base


@native(0xB8, "base, name (ignored)", partial="always base + 0x1000")
def LdrGetProcedureAddress(call: Call) -> Result:
    if call.args[0] not in call.holdings.modules:
        raise NativeError(errno.ENOENT)
    return call.args[0] + 0x1000


@native(0xB3, "path*", partial="checks the file and counts, runs nothing")
def NtCreateProcess(call: Call) -> Result:
    if call.args[0]:
        path = call.text(call.args[0])
    elif call.count:
        raise NativeError(errno.EINVAL)
    else:
        path = LEGACY_PROGRAM
    holdings = call.holdings
    identifier = holdings.next_program
    holdings.next_program += 1  # used up even if the file is no program
    base = image_base(call, path)
    if len(holdings.programs) >= holdings.limit:
        raise NativeError(errno.ENOMEM)
    holdings.add_module(base)
    holdings.programs.add(identifier)
    return identifier


@native(0xBD, "program, start, parameter", partial="counts, runs nothing; the loader's layout is refused (ENOSYS)")
def NtCreateThreadEx(call: Call) -> Result:
    if call.count >= 4:  # the loader then makes the thread itself
        raise RefusedError(errno.ENOSYS)
    identifier = call.holdings.next_thread
    call.holdings.next_thread += 1
    return identifier


@native(0x2C, "program, exit_code")
def NtTerminateProcess(call: Call) -> Result:
    if call.args[0] & 0xFFFF_FFFF not in call.holdings.programs:
        raise NativeError(errno.ESRCH)
    call.holdings.programs.remove(call.args[0] & 0xFFFF_FFFF)
    return 0


@native(0x53, "handle, exit_code", since=5, partial="the caller must end its thread itself")
def NtTerminateThread(call: Call) -> Result:
    return 0


@native(0x36, "class", partial="classes 0 and 5; no buffer is written")
def NtQuerySystemInformation(call: Call) -> Result:
    if call.args[0] == 0:
        return 0
    if call.args[0] != 5:
        raise NativeError(errno.ENOSYS)
    directory = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=call.files.proc)
    try:
        return min(sum(name.isdigit() for name in os.listdir(directory)), _MOST_PIDS)
    finally:
        os.close(directory)


@native(0x19, "handle, class, buffer*, length", since=5, partial="class 0 of the caller; zeros for the others")
def NtQueryInformationProcess(call: Call) -> Result:
    _, information_class, buffer, length = call.args[:4]
    if information_class & 0xFFFF_FFFF != _PROCESS_BASIC or length < 48:
        zero_fill(call, buffer, length)
        return 0
    try:
        own, parent = call.files.tgid(), call.files.parent()
        call.write(buffer, struct.pack("<6Q", 0, 0, 0, 0, own, parent))
    except (NativeError, OSError):
        raise NativeError(errno.EFAULT, STATUS_ACCESS_VIOLATION) from None
    return 0
