"""Real sessions: whose they are, what they hold, and what happens when one of their processes dies."""

from __future__ import annotations

import ctypes
import errno
import os
import select
import signal
import stat
import struct
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import trio
import trio.testing

import lswd.service.program as launcher
from lswctl.conformance.programs import tiny_program
from lswd.device.transport import Caller
from lswd.ioctl import commands as c
from lswd.ioctl.service import LswService
from lswd.ioctl.settings import Settings
from lswd.session.order import Ending, Order
from lswd.session.pool import Sessions, SpawnerLost
from lswd.session.session import Session
from lswd.session.spawner import Spawner, start
from tests.unit.in_process_device import LocalSessions

if TYPE_CHECKING:
    from lswd.session.program import Launcher

NOBODY = 65534
OWN = Caller(os.getpid(), os.geteuid(), os.getegid())
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="NEEDS ROOT: a session of another user")


class Bench:
    """A service with real sessions on this test's event loop."""

    def __init__(self, settings: Settings, spawner: Spawner) -> None:
        self.log: list[tuple[str, str]] = []
        self.sessions = Sessions(spawner, settings, lambda *message: self.log.append(message))
        self.service = LswService(settings, self.sessions, lambda *message: self.log.append(message))
        self._kept: list[object] = []

    async def do(
        self, opener: object, caller: Caller, command: c.Command, argument: int = 0, data: bytes = b"",
        descriptors: tuple[int, ...] = (),
    ) -> tuple[int, bytes]:  # fmt: skip
        answer = self.service.ioctl(opener, caller, command.number, argument, data, descriptors)
        return answer if isinstance(answer, tuple) else await answer

    async def native(self, opener: object, caller: Caller, number: int, *arguments: int) -> tuple[int, int, int]:
        """Result of ioctl, return_value, error_code."""
        filled = [*arguments, *[0] * (8 - len(arguments))]
        data = struct.pack("<II8QQi4x", number, len(arguments), *filled, 0, 0)
        result, answer = await self.do(opener, caller, c.SYSCALL, 0, data)
        return result, *(struct.unpack_from("<Qi", answer, 72) if answer else (0, 0))

    async def launch(
        self, opener: object, order: Order, output: int, caller: Caller = OWN, directory: str = "/"
    ) -> tuple[c.Launch, Ending]:
        """Run an order with an empty standard input and ``output`` for the rest."""
        sheet = os.memfd_create("order")
        os.write(sheet, order.to_bytes())
        descriptors = (
            os.open(os.devnull, os.O_RDONLY), os.dup(output), os.dup(output), os.open(directory, os.O_PATH), sheet,
        )  # fmt: skip
        result, data = await self.do(opener, caller, c.LAUNCH_PE, 0, b"", descriptors)
        if result:
            raise OSError(-result, os.strerror(-result))
        launched = c.Launch.unpack(8, data)
        return launched, Ending.from_bytes(launched.report[: launched.report_size])

    def only_session(self) -> Session:
        (session,) = self.sessions._all
        return session

    def place(self, data: bytes) -> int:
        buffer = ctypes.create_string_buffer(data, len(data))
        self._kept.append(buffer)
        return ctypes.addressof(buffer)


def run(
    test: Callable[[Bench], Awaitable[None]], settings: Settings | None = None, with_launcher: Launcher = launcher
) -> list[tuple[str, str]]:
    """Returns what was logged."""
    spawner = start(with_launcher)
    log = []

    async def main() -> None:
        bench = Bench(settings or Settings(), spawner)
        async with trio.open_nursery() as nursery:
            await bench.service.run(nursery)
            with trio.fail_after(120):
                await test(bench)
            await bench.service.close()
            log.extend(bench.log)
            nursery.cancel_scope.cancel()

    trio.run(main)
    with pytest.raises(ProcessLookupError):
        os.kill(spawner.pid, 0)
    return log


def test_the_daemon_ends_when_the_process_that_makes_sessions_does() -> None:
    spawner = start(launcher)

    async def main() -> None:
        sessions = Sessions(spawner, Settings(), lambda *message: None)
        with trio.fail_after(60):
            async with trio.open_nursery() as nursery:
                await sessions.run(nursery)
                os.kill(spawner.pid, signal.SIGKILL)

    with pytest.raises(BaseExceptionGroup) as caught:
        trio.run(main)
    spawner.close()
    assert caught.group_contains(SpawnerLost)


def fields_of(pid: int) -> dict[str, str]:
    """/proc/PID/status."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def children_of(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.fixture
def somebody(tmp_path: Path) -> Iterator[Callable[[], tuple[Caller, Path]]]:
    """A process of user NOBODY, forked from this one, and a directory of his (in which it is)."""
    pids: list[tuple[int, Path]] = []

    def make() -> tuple[Caller, Path]:
        directory = Path("/tmp") / f"lsw-somebody-{os.getpid()}-{len(pids)}"
        directory.mkdir()
        os.chown(directory, NOBODY, NOBODY)
        reading, writing = os.pipe()
        pid = os.fork()
        if not pid:
            try:
                os.chdir(directory)
                os.umask(0o077)
                os.setgroups([NOBODY])
                os.setresgid(NOBODY, NOBODY, NOBODY)
                os.setresuid(NOBODY, NOBODY, NOBODY)
                ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)  # may be looked into, as any program that is started usually
                os.write(writing, b".")
                time.sleep(1000)
            finally:
                os._exit(0)
        os.close(writing)
        assert b"." == os.read(reading, 1)
        os.close(reading)
        pids.append((pid, directory))
        return Caller(pid, NOBODY, NOBODY), directory

    yield make
    for pid, directory in pids:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        for path in directory.rglob("*"):
            if not path.is_dir():
                path.unlink()
        subprocess.run(["rm", "-rf", str(directory)], check=True)


def test_no_signal_is_ignored_because_the_daemons_starter_had_it_ignored() -> None:
    ignored = {signal.SIGQUIT, signal.SIGINT, signal.SIGTSTP}
    before = {number: signal.signal(number, signal.SIG_IGN) for number in ignored}
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})

    async def test(bench: Bench) -> None:
        await bench.native(bench.service.opened(OWN, 0), OWN, 0x36, 0)
        session = bench.only_session().pid
        for process in (session, *children_of(session)):
            fields = fields_of(process)
            assert not int(fields["SigIgn"], 16) & sum(1 << (number - 1) for number in ignored)
            assert not int(fields["SigBlk"], 16) & 1 << (signal.SIGTERM - 1)

    try:
        run(test)
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
        for number, handler in before.items():
            signal.signal(number, handler)


@needs_root
def test_a_session_is_its_user_completely(somebody: Callable[[], tuple[Caller, Path]], tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("root's")
    secret.chmod(0o600)

    # Addresses must mean the same in the forked caller: they are placed before it is forked.
    async def test(bench: Bench) -> None:
        foreign = bench.place(str(secret).encode() + b"\0")
        own = bench.place(b"file\0")
        caller, directory = somebody()
        opener = bench.service.opened(caller, 0)
        failed = (0, (1 << 64) - 1, -errno.ENOENT)
        assert failed == await bench.native(opener, caller, 0x55, foreign, 0x80000000, 3, 0)
        assert (0, 0x1000, 0) == await bench.native(opener, caller, 0x55, own, 0xC0000000, 1, 0)
        made = (directory / "file").stat()
        assert (NOBODY, NOBODY, 0o600) == (made.st_uid, made.st_gid, stat.S_IMODE(made.st_mode))
        session = bench.only_session()
        for pid in (session.pid, *children_of(session.pid)):
            fields = fields_of(pid)
            assert [str(NOBODY)] * 4 == fields["Uid"].split()
            assert [str(NOBODY)] * 4 == fields["Gid"].split()
            assert str(NOBODY) == fields["Groups"]
            assert "1" == fields["NoNewPrivs"]
            assert {"0" * 16} == {fields[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")}

    run(test)


@needs_root
def test_two_users_have_two_sessions_and_cannot_see_each_others_files(
    somebody: Callable[[], tuple[Caller, Path]],
) -> None:
    async def test(bench: Bench) -> None:
        path, buffer = bench.place(b"/etc/hostname\0"), bench.place(bytes(8))
        caller, _ = somebody()
        opener = bench.service.opened(OWN, 0)
        assert (0, 0x1000, 0) == await bench.native(opener, OWN, 0x55, path, 0x80000000, 3, 0)
        assert (0, 0, -errno.EBADF) == await bench.native(opener, caller, 0x06, 0x1000, buffer, 8)
        assert 2 == len(bench.sessions._all)

    run(test)


@needs_root
@pytest.mark.parametrize("mounts", [False, True], ids=["chroot", "mount namespace"])
def test_paths_are_the_callers_in_its_own_root_and_mounts(mounts: bool, tmp_path: Path) -> None:
    """Its root is another directory, and perhaps nobody else has that mounted."""
    (tmp_path / "root").mkdir()
    reading, writing = os.pipe()

    async def test(bench: Bench) -> None:
        inside, outside, relative = (bench.place(path) for path in (b"/inside\0", b"/etc/hostname\0", b"inside\0"))
        pid = os.fork()
        if not pid:
            try:
                libc = ctypes.CDLL(None, use_errno=True)
                if mounts:
                    assert 0 == libc.unshare(0x20000)
                    assert 0 == libc.mount(None, b"/", None, 1 << 18 | 1 << 14, None)  # private, all of it
                    assert 0 == libc.mount(b"none", os.fsencode(tmp_path / "root"), b"tmpfs", 0, None)
                (tmp_path / "root" / "inside").write_text("in")
                os.chroot(tmp_path / "root")
                os.chdir("/")
                os.write(writing, b".")
                time.sleep(1000)
            finally:
                os._exit(1)
        try:
            assert b"." == os.read(reading, 1)
            caller = Caller(pid, 0, 0)
            opener = bench.service.opened(caller, 0)
            assert (0, 0x1000, 0) == await bench.native(opener, caller, 0x55, inside, 0x80000000, 3, 0)
            assert (0, 0x1001, 0) == await bench.native(opener, caller, 0x55, relative, 0x80000000, 3, 0)
            assert -errno.ENOENT == (await bench.native(opener, caller, 0x55, outside, 0x80000000, 3, 0))[2]
            assert (0, 0x1000, 0) == await bench.native(opener, OWN, 0x55, outside, 0x80000000, 3, 0)
            assert 2 == len(bench.sessions._all)
        finally:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)

    run(test)


@needs_root
def test_a_caller_that_changes_its_root_gets_another_session(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    waiting, going = os.pipe()

    async def test(bench: Bench) -> None:
        outside = bench.place(b"/etc/hostname\0")
        pid = os.fork()
        if not pid:
            try:
                os.write(writing, b".")
                os.read(waiting, 1)
                os.chroot(tmp_path)
                os.write(writing, b".")
                time.sleep(1000)
            finally:
                os._exit(1)
        try:
            assert b"." == os.read(reading, 1)
            caller = Caller(pid, 0, 0)
            opener = bench.service.opened(caller, 0)
            assert (0, 0x1000, 0) == await bench.native(opener, caller, 0x55, outside, 0x80000000, 3, 0)
            os.write(going, b".")
            assert b"." == os.read(reading, 1)
            assert -errno.ENOENT == (await bench.native(opener, caller, 0x55, outside, 0x80000000, 3, 0))[2]
        finally:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)

    run(test)


@needs_root  # or the session's /proc/PID/fd is closed to us
def test_a_session_holds_no_descriptor_of_the_daemon() -> None:
    secret = os.open("/etc/hostname", os.O_RDONLY)
    os.set_inheritable(secret, True)

    async def test(bench: Bench) -> None:
        opener = bench.service.opened(OWN, 0)
        await bench.native(opener, OWN, 0x36, 5)
        pid = bench.only_session().pid
        for process in (pid, *children_of(pid)):
            links = [os.readlink(f"/proc/{process}/fd/{n}") for n in os.listdir(f"/proc/{process}/fd")]
            allowed = ("socket:", "pipe:", "/dev/null", "/proc", "anon_inode:[eventpoll]", "anon_inode:[pidfd]")
            assert [] == [link for link in links if not link.startswith(allowed)]

    try:
        run(test)
    finally:
        os.close(secret)


@pytest.mark.parametrize("part", ["zygote", "worker"])
def test_a_session_that_dies_fails_what_waits_and_is_replaced(part: str) -> None:
    async def test(bench: Bench) -> None:
        opener = bench.service.opened(OWN, 0)
        _, event, _ = await bench.native(opener, OWN, 0x48, 1, 0)
        answers = []

        async def wait() -> None:
            answers.append(await bench.native(opener, OWN, 0x04, event, 0))

        session = bench.only_session()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait)
            while not session._pending:
                await trio.sleep(0)
            await bench.native(opener, OWN, 0x36, 0)
            worker, *_ = children_of(session.pid)  # the oldest; the others are for programs
            os.kill(session.pid if part == "zygote" else worker, signal.SIGKILL)
        assert [(-errno.EIO, 0, 0)] == answers
        assert (0, 0, -errno.EBADF) == await bench.native(opener, OWN, 0x0E, event)
        assert session.pid != bench.only_session().pid or session is not bench.only_session()

    run(test)


def test_an_interrupted_wait_ends_with_eintr_and_can_be_repeated() -> None:
    async def test(bench: Bench) -> None:
        opener = bench.service.opened(OWN, 0)
        _, event, _ = await bench.native(opener, OWN, 0x48, 1, 0)
        session = bench.only_session()
        answers = []
        scope = trio.CancelScope()

        async def wait() -> None:
            with scope:
                answers.append(await bench.native(opener, OWN, 0x04, event, 0))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait)
            while not session._pending:
                await trio.sleep(0)
            scope.cancel()
        assert [(0, 0, -errno.EINTR)] == answers
        await bench.native(opener, OWN, 0x0E, event)
        assert (0, 0, 0) == await bench.native(opener, OWN, 0x04, event, 0)

    run(test)


def test_many_waits_at_once_hold_up_nobody() -> None:
    async def test(bench: Bench) -> None:
        opener = bench.service.opened(OWN, 0)
        _, event, _ = await bench.native(opener, OWN, 0x48, 1, 0)
        answers = []

        async def wait() -> None:
            answers.append(await bench.native(opener, OWN, 0x04, event, 0))

        async with trio.open_nursery() as nursery:
            for _ in range(300):
                nursery.start_soon(wait)
            await trio.testing.wait_all_tasks_blocked()
            for _ in range(100):
                assert 0 == (await bench.native(opener, OWN, 0x36, 5))[2]
            await bench.native(opener, OWN, 0x0E, event)
        assert [(0, 0, 0)] * 300 == answers

    run(test)


def test_a_fifo_without_a_reader_holds_up_only_who_opens_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")

    async def test(bench: Bench) -> None:
        path = bench.place(str(tmp_path / "fifo").encode() + b"\0")
        buffer = bench.place(bytes(16))
        opener = bench.service.opened(OWN, 0)
        handles = {}

        async def open_it(access: int) -> None:
            handles[access] = (await bench.native(opener, OWN, 0x55, path, access, 3, 0))[1]

        async with trio.open_nursery() as nursery:
            nursery.start_soon(open_it, 0x4000_0000)
            assert 0 == (await bench.native(opener, OWN, 0x36, 5))[2]
            assert {} == handles
            nursery.start_soon(open_it, 0x8000_0000)
        answers = []

        async def read() -> None:
            answers.append(await bench.native(opener, OWN, 0x06, handles[0x8000_0000], buffer, 16))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(read)
            assert 0 == (await bench.native(opener, OWN, 0x36, 5))[2]
            text = bench.place(b"through")
            assert (0, 7, 0) == await bench.native(opener, OWN, 0x08, handles[0x4000_0000], text, 7)
        assert [(0, 7, 0)] == answers
        assert b"through" == ctypes.string_at(buffer, 7)

    run(test)


def test_an_interrupted_opening_of_a_fifo_leaves_nothing(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")

    async def test(bench: Bench) -> None:
        path = bench.place(str(tmp_path / "fifo").encode() + b"\0")
        opener = bench.service.opened(OWN, 0)
        assert 0 == (await bench.native(opener, OWN, 0x36, 5))[2]
        worker, *_ = children_of(bench.only_session().pid)

        def held() -> tuple[list[str], int]:
            return sorted(os.listdir(f"/proc/{worker}/fd")), len(os.listdir(f"/proc/{worker}/task"))

        before = held()
        for access in (0x4000_0000, 0x8000_0000) * 3:
            with trio.move_on_after(0.01):
                await bench.native(opener, OWN, 0x55, path, access, 3, 0)
        bench.service.released(opener)
        assert 0 == (await bench.native(bench.service.opened(OWN, 0), OWN, 0x36, 5))[2]
        assert before == held()

    run(test)


class Interrupting:
    """Runs nothing, for ever. While the file is there, whatever is forked has a Ctrl-C before it can do anything."""

    def __init__(self, flag: Path) -> None:
        self.flag = flag

    def preload(self) -> None:
        os.register_at_fork(after_in_child=self._interrupt)

    def _interrupt(self) -> None:
        if self.flag.exists():
            os.kill(os.getpid(), signal.SIGINT)

    def prepare(self) -> None: ...
    def warm_up(self) -> None: ...

    def run(self, order: Order) -> Ending:
        self.flag.with_name("running").touch()
        time.sleep(1000)
        return Ending()


def test_a_program_interrupted_at_its_start_takes_no_other_along(tmp_path: Path) -> None:
    flag = tmp_path / "flag"

    async def test(bench: Bench) -> None:
        ended = []

        async def launch(number: int) -> None:
            opener = bench.service.opened(OWN, 0)
            launched, _ = await bench.launch(opener, Order("none.exe", []), 2)
            ended.append((number, launched.exit_status, launched.reason))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(launch, 1)
            while not (tmp_path / "running").exists():
                await trio.sleep(0.01)
            flag.touch()
            for number in range(2, 8):  # more than there are processes that were forked before
                nursery.start_soon(launch, number)
            while len(ended) < 3:
                await trio.sleep(0.01)
            await trio.sleep(0.1)
            assert {(0xC000_013A, c.REASON_KILLED)} == {how[1:] for how in ended}
            assert 1 not in {how[0] for how in ended}
            flag.unlink()
            nursery.cancel_scope.cancel()

    log = run(test, with_launcher=Interrupting(flag))
    assert not [text for level, text in log if level == "warning"]


def test_an_idle_session_ends_unless_somebody_holds_something_in_it() -> None:
    async def test(bench: Bench) -> None:
        opener = bench.service.opened(OWN, 0)
        await bench.native(opener, OWN, 0x48, 1, 0)
        await trio.sleep(0.3)
        assert 1 == len(bench.sessions._all)
        bench.service.released(opener)
        with trio.fail_after(60):
            while bench.sessions._all:
                await trio.sleep(0.01)

    run(test, Settings(session_idle=0.05))


def _program(directory: Path, code: int) -> str:
    path = directory / f"exit-{code}.exe"
    path.write_bytes(tiny_program(code))
    return str(path)


@pytest.mark.parametrize(("code", "shown"), [(0, 0), (7, 7), (255, 255), (0x100, 1), (0xC000_0005, 5)])
def test_a_launched_program_gives_its_exit_code(code: int, shown: int, tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        opener = bench.service.opened(OWN, 0)
        with open(os.devnull, "wb") as out:
            order = Order(_program(tmp_path, code), environ=dict(os.environ))
            launched, ending = await bench.launch(opener, order, out.fileno())
        assert (code, shown) == (launched.exit_status, launched.exit_code)
        assert (code, "") == (ending.exit_status, ending.message)

    run(test)


def test_an_idle_session_has_a_process_ready_which_runs_the_next_program(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        order = Order(_program(tmp_path, 3), environ=dict(os.environ))
        while True:  # until the process that ran a program was there before it was asked for
            before = children_of(bench.only_session().pid) if bench.sessions._all else []
            sheet = os.memfd_create("order")
            os.write(sheet, order.to_bytes())
            null = os.open(os.devnull, os.O_RDWR)
            directory = os.open("/", os.O_PATH)
            program = await bench.sessions.launch(OWN, [null, null, null, directory, sheet])
            for fd in (null, directory, sheet):
                os.close(fd)
            await program.ended.wait()
            assert (3, "") == (program.ending.exit_status, program.ending.message)
            if program.host_pid in before:
                return
            await trio.sleep(0.3)

    run(test)


@pytest.mark.parametrize(
    ("program", "code", "message"),
    [
        ("/nonexistent/a.exe", 122, "/nonexistent/a.exe: file not found; its directory does not exist either"),
        ("/etc/hostname", 123, "/etc/hostname: "),
        ("Q:\\a.exe", 122, "Q:\\a.exe: no such file or drive"),
    ],
)
def test_what_cannot_be_started_says_why(program: str, code: int, message: str) -> None:
    async def test(bench: Bench) -> None:
        opener = bench.service.opened(OWN, 0)
        with open(os.devnull, "wb") as out:
            launched, ending = await bench.launch(opener, Order(program, environ=dict(os.environ)), out.fileno())
        assert (c.REASON_NOT_STARTED, code) == (launched.reason, launched.exit_code)
        assert ending.message.startswith(message)

    run(test)


def test_an_order_that_is_none_starts_nothing() -> None:
    async def test(bench: Bench) -> None:
        opener = bench.service.opened(OWN, 0)
        descriptors = tuple(os.open("/", os.O_RDONLY) for _ in range(5))
        result, data = await bench.do(opener, OWN, c.LAUNCH_PE, 0, b"", descriptors)
        launched = c.Launch.unpack(8, data)
        assert (0, c.REASON_NOT_STARTED, 125) == (result, launched.reason, launched.exit_code)

    run(test)


DAEMON = """
import os, sys, trio
import lswd.service.program as launcher
from lswd.session.spawner import start
spawner = start(launcher)
from lswd.device.transport import Caller
from lswd.ioctl.service import LswService
from lswd.ioctl.settings import Settings
from lswd.session.pool import Sessions, SpawnerLost

async def main():
    async with trio.open_nursery() as nursery:
        sessions = Sessions(spawner, Settings(), lambda *m: None)
        service = LswService(Settings(), sessions, lambda *m: None)
        await service.run(nursery)
        caller = Caller(os.getpid(), os.geteuid(), os.getegid())
        session = await sessions._session(caller)
        print(spawner.pid, session.pid, flush=True)
        await trio.sleep_forever()
trio.run(main)
"""


def test_nothing_outlives_a_killed_daemon() -> None:
    with subprocess.Popen([sys.executable, "-c", DAEMON], stdout=subprocess.PIPE, text=True) as daemon:
        assert daemon.stdout is not None
        spawner, session = (int(word) for word in daemon.stdout.readline().split())
        pidfds = [os.pidfd_open(pid) for pid in (spawner, session, *children_of(session))]
        daemon.kill()
    assert 3 <= len(pidfds)  # the worker, too; a process that is made ready may be there already
    for pidfd in pidfds:
        poll = select.poll()
        poll.register(pidfd)
        assert poll.poll(60_000)
        os.close(pidfd)


def test_an_event_that_is_set_right_behind_a_wait_is_not_missed() -> None:
    async def test() -> None:
        sessions = LocalSessions()
        async with trio.open_nursery() as nursery:
            await sessions.run(nursery)
            packed = {
                number: struct.pack("<II8QQi4x", number, 2, *[0x2000, 0] + [0] * 6, 0, 0) for number in (0x04, 0x0E)
            }
            create = struct.pack("<II8QQi4x", 0x48, 2, *[0] * 8, 0, 0)
            await sessions.native(OWN, 1, 5, create)
            with trio.fail_after(60):
                async with trio.open_nursery() as requests:
                    # Both are received before the wait's task runs.
                    requests.start_soon(sessions.native, OWN, 1, 5, packed[0x04])
                    requests.start_soon(sessions.native, OWN, 1, 5, packed[0x0E])
            nursery.cancel_scope.cancel()

    for _ in range(20):  # trio starts tasks in any order
        trio.run(test)
