"""The way of 32-bit code into the stub, which is 64-bit code far beyond its reach: a gate in the hand-off page."""

from __future__ import annotations

from lswd.cpu.engine import HANDOFF_PAGE

ADDRESS = HANDOFF_PAGE
_LONG = ADDRESS + 8  # where the 64-bit part begins


def code(entry: int) -> bytes:
    """The gate's bytes; ``entry`` is the stub's address."""
    # jmp far 0x33:_LONG; nop; then in 64-bit mode: mov rcx, entry; jmp rcx. ecx is the kernel's to destroy.
    jump = b"\xea" + _LONG.to_bytes(4, "little") + b"\x33\x00\x90"
    return jump + b"\x48\xb9" + entry.to_bytes(8, "little") + b"\xff\xe1"


_END = ADDRESS + len(code(0))


def begins(address: int) -> bool:
    """Is this an instruction of the gate?"""
    return ADDRESS <= address < _END
