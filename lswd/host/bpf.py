"""Programs for the packet filter that Linux has judge system calls (seccomp).

Sources: linux/seccomp.h, linux/filter.h, linux/audit.h.
"""

from __future__ import annotations

import struct

LOAD, LOAD_SCRATCH, LOAD_X_SCRATCH, STORE = 0x20, 0x60, 0x61, 0x02
ADD_X, AND, OR_X, SHIFT_LEFT, SHIFT_RIGHT = 0x0C, 0x54, 0x4C, 0x64, 0x74
JUMP_EQUAL, JUMP_GREATER, JUMP_ANY_BIT, RETURN = 0x15, 0x25, 0x45, 0x06
ALLOW, TRAP, NOTIFY, REFUSE = 0x7FFF0000, 0x00030000, 0x7FC00000, 0x00050000  # REFUSE + errno
AUDIT_ARCH_X86_64 = 0xC000003E
NUMBER, ARCH, POINTER = 0, 4, 8  # offsets in struct seccomp_data


def argument(index: int, *, high: bool = False) -> int:
    """Where one half of an argument is in struct seccomp_data."""
    return 16 + 8 * index + (4 if high else 0)


class Program:
    """Instructions whose jumps name labels."""

    def __init__(self) -> None:
        self._code: list[tuple[int, str, str, int]] = []
        self._labels: dict[str, int] = {}

    def add(self, operation: int, value: int, yes: str = "", no: str = "") -> None:
        """One instruction; ``yes`` and ``no`` are where a jump goes, "" meaning the next instruction."""
        self._code.append((operation, yes, no, value))

    def label(self, name: str) -> None:
        """The next instruction is called ``name``."""
        self._labels[name] = len(self._code)

    def pack(self) -> bytes:
        """An array of struct sock_filter."""

        def distance(at: int, name: str) -> int:
            return self._labels[name] - at - 1 if name else 0

        return b"".join(
            struct.pack("<HBBI", operation, distance(at, yes), distance(at, no), value & 0xFFFFFFFF)
            for at, (operation, yes, no, value) in enumerate(self._code)
        )
