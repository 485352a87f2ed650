"""What processes on one console, and of one launch, have to do with each other."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .build import build
from .cases import Program
from .run import fixed_environment

TIMEOUT_SECONDS = 120
GROUPS = Program("groups", ("processes/groups.c", "processes/start.c"))
OUTLIVED = Program("outlived", ("processes/outlived.c", "processes/start.c"))


class Typist:
    """A program on a pseudoterminal: what it has shown so far, and a keyboard."""

    def __init__(self, command: list[str], environment: dict[str, str]) -> None:
        self._master, slave = pty.openpty()
        self._process = subprocess.Popen(["setsid", "--ctty", *command], stdin=slave, stdout=slave, stderr=slave,
                                         env=environment)
        os.close(slave)
        self.shown = b""

    def wait_for(self, text: bytes) -> None:
        """Until the program has shown ``text``, or has ended."""
        while text not in self.shown:
            try:
                data = os.read(self._master, 4096)
            except OSError:  # nobody has the other side open any more
                break
            self.shown += data

    def type(self, keys: bytes) -> None:
        os.write(self._master, keys)

    def end(self) -> int:
        """Its exit code; everything it has said is in ``shown``."""
        self.wait_for(b"\0never")
        return self._process.wait(TIMEOUT_SECONDS)

    def close(self) -> None:
        os.close(self._master)
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()


@pytest.fixture
def environment(lsw_prefix: Path) -> dict[str, str]:
    return fixed_environment() | {"LSW_PREFIX": str(lsw_prefix), "TERM": "dumb"}


@pytest.fixture
def on_a_terminal(lswctl: list[str], environment: dict[str, str]) -> Iterator[Callable[..., Typist]]:
    typists: list[Typist] = []

    def start(program: Program, *arguments: str) -> Typist:
        typists.append(Typist([*lswctl, "launch", str(build(program)), *arguments], environment))
        return typists[-1]

    yield start
    for typist in typists:
        typist.close()


def test_control_events_reach_a_group_or_everybody_on_the_console(on_a_terminal: Callable[..., Typist]) -> None:
    typist = on_a_terminal(GROUPS)
    typist.wait_for(b"press Ctrl-C")
    typist.type(b"\x03")
    code = typist.end()
    lines = typist.shown.decode().replace("^C", "").splitlines()
    shown = [line for line in lines if line and "event" not in line]
    assert ["break for the other group: ok", "other: 5", "press Ctrl-C", "told: 0", "same: 5", "careless: 0xc000013a",
            "other: 258", "other: 9"] == shown
    assert sorted(["other: event 1", "same: event 0", "parent: event 0"]) == sorted(
        line for line in lines if "event" in line)
    assert 0 == code


def _start(lswctl: list[str], environment: dict[str, str], *arguments: str) -> subprocess.Popen[bytes]:
    command = [*lswctl, "launch", str(build(OUTLIVED)), *arguments]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)


def test_children_end_with_the_program_that_was_launched(lswctl: list[str], environment: dict[str, str]) -> None:
    with _start(lswctl, environment, "leave") as process:
        out, _ = process.communicate(timeout=TIMEOUT_SECONDS)
    assert (b"child: started\r\nparent: leaves\r\n", 3) == (out, process.returncode)


def test_a_child_that_reads_the_host_s_input_can_be_ended(lswctl: list[str], environment: dict[str, str]) -> None:
    with _start(lswctl, environment, "read") as process:
        assert process.stdout is not None and process.stdin is not None
        assert b"child: reads\r\n" == process.stdout.readline()
        assert b"parent: ended it with 6\r\n" == process.stdout.readline()
        process.stdin.write(b"for whoever reads next\n")
        process.stdin.flush()
        assert b"parent: for whoever reads next\r\n" == process.stdout.read()
    assert 0 == process.returncode


def test_an_interrupt_without_a_console_reaches_the_children(lswctl: list[str], environment: dict[str, str]) -> None:
    with _start(lswctl, environment, "interrupt") as process:
        assert process.stdout is not None
        assert b"ready\r\n" == process.stdout.readline()
        process.send_signal(signal.SIGINT)
        said = process.stdout.read().splitlines()
    assert {b"child: event 0", b"parent: event 0"} == set(said[:2])
    assert [b"apart: 258"] == said[2:]
    assert 0 == process.returncode


def test_many_processes_at_once_end_as_they_should(lswctl: list[str], environment: dict[str, str]) -> None:
    started = time.monotonic()
    with _start(lswctl, environment, "many") as process:
        out, _ = process.communicate(timeout=TIMEOUT_SECONDS)
    assert b"60 started, exit codes sum up to 1770\r\n" == out, time.monotonic() - started
