"""How the registers of 64- and of 32-bit guests lie in CONTEXT records, and in what the stub saves and loads.

The stub's order of integer registers is that of the AMD64 record: rax rcx rdx rbx rsp rbp rsi rdi r8-r15 rip.
"""

from __future__ import annotations

import struct

from lswd.cpu import context as record
from lswd.cpu import context32 as record32
from lswd.cpu.context import Context
from lswd.cpu.context32 import ContextI386

COUNT = 17
VALUES = struct.Struct(f"<{COUNT}Q")
FLOAT_KEPT = 464  # bytes of the FXSAVE image; Linux keeps notes of its own behind them
ALLOWED_FLAGS = record.EFLAGS_USER & ~0x4000  # NT would make the stub's iretq fail
_MXCSR_MASK = 0xFFFF  # one of the reserved bits would be refused
_SEGMENTS = struct.pack(
    "<6H", record.USER_CS, record.USER_DS, record.USER_DS, record.USER_FS, record.USER_DS, record.USER_DS
)
_NAMES32 = ("eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi")


class Registers64:
    """x86-64."""

    word = 8
    code_segment = record.USER_CS

    @staticmethod
    def initial() -> Context:
        """What a thread starts with."""
        return Context.user()

    @staticmethod
    def values(context: Context) -> tuple[int, ...]:
        """The integer registers in the stub's order."""
        return VALUES.unpack_from(context.data, record.INTEGER)

    @staticmethod
    def floating(context: Context) -> bytearray:
        """The FXSAVE image, as far as it counts."""
        data = context.data
        image = data[record.FLOAT : record.FLOAT + FLOAT_KEPT]
        image[24:28] = _valid_mxcsr(data[record.MXCSR : record.MXCSR + 4])
        return image

    @staticmethod
    def context(values: tuple[int, ...] | list[int], flags: int, floating: memoryview) -> Context:
        """The record of a thread with these registers."""
        context = Context()
        data = context.data
        context.flags = record.CONTEXT_FULL | record.CONTEXT_SEGMENTS
        data[record.SEGMENTS : record.SEGMENTS + 12] = _SEGMENTS
        VALUES.pack_into(data, record.INTEGER, *values)
        context.eflags = flags & ALLOWED_FLAGS | 0x202
        data[record.FLOAT : record.FLOAT + FLOAT_KEPT] = floating
        data[record.MXCSR : record.MXCSR + 4] = data[record.FLOAT + 24 : record.FLOAT + 28]
        return context


class Registers32(Registers64):
    """i386, on the 64-bit processor."""

    word = 4
    code_segment = record32.USER_CS

    @staticmethod
    def initial() -> Context:
        return ContextI386.user()

    @staticmethod
    def values(context: Context) -> tuple[int, ...]:
        return (*(context[name] for name in _NAMES32), 0, 0, 0, 0, 0, 0, 0, 0, context["eip"])

    @staticmethod
    def floating(context: Context) -> bytearray:
        image = context.data[record32.EXTENDED : record32.EXTENDED + FLOAT_KEPT]
        image[24:28] = _valid_mxcsr(image[24:28])
        return image

    @staticmethod
    def context(values: tuple[int, ...] | list[int], flags: int, floating: memoryview) -> Context:
        context = ContextI386()
        context.flags = record32.CONTEXT_ALL & ~record32.CONTEXT_DEBUG_REGISTERS | record32.CONTEXT_I386
        for name, value in zip(_NAMES32, values, strict=False):
            context[name] = value
        context["eip"] = values[COUNT - 1]
        context.eflags = flags & ALLOWED_FLAGS | 0x202
        data = context.data
        at = record32.EXTENDED
        data[at : at + 288] = floating[:288]  # x87 and eight of the SSE registers
        data[at + 28 : at + 32] = b"\xff\xff\0\0"
        context.complete()
        return context


def _valid_mxcsr(value: bytes | bytearray) -> bytes:
    return (int.from_bytes(value, "little") & _MXCSR_MASK).to_bytes(4, "little")
