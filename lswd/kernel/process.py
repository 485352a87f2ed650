"""An NT process: address space, handles, threads and how it ends."""

from __future__ import annotations

import time

from lswd.cpu.engine import GuestLost
from lswd.kernel.handle import HandleTable
from lswd.kernel.object import Waitable
from lswd.kernel.thread import Thread
from lswd.kernel.wait import system_time
from lswd.memory.space import AddressSpace
from lswd.ntdef.status import (
    STATUS_INVALID_HANDLE,
    STATUS_PENDING,
    STATUS_PROCESS_IS_TERMINATING,
    STATUS_UNSUCCESSFUL,
    NtError,
    status_name,
)
from lswd.ntdef.types import (
    CURRENT_EFFECTIVE_TOKEN,
    CURRENT_PROCESS,
    CURRENT_PROCESS_TOKEN,
    CURRENT_THREAD,
    CURRENT_THREAD_TOKEN,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from lswd.cpu.engine import Engine, EngineFactory, SystemCallHandler
    from lswd.kernel.clock import Clock
    from lswd.kernel.debug_object import DebugObject
    from lswd.kernel.desktop import Surroundings
    from lswd.kernel.exception import LastException
    from lswd.kernel.gdi.handle_table import GdiHandles
    from lswd.kernel.job import Job
    from lswd.kernel.object import KernelObject
    from lswd.kernel.ready import Ready
    from lswd.kernel.request import Request
    from lswd.kernel.scheduler import Scheduler
    from lswd.kernel.section import ImageSection
    from lswd.kernel.system import System
    from lswd.kernel.window_class import WindowClient
    from lswd.memory.region import Region
    from lswd.userland.userland import Userland

PROCESS_TERMINATE = 0x0001
PROCESS_CREATE_THREAD = 0x0002
PROCESS_VM_OPERATION = 0x0008
PROCESS_VM_READ = 0x0010
PROCESS_VM_WRITE = 0x0020
PROCESS_DUP_HANDLE = 0x0040
PROCESS_CREATE_PROCESS = 0x0080
PROCESS_SET_QUOTA = 0x0100
PROCESS_SET_INFORMATION = 0x0200
PROCESS_QUERY_INFORMATION = 0x0400
PROCESS_SUSPEND_RESUME = 0x0800
PROCESS_QUERY_LIMITED_INFORMATION = 0x1000
PROCESS_ALL_ACCESS = 0x1FFFFF
_EXCEPTIONS_KEPT = 16


class Process(Waitable):
    """See the module's docstring.

    Attributes:
        make_handler: given a thread, the function the engine calls for its system calls (set by nt.dispatch).
        failure: one line saying what killed it, when something did.
        judge: has the last word on the exit status, from the one the process gives itself.
        on_close: what undoes changes to the host (terminal modes, signal handlers), and forgets what is kept for it.
        console: the console the process is attached to (kernel.console), or None.
        detached: it was started apart from the console.
        group: the console process group, named by the process it began with.
        job: the innermost job the process is in, or None.
        debugger: who is told what happens in it, or None. debug_children: and what happens in processes it starts.
        requests: I/O that its threads have begun and that goes on behind their backs.
        cpu_seconds: how long its threads have run.
    """

    type_name = "Process"
    generic = (0x20410, 0x20BEB, 0x121001, PROCESS_ALL_ACCESS)

    def __init__(
        self, system: System, engine: EngineFactory, *, word: int = 8, ready: Ready | None = None
    ) -> None:
        """``ready``: memory and engine, when they were there already."""
        super().__init__()
        self.system = system
        self.pid = system.new_id()
        self.parent_pid = 0
        self.group = self.pid
        self.detached = False
        self.job: Job | None = None
        system.processes[self.pid] = self
        self.ready = ready
        self.space = AddressSpace(word) if ready is None else ready.space
        self.space.on_guard = self._kernel_touched_guard
        self.engine: Engine = engine(self.space) if ready is None else ready.engine
        self.handles = HandleTable()
        self.threads: list[Thread] = []
        self.current_thread: Thread | None = None
        self.scheduler: Scheduler | None = None
        self.make_handler: Callable[[Thread], SystemCallHandler] | None = None
        self.call_finished: Callable[[Thread, int], None] = lambda thread, status: None
        self.image: ImageSection | None = None
        self.image_base = 0
        self.image_region: Region | None = None
        self.ntdll_base = 0
        self.peb = 0
        self.console: Any = None
        self.token: Any = None
        self.ended = False
        self.exiting = False
        self.exit_status = STATUS_PENDING
        self.system_calls = 0  # of threads that have ended
        self.failure = ""
        self.last_words = ""  # the last diagnostic message of the userland
        self.created = system_time()
        self.exited = 0
        self.cpu_seconds = 0.0
        self.requests: set[Request] = set()
        self.started_at = time.monotonic_ns()
        self.error_mode = 0
        self.execute_flags = 0
        self.priority_class = 2
        self.cookie = 0
        self.timer_requested = False
        self.gdi: GdiHandles | None = None  # once it has made a GDI object
        self.gdi_table = 0  # where its GDI handles are shown
        self.dpi_awareness = 0  # as the program has declared it; 0: not at all
        self.surroundings: Surroundings | None = None  # its window station and desktop, once it has asked
        self.window_client: WindowClient | None = None  # what its user32 has told, if it has one
        self.execution_state = 0x80000000  # ES_CONTINUOUS: nothing asked for
        self.affinity = 0  # a mask of processors; 0: all
        self.judge: Callable[[int], int] | None = None
        self.initialized = False  # the loader has finished: the program's own code runs
        self.on_close: list[Callable[[], None]] = []
        self.signals: list[Callable[[], None]] = []
        self.exceptions: dict[int, LastException] = {}  # the last of each code; see note_exception
        self.missing_calls = system.missing_calls
        self.debugger: DebugObject | None = None
        self.debug_children = True
        self.clock: Clock | None = None
        self.handles.pseudo[CURRENT_PROCESS] = lambda: self
        self.handles.pseudo[CURRENT_THREAD] = self._this_thread
        for value in (CURRENT_PROCESS_TOKEN, CURRENT_THREAD_TOKEN, CURRENT_EFFECTIVE_TOKEN):
            self.handles.pseudo[value] = lambda value=value: self._pseudo_token(value)  # type: ignore[misc]

    def map_access(self, access: int) -> int:
        """The right to query holds the limited one."""
        granted = super().map_access(access)
        if granted & PROCESS_QUERY_INFORMATION:
            granted |= PROCESS_QUERY_LIMITED_INFORMATION
        return granted

    def _this_thread(self) -> KernelObject:
        if self.current_thread is None:  # asked from outside
            raise NtError(STATUS_INVALID_HANDLE)
        return self.current_thread

    def _pseudo_token(self, value: int) -> KernelObject:
        from lswd.kernel.token import pseudo_token

        if self.current_thread is None:
            raise NtError(STATUS_INVALID_HANDLE)
        return pseudo_token(self.current_thread, value)

    def _kernel_touched_guard(self, address: int) -> bool:
        """A system call reads or writes a guard page: the caller's stack grows as if the caller had done it."""
        from lswd.kernel.stack import grow_stack

        return self.current_thread is not None and grow_stack(self.current_thread, address)

    def is_signalled(self, thread: Thread) -> bool:
        return self.ended

    def living_space(self) -> AddressSpace:
        """Its memory, for calls from outside.

        Raises:
            NtError: STATUS_PROCESS_IS_TERMINATING when it has ended.
        """
        if self.ended:
            raise NtError(STATUS_PROCESS_IS_TERMINATING)
        return self.space

    def settle_memory(self, changer: Process) -> None:
        """``changer`` has changed its memory: from now on that holds for its threads that run, too. (What it changes
        itself holds before the call for that returns.)"""
        if changer is not self and any(thread.running for thread in self.threads):
            try:
                self.engine.settle()
            except GuestLost as error:
                self.fail(STATUS_UNSUCCESSFUL, str(error))

    def on_last_handle(self) -> None:
        """A process that has ended is forgotten with its last handle."""
        super().on_last_handle()
        if self.ended:
            self.system.forget_process(self)

    def ntdll_export(self, name: str) -> int:
        """Guest address of one of ntdll's exports."""
        return self.ntdll_base + self.userland.ntdll_exports[name]

    @property
    def userland(self) -> Userland:
        """The userland of the process's word size."""
        return self.system.userland if self.space.word == 8 else self.system.userland.i386

    # ---- threads and end

    def find_thread(self, tid: int) -> Thread | None:
        """The live thread of that identifier."""
        return next((t for t in self.threads if t.tid == tid), None)

    def thread_finished(self, thread: Thread) -> None:
        """A thread has ended; the last one takes the process with it."""
        if thread in self.threads:
            self.threads.remove(thread)
            self.system_calls += thread.system_calls
            self.system.system_calls += thread.system_calls
        if self.ended:
            return
        if not self.threads:
            self.end(thread.exit_status)
        elif self.debugger is not None:
            self.debugger.thread_ended(thread)

    def end(self, exit_status: int, failure: str = "") -> None:
        """The process is over; its threads never run again."""
        if self.ended:
            return
        if self.judge is not None:
            exit_status = self.judge(exit_status)
        self.ended = True
        self.exit_status = exit_status & 0xFFFFFFFF
        self.exited = system_time()
        self.failure = failure
        for thread in tuple(self.threads):
            thread.terminating = True
            thread.finish(self.exit_status)
        self.threads.clear()
        for request in tuple(self.requests):
            request.cancel()
        self.engine.interrupt()
        if self.job is not None:
            self.job.process_ended(self)
        if self.console is not None and self in self.console.processes:
            self.console.processes.remove(self)
        if self.debugger is not None:
            self.debugger.process_ended(self, self.current_thread.tid if self.current_thread is not None else 0)
        if self.scheduler is not None:
            self.scheduler.process_ended(self)
        self.system.let_go(self)

    def let_go(self) -> None:
        """Close its handles, and only then let others see that it has ended, as NT does."""
        self.handles.close_all()
        self.wake()

    def describe(self, address: int) -> str:
        """An address as a person reads it: module and offset when it lies in one."""
        region = self.space.find(address)
        if region is None or not region.name:
            return f"{address:#x}"
        name = region.name.replace("/", "\\").rsplit("\\", 1)[-1]
        return f"{name}+{address - region.base:#x}"

    def note_exception(self, code: int, exception: LastException) -> None:
        """Remember an exception: the process may end with its code. Ending, it may raise others, so not only the last
        is kept; of programs that raise many different ones the oldest are forgotten."""
        self.exceptions.pop(code, None)
        self.exceptions[code] = exception
        if len(self.exceptions) > _EXCEPTIONS_KEPT:
            del self.exceptions[next(iter(self.exceptions))]

    def fail(self, code: int, what: str) -> None:
        """An unhandled exception: end with its code and say so."""
        self.end(code, f"{what} ({status_name(code)})")

    def restore_host(self) -> None:
        """Undo what was done to the host's terminal and signals, and let others forget it."""
        while self.on_close:
            self.on_close.pop()()

    def close(self) -> None:
        """Release everything the host lent it."""
        self.handles.close_all()
        if not self.handle_count:
            self.system.forget_process(self)
        self.engine.close()
        self.clock = None
        self.space.close()
        self.restore_host()

    # ---- clock and signals

    def update_clock(self) -> None:
        """Show guest code what time it is."""
        clock = self.clock
        if clock is not None:
            clock.update()

    def signal_pending(self) -> bool:
        """A host signal waits to be delivered to the guest."""
        return bool(self.signals)

    def deliver_signals(self) -> None:
        """Act on host signals, between guest turns."""
        while self.signals and not self.ended:
            self.signals.pop(0)()

    def __repr__(self) -> str:
        return f"Process({self.pid:#x})"
