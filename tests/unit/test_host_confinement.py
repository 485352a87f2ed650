"""A Python side that somebody else has taken over: what it cannot do once it is confined, and could before."""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import signal
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from lswd.host import call_filter, confinement, landlock
from lswd.host.confinement import OFF, ON, STRICT, ConfinementError, confine

pytestmark = pytest.mark.skipif(os.uname().machine != "x86_64", reason="only for x86-64")
needs_landlock = pytest.mark.skipif(not landlock.version(), reason="this Linux has no Landlock")

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long
_PRIVILEGED = "Linux refuses it to this user in any case"
_DANGEROUS = {"vhangup"}  # it does what it says, whatever its arguments


def after(prepare: Callable[[], None], attempt: Callable[[], int]) -> int:
    """In a process of its own: what ``attempt`` returns, or the error it fails with, once ``prepare`` is done."""
    reading, writing = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            prepare()
            try:
                value = attempt()
            except OSError as error:
                value = error.errno or -1
            os.write(writing, str(value).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as report:
        text = report.read()
    os.waitpid(pid, 0)
    return int(text)


def call(number: int, *arguments: int) -> int:
    """A system call: 0 or its error."""
    words = [ctypes.c_long(each) for each in arguments or (-1,) * 6]
    return ctypes.get_errno() if _libc.syscall(ctypes.c_long(number), *words) < 0 else 0


def do(what: Callable[[], object]) -> int:
    """It works: 0."""
    what()
    return 0


def confined(policy: str = ON, *, network: bool = True) -> Callable[[], None]:
    return lambda: confine(policy, network=network)


def nothing() -> None:
    """Not confined at all."""


@pytest.mark.parametrize("name", call_filter.REFUSED)
def test_calls_that_no_launch_needs_are_refused(name: str) -> None:
    number = call_filter.REFUSED[name]
    assert errno.EPERM == after(confined(), lambda: call(number))
    if name in _DANGEROUS:
        return
    free = after(nothing, lambda: call(number))  # with arguments that lead nowhere
    if free == errno.EPERM:
        pytest.skip(_PRIVILEGED)


@pytest.mark.parametrize(
    ("family", "network", "allowed"),
    [
        (socket.AF_UNIX, True, True), (socket.AF_UNIX, False, True), (socket.AF_NETLINK, False, True),
        (socket.AF_INET, True, True), (socket.AF_INET, False, False), (socket.AF_INET6, False, False),
        (socket.AF_PACKET, True, False), (socket.AF_ALG, True, False), (socket.AF_VSOCK, True, False),
    ],
)  # fmt: skip
def test_sockets_are_those_that_the_policy_has(family: int, network: bool, allowed: bool) -> None:
    def attempt() -> int:
        socket.socket(family, socket.SOCK_RAW if family == socket.AF_NETLINK else socket.SOCK_DGRAM, 0).close()
        return 0

    assert (0 if allowed else errno.EAFNOSUPPORT) == after(confined(network=network), attempt)


@pytest.mark.parametrize("name", ["connect", "bind", "listen", "accept"])
@pytest.mark.parametrize("network", [True, False])
def test_without_a_network_nobody_is_talked_to(name: str, network: bool, tmp_path: Path) -> None:
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(tmp_path / "s"))
    listening.listen()
    client = socket.socket(socket.AF_UNIX)
    if name == "accept":
        client.connect(str(tmp_path / "s"))
    attempts: dict[str, Callable[[], object]] = {
        "connect": lambda: client.connect(str(tmp_path / "s")),
        "bind": lambda: client.bind(str(tmp_path / "t")),
        "listen": listening.listen,
        "accept": listening.accept,
    }
    with listening, client:
        assert (0 if network else errno.EPERM) == after(confined(network=network), lambda: do(attempts[name]))


@pytest.mark.parametrize("flags", [0x10000000, 0x40000000, 0x20000, 0x02000000])
def test_no_namespaces_are_made(flags: int) -> None:
    def attempt() -> int:
        error = call(56, flags | signal.SIGCHLD, 0, 0, 0, 0, 0)
        if os.getpid() != us[0]:
            os._exit(0)
        return error

    us = [0]

    def prepare() -> None:
        us[0] = os.getpid()
        confine(ON, network=True)

    def do_not() -> None:
        us[0] = os.getpid()

    assert errno.EPERM == after(prepare, attempt)
    free = after(do_not, attempt)
    if free == errno.EPERM:
        pytest.skip(_PRIVILEGED)
    assert 0 == free


def test_clone3_is_not_there_and_threads_start_all_the_same() -> None:
    def attempt() -> int:
        thread = threading.Thread(target=lambda: None)
        thread.start()
        thread.join()
        return call(435)

    assert errno.ENOSYS == after(confined(), attempt)
    assert errno.ENOSYS != after(nothing, attempt)


def test_other_kinds_of_system_calls_are_refused() -> None:
    code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    code.write(bytes.fromhex("53b814000000cd805bc3"))  # push rbx; mov eax, 20; int 0x80; pop rbx; ret
    at = ctypes.addressof(ctypes.c_char.from_buffer(code))
    getpid = ctypes.CFUNCTYPE(ctypes.c_int)(at)
    assert -errno.EPERM == after(confined(), getpid)
    assert 0 < after(nothing, getpid)
    assert errno.ENOSYS == after(confined(), lambda: call(0x40000000 | 39))


@pytest.mark.parametrize("request_code", [0x5412, 0x541C])
def test_nothing_is_typed_for_the_user(request_code: int) -> None:
    ours, its = os.openpty()
    letter = ctypes.create_string_buffer(b"x")
    arguments = (16, its, request_code, ctypes.addressof(letter))
    assert errno.EPERM == after(confined(), lambda: call(*arguments))
    free = after(nothing, lambda: call(*arguments))
    os.close(ours)
    os.close(its)
    if free == errno.EPERM:
        pytest.skip(_PRIVILEGED)


def test_privileges_are_not_regained_and_all_threads_are_confined() -> None:
    def attempt() -> int:
        done.set()
        thread.join()
        with open("/proc/self/status") as file:
            status = dict(line.split(":\t") for line in file.read().splitlines() if ":\t" in line)
        return int(status["NoNewPrivs"] == "1" and status["Seccomp"] == "2") * 1000 + errors[0]

    done = threading.Event()
    errors: list[int] = []

    def wait() -> None:
        done.wait()
        errors.append(call(101))

    thread = threading.Thread(target=wait)

    def prepare() -> None:
        thread.start()
        confine(ON, network=True)

    assert 1000 + errno.EPERM == after(prepare, attempt)


def test_off_means_off() -> None:
    assert errno.EPERM != after(confined(OFF), lambda: call(101))


# ---- files


def strict(*writable: Path | str, readable: tuple[Path | str, ...] = ()) -> Callable[[], None]:
    return lambda: confine(STRICT, network=True, readable=map(str, readable), writable=map(str, writable))


@needs_landlock
@pytest.mark.parametrize("policy", [STRICT, ON])
@pytest.mark.parametrize(
    "what", ["read", "list", "write", "create", "truncate", "delete", "rename", "link", "make a directory", "execute"]
)
def test_files_elsewhere_are_out_of_reach(what: str, policy: str, tmp_path: Path) -> None:
    elsewhere, ours = tmp_path / "elsewhere", tmp_path / "ours"
    for each in (elsewhere, ours):
        each.mkdir()
        (each / "file").write_bytes(Path("/bin/true").read_bytes())
        (each / "file").chmod(0o755)
    attempts: dict[str, Callable[[Path], object]] = {
        "read": lambda at: os.close(os.open(at / "file", os.O_RDONLY)),
        "list": os.listdir,
        "write": lambda at: os.close(os.open(at / "file", os.O_WRONLY)),
        "create": lambda at: os.close(os.open(at / "new", os.O_WRONLY | os.O_CREAT)),
        "truncate": lambda at: os.truncate(at / "file", 0),
        "delete": lambda at: os.unlink(at / "file"),
        "rename": lambda at: os.rename(at / "file", at / "other"),
        "link": lambda at: os.link(at / "file", at / "second"),
        "make a directory": lambda at: os.mkdir(at / "directory"),
        "execute": lambda at: os.posix_spawn(at / "file", ["true"], {}),
    }

    prepare = strict(ours) if policy == STRICT else confined()
    refused = after(prepare, lambda: do(lambda: attempts[what](elsewhere)))
    assert refused in ((errno.EACCES, errno.EXDEV) if policy == STRICT else (0,))
    allowed = after(prepare, lambda: do(lambda: attempts[what](ours)))
    assert (errno.EACCES if policy == STRICT and what == "execute" else 0) == allowed


@needs_landlock
def test_what_may_be_read_may_not_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("text")
    prepare = strict(readable=(tmp_path,))
    assert 4 == after(prepare, lambda: len((tmp_path / "file").read_text()))
    assert errno.EACCES == after(prepare, lambda: (tmp_path / "file").write_text("other"))
    assert errno.EACCES == after(prepare, lambda: do(lambda: open("/etc/passwd", "a").close()))
    assert 0 == after(prepare, lambda: do(lambda: open("/etc/passwd").close()))


@needs_landlock
@pytest.mark.parametrize("policy", [STRICT, ON])
def test_other_terminals_are_out_of_reach(policy: str) -> None:
    ours, its = os.openpty()
    terminal = os.ttyname(its)
    refused = after(confined(policy), lambda: do(lambda: os.open(terminal, os.O_RDWR | os.O_NOCTTY)))
    os.close(ours)
    os.close(its)
    assert (errno.EACCES if policy == STRICT else 0) == refused


needs_refer = pytest.mark.skipif(landlock.version() < 2, reason="this Linux has no Landlock, or an old one")


@needs_refer
@pytest.mark.parametrize("policy", [STRICT, ON])
def test_other_processes_memory_is_out_of_reach(policy: str) -> None:
    memory = f"/proc/{os.getpid()}/mem"
    attempt = lambda: do(lambda: os.open(memory, os.O_RDONLY))  # noqa: E731
    assert errno.EACCES == after(confined(policy), attempt)
    if after(nothing, attempt) == errno.EACCES:
        pytest.skip(_PRIVILEGED)


@needs_refer
def test_files_are_moved_between_directories_all_the_same(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).write_text(name)
    assert 0 == after(confined(), lambda: do(lambda: os.rename(tmp_path / "a" / "a", tmp_path / "b" / "c")))
    assert 0 == after(confined(), lambda: do(lambda: os.link(tmp_path / "b" / "b", tmp_path / "a" / "d")))
    assert 0 == after(confined(), lambda: do(lambda: os.rename(tmp_path / "a", tmp_path / "b" / "e")))


@needs_refer
def test_on_says_that_it_does_without_landlock(monkeypatch: pytest.MonkeyPatch) -> None:
    def attempt() -> int:
        said: list[str] = []
        confine(ON, network=True, report=said.append)
        return len(said) * 1000 + call(101)

    assert 1000 + errno.EPERM == after(lambda: monkeypatch.setattr(landlock, "version", lambda: 1), attempt)


@needs_landlock
@pytest.mark.skipif(landlock.version() < 6, reason="this Linux does not keep signals in")
@pytest.mark.parametrize("policy", [STRICT, ON])
def test_processes_outside_are_not_signalled(policy: str) -> None:
    us = os.getpid()
    refused = after(confined(policy), lambda: do(lambda: os.kill(us, 0)))
    assert (errno.EPERM if policy == STRICT else 0) == refused


@needs_landlock
def test_a_jail_that_is_started_then_works_and_can_be_stopped() -> None:
    from lswd.cpu import engine as cpu
    from tests.unit.jail_attack import Attack, assembled

    assembled("bits 64\nhere: jmp here")  # while nasm can be run

    def attempt() -> int:
        trial = Attack("here: jmp here")
        outcome = trial.run(interrupted=True)
        trial.close()
        return outcome

    assert cpu.INTERRUPTED == after(strict("/tmp"), attempt)
    assert cpu.INTERRUPTED == after(confined(), attempt)


# ---- hosts that cannot


def test_strict_is_not_promised_where_there_is_no_landlock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(landlock, "version", lambda: 0)
    monkeypatch.setattr(call_filter, "give_up_privileges", lambda: None)
    with pytest.raises(ConfinementError, match=r"no Landlock.*--confine on does without"):
        confine(STRICT, network=True)


def test_on_says_what_it_cannot_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(call_filter, "give_up_privileges", lambda: None)
    monkeypatch.setattr(landlock, "keep_apart", lambda: None)
    monkeypatch.setattr(os, "uname", lambda: type("uname", (), {"machine": "riscv64"}))
    said: list[str] = []
    confine(ON, network=True, report=said.append)
    assert "this process cannot be confined: only for x86-64" == said[-1]


def test_threads_that_rules_would_not_reach_are_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(landlock, "version", lambda: 1)
    monkeypatch.setattr(os, "listdir", lambda path: ["1", "2"])
    with pytest.raises(OSError, match="other threads"):
        landlock.restrict([], [])


def test_temporary_directories_are_those_of_the_environment() -> None:
    assert ["/tmp", "/var/tmp", "/a", "/b"] == confinement.temporary({"TMPDIR": "/a", "TMP": "/b", "TEMP": ""})
