"""EXECUTE_PE for a loader: the program's effects happen exactly once, and the loader ends with its exit code."""

from __future__ import annotations

import contextlib
import os
import pty
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import lswd.service.program as launcher
from lswd.device.transport import Caller
from lswd.ioctl.commands import EXECUTE_PE, KILL_PE, REGISTER_PE, WAIT_PE, Kill, PeInfo, Wait
from lswd.session.pool import Sessions
from lswd.session.spawner import start
from tests.guest.build import build
from tests.guest.cases import CASES
from tests.unit.in_process_device import InProcessDevice, OpenDevice

EXPECTED = Path(__file__).parent.parent / "guest" / "expected"
PROGRAMS = {case.name: case.program for case in CASES}
STATUS_CONTROL_C_EXIT = 0xC000_013A


@pytest.fixture(scope="module")
def device() -> Iterator[InProcessDevice]:
    spawner = start(launcher)
    with InProcessDevice(lambda settings: Sessions(spawner, settings, lambda *_: None)) as device:
        yield device


class Loader:
    """A loader's process, and its registration."""

    def __init__(self, device: InProcessDevice, name: str, *arguments: str, path: str = "", **options: Any) -> None:
        program = build(PROGRAMS[name])
        told, out = os.pipe()
        wait, self._go = os.pipe()
        command = [
            sys.executable,
            "-m",
            "tests.conformance.loader",
            str(out),
            str(wait),
            str(program),
            "--",
            *arguments,
        ]
        options.setdefault("env", dict(os.environ))
        options["env"]["PYTHONPATH"] = str(Path(__file__).parent.parent.parent)
        self.process = subprocess.Popen(command, pass_fds=(out, wait), **options)
        os.close(out)
        os.close(wait)
        with open(told) as pipe:
            base, self.entry, size = (int(word) for word in pipe.readline().split())
        self.device = device
        self.caller = Caller(self.process.pid, os.geteuid(), os.getegid())
        self.open: OpenDevice = device.open(self.caller)
        info = PeInfo(
            base=base, entry=self.entry, image_size=size, pid=self.process.pid, path=os.fsencode(path or str(program))
        )
        assert 0 == self._do(REGISTER_PE.number, 0, info.pack(8))[0]

    def _do(self, command: int, argument: int, data: bytes = b"") -> tuple[int, bytes]:
        return self.device.serve(self.open.opener, self.caller, command, argument, data)

    def execute(self) -> int:
        """What EXECUTE_PE returns."""
        return self._do(EXECUTE_PE.number, self.process.pid)[0]

    def ended(self) -> int:
        """What WAIT_PE says it ended with."""
        result, data = self._do(WAIT_PE.number, 0, Wait(pid=self.process.pid).pack(8))
        assert 0 == result
        return int(Wait.unpack(8, data).exit_status)

    def kill(self, status: int) -> int:
        return self._do(KILL_PE.number, 0, Kill(pid=self.process.pid, exit_status=status).pack(8))[0]

    def host_pid(self) -> int:
        """The program's own Linux process, 0 while there is none."""
        for execution in self.device.run_sync(self.device.service.programs):
            if execution.pid == self.process.pid and execution.program is not None:
                return int(execution.program.host_pid)
        return 0

    def go_on(self) -> int:
        """EXECUTE_PE has returned: the loader jumps. Returns its exit code."""
        os.write(self._go, b".")
        os.close(self._go)
        code = self.process.wait(100)
        self.open.close()
        return code


@pytest.mark.parametrize(
    ("name", "arguments", "status"),
    [
        ("exit-return-0", ("return", "0"), 0),
        ("exit-return-42", ("return", "7"), 7),
        ("exit-exit-255", ("exit", "255"), 255),
        ("exit-ExitProcess-0xc0000005", ("ExitProcess", "0xc0000005"), 0xC000_0005),
    ],
)
def test_the_loader_ends_with_the_programs_code(
    name: str, arguments: tuple[str, ...], status: int, device: InProcessDevice
) -> None:
    loader = Loader(device, name, *arguments)
    assert status & 0x7FFF_FFFF == loader.execute()
    assert status == loader.ended()
    assert status & 0xFF == loader.go_on()


def test_output_comes_once_through_a_pipe(device: InProcessDevice) -> None:
    loader = Loader(device, "args-plain", "one", "two", "--three=4", "/five", stdout=subprocess.PIPE)
    assert 4 == loader.execute()
    assert 4 == loader.go_on()
    assert loader.process.stdout is not None
    assert (EXPECTED / "args-plain.out").read_bytes() == loader.process.stdout.read()


def test_output_comes_once_behind_what_is_in_a_file(device: InProcessDevice, tmp_path: Path) -> None:
    with open(tmp_path / "out", "w+b") as out:
        out.write(b"before\n")
        out.flush()
        loader = Loader(device, "hello", stdout=out)
        assert 0 == loader.execute()
        os.write(out.fileno(), b"after\n")
        assert 0 == loader.go_on()
    expected = b"before\n" + (EXPECTED / "hello.out").read_bytes() + b"after\n"
    assert expected == (tmp_path / "out").read_bytes()


def test_output_comes_once_to_a_terminal(device: InProcessDevice) -> None:
    control, terminal = pty.openpty()
    seen = b""

    def read() -> None:
        nonlocal seen
        with contextlib.suppress(OSError):
            while part := os.read(control, 4096):
                seen += part

    reader = threading.Thread(target=read)
    reader.start()
    loader = Loader(device, "hello", stdin=terminal, stdout=terminal, stderr=terminal)
    os.close(terminal)
    assert (0, 0) == (loader.execute(), loader.go_on())
    reader.join(60)
    os.close(control)
    line = (EXPECTED / "hello.out").read_bytes().splitlines()[0]
    assert 1 == seen.count(line)


def test_the_program_is_where_the_loader_is(device: InProcessDevice, tmp_path: Path) -> None:
    case = next(case for case in CASES if case.name == "environment")
    environment = {**os.environ, **dict(case.env)}
    loader = Loader(device, "environment", *case.args, stdout=subprocess.PIPE, cwd=tmp_path, env=environment)
    assert case.exit_code == loader.execute()
    loader.go_on()
    assert loader.process.stdout is not None
    assert (EXPECTED / "environment.out").read_bytes() == loader.process.stdout.read()


@pytest.mark.parametrize("path", ["unknown.exe", "gone/hello.exe"])
def test_a_program_without_a_file_runs_from_memory(path: str, device: InProcessDevice) -> None:
    loader = Loader(device, "hello", path=path, stdout=subprocess.PIPE)
    assert (0, 0) == (loader.execute(), loader.go_on())
    assert loader.process.stdout is not None
    assert (EXPECTED / "hello.out").read_bytes() == loader.process.stdout.read()


def _start_waiting(device: InProcessDevice) -> tuple[Loader, threading.Thread, list[int]]:
    """A loader whose program waits for input, and the thread that is in its EXECUTE_PE."""
    loader = Loader(device, "scanf", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    results: list[int] = []
    thread = threading.Thread(target=lambda: results.append(loader.execute()))
    thread.start()
    while not loader.host_pid():
        time.sleep(0.001)
    return loader, thread, results


def test_kill_ends_the_program_and_the_loader_says_so(device: InProcessDevice) -> None:
    loader, thread, results = _start_waiting(device)
    assert 0 == loader.kill(0xDEAD_BE37)
    thread.join(60)
    assert [0xDEAD_BE37 & 0x7FFF_FFFF] == results
    assert (0xDEAD_BE37, 0x37) == (loader.ended(), loader.go_on())


def test_a_program_whose_process_is_killed_is_reported_and_the_device_goes_on(device: InProcessDevice) -> None:
    loader, thread, results = _start_waiting(device)
    os.kill(loader.host_pid(), signal.SIGSEGV)
    thread.join(60)
    assert [0xC000_0005 & 0x7FFF_FFFF] == results
    assert 5 == loader.go_on()
    assert 0 == Loader(device, "hello", stdout=subprocess.DEVNULL).execute()


def test_a_loader_that_is_killed_ends_its_program(device: InProcessDevice) -> None:
    loader, thread, _ = _start_waiting(device)
    pidfd = os.pidfd_open(loader.host_pid())
    loader.process.kill()
    loader.process.wait()
    loader.open.close()  # which is what the kernel tells of a dead process
    thread.join(60)
    assert not thread.is_alive()
    os.close(pidfd)


def test_a_loader_that_leaves_early_does_not_run_the_program_again(device: InProcessDevice) -> None:
    loader, thread, _ = _start_waiting(device)
    while b"\xb8\x3a\x01\x00\xc0\xc3" != _entry(loader):
        time.sleep(0.001)
    assert STATUS_CONTROL_C_EXIT & 0xFF == loader.go_on()
    thread.join(60)
    assert not thread.is_alive()


def _entry(loader: Loader) -> bytes:
    with open(f"/proc/{loader.process.pid}/mem", "rb", buffering=0) as memory:
        memory.seek(loader.entry)
        return memory.read(6) or b""
