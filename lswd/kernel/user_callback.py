"""Calls from the kernel into user mode: what a window procedure or an enumeration's routine is called by.

A system call that calls back is a coroutine. It enters ntdll's KiUserCallbackDispatcher on the caller's stack, which
calls ``PEB.KernelCallbackTable[routine](arguments, length)``; the thread then runs like any other until it makes
NtCallbackReturn, which gives it back the registers it had and lets the coroutine go on. Calls nest: what is called
back makes system calls that call back. Code that leaves a callback by unwinding its stack never returns; such a call is
ended when the thread next comes here with a stack pointer beyond it.
On x64 the dispatcher finds arguments, length and routine behind 32 bytes at the stack pointer, and a machine frame for
the unwinder. Older userlands (Wine 8) want a function call, as all do on i386; unwinding takes what it does not know
for functions without a frame, and so comes past the numbers below the system call's own return address.
Source: KiUserCallbackDispatcher, from ntdll's code and unwind data; what it calls, from user32's.
"""

from __future__ import annotations

import struct

from lswd.kernel.environment_block import PEB
from lswd.kernel.loop import IN_USER_MODE
from lswd.memory.protection import PAGE_SIZE
from lswd.ntdef.status import (
    STATUS_NO_CALLBACK_ACTIVE,
    STATUS_NOT_SUPPORTED,
    STATUS_STACK_OVERFLOW,
    STATUS_SUCCESS,
    NtError,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

    from lswd.cpu.context import Context
    from lswd.kernel.thread import Thread

MOST_NESTED = 100
MOST_RETURNED = 0x10000  # bytes that a callback's result may have
_READS_ITS_FRAME = b"\x48\x8b\x4c\x24\x20"  # mov rcx, [rsp+0x20]


class Callback:
    """One call into user mode that has not returned.

    Attributes:
        context: the registers to come back with.
        exception_list: the TEB's, to come back with: nobody takes the dispatcher's own handler off it.
        stack: what is on the stack from here upwards is older than the call.
        coroutine: the system call that has called.
        status, output: what NtCallbackReturn was given.
    """

    __slots__ = ("context", "coroutine", "exception_list", "output", "stack", "status")

    def __init__(self, context: Context, stack: int, exception_list: int) -> None:
        self.context = context
        self.stack = stack
        self.exception_list = exception_list
        self.coroutine: Coroutine[Any, Any, int] | None = None
        self.status = STATUS_SUCCESS
        self.output = b""


class UserMode:
    """What one system call of ``thread`` does in user mode: it puts things on the stack, and calls."""

    __slots__ = ("_stack", "_thread")

    def __init__(self, thread: Thread) -> None:
        self._thread = thread
        self._stack = 0

    def push(self, data: bytes) -> int:
        """Put ``data`` on the caller's stack, for as long as the system call lasts; its address.

        Raises:
            NtError: there is no room.
        """
        word = self._thread.process.space.word
        if not self._stack:  # the call's return address stays: unwinding comes past it
            self._stack = self._thread.get_context().sp - word
        at = (self._stack - len(data)) & -16 & (1 << 8 * word) - 1
        data += bytes(self._stack - len(data) - at & 15)
        for page in range(at + len(data) & -PAGE_SIZE, at, -PAGE_SIZE):  # the stack grows by its guard page
            self._thread.process.space.write(page, data[page - at : page - at + 1])
        self._thread.process.space.write(at, data)
        self._stack = at
        return at

    async def call(self, routine: int, arguments: bytes) -> tuple[int, bytes]:
        """Call a routine of the kernel callback table; not from a call that has asked for the event loop.

        Returns:
            What it gave NtCallbackReturn: status and output.

        Raises:
            NtError: STATUS_STACK_OVERFLOW: calls are nested too deeply, or the stack is full. STATUS_NOT_SUPPORTED:
                the process has no table.
        """
        thread = self._thread
        space = thread.process.space
        if not space.read_pointer(thread.process.peb + PEB.offset(space.word, "KernelCallbackTable")):
            raise NtError(STATUS_NOT_SUPPORTED)
        context = thread.get_context()
        _end_those_left(thread, context.sp)
        if len(thread.callbacks) >= MOST_NESTED:
            raise NtError(STATUS_STACK_OVERFLOW)
        stack = self._stack
        try:
            entered = self._enter(context, routine, arguments)
        except NtError as error:
            raise NtError(STATUS_STACK_OVERFLOW) from error
        finally:
            self._stack = stack
        callback = Callback(context, entered.sp, space.read_pointer(thread.teb))
        thread.callbacks.append(callback)
        thread.cpu.set_context(entered)
        await IN_USER_MODE
        return callback.status, callback.output

    def _enter(self, context: Context, routine: int, arguments: bytes) -> Context:
        """The dispatcher's frame, and the registers it begins with."""
        space = self._thread.process.space
        at = self.push(arguments)
        entered = context.copy()
        entered.pc = self._thread.process.ntdll_export("KiUserCallbackDispatcher")
        length = len(arguments)
        if context.word == 4:
            entered.sp = self.push(struct.pack("<4I", 0, routine, at, length))
            return entered
        cs, ss = context.selectors
        if space.read(entered.pc, len(_READS_ITS_FRAME)) == _READS_ITS_FRAME:
            machine_frame = struct.pack("<5Q", context.pc, cs, context.eflags, context.sp, ss)
            entered.sp = self.push(bytes(0x20) + struct.pack("<QII", at, length, routine) + machine_frame)
        else:
            entered["rcx"], entered["rdx"], entered["r8"] = routine, at, length
            entered.sp = self.push(bytes(0x20)) - 8
            space.write_u64(entered.sp, 0)
        return entered


def finish_callback(thread: Thread, status: int, output: bytes) -> Coroutine[Any, Any, int]:
    """The innermost callback of a thread has returned; gives the system call that made it, to go on with.

    Raises:
        NtError: STATUS_NO_CALLBACK_ACTIVE.
    """
    _end_those_left(thread, thread.get_context().sp)
    if not thread.callbacks:
        raise NtError(STATUS_NO_CALLBACK_ACTIVE)
    callback = thread.callbacks[-1]
    thread.process.space.write_pointer(thread.teb, callback.exception_list)
    thread.callbacks.pop()
    callback.status, callback.output = status, output
    thread.cpu.set_context(callback.context)
    thread.context_changed = thread.back_in_call = True
    assert callback.coroutine is not None
    return callback.coroutine


def _end_those_left(thread: Thread, stack: int) -> None:
    """End calls whose part of the stack is given up: their code has been left by unwinding, or by longjmp."""
    space = thread.process.space
    while thread.callbacks:
        innermost = thread.callbacks[-1]
        if stack <= innermost.stack or space.find(stack - 1) is not space.find(innermost.stack):
            return  # a fiber's stack says nothing about another's
        end_callback(thread)


def end_callback(thread: Thread) -> None:
    """The innermost callback never returns: end the system call that made it."""
    callback = thread.callbacks.pop()
    if callback.coroutine is not None:
        callback.coroutine.close()
