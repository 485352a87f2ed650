"""From a system call number to its handler: the hot path of the kernel.

Numbers come from the userland in use (``Userland.system_calls``). A handler that returns at once is answered inside the
engine's hook; one that blocks leaves the guest's turn (see kernel.scheduler). Unknown calls fail with
STATUS_NOT_IMPLEMENTED and are counted by name.
"""

from __future__ import annotations

from lswd.kernel.start import UNIX_CALL_NUMBER
from lswd.kernel.thread import ThreadExit
from lswd.nt.catalogue import declaration
from lswd.nt.compile import FIRST_STACK_ARGUMENT, IN_REGISTERS, compiled, stack_format
from lswd.nt.declare import Call, SystemCall
from lswd.ntdef.status import STATUS_INVALID_SYSTEM_SERVICE, STATUS_NOT_IMPLEMENTED, STATUS_UNSUCCESSFUL, NtError
from lswd.userland import supplements

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

    from lswd.cpu.engine import SystemCallHandler
    from lswd.kernel.process import Process
    from lswd.kernel.thread import Thread
    from lswd.nt.compile import Compiled
    from lswd.nt.findings import Findings
    from lswd.nt.trace import Tracer

_WIN32U = range(0x1000, 0x2000)  # the second service table
OFTEN = 100  # a call made more often than that gets a function of its own (nt.compile)


class InternalError(Exception):
    """A handler raised what no handler may raise: a bug of ours. The message says which call and with what."""


class Prepared:
    """A system call ready to run: its handler, one decoder a parameter, and how often it has been made."""

    __slots__ = ("call", "decoders", "handler", "is_async", "name", "stack_format", "stack_size", "times")

    def __init__(self, call: SystemCall, word: int) -> None:
        self.call = call
        self.name = call.name
        self.handler = call.handler
        self.is_async = call.is_async
        self.decoders = [p.decode for p in call.parameters]
        self.stack_format = stack_format(call.parameters, word)
        self.stack_size = self.stack_format.size
        self.times = 0


class Dispatcher:
    """The system calls of one process."""

    def __init__(self, process: Process, numbers: dict[int, str], *, strict: bool = True) -> None:
        """``strict``: a bug in a handler ends the process with a report instead of STATUS_UNSUCCESSFUL."""
        self._process = process
        self._numbers = numbers
        self._prepared: dict[int, Prepared] = {}
        self._compiled: dict[int, Compiled] = {}
        self._strict = strict
        self._tracer: Tracer | Findings | None = None

    @property
    def tracer(self) -> Tracer | Findings | None:
        """Who is told of each call. Calls with a function of their own tell nobody, so there are none with a tracer."""
        return self._tracer

    @tracer.setter
    def tracer(self, tracer: Tracer | Findings | None) -> None:
        self._tracer = tracer
        self._compiled.clear()

    @property
    def count(self) -> int:
        """System calls made so far."""
        return self._process.system_calls + sum(t.system_calls for t in self._process.threads)

    def prepare(self, number: int) -> Prepared | None:
        """Look a number up for the first time."""
        declared = declaration(self._name(number))
        if declared is None and number >= supplements.FIRST_NUMBER:
            declared = _supplement(number)
        if declared is None:
            return None
        prepared = self._prepared[number] = Prepared(declared, self._process.space.word)
        return prepared

    def _name(self, number: int) -> str:
        """What the userland calls the system call; empty for none of its."""
        if number in _WIN32U:  # the table of a DLL that most programs do without
            return self._process.userland.win32u_system_calls.get(number, "")
        return self._numbers.get(number, "")

    def missing(self, thread: Thread, number: int) -> int:
        """Count and name a call that has no handler."""
        name = self._name(number)
        missing = self._process.missing_calls
        label = name or f"system call {number:#x}"
        missing[label] = missing.get(label, 0) + 1
        status = STATUS_NOT_IMPLEMENTED if name else STATUS_INVALID_SYSTEM_SERVICE
        if number in _WIN32U:
            from lswd.nt.user_failure import ERROR_CALL_NOT_IMPLEMENTED, failed, returns_status

            if not returns_status(name):
                status = failed(thread, ERROR_CALL_NOT_IMPLEMENTED)
        if self._tracer is not None:
            self._tracer.missing(thread, label, status)
        return status

    def handler(self, thread: Thread) -> SystemCallHandler:
        """The function the engine calls for ``thread``'s system calls."""
        process = self._process
        space = process.space
        call = Call(thread)
        prepared_calls = self._prepared
        compiled_calls = self._compiled
        first_on_stack = FIRST_STACK_ARGUMENT[space.word]
        in_registers = IN_REGISTERS[space.word]

        def system_call(number: int, a1: int, a2: int, a3: int, a4: int, stack: int) -> int | None:
            own = compiled_calls.get(number)
            if own is not None:
                return own(call, a1, a2, a3, a4, stack)
            prepared = prepared_calls.get(number & 0xFFFFFFFF)
            if prepared is None:
                prepared = self.prepare(number & 0xFFFFFFFF)
                if prepared is None:
                    return self.missing(thread, number & 0xFFFFFFFF)
            prepared.times += 1
            if prepared.times > OFTEN and self._tracer is None and number not in _WIN32U:
                own = self._compile(number & 0xFFFFFFFF, prepared)
                return own(call, a1, a2, a3, a4, stack)
            thread.system_calls += 1
            process.current_thread = thread
            raw: tuple[int, ...] = (a1, a2, a3, a4)[:in_registers]
            arguments: list[Any] = []
            try:
                if prepared.stack_size:
                    data = space.read(stack + first_on_stack, prepared.stack_size)
                    raw += prepared.stack_format.unpack(data)
                for decode, value in zip(prepared.decoders, raw, strict=False):
                    arguments.append(decode(call, value))
                if self._tracer is not None:
                    self._tracer.enter(thread, prepared.call, arguments, raw)
                result = prepared.handler(call, *arguments)
                if prepared.is_async and not isinstance(result, int):
                    if number in _WIN32U:
                        result = _window_call(thread, result)
                    result = self._first_step(thread, result)
                    if result is None:
                        if self._tracer is not None:
                            self._tracer.blocked(thread, prepared.call, arguments)
                        return None
            except NtError as error:
                result = error.status if number not in _WIN32U else _window_call_failed(thread)
            except ThreadExit:
                if self._tracer is not None:
                    self._tracer.leave(thread, prepared.call, arguments, None)
                return None
            except Exception as error:
                result = self._bug(thread, prepared.call, raw, error)
            if self._tracer is not None:
                self._tracer.leave(thread, prepared.call, arguments, result)
            if thread.context_changed or thread.terminated or thread.suspend_count or thread.holders or process.ended:
                return self._leave(thread, result)
            return int(result)

        return system_call

    @staticmethod
    def _leave(thread: Thread, result: int) -> None:
        """Make the thread leave its turn; unless its registers were replaced, ``result`` still goes to RAX."""
        if (thread.back_in_call or not thread.context_changed) and not thread.terminated:
            thread.cpu.set_result(result)
        thread.back_in_call = False

    @staticmethod
    def _first_step(thread: Thread, coroutine: Any) -> int | None:
        try:
            trap = coroutine.send(None)
        except StopIteration as done:
            return int(done.value)
        thread.pending = (coroutine, trap)
        return None

    def _compile(self, number: int, prepared: Prepared) -> Compiled:
        """Give a call its own function."""
        space = self._process.space

        def bug(thread: Thread, registers: tuple[int, ...], stack: int, error: Exception) -> int:
            raw = registers[: IN_REGISTERS[space.word]]
            if prepared.stack_size:
                data = space.read(stack + FIRST_STACK_ARGUMENT[space.word], prepared.stack_size)
                raw += prepared.stack_format.unpack(data)
            return self._bug(thread, prepared.call, raw, error)

        own = self._compiled[number] = compiled(prepared.call, self._process, bug, self._leave)
        return own

    def _bug(self, thread: Thread, call: SystemCall, raw: tuple[int, ...], error: Exception) -> int:
        arguments = ", ".join(f"{p.name}={value:#x}" for p, value in zip(call.parameters, raw, strict=False))
        if not self._strict:
            return STATUS_UNSUCCESSFUL
        raise InternalError(f"{call.name}({arguments}) in thread {thread.tid:#x}: {error!r}") from error

    def finished(self, thread: Thread, status: int) -> None:
        """A blocking call has ended (for the trace)."""
        if self._tracer is not None:
            self._tracer.resumed(thread, status)


async def _window_call(thread: Thread, handler: Coroutine[Any, Any, int]) -> int:
    """A call that returns no status fails in its own way also when it has waited or called back before."""
    try:
        return await handler
    except NtError:
        return _window_call_failed(thread)


def _window_call_failed(thread: Thread) -> int:
    """A bad pointer, in a call that returns no status."""
    from lswd.nt.user_failure import ERROR_NOACCESS, failed

    return failed(thread, ERROR_NOACCESS)


def _supplement(number: int) -> SystemCall | None:
    """A function of ours that the userland lacks; it reaches us through a stub like a system call's."""
    from lswd.userland.supplements.declare import lookup

    found = lookup(number)
    return SystemCall(found.function, found.partial, {}) if found is not None else None


def attach(process: Process, *, strict: bool = True) -> Dispatcher:
    """Give ``process`` its system calls."""
    numbers = process.userland.system_calls | supplements.system_calls()
    numbers[UNIX_CALL_NUMBER] = "__wine_unix_call"
    dispatcher = Dispatcher(process, numbers, strict=strict)
    process.make_handler = dispatcher.handler
    process.call_finished = dispatcher.finished
    return dispatcher


