"""The interface between the kernel and whatever runs guest code.

An engine runs guest threads over one address space. The kernel sees four things of it: threads with a context it may
read and write, ``run`` until something needs the kernel, an interrupt from outside, and the memory listener
(``memory.space.MemoryListener``). Capabilities are attributes, never ``isinstance`` tests.

The hand-off of a system call is the same for every engine: the guest's stub spills number and register arguments to
shared memory, the engine calls ``handler(number, a1, a2, a3, a4, stack)`` and puts the returned value in the guest's
RAX. ``stack`` is where the return address lies; a 32-bit guest's arguments are all behind it, and the four mean
nothing. A handler that returns ``None`` ends ``run``: the kernel resumes the thread later, after ``set_result`` or
``set_context``.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Protocol, TypeAlias

    from lswd.cpu.context import Context
    from lswd.memory.regions import MemoryListener
    from lswd.memory.space import AddressSpace

    SystemCallHandler: TypeAlias = Callable[[int, int, int, int, int, int], int | None]

# Why run() returned.
LEFT = 0  # the handler asked for it
FAULT = 1  # a processor exception: see CpuThread.fault
INTERRUPTED = 2  # interrupt() was called
RUNNING = 3  # parallel engines only: its code goes on by itself; run() again once it has stopped

# Processor exception vectors (Intel SDM volume 3, table 6-1) and two of our own.
DIVIDE_ERROR = 0
DEBUG = 1
BREAKPOINT = 3
OVERFLOW = 4
BOUND = 5
INVALID_OPCODE = 6
GENERAL_PROTECTION = 13
PAGE_FAULT = 14
FLOATING_POINT = 16
ALIGNMENT = 17
SIMD = 19
SOFTWARE_INTERRUPT = 0x100  # + n: an ``int n`` that is none of the above

# The hand-off page, mapped by every engine right behind KUSER_SHARED_DATA.
HANDOFF_POINTER = 0x7FFE1000  # ntdll's stubs call [this] when bit 0 of SystemCall in KUSER_SHARED_DATA is set
HANDOFF_PAGE = 0x7FFE2000


class Fault:
    """A processor exception in guest code; the thread's context is that at the faulting instruction.

    Attributes:
        vector: one of the constants above.
        address: the address a page fault was about.
        access: 1 read, 2 write, 4 execute, as memory.protection has them.
    """

    __slots__ = ("access", "address", "vector")

    def __init__(self, vector: int, address: int = 0, access: int = 0) -> None:
        self.vector = vector
        self.address = address
        self.access = access

    def __repr__(self) -> str:
        return f"Fault(vector={self.vector}, address={self.address:#x}, access={self.access})"


class EngineError(Exception):
    """The engine itself cannot go on: not the guest's doing. Ends this process only."""


class GuestLost(EngineError):
    """The guest cannot go on: it died behind our back, or has destroyed what it shares with the engine."""


if TYPE_CHECKING:

    class CpuThread(Protocol):
        """One guest thread on an engine."""

        fault: Fault | None

        def run(self, handler: SystemCallHandler) -> int:
            """Run guest code until LEFT, FAULT or INTERRUPTED, or while it goes on by itself: RUNNING."""
            ...

        def interrupt(self) -> None:
            """Make its guest code stop soon, for INTERRUPTED; from any host thread."""
            ...

        def set_result(self, value: int) -> None:
            """What the system call that left ``run`` returns to the guest."""
            ...

        def get_context(self) -> Context:
            """All registers; valid while the thread is not running."""
            ...

        def set_context(self, context: Context) -> None:
            """Replace the registers that ``context.flags`` name."""
            ...

        def close(self) -> None: ...

    class Engine(MemoryListener, Protocol):
        """Runs the threads of one NT process."""

        name: str
        handoff: int  # guest address ntdll's stubs call
        parallel: bool  # threads run at the same time on several processors: this is a ParallelEngine

        def new_thread(self, teb: int) -> CpuThread: ...
        def settle(self) -> None:
            """Carry out changes of memory now, so that no thread has to."""

        def interrupt(self) -> None:
            """Make the running guest code return INTERRUPTED soon, or the next to run; from any host thread."""
            ...

        def close(self) -> None: ...

    class ParallelEngine(Engine, Protocol):
        """One whose threads go on running when ``run`` has returned RUNNING.

        Attributes:
            shared: others run too, so ``run`` does not wait for the guest; else it waits as long as ``until`` and
                ``hurry`` let it.
            until: on the monotonic clock.
        """

        shared: bool
        until: float

        def hurry(self) -> None:
            """Have a ``run`` that waits return RUNNING soon, or the next one at once; from any host thread."""
            ...

        def wait_any(self, threads: Sequence[ParallelThread], seconds: float) -> None:
            """Until one of these threads, of engines of this kind, has stopped, or ``wake``, or for so long."""
            ...

        def wake(self) -> None:
            """End ``wait_any``; from any host thread."""
            ...

        def halt(self) -> None:
            """End all its guest code at once and for good."""
            ...

    class ParallelThread(CpuThread, Protocol):
        """A thread of such an engine."""

        def stopped(self) -> bool:
            """Has its code stopped since ``run`` returned RUNNING?"""
            ...

        def check(self) -> None:
            """Look after one that has been running for a while.

            Raises:
                GuestLost: it will never stop.
            """
            ...

    EngineFactory: TypeAlias = Callable[[AddressSpace], Engine]
