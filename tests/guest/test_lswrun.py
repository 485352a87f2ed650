"""lswrun, the client in C, says to a daemon what lswctl says. What it shares with other ways is in ``test_ways``."""

from __future__ import annotations

import json
import os
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lswd.device.packet import GOODBYE, MAX_PACKET, REPLY, Packet, unpack
from lswd.ioctl import commands as c
from lswd.session.order import Order

from .ways import LIMIT, ROOT, lswrun

# What no text is, and what JSON has its own ways to write.
ODD = [
    b"caf\xc3\xa9", b"\xff\xfe", b"a\xc3", b"\xed\xa0\x80", b"\xf0\x9f\x98\x80", b'q"\\\n\t\x01\x7f', b"\xc0\x80", b"",
]  # fmt: skip


class Lswd:
    """A daemon's socket, and what came in with the one launch it serves."""

    def __init__(self, directory: Path, answer: Callable[[Packet], bytes | None]) -> None:
        self.path = directory / "lswd.sock"
        self.order: Order | None = None
        self.files: list[str] = []
        self.events: list[int] = []
        self._answer = answer
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._listener.bind(str(self.path))
        self._listener.listen()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        connection, _ = self._listener.accept()
        message, ancillary, _, _ = connection.recvmsg(MAX_PACKET, 1000)
        descriptors = struct.unpack("5i", ancillary[0][2])
        self.files = [os.readlink(f"/proc/self/fd/{fd}") for fd in descriptors]
        self.order = Order.from_bytes(os.pread(descriptors[4], 1 << 20, 0))
        for fd in descriptors:
            os.close(fd)
        packet = unpack(message)
        assert (c.LAUNCH_PE.number, b"") == (packet.command, packet.data)
        answer = self._answer(packet)
        if answer is not None:
            connection.send(answer)
            connection.recv(MAX_PACKET)
        connection.close()

    def run(self, *words: bytes | str, **options: Any) -> subprocess.CompletedProcess[bytes]:
        environment = options.pop("env", {})
        done = subprocess.run(
            [os.fsencode(lswrun()), *words], env={"LSW_SOCKET": str(self.path), "HOME": "/nonexistent"} | environment,
            capture_output=True, timeout=LIMIT, check=False, stdin=subprocess.DEVNULL, **options,
        )  # fmt: skip
        self._thread.join(LIMIT)
        return done


def ended(status: int = 0, reason: int = c.REASON_EXITED, code: int = 0, **report: object) -> Callable[[Packet], bytes]:
    """The daemon's answer: how the program ended."""
    text = json.dumps({"message": "", "failure": "", "import_error": "", "missing_calls": {}} | report).encode()
    launch = c.Launch(exit_status=status, reason=reason, exit_code=code, report_size=len(text), report=text)
    return lambda packet: Packet(packet.command, REPLY, packet.sequence, 0, launch.pack(c.WORD)).pack()


@pytest.fixture
def lswd(tmp_path: Path) -> Iterator[Callable[[Callable[[Packet], bytes | None]], Lswd]]:
    yield lambda answer: Lswd(tmp_path, answer)


Make = Callable[[Callable[[Packet], bytes | None]], Lswd]


def test_every_byte_of_arguments_and_environment_arrives(lswd: Make, tmp_path: Path) -> None:
    running = lswd(ended(code=3))
    environment = {b"V%d" % i: value for i, value in enumerate(ODD)} | {b"N\xff": b"x=y"}
    before = os.umask(0o31)
    try:
        done = running.run(b"a\xff.exe", *ODD, env=environment, cwd=tmp_path)
    finally:
        os.umask(before)
    assert (3, b"") == (done.returncode, done.stderr)
    order = running.order
    assert order is not None
    assert ("a\udcff.exe", [os.fsdecode(word) for word in ODD]) == (order.program, order.arguments)
    wanted = {os.fsdecode(name): os.fsdecode(value) for name, value in environment.items()}
    assert wanted == {name: value for name, value in order.environ.items() if name not in ("LSW_SOCKET", "HOME")}
    assert 0o31 == order.umask
    assert ["/dev/null", str(tmp_path)] == [running.files[0], running.files[3]]


def test_of_two_variables_of_one_name_the_first_counts_as_in_python(lswd: Make) -> None:
    running = lswd(ended())
    code = f"""
import ctypes, os
words = (ctypes.c_char_p * 3)({os.fsencode(lswrun())!r}, b"a.exe", None)
variables = (b"LSW_SOCKET={running.path}", b"A=1", b"A=2", b"AB=3", b"no sign", b"=x", None)
ctypes.CDLL(None).execve(words[0], words, (ctypes.c_char_p * len(variables))(*variables))
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=LIMIT)
    assert running.order is not None
    assert {"A": "1", "AB": "3", "LSW_SOCKET": str(running.path)} == running.order.environ


@pytest.mark.parametrize(
    ("report", "status", "said"),
    [
        ({}, 7, ""),
        ({"message": "a.exe: file not found"}, 0, "a.exe: file not found"),
        ({"failure": "a fault \u00e9\u20ac \x1b[31m\ud800"}, 5, "a.exe: a fault \u00e9\u20ac ?[31m?"),
        ({"import_error": 'X.dll is "missing"\\', "failure": "not shown"}, 5, 'a.exe: X.dll is "missing"\\'),
        ({"missing_calls": {"NtFoo": 2}}, 0, ""),
        ({"missing_calls": {"NtFoo": 2}}, 1, 'a.exe: used system calls that are not implemented yet: "NtFoo": 2'),
        ({"failure": "x" * 3000}, 1, "a.exe: " + "x" * 3000),
    ],
)
def test_the_end_is_told(report: dict[str, object], status: int, said: str, lswd: Make) -> None:
    done = lswd(ended(status, c.REASON_CRASHED, 9, **report)).run("a.exe")
    assert (9, f"lswrun: {said}\n".encode() if said else b"") == (done.returncode, done.stderr)


@pytest.mark.parametrize("answer", [b"", b"x" * 31, b"\xff" * 32, b"\xff" * 4000])
def test_nonsense_ends_it_with_an_error(answer: bytes, lswd: Make) -> None:
    done = lswd(lambda packet: answer).run("a.exe")
    assert (125, 1) == (done.returncode, done.stderr.count(b"\n"))


def test_a_report_that_lies_about_its_length_is_no_danger(lswd: Make) -> None:
    launch = c.Launch(reason=1, exit_code=4, report_size=0xFFFF_FFFF, report=b'"failure": "' + b"y" * 4000)
    answer = launch.pack(c.WORD)
    done = lswd(lambda packet: Packet(packet.command, REPLY, packet.sequence, 0, answer).pack()).run("a.exe")
    assert 4 == done.returncode
    assert done.stderr.startswith(b"lswrun: a.exe: yyy")


def test_a_daemon_that_goes_is_named(lswd: Make) -> None:
    done = lswd(lambda packet: None).run("a.exe")
    assert (125, b"lswrun: a.exe: lswd has gone, and the program with it\n") == (done.returncode, done.stderr)


@pytest.fixture
def other(tmp_path: Path) -> dict[str, str]:
    """An environment in which lswctl only prints how it was called."""
    (tmp_path / "bin").mkdir()
    script = tmp_path / "bin" / "lswctl"
    script.write_text('#!/bin/sh\nprintf "%s|" "$@"\nexit 8\n')
    script.chmod(0o755)
    return {"PATH": f"{tmp_path}/bin:/usr/bin:/bin"}


def asked(*words: str, **environment: str) -> tuple[int, bytes]:
    done = subprocess.run([lswrun(), *words], env=environment, capture_output=True, timeout=LIMIT, check=False)
    return done.returncode, done.stdout


def test_what_it_does_not_know_lswctl_does(other: dict[str, str], tmp_path: Path) -> None:
    nowhere = other | {"LSW_SOCKET": f"{tmp_path}/none"}
    assert (8, b"launch|a.exe|b c|") == asked("a.exe", "b c", **nowhere)
    assert (8, b"launch|-v|a.exe|") == asked("-v", "a.exe", **other)
    assert (8, b"launch|") == asked(**other)
    assert (8, b"launch||") == asked("", **other)


@pytest.mark.parametrize("answer", [-1, -11, -22, -108])
def test_a_refusal_leaves_it_to_lswctl(answer: int, lswd: Make, other: dict[str, str]) -> None:
    refusal = lambda packet: Packet(packet.command, REPLY, packet.sequence, answer).pack()  # noqa: E731
    done = lswd(refusal).run("a.exe", env=other)
    assert (8, b"launch|a.exe|") == (done.returncode, done.stdout)


def test_a_goodbye_does_so_too(lswd: Make, other: dict[str, str]) -> None:
    done = lswd(lambda packet: Packet(0, GOODBYE, 0, -108, b"stopping").pack()).run("a.exe", env=other)
    assert (8, b"launch|a.exe|") == (done.returncode, done.stdout)


def test_settings_that_it_cannot_read_are_lswctls(lswd: Make, other: dict[str, str], tmp_path: Path) -> None:
    running = lswd(ended())
    (tmp_path / "lsw").mkdir()
    (tmp_path / "lsw" / "config.toml").write_text("")
    for settings in (
        {"XDG_CONFIG_HOME": str(tmp_path)}, {"LSW_CONFIG": "x"}, {"LSW_VIA": "embedded"}, {"LSW_WINDOWS_VERSION": "x"},
    ):  # fmt: skip
        assert (8, b"launch|a.exe|") == asked("a.exe", **other, LSW_SOCKET=str(running.path), **settings)
    assert 0 == running.run("a.exe", env={"LSW_NETWORK": "off"}).returncode
    assert running.order is not None and "off" == running.order.network


@pytest.fixture
def installed(other: dict[str, str], tmp_path: Path) -> Path:
    """What is installed as lswctl; the other one is ``other``'s."""
    target = tmp_path / "lswctl"
    where = tmp_path / "bin" / "lswctl"
    define = f'-DLSWCTL="{where}"'
    command = ["cc", "-pthread", f"-I{ROOT}/lswd/ioctl", define, "-o", str(target), str(ROOT / "client" / "lswrun.c")]
    subprocess.run(command, check=True, timeout=LIMIT)
    return target


@pytest.mark.parametrize(
    "words", [["doctor", "-v"], [], [""], ["launch"], ["launch", "-v", "a.exe"], ["launch", ""], ["launcher", "a.exe"]]
)
def test_as_lswctl_it_leaves_other_commands_to_the_other(words: list[str], installed: Path) -> None:
    done = subprocess.run([installed, *words], capture_output=True, timeout=LIMIT, check=False, env={})
    assert (8, "|".join([*words, ""]).encode() or b"|") == (done.returncode, done.stdout)


def test_as_lswctl_it_launches(installed: Path, lswd: Make) -> None:
    running = lswd(ended(3, c.REASON_CRASHED, 9, failure="it failed"))
    environment = {"LSW_SOCKET": str(running.path), "HOME": "/nonexistent"}
    done = subprocess.run(
        [installed, "launch", "a.exe", "launch"], env=environment, capture_output=True, timeout=LIMIT, check=False,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert (9, b"lswctl: a.exe: it failed\n") == (done.returncode, done.stderr)
    assert running.order is not None
    assert ("a.exe", ["launch"]) == (running.order.program, running.order.arguments)


def test_a_copy_called_lswctl_that_knows_no_other_does_not_become_itself(tmp_path: Path) -> None:
    (tmp_path / "lswctl").symlink_to(lswrun())
    done = subprocess.run(
        [tmp_path / "lswctl", "doctor"], env={"PATH": str(tmp_path)}, capture_output=True, timeout=LIMIT, check=False
    )
    assert (125, b"lswctl: lswctl: No such file or directory\n") == (done.returncode, done.stderr)


def test_without_any_lswctl_it_says_so(tmp_path: Path) -> None:
    done = subprocess.run(
        [lswrun(), "-v"], env={"PATH": str(tmp_path)}, capture_output=True, timeout=LIMIT, check=False
    )
    assert (125, b"lswrun: lswctl: No such file or directory\n") == (done.returncode, done.stderr)
