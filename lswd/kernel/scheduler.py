"""Runs the guest threads of a program and of the processes it has started, first come first served.

All of the kernel runs on one host thread. On a parallel engine (the jail) guest code runs beside it: a thread's turn is
over once its code goes on by itself, and the next comes when it has stopped. On another (Unicorn) guest threads take
turns, and the ticker ends a turn when somebody else could run. A thread in a blocking call is in nobody's way until
``make_ready``. As long as all that is waited for are other threads and deadlines, no event loop is needed: an idle
process sleeps on a lock. The first call that needs the host's I/O brings trio in (kernel.loop), and the same turns go
on inside one of its tasks.
"""

from __future__ import annotations

import time

from lswd.cpu import engine as cpu
from lswd.kernel.apc import deliver_user_apcs
from lswd.kernel.bell import Bell
from lswd.kernel.deadline import Deadlines
from lswd.kernel.exception import dispatch_fault
from lswd.kernel.loop import IN_USER_MODE, NEEDS_LOOP, Continue
from lswd.kernel.running import Running
from lswd.kernel.start import free_thread_memory
from lswd.kernel.thread import ThreadExit
from lswd.kernel.ticker import Ticker
from lswd.ntdef.status import STATUS_STACK_OVERFLOW, STATUS_UNSUCCESSFUL, NtError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Any

    from lswd.cpu.engine import ParallelEngine
    from lswd.kernel.afd.watch import HostWatch
    from lswd.kernel.process import Process
    from lswd.kernel.thread import Thread

_LOOK_AT_HOST = 0.001  # seconds between looks at the host's I/O while guest threads keep the processor busy
_SHORTEST_NAP, _LONGEST_NAP = 0.0002, 0.001  # between looks when no guest thread asks for anything


class Scheduler:
    """The threads of one system.

    Attributes:
        process: the first process; when it ends, everything does.
        deadlines: things to do at a time, between turns.
        sockets: the host's, to look at between turns; None as long as nobody waits for any.
    """

    def __init__(self, process: Process, deadlines: Deadlines | None = None) -> None:
        self.process = process
        self.deadlines = Deadlines() if deadlines is None else deadlines
        self.ticker = Ticker(self.contended, process.signal_pending, self._processes_running, self._end_turn)
        self.sockets: HostWatch | None = None
        self._ready: list[Thread] = []
        self._current: Thread | None = None  # whose turn it is
        self._running = Running()
        self._ended: list[Process] = []
        self._wanted_tasks: list[tuple[Callable[[], Awaitable[None]], bool]] = []  # until there is a loop
        self._bell = Bell()
        # under trio
        self._nursery: Any = None
        self._token: Any = None
        self._work: Any = None
        self._tasks = 0

    # ---- called by the kernel

    def start_thread(self, thread: Thread) -> None:
        """A new thread may run."""
        self.make_ready(thread)

    def make_ready(self, thread: Thread) -> None:
        """The thread takes its turn after those that are ready already."""
        self._ready.append(thread)
        self._share()
        self._notice()

    def make_next(self, thread: Thread) -> None:
        """The thread takes its turn before all others."""
        self._ready.insert(0, thread)
        self._share()
        self._notice()

    def _share(self) -> None:
        """Whose turn it is need not be waited for any longer."""
        engine = _parallel_engine(self._current)
        if engine is not None:
            engine.shared = True

    def others_ready(self) -> bool:
        """Does anybody but the thread whose turn it is want the processor now?"""
        self.deadlines.expire()
        self.look_at_sockets()
        return bool(self._ready) or self._tasks > 0

    def look_at_sockets(self) -> bool:
        """Let operations go on for which the host's sockets have something; is there any news?"""
        return self.sockets is not None and self.sockets.look()

    def _watching(self) -> bool:
        return self.sockets is not None and self.sockets.waiting

    def contended(self) -> bool:
        """Should the turn end? May be asked from any host thread."""
        return bool(
            self._ready or self._tasks or self._wanted_tasks or self._running.threads or self._watching()
            or self.deadlines.due()
        )  # fmt: skip

    def interrupt(self, thread: Thread) -> None:
        """Make a thread whose code runs stop soon."""
        if thread.running:
            thread.cpu.interrupt()

    def start_task(self, task: Callable[[], Awaitable[None]], *, idle: bool = False) -> None:
        """Run ``task`` beside the threads, in the event loop: I/O that goes on behind their backs.

        Args:
            idle: it matters only while no guest thread runs.
        """
        self._wanted_tasks.append((task, idle))
        if self._nursery is not None:
            self._start_wanted_tasks()

    def stop_thread(self, thread: Thread, exit_status: int) -> None:
        """End a thread whose turn it is not: it never makes a system call again. One whose code runs ends when it has
        stopped, which is soon."""
        thread.terminating = True
        if thread.running:
            thread.final_status = exit_status
            thread.cpu.interrupt()
            return
        in_task = thread.task_scope is not None
        thread.finish(exit_status)
        if not in_task:
            self._bury(thread, killed=True)

    def process_ended(self, process: Process) -> None:
        """None of its threads runs again."""
        self._running.end(process)
        self._ended.append(process)
        self.poke()

    def poke(self) -> None:
        """Wake an idle scheduler to look at the process's signals; from signal handlers and other host threads too."""
        if self._token is not None:
            try:
                self._token.run_sync_soon(self._notice, idempotent=True)
            except RuntimeError:  # the loop is over
                pass
        else:
            self._bell.ring()
        self._end_turn()

    def _end_turn(self) -> None:
        """There is something else to do, so the turn is over, or the next one; from any host thread."""
        self._running.wake()
        current = self._current
        if current is None:
            return
        if (engine := _parallel_engine(current)) is not None:
            engine.hurry()
        else:
            current.process.engine.interrupt()

    def _processes_running(self) -> set[Process]:
        """Whose guest code runs now; may be asked from any host thread."""
        processes = {thread.process for thread in tuple(self._running.threads)}
        current = self._current
        if current is not None:
            processes.add(current.process)
        return processes

    def _notice(self) -> None:
        if self._work is not None:
            self._work.set()

    # ---- running

    def run(self, first: Thread) -> None:
        """Run until the process ends.

        Raises:
            whatever a system call handler, a service or the engine raised that is not the guest's business.
        """
        self._ready.append(first)
        try:
            with self._bell:
                self._run_without_loop()
            if not self.process.ended:
                import trio

                try:
                    trio.run(self._run_in_loop)
                except BaseExceptionGroup as group:
                    raise _first_cause(group) from group
        finally:
            self._token = self._nursery = None
            self.ticker.stop()
            for process in self.process.system.running_processes():
                process.end(STATUS_UNSUCCESSFUL)

    def _run_without_loop(self) -> None:
        process = self.process
        while not process.ended:
            self.deadlines.expire()
            if self._take_turns():
                if self._wanted_tasks:
                    return
            elif self._running.threads:
                self._running.wait(self.deadlines.seconds())
            else:
                self.idle(self.deadlines.seconds())
            self._attend()

    def _attend(self) -> None:
        """See to what ``poke`` is called for."""
        self._running.woken = False
        self.process.deliver_signals()
        self._close_ended()

    def _take_turns(self) -> bool:
        """Let the thread that has been ready longest have a turn, and all whose code has stopped; False if none can."""
        busy = bool(self._ready)
        if busy:
            self._take_turn(self._ready.pop(0))
        running = self._running.threads
        if len(running) == 1 and not running[0].terminating and not self._more_to_do():
            self._go_on(running[0])
            return True
        for thread in self._running.stopped():
            if thread.running:  # nobody has ended its process meanwhile
                self._go_on(thread)
                busy = True
        return busy

    def _more_to_do(self) -> bool:
        """Is there anything to be done but to wait for those that run?"""
        return bool(self._ready or self._tasks or self._wanted_tasks or self._ended)

    def idle(self, seconds: float | None) -> None:
        """Sleep while no guest code runs: until ``poke``, but no longer than ``seconds``."""
        self.ticker.end()
        self._bell.wait(seconds)

    async def _run_in_loop(self) -> None:
        import trio

        self._token = trio.lowlevel.current_trio_token()
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            self._start_wanted_tasks()
            await self._take_turns_in_loop()
            nursery.cancel_scope.cancel()

    def _start_wanted_tasks(self) -> None:
        tasks, self._wanted_tasks = self._wanted_tasks, []
        for task, idle in tasks:
            if idle:
                self._nursery.start_soon(task)
            else:
                self._tasks += 1
                self._nursery.start_soon(self._run_task, task)

    async def _run_task(self, task: Callable[[], Awaitable[None]]) -> None:
        try:
            await task()
        finally:
            self._tasks -= 1

    async def _take_turns_in_loop(self) -> None:
        import trio

        process = self.process
        looked = 0.0
        nap = _SHORTEST_NAP
        self._attend()  # for pokes while the loop was being started
        while not process.ended:
            self.deadlines.expire()
            busy = self._take_turns() or self.look_at_sockets()
            if busy or self._running.threads:
                if not busy:
                    self._running.wait(self.deadlines.seconds(), nap)
                nap = _SHORTEST_NAP if busy else min(2 * nap, _LONGEST_NAP)
                now = time.monotonic()
                if (self._tasks and not busy) or now - looked >= _LOOK_AT_HOST:
                    looked = now
                    self.look_at_sockets()
                    await trio.lowlevel.checkpoint()
            else:
                self.ticker.end()
                self._work = trio.Event()
                seconds = self.deadlines.seconds()
                with trio.move_on_after(float("inf") if seconds is None else seconds):
                    await self._work.wait()
                self._work = None
            self._attend()

    def _close_ended(self) -> None:
        """Let go of what processes that have ended held; of the first, whoever ran it does."""
        while self._ended:
            ended = self._ended.pop()
            if ended is not self.process:
                ended.close()

    def _take_turn(self, thread: Thread) -> None:
        """Finish the thread's blocking call, if it has one, and let it run until it leaves."""
        if thread.terminated or (thread.pending is not None and not self._resume_call(thread)):
            return
        if thread.suspend_count or thread.holders:
            thread.held = True
            return
        thread.initial_context = 0
        self._guest_turn(thread)

    def _go_on(self, thread: Thread) -> None:
        """A thread's code has run by itself: see what it has stopped for."""
        self._running.remove(thread)
        if thread.terminating:
            thread.finish(thread.final_status)
            self._bury(thread, killed=True)
        else:
            self._guest_turn(thread)
        if not thread.running:
            thread.stands_still()

    def _guest_turn(self, thread: Thread) -> None:
        """Let a thread run guest code until it leaves, or goes on by itself."""
        handler = thread.handler
        assert handler is not None
        process = thread.process
        process.current_thread = thread
        others = bool(self._running.threads) or self._more_to_do()
        self._current = thread
        engine = _parallel_engine(thread)
        if engine is not None:
            engine.shared = others
            engine.until = self.deadlines.at()
            if self._watching():
                engine.until = min(engine.until, time.monotonic() + _LOOK_AT_HOST)
        if self._running.woken:  # when it was nobody's turn
            self._end_turn()
        self.ticker.begin(process)
        started = time.monotonic()
        reason = -1
        try:
            reason = thread.cpu.run(handler)
        except cpu.GuestLost as error:
            process.fail(STATUS_UNSUCCESSFUL, str(error))
            return
        finally:
            self._current = None
            if reason == cpu.RUNNING:
                self._running.add(thread)
            elif not self._running.threads:
                self.ticker.end()
            seconds = time.monotonic() - started
            thread.cpu_seconds += seconds
            process.cpu_seconds += seconds
        if reason == cpu.RUNNING:
            return
        if reason == cpu.FAULT:
            try:
                dispatch_fault(thread)
            except ThreadExit:
                return
        if thread.pending is None:
            thread.context_changed = False
        if thread.terminated:
            self._bury(thread)
        elif thread.pending is None:
            self._ready.append(thread)
        else:
            self._suspended(thread)

    # ---- blocking calls

    def _suspended(self, thread: Thread) -> None:
        """A call has yielded: a parked one waits for ``make_ready``, one that calls back lets the thread run guest
        code, the third kind becomes a trio task."""
        assert thread.pending is not None
        coroutine, trap = thread.pending
        if trap is IN_USER_MODE:
            thread.callbacks[-1].coroutine = coroutine
            thread.pending = None
            thread.context_changed = thread.back_in_call = False
            self._ready.append(thread)
        elif trap is NEEDS_LOOP:
            self.start_task(lambda: self._call_task(thread))
        elif thread.park is None:
            raise AssertionError(f"a handler yielded {trap!r} before it asked for the event loop")

    def _resume_call(self, thread: Thread) -> bool:
        """Run a parked call on; True when it is finished and the thread goes on."""
        assert thread.pending is not None
        coroutine, thread.pending = thread.pending[0], None
        thread.process.current_thread = thread
        try:
            trap = coroutine.send(None)
        except StopIteration as done:
            status = int(done.value)
        except NtError as error:
            status = error.status
        except ThreadExit:
            self._bury(thread)
            return False
        else:
            thread.pending = (coroutine, trap)
            self._suspended(thread)
            return False
        self._call_finished(thread, status)
        return not thread.process.ended

    async def _call_task(self, thread: Thread) -> None:
        """Finish a blocking call as a trio task."""
        import trio

        if thread.pending is None:  # the thread was ended meanwhile
            return
        (coroutine, trap), thread.pending = thread.pending, None
        status = 0
        try:
            with trio.CancelScope() as thread.task_scope:
                status = await Continue(coroutine, trap, thread)
        except NtError as error:
            status = error.status
        except ThreadExit:
            pass
        finally:
            thread.task_scope = None
        if thread.terminated:
            self._bury(thread, killed=thread.terminating)
        else:
            self._call_finished(thread, status)
            self.make_ready(thread)

    def _call_finished(self, thread: Thread, status: int) -> None:
        """Give a finished blocking call's status to the guest; APCs first when that is what ended it."""
        thread.process.call_finished(thread, status)
        if thread.back_in_call or not thread.context_changed:
            thread.cpu.set_result(status)
        thread.context_changed = thread.back_in_call = False
        if thread.apc_due:
            thread.apc_due = False
            try:
                deliver_user_apcs(thread, status)
            except NtError:
                thread.process.fail(STATUS_STACK_OVERFLOW, "no stack left to run an APC on")
            thread.context_changed = False

    # ---- end

    def _bury(self, thread: Thread, *, killed: bool = False) -> None:
        """Free what a dead thread occupied."""
        if thread.process.ended:
            return
        thread.cpu.close()
        if killed and thread.process.exiting:
            return  # what the last thread still runs may read what others have left on their stacks
        free_thread_memory(thread, keep_teb=killed)


def _parallel_engine(thread: Thread | None) -> ParallelEngine | None:
    """The engine of ``thread``, if it is a parallel one."""
    if thread is None or not thread.process.engine.parallel:
        return None
    engine: Any = thread.process.engine
    return engine  # type: ignore[no-any-return]


def _first_cause(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The exception inside trio's wrapping."""
    cause: BaseException = group
    while isinstance(cause, BaseExceptionGroup):
        cause = cause.exceptions[0]
    return cause
