"""The daemon itself on a real /dev/lsw: a client of the kernel module, a loader, and what happens to the killed."""

from __future__ import annotations

import errno
import json
import shlex
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.vm.build import build_windows
from tests.vm.daemon import start_lswd
from tests.vm.machine import USER, Job, Machine
from tests.vm.test_cuse import PRELUDE, ask

HERE = Path(__file__).resolve().parent
OTHER = USER + 1
"""Another ordinary user."""


@pytest.fixture(scope="module")
def lswd(vm: Machine) -> Iterator[Job]:
    """/dev/lsw, which executes."""
    job = start_lswd(vm, "lsw")
    yield job
    assert job.code is None, job.output
    job.kill()


@pytest.fixture(scope="module")
def acknowledging(vm: Machine) -> Iterator[Job]:
    """/dev/lswack, which only says yes to EXECUTE, as the module does."""
    job = start_lswd(vm, "lswack", LSW_EXECUTE="acknowledge")
    yield job
    assert job.code is None, job.output
    job.kill()


@pytest.fixture(scope="module")
def program(vm: Machine) -> str:
    """program.c as a Windows program; its path as the machine sees it."""
    return build_windows(vm)


@pytest.mark.parametrize("user", [0, USER])
def test_a_client_written_for_the_module_sees_what_the_module_does(
    vm: Machine, acknowledging: Job, compiled: Callable[[str], str], user: int
) -> None:
    expected = (HERE / "module_client.txt").read_text()
    assert (0, expected) == vm.run(f"{compiled('module_client')} /dev/lswack", user=user)


ENDS = {
    "file": "{0} >/tmp/ran.$$; echo $?; cat /tmp/ran.$$",
    "pipe": "{{ {0}; echo $? >/tmp/code.$$; }} | tee /tmp/ran.$$ >/dev/null; cat /tmp/code.$$ /tmp/ran.$$",
    "terminal": "script -qec {1} /dev/null </dev/null >/tmp/ran.$$; echo $?; tr -d '\\r' </tmp/ran.$$",
}


@pytest.mark.parametrize("end", ENDS)
def test_a_loader_sees_its_program_run_once_and_ends_with_its_code(
    vm: Machine, lswd: Job, compiled: Callable[[str], str], program: str, end: str
) -> None:
    script, expected = "", ""
    for code in (0, 7, 255, 0xC0000005):
        line = f"{compiled('loader')} /dev/lsw {program} -- {code:#x} 2>/dev/null"
        script += ENDS[end].format(line, shlex.quote(line)) + "\n"
        expected += f"{code & 0xFF}\nran with 1: {code:#x}\n"
    assert (0, expected) == vm.run(script, user=USER)


def test_a_program_has_its_loaders_input(vm: Machine, lswd: Job, compiled: Callable[[str], str], program: str) -> None:
    result = vm.run(f"printf 'one\\ntwo\\n' | {compiled('loader')} /dev/lsw {program} -- echo", user=USER)
    assert (0, "ran with 1: echo\none\ntwo\nexecute: 0\n") == result


PEOPLE = """
import collections, struct, subprocess, sys
LOADER, PROGRAM = {loader!r}, {program!r}

def processes(uid):
    found = set()
    for name in os.listdir("/proc"):
        try:
            if name.isdigit() and os.stat("/proc/" + name).st_uid == uid:
                found.add(int(name))
        except FileNotFoundError:
            pass
    return found

def writers(stream):
    "Processes whose standard output is the other end: a loader and its program, wherever that runs."
    pipe, found = os.readlink(f"/proc/self/fd/{{stream.fileno()}}"), set()
    for process in processes(os.getuid()):
        try:
            if os.readlink(f"/proc/{{process}}/fd/1") == pipe:
                found.add(process)
        except OSError:
            pass
    return found

def load(*arguments):
    loader = subprocess.Popen([LOADER, "/dev/lsw", PROGRAM, "--", *arguments], stdout=subprocess.PIPE)
    assert loader.stdout.readline().startswith(b"ran with")
    return loader

def registered(file):
    memory = bytearray(4)
    assert ioctl(file, 0x80044C03, memory) == 0
    return struct.unpack("<i", memory)[0]

def register(file, pid):
    memory = bytearray(288)
    struct.pack_into("<QQIIB", memory, 0, 0x140000000, 0x140001000, 0x5000, pid, 1)
    memory[28:35] = b"one.exe"
    return ioctl(file, 0x41204C01, memory)

def system_call(file, number, *arguments):
    memory = bytearray(88)
    struct.pack_into(f"<II{{len(arguments)}}Q", memory, 0, number, len(arguments), *arguments)
    returned = ioctl(file, 0xC0584C05, memory)
    return returned or struct.unpack_from("<Qi", memory, 72)
"""


@pytest.fixture
def people(compiled: Callable[[str], str], program: str) -> str:
    """What the clients of the tests below begin with."""
    return PEOPLE.format(loader=compiled("loader"), program=program)


def test_a_killed_loader_takes_its_program_along(vm: Machine, lswd: Job, people: str) -> None:
    source = """
file = device("lsw")
system_call(file, 0x36, 0)
loader = load("wait")
during = writers(loader.stdout)
loader.kill()
loader.wait()
until(lambda: not writers(loader.stdout))
until(lambda: registered(file) == 0)
tell(len(during) >= 2, system_call(file, 0x36, 0))
"""
    assert [True, [0, 0]] == ask(vm, people + source, user=USER)


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_signal_ends_a_loader_and_its_program(vm: Machine, lswd: Job, people: str, name: str) -> None:
    source = f"""
file = device("lsw")
system_call(file, 0x36, 0)
loader = load("wait")
loader.send_signal(signal.{name})
loader.wait()
until(lambda: not writers(loader.stdout))
tell(loader.returncode != 0, system_call(file, 0x36, 0))
"""
    assert [True, [0, 0]] == ask(vm, people + source, user=USER)


def test_a_stopped_loader_and_its_program_go_on_later(vm: Machine, lswd: Job, people: str) -> None:
    source = """
def states(stream):
    return {(open(f"/proc/{p}/stat").read().rpartition(") ")[2][0]) for p in writers(stream)}

loader = subprocess.Popen(
    [LOADER, "/dev/lsw", PROGRAM, "--", "echo"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
)
assert loader.stdout.readline().startswith(b"ran with")
loader.send_signal(signal.SIGSTOP)
until(lambda: states(loader.stdout) == {"T"})
loader.send_signal(signal.SIGCONT)
until(lambda: "T" not in states(loader.stdout))
loader.stdin.write(b"still there\\n")
out, said = loader.communicate()
tell(out.decode(), said.decode(), loader.returncode)
"""
    # Windows programs end lines with \r\n where they do not copy them.
    assert ["still there\n", "execute: 0\n", 0] == [
        text.replace("\r", "") if isinstance(text, str) else text for text in ask(vm, people + source, user=USER)
    ]


def test_a_user_can_register_his_own_processes_only(vm: Machine, lswd: Job, people: str) -> None:
    target = vm.start("echo $$; exec sleep 1000", user=USER)
    target.expect("\n")
    source = f"""
file, target = device("lsw"), {int(target.output)}
tell(register(file, target), register(file, os.getpid()))
"""
    assert [-errno.EPERM, 0] == ask(vm, people + source, user=OTHER)
    assert [0, 0] == ask(vm, people + source, user=USER)
    assert [0, 0] == ask(vm, people + source)
    target.kill()


def test_what_is_one_users_is_out_of_anothers_reach(vm: Machine, lswd: Job, people: str) -> None:
    """His registration, his program, his handles; and it takes more than one user to fill the table."""
    owner = """
import ctypes
path = ctypes.create_string_buffer(b"/etc/passwd")
file = device("lsw")
handle = system_call(file, 0x55, ctypes.addressof(path), 0x80000000, 3, 0)[0]
event = system_call(file, 0x48, 1, 0)[0]
answers = [register(file, os.getpid())]
loader = load("wait")
print(json.dumps([os.getpid(), loader.pid, handle, event]), flush=True)
while not os.path.exists("/run/exchange/tried"):
    time.sleep(0.05)
out = bytearray(8)
base = ctypes.addressof(ctypes.c_char.from_buffer(out))
answers += [system_call(file, 0x06, handle, base, 4), system_call(file, 0x04, event, 1)]
answers += [loader.poll(), register(file, os.getpid())]
loader.kill()
tell(*answers)
"""
    client = vm.start(f"exec {shlex.join([sys.executable, '-c', PRELUDE + people + owner])}", user=USER)
    client.expect("]\n")
    pid, loader, handle, event = json.loads(client.output.splitlines()[-1])
    source = f"""
file = device("lsw")
words = lambda *numbers: bytearray(struct.pack("<4I", *numbers))
answers = []
for pid in ({pid}, {loader}):
    answers += [ioctl(file, 0x40044C02, pid), ioctl(file, 0x40044C04, pid), register(file, pid),
                ioctl(file, 0xC0104C20, words(pid, 0, 0, 0)), ioctl(file, 0x40084C21, words(pid, 5, 0, 0)),
                ioctl(file, 0x40084C23, words(pid, 0, 0, 0)), attempt(os.kill, pid, 9)]
foreign = [system_call(file, 0x06, {handle}, 0, 4), system_call(file, 0x0f, {handle}), system_call(file, 0x0e, {event}),
           system_call(file, 0x04, {event}, 1)]
places = [register(file, os.getpid()) for _ in range(300)]
events = {{system_call(file, 0x48, 1, 0)[1] for _ in range(4200)}}
tell(answers, [answer[1] for answer in foreign], places.count(0), sorted(set(places)), sorted(events))
"""
    answers, foreign, places, registering, events = ask(vm, people + source, user=OTHER)
    assert {-errno.EPERM, -errno.ESRCH} >= set(answers)
    assert [-errno.EPERM] * 3 == answers[:3]
    assert -errno.EPERM == answers[-3] == answers[-1]
    assert [-errno.EBADF] * 4 == foreign
    assert (256, [-errno.ENOMEM, 0]) == (places, registering)
    assert [-errno.ENOMEM, 0] == events
    (vm.exchange / "tried").touch()
    assert [0, [4, 0], [0x102, 0], None, 0] == json.loads(client.wait().output.splitlines()[-1])


def test_files_are_opened_with_the_callers_rights(vm: Machine, lswd: Job, people: str) -> None:
    vm.run("umask 077; echo secret >/tmp/secret")
    source = """
import ctypes
path = ctypes.create_string_buffer(b"/tmp/secret")
file = device("lsw")
tell(system_call(file, 0x55, ctypes.addressof(path), 0x80000000, 3, 0)[1])
"""
    assert [-errno.ENOENT] == ask(vm, people + source, user=USER)
    assert [0] == ask(vm, people + source)


def test_a_handle_is_gone_with_the_file_that_made_it(vm: Machine, lswd: Job, people: str) -> None:
    source = """
import ctypes
path = ctypes.create_string_buffer(b"/etc/hostname")
handles = []
for _ in range(3):
    file = device("lsw")
    handles.append(system_call(file, 0x55, ctypes.addressof(path), 0x80000000, 3, 0)[0])
    register(file, os.getpid())
    os.close(file)
    file = device("lsw")
    until(lambda: registered(file) == 0)
    os.close(file)
tell(handles)
"""
    assert [[0x1000] * 3] == ask(vm, people + source, user=USER)


def test_after_a_killed_session_the_next_one_serves(vm: Machine, lswd: Job, people: str) -> None:
    source = f"""
file = device("lsw")
os.seteuid({OTHER})
first = system_call(file, 0x36, 0)
os.seteuid(0)
for process in processes({OTHER}) - {{os.getpid()}}:
    attempt(os.kill, process, signal.SIGKILL)  # it may be gone with another
os.seteuid({OTHER})
until(lambda: system_call(file, 0x36, 0) == (0, 0))
tell(first)
"""
    assert [[0, 0]] == ask(vm, people + source)
    assert [[0, 0]] == ask(vm, people + 'tell(system_call(device("lsw"), 0x36, 0))', user=USER)


@pytest.mark.parametrize("user", [0, USER])
def test_the_daemon_conforms(vm: Machine, lswd: Job, user: int) -> None:
    source = "import sys; from lswctl.conformance import main; sys.exit(main(['--programs']))"
    result = vm.python(source, user=user, timeout=60)
    assert 0 == result.code, result.output
    assert "FAIL" not in result.output


def test_after_a_killed_daemon_callers_have_errors_and_a_new_one_serves_at_once(vm: Machine, people: str) -> None:
    daemon = start_lswd(vm, "mortal", linger=True)
    people = people.replace("/dev/lsw", "/dev/mortal")
    source = """
file = device("mortal")
event = system_call(file, 0x48, 1, 0)[0]
answers = []
thread = threading.Thread(target=lambda: answers.append(system_call(file, 0x04, event, 0)))
thread.start()
loader = load("wait")
print("waiting", flush=True)
thread.join()
loader.wait()
until(lambda: len(processes(os.getuid())) == 1)  # the session and its program are gone as well
tell(*answers, system_call(file, 0x36, 0), loader.returncode != 0)
"""
    client = vm.start(f"exec {shlex.join([sys.executable, '-c', PRELUDE + people + source])}", user=OTHER + 1)
    client.expect("waiting\n")
    vm.run("kill -9 $(cat /run/lsw/mortal.pid)")
    result = client.wait()
    assert f"[{-errno.ECONNABORTED}, {-errno.ENOTCONN}, true]\n" == result.output.splitlines(keepends=True)[-1]
    successor = start_lswd(vm, "mortal")
    assert [[0, 0]] == ask(vm, people + 'tell(system_call(device("mortal"), 0x36, 0))', user=USER)
    daemon.kill()
    successor.kill()
