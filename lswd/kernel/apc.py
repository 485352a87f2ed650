"""User APCs: routines queued to a thread that run when it waits alertably or tests for alerts.

On x64 KiUserApcDispatcher finds a CONTEXT at the stack pointer whose P1Home..P4Home carry the three arguments and the
routine, then a machine frame for the unwinder. Older userlands (Wine 8) want the same as a function call: CONTEXT and
arguments in registers, the routine in the fifth slot, behind a return address they drop. One frame serves both.
KiUserApcDispatcher ends in NtContinue with its "test alert" flag, which delivers the next APC.
Source: Microsoft "Types of APCs"; frame layouts read off ntdll's code and unwind data.
"""

from __future__ import annotations

import struct

from lswd.cpu.context import SIZE, USER_CS, USER_DS, Context

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.kernel.thread import Thread


_DROPS_RETURN_ADDRESS = b"\x48\x83\xc4\x08"  # add rsp, 8


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
        context["rax"] = status
    push_apc(thread, context, thread.user_apcs.pop(0))
    return True


def push_apc(thread: Thread, context: Context, apc: UserApc) -> None:
    """Build the frame for ``apc`` below ``context`` and enter KiUserApcDispatcher."""
    process = thread.process
    dispatcher = process.ntdll_export("KiUserApcDispatcher")
    stack = (context["rsp"] - SIZE - 0x40) & -16
    if process.space.read(dispatcher, len(_DROPS_RETURN_ADDRESS)) == _DROPS_RETURN_ADDRESS:
        stack += 8
    frame = bytearray(context.data)
    struct.pack_into("<6Q", frame, 0, *apc.arguments, apc.routine, 0, apc.routine)
    machine_frame = struct.pack("<5Q", context["rip"], USER_CS, context.eflags, context["rsp"], USER_DS)
    process.space.write(stack, bytes(frame) + machine_frame)
    entered = Context(context.data)
    entered["rcx"] = stack
    entered["rdx"], entered["r8"], entered["r9"] = apc.arguments
    entered["rsp"] = stack
    entered["rip"] = dispatcher
    thread.set_context(entered)
