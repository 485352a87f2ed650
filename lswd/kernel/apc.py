"""User APCs: routines queued to a thread that run when it waits alertably or tests for alerts.

On x64 KiUserApcDispatcher finds a CONTEXT at the stack pointer whose P1Home..P4Home carry the three arguments and the
routine, then a machine frame for the unwinder. Older userlands (Wine 8) want the same as a function call: CONTEXT and
arguments in registers, the routine in the fifth slot, behind a return address they drop. One frame serves both.
On i386 routine and arguments lie at the stack pointer, with the CONTEXT behind; older userlands want a function call
again: a return address, then pointer to the CONTEXT, arguments and routine; newer ones (Wine 10) have the flag for
NtContinue between arguments and CONTEXT.
KiUserApcDispatcher ends in NtContinue with its "test alert" flag, which delivers the next APC.
Source: Microsoft "Types of APCs"; frame layouts read off ntdll's code and unwind data.
"""

from __future__ import annotations

import struct

from lswd.cpu.context import Context

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.kernel.thread import Thread


_DROPS_RETURN_ADDRESS = b"\x48\x83\xc4\x08"  # add rsp, 8
_IS_A_FUNCTION = b"\x8d\x4c\x24\x04"  # lea ecx, [esp+4]
_TAKES_A_FLAG = b"\x8d\x5c\x24\x14"  # lea ebx, [esp+0x14]


class UserApc:
    """``routine(argument1, argument2, argument3)`` in guest code."""

    __slots__ = ("arguments", "routine")

    def __init__(self, routine: int, argument1: int, argument2: int, argument3: int) -> None:
        self.routine = routine
        self.arguments = (argument1, argument2, argument3)


def queue_user_apc(thread: Thread, apc: UserApc) -> None:
    """Queue ``apc``; a thread in an alertable wait wakes up for it."""
    thread.user_apcs.append(apc)
    thread.interrupt_park()


def deliver_user_apcs(thread: Thread, status: int) -> bool:
    """Make the thread run its first queued APC next, then go on with ``status`` in RAX; False when there is none."""
    if not thread.user_apcs:
        return False
    context = thread.get_context()
    if not thread.context_changed:
        context.result = status
    push_apc(thread, context, thread.user_apcs.pop(0))
    return True


def push_apc(thread: Thread, context: Context, apc: UserApc) -> None:
    """Build the frame for ``apc`` below ``context`` and enter KiUserApcDispatcher."""
    dispatcher = thread.process.ntdll_export("KiUserApcDispatcher")
    entered = context.copy()
    entered.pc = dispatcher
    if context.word == 8:
        _push64(thread, context, apc, entered)
    else:
        _push32(thread, context, apc, entered)
    thread.set_context(entered)


def _push64(thread: Thread, context: Context, apc: UserApc, entered: Context) -> None:
    space = thread.process.space
    stack = (context.sp - context.size - 0x40) & -16
    if space.read(entered.pc, len(_DROPS_RETURN_ADDRESS)) == _DROPS_RETURN_ADDRESS:
        stack += 8
    frame = bytearray(context.data)
    struct.pack_into("<6Q", frame, 0, *apc.arguments, apc.routine, 0, apc.routine)
    cs, ss = context.selectors
    space.write(stack, bytes(frame) + struct.pack("<5Q", context.pc, cs, context.eflags, context.sp, ss))
    entered.sp = entered["rcx"] = stack
    entered["rdx"], entered["r8"], entered["r9"] = apc.arguments


def _push32(thread: Thread, context: Context, apc: UserApc, entered: Context) -> None:
    space = thread.process.space
    arguments = [argument & 0xFFFFFFFF for argument in (*apc.arguments, apc.routine)]
    begin = space.read(entered.pc, 4)
    if begin == _IS_A_FUNCTION:
        head = 6 * 4
        stack = (context.sp - head - context.size) & 0xFFFFFFF0
        frame = struct.pack("<6I", 0, stack + head & 0xFFFFFFFF, *arguments)
    elif begin == _TAKES_A_FLAG:
        head = 5 * 4
        stack = (context.sp - head - context.size - 8) & 0xFFFFFFF0
        frame = struct.pack("<5I", arguments[3], *arguments[:3], 1)
    else:
        head = 4 * 4
        # The dispatcher has its exception frame in the last 8 bytes.
        stack = (context.sp - head - context.size - 8) & 0xFFFFFFF0
        frame = struct.pack("<4I", arguments[3], *arguments[:3])
    space.write(stack, frame + bytes(context.data))
    entered.sp = stack
