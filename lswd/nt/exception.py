"""NtRaiseException and NtContinue. Source: Microsoft "RtlRaiseException"; ntdll's use of both."""

from __future__ import annotations

from lswd.cpu.context import Context, context_type
from lswd.kernel.apc import push_apc
from lswd.kernel.exception import EXCEPTION_RECORD, LastException, raise_in_guest
from lswd.kernel.stack import settle_stack
from lswd.nt.declare import Call, In, syscall
from lswd.ntdef.status import STATUS_INVALID_PARAMETER, STATUS_SUCCESS
from lswd.ntdef.types import BOOLEAN, NTSTATUS, PVOID

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.kernel.debug_object import DebugObject


def read_context(call: Call, address: int) -> Context:
    """A CONTEXT record from guest memory."""
    kind = context_type(call.word)
    return kind(call.space.read(address, kind.size))


@syscall
def NtContinue(call: Call, ContextRecord: PVOID, TestAlert: BOOLEAN) -> NTSTATUS:
    context = read_context(call, ContextRecord)
    if not context.flags & context.architecture:
        return STATUS_INVALID_PARAMETER
    thread = call.thread
    if not thread.initialized:  # a thread's first NtContinue is LdrInitializeThunk's last act
        thread.initialized = call.process.initialized = True
        settle_stack(thread, context.sp, thread.stack_commit)
    if TestAlert and thread.user_apcs:
        current = thread.get_context()
        current.merge(context)
        push_apc(thread, current, thread.user_apcs.pop(0))
        return STATUS_SUCCESS
    thread.set_context(context)
    return STATUS_SUCCESS


@syscall
def NtRaiseException(
    call: Call, ExceptionRecord: In[EXCEPTION_RECORD], ContextRecord: PVOID, FirstChance: BOOLEAN
) -> NTSTATUS:
    context = read_context(call, ContextRecord)
    record = ExceptionRecord
    if call.process.debugger is not None and not call.thread.hide_from_debugger:
        _tell_debugger(call, call.process.debugger, context, record, first_chance=bool(FirstChance))
        return STATUS_SUCCESS
    if not FirstChance:
        last = LastException(record, call.process.missing_calls)
        call.process.end(record.ExceptionCode, last.describe(call.process))
        return STATUS_SUCCESS
    full = call.thread.get_context()
    context.flags = context.flags or context.all_flags
    full.merge(context)
    raise_in_guest(call.thread, full, record)
    return STATUS_SUCCESS


def _tell_debugger(
    call: Call, debugger: DebugObject, context: Context, record: EXCEPTION_RECORD, *, first_chance: bool
) -> None:
    """The thread has the registers it raised with, and goes on when the debugger has decided."""
    thread, process = call.thread, call.process
    full = thread.get_context()
    context.flags = context.flags or context.all_flags
    full.merge(context)
    thread.set_context(full)

    def unhandled() -> None:
        if first_chance:
            raise_in_guest(thread, thread.get_context(), record)
        else:
            last = LastException(record, process.missing_calls)
            process.end(record.ExceptionCode, last.describe(process))

    debugger.exception(thread, record, unhandled, first_chance=first_chance)
