"""The AMD64 CONTEXT record: the currency in which registers are exchanged with guest and engine.

Layout: winnt.h ``struct _CONTEXT`` (AMD64), 0x4d0 bytes; the floating point part is the FXSAVE image. A 32-bit guest's
record is ``context32.ContextI386``; code that serves both asks ``context_type`` and uses ``pc``, ``sp`` and ``result``.
"""

from __future__ import annotations

import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import ClassVar, Self

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

    # What differs between the records of different processors:
    word: ClassVar[int] = 8
    size: ClassVar[int] = SIZE
    architecture: ClassVar[int] = CONTEXT_AMD64  # the flag that every record of this kind has
    all_flags: ClassVar[int] = CONTEXT_ALL
    selectors: ClassVar[tuple[int, int]] = (USER_CS, USER_DS)
    _flags_at: ClassVar[int] = FLAGS
    _eflags_at: ClassVar[int] = EFLAGS
    _offsets: ClassVar[dict[str, int]] = _OFFSETS
    _pc: ClassVar[str] = "rip"
    _sp: ClassVar[str] = "rsp"
    _result: ClassVar[str] = "rax"

    def __init__(self, data: bytes | bytearray | None = None) -> None:
        self.data = bytearray(self.size) if data is None else bytearray(data)
        if len(self.data) != self.size:
            raise ValueError("not a CONTEXT record")

    def copy(self) -> Self:
        """The same record, to be changed on its own."""
        return type(self)(self.data)

    @classmethod
    def user(cls, **registers: int) -> Self:
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

    @classmethod
    def offset(cls, name: str) -> int:
        """Where an integer register lies in the record."""
        return cls._offsets[name]

    def __getitem__(self, name: str) -> int:
        at = self._offsets[name]
        return int.from_bytes(self.data[at : at + self.word], "little")

    def __setitem__(self, name: str, value: int) -> None:
        at, word = self._offsets[name], self.word
        self.data[at : at + word] = (value & (1 << 8 * word) - 1).to_bytes(word, "little")

    @property
    def pc(self) -> int:
        """The instruction pointer."""
        return self[self._pc]

    @pc.setter
    def pc(self, value: int) -> None:
        self[self._pc] = value

    @property
    def sp(self) -> int:
        """The stack pointer."""
        return self[self._sp]

    @sp.setter
    def sp(self, value: int) -> None:
        self[self._sp] = value

    @property
    def result(self) -> int:
        """The register in which functions and system calls return."""
        return self[self._result]

    @result.setter
    def result(self, value: int) -> None:
        self[self._result] = value

    @property
    def flags(self) -> int:
        """ContextFlags: which parts are meant."""
        return int.from_bytes(self.data[self._flags_at : self._flags_at + 4], "little")

    @flags.setter
    def flags(self, value: int) -> None:
        self.data[self._flags_at : self._flags_at + 4] = value.to_bytes(4, "little")

    @property
    def eflags(self) -> int:
        return int.from_bytes(self.data[self._eflags_at : self._eflags_at + 4], "little")

    @eflags.setter
    def eflags(self, value: int) -> None:
        self.data[self._eflags_at : self._eflags_at + 4] = value.to_bytes(4, "little")

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


def context_type(word: int) -> type[Context]:
    """The kind of CONTEXT record that guests of a pointer size have."""
    if word == 8:
        return Context
    from lswd.cpu.context32 import ContextI386

    return ContextI386
