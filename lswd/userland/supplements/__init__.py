"""Supplements: exports that programs import and the userland lacks, written in Python.

A supplement is declared twice, on purpose. ``SUPPLEMENTS`` here says that it exists: it is all that a launch reads, so
programs which need none pay for none. The handler stands in this package's module of the DLL's name, decorated with
``lswd.userland.supplements.declare.supplement`` and typed like a system call; it is imported at its first call. The
guest sees a real export of a real image (``overlay`` makes it, ``image_builder`` knows how) whose code is a system call
stub with a number from here.
"""

from __future__ import annotations

# DLL -> its exports in the notation of .def files: "Name@bytes", with the bytes of arguments that a 32-bit stdcall
# function takes off the stack, or "Name@bytes @ordinal" where the ordinal matters.
SUPPLEMENTS: dict[str, tuple[str, ...]] = {
    "bcryptprimitives.dll": ("ProcessPrng@8",),
}

# Where the numbers begin: far above the service tables of ntdll (from 0) and win32u (from 0x1000).
FIRST_NUMBER = 0x8000


class Export:
    """One supplement as the guest sees it: ``dll`` exports ``name``, a stub for the system call ``number``."""

    __slots__ = ("argument_bytes", "dll", "name", "number", "ordinal")

    def __init__(self, dll: str, name: str, number: int, ordinal: int | None, argument_bytes: int = 0) -> None:
        self.dll = dll
        self.name = name
        self.number = number
        self.ordinal = ordinal
        self.argument_bytes = argument_bytes


def exports(table: dict[str, tuple[str, ...]] | None = None) -> dict[str, tuple[Export, ...]]:
    """Every supplement, by DLL. The numbers are the order of declaration: stable within a run, not between versions."""
    result = {}
    number = FIRST_NUMBER
    for dll, entries in (SUPPLEMENTS if table is None else table).items():
        declared = []
        for entry in entries:
            decorated, _, ordinal = entry.partition(" @")
            name, _, size = decorated.partition("@")
            declared.append(Export(dll, name, number, int(ordinal) if ordinal else None, int(size or 0)))
            number += 1
        result[dll] = tuple(declared)
    return result
