"""The ways a program can be launched: in lswctl's own process, or by a daemon over its socket or device."""

from __future__ import annotations

import functools
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .build import build
from .cases import Program

PROGRAM = Program("ways", ("launch/ways.c",))
REAL_DEVICE = "LSW_TEST_REAL_DEVICE" in os.environ
"""/dev/lsw is there, and an lswd serves it: tests/vm has it so. Elsewhere the device's commands go over the socket."""
WAYS = ("embedded", "socket", "device", "lswrun", *(["lswrun-device"] if REAL_DEVICE else []))
COMPLETE = ("embedded", "socket")  # those that every option of lswctl passes through
LIMIT = 90
ROOT = Path(__file__).resolve().parent.parent.parent


@functools.cache
def lswrun() -> Path:
    """The client in C."""
    target = ROOT / "build" / "lswrun"
    subprocess.run(["make", "-s", "-C", ROOT, "build/lswrun"], check=True, timeout=LIMIT)
    return target


@dataclass
class Daemon:
    """A daemon of the user who runs the tests."""

    process: subprocess.Popen[bytes]
    environment: dict[str, str]
    log: Path

    def kill(self) -> None:
        """End it without a chance to do anything about it."""
        self.process.kill()
        self.process.wait(LIMIT)


@contextmanager
def daemon(**variables: str) -> Iterator[Daemon]:
    """Start `lswd --user`; yields once it serves. It must end well when it is told to."""
    with tempfile.TemporaryDirectory(prefix="lsw") as directory:  # short: a socket's path has 107 bytes at most
        environment = os.environ | {"XDG_RUNTIME_DIR": directory, "LSW_LOG_LEVEL": "debug"} | variables
        log = Path(directory, "log")
        address = environment["NOTIFY_SOCKET"] = str(Path(directory, "notify"))
        with log.open("wb") as output, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notified:
            notified.bind(address)
            notified.settimeout(LIMIT)
            process = subprocess.Popen(
                [sys.executable, "-m", "lswd", "--user"], env=environment, stdin=subprocess.DEVNULL, stdout=output,
                stderr=output, start_new_session=True,
            )  # fmt: skip
            heard = notified.recv(1000)
        assert heard.startswith(b"READY=1"), log.read_text()
        try:
            yield Daemon(process, environment, log)
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                process.send_signal(signal.SIGTERM)
                assert 0 == process.wait(LIMIT), log.read_text()
            assert " internal error" not in log.read_text(), log.read_text()


class Way:
    """One way to launch.

    Attributes:
        name: one of WAYS. environment: in which lswctl goes this way.
    """

    def __init__(self, name: str, environment: dict[str, str]) -> None:
        self.name = name
        self.environment = {**environment, "LSW_VIA": name}
        if name.startswith("lswrun"):  # which becomes the lswctl on PATH for what it does not know
            path = f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}"
            self.environment |= {"LSW_VIA": name.removeprefix("lswrun-") if "-" in name else "socket", "PATH": path}

    def command(self, *words: str | Path) -> list[str]:
        """The command line of a launch."""
        if self.name.startswith("lswrun"):
            return [str(lswrun()), *map(str, words)]
        module = "tests.guest.device_over_socket" if self.name == "device" and not REAL_DEVICE else "lswctl"
        return [sys.executable, "-m", module, "launch", *map(str, words)]

    def program(self, *words: str) -> list[str]:
        """The command line that runs PROGRAM."""
        return self.command(build(PROGRAM), *words)

    def run(
        self, *words: str | Path, stdin: bytes = b"", cwd: Path | None = None, **variables: str
    ) -> subprocess.CompletedProcess[bytes]:
        """Run `lswctl launch` to its end."""
        return subprocess.run(
            self.command(*words), input=stdin, cwd=cwd, env=self.environment | variables, capture_output=True,
            check=False, timeout=LIMIT,
        )  # fmt: skip
