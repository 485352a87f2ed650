"""A launch does the same whoever runs the program: lswctl itself, or a daemon over its socket or device."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import signal
import stat
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from .build import build
from .ways import COMPLETE, LIMIT, PROGRAM, WAYS, Daemon, Way, daemon


@pytest.fixture(scope="module")
def served() -> Iterator[Daemon]:
    with daemon() as running:
        yield running


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest, served: Daemon) -> Way:
    return Way(request.param, served.environment)


@pytest.fixture(params=COMPLETE)
def complete_way(request: pytest.FixtureRequest, served: Daemon) -> Way:
    return Way(request.param, served.environment)


@pytest.fixture
def both(served: Daemon) -> list[Way]:
    return [Way(name, served.environment) for name in COMPLETE]


EXE = build(PROGRAM)


def test_streams_arguments_environment_and_directory_reach_the_program(way: Way, tmp_path: Path) -> None:
    done = way.run(
        "--env", "WAYS=a=b c", EXE, "show", "two words", 'quo"te', "back\\", "", cwd=tmp_path, stdin=b"one\ntwo\n"
    )
    shown = done.stdout.decode().splitlines()
    directory = "Z:" + str(tmp_path).replace("/", "\\")
    assert ["argument two words", 'argument quo"te', "argument back\\", "argument "] == shown[:4]
    assert [f"directory {directory}", "variable a=b c", "ONE", "TWO"] == shown[4:]
    assert (b"8 characters", 7) == (done.stderr.strip(), done.returncode)


def test_the_environment_is_lswctls_and_not_the_daemons(way: Way) -> None:
    assert b"variable hers\r\n" in way.run(EXE, "show", WAYS="hers").stdout


def test_the_directory_can_be_chosen(way: Way, tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    shown = way.run("--cwd", "below", EXE, "show", cwd=tmp_path).stdout
    assert f"{tmp_path}/below".replace("/", "\\").encode() in shown


def test_regular_files_as_streams(way: Way, tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(b"text\n")
    out = tmp_path / "out"
    out.write_bytes(b"before\n")
    with (tmp_path / "in").open("rb") as stdin, out.open("ab") as stdout:
        done = subprocess.run(
            way.program("show"), stdin=stdin, stdout=stdout, stderr=stdout, env=way.environment, timeout=LIMIT,
            check=False,
        )  # fmt: skip
    assert 7 == done.returncode
    first, *rest = [line for line in out.read_bytes().splitlines() if not line.startswith(b"directory")]
    assert (b"before", {b"TEXT", b"5 characters"}) == (first, set(rest))


def test_streams_that_are_closed_are_no_failure(way: Way) -> None:
    command = " ".join(f"'{word}'" for word in way.program("exit", "3"))
    done = subprocess.run(["sh", "-c", f"{command} <&- >&- 2>&-"], env=way.environment, timeout=LIMIT, check=False)
    assert 3 == done.returncode


@pytest.mark.parametrize("code", [0, 7, 255, 256, 0xC0000005])
def test_exit_codes_are_the_programs_own(code: int, way: Way) -> None:
    done = way.run("--json", EXE, "exit", str(code))
    assert code & 255 or (1 if code else 0) == done.returncode
    assert code == json.loads(done.stderr)["exit_code"]


def test_a_file_is_made_with_lswctls_umask(way: Way, tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        assert 0 == way.run(EXE, "create", "made", cwd=tmp_path).returncode
    finally:
        os.umask(before)
    assert 0o640 == stat.S_IMODE((tmp_path / "made").stat().st_mode)


def test_a_reader_that_has_gone_ends_nothing_else(way: Way) -> None:
    command = " ".join(f"'{word}'" for word in way.program("show"))
    done = subprocess.run(
        ["sh", "-c", f"{command} | head -c 0; echo done"], env=way.environment, stdin=subprocess.DEVNULL,
        capture_output=True, timeout=LIMIT, check=False,
    )  # fmt: skip
    assert b"done\n" == done.stdout


def _text(directory: Path) -> list[str | Path]:
    (directory / "text.exe").write_text("Hello, this is just text.\n")
    return ["text.exe"]


def _driver(directory: Path) -> list[str | Path]:
    return ["--drive", "X:=/nonexistent", EXE]


SAME: dict[str, Callable[[Path], Sequence[str | Path]]] = {
    "no file": lambda directory: ["none.exe"],
    "a directory": lambda directory: [directory],
    "text": _text,
    "no such drive": lambda directory: ["Q:\\a.exe"],
    "a bad drive": _driver,
    "a bad engine": lambda directory: ["--engine", "steam", EXE],
    "a bad prefix": lambda directory: ["--prefix", "/dev/null/x", EXE],
    "no directory": lambda directory: ["--cwd", "nowhere", EXE],
    "a fault": lambda directory: [EXE, "fault"],
    "verbose": lambda directory: ["-v", EXE, "exit", "9"],
}


@pytest.mark.parametrize("what", SAME)
def test_what_is_said_is_the_same(what: str, both: list[Way], tmp_path: Path) -> None:
    ends = []
    for way in both:
        done = way.run(*SAME[what](tmp_path), cwd=tmp_path)
        said = [line for line in done.stderr.splitlines() if b"Registered: pid" not in line]
        shown = [line for line in done.stdout.splitlines() if b"attach process" not in line]
        ends.append((done.returncode, said, shown))
    assert ends[0][1]
    assert ends[0] == ends[1]


def test_json_says_the_same(both: list[Way]) -> None:
    records = [json.loads(way.run("--json", EXE, "exit", "3").stderr) for way in both]
    for record in records:
        assert record.pop("seconds").keys() == {"open", "engine", "map", "run"}
    assert records[0] == records[1]


def test_a_trace_goes_where_it_was_asked_for(complete_way: Way, tmp_path: Path) -> None:
    way = complete_way
    assert 0 == way.run("--trace=log", EXE, "exit", "0", cwd=tmp_path).returncode
    assert "NtTerminateProcess" in (tmp_path / "log").read_text()
    assert b"NtTerminateProcess" in way.run("--trace", EXE, "exit", "0").stderr


def test_a_trace_can_go_to_a_pipe(complete_way: Way) -> None:
    """A daemon could not open it; without --via the program then runs in lswctl's own process."""
    reading, writing = os.pipe()
    environment = {name: value for name, value in complete_way.environment.items() if name != "LSW_VIA"}
    command = complete_way.command(f"--trace=/dev/fd/{writing}", EXE, "exit", "4")
    process = subprocess.Popen(command, env=environment, pass_fds=[writing])
    os.close(writing)
    with open(reading, "rb") as trace:
        assert b"NtTerminateProcess" in trace.read()
    assert 4 == process.wait(LIMIT)


# ---- signals


def _start(way: Way, *words: str) -> subprocess.Popen[bytes]:
    """A program that has said "ready", in a process group of its own: Linux does not stop a group whose parent is in
    another session, and that may be where these tests run."""
    process = subprocess.Popen(
        way.program(*words), env=way.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, process_group=0,
    )  # fmt: skip
    assert process.stdout is not None
    assert b"ready\r\n" == process.stdout.readline()
    return process


def _line(process: subprocess.Popen[bytes]) -> bytes:
    assert process.stdout is not None
    return process.stdout.readline().strip()


@pytest.mark.parametrize(("number", "event"), [(signal.SIGINT, b"event 0"), (signal.SIGQUIT, b"event 1")])
def test_a_program_may_handle_ctrl_c_and_ctrl_break(number: int, event: bytes, way: Way) -> None:
    process = _start(way, "events", "1")
    process.send_signal(number)
    assert event == _line(process)
    assert 41 == process.wait(LIMIT)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_program_that_handles_nothing_ends(number: int, served: Daemon) -> None:
    codes = []
    for name in WAYS:
        process = _start(Way(name, served.environment), "sleep")
        process.send_signal(number)
        codes.append(process.wait(LIMIT))
    assert 1 == len(set(codes))
    assert 0 not in codes


def _until_it_sleeps(pid: int) -> None:
    """Until its main thread has not been on a processor for a while."""
    before = ""
    while (now := Path(f"/proc/{pid}/schedstat").read_text()) != before:
        before = now
        time.sleep(0.2)


def test_a_signal_that_another_thread_gets_ends_a_program_that_waits(served: Daemon) -> None:
    """Linux gives a process's signal to any of its threads, and the kernel's main thread sleeps."""
    process = _start(Way("embedded", served.environment), "sleep")
    _until_it_sleeps(process.pid)
    (other,) = {int(thread) for thread in os.listdir(f"/proc/{process.pid}/task")} - {process.pid}
    os.kill(other, signal.SIGTERM)
    assert process.wait(LIMIT)


def test_a_stopped_launch_goes_on_later(way: Way) -> None:
    process = _start(way, "events", "1")
    process.send_signal(signal.SIGTSTP)
    _, status = os.waitpid(process.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status)
    process.send_signal(signal.SIGCONT)
    process.send_signal(signal.SIGINT)
    assert b"event 0" == _line(process)
    assert 41 == process.wait(LIMIT)


# ---- terminals


class Terminal:
    """A launch on a terminal of its own, as its controlling process."""

    def __init__(self, way: Way, *words: str) -> None:
        self.pid, self.master = pty.fork()
        if not self.pid:
            try:
                os.execve(way.program()[0], way.program(*words), way.environment)
            finally:
                os._exit(99)
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", 25, 80, 0, 0))
        self.seen = b""

    def until(self, text: bytes) -> None:
        """Read until ``text`` has been shown."""
        while text not in self.seen:
            try:
                part = os.read(self.master, 4096)
            except OSError:  # nobody has the terminal any more
                part = b""
            assert part, self.seen
            self.seen += part

    def type(self, text: bytes) -> None:
        os.write(self.master, text)

    def end(self) -> int:
        """The exit code."""
        try:
            while os.read(self.master, 4096):
                pass
        except OSError:
            pass
        os.close(self.master)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def test_a_line_typed_at_the_terminal_is_read(way: Way) -> None:
    terminal = Terminal(way, "console")
    terminal.until(b"type")
    terminal.type(b"abc\n")
    terminal.until(b"typed abc")
    assert b"console 1" in terminal.seen
    assert 5 == terminal.end()


def test_ctrl_c_at_the_terminal_is_an_event(way: Way) -> None:
    terminal = Terminal(way, "events", "2")
    terminal.until(b"ready")
    terminal.type(b"\x03")
    terminal.until(b"event 0")
    terminal.type(b"\x1c")
    terminal.until(b"event 1")
    assert 42 == terminal.end()


def test_a_terminal_that_changes_its_size_is_noticed(way: Way) -> None:
    terminal = Terminal(way, "width")
    terminal.until(b"ready")
    fcntl.ioctl(terminal.master, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 101, 0, 0))
    terminal.until(b"width 101")
    assert 0 == terminal.end()


def test_the_terminal_is_as_it_was_afterwards(way: Way) -> None:
    master, slave = pty.openpty()
    found = termios.tcgetattr(slave)
    done = subprocess.Popen(way.program("console"), stdin=slave, stdout=slave, stderr=slave, env=way.environment)
    seen = b""
    while b"type" not in seen:
        seen += os.read(master, 4096)
    os.write(master, b"x\n")
    assert 5 == done.wait(LIMIT)
    assert found == termios.tcgetattr(slave)
    os.close(slave)
    os.close(master)


# ---- what only a daemon can do to a program


def _gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def _children(pid: int) -> set[int]:
    """The processes below one."""
    found: set[int] = set()
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in map(int, (task / "children").read_text().split()):
            found |= {child} | _children(child)
    return found


def _writes_to(pid: int, client: subprocess.Popen[bytes]) -> bool:
    """Does a process have the client's standard output?"""
    assert client.stdout is not None
    try:
        return os.readlink(f"/proc/{pid}/fd/1") == os.readlink(f"/proc/self/fd/{client.stdout.fileno()}")
    except OSError:
        return False


def _wait_for(condition: Callable[[], bool]) -> None:
    limit = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.02)


def test_a_program_ends_with_the_lswctl_that_asked_for_it(served: Daemon) -> None:
    process = _start(Way("socket", served.environment), "sleep")
    started = {pid for pid in _children(served.process.pid) if _writes_to(pid, process)}
    assert started
    process.kill()
    process.wait(LIMIT)
    _wait_for(lambda: all(map(_gone, started)))


def test_a_daemon_that_dies_takes_its_programs_along_and_is_named() -> None:
    with daemon() as running:
        process = _start(Way("socket", running.environment), "sleep")
        programs = _children(running.process.pid)
        running.kill()
        assert process.stderr is not None
        said = process.stderr.read()
        assert 125 == process.wait(LIMIT)
    assert f"lswctl: {EXE}: lswd has gone, and the program with it\n".encode() == said
    _wait_for(lambda: all(map(_gone, programs)))


def test_a_daemon_that_is_stopped_waits_for_programs_and_refuses_others() -> None:
    with daemon() as running:
        way = Way("socket", running.environment)
        process = _start(way, "events", "1")
        running.process.send_signal(signal.SIGTERM)
        _wait_for(lambda: "1 programs have 60 seconds to end" in running.log.read_text())
        done = way.run(EXE, "exit", "0")
        assert (125, b"lswd is being stopped" in done.stderr) == (done.returncode, True), done.stderr
        automatic = Way("auto", running.environment)
        assert 6 == automatic.run(EXE, "exit", "6").returncode  # in lswctl's own process
        process.send_signal(signal.SIGINT)
        assert 41 == process.wait(LIMIT)
        assert 0 == running.process.wait(LIMIT)


def test_a_daemon_that_is_told_twice_ends_programs() -> None:
    with daemon() as running:
        process = _start(Way("socket", running.environment), "sleep")
        running.process.send_signal(signal.SIGTERM)
        _wait_for(lambda: "programs have 60 seconds" in running.log.read_text())
        running.process.send_signal(signal.SIGTERM)
        assert 0 == running.process.wait(LIMIT)
        assert 0 != process.wait(LIMIT)


def test_without_a_daemon_lswctl_says_where_it_looked(tmp_path: Path) -> None:
    way = Way("socket", os.environ | {"LSW_SOCKET": str(tmp_path / "none")})
    done = way.run(EXE, "exit", "0")
    assert 125 == done.returncode
    assert f"lswctl: {EXE}: no lswd serves us ({tmp_path}/none: No such file".encode() in done.stderr
    assert 3 == Way("auto", way.environment).run(EXE, "exit", "3").returncode
    assert 1 == done.stderr.count(b"\n")


def test_what_is_not_there_is_said_the_same_through_the_device(served: Daemon, tmp_path: Path) -> None:
    ends = [Way(name, served.environment).run("none.exe", cwd=tmp_path) for name in WAYS]
    said = {(e.returncode, e.stderr.replace(b"lswrun: ", b"lswctl: ")) for e in ends}
    assert {(122, b"lswctl: none.exe: file not found; check the path\n")} == said


@pytest.mark.parametrize("option", [["--trace"], ["-v"], ["--engine", "unicorn"], ["--drive", "X:=/"]])
def test_what_does_not_reach_through_the_device_is_refused(option: list[str], served: Daemon) -> None:
    done = Way("device", served.environment).run(*option, EXE, "exit", "0")
    assert (125, 1) == (done.returncode, done.stderr.count(b"\n"))
    assert b"does not reach a program through /dev/lsw" in done.stderr


def test_a_client_of_the_socket_imports_next_to_nothing(served: Daemon) -> None:
    slow = {
        "argparse", "ctypes", "enum", "inspect", "json", "logging", "pathlib", "re", "signal", "socket", "tempfile",
        "threading", "tomllib", "trio", "typing", "lswd.kernel", "lswd.nt", "lswd.host", "lswd.service.launch",
    }  # fmt: skip
    code = (
        "import sys; from lswctl.__main__ import main;"
        f"code = main(['launch', '--via', 'socket', {str(EXE)!r}, 'exit', '3']);"
        f"print(code, sorted({slow!r} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", code], env=served.environment, capture_output=True, text=True, timeout=LIMIT,
        check=False,
    )  # fmt: skip
    assert ("3 []\n", "") == (done.stdout, done.stderr)


def test_the_daemons_engine_is_for_programs_that_ask_for_none() -> None:
    with daemon(LSW_ENGINE="unicorn") as running:
        way = Way("socket", running.environment)
        assert b"unicorn" in way.run("-v", EXE, "exit", "0").stderr
