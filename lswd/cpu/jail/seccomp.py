"""The seccomp filter of the jailed process: what its own stub may ask of Linux, and with which arguments.

Every other system call (any from outside the stub, any of another calling convention, any other number or argument)
becomes SIGSYS, which the stub reports to the kernel: a ``syscall`` instruction in guest code is an NT system call.
Sources: linux/seccomp.h, linux/filter.h, linux/audit.h.
"""

from __future__ import annotations

import struct

from lswd.cpu.jail import layout

_LOAD, _LOAD_SCRATCH, _LOAD_X_SCRATCH, _STORE = 0x20, 0x60, 0x61, 0x02
_ADD_X, _OR_X, _AND, _SHIFT_LEFT, _SHIFT_RIGHT = 0x0C, 0x4C, 0x54, 0x64, 0x74
_JUMP_EQUAL, _JUMP_GREATER, _JUMP_ANY_BIT, _RETURN = 0x15, 0x25, 0x45, 0x06
_ALLOW, _TRAP, _NOTIFY = 0x7FFF0000, 0x00030000, 0x7FC00000
_AUDIT_ARCH_X86_64 = 0xC000003E
_NUMBER, _ARCH, _POINTER = 0, 4, 8


def _argument(index: int, *, high: bool = False) -> int:
    return 16 + 8 * index + (4 if high else 0)


class _Program:
    """Instructions whose jumps name labels."""

    def __init__(self) -> None:
        self._code: list[tuple[int, str, str, int]] = []
        self._labels: dict[str, int] = {}

    def add(self, operation: int, value: int, yes: str = "", no: str = "") -> None:
        """One instruction; ``yes`` and ``no`` are where a jump goes, "" meaning the next instruction."""
        self._code.append((operation, yes, no, value))

    def label(self, name: str) -> None:
        self._labels[name] = len(self._code)

    def pack(self) -> bytes:
        def distance(at: int, name: str) -> int:
            return self._labels[name] - at - 1 if name else 0

        return b"".join(
            struct.pack("<HBBI", operation, distance(at, yes), distance(at, no), value & 0xFFFFFFFF)
            for at, (operation, yes, no, value) in enumerate(self._code)
        )


def supervision() -> bytes:
    """A filter that has the kernel asked about each new thread; of the two filters' answers the stricter one counts."""
    p = _Program()
    p.add(_LOAD, _NUMBER)
    p.add(_JUMP_EQUAL, layout.SYS_CLONE, no="allow")
    p.add(_RETURN, _NOTIFY)
    p.label("allow")
    p.add(_RETURN, _ALLOW)
    return p.pack()


def program() -> bytes:
    """The filter as an array of ``struct sock_filter``."""
    p = _Program()
    p.add(_LOAD, _ARCH)
    p.add(_JUMP_EQUAL, _AUDIT_ARCH_X86_64, no="trap")
    p.add(_LOAD, _POINTER + 4)
    p.add(_JUMP_EQUAL, layout.STUB >> 32, no="trap")
    p.add(_LOAD, _POINTER)
    p.add(_JUMP_GREATER, (layout.STUB & 0xFFFFFFFF) - 1, no="trap")
    p.add(_JUMP_GREATER, (layout.STUB & 0xFFFFFFFF) + layout.STUB_SIZE - 1, yes="trap")
    p.add(_LOAD, _NUMBER)
    p.add(_JUMP_EQUAL, layout.SYS_FUTEX, yes="futex")
    p.add(_JUMP_EQUAL, layout.SYS_SIGRETURN, yes="allow")
    p.add(_JUMP_EQUAL, layout.SYS_MMAP, yes="mmap")
    p.add(_JUMP_EQUAL, layout.SYS_MPROTECT, yes="protect")
    p.add(_JUMP_EQUAL, layout.SYS_MUNMAP, yes="range")
    p.add(_JUMP_EQUAL, layout.SYS_CLONE, yes="clone")
    p.add(_JUMP_EQUAL, layout.SYS_EXIT, yes="allow")
    p.add(_JUMP_EQUAL, layout.SYS_SIGALTSTACK, yes="allow")
    p.add(_JUMP_EQUAL, layout.SYS_ARCH_PRCTL, yes="arch_prctl")
    p.add(_JUMP_EQUAL, layout.SYS_RECVMSG, yes="recvmsg")
    p.add(_JUMP_EQUAL, layout.SYS_CLOSE, yes="close", no="trap")

    p.label("futex")  # wait and wake, nothing with timers of its own, priorities or robust lists
    p.add(_LOAD, _argument(1))
    p.add(_JUMP_GREATER, 1, yes="trap", no="allow")

    p.label("clone")
    p.add(_LOAD, _argument(0, high=True))
    p.add(_JUMP_EQUAL, 0, no="trap")
    p.add(_LOAD, _argument(0))
    p.add(_JUMP_EQUAL, layout.CLONE_FLAGS, yes="allow", no="trap")

    p.label("arch_prctl")
    p.add(_LOAD, _argument(0, high=True))
    p.add(_JUMP_EQUAL, 0, no="trap")
    p.add(_LOAD, _argument(0))
    p.add(_JUMP_EQUAL, layout.ARCH_SET_GS, yes="allow", no="trap")

    p.label("recvmsg")
    p.add(_LOAD, _argument(0))
    p.add(_JUMP_EQUAL, layout.SOCKET_FD, yes="allow", no="trap")

    p.label("close")  # the descriptors of mapped files; not the guest's memory, not the socket
    p.add(_LOAD, _argument(0))
    p.add(_JUMP_EQUAL, layout.MEMORY_FD, yes="trap")
    p.add(_JUMP_EQUAL, layout.SOCKET_FD, yes="trap", no="allow")

    p.label("mmap")  # shared, at a fixed address: so never anonymous, never a private copy
    p.add(_LOAD, _argument(3, high=True))
    p.add(_JUMP_EQUAL, 0, no="trap")
    p.add(_LOAD, _argument(3))
    p.add(_AND, ~layout.MAP_POPULATE)
    p.add(_JUMP_EQUAL, layout.MAP_SHARED_FIXED, no="trap")
    p.label("protect")
    p.add(_LOAD, _argument(2, high=True))
    p.add(_JUMP_EQUAL, 0, no="trap")
    p.add(_LOAD, _argument(2))
    p.add(_JUMP_ANY_BIT, ~7, yes="trap")

    p.label("range")  # address and size in units of 64 KiB: both fit 31 bits, their sum ends below LIMIT
    for argument in (0, 1):
        p.add(_LOAD, _argument(argument, high=True))
        p.add(_JUMP_GREATER, 0x7FFF, yes="trap")
        p.add(_SHIFT_LEFT, 16)
        p.add(_STORE, argument)
        p.add(_LOAD, _argument(argument))
        p.add(_SHIFT_RIGHT, 16)
        p.add(_LOAD_X_SCRATCH, argument)
        p.add(_OR_X, 0)
        p.add(_STORE, argument)
    p.add(_LOAD_X_SCRATCH, 0)
    p.add(_ADD_X, 0)
    p.add(_JUMP_GREATER, (layout.LIMIT >> 16) - 2, yes="trap", no="allow")

    p.label("allow")
    p.add(_RETURN, _ALLOW)
    p.label("trap")
    p.add(_RETURN, _TRAP)
    return p.pack()
