"""A guest thread: its TEB, its processor, what it waits for, and how it leaves and re-enters guest code."""

from __future__ import annotations

import time

from lswd.cpu.context import Context
from lswd.kernel.object import Waitable
from lswd.ntdef.status import (
    STATUS_ALERTED,
    STATUS_PENDING,
    STATUS_USER_APC,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

    from lswd.cpu.engine import CpuThread, SystemCallHandler
    from lswd.kernel.apc import UserApc
    from lswd.kernel.mutant import Mutant
    from lswd.kernel.process import Process
    from lswd.memory.region import Region

THREAD_ALL_ACCESS = 0x1FFFFF


class ThreadExit(Exception):
    """Raised inside a thread's own handler to end it: the thread is marked terminated already."""


class Thread(Waitable):
    """See the module's docstring.

    Attributes:
        tid: the thread's identifier.
        teb: guest address of its TEB; stack: its reservation.
        suspend_count: it does not run while this is above zero.
        pending: the blocking system call in progress, as (coroutine, what it yielded).
        context_changed: the handler replaced the registers, so no result goes to RAX.
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
        self.suspend_count = 0
        self.start_address = 0
        self.pending: tuple[Coroutine[Any, Any, int], object] | None = None
        self.context_changed = False
        self.user_apcs: list[UserApc] = []
        self.alerted = False
        self.owned_mutants: list[Mutant] = []
        self.priority = 0
        self.base_priority_increment = 0
        self.affinity = 0
        self.hide_from_debugger = False
        self.description = ""
        self.impersonation_token: Any = None
        self.alert_by_id = False
        self.created = time.time_ns()
        self.exited = 0
        self.cpu_seconds = 0.0
        self.system_calls = 0
        # parking
        self.parked_event: Any = None
        self.park_status: int | None = None
        self.park_alertable = False
        # set by the scheduler in loop mode
        self.task_scope: Any = None
        self.resumed_event: Any = None

    def is_signalled(self, thread: Thread) -> bool:
        return self.terminated

    # ---- parking: see kernel.wait.park

    def begin_park(self, event: Any, alertable: bool) -> None:
        self.parked_event = event
        self.park_status = None
        self.park_alertable = alertable
        if alertable and (self.user_apcs or self.alerted):
            self.interrupt_park()

    def end_park(self) -> None:
        self.parked_event = None
        self.park_alertable = False

    def unpark(self, status: int) -> None:
        """End the thread's park with ``status`` (once)."""
        if self.parked_event is not None and self.park_status is None:
            self.park_status = status
            self.parked_event.set()

    def interrupt_park(self) -> None:
        """An APC or alert has arrived: end an alertable park."""
        if self.park_alertable:
            if self.alerted:
                self.alerted = False
                self.unpark(STATUS_ALERTED)
            elif self.user_apcs:
                self.unpark(STATUS_USER_APC)

    # ---- registers

    def get_context(self) -> Context:
        """The thread's registers as the guest would see them on return."""
        return self.cpu.get_context()

    def set_context(self, context: Context) -> None:
        """Replace registers; the system call in progress then returns nothing of its own."""
        self.cpu.set_context(context)
        self.context_changed = True

    # ---- end

    def finish(self, exit_status: int) -> None:
        """Mark the thread dead and let go of what it held."""
        if self.terminated:
            return
        self.terminated = True
        self.exit_status = exit_status & 0xFFFFFFFF
        self.exited = time.time_ns()
        for mutant in tuple(self.owned_mutants):
            mutant.abandon()
        self.process.thread_finished(self)
        self.wake()

    def __repr__(self) -> str:
        return f"Thread({self.tid:#x})"
