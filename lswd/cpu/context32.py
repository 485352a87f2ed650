"""The i386 CONTEXT record, of 32-bit guests.

Layout: winnt.h ``struct _CONTEXT`` (i386), 0x2cc bytes. The floating point state is there twice: as FNSAVE stores it
(FLOATING_SAVE_AREA) and, with the SSE registers, as FXSAVE does (ExtendedRegisters). The second counts here; the first
is kept equal to it. Formats: Intel SDM volume 1, 8.1.10 and 10.5.1.
"""

from __future__ import annotations

import struct

from lswd.cpu.context import DEFAULT_FPCW, DEFAULT_MXCSR, EFLAGS_USER, Context

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Self

CONTEXT_I386 = 0x10000
CONTEXT_CONTROL = 0x01
CONTEXT_INTEGER = 0x02
CONTEXT_SEGMENTS = 0x04
CONTEXT_FLOATING_POINT = 0x08
CONTEXT_DEBUG_REGISTERS = 0x10
CONTEXT_EXTENDED_REGISTERS = 0x20
CONTEXT_ALL = CONTEXT_I386 | 0x3F

SIZE = 0x2CC
DEBUG = 0x04  # Dr0-3, Dr6, Dr7
FLOAT = 0x1C  # FLOATING_SAVE_AREA: control, status, tag, four of the last instruction; ST0-7 at +28; a spare ULONG
FLOAT_END = 0x8C
SEGMENTS = 0x8C  # Gs Fs Es Ds
INTEGER = 0x9C  # Edi Esi Ebx Edx Ecx Eax
CONTROL = 0xB4  # Ebp Eip Cs EFlags Esp Ss
EFLAGS = 0xC0
EXTENDED = 0xCC
MXCSR = EXTENDED + 24

# Selectors as a 32-bit program sees them on 64-bit Windows.
USER_CS = 0x23
USER_DS = 0x2B
USER_FS = 0x53

_OFFSETS = {
    "edi": 0x9C, "esi": 0xA0, "ebx": 0xA4, "edx": 0xA8, "ecx": 0xAC, "eax": 0xB0,
    "ebp": 0xB4, "eip": 0xB8, "esp": 0xC4,
}  # fmt: skip


class ContextI386(Context):
    """As ``Context``, for 32-bit guests."""

    __slots__ = ()

    word = 4
    size = SIZE
    architecture = CONTEXT_I386
    all_flags = CONTEXT_ALL
    selectors = (USER_CS, USER_DS)
    _flags_at = 0
    _eflags_at = EFLAGS
    _offsets = _OFFSETS
    _pc = "eip"
    _sp = "esp"
    _result = "eax"

    @classmethod
    def user(cls, **registers: int) -> Self:
        context = cls()
        context.flags = CONTEXT_ALL & ~CONTEXT_DEBUG_REGISTERS
        context.eflags = 0x202
        struct.pack_into("<H", context.data, EXTENDED, DEFAULT_FPCW)
        struct.pack_into("<II", context.data, MXCSR, DEFAULT_MXCSR, 0xFFFF)
        context.complete()
        for name, value in registers.items():
            context[name] = value
        return context

    def complete(self) -> None:
        """Fill in what follows from the rest: segment selectors, and FLOATING_SAVE_AREA from ExtendedRegisters."""
        data = self.data
        struct.pack_into("<4I", data, SEGMENTS, USER_DS, USER_FS, USER_DS, USER_DS)
        struct.pack_into("<I", data, CONTROL + 8, USER_CS)
        struct.pack_into("<I", data, CONTROL + 20, USER_DS)
        control, status, abridged = struct.unpack_from("<HHB", data, EXTENDED)
        top = status >> 11 & 7
        tag = 0
        for register in range(8):
            if not abridged >> register & 1:
                tag |= 3 << 2 * register
            else:
                at = EXTENDED + 32 + 16 * (register - top & 7)
                tag |= _tag(data[at : at + 10]) << 2 * register
        operation, instruction, selector, operand, operand_selector = struct.unpack_from("<HIHxxIH", data, EXTENDED + 6)
        struct.pack_into(
            "<7I", data, FLOAT, control | 0xFFFF0000, status | 0xFFFF0000, tag | 0xFFFF0000, instruction,
            selector | operation << 16, operand, operand_selector | 0xFFFF0000,
        )  # fmt: skip
        for i in range(8):
            data[FLOAT + 28 + 10 * i : FLOAT + 38 + 10 * i] = data[EXTENDED + 32 + 16 * i : EXTENDED + 42 + 16 * i]

    def _extend(self) -> None:
        """The other way: the FXSAVE image's x87 part from FLOATING_SAVE_AREA."""
        data = self.data
        control, status, tag, instruction, selector, operand, _ = struct.unpack_from("<7I", data, FLOAT)
        abridged = sum(1 << i for i in range(8) if tag >> 2 * i & 3 != 3)
        struct.pack_into("<HHBxH", data, EXTENDED, control & 0xFFFF, status & 0xFFFF, abridged, selector >> 16 & 0x7FF)
        struct.pack_into("<IHxxI", data, EXTENDED + 8, instruction, selector & 0xFFFF, operand)
        for i in range(8):
            data[EXTENDED + 32 + 16 * i : EXTENDED + 42 + 16 * i] = data[FLOAT + 28 + 10 * i : FLOAT + 38 + 10 * i]

    def merge(self, other: Context) -> None:
        wanted = other.flags
        mine, theirs = self.data, other.data
        if wanted & CONTEXT_CONTROL:
            mine[CONTROL:EXTENDED] = theirs[CONTROL:EXTENDED]
            self.eflags = (other.eflags & EFLAGS_USER) | 0x202
        if wanted & CONTEXT_INTEGER:
            mine[INTEGER:CONTROL] = theirs[INTEGER:CONTROL]
        if wanted & CONTEXT_SEGMENTS:
            mine[SEGMENTS:INTEGER] = theirs[SEGMENTS:INTEGER]
        if wanted & CONTEXT_EXTENDED_REGISTERS:
            mine[EXTENDED:SIZE] = theirs[EXTENDED:SIZE]
            mine[FLOAT:FLOAT_END] = theirs[FLOAT:FLOAT_END]
        elif wanted & CONTEXT_FLOATING_POINT:
            mine[FLOAT:FLOAT_END] = theirs[FLOAT:FLOAT_END]
            self._extend()
        if wanted & CONTEXT_DEBUG_REGISTERS:
            mine[DEBUG:FLOAT] = theirs[DEBUG:FLOAT]


def _tag(value: bytes | bytearray) -> int:
    """What FNSAVE's tag word says of a register's 80 bits: 0 valid, 1 zero, 2 special."""
    exponent = int.from_bytes(value[8:10], "little") & 0x7FFF
    mantissa = int.from_bytes(value[:8], "little")
    if exponent == 0 and mantissa == 0:
        return 1
    return 0 if 0 < exponent < 0x7FFF and mantissa >> 63 else 2
