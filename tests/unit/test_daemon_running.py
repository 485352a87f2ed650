"""The daemon's course: ready, reload, drain, end; with a service that does as tests say."""

from __future__ import annotations

import errno
import io
import os
import signal
import socket
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import pytest
import trio

from lswd.device.packet import GOODBYE
from lswd.device.transport import Caller
from lswd.ioctl.commands import EXECUTE_PE, LAUNCH_PE
from lswd.service.daemon import Daemon, Gate
from lswd.service.journal import Log
from lswd.service.keys import ConfigError
from lswd.service.notify import Notifier
from lswd.service.settings import Settings, make

from .socket_guest import BY_VALUE, WAIT, Client, FakeService, until


class FakeBackend(FakeService):
    """A FakeService whose requests of WAIT are its programs."""

    def __init__(self) -> None:
        super().__init__()
        self.running = 0
        self.closed = 0

    async def run(self, nursery: trio.Nursery) -> None: ...

    def programs(self) -> Sequence[object]:
        return [object()] * (self.waiting if not self.go.is_set() else 0)

    async def close(self) -> None:
        self.closed += 1
        self.go.set()


class Course:
    """A daemon at work."""

    def __init__(self, directory: Path, drain: int, watchdog: bool) -> None:
        self.path = directory / "socket"
        self.service = FakeBackend()
        self.stream = io.StringIO()
        self.problem = ""
        self.reloads = 0
        self.settings = make({"limits.drain": drain})
        self.notified = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notified.bind(str(directory / "notify"))
        self.notified.setblocking(False)
        environ = {"NOTIFY_SOCKET": str(directory / "notify"), "WATCHDOG_USEC": "30000" if watchdog else "0"}
        self.notifier = Notifier(environ)

    def reload(self) -> Settings:
        self.reloads += 1
        if self.problem:
            raise ConfigError(self.problem)
        return make({"limits.drain": 7})

    def told(self) -> list[str]:
        """What systemd has heard, but for the watchdog."""
        heard = []
        while True:
            try:
                heard.append(self.notified.recv(1000).decode().splitlines()[0])
            except BlockingIOError:
                return [word for word in heard if word != "WATCHDOG=1"]


def run(
    body: Callable[[Course], Awaitable[None]], directory: Path, drain: int = 60, *, watchdog: bool = False
) -> Course:
    """Run a daemon beside a test's body, which must make it end."""
    course = Course(directory, drain, watchdog)

    async def main() -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
            listener.bind(str(course.path))
            listener.listen()
            daemon = Daemon(
                course.service, [listener], log=Log({}, "debug", course.stream), notifier=course.notifier,
                settings=course.settings, reload=course.reload,
            )  # fmt: skip
            async with trio.open_nursery() as nursery:
                ready = trio.Event()
                nursery.start_soon(daemon.run, ready.set)
                await ready.wait()
                with trio.fail_after(30):
                    await body(course)

    with course.notified:
        trio.run(main)
    return course


def tell(number: int) -> None:
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_daemon_without_programs_stops_at_once(number: int, tmp_path: Path) -> None:
    heard: list[str] = []

    async def body(course: Course) -> None:
        heard.extend(course.told())
        assert (1, b"") == await (await Client(course.path).connect()).call(BY_VALUE, 1)
        tell(number)

    course = run(body, tmp_path)
    assert (["READY=1"], 1) == (heard, course.service.closed)


def test_a_program_is_waited_for_while_nothing_new_begins(tmp_path: Path) -> None:
    async def body(course: Course) -> None:
        client = await Client(course.path).connect()
        await client.send(WAIT)
        await until(lambda: course.service.waiting)
        tell(signal.SIGTERM)
        await until(lambda: "1 programs have 60 seconds" in course.stream.getvalue())
        assert (3, b"") == await client.call(BY_VALUE, 3)
        packet = await (await Client(course.path).connect()).receive()
        assert packet is not None
        assert (GOODBYE, -errno.ESHUTDOWN) == (packet.flags, packet.result)
        assert 0 == course.service.closed
        course.service.go.set()
        packet = await client.receive()
        assert packet is not None
        assert (5, b"done") == (packet.result, packet.data)

    assert "STOPPING=1" in "".join(_told_at_the_end(body, tmp_path))


def _told_at_the_end(body: Callable[[Course], Awaitable[None]], directory: Path) -> list[str]:
    heard: list[str] = []

    async def listening(course: Course) -> None:
        await body(course)

        def stopping() -> bool:
            heard.extend(course.told())
            return "STOPPING=1" in heard

        await until(stopping)

    run(listening, directory)
    return heard


@pytest.mark.parametrize("again", [True, False])
def test_patience_ends_with_the_limit_or_the_second_signal(again: bool, tmp_path: Path) -> None:
    async def body(course: Course) -> None:
        client = await Client(course.path).connect()
        await client.send(WAIT)
        await until(lambda: course.service.waiting)
        tell(signal.SIGTERM)
        await until(lambda: "programs have" in course.stream.getvalue())
        if again:
            tell(signal.SIGTERM)
        packet = await client.receive()  # the service has ended it
        assert packet is not None
        assert 5 == packet.result

    assert 1 == run(body, tmp_path, drain=60 if again else 0).service.closed


def test_a_reload_takes_over_new_settings_and_a_mistake_keeps_the_old(tmp_path: Path) -> None:
    async def body(course: Course) -> None:
        course.told()
        tell(signal.SIGHUP)
        await until(lambda: "reloaded" in course.stream.getvalue())
        assert ["RELOADING=1", "READY=1"] == course.told()
        course.problem = "lswd.toml: execute must be right"
        tell(signal.SIGHUP)
        await until(lambda: "not reloaded: lswd.toml: execute must be right" in course.stream.getvalue())
        client = await Client(course.path).connect()
        await client.send(WAIT)
        await until(lambda: course.service.waiting)
        tell(signal.SIGTERM)
        await until(lambda: "1 programs have 7 seconds" in course.stream.getvalue())
        course.service.go.set()

    assert 2 == run(body, tmp_path).reloads


def test_the_watchdog_is_fed(tmp_path: Path) -> None:
    async def body(course: Course) -> None:
        heard: list[bytes] = []

        def fed() -> bool:
            try:
                heard.append(course.notified.recv(1000))
            except BlockingIOError:
                pass
            return heard.count(b"WATCHDOG=1") >= 3

        await until(fed)
        tell(signal.SIGTERM)

    run(body, tmp_path, watchdog=True)


def test_a_users_daemon_serves_that_user_and_root() -> None:
    service = FakeService()
    gate = Gate(service, only=1000)
    for uid in (1000, 0):
        gate.opened(Caller(1, uid, uid), 0)
    with pytest.raises(OSError, match="another user") as caught:
        gate.opened(Caller(1, 1001, 1001), 0)
    assert errno.EPERM == caught.value.errno


def test_a_gate_that_drains_refuses_programs_and_closes_what_they_brought() -> None:
    service = FakeService()
    gate = Gate(service)
    caller = Caller(1, 0, 0)
    gate.drain()
    reading, writing = os.pipe()
    for command in (LAUNCH_PE, EXECUTE_PE):
        assert (-errno.ESHUTDOWN, b"") == gate.ioctl(None, caller, command.number, 1, b"", ())
    assert (-errno.ESHUTDOWN, b"") == gate.ioctl(None, caller, LAUNCH_PE.number, 0, b"", (reading, writing))
    with pytest.raises(OSError):
        os.fstat(reading)
    assert (4, b"") == gate.ioctl(None, caller, BY_VALUE, 4, b"", ())
