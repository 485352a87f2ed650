"""/dev/lsw without a kernel: the service behind a transport that is a function call.

The service's event loop runs in a thread of its own; ``ioctl`` may be called from any other thread and copies structs
from and to the caller's memory as the kernel does for CUSE.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Self

import trio

from lswd.device.transport import Caller
from lswd.host.process_memory import read_memory, write_memory
from lswd.ioctl.native.process_files import open_proc
from lswd.ioctl.service import LswService
from lswd.ioctl.settings import Settings
from lswd.session import messages as m
from lswd.session.order import Ending
from lswd.session.worker import Worker

if TYPE_CHECKING:
    from lswd.device.transport import Answer
    from lswd.ioctl.commands import PeInfo
    from lswd.ioctl.hop import Program, Sessions


class StubProgram:
    """A program that ends when a test says so."""

    def __init__(self) -> None:
        self.host_pid = 0
        self.ended = trio.Event()
        self.ending = Ending()
        self.signals: list[int] = []

    def signal(self, number: int) -> None:
        self.signals.append(number)

    def kill(self, exit_status: int) -> None:
        self.end(Ending(exit_status, 3, 137))

    def end(self, ending: Ending) -> None:
        if not self.ended.is_set():
            self.ending = ending
            self.ended.set()


class LocalSessions:
    """Sessions without processes: native calls are served here, programs are stubs that end at once.

    Attributes:
        programs: all that were started. hold: they end only when told to.
    """

    def __init__(self, limit: int = 4096) -> None:
        self.programs: list[StubProgram] = []
        self.hold = False
        self.subjects: list[tuple[int, int]] = []  # whom programs were run as
        self.worker = Worker(self._receive, open_proc(), None, limit, limit)
        self._answers: dict[int, tuple[trio.Event, list[Answer]]] = {}
        self._next = 1

    def _receive(self, packet: bytes) -> None:
        kind, identifier, value, data = m.unpack(packet)
        assert kind == m.ANSWER, data
        done, answers = self._answers[identifier]
        answers.append((value - (1 << 32) if value >> 31 else value, data))
        done.set()

    async def run(self, nursery: trio.Nursery) -> None:
        self.worker.nursery = nursery

    async def close(self) -> None:
        self.worker.close()

    def closed(self, opener: int) -> None:
        self.worker.handle(m.pack(m.CLOSED, opener))

    async def native(self, caller: Caller, opener: int, command: int, data: bytes) -> Answer:
        identifier = self._next
        self._next += 1
        done, answers = self._answers[identifier] = trio.Event(), []
        self.worker.handle(m.pack(m.REQUEST, identifier, command, m.NATIVE.pack(opener, caller.tid) + data))
        try:
            await done.wait()
        except trio.Cancelled:
            self.worker.handle(m.pack(m.CANCEL, identifier))
            with trio.CancelScope(shield=True):
                await done.wait()
        del self._answers[identifier]
        (answer,) = answers
        return answer

    def _start(self) -> StubProgram:
        program = StubProgram()
        self.programs.append(program)
        if not self.hold:
            program.end(Ending())
        return program

    async def execute(self, caller: Caller, pid: int, info: PeInfo) -> Program:
        self.subjects.append((caller.tid, caller.uid))
        return self._start()

    async def launch(self, caller: Caller, descriptors: Sequence[int]) -> Program:
        return self._start()


class OpenDevice:
    """One open file of the device."""

    def __init__(self, device: InProcessDevice, caller: Caller | None) -> None:
        self.device = device
        self.caller = caller
        self.opener: Any = device.run_sync(lambda: device.service.opened(self._caller(), os.O_RDWR))

    def _caller(self) -> Caller:
        return self.caller or self.device.caller

    def ioctl(self, command: int, argument: int) -> int:
        """As ioctl(2). Raises OSError."""
        command &= 0xFFFF_FFFF
        tid = threading.get_native_id()
        own = self._caller()
        caller = Caller(tid, own.uid, own.gid)
        service = self.device.service
        sizes = service.sizes(command)
        if sizes is None:
            raise OSError(22, "EINVAL")
        data = read_memory(tid, argument, sizes[0]) if sizes[0] else b""
        if sizes[1] and not sizes[0]:
            read_memory(tid, argument, sizes[1])  # CUSE would find out, too
        result, answer = self.device.serve(self.opener, caller, command, argument, data)
        if result < 0:
            raise OSError(-result, os.strerror(-result))
        assert len(answer) in (0, sizes[1])
        write_memory(tid, argument, answer)
        return result

    def close(self) -> None:
        self.device.run_sync(lambda: self.device.service.released(self.opener))


class InProcessDevice:
    """A service and its loop."""

    def __init__(self, sessions: Callable[[Settings], Sessions], settings: Settings | None = None) -> None:
        self.settings = settings or Settings()
        self.caller = Caller(os.getpid(), os.geteuid(), os.getegid())
        self.log: list[tuple[str, str]] = []
        self._make = sessions
        self._ready = threading.Event()
        self._thread = threading.Thread(target=trio.run, args=(self._main,))

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(self, *_: object) -> None:
        trio.from_thread.run_sync(self._stop.set, trio_token=self._token)
        self._thread.join()

    async def _main(self) -> None:
        self._token = trio.lowlevel.current_trio_token()
        self._stop = trio.Event()
        self.sessions = self._make(self.settings)
        self.service = LswService(self.settings, self.sessions, lambda level, text: self.log.append((level, text)))
        async with trio.open_nursery() as nursery:
            await self.service.run(nursery)
            self._ready.set()
            await self._stop.wait()
            await self.service.close()
            nursery.cancel_scope.cancel()

    def open(self, caller: Caller | None = None) -> OpenDevice:
        """Open the device; ``caller``: as whom, by default as this process."""
        return OpenDevice(self, caller)

    def run_sync(self, function: Callable[[], Any]) -> Any:
        """Call a function on the loop."""
        return trio.from_thread.run_sync(function, trio_token=self._token)

    def run(self, function: Callable[[], Any]) -> Any:
        """Run a coroutine on the loop."""
        return trio.from_thread.run(function, trio_token=self._token)

    def serve(
        self, opener: Any, caller: Caller, command: int, argument: int, data: bytes, descriptors: Sequence[int] = ()
    ) -> Answer:
        """One command, as a transport has it served."""

        async def call() -> Answer:
            answer = self.service.ioctl(opener, caller, command, argument, data, descriptors)
            return answer if isinstance(answer, tuple) else await answer

        served: Answer = trio.from_thread.run(call, trio_token=self._token)
        return served
