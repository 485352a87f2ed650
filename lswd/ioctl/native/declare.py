"""Declaring a native system call, and what its handler gets.

A handler gets a Call and returns return_value; a coroutine may wait. What goes wrong is raised: NativeError becomes
error_code in the answer, RefusedError makes ioctl(2) itself fail.

Argument layouts changed over the module's generations; ``arg_count``, which the module itself never read, tells them
apart: MODERN is what commit 74bd039 and later mean, LEGACY what the module meant while SYSCALL was number 4.
"""

from __future__ import annotations

import errno
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import TypeAlias

    from lswd.ioctl.native.caller_memory import CallerMemory
    from lswd.ioctl.native.holdings import Holdings
    from lswd.ioctl.native.process_files import CallerFiles

    Result: TypeAlias = int | Awaitable[int]
    Handler: TypeAlias = Callable[["Call"], Result]

REQUEST = struct.Struct("<II8QQi4x")  # commands.Request, flat
_PACK = struct.Struct("<II8QQi4x").pack

U64 = (1 << 64) - 1
ANY = 9  # a minimum of arg_count nobody reaches: never modern by count


class NativeError(Exception):
    """The call fails: the caller sees this errno (negated) in error_code, and ``value`` in return_value."""

    def __init__(self, number: int, value: int = 0) -> None:
        super().__init__(number)
        self.number = number
        self.value = value


class RefusedError(Exception):
    """ioctl(2) fails with this errno, so that the LSW loader does the thing itself."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class Call:
    """One native system call.

    Attributes:
        number, count, args: of the request. command: 4 or 5, the ioctl's number.
        modern: the argument layout (see the module's docstring).
        tid: the calling thread. files: what the caller's process can open. holdings: what it has open here.
    """

    __slots__ = ("args", "command", "count", "files", "holdings", "memory", "modern", "number", "tid")

    def __init__(
        self, number: int, count: int, args: tuple[int, ...], command: int, modern: bool, tid: int,
        holdings: Holdings, files: CallerFiles, memory: CallerMemory,
    ) -> None:  # fmt: skip
        self.number = number
        self.count = count
        self.args = args
        self.command = command
        self.modern = modern
        self.tid = tid
        self.holdings = holdings
        self.files = files
        self.memory = memory

    def read(self, address: int, size: int) -> bytes:
        """Bytes of the caller's memory. Raises NativeError."""
        try:
            return self.memory.read(self.tid, address, size)
        except OSError as error:
            raise _unreachable(error) from None

    def write(self, address: int, data: bytes) -> None:
        """Write to the caller's memory. Raises NativeError."""
        try:
            self.memory.write(self.tid, address, data)
        except OSError as error:
            raise _unreachable(error) from None

    def text(self, address: int) -> bytes:
        """A NUL-terminated path in the caller's memory. Raises NativeError (the module cut longer ones)."""
        try:
            return self.memory.text(self.tid, address)
        except OSError as error:
            raise _unreachable(error) from None


def _unreachable(error: OSError) -> NativeError:
    """Memory that is not there (EFAULT), or that the system does not let us touch (EPERM)."""
    return NativeError(errno.EPERM if error.errno == errno.EPERM else errno.EFAULT)


class Native:
    """A declared native system call.

    Attributes:
        arguments, legacy: the parameters in both layouts; legacy is "" when it has only one.
        modern_count: at least this arg_count means the modern layout (only where there are two).
        since: the ioctl number (4 or 5) that first had it.
        partial: what is missing, "" for nothing.
    """

    __slots__ = ("arguments", "handler", "legacy", "modern_count", "name", "number", "partial", "since")

    def __init__(
        self, number: int, name: str, arguments: str, handler: Handler, legacy: str, modern_count: int, since: int,
        partial: str,
    ) -> None:  # fmt: skip
        self.number = number
        self.name = name
        self.arguments = arguments
        self.handler = handler
        self.legacy = legacy
        self.modern_count = modern_count
        self.since = since
        self.partial = partial


NATIVE: dict[int, Native] = {}


def native(
    number: int, arguments: str, *, legacy: str = "", modern_count: int = 0, since: int = 4, partial: str = ""
) -> Callable[[Handler], Handler]:
    """Declare the native system call ``number``; the handler's name is its name."""

    def declare(handler: Handler) -> Handler:
        name = getattr(handler, "__name__", "")
        NATIVE[number] = Native(number, name, arguments, handler, legacy, modern_count, since, partial)
        return handler

    return declare


def known(number: int, command: int) -> bool:
    """Is there such a call under the SYSCALL ioctl of number ``command``? Others come back unchanged."""
    declared = NATIVE.get(number)
    return declared is not None and command >= declared.since


def is_modern(declared: Native, command: int, count: int) -> bool:
    """Which layout a request has."""
    return not declared.legacy or (command >= 5 and count >= declared.modern_count)


def answer(request: bytes, value: int, error: int) -> bytes:
    """The request with its answer filled in; ``error`` is an errno, or 0."""
    return request[:72] + struct.pack("<Qi", value & U64, -error) + request[84:]


def signed(value: int) -> int:
    """A 64-bit argument as the signed number it stands for."""
    return value - (1 << 64) if value >> 63 else value
