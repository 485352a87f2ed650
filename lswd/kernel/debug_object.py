"""Debug objects: what happens in debugged processes, told one event after the other.

With an event all threads of its process stand still (``Thread.holders``) until the debugger has it continued. What a
thread was about to do when it had to report an exception is kept with the event.
Source: Microsoft "Debugging Events", "WaitForDebugEvent", "ContinueDebugEvent"; the public headers (DBGUI_*, phnt).
"""

from __future__ import annotations

from lswd.kernel.object import Waitable
from lswd.memory.region import MEM_IMAGE
from lswd.ntdef.status import (
    STATUS_DEBUGGER_INACTIVE,
    STATUS_INVALID_PARAMETER,
    STATUS_NOT_SUPPORTED,
    STATUS_PROCESS_IS_TERMINATING,
    NtError,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from lswd.kernel.exception import EXCEPTION_RECORD
    from lswd.kernel.process import Process
    from lswd.kernel.thread import Thread
    from lswd.memory.region import Region

DEBUG_READ_EVENT = 0x1
DEBUG_PROCESS_ASSIGN = 0x2
DEBUG_SET_INFORMATION = 0x4
DEBUG_ALL_ACCESS = 0x1F000F
DEBUG_KILL_ON_CLOSE = 0x1

# DBG_STATE
DbgCreateThreadStateChange = 2
DbgCreateProcessStateChange = 3
DbgExitThreadStateChange = 4
DbgExitProcessStateChange = 5
DbgExceptionStateChange = 6
DbgBreakpointStateChange = 7
DbgSingleStepStateChange = 8
DbgLoadDllStateChange = 9
DbgUnloadDllStateChange = 10

DBG_EXCEPTION_HANDLED = 0x00010001
DBG_CONTINUE = 0x00010002
DBG_TERMINATE_THREAD = 0x40010003
DBG_TERMINATE_PROCESS = 0x40010004
DBG_EXCEPTION_NOT_HANDLED = 0x80010001

_BEING_DEBUGGED = 2  # PEB.BeingDebugged


class DebugEvent:
    """Something that happened.

    Attributes:
        state: DbgXxxStateChange.
        held: threads that stand still because of it.
        told: the debugger has it.
        unhandled: goes on with an exception that the debugger does not want, or None.
    """

    __slots__ = ("exit_status", "first_chance", "held", "pid", "process", "record", "region", "state", "thread", "tid",
                 "told", "unhandled")  # fmt: skip

    def __init__(self, state: int, process: Process, thread: Thread | None, tid: int) -> None:
        self.state = state
        self.process = process
        self.thread = thread
        self.pid = process.pid
        self.tid = tid
        self.held: list[Thread] = []
        self.told = False
        self.unhandled: Callable[[], None] | None = None
        self.record: EXCEPTION_RECORD | None = None
        self.first_chance = True
        self.exit_status = 0
        self.region: Region | None = None


class DebugObject(Waitable):
    """A debugger's end. ``flags``: DEBUG_KILL_ON_CLOSE. ``word``: its word size; it debugs no wider process."""

    type_name = "DebugObject"
    generic = (0x20001, 0x20002, 0x120000, DEBUG_ALL_ACCESS)

    def __init__(self, flags: int, word: int = 8) -> None:
        super().__init__()
        self.flags = flags
        self.word = word
        self.processes: list[Process] = []
        self.events: list[DebugEvent] = []

    # ---- processes

    def attach(self, process: Process, *, running: bool) -> None:
        """Debug ``process`` from now on; what one that runs already has done is told as if it happened now.

        Its threads stand still until all of that has been continued (Microsoft, "DebugActiveProcess").

        Raises:
            NtError: STATUS_ACCESS_VIOLATION: it has no PEB any more; STATUS_NOT_SUPPORTED: it is too wide;
                STATUS_PROCESS_IS_TERMINATING: its last thread ends.
        """
        self.check_word(process.space.word)
        threads = [thread for thread in process.threads if not thread.terminated]
        if not threads:
            raise NtError(STATUS_PROCESS_IS_TERMINATING)
        process.space.write(process.peb + _BEING_DEBUGGED, b"\1")
        process.debugger = self
        self.processes.append(process)
        first = threads[0]
        self._post(DebugEvent(DbgCreateProcessStateChange, process, first, first.tid))
        if running:
            for thread in threads[1:]:
                self._post(DebugEvent(DbgCreateThreadStateChange, process, thread, thread.tid))
        for region in _images(process):
            if region.base != process.image_base and (running or region.base == process.ntdll_base):
                event = DebugEvent(DbgLoadDllStateChange, process, first, first.tid)
                event.region = region
                self._post(event)

    def check_word(self, word: int) -> None:
        """
        Raises:
            NtError: STATUS_NOT_SUPPORTED: processes of this word size have addresses that the debugger has no room for.
        """
        if word > self.word:
            raise NtError(STATUS_NOT_SUPPORTED)

    def detach(self, process: Process) -> None:
        """Let go of ``process``: it runs as if nobody had ever watched."""
        if process not in self.processes:
            raise NtError(STATUS_INVALID_PARAMETER)
        self.processes.remove(process)
        process.debugger = None
        try:
            process.space.write(process.peb + _BEING_DEBUGGED, b"\0")
        except NtError:
            pass  # it has freed its PEB
        for event in [event for event in self.events if event.process is process]:
            self.events.remove(event)
            _release(event, DBG_EXCEPTION_NOT_HANDLED)

    def on_last_handle(self) -> None:
        """The debugger has gone."""
        super().on_last_handle()
        for process in tuple(self.processes):
            if self.flags & DEBUG_KILL_ON_CLOSE:
                process.debugger = None
                process.end(STATUS_DEBUGGER_INACTIVE)
            else:
                self.detach(process)

    # ---- events

    def is_signalled(self, thread: Thread) -> bool:
        return self._next() is not None

    def _next(self) -> DebugEvent | None:
        """The oldest event that has not been told, of a process whose last one has been continued, and whose threads
        stand still."""
        busy = {event.process for event in self.events if event.told or any(thread.running for thread in event.held)}
        return next((event for event in self.events if not event.told and event.process not in busy), None)

    def take(self) -> DebugEvent | None:
        """The next event, for the debugger; it stays until ``continue_event``."""
        event = self._next()
        if event is not None:
            event.told = True
        return event

    def continue_event(self, pid: int, tid: int, status: int) -> None:
        """Let a process go on after an event.

        Raises:
            NtError: STATUS_INVALID_PARAMETER: there is no such event.
        """
        event = next((e for e in self.events if e.told and (e.pid, e.tid) == (pid, tid)), None)
        if event is None:
            raise NtError(STATUS_INVALID_PARAMETER)
        self.events.remove(event)
        if event.state == DbgExitProcessStateChange and event.process in self.processes:
            self.processes.remove(event.process)
        _release(event, status)
        if self._next() is not None:
            self.wake()

    def _post(self, event: DebugEvent, *, freeze: bool = True) -> None:
        if freeze:
            for thread in event.process.threads:
                if not thread.terminated:
                    thread.holders += 1
                    event.held.append(thread)
                    if thread.running:
                        thread.cpu.interrupt()
        self.events.append(event)
        self.wake()

    def exception(
        self, thread: Thread, record: EXCEPTION_RECORD, unhandled: Callable[[], None], *, first_chance: bool
    ) -> None:
        """A thread has an exception, and its registers are as it had them then."""
        event = DebugEvent(DbgExceptionStateChange, thread.process, thread, thread.tid)
        event.record, event.first_chance, event.unhandled = record, first_chance, unhandled
        self._post(event)

    def thread_created(self, thread: Thread) -> None:
        """A thread has been made, which has not run yet."""
        self._post(DebugEvent(DbgCreateThreadStateChange, thread.process, thread, thread.tid))

    def thread_ended(self, thread: Thread) -> None:
        """A thread has ended, and is not the last one."""
        event = DebugEvent(DbgExitThreadStateChange, thread.process, None, thread.tid)
        event.exit_status = thread.exit_status
        self._post(event)

    def process_ended(self, process: Process, tid: int) -> None:
        """A process has ended; what else there was to tell of it no longer matters."""
        for event in [event for event in self.events if event.process is process and not event.told]:
            self.events.remove(event)
        event = DebugEvent(DbgExitProcessStateChange, process, None, tid)
        event.exit_status = process.exit_status
        self._post(event, freeze=False)

    def image_mapped(self, thread: Thread, region: Region) -> None:
        """The calling thread has mapped an image."""
        event = DebugEvent(DbgLoadDllStateChange, thread.process, thread, thread.tid)
        event.region = region
        self._post(event)

    def image_unmapped(self, thread: Thread, region: Region) -> None:
        """The calling thread has unmapped an image."""
        event = DebugEvent(DbgUnloadDllStateChange, thread.process, thread, thread.tid)
        event.region = region
        self._post(event)


def _images(process: Process) -> list[Region]:
    return [region for region in process.space.regions() if region.kind == MEM_IMAGE]


def _release(event: DebugEvent, status: int) -> None:
    """Do what the debugger wants, and let the threads go."""
    thread, process = event.thread, event.process
    if status == DBG_TERMINATE_PROCESS:
        process.end(status)
    elif status == DBG_TERMINATE_THREAD and thread is not None and process.scheduler is not None:
        process.scheduler.stop_thread(thread, status)
    elif (
        event.unhandled is not None
        and status == DBG_EXCEPTION_NOT_HANDLED
        and thread is not None
        and not thread.terminated
        and not process.ended
    ):
        event.unhandled()
        thread.context_changed = False
    for held in event.held:
        held.holders -= 1
        held.go_on()


def stay(thread: Thread, status: int) -> None:
    """The calling thread has something to report: it leaves its turn, and goes on with ``status`` when it may."""
    thread.cpu.set_result(status)
    thread.context_changed = True
