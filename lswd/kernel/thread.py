"""A guest thread: its TEB, its processor, what it waits for, and how it leaves and re-enters guest code."""

from __future__ import annotations

from lswd.cpu.context import Context
from lswd.kernel.object import Waitable
from lswd.kernel.wait import system_time
from lswd.ntdef.status import (
    STATUS_ALERTED,
    STATUS_PENDING,
    STATUS_SUCCESS,
    STATUS_SUSPEND_COUNT_EXCEEDED,
    STATUS_THREAD_IS_TERMINATING,
    STATUS_USER_APC,
    NtError,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

    from lswd.cpu.engine import CpuThread, SystemCallHandler
    from lswd.kernel.apc import UserApc
    from lswd.kernel.message_queue import MessageQueue
    from lswd.kernel.mutant import Mutant
    from lswd.kernel.process import Process
    from lswd.kernel.request import Request
    from lswd.kernel.user_callback import Callback
    from lswd.kernel.wait import Park
    from lswd.memory.region import Region

THREAD_TERMINATE = 0x0001
THREAD_SUSPEND_RESUME = 0x0002
THREAD_ALERT = 0x0004
THREAD_GET_CONTEXT = 0x0008
THREAD_SET_CONTEXT = 0x0010
THREAD_SET_INFORMATION = 0x0020
THREAD_QUERY_INFORMATION = 0x0040
THREAD_SET_LIMITED_INFORMATION = 0x0400
THREAD_QUERY_LIMITED_INFORMATION = 0x0800
THREAD_ALL_ACCESS = 0x1FFFFF

MAXIMUM_SUSPEND_COUNT = 127


class ThreadExit(Exception):
    """Raised inside a thread's own handler to end it: the thread is marked terminated already."""


class Thread(Waitable):
    """See the module's docstring.

    Attributes:
        tid: the thread's identifier.
        teb: guest address of its TEB; stack: its reservation.
        suspend_count: it does not run while this is above zero.
        holders: how many calls of other threads look at its registers: until they have, it does not run.
        held: the scheduler has put it aside because it is suspended or looked at.
        running: its code runs by itself, on a parallel engine, since ``running_since``.
        watchers: threads that wait until that is no longer so.
        pending: the blocking system call in progress, as (coroutine, what it yielded).
        park: what it waits for and how that ends (kernel.wait), or None.
        request: the synchronous I/O it waits for, or None.
        task_scope: cancels the trio task its blocking call has become, or None.
        context_changed: the handler replaced the registers, so no result goes to RAX.
        back_in_call: it has returned from a callback into a system call, whose registers it has again: the result goes
            there.
        callbacks: calls of the kernel's into its code that have not returned, the innermost last.
        apc_due: user APCs are delivered when the blocking call ends.
        alert_by_id: an alert by thread identifier has come and nobody has waited for it yet.
        initial_context: guest address of the CONTEXT it will continue with once it has initialised; 0 when it has run.
    """

    type_name = "Thread"
    generic = (0x20048, 0x20037, 0x120000, THREAD_ALL_ACCESS)

    def __init__(self, process: Process, tid: int, teb: int, stack: Region | None) -> None:
        super().__init__()
        self.process = process
        self.tid = tid
        self.teb = teb
        self.stack = stack
        self.cpu: CpuThread = process.engine.new_thread(teb)
        self.handler: SystemCallHandler | None = None
        self.exit_status = STATUS_PENDING
        self.terminated = False
        self.terminating = False
        self.final_status = 0  # what it ends with once its code has stopped, when it is terminating
        self.suspend_count = 0
        self.holders = 0
        self.held = False
        self.running = False
        self.running_since = 0.0
        self.watchers: list[Thread] = []
        self.start_address = 0
        self.stack_commit = 0  # bytes of stack to leave committed once the loader is done with the thread
        self.initialized = False  # LdrInitializeThunk has finished
        self.pending: tuple[Coroutine[Any, Any, int], object] | None = None
        self.park: Park | None = None
        self.request: Request | None = None
        self.task_scope: Any = None
        self.context_changed = False
        self.back_in_call = False
        self.callbacks: list[Callback] = []
        self.apc_due = False
        self.user_apcs: list[UserApc] = []
        self.alerted = False
        self.owned_mutants: list[Mutant] = []
        self.priority = 0
        self.base_priority_increment = 0
        self.affinity = 0
        self.ideal_processor = 0
        self.boost_disabled = False
        self.hide_from_debugger = False
        self.description = ""
        self.impersonation_token: Any = None
        self.messages: MessageQueue | None = None  # once it has asked for one
        self.alert_by_id = False
        self.waits_for_alert_by_id = False
        self.initial_context = 0
        self.created = system_time()
        self.exited = 0
        self.cpu_seconds = 0.0
        self.system_calls = 0

    def map_access(self, access: int) -> int:
        """The full rights hold the limited ones of the same name."""
        granted = super().map_access(access)
        if granted & THREAD_QUERY_INFORMATION:
            granted |= THREAD_QUERY_LIMITED_INFORMATION
        if granted & THREAD_SET_INFORMATION:
            granted |= THREAD_SET_LIMITED_INFORMATION
        return granted

    def is_signalled(self, thread: Thread) -> bool:
        return self.terminated

    # ---- suspension

    def suspend(self) -> int:
        """Keep it from running; returns the suspend count before.

        Raises:
            NtError: STATUS_THREAD_IS_TERMINATING, STATUS_SUSPEND_COUNT_EXCEEDED.
        """
        if self.terminated:
            raise NtError(STATUS_THREAD_IS_TERMINATING)
        if self.suspend_count == MAXIMUM_SUSPEND_COUNT:
            raise NtError(STATUS_SUSPEND_COUNT_EXCEEDED)
        self.suspend_count += 1
        if self.running:
            self.cpu.interrupt()
        return self.suspend_count - 1

    def resume(self) -> int:
        """Undo one ``suspend``; returns the suspend count before, 0 when it was not suspended."""
        previous = self.suspend_count
        if previous:
            self.suspend_count -= 1
            if previous == 1:
                self.go_on()
        return previous

    def go_on(self) -> None:
        """Run again, unless somebody still has something against it."""
        if self.held and not (self.suspend_count or self.holders or self.terminated):
            self.held = False
            assert self.process.scheduler is not None
            self.process.scheduler.make_ready(self)

    def stands_still(self) -> None:
        """Its code has stopped running by itself: tell those who wait for it."""
        while self.watchers:
            self.watchers.pop().unpark(STATUS_SUCCESS)
        if self.holders and self.process.debugger is not None:
            self.process.debugger.wake()

    # ---- parking: see kernel.wait.park

    def unpark(self, status: int) -> None:
        """End the thread's park with ``status``; the first status counts."""
        park = self.park
        if park is None or park.status is not None:
            return
        park.status = status
        park.withdraw()
        if park.event is not None:
            park.event.set()
        elif self.task_scope is None:
            assert self.process.scheduler is not None
            self.process.scheduler.make_ready(self)

    def interruptible(self) -> bool:
        """Would an alertable wait end at once?"""
        return self.alerted or bool(self.user_apcs)

    def interrupt_park(self) -> None:
        """An APC or alert has arrived: end an alertable park."""
        park = self.park
        if park is None or not park.alertable or park.status is not None:
            return
        if self.alerted:
            self.alerted = False
            self.unpark(STATUS_ALERTED)
        elif self.user_apcs:
            self.apc_due = True
            self.unpark(STATUS_USER_APC)

    # ---- registers

    def get_context(self) -> Context:
        """The thread's registers as the guest would see them on return."""
        return self.cpu.get_context()

    def set_context(self, context: Context) -> None:
        """Replace registers; the system call in progress then returns nothing of its own."""
        self.cpu.set_context(context)
        self.context_changed = True
        self.back_in_call = False

    # ---- end

    def finish(self, exit_status: int) -> None:
        """Mark the thread dead and let go of what it held."""
        if self.terminated:
            return
        self.terminated = True
        self.exit_status = exit_status & 0xFFFFFFFF
        self.exited = system_time()
        self._abandon_call()
        if self.messages is not None:
            self.messages.close()
        for mutant in tuple(self.owned_mutants):
            mutant.abandon()
        for request in tuple(self.process.requests):
            if request.thread is self and request.file.completion is None:
                request.cancel()
        self.process.thread_finished(self)
        self.wake()

    def _abandon_call(self) -> None:
        """Make sure that nothing is spent on a blocking call that will not be finished."""
        if self.park is not None and self.park.status is None:
            self.park.withdraw()
        if self.task_scope is not None:
            self.task_scope.cancel()
        elif self.pending is not None:
            coroutine, self.pending = self.pending[0], None
            coroutine.close()
        while self.callbacks:
            callback = self.callbacks.pop()
            if callback.coroutine is not None:
                callback.coroutine.close()

    def __repr__(self) -> str:
        return f"Thread({self.tid:#x})"
