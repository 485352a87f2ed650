"""One I/O request: running its operation, now or behind the thread's back, and telling whoever wants to know.

On a synchronous file the caller waits. On an overlapped one an operation that cannot finish at once goes on by itself
and the call returns STATUS_PENDING. Either way the end of it is an IO_STATUS_BLOCK, an event, an APC, a packet for a
completion port.
Source: Microsoft "NtReadFile", "Synchronous and Asynchronous I/O", "I/O Completion Ports".
"""

from __future__ import annotations

from lswd.kernel.apc import UserApc, queue_user_apc
from lswd.kernel.file import SYNCHRONOUS, Overflow, Waiter
from lswd.kernel.loop import Continue, event_loop
from lswd.kernel.wait import park
from lswd.ntdef.file import FILE_DEVICE_DISK_FILE_SYSTEM
from lswd.ntdef.status import (
    STATUS_CANCELLED,
    STATUS_END_OF_FILE,
    STATUS_INVALID_PARAMETER,
    STATUS_PENDING,
    STATUS_PIPE_BROKEN,
    STATUS_SUCCESS,
    NtError,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

    from lswd.kernel.event import Event
    from lswd.kernel.file import FileObject
    from lswd.kernel.thread import Thread
    from lswd.memory.space import AddressSpace

    Operation = Coroutine[Any, Any, int]

FILE_SKIP_COMPLETION_PORT_ON_SUCCESS = 1
_ERROR = 0xC0000000


def put_status(space: AddressSpace, address: int, status: int, information: int) -> None:
    """Write the IO_STATUS_BLOCK at ``address``, the status last: a thread that sees it change need not ask further
    (Microsoft "HasOverlappedIoCompleted")."""
    space.probe_write(address, 2 * space.word)
    space.write_pointer(address + space.word, information)
    space.write_pointer(address, status)


def tells_only_its_caller(file: FileObject) -> bool:
    """Does the caller of a request wait for it, and nobody else hear of it?"""
    return file.completion is None and bool(file.options & SYNCHRONOUS)


def at_once(
    operation: Callable[[Thread, int, int, int | None, int], int],
    thread: Thread,
    status_block: int,
    address: int,
    length: int,
    offset: int | None,
    key: int,
) -> int:
    """What a request comes to whose caller waits, of a file that is ``immediate`` and reports to nobody else.

    Args:
        operation: the file's ``read_now`` or ``write_now``; what follows it is for it.
    """
    try:
        information = operation(thread, address, length, offset, key)
        status = STATUS_SUCCESS
    except NtError as error:
        if error.status != STATUS_END_OF_FILE:
            return error.status
        status, information = STATUS_END_OF_FILE, 0
    put_status(thread.process.space, status_block, status, information)
    return status


class Request:
    """See the module's docstring.

    Attributes:
        status_block: guest address of the caller's IO_STATUS_BLOCK, or 0.
        operation: what goes on by itself, if it does; scope: what cancels it in the event loop.
        cancelled: its thread waits for it, and should not.
    """

    __slots__ = (
        "apc_context", "apc_routine", "cancelled", "event", "file", "operation", "scope", "status_block", "thread",
    )  # fmt: skip

    def __init__(
        self,
        thread: Thread,
        file: FileObject,
        status_block: int,
        *,
        event: Event | None = None,
        apc_routine: int = 0,
        apc_context: int = 0,
    ) -> None:
        """
        Raises:
            NtError: STATUS_INVALID_PARAMETER for an APC on a file that reports to a completion port.
        """
        if apc_routine and file.completion is not None:
            raise NtError(STATUS_INVALID_PARAMETER)
        self.thread = thread
        self.file = file
        self.status_block = status_block
        self.event = event
        self.apc_routine = apc_routine
        self.apc_context = apc_context
        self.operation: Operation | None = None
        self.scope: Any = None
        self.cancelled = False

    async def run(
        self, operation: Operation, *, deferred: bool = False, wait: bool = False, never_wait: bool = False
    ) -> int:
        """Run ``operation``; returns what the system call returns.

        Args:
            deferred: on an overlapped file return STATUS_PENDING even for what is done already, as programs expect of
                reads and writes on a disk.
            wait: let the caller wait, whatever the file. never_wait: do not, whatever the file.
        """
        file = self.file
        file.begin_request()
        if self.event is not None:
            self.event.reset()
        if (file.synchronous or wait) and not never_wait:
            status, information = await self._wait(operation)
            self._finish(status, information)
            return status
        outcome = self._step(operation)
        if outcome is None:
            file.pending.append(self)
            self.thread.process.requests.add(self)
            return STATUS_PENDING
        status, information = outcome
        on_disk = file.device_type == FILE_DEVICE_DISK_FILE_SYSTEM
        later = deferred and on_disk and status in (STATUS_SUCCESS, STATUS_END_OF_FILE)
        self._finish(status, information, pending=later)
        return STATUS_PENDING if later else status

    async def _wait(self, operation: Operation) -> tuple[int, int]:
        """Run it to its end, suspending the thread as needed."""
        thread = self.thread
        try:
            trap = operation.send(None)
            thread.request = self
            while isinstance(trap, Waiter):
                trap.go_on = lambda: thread.unpark(STATUS_SUCCESS)
                if self.cancelled or await park(thread) == STATUS_CANCELLED:
                    operation.close()
                    return STATUS_CANCELLED, 0
                trap = operation.send(None)
            await event_loop()
            return await self._wait_in_loop(operation, trap)
        except StopIteration as done:
            return STATUS_SUCCESS, done.value
        except Overflow as error:
            return error.status, error.count
        except NtError as error:
            return error.status, 0
        finally:
            thread.request = None

    async def _wait_in_loop(self, operation: Operation, trap: object) -> tuple[int, int]:
        import trio

        if self.cancelled:  # on the way here
            operation.close()
            return STATUS_CANCELLED, 0
        result = 0
        with trio.CancelScope() as self.scope:
            result = await Continue(operation, trap)
        return (STATUS_CANCELLED, 0) if self.scope.cancelled_caught else (STATUS_SUCCESS, result)

    def cancel_wait(self) -> None:
        """End a synchronous operation, for which its thread waits, with STATUS_CANCELLED."""
        self.cancelled = True
        if self.scope is not None:
            self.scope.cancel()
        else:
            self.thread.unpark(STATUS_CANCELLED)

    def _step(self, operation: Operation) -> tuple[int, int] | None:
        """Run it until it has to wait for something that will make it go on; what came of it when it need not."""
        try:
            trap = operation.send(None)
        except StopIteration as done:
            return STATUS_SUCCESS, done.value
        except Overflow as error:
            return error.status, error.count
        except NtError as error:
            return error.status, 0
        self.operation = operation
        if isinstance(trap, Waiter):
            trap.go_on = self._go_on
            return None
        scheduler = self.thread.process.scheduler
        assert scheduler is not None
        scheduler.start_task(lambda: self._run_in_loop(operation, trap))
        return None

    def _go_on(self) -> None:
        """What the operation waited for has happened."""
        if self.operation is not None:
            outcome = self._step(self.operation)
            if outcome is not None:
                self._end(*outcome)

    async def _run_in_loop(self, operation: Operation, trap: object) -> None:
        import trio

        with trio.CancelScope() as self.scope:
            if self.operation is None:
                return
            try:
                outcome = STATUS_SUCCESS, await Continue(operation, trap)
            except Overflow as error:
                outcome = error.status, error.count
            except NtError as error:
                outcome = error.status, 0
            self._end(*outcome)

    def _end(self, status: int, information: int) -> None:
        """The end of a request that went on by itself."""
        self.operation = None
        self.thread.process.requests.discard(self)
        if self in self.file.pending:
            self.file.pending.remove(self)
            if not self.thread.process.ended:
                self._finish(status, information, pending=True)

    def cancel(self) -> None:
        """End it with STATUS_CANCELLED if it still goes on."""
        operation, self.operation = self.operation, None
        if operation is None:
            return
        if self.scope is not None:
            self.scope.cancel()
        else:
            operation.close()
        self._end(STATUS_CANCELLED, 0)

    def _finish(self, status: int, information: int, *, pending: bool = False) -> None:
        """Tell everybody. A call that fails on the spot is only answered with its status."""
        file = self.file
        failed = status >= _ERROR and not pending
        process = self.thread.process
        if self.status_block and (not failed or status in (STATUS_END_OF_FILE, STATUS_PIPE_BROKEN)):
            try:
                put_status(process.space, self.status_block, status, information)
            except NtError:
                if not pending:
                    raise
        file.end_request()
        if failed and (file.synchronous or status != STATUS_END_OF_FILE):
            return
        if self.event is not None:
            self.event.set()
        if self.apc_routine:
            queue_user_apc(self.thread, UserApc(self.apc_routine, self.apc_context, self.status_block, 0))
        elif file.completion is not None and self.apc_context:
            port, key = file.completion
            if pending or not file.completion_modes & FILE_SKIP_COMPLETION_PORT_ON_SUCCESS:
                port.post(key, self.apc_context, status, information)
