"""For Python clients that run inside the machine: ioctl() as C has it, which fcntl.ioctl() is not quite."""

from __future__ import annotations

import ctypes
import os

_libc = ctypes.CDLL(None, use_errno=True)
_libc.ioctl.argtypes = [ctypes.c_int, ctypes.c_ulong, ctypes.c_void_p]


def device(name: str, flags: int = os.O_RDWR) -> int:
    """A descriptor of the device."""
    return os.open(f"/dev/{name}", flags | os.O_CLOEXEC)


def ioctl(file: int, command: int, argument: int | bytearray = 0) -> int:
    """What ioctl() returns, or -errno. argument: a value or an address; or memory, whose address is passed."""
    if isinstance(argument, bytearray):
        memory = (ctypes.c_char * len(argument)).from_buffer(argument)
        value: int = _libc.ioctl(file, command, ctypes.addressof(memory))
    else:
        value = _libc.ioctl(file, command, argument)
    return value if value >= 0 else -ctypes.get_errno()
