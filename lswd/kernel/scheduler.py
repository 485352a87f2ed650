"""Runs a process's guest threads: alone without an event loop first, under trio once anything has to wait.

On an engine that cannot run threads in parallel (Unicorn) the threads take turns on it, first come first served, and
the ticker ends a turn after ``SLICE`` when somebody else could run.
"""

from __future__ import annotations

from lswd.cpu import engine as cpu
from lswd.kernel import loop
from lswd.kernel.apc import deliver_user_apcs
from lswd.kernel.exception import dispatch_fault
from lswd.kernel.loop import NEEDS_LOOP, Continue
from lswd.kernel.thread import ThreadExit
from lswd.kernel.ticker import Ticker
from lswd.ntdef.status import STATUS_USER_APC, NtError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from lswd.kernel.process import Process
    from lswd.kernel.thread import Thread


class Scheduler:
    """The threads of one process."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.ticker = Ticker(process)
        self._nursery: Any = None
        self._turn: Any = None
        self._ready: list[Thread] = []

    # ---- called by the kernel

    def start_thread(self, thread: Thread) -> None:
        """A new thread may run (from a handler; alone, it makes the scheduler start the loop)."""
        if self._nursery is not None:
            self._nursery.start_soon(self._thread_task, thread)
        else:
            self._ready.append(thread)

    def resume_thread(self, thread: Thread) -> None:
        """The suspend count has fallen to zero."""
        if thread.resumed_event is not None:
            thread.resumed_event.set()

    def stop_thread(self, thread: Thread) -> None:
        """End a thread from outside: it never runs guest code again."""
        thread.terminating = True
        if thread.task_scope is not None:
            thread.task_scope.cancel()
        self.resume_thread(thread)

    def stop_all(self) -> None:
        """The process is over."""
        if self._nursery is not None:
            self._nursery.cancel_scope.cancel()

    # ---- running

    def run(self, first: Thread) -> None:
        """Run until the process ends."""
        self._ready.append(first)
        try:
            self._run_alone()
            if not self.process.ended:
                import trio

                loop.running = True
                try:
                    trio.run(self._run_in_loop)
                finally:
                    loop.running = False
        finally:
            self.ticker.stop()

    def _run_alone(self) -> None:
        """Run the only thread until it must wait, is joined by another, or ends."""
        thread = self._ready[0]
        while not (self.process.ended or thread.terminated or thread.suspend_count or len(self._ready) > 1):
            self._guest_turn(thread)
            pending = thread.pending
            if pending is not None:
                if pending[1] is NEEDS_LOOP:
                    return
                raise AssertionError(f"a handler yielded {pending[1]!r} outside the event loop")

    async def _run_in_loop(self) -> None:
        import trio

        self._turn = trio.Lock()
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            for service in self.process.services:
                nursery.start_soon(service)
            for thread in self._ready:
                nursery.start_soon(self._thread_task, thread)
            self._ready.clear()
            await self.process.ended_event_wait()
            nursery.cancel_scope.cancel()

    async def _thread_task(self, thread: Thread) -> None:
        import trio

        with trio.CancelScope() as scope:
            thread.task_scope = scope
            try:
                while not (thread.terminated or thread.terminating or self.process.ended):
                    if thread.pending is not None:
                        coroutine, trap = thread.pending
                        thread.pending = None
                        await self._finish_call(thread, coroutine, trap)
                        continue
                    while thread.suspend_count and not thread.terminating:
                        thread.resumed_event = trio.Event()
                        await thread.resumed_event.wait()
                        thread.resumed_event = None
                    if thread.terminating:
                        break
                    async with self._turn:
                        if not self.process.ended:
                            self._guest_turn(thread)
            finally:
                thread.task_scope = None
        if not thread.terminated:
            thread.finish(thread.exit_status)

    async def _finish_call(self, thread: Thread, coroutine: Any, trap: object) -> None:
        try:
            status = await Continue(coroutine, trap)
        except NtError as error:
            status = error.status
        except ThreadExit:
            return
        self.process.call_finished(thread, status)
        self.finish_call(thread, status)

    def finish_call(self, thread: Thread, status: int) -> None:
        """Give a finished blocking call's status to the guest, APCs first when that is what ended it."""
        if thread.context_changed:
            thread.context_changed = False
            return
        thread.cpu.set_result(status)
        if status == STATUS_USER_APC:
            deliver_user_apcs(thread, status)

    def _guest_turn(self, thread: Thread) -> None:
        """Let a thread run guest code until it leaves."""
        handler = thread.handler
        assert handler is not None
        self.ticker.begin(shared=self._nursery is not None)
        try:
            reason = thread.cpu.run(handler)
        except ThreadExit:
            return
        finally:
            self.ticker.end()
        if reason == cpu.FAULT:
            try:
                dispatch_fault(thread)
            except ThreadExit:
                return
            thread.context_changed = False
        elif reason == cpu.LEFT and thread.pending is None:
            thread.context_changed = False
        self.process.deliver_signals()
