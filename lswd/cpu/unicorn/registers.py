"""Exchange of a CONTEXT record with Unicorn in one batch call each way.

Every register's pointer points into one buffer laid out as the CONTEXT record itself, so a read fills the record and a
write takes from it. Register numbers: unicorn/x86.h (checked against the package in tests/unit/test_cpu_unicorn.py).
"""

from __future__ import annotations

import ctypes

from lswd.cpu import context as layout
from lswd.cpu import context32 as layout32
from lswd.cpu.context import Context
from lswd.cpu.context32 import ContextI386

GS_BASE = 251
FPTAG = 247
_INTEGER = (35, 38, 40, 37, 44, 36, 43, 39, 106, 107, 108, 109, 110, 111, 112, 113, 41)  # as context.REGISTERS
RIP = 41
RAX = 35
_INTEGER32 = {
    "edi": 23, "esi": 29, "ebx": 21, "edx": 24, "ecx": 22, "eax": 19, "ebp": 20, "eip": 26, "esp": 30,
}  # fmt: skip
EIP = 26
EAX = 19
_EFLAGS, _MXCSR, _FPCW, _FPSW, _ST0, _XMM0 = 25, 249, 246, 31, 114, 122


class RegisterFile:
    """The buffer and pointer tables of one Uc."""

    context: type[Context] = Context
    _float = layout.FLOAT  # where the record has its FXSAVE image

    def __init__(self, lib: ctypes.CDLL, uc: ctypes.c_void_p) -> None:
        self._lib = lib
        self._uc = uc
        self._record = (ctypes.c_char * self.context.size)()
        self._tag = ctypes.c_uint64()
        self._one = ctypes.c_uint64()
        places = [(number, ctypes.addressof(self._record) + at) for number, at in self._places()]
        places += [(FPTAG, ctypes.addressof(self._tag))]
        self._count = len(places)
        self._numbers = (ctypes.c_int * self._count)(*(n for n, _ in places))
        self._pointers = (ctypes.c_void_p * self._count)(*(p for _, p in places))
        self._single_number = (ctypes.c_int * 1)()
        self._single_pointer = (ctypes.c_void_p * 1)(ctypes.addressof(self._one))

    def _places(self) -> list[tuple[int, int]]:
        """Register number and offset in the record, for all but the tag word."""
        places = [(number, layout.INTEGER + 8 * i) for i, number in enumerate(_INTEGER)]
        places += [(_EFLAGS, layout.EFLAGS), (_MXCSR, layout.MXCSR)]
        return places + self._float_places(16)

    def _float_places(self, xmm: int) -> list[tuple[int, int]]:
        places = [(_FPCW, self._float), (_FPSW, self._float + 2)]
        places += [(_ST0 + i, self._float + 32 + 16 * i) for i in range(8)]
        return places + [(_XMM0 + i, self._float + 160 + 16 * i) for i in range(xmm)]

    def read(self) -> Context:
        """All registers as a full CONTEXT; segments are the ones every user thread has."""
        self._lib.uc_reg_read_batch(self._uc, self._numbers, self._pointers, self._count)
        context = self.context(self._record.raw)
        # FXSAVE's abridged tag has one bit a register, set when it is not empty (Intel SDM volume 1, 10.5.1.1).
        tag = self._tag.value
        context.data[self._float + 4] = sum(1 << i for i in range(8) if tag >> 2 * i & 3 != 3)
        self._complete(context)
        return context

    def _complete(self, context: Context) -> None:
        """Fill in what the Uc is not asked for."""
        data = context.data
        context.flags = layout.CONTEXT_FULL | layout.CONTEXT_SEGMENTS
        for i, selector in enumerate((layout.USER_CS, layout.USER_DS, layout.USER_DS, layout.USER_FS, layout.USER_DS,
                                      layout.USER_DS)):  # fmt: skip
            data[layout.SEGMENTS + 2 * i : layout.SEGMENTS + 2 * i + 2] = selector.to_bytes(2, "little")
        data[layout.FLOAT + 24 : layout.FLOAT + 28] = data[layout.MXCSR : layout.MXCSR + 4]
        data[layout.FLOAT + 28 : layout.FLOAT + 32] = b"\xff\xff\x02\x00"

    def write(self, context: Context) -> None:
        """Load every register from the record."""
        self._record.raw = bytes(context.data)
        abridged = context.data[self._float + 4]
        self._tag.value = sum(3 << 2 * i for i in range(8) if not abridged >> i & 1)
        self._lib.uc_reg_write_batch(self._uc, self._numbers, self._pointers, self._count)

    def get(self, number: int) -> int:
        """One register."""
        self._single_number[0] = number
        self._one.value = 0
        self._lib.uc_reg_read_batch(self._uc, self._single_number, self._single_pointer, 1)
        return self._one.value

    def set(self, number: int, value: int) -> None:
        """One register."""
        self._single_number[0] = number
        self._one.value = value
        self._lib.uc_reg_write_batch(self._uc, self._single_number, self._single_pointer, 1)

    def set_bytes(self, number: int, value: bytes) -> None:
        """One register that is not a plain number."""
        buffer = (ctypes.c_char * len(value)).from_buffer_copy(value)
        pointer = (ctypes.c_void_p * 1)(ctypes.addressof(buffer))
        self._single_number[0] = number
        self._lib.uc_reg_write_batch(self._uc, self._single_number, pointer, 1)


class RegisterFile32(RegisterFile):
    """As ``RegisterFile``, for a 32-bit guest's record."""

    context = ContextI386
    _float = layout32.EXTENDED

    def _places(self) -> list[tuple[int, int]]:
        places = [(number, ContextI386.offset(name)) for name, number in _INTEGER32.items()]
        places += [(_EFLAGS, layout32.EFLAGS), (_MXCSR, layout32.MXCSR)]
        return places + self._float_places(8)

    def _complete(self, context: Context) -> None:
        assert isinstance(context, ContextI386)
        context.flags = layout32.CONTEXT_ALL & ~layout32.CONTEXT_DEBUG_REGISTERS
        context.data[layout32.MXCSR + 4 : layout32.MXCSR + 8] = b"\xff\xff\0\0"
        context.complete()
