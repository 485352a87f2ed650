"""Processor exceptions and raised exceptions on their way to the guest's KiUserExceptionDispatcher.

The frame on x64: CONTEXT, CONTEXT_EX at 0x4d0, EXCEPTION_RECORD at 0x4f0, machine frame at 0x590. On i386: pointers to
record and CONTEXT, then these.
Source: winnt.h (records), Microsoft "EXCEPTION_RECORD"; frame offsets from ntdll's own unwind data, as the facts page
has them.
"""

from __future__ import annotations

import struct

from lswd.cpu import engine as cpu
from lswd.cpu.context import Context
from lswd.kernel.stack import current_stack, grow_stack, touch_unsettled
from lswd.ntdef.status import (
    STATUS_ACCESS_VIOLATION,
    STATUS_BREAKPOINT,
    STATUS_DATATYPE_MISALIGNMENT,
    STATUS_GUARD_PAGE_VIOLATION,
    STATUS_ILLEGAL_INSTRUCTION,
    STATUS_INTEGER_DIVIDE_BY_ZERO,
    STATUS_INTEGER_OVERFLOW,
    STATUS_PRIVILEGED_INSTRUCTION,
    STATUS_SINGLE_STEP,
    STATUS_STACK_BUFFER_OVERRUN,
    STATUS_STACK_OVERFLOW,
    NtError,
    status_name,
)
from lswd.ntdef.types import PVOID, ULONG, ULONG_PTR, Struct, array

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.cpu.engine import Fault
    from lswd.kernel.process import Process
    from lswd.kernel.thread import Thread

EXCEPTION_NONCONTINUABLE = 1
EXCEPTION_WINE_STUB = 0x80000100  # Wine: a function was called that its DLL does not have
STUB_WORDS = "to unimplemented function "  # in what it says before it ends the process
STATUS_ASSERTION_FAILURE = 0xC0000420
STATUS_ARRAY_BOUNDS_EXCEEDED = 0xC000008C
STATUS_FLOAT_INVALID_OPERATION = 0xC0000090
STATUS_FLOAT_MULTIPLE_TRAPS = 0xC00002B5

_DEBUG_REGISTERS = 0x10  # the CONTEXT_* bit, of all processors
_FRAME_SIZE = 0x5C0
_RECORD_AT = 0x4F0
_MACHINE_FRAME_AT = 0x590

_BY_VECTOR = {
    cpu.DIVIDE_ERROR: STATUS_INTEGER_DIVIDE_BY_ZERO,
    cpu.DEBUG: STATUS_SINGLE_STEP,
    cpu.OVERFLOW: STATUS_INTEGER_OVERFLOW,
    cpu.BOUND: STATUS_ARRAY_BOUNDS_EXCEEDED,
    cpu.INVALID_OPCODE: STATUS_ILLEGAL_INSTRUCTION,
    cpu.FLOATING_POINT: STATUS_FLOAT_INVALID_OPERATION,
    cpu.ALIGNMENT: STATUS_DATATYPE_MISALIGNMENT,
    cpu.SIMD: STATUS_FLOAT_MULTIPLE_TRAPS,
}


class EXCEPTION_RECORD(Struct):
    ExceptionCode: ULONG
    ExceptionFlags: ULONG
    ExceptionRecord: PVOID
    ExceptionAddress: PVOID
    NumberParameters: ULONG
    ExceptionInformation: tuple[int, ...] = array(ULONG_PTR, 15)


class LastException:
    """The most recent exception: what a program that then ends with its code died of."""

    __slots__ = ("missing_calls", "record")

    def __init__(self, record: EXCEPTION_RECORD, missing_calls: dict[str, int]) -> None:
        self.record = record
        self.missing_calls = dict(missing_calls)  # until then: what crash reporters of the userland call is no cause

    def describe(self, process: Process) -> str:
        """One line for a person."""
        record = self.record
        text = f"unhandled exception {record.ExceptionCode:#010x} at {process.describe(record.ExceptionAddress)}"
        if record.ExceptionCode == STATUS_ACCESS_VIOLATION and record.NumberParameters >= 2:
            kind = {0: "reading", 1: "writing", 8: "executing"}.get(record.ExceptionInformation[0], "accessing")
            text += f", {kind} {record.ExceptionInformation[1]:#x}"
        return f"{text} ({status_name(record.ExceptionCode)})"


def dispatch_fault(thread: Thread) -> None:
    """Turn the fault that ended the thread's turn into what NT makes of it: a grown stack or a guest exception."""
    fault = thread.cpu.fault
    assert fault is not None
    if fault.vector == cpu.PAGE_FAULT and thread.process.space.guard_hit(fault.address):
        if grow_stack(thread, fault.address):
            return
        on_stack = thread.process.space.find(fault.address) is current_stack(thread)
        status = STATUS_STACK_OVERFLOW if on_stack else STATUS_GUARD_PAGE_VIOLATION
        _tell(thread, thread.get_context(), _record(status, thread, fault, parameters=True))
        return
    if fault.vector == cpu.PAGE_FAULT and touch_unsettled(thread, fault.address):
        return
    context = thread.get_context()
    rip = context.pc
    if fault.vector == cpu.SOFTWARE_INTERRUPT + 0x29:  # __fastfail: no handler gets to see it
        thread.process.fail(STATUS_STACK_BUFFER_OVERRUN, f"__fastfail({_fail_code(context)}) at {rip:#x}")
        return
    if fault.vector == cpu.BREAKPOINT:
        context.pc = rip - 1  # NT reports the int3 itself
        record = EXCEPTION_RECORD(
            ExceptionCode=STATUS_BREAKPOINT, ExceptionAddress=rip - 1, NumberParameters=1, ExceptionInformation=(0,)
        )
    elif fault.vector == cpu.SOFTWARE_INTERRUPT + 0x2D:
        context.pc = rip + 1  # the byte behind `int 2d` is skipped
        record = EXCEPTION_RECORD(ExceptionCode=STATUS_BREAKPOINT, ExceptionAddress=rip + 1, NumberParameters=1)
    elif fault.vector == cpu.SOFTWARE_INTERRUPT + 0x2C:
        record = EXCEPTION_RECORD(ExceptionCode=STATUS_ASSERTION_FAILURE, ExceptionAddress=rip)
    elif fault.vector == cpu.PAGE_FAULT:
        record = _record(STATUS_ACCESS_VIOLATION, thread, fault, parameters=True)
    elif fault.vector == cpu.GENERAL_PROTECTION:
        record = _record(STATUS_PRIVILEGED_INSTRUCTION, thread, fault, parameters=False)
    elif fault.vector > cpu.SOFTWARE_INTERRUPT:  # any other `int n` is a #GP, which NT reports as a bad read of -1
        context.pc = rip - 2
        record = EXCEPTION_RECORD(
            ExceptionCode=STATUS_ACCESS_VIOLATION,
            ExceptionAddress=rip - 2,
            NumberParameters=2,
            ExceptionInformation=(0, (1 << 8 * context.word) - 1),
        )
    else:
        status = _BY_VECTOR.get(fault.vector, STATUS_ILLEGAL_INSTRUCTION)
        record = _record(status, thread, fault, parameters=False)
        if fault.vector == cpu.DEBUG:
            context.eflags &= ~0x100
    _tell(thread, context, record)


def _tell(thread: Thread, context: Context, record: EXCEPTION_RECORD) -> None:
    """The debugger first, then the program's handlers. A breakpoint's program counter is the instruction's own for
    handlers, and behind it for a debugger."""
    debugger = thread.process.debugger
    if debugger is None or thread.hide_from_debugger:
        raise_in_guest(thread, context, record)
        return
    now = thread.get_context()
    moved = context.pc - now.pc
    if now.eflags != context.eflags:
        now.eflags = context.eflags
        thread.cpu.set_context(now)

    def unhandled() -> None:
        changed = thread.get_context()
        changed.pc += moved
        raise_in_guest(thread, changed, record)

    debugger.exception(thread, record, unhandled, first_chance=True)


def _record(status: int, thread: Thread, fault: Fault, *, parameters: bool) -> EXCEPTION_RECORD:
    kind = {1: 0, 2: 1, 4: 8}.get(fault.access, 0)
    return EXCEPTION_RECORD(
        ExceptionCode=status,
        ExceptionAddress=thread.get_context().pc,
        NumberParameters=2 if parameters else 0,
        ExceptionInformation=(kind, fault.address) if parameters else (),
    )


def raise_in_guest(thread: Thread, context: Context, record: EXCEPTION_RECORD) -> None:
    """Enter KiUserExceptionDispatcher with ``record`` and ``context``; ends the process when the stack is unusable."""
    process = thread.process
    space = process.space
    process.note_exception(record.ExceptionCode, LastException(record, process.missing_calls))
    context.flags = context.all_flags & ~_DEBUG_REGISTERS | context.architecture
    build = _frame64 if space.word == 8 else _frame32
    stack, frame = build(context, record)
    try:
        space.write(stack, frame)
    except NtError:
        code = record.ExceptionCode
        process.fail(code, f"exception {code:#010x} at {context.pc:#x}, and no stack left to handle it on")
        return
    entered = context.copy()
    entered.sp = stack
    entered.pc = process.ntdll_export("KiUserExceptionDispatcher")
    entered.eflags = context.eflags & ~0x500  # TF and DF
    thread.set_context(entered)


def _frame64(context: Context, record: EXCEPTION_RECORD) -> tuple[int, bytes]:
    """Where the frame goes, and what is in it."""
    frame = bytearray(_FRAME_SIZE)
    frame[: len(context.data)] = context.data
    # CONTEXT_EX: three (offset, length) chunks relative to itself: all, legacy, and no extended state.
    struct.pack_into("<iIiIiI", frame, len(context.data), -0x4D0, 0x4D0 + 0x18, -0x4D0, 0x4D0, 0x18 + 8, 0)
    packed = record.pack(8)
    frame[_RECORD_AT : _RECORD_AT + len(packed)] = packed
    cs, ss = context.selectors
    struct.pack_into("<5Q", frame, _MACHINE_FRAME_AT, context.pc, cs, context.eflags, context.sp, ss)
    return (context.sp - _FRAME_SIZE) & -16, bytes(frame)


def _frame32(context: Context, record: EXCEPTION_RECORD) -> tuple[int, bytes]:
    packed = record.pack(4)
    stack = (context.sp - 8 - len(packed) - context.size) & 0xFFFFFFFC
    record_at = stack + 8
    pointers = (record_at & 0xFFFFFFFF, record_at + len(packed) & 0xFFFFFFFF)
    return stack, struct.pack("<II", *pointers) + packed + bytes(context.data)


def _fail_code(context: Context) -> int:
    return context["rcx" if context.word == 8 else "ecx"] & 0xFFFFFFFF
