"""The host's signals as console control events.

    SIGINT (Ctrl-C)          CTRL_C_EVENT; once more within two seconds, while the program is still busy with the
                             first, ends it
    SIGQUIT (Ctrl-\\)         CTRL_BREAK_EVENT; once more within two seconds ends the program in any case
    SIGTERM, SIGHUP          CTRL_CLOSE_EVENT; five seconds later, or at once when it comes again, the program is ended
    SIGWINCH, SIGCONT        the console looks at its terminal again

They are for every process on the console, the youngest first; without a console, for every process of the launch that
was not started apart from it. A process group of its own (CREATE_NEW_PROCESS_GROUP) makes kernelbase ignore Ctrl-C.

An event is delivered as NT does it: a new thread in the program runs ntdll's control routine, which calls the handlers
of SetConsoleCtrlHandler, the last of which ends the process. Signal handlers only take a note; the scheduler acts on it
between turns of guest code.
Source: Microsoft "Console Control Handlers", "CTRL+CLOSE Signal".
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # signal itself imports enum, which takes longer than all of this
import time

from lswd.image.errors import ImageError
from lswd.kernel.console.protocol import CTRL_BREAK_EVENT, CTRL_C_EVENT, CTRL_CLOSE_EVENT
from lswd.kernel.environment_block import PEB, RTL_USER_PROCESS_PARAMETERS
from lswd.kernel.start import new_thread
from lswd.ntdef.status import STATUS_CONTROL_C_EXIT, NtError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from lswd.kernel.process import Process
    from lswd.kernel.system import System
    from lswd.kernel.thread import Thread

INSISTING_SECONDS = 2.0
_STUB_SIZE = 0x20  # of a system call's function in ntdll
_USERLAND = ("\\ntdll.dll", "\\kernelbase.dll", "\\kernel32.dll")
CLOSE_SECONDS = 5.0
_LOOK_SECONDS = 0.05
_IGNORES_CTRL_C = 1  # RTL_USER_PROCESS_PARAMETERS.ConsoleFlags


def start_control_event(process: Process, event: int) -> Thread | None:
    """Make ``process`` handle a CTRL_* event in a new thread; None when that is impossible, and the process is ended.

    A program whose DLLs are still being loaded can have no handler yet.
    """
    routine = _control_routine(process) if process.initialized else 0
    if routine and process.scheduler is not None:
        try:
            thread = new_thread(process, routine, event)
        except NtError:
            pass
        else:
            if event != CTRL_C_EVENT:
                _let_through(process, thread)
            process.scheduler.start_thread(thread)
            process.system.part(ControlThreads).add(thread)
            return thread
    process.end(STATUS_CONTROL_C_EXIT)
    return None


def _let_through(process: Process, thread: Thread) -> None:
    """Hide from kernelbase until ``thread`` has ended that the process ignores Ctrl-C: Wine's would ignore everything.

    Source: Microsoft "CreateProcessW", CREATE_NEW_PROCESS_GROUP: Ctrl-C is disabled, nothing else is.
    """
    space, scheduler = process.space, process.scheduler
    at = PEB.offset(space.word, "ProcessParameters") + process.peb

    def change(old: int, new: int) -> bool:
        try:
            flags = space.read_pointer(at) + RTL_USER_PROCESS_PARAMETERS.offset(space.word, "ConsoleFlags")
            found = int.from_bytes(space.read(flags, 4), "little")
            if found & _IGNORES_CTRL_C == old:
                space.write(flags, (found & ~_IGNORES_CTRL_C | new).to_bytes(4, "little"))
                return True
        except NtError:
            pass
        return False

    def look() -> None:
        if process.ended or scheduler is None:
            return
        if thread.terminated:
            change(0, _IGNORES_CTRL_C)
        else:
            scheduler.deadlines.add(_LOOK_SECONDS, look)

    if scheduler is not None and change(_IGNORES_CTRL_C, 0):
        scheduler.deadlines.add(_LOOK_SECONDS, look)


def _control_routine(process: Process) -> int:
    """Address of what runs the handlers: Wine's ntdll has an entry for it, elsewhere it is kernelbase's CtrlRoutine."""
    exports = process.userland.ntdll_exports
    rva = exports.get("__wine_ctrl_routine")
    if rva is not None:
        return process.ntdll_base + rva
    from lswd.image.exports import find_export
    from lswd.kernel.section import ImageSection

    for region in process.space.regions():
        section = region.source
        if isinstance(section, ImageSection) and region.name.lower().endswith("\\kernelbase.dll"):
            try:
                rva = find_export(process.space.raw(region), section.image, "CtrlRoutine")
            except ImageError:
                rva = 0
            return region.base + rva if rva else 0
    return 0


class ControlThreads:
    """The threads that handle control events, of all processes. A part of the System."""

    def __init__(self, _system: System) -> None:
        self._threads: list[Thread] = []

    def add(self, thread: Thread) -> None:
        """A new one; those that have returned are forgotten."""
        self._threads = [t for t in self._threads if not t.terminated]
        self._threads.append(thread)
        process = thread.process
        # Windows ends a program that leaves it to the system with this status; kernelbase of Wine 8 makes it 0.
        process.judge = lambda status: STATUS_CONTROL_C_EXIT if not status and self.gave_up(process) else status

    def gave_up(self, process: Process) -> bool:
        """Has kernelbase ended ``process``, because no handler of the program's own took care of an event?

        The stack tells: NtTerminateProcess was called, and everybody on the way is of the userland.
        """
        from lswd.kernel.backtrace import backtrace

        terminate = process.userland.ntdll_exports.get("NtTerminateProcess", 0) + process.ntdll_base
        for thread in self._threads:
            stack = thread.stack
            if thread.process is not process or stack is None or process.space.find(stack.base) is not stack:
                continue  # it has returned
            called_from = backtrace(thread)
            if any(0 <= address - terminate < _STUB_SIZE for address in called_from[:3]):
                return all(_is_userland(process, address) for address in called_from)
        return False


def _is_userland(process: Process, address: int) -> bool:
    region = process.space.find(address)
    return region is None or region.source is None or region.name.lower().endswith(_USERLAND)


class ControlEvents:
    """Control events of one process, and how long the user has had patience with it."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._last: dict[int, float] = {}
        self._interrupt: Thread | None = None
        self._closing: Thread | None = None

    def interrupt(self) -> None:
        """Ctrl-C."""
        busy = self._interrupt is not None and not self._interrupt.terminated
        if self._again(CTRL_C_EVENT) and busy:
            self._process.end(STATUS_CONTROL_C_EXIT)
        else:
            self._interrupt = start_control_event(self._process, CTRL_C_EVENT)

    def quit(self) -> None:
        """Ctrl-\\, which stands for Ctrl-Break."""
        if self._again(CTRL_BREAK_EVENT):
            self._process.end(STATUS_CONTROL_C_EXIT)
        else:
            start_control_event(self._process, CTRL_BREAK_EVENT)

    def close(self) -> None:
        """The terminal is gone, or somebody wants the program to end: it may tidy up first."""
        process = self._process
        if self._closing is not None:
            process.end(STATUS_CONTROL_C_EXIT)
            return
        self._closing = start_control_event(process, CTRL_CLOSE_EVENT)
        if process.scheduler is not None and not process.ended:
            process.scheduler.deadlines.add(CLOSE_SECONDS, lambda: process.end(STATUS_CONTROL_C_EXIT))
            self._look()

    def _look(self) -> None:
        """A handler that returns has said that the program may be ended now."""
        process = self._process
        if process.ended or self._closing is None or process.scheduler is None:
            return
        if self._closing.terminated:
            process.end(STATUS_CONTROL_C_EXIT)
        else:
            process.scheduler.deadlines.add(_LOOK_SECONDS, self._look)

    def _again(self, event: int) -> bool:
        """Is this the second time within a short while?"""
        now = time.monotonic()
        last = self._last.get(event)
        self._last[event] = now
        return last is not None and now - last < INSISTING_SECONDS


class Audience:
    """Who hears of the host's signals: ``first`` and the processes on its console."""

    def __init__(self, first: Process) -> None:
        self._first = first
        self._events: dict[Process, ControlEvents] = {}

    def tell(self, what: Callable[[ControlEvents], None]) -> None:
        """Let ``what`` happen to everybody's control events."""
        processes = self._processes()
        self._events = {process: events for process, events in self._events.items() if process in processes}
        for process in reversed(processes):
            if not process.ended:  # somebody's end may be somebody else's
                what(self._events.setdefault(process, ControlEvents(process)))

    def _processes(self) -> list[Process]:
        console = self._first.console
        if console is not None:
            return list(console.processes)
        return [p for p in self._first.system.running_processes() if p is self._first or not p.detached]


def install(process: Process) -> None:
    """Let the host's signals reach ``process``, the first one, and those on its console; ``process.restore_host``
    undoes it. Only the main thread may call this.

    Signals that are ignored (nohup, a shell's background jobs) stay ignored.
    """
    audience = Audience(process)
    actions: dict[int, Callable[[], None]] = {
        _signal.SIGINT: lambda: audience.tell(ControlEvents.interrupt),
        _signal.SIGQUIT: lambda: audience.tell(ControlEvents.quit),
        _signal.SIGTERM: lambda: audience.tell(ControlEvents.close),
        _signal.SIGHUP: lambda: audience.tell(ControlEvents.close),
    }
    console = process.console
    if console is not None:
        actions[_signal.SIGWINCH] = console.resized
        actions[_signal.SIGCONT] = console.continued

    def note(number: int, _frame: object) -> None:
        process.signals.append(actions[number])
        if process.scheduler is not None:
            process.scheduler.poke()

    previous = {number: _signal.getsignal(number) for number in actions}

    def restore() -> None:
        for number, handler in previous.items():
            if handler != _signal.SIG_IGN and handler is not None:
                _signal.signal(number, handler)

    for number, handler in previous.items():
        if handler != _signal.SIG_IGN:
            _signal.signal(number, note)
    process.on_close.append(restore)
