"""The AMD64 CONTEXT record: the currency in which registers are exchanged with guest and engine.

Layout: winnt.h ``struct _CONTEXT`` (AMD64), 0x4d0 bytes; the floating point part is the FXSAVE image.
"""

from __future__ import annotations

import struct

CONTEXT_AMD64 = 0x100000
CONTEXT_CONTROL = CONTEXT_AMD64 | 1
CONTEXT_INTEGER = CONTEXT_AMD64 | 2
CONTEXT_SEGMENTS = CONTEXT_AMD64 | 4
CONTEXT_FLOATING_POINT = CONTEXT_AMD64 | 8
CONTEXT_DEBUG_REGISTERS = CONTEXT_AMD64 | 16
CONTEXT_FULL = CONTEXT_CONTROL | CONTEXT_INTEGER | CONTEXT_FLOATING_POINT
CONTEXT_ALL = CONTEXT_FULL | CONTEXT_SEGMENTS | CONTEXT_DEBUG_REGISTERS
CONTEXT_XSTATE = CONTEXT_AMD64 | 0x40

SIZE = 0x4D0
FLAGS = 0x30
MXCSR = 0x34
SEGMENTS = 0x38  # Cs, Ds, Es, Fs, Gs, Ss: six u16
EFLAGS = 0x44
DEBUG = 0x48  # Dr0-3, Dr6, Dr7
INTEGER = 0x78  # Rax Rcx Rdx Rbx Rsp Rbp Rsi Rdi R8-R15 Rip: seventeen u64
FLOAT = 0x100  # XSAVE_FORMAT, 512 bytes
FLOAT_END = 0x300

REGISTERS = (
    "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
    "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "rip",
)  # fmt: skip
_OFFSETS = {name: INTEGER + 8 * i for i, name in enumerate(REGISTERS)}

USER_CS = 0x33
USER_DS = 0x2B
USER_FS = 0x53
DEFAULT_MXCSR = 0x1F80
DEFAULT_FPCW = 0x27F
# The flags a user program may change: everything but IOPL, VM, NT, VIF/VIP and the reserved ones.
EFLAGS_USER = 0x254DD5


class Context:
    """A CONTEXT record in a ``bytearray``; integer registers by name (``context["rip"]``)."""

    __slots__ = ("data",)

    def __init__(self, data: bytes | bytearray | None = None) -> None:
        self.data = bytearray(SIZE) if data is None else bytearray(data)
        if len(self.data) != SIZE:
            raise ValueError("not a CONTEXT record")

    @classmethod
    def user(cls, **registers: int) -> Context:
        """A full context as NT starts threads with, plus ``registers``."""
        context = cls()
        context.flags = CONTEXT_FULL | CONTEXT_SEGMENTS
        struct.pack_into("<I6HI", context.data, MXCSR, DEFAULT_MXCSR, USER_CS, USER_DS, USER_DS, USER_FS, USER_DS,
                         USER_DS, 0x202)  # fmt: skip
        struct.pack_into("<H", context.data, FLOAT, DEFAULT_FPCW)
        struct.pack_into("<II", context.data, FLOAT + 24, DEFAULT_MXCSR, 0x2FFFF)
        for name, value in registers.items():
            context[name] = value
        return context

    def __getitem__(self, name: str) -> int:
        return int.from_bytes(self.data[_OFFSETS[name] : _OFFSETS[name] + 8], "little")

    def __setitem__(self, name: str, value: int) -> None:
        at = _OFFSETS[name]
        self.data[at : at + 8] = (value & 0xFFFFFFFFFFFFFFFF).to_bytes(8, "little")

    @property
    def flags(self) -> int:
        """ContextFlags: which parts are meant."""
        return int.from_bytes(self.data[FLAGS : FLAGS + 4], "little")

    @flags.setter
    def flags(self, value: int) -> None:
        self.data[FLAGS : FLAGS + 4] = value.to_bytes(4, "little")

    @property
    def eflags(self) -> int:
        return int.from_bytes(self.data[EFLAGS : EFLAGS + 4], "little")

    @eflags.setter
    def eflags(self, value: int) -> None:
        self.data[EFLAGS : EFLAGS + 4] = value.to_bytes(4, "little")

    def merge(self, other: Context) -> None:
        """Take over the parts ``other.flags`` names (what NtSetContextThread and NtContinue do)."""
        wanted = other.flags & ~CONTEXT_AMD64
        mine, theirs = self.data, other.data
        if wanted & CONTEXT_CONTROL:
            for at, end in ((0x38, 0x3A), (0x42, 0x48), (0x98, 0xA0), (0xF8, 0x100)):  # Cs; Ss, EFlags; Rsp; Rip
                mine[at:end] = theirs[at:end]
            self.eflags = (other.eflags & EFLAGS_USER) | 0x202
        if wanted & CONTEXT_INTEGER:
            for at, end in ((0x78, 0x98), (0xA0, 0xF8)):  # everything but Rsp and Rip; Rbp counts here as winnt.h says
                mine[at:end] = theirs[at:end]
        if wanted & CONTEXT_SEGMENTS:
            mine[0x3A:0x42] = theirs[0x3A:0x42]
        if wanted & CONTEXT_FLOATING_POINT:
            mine[FLOAT:FLOAT_END] = theirs[FLOAT:FLOAT_END]
            mine[MXCSR : MXCSR + 4] = theirs[MXCSR : MXCSR + 4]
        if wanted & CONTEXT_DEBUG_REGISTERS:
            mine[DEBUG:INTEGER] = theirs[DEBUG:INTEGER]
