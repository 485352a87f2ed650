"""A client of /dev/lsw as far as checks need one, and how a check is declared."""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import struct

from lswd.ioctl.commands import COMMANDS, GET_STATUS, REGISTER_PE, SYSCALL, WORD, Command, PeInfo, Status

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Protocol, TypeAlias

    class Device(Protocol):
        """An open device."""

        def ioctl(self, command: int, argument: int) -> int:
            """The result; raises OSError."""
            ...

        def close(self) -> None: ...

    Answer: TypeAlias = tuple[int, int]  # return_value, error_code
    Check: TypeAlias = Callable[["Client"], None]

REQUEST = struct.Struct("<II8QQi4x")
U64 = (1 << 64) - 1
FAILED = U64
_libc = ctypes.CDLL(None, use_errno=True)


class Unfulfilled(Exception):
    """A check failed: what was expected, and what came."""


def expect(expected: object, actual: object, what: str = "") -> None:
    """Raise Unfulfilled unless both are equal."""
    if expected != actual:
        raise Unfulfilled(f"{what + ': ' if what else ''}expected {_show(expected)}, got {_show(actual)}")


def _show(value: object) -> str:
    if isinstance(value, tuple):
        return "(" + ", ".join(_show(v) for v in value) + ")"
    return f"{value:#x}" if isinstance(value, int) and abs(value) > 255 else repr(value)


def fails(number: int, action: Callable[[], object], what: str = "") -> None:
    """Raise Unfulfilled unless ``action`` fails with this errno."""
    wanted = errno.errorcode.get(number, str(number))
    try:
        value = action()
    except OSError as error:
        expect(wanted, errno.errorcode.get(error.errno or 0, str(error.errno)), what)
    else:
        raise Unfulfilled(f"{what + ': ' if what else ''}expected {wanted}, got {_show(value)}")


class KernelDevice:
    """A device node."""

    def __init__(self, path: str) -> None:
        self.fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)

    def ioctl(self, command: int, argument: int) -> int:
        """ioctl(2), with an argument that may be any number."""
        result = int(_libc.ioctl(self.fd, ctypes.c_ulong(command), ctypes.c_ulong(argument)))
        if result < 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))
        return result

    def close(self) -> None:
        """Close it."""
        os.close(self.fd)


class Client:
    """What a check uses. Everything it opens is closed afterwards."""

    def __init__(self, opener: Callable[[], Device]) -> None:
        self.open_device = opener
        self.device = opener()
        self._kept: list[Any] = []

    def close(self) -> None:
        """Let everything go."""
        self.device.close()

    def again(self) -> None:
        """Close the device and open it again."""
        self.device.close()
        self.device = self.open_device()

    # ---- memory

    def place(self, data: bytes) -> int:
        """The address of ``data`` in our memory, which may be written to."""
        buffer = ctypes.create_string_buffer(data, len(data))
        self._kept.append(buffer)
        return ctypes.addressof(buffer)

    def space(self, size: int) -> int:
        """The address of ``size`` zero bytes."""
        return self.place(bytes(size))

    def path(self, text: str) -> int:
        """The address of a NUL-terminated path."""
        return self.place(os.fsencode(text) + b"\0")

    def before_nothing(self, data: bytes) -> int:
        """The address of ``data`` at the very end of a page behind which there is no memory."""
        area = mmap.mmap(-1, 2 * mmap.PAGESIZE)
        self._kept.append(area)
        start = ctypes.addressof(ctypes.c_char.from_buffer(area))
        if _libc.mprotect(ctypes.c_void_p(start + mmap.PAGESIZE), ctypes.c_size_t(mmap.PAGESIZE), 0):
            raise OSError(ctypes.get_errno(), "mprotect")
        area[mmap.PAGESIZE - len(data) : mmap.PAGESIZE] = data
        return start + mmap.PAGESIZE - len(data)

    @staticmethod
    def at(address: int, size: int) -> bytes:
        """The bytes there."""
        return ctypes.string_at(address, size)

    # ---- commands

    def command(self, command: Command, argument: int) -> int:
        """An ioctl with the argument as it is."""
        return self.device.ioctl(command.number, argument)

    def struct(self, command: Command, data: bytes) -> bytes:
        """An ioctl with a struct; returns the struct afterwards."""
        address = self.place(data)
        self.command(command, address)
        return self.at(address, len(data))

    def request(
        self, number: int, *arguments: int, count: int = -1, command: Command = SYSCALL, value: int = 0, error: int = 0
    ) -> tuple[int, ...]:
        """SYSCALL; returns all fields of the request afterwards."""
        filled = [argument & U64 for argument in arguments] + [0] * (8 - len(arguments))
        data = REQUEST.pack(number, len(arguments) if count < 0 else count, *filled, value, error)
        return REQUEST.unpack(self.struct(command, data))

    def call(self, number: int, *arguments: int, count: int = -1, command: Command = SYSCALL) -> Answer:
        """SYSCALL; returns return_value and error_code."""
        fields = self.request(number, *arguments, count=count, command=command)
        return fields[10], fields[11]

    def register(self, pid: int, **fields: Any) -> None:
        """REGISTER_PE."""
        self.struct(REGISTER_PE, PeInfo(pid=pid, **fields).pack(WORD))

    def status(self) -> int:
        """GET_STATUS."""
        return int(Status.unpack(WORD, self.struct(GET_STATUS, bytes(4))).count)


class Declared:
    """A check. ``module_fails``: why the kernel module does not do this, "" if it does."""

    __slots__ = ("check", "module_fails", "programs", "title")

    def __init__(self, title: str, check: Check, module_fails: str, programs: bool) -> None:
        self.title = title
        self.check = check
        self.module_fails = module_fails
        self.programs = programs


CHECKS: list[Declared] = []


def check(title: str, module_fails: str = "", *, programs: bool = False) -> Callable[[Check], Check]:
    """Declare a check. ``programs``: it runs a Windows program."""

    def declare(function: Check) -> Check:
        CHECKS.append(Declared(title, function, module_fails, programs))
        return function

    return declare


def known_numbers() -> set[int]:
    """The numbers of all commands there are."""
    return set(COMMANDS)
