"""User APCs: routines queued to a thread that run when it waits alertably or tests for alerts.

The frame is the one ntdll's KiUserApcDispatcher expects on x64: a CONTEXT whose P1Home..P4Home carry the three
arguments and the routine, then a machine frame for the unwinder. KiUserApcDispatcher ends in NtContinue with its
"test alert" flag, which delivers the next APC.
Source: Microsoft "Types of APCs"; frame layout observed in ntdll's unwind data.
"""

from __future__ import annotations

import struct

from lswd.cpu.context import SIZE, Context

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.kernel.thread import Thread


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
    space = thread.process.space
    stack = (context["rsp"] - SIZE - 0x30) & -16
    frame = bytearray(context.data)
    struct.pack_into("<4Q", frame, 0, *apc.arguments, apc.routine)
    machine_frame = struct.pack("<6Q", context["rip"], 0x33, context.eflags, context["rsp"], 0x2B, 0)
    space.write(stack, bytes(frame) + machine_frame)
    entered = Context(context.data)
    entered["rsp"] = stack
    entered["rip"] = thread.process.ntdll_export("KiUserApcDispatcher")
    thread.set_context(entered)
