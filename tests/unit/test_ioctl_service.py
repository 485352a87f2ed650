"""What commands mean: who may do what, what is counted and limited, and how EXECUTE_PE and LAUNCH_PE wait."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager

import pytest
import trio
import trio.testing

import lswd.ioctl.processes
from lswd.device.transport import Caller
from lswd.ioctl import commands as c
from lswd.ioctl.native.process_files import status_fields
from lswd.ioctl.registrations import Opener
from lswd.ioctl.service import LswService
from lswd.ioctl.settings import ACKNOWLEDGE, Settings
from lswd.session.order import Ending
from tests.unit.in_process_device import LocalSessions

ROOT = Caller(os.getpid(), 0, 0)
USER = Caller(os.getpid(), 1000, 1000)
OTHER = Caller(os.getpid(), 1001, 1001)


class Bench:
    """A service on this test's event loop."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.sessions = LocalSessions()
        self.log: list[tuple[str, str]] = []
        self.service = LswService(settings, self.sessions, lambda *message: self.log.append(message))

    def do(
        self, opener: Opener, caller: Caller, command: c.Command, argument: int = 0, data: bytes = b""
    ) -> tuple[int, bytes]:
        """A command that is answered at once."""
        answer = self.service.ioctl(opener, caller, command.number, argument, data)
        assert isinstance(answer, tuple)
        return answer

    async def wait(
        self, opener: Opener, caller: Caller, command: c.Command, argument: int = 0, data: bytes = b""
    ) -> tuple[int, bytes]:
        """A command that may take its time."""
        answer = self.service.ioctl(opener, caller, command.number, argument, data)
        return answer if isinstance(answer, tuple) else await answer

    @asynccontextmanager
    async def executing(self, caller: Caller, pid: int) -> AsyncIterator[tuple[Opener, trio.CancelScope]]:
        """EXECUTE_PE waits for a program that runs on; what it was made through, and what interrupts it."""
        self.sessions.hold = True
        opener = self.service.opened(caller, 0)
        self.register(opener, caller, pid)
        scope = trio.CancelScope()

        async def execute() -> None:
            with scope:
                await self.wait(opener, caller, c.EXECUTE_PE, pid)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(execute)
            await trio.testing.wait_all_tasks_blocked()
            yield opener, scope

    def register(self, opener: Opener, caller: Caller, pid: int) -> int:
        return self.do(opener, caller, c.REGISTER_PE, 0, c.PeInfo(pid=pid).pack(8))[0]

    def status(self, opener: Opener) -> int:
        return int(c.Status.unpack(8, self.do(opener, ROOT, c.GET_STATUS)[1]).count)


def run(test: Callable[[Bench], Awaitable[None]], settings: Settings | None = None) -> None:
    bench = Bench(settings or Settings())

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            await bench.service.run(nursery)
            with trio.fail_after(60):
                await test(bench)
            nursery.cancel_scope.cancel()

    trio.run(main)
    assert [] == [message for message in bench.log if message[0] == "error"]


@pytest.fixture
def processes(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int], int]]:
    """Start a process that passes for some user's; returns its pid."""
    started: list[subprocess.Popen[bytes]] = []
    owners: dict[int, int] = {1: 0}

    def start(uid: int) -> int:
        process = subprocess.Popen(["sleep", "1000"])
        started.append(process)
        owners[process.pid] = uid
        return process.pid

    monkeypatch.setattr("lswd.ioctl.service.is_owned", lambda pid, uid: owners[pid] == uid)
    monkeypatch.setattr("lswd.ioctl.service.owner_of", lambda pid: (owners[pid], owners[pid]))
    yield start
    for process in started:
        process.kill()
        process.wait()


def test_a_user_registers_only_his_own_processes(processes: Callable[[int], int]) -> None:
    own, foreign = processes(1000), processes(1001)

    async def test(bench: Bench) -> None:
        opener = bench.service.opened(USER, 0)
        assert 0 == bench.register(opener, USER, own)
        assert -errno.EPERM == bench.register(opener, USER, foreign)
        assert -errno.EPERM == bench.register(opener, USER, 1)
        assert 0 == bench.register(opener, ROOT, foreign)
        assert 2 == bench.status(opener)

    run(test)


def test_what_another_user_has_registered_is_out_of_reach(processes: Callable[[int], int]) -> None:
    pid = processes(1000)

    async def test(bench: Bench) -> None:
        opener, other = bench.service.opened(USER, 0), bench.service.opened(OTHER, 0)
        assert 0 == bench.register(opener, USER, pid)
        assert -errno.EPERM == bench.do(other, OTHER, c.UNREGISTER_PE, pid)[0]
        assert -errno.EPERM == (await bench.wait(other, OTHER, c.EXECUTE_PE, pid))[0]
        wait = c.Wait(pid=pid).pack(8)
        assert -errno.EPERM == (await bench.wait(other, OTHER, c.WAIT_PE, 0, wait))[0]
        assert 0 == (await bench.wait(other, ROOT, c.WAIT_PE, 0, wait))[0]
        bench.sessions.hold = True
        async with trio.open_nursery() as nursery:
            nursery.start_soon(bench.wait, opener, USER, c.EXECUTE_PE, pid)
            while not bench.sessions.programs:
                await trio.sleep(0)
            await trio.testing.wait_all_tasks_blocked()
            kill, event = c.Kill(pid=pid, exit_status=9).pack(8), c.Signal(pid=pid).pack(8)
            assert -errno.EPERM == bench.do(other, OTHER, c.KILL_PE, 0, kill)[0]
            assert -errno.EPERM == bench.do(other, OTHER, c.SIGNAL_PE, 0, event)[0]
            assert 0 == bench.do(opener, USER, c.SIGNAL_PE, 0, event)[0]
            assert [signal.SIGINT] == bench.sessions.programs[0].signals
            assert 0 == bench.do(other, ROOT, c.KILL_PE, 0, kill)[0]

    run(test)


def test_registrations_go_when_their_process_ends(processes: Callable[[int], int]) -> None:
    pid = processes(1000)

    async def test(bench: Bench) -> None:
        opener = bench.service.opened(USER, 0)
        for _ in range(3):
            assert 0 == bench.register(opener, USER, pid)
        os.kill(pid, signal.SIGKILL)
        while bench.status(opener):
            await trio.sleep(0.01)
        assert -errno.ESRCH == bench.do(opener, USER, c.UNREGISTER_PE, pid)[0]

    run(test)


def test_registrations_go_with_their_opener(processes: Callable[[int], int]) -> None:
    pid = processes(1000)

    async def test(bench: Bench) -> None:
        one, two = bench.service.opened(USER, 0), bench.service.opened(USER, 0)
        bench.register(one, USER, pid)
        bench.register(two, USER, pid)
        bench.service.released(one)
        bench.service.released(one)
        assert 1 == bench.status(two)
        assert -errno.EINVAL == bench.service.ioctl(one, USER, c.GET_STATUS.number, 0, b"")[0]  # type: ignore[index]

    run(test)


def test_one_user_cannot_take_the_places_of_others(processes: Callable[[int], int]) -> None:
    own, foreign = processes(1000), processes(1001)

    async def test(bench: Bench) -> None:
        opener, other = bench.service.opened(USER, 0), bench.service.opened(OTHER, 0)
        assert [0, 0, -errno.ENOMEM] == [bench.register(opener, USER, own) for _ in range(3)]
        assert 0 == bench.register(other, OTHER, foreign)
        assert 0 == bench.register(opener, ROOT, own)
        with pytest.raises(OSError, match="Too many open files"):
            for _ in range(4):
                bench.service.opened(USER, 0)
        bench.service.opened(OTHER, 0)
        info = c.Info.unpack(8, bench.do(opener, USER, c.INFO)[1])
        assert (2, 2) == (info.limit, info.registered)

    run(test, Settings(registrations=2, openers=4))


def test_acknowledge_runs_nothing() -> None:
    async def test(bench: Bench) -> None:
        opener = bench.service.opened(ROOT, 0)
        bench.register(opener, ROOT, os.getpid())
        assert (0, b"") == bench.do(opener, ROOT, c.EXECUTE_PE, os.getpid())
        assert -errno.ESRCH == bench.do(opener, ROOT, c.EXECUTE_PE, 1)[0]
        assert [] == bench.sessions.programs
        assert 0 == c.Info.unpack(8, bench.do(opener, ROOT, c.INFO)[1]).features & c.FEATURE_EMULATE

    run(test, Settings(execute=ACKNOWLEDGE))


@pytest.mark.parametrize(
    ("status", "result"), [(0, 0), (7, 7), (255, 255), (0xC000_0005, 0x4000_0005), (0x8000_0000, 0)]
)
def test_execute_returns_31_bits_and_wait_all_32(status: int, result: int) -> None:
    async def test(bench: Bench) -> None:
        bench.sessions.hold = True
        opener = bench.service.opened(ROOT, 0)
        bench.register(opener, ROOT, os.getpid())
        answers = []

        async def execute() -> None:
            answers.append(await bench.wait(opener, ROOT, c.EXECUTE_PE, os.getpid()))

        async def wait() -> None:
            request = c.Wait(pid=os.getpid(), timeout_ms=c.FOREVER).pack(8)
            answers.append(await bench.wait(opener, ROOT, c.WAIT_PE, 0, request))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait)
            nursery.start_soon(execute)
            await trio.testing.wait_all_tasks_blocked()
            assert -errno.EBUSY == (await bench.wait(opener, ROOT, c.EXECUTE_PE, os.getpid()))[0]
            assert 1 == len(bench.service.programs())
            bench.sessions.programs[0].end(Ending(status))
        assert (result, b"") in answers
        (waited,) = (c.Wait.unpack(8, data) for _, data in answers if data)
        assert (status, c.REASON_EXITED) == (waited.exit_status, waited.reason)
        assert [] == bench.service.programs()

    run(test)


def test_a_lost_session_is_eio_and_a_reason() -> None:
    async def test(bench: Bench) -> None:
        bench.sessions.hold = True
        opener = bench.service.opened(ROOT, 0)
        bench.register(opener, ROOT, os.getpid())

        async def end() -> None:
            await trio.testing.wait_all_tasks_blocked()
            bench.sessions.programs[0].end(Ending(0, c.REASON_LOST))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(end)
            assert (-errno.EIO, b"") == await bench.wait(opener, ROOT, c.EXECUTE_PE, os.getpid())
        answer = await bench.wait(opener, ROOT, c.WAIT_PE, 0, c.Wait(pid=os.getpid()).pack(8))
        assert c.REASON_LOST == c.Wait.unpack(8, answer[1]).reason

    run(test)


def test_an_interrupted_launch_gets_ctrl_c_and_goes_on_to_its_end() -> None:
    async def test(bench: Bench) -> None:
        bench.sessions.hold = True
        opener = bench.service.opened(ROOT, 0)
        answers = []
        scope = trio.CancelScope()

        async def launch() -> None:
            descriptors = tuple(os.open(os.devnull, os.O_RDONLY) for _ in range(5))
            with scope:
                answer = bench.service.ioctl(opener, ROOT, c.LAUNCH_PE.number, 0, b"", descriptors)
                assert not isinstance(answer, tuple)
                answers.append(await answer)
            with pytest.raises(OSError, match="Bad file"):
                os.fstat(descriptors[0])

        async with trio.open_nursery() as nursery:
            nursery.start_soon(launch)
            await trio.testing.wait_all_tasks_blocked()
            scope.cancel()
            await trio.testing.wait_all_tasks_blocked()
            (program,) = bench.sessions.programs
            assert ([signal.SIGINT], []) == (program.signals, answers)
            assert 0 == bench.do(opener, ROOT, c.SIGNAL_PE, 0, c.Signal(event=c.SIGNAL_CTRL_BREAK).pack(8))[0]
            program.end(Ending(5, exit_code=5))
        assert [signal.SIGINT, signal.SIGQUIT] == program.signals
        ((result, data),) = answers
        launched = c.Launch.unpack(8, data)
        assert (0, 5, 5) == (result, launched.exit_status, launched.exit_code)
        assert 5 == Ending.from_bytes(launched.report[: launched.report_size]).exit_status

    run(test)


@pytest.mark.parametrize("interrupted", [False, True])
def test_a_program_ends_when_the_connection_does(interrupted: bool) -> None:
    async def test(bench: Bench) -> None:
        bench.sessions.hold = True
        opener = bench.service.opened(ROOT, 0)
        scope = trio.CancelScope()

        async def launch() -> None:
            with scope:
                descriptors = tuple(os.open(os.devnull, os.O_RDONLY) for _ in range(5))
                answer = bench.service.ioctl(opener, ROOT, c.LAUNCH_PE.number, 0, b"", descriptors)
                assert not isinstance(answer, tuple)
                await answer

        async with trio.open_nursery() as nursery:
            nursery.start_soon(launch)
            await trio.testing.wait_all_tasks_blocked()
            if interrupted:
                scope.cancel()
                await trio.testing.wait_all_tasks_blocked()
            bench.service.released(opener)
        assert c.REASON_KILLED == bench.sessions.programs[0].ending.reason

    run(test, Settings(interrupt_grace=0.01))


def test_a_killed_caller_is_let_go_at_once_and_takes_his_program_along(processes: Callable[[int], int]) -> None:
    pid = processes(0)

    async def test(bench: Bench) -> None:
        async with bench.executing(Caller(pid, 0, 0), pid) as (_, scope):
            os.kill(pid, signal.SIGKILL)
            scope.cancel()
        assert scope.cancelled_caught
        with trio.fail_after(30):
            await bench.sessions.programs[0].ended.wait()
        assert [signal.SIGINT] == bench.sessions.programs[0].signals

    run(test, Settings(interrupt_grace=0.01))


@pytest.mark.parametrize("ends", ["meanwhile", "later"])
def test_a_stopped_caller_comes_back_to_his_program(
    ends: str, processes: Callable[[int], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    pid = processes(0)
    monkeypatch.setattr("lswd.ioctl.service.is_stopping", lambda tid: tid == pid)

    async def test(bench: Bench) -> None:
        caller = Caller(pid, 0, 0)
        async with bench.executing(caller, pid) as (opener, scope):
            assert bench.service.interrupted(opener, caller, c.EXECUTE_PE.number, pid)
            scope.cancel()
        assert not bench.service.interrupted(opener, Caller(1, 0, 0), c.EXECUTE_PE.number, pid)
        (program,) = bench.sessions.programs
        if ends == "meanwhile":
            program.end(Ending(7, c.REASON_EXITED, 7))
            await trio.testing.wait_all_tasks_blocked()
        results = []

        async def again() -> None:
            results.append(await bench.wait(opener, caller, c.EXECUTE_PE, pid))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(again)
            await trio.testing.wait_all_tasks_blocked()
            program.end(Ending(7, c.REASON_EXITED, 7))
        assert ([(7, b"")], [program]) == (results, bench.sessions.programs)
        assert [signal.SIGSTOP, signal.SIGCONT] == program.signals

    run(test)


def test_only_stopping_is_stopping() -> None:
    """What /proc says of a thread that has signals waiting, blocked by itself or not."""

    def process(*pending: int, blocked: Sequence[int] = (), caught: Sequence[int] = ()) -> str:
        masks = {"SigPnd": pending[:1], "ShdPnd": pending[1:], "SigBlk": blocked, "SigCgt": caught}
        return "".join(f"{name}:\t{sum(1 << (n - 1) for n in numbers):016x}\n" for name, numbers in masks.items())

    cases = {
        process(): True,
        process(signal.SIGTSTP): True,
        process(signal.SIGSTOP): True,
        process(signal.SIGTSTP, signal.SIGINT): False,
        process(signal.SIGKILL): False,
        process(signal.SIGTSTP, caught=[signal.SIGTSTP]): False,
        process(signal.SIGINT, signal.SIGTERM, blocked=[signal.SIGINT, signal.SIGTERM]): True,
    }
    for text, expected in cases.items():
        with pytest.MonkeyPatch.context() as patch:
            fields = status_fields(text.encode())
            patch.setattr(lswd.ioctl.processes, "status_of", lambda _, fields=fields: fields)
            assert expected is lswd.ioctl.processes.is_stopping(5), text
    assert not lswd.ioctl.processes.is_stopping(0)


def test_launch_wants_five_descriptors_and_closes_whatever_came() -> None:
    async def test(bench: Bench) -> None:
        opener = bench.service.opened(ROOT, 0)
        for command, count in ((c.LAUNCH_PE, 4), (c.LAUNCH_PE, 6), (c.GET_STATUS, 2), (c.WAIT_PE, 1)):
            descriptors = tuple(os.open(os.devnull, os.O_RDONLY) for _ in range(count))
            answer = bench.service.ioctl(opener, ROOT, command.number, 0, bytes(command.in_size), descriptors)
            result, _ = answer if isinstance(answer, tuple) else await answer
            assert (result == 0) == (command is c.GET_STATUS)
            for fd in descriptors:
                with pytest.raises(OSError, match="Bad file"):
                    os.fstat(fd)

    run(test)


def test_a_user_runs_only_so_many_programs() -> None:
    async def test(bench: Bench) -> None:
        bench.sessions.hold = True
        caller = Caller(os.getpid(), 1000, 1000)
        opener = bench.service.opened(caller, 0)

        async def launch() -> int:
            descriptors = tuple(os.open(os.devnull, os.O_RDONLY) for _ in range(5))
            answer = bench.service.ioctl(opener, caller, c.LAUNCH_PE.number, 0, b"", descriptors)
            assert not isinstance(answer, tuple)
            return (await answer)[0]

        async with trio.open_nursery() as nursery:
            nursery.start_soon(launch)
            await trio.testing.wait_all_tasks_blocked()
            assert -errno.EAGAIN == await launch()
            bench.service.released(opener)

    run(test, Settings(programs=1))


def test_the_device_knows_launch_but_cannot_serve_it() -> None:
    async def test(bench: Bench) -> None:
        opener = bench.service.opened(ROOT, 0)
        assert (-errno.EINVAL, b"") == await bench.wait(opener, ROOT, c.LAUNCH_PE)

    run(test)


def test_how_programs_ended_is_remembered_after_their_process_has_gone(processes: Callable[[int], int]) -> None:
    pid = processes(1000)

    async def test(bench: Bench) -> None:
        opener = bench.service.opened(USER, 0)
        bench.register(opener, USER, pid)
        await bench.wait(opener, USER, c.EXECUTE_PE, pid)
        os.kill(pid, signal.SIGKILL)
        while bench.status(opener):
            await trio.sleep(0.01)
        answer = await bench.wait(opener, USER, c.WAIT_PE, 0, c.Wait(pid=pid).pack(8))
        assert (0, c.REASON_EXITED) == (answer[0], c.Wait.unpack(8, answer[1]).reason)
        refused = await bench.wait(opener, OTHER, c.WAIT_PE, 0, c.Wait(pid=pid).pack(8))
        assert -errno.ESRCH == refused[0]

    run(test)


def test_a_daemon_that_ends_leaves_nobody_waiting() -> None:
    """Transports are ended while EXECUTE_PE is held up; the interruption must not wait for what never comes."""
    bench = Bench(Settings())
    bench.sessions.hold = True

    async def main() -> None:
        with trio.fail_after(60):
            async with trio.open_nursery() as nursery:
                await bench.service.run(nursery)
                opener = bench.service.opened(ROOT, 0)
                bench.register(opener, ROOT, os.getpid())
                nursery.start_soon(bench.wait, opener, ROOT, c.EXECUTE_PE, os.getpid())
                await trio.testing.wait_all_tasks_blocked()
                nursery.cancel_scope.cancel()

    trio.run(main)
    assert [] == bench.service.programs()


def test_a_program_runs_as_the_user_of_its_process_even_for_root(processes: Callable[[int], int]) -> None:
    pid = processes(1000)

    async def test(bench: Bench) -> None:
        opener = bench.service.opened(ROOT, 0)
        assert 0 == bench.register(opener, ROOT, pid)
        assert (0, b"") == await bench.wait(opener, ROOT, c.EXECUTE_PE, pid)
        assert [(pid, 1000)] == bench.sessions.subjects

    run(test)


def test_a_process_that_has_become_anothers_is_not_executed(
    processes: Callable[[int], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    pid = processes(1000)

    async def test(bench: Bench) -> None:
        opener = bench.service.opened(USER, 0)
        assert 0 == bench.register(opener, USER, pid)
        monkeypatch.setattr("lswd.ioctl.service.owner_of", lambda pid: (0, 0))
        assert -errno.EPERM == (await bench.wait(opener, USER, c.EXECUTE_PE, pid))[0]
        assert [] == bench.sessions.subjects

    run(test)
