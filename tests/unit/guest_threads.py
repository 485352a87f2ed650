"""A machine without guest code: its threads are Python generators that make real system calls.

A program is a generator function of (guest, argument) which yields system calls and receives what they return::

    def program(guest, argument):
        status = yield "NtSetEvent", handle, 0

The kernel around it is the real one: dispatch, objects, scheduler. Only the engine is not, and time: nothing ever waits
for the host's clock; when every thread waits, the clock jumps to the next deadline.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from types import SimpleNamespace
from typing import Any, cast

from lswd.cpu import engine as cpu
from lswd.cpu.context import SIZE, Context
from lswd.kernel.deadline import Deadlines
from lswd.kernel.process import Process
from lswd.kernel.scheduler import Scheduler
from lswd.kernel.start import new_thread
from lswd.kernel.system import System
from lswd.kernel.thread import Thread
from lswd.memory.protection import PAGE_READWRITE
from lswd.memory.space import AddressSpace
from lswd.nt.catalogue import load_families
from lswd.nt.declare import DECLARED
from lswd.nt.dispatch import attach
from lswd.ntdef.types import OBJECT_ATTRIBUTES, UNICODE_STRING, Struct

Program = Callable[["Guest", int], Generator[Any, Any, Any]]

PREEMPT = "PREEMPT"  # yielded by a program: its time slice is over
CURRENT_THREAD = 0xFFFFFFFFFFFFFFFE
CURRENT_PROCESS = 0xFFFFFFFFFFFFFFFF
NOTIFICATION, SYNCHRONIZATION = 0, 1
WAIT_ALL, WAIT_ANY = 0, 1
STATUS_TIMEOUT = 0x102
SECOND = 10_000_000

_NTDLL = 0x10000000
_EXPORTS = {"LdrInitializeThunk": 0x10, "RtlUserThreadStart": 0x20, "KiUserApcDispatcher": 0x30}
_FIRST_PROGRAM = 0x140000000
_LEVEL = 0x20000000  # + depth: where a thread "is" while APC routines run on top of its program
_FRAME = 0x1000


class Deadlock(Exception):
    """Every thread waits, and nothing will end that."""


class FakeThread:
    """One guest thread: a stack of generators, the program at the bottom and APC routines above."""

    def __init__(self, engine: FakeEngine, teb: int) -> None:
        self._engine = engine
        self.teb = teb
        self.fault: cpu.Fault | None = None
        self._running: list[Generator[Any, Any, Any]] = []
        self._frames: list[int] = []  # guest addresses of the APC frames
        self._value: Any = None
        self._entry: Context | None = None
        self._rax = 0
        self.closed = False

    def run(self, handler: cpu.SystemCallHandler) -> int:
        try:
            return self._run(handler)
        finally:
            self._engine.interrupted = False

    def _run(self, handler: cpu.SystemCallHandler) -> int:
        engine = self._engine
        if self._entry is not None:
            begin = Context(engine.space.read(self._entry["rcx"], SIZE))
            self._running = [engine.program(begin["rcx"])(engine.guest, begin["rdx"])]
            self._entry = None
        while not engine.interrupted:
            try:
                request = self._running[-1].send(self._value)
            except StopIteration as done:
                if self._frames:
                    request = ("NtContinue", self._frames[-1], 1)
                else:
                    request = ("NtTerminateThread", CURRENT_THREAD, done.value or 0)
            self._value = None
            if request == PREEMPT:
                break
            result = self._call(handler, *request)
            if result is None:
                return cpu.LEFT
            self._value = result
        return cpu.INTERRUPTED

    def _call(self, handler: cpu.SystemCallHandler, name: str, *arguments: int) -> int | None:
        space = self._engine.space
        stack = self._stack() - 0x800
        extra = arguments[4:]
        if extra:
            space.write(stack + 0x28, b"".join((a & (1 << 64) - 1).to_bytes(8, "little") for a in extra))
        first = [a & (1 << 64) - 1 for a in (*arguments, 0, 0, 0, 0)[:4]]
        return handler(self._engine.numbers[name], first[0], first[1], first[2], first[3], stack)

    def _stack(self) -> int:
        return self._engine.space.read_pointer(self.teb + 8) - 0x1000 - _FRAME * len(self._frames)

    def set_result(self, value: int) -> None:
        self._value = self._rax = value

    def get_context(self) -> Context:
        if self._entry is not None:
            return Context(self._entry.data)
        return Context.user(rip=_LEVEL + len(self._frames), rsp=self._stack(), rax=self._rax)

    def set_context(self, context: Context) -> None:
        rip = context["rip"]
        if rip == _NTDLL + _EXPORTS["LdrInitializeThunk"]:
            self._entry = context
        elif rip == _NTDLL + _EXPORTS["KiUserApcDispatcher"]:
            frame = context["rsp"]
            arguments = [self._engine.space.read_u64(frame + 8 * i) for i in range(4)]
            self._frames.append(frame)
            self._running.append(self._engine.routine(arguments[3])(self._engine.guest, *arguments[:3]))
            self._value = None
        else:
            depth = rip - _LEVEL
            while len(self._frames) > depth:
                self._frames.pop()
                self._running.pop().close()
            self._value = self._rax = context["rax"]

    def close(self) -> None:
        self.closed = True
        for generator in self._running:
            generator.close()


class FakeEngine:
    """Runs ``FakeThread``s one at a time."""

    name = "fake"
    handoff = 0x7FFE2000
    parallel = False

    def __init__(self, space: AddressSpace) -> None:
        self.space = space
        self.guest: Guest
        self.interrupted = False
        self.programs: list[Callable[..., Generator[Any, Any, Any]]] = []
        self.numbers: dict[str, int] = {}
        self.threads: list[FakeThread] = []

    def address_of(self, program: Callable[..., Generator[Any, Any, Any]]) -> int:
        """What stands for the program's address in the guest."""
        if program not in self.programs:
            self.programs.append(program)
        return _FIRST_PROGRAM + 16 * self.programs.index(program)

    def program(self, address: int) -> Program:
        return self.programs[(address - _FIRST_PROGRAM) // 16]

    routine = program

    def new_thread(self, teb: int) -> FakeThread:
        thread = FakeThread(self, teb)
        self.threads.append(thread)
        return thread

    def interrupt(self) -> None:
        self.interrupted = True

    def attach_backing(self, backing: object) -> None: ...
    def detach_backing(self, backing: object) -> None: ...
    def committed(self, base: int, size: int) -> None: ...
    def changed(self, base: int, size: int) -> None: ...
    def code_changed(self, base: int, size: int) -> None: ...
    def close(self) -> None: ...


class FakeTime:
    """A clock that only moves when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class JumpingScheduler(Scheduler):
    """Does not sleep: lets the clock jump instead."""

    def __init__(self, process: Process, clock: FakeTime) -> None:
        super().__init__(process, Deadlines(clock))
        self._jumping = clock

    def idle(self, seconds: float | None) -> None:
        if seconds is None:
            raise Deadlock
        self._jumping.now += seconds


class Machine:
    """One process, ready to run programs."""

    def __init__(self) -> None:
        load_families()
        self.numbers = {name: i for i, name in enumerate(sorted(DECLARED))}
        userland = SimpleNamespace(
            system_calls={number: name for name, number in self.numbers.items()}, ntdll_exports=_EXPORTS,
            enumeration=lambda dll, prefix: (),
        )
        self.clock = FakeTime()
        self.system = System(cast(Any, None), cast(Any, userland), cast(Any, None), user="tester")
        self.process = Process(self.system, cast(Any, FakeEngine))
        self.engine = cast(FakeEngine, self.process.engine)
        self.engine.numbers = self.numbers
        self.engine.guest = self.guest = Guest(self)
        self.process.ntdll_base = _NTDLL
        code = self.process.space.reserve(_NTDLL, 0x1000, PAGE_READWRITE)
        self.process.space.commit(code, _NTDLL, 0x1000, PAGE_READWRITE)
        image = SimpleNamespace(stack_reserve=0x20000, stack_commit=0x10000)
        self.process.image = cast(Any, SimpleNamespace(image=image))
        self.process.scheduler = self.scheduler = JumpingScheduler(self.process, self.clock)
        attach(self.process)

    def run(self, program: Program, argument: int = 0) -> int:
        """Run ``program`` as the first thread until the process ends; returns its exit status."""
        first = new_thread(self.process, self.engine.address_of(program), argument)
        self.scheduler.run(first)
        return self.process.exit_status


class Guest:
    """What programs find in their address space."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.log: list[Any] = []
        self._next = 0

    @property
    def now(self) -> float:
        """Seconds on the machine's clock since it was switched on."""
        return round(self.machine.clock.now - 1000, 6)

    # ---- memory

    def room(self, size: int) -> int:
        """The address of some zeroed bytes."""
        space = self.machine.process.space
        if not self._next:
            region = space.reserve(0, 0x100000, PAGE_READWRITE)
            space.commit(region, region.base, region.size, PAGE_READWRITE)
            self._next = region.base
        at, self._next = self._next, self._next + (size + 15 & -16)
        return at

    def stored(self, data: bytes) -> int:
        """The address of ``data``."""
        at = self.room(len(data))
        self.machine.process.space.write(at, data)
        return at

    def value(self, address: int, size: int = 4) -> int:
        """A signed integer in memory."""
        return int.from_bytes(self.machine.process.space.read(address, size), "little", signed=True)

    def struct(self, kind: type[Struct], address: int) -> Any:
        """A structure in memory."""
        return kind.unpack(8, self.machine.process.space.read(address, kind.size(8)))

    def time(self, seconds: float | None) -> int:
        """The address of a relative NT timeout; 0 for None: for ever."""
        return 0 if seconds is None else self.stored(round(-seconds * SECOND).to_bytes(8, "little", signed=True))

    def unicode(self, text: str) -> int:
        """The address of a UNICODE_STRING."""
        data = text.encode("utf-16-le")
        head = UNICODE_STRING(Length=len(data), MaximumLength=len(data) + 2, Buffer=self.stored(data + b"\0\0"))
        return self.stored(head.pack(8))

    def named(self, name: str, attributes: int = 0, root: int = 0) -> int:
        """The address of OBJECT_ATTRIBUTES."""
        given = OBJECT_ATTRIBUTES(
            Length=48, RootDirectory=root, ObjectName=self.unicode(name) if name else 0, Attributes=attributes
        )
        return self.stored(given.pack(8))

    def handles(self, *handles: int) -> int:
        """The address of an array of handles."""
        return self.stored(b"".join(h.to_bytes(8, "little") for h in handles))

    # ---- calls, for ``yield from``

    def create(self, call: str, *arguments: int, access: int = 0x1F0003, attributes: int = 0) -> Any:
        """A handle to what the NtCreate* or NtOpen* call makes; the call must succeed."""
        cell = self.room(8)
        status = yield (call, cell, access, attributes, *arguments)
        assert not status & 0x80000000, f"{call}: {status:#x}"
        return self.value(cell, 8)

    def event(self, kind: int = SYNCHRONIZATION, state: int = 0) -> Any:
        """A new event's handle."""
        return self.create("NtCreateEvent", kind, state)

    def wait(self, handle: int, seconds: float | None = None, *, alertable: bool = False) -> Any:
        """NtWaitForSingleObject."""
        return (yield "NtWaitForSingleObject", handle, int(alertable), self.time(seconds))

    def wait_many(
        self, handles: list[int], kind: int, seconds: float | None = None, *, alertable: bool = False
    ) -> Any:
        """NtWaitForMultipleObjects."""
        array = self.handles(*handles)
        return (
            yield "NtWaitForMultipleObjects", len(handles), array, kind, int(alertable), self.time(seconds)
        )

    def sleep(self, seconds: float, *, alertable: bool = False) -> Any:
        """NtDelayExecution."""
        return (yield "NtDelayExecution", int(alertable), self.time(seconds))

    def thread(self, program: Program, argument: int = 0, *, flags: int = 0) -> Any:
        """The handle of a new thread that runs ``program(guest, argument)``."""
        cell = self.room(8)
        start = self.machine.engine.address_of(program)
        status = yield (
            "NtCreateThreadEx", cell, 0x1FFFFF, 0, CURRENT_PROCESS, start, argument, flags, 0, 0, 0, 0,
        )  # fmt: skip
        assert status == 0, hex(status)
        return self.value(cell, 8)

    def object(self, handle: int) -> Any:
        """The kernel object behind a handle."""
        return self.machine.process.handles.get(handle)

    def queue_apc(
        self, thread: int, routine: Callable[..., Generator[Any, Any, Any]], *arguments: int
    ) -> Any:
        """NtQueueApcThread."""
        address = self.machine.engine.address_of(routine)
        return (yield ("NtQueueApcThread", thread, address, *(*arguments, 0, 0, 0)[:3]))

    def tid(self, handle: int) -> int:
        """A thread's identifier."""
        thread = self.object(handle)
        assert isinstance(thread, Thread)
        return thread.tid


def run(program: Program) -> list[Any]:
    """Run ``program`` on a new machine; returns what it and its threads logged."""
    machine = Machine()
    machine.run(program)
    return machine.guest.log
