"""Reading and writing another process's memory, with the rights of our own credentials.

Source: process_vm_readv(2). Unlike /proc/PID/mem these calls respect the protection of pages: a bad, read-only or
straddling range is an error, as it is for the kernel's own copy_from_user and copy_to_user.
"""

from __future__ import annotations

import ctypes
import errno
import os

PAGE = 4096
LARGEST_COPY = 64 << 20


class _Vector(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


_libc = ctypes.CDLL(None, use_errno=True)
_arguments = (
    ctypes.c_int, ctypes.POINTER(_Vector), ctypes.c_ulong, ctypes.POINTER(_Vector), ctypes.c_ulong, ctypes.c_ulong,
)  # fmt: skip
_libc.process_vm_readv.argtypes = _arguments
_libc.process_vm_readv.restype = ctypes.c_ssize_t
_libc.process_vm_writev.argtypes = _arguments
_libc.process_vm_writev.restype = ctypes.c_ssize_t


def _error(number: int) -> OSError:
    return OSError(number, os.strerror(number))


def read_memory(tid: int, address: int, size: int) -> bytes:
    """``size`` bytes at ``address`` of the process that thread ``tid`` belongs to.

    Raises:
        OSError: EFAULT: not all of it can be read. EPERM: we may not. ESRCH: it is gone. EINVAL: too much at once.
    """
    data = read_some(tid, address, size)
    if len(data) != size:
        raise _error(errno.EFAULT)
    return data


def read_some(tid: int, address: int, size: int) -> bytes:
    """As ``read_memory``, but stops before the first page that cannot be read (EFAULT only when that is the first)."""
    if not size:
        return b""
    if size > LARGEST_COPY:
        raise _error(errno.EINVAL)
    if address + size > 1 << 64:
        raise _error(errno.EFAULT)
    buffer = ctypes.create_string_buffer(size)
    here = _Vector(ctypes.addressof(buffer), size)
    there = _Vector(address, size)
    count = _libc.process_vm_readv(tid, ctypes.byref(here), 1, ctypes.byref(there), 1, 0)
    if count < 0:
        raise _error(ctypes.get_errno())
    return buffer.raw[:count]


def write_memory(tid: int, address: int, data: bytes) -> None:
    """Write ``data`` at ``address``; on failure a part of it may have been written. Raises as ``read_memory``."""
    size = len(data)
    if not size:
        return
    if address + size > 1 << 64:
        raise _error(errno.EFAULT)
    here = _Vector(ctypes.cast(ctypes.c_char_p(data), ctypes.c_void_p), size)
    there = _Vector(address, size)
    count = _libc.process_vm_writev(tid, ctypes.byref(here), 1, ctypes.byref(there), 1, 0)
    if count < 0:
        raise _error(ctypes.get_errno())
    if count != size:
        raise _error(errno.EFAULT)
