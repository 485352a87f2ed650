"""The CUSE transport on a real /dev/cuse, with a service that does nothing of interest (trivial_daemon.py)."""

from __future__ import annotations

import errno
import json
import shlex
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.vm.machine import USER, Job, Machine

PRELUDE = """
import errno, json, mmap, os, select, signal, sys, threading, time
from tests.vm import trivial as t
from tests.vm.client import device, ioctl

def until(condition):
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)

def attempt(call, *arguments):
    try:
        return call(*arguments)
    except OSError as error:
        return -error.errno

def tell(*values):
    print(json.dumps(values), flush=True)
"""


def daemon_line(name: str, *options: str) -> str:
    """The command line of a daemon with the trivial service."""
    return shlex.join([sys.executable, "-m", "tests.vm.trivial_daemon", name, *options])


def start_daemon(vm: Machine, name: str, *options: str) -> Job:
    """A daemon that serves /dev/NAME, once it does."""
    job = vm.start(f"exec {daemon_line(name, *options)}")
    job.expect("ready\n")
    return job


def ask(vm: Machine, source: str, user: int = 0, groups: tuple[int, ...] = ()) -> list[Any]:
    """Run a client, a Python program. Returns what it tells."""
    result = vm.python(PRELUDE + source, user=user, groups=groups)
    assert 0 == result.code, result.output
    told: list[Any] = json.loads(result.output)
    return told


@pytest.fixture(scope="module")
def daemons(vm: Machine) -> Iterator[list[Job]]:
    """The daemon that the tests share; a test that brought it to its end leaves the next one a new one."""
    jobs: list[Job] = []
    yield jobs
    for job in jobs:
        job.kill()


@pytest.fixture
def daemon(vm: Machine, daemons: list[Job]) -> Iterator[Job]:
    """A daemon for tests that leave it as it is: /dev/trivial, for everybody."""
    if not daemons or daemons[-1].code is not None:
        daemons.append(start_daemon(vm, "trivial", "--mode", "666"))
    yield daemons[-1]
    assert daemons[-1].code is None, daemons[-1].output


def test_each_kind_of_argument_arrives_and_comes_back(vm: Machine, daemon: Job) -> None:
    told = ask(
        vm,
        """
file = device("trivial")
both, out = bytearray(range(88)), bytearray(4)
loose = bytearray(both)
tell(ioctl(file, t.BY_VALUE, 20), ioctl(file, t.BY_VALUE, 0x3fffffff), ioctl(file, t.IN, bytearray(range(36)) * 8),
     ioctl(file, t.OUT, out), out.hex(), ioctl(file, t.BOTH, both), list(both[:5]), both[5:] == bytes(range(5, 88)),
     ioctl(file, t.LOOSE, loose), loose == both, ioctl(device("trivial", os.O_RDONLY), t.BOTH, both), both[0])
""",
    )
    assert [41, 0x7FFFFFFF, 5040, 3, "78563412", 7, [1, 1, 2, 3, 4], True, 7, True, 7, 2] == told


def test_the_low_32_bits_of_a_command_count(vm: Machine, daemon: Job) -> None:
    told = ask(vm, 'both = bytearray(88); tell(ioctl(device("trivial"), t.BOTH | 0xffffffff << 32, both), both[0])')
    assert [7, 1] == told


def test_unknown_commands_are_einval(vm: Machine, daemon: Job) -> None:
    source = """
file, memory = device("trivial"), bytearray(300)
tell(*(ioctl(file, command, memory) for command in (0x5401, 0x541b, t.BOTH + (1 << 16), t.command(0, 99, 0), 1)))
"""
    assert [-errno.EINVAL] * 5 == ask(vm, source)


def test_bad_pointers_are_efault(vm: Machine, daemon: Job) -> None:
    source = """
import ctypes
file = device("trivial")
pages = mmap.mmap(-1, 2 * mmap.PAGESIZE)
base = ctypes.addressof(ctypes.c_char.from_buffer(pages))
libc = ctypes.CDLL(None)
libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
assert libc.mprotect(base + mmap.PAGESIZE, mmap.PAGESIZE, 0) == 0
answers = [ioctl(file, command, address) for command in (t.IN, t.OUT, t.BOTH, t.LOOSE)
           for address in (0, 8, base + mmap.PAGESIZE - 2, 1 << 63, (1 << 64) - 8)]
assert libc.mprotect(base, mmap.PAGESIZE, mmap.PROT_READ) == 0
answers += [ioctl(file, command, base) for command in (t.OUT, t.BOTH)]
tell(set(answers) == {-errno.EFAULT}, ioctl(file, t.IN, base))
"""
    assert [True, 0] == ask(vm, source)


def test_errors_and_broken_commands_reach_the_caller(vm: Machine, daemon: Job) -> None:
    source = """
file, memory = device("trivial"), bytearray(88)
tell(*(ioctl(file, t.FAIL, number) for number in (errno.EPERM, errno.ESRCH, errno.EBADF, 4095)),
     ioctl(file, t.BREAK, 0), ioctl(file, t.BREAK, 1), ioctl(file, t.MISFIT, memory), ioctl(file, t.BY_VALUE, 1))
"""
    assert [-errno.EPERM, -errno.ESRCH, -errno.EBADF, -4095, *[-errno.EIO] * 3, 3] == ask(vm, source)
    assert "RuntimeError('broken later')" in daemon.output


def test_a_signal_interrupts_what_waits_even_where_calls_restart(vm: Machine, daemon: Job) -> None:
    source = """
file = device("trivial")
signal.signal(signal.SIGALRM, lambda *_: None)
answers = []
for restart, command in ((False, t.WAIT), (True, t.WAIT), (True, t.STUBBORN)):
    signal.siginterrupt(signal.SIGALRM, not restart)
    signal.setitimer(signal.ITIMER_REAL, 0.1, 0.1)
    answers.append(ioctl(file, command, 3_600_000))
    signal.setitimer(signal.ITIMER_REAL, 0)
until(lambda: ioctl(file, t.WAITING) == 0)
tell(*answers, ioctl(file, t.WAIT, 5))
"""
    assert [-errno.EINTR, -errno.EINTR, -errno.EINTR, 42] == ask(vm, source)


def test_a_killed_caller_is_gone_at_once_and_his_file_released(vm: Machine, daemon: Job) -> None:
    # A process that could not be killed would fail the job.
    source = """
file = device("trivial")
ways = []
for command in (t.WAIT, t.STUBBORN):
    released = ioctl(file, t.RELEASED)
    child = os.fork()
    if not child:
        ioctl(device("trivial"), command, 3_600_000)
        os._exit(1)
    until(lambda: ioctl(file, t.WAITING) == 1)
    os.kill(child, signal.SIGKILL)
    ways.append(os.waitpid(child, 0)[1])
    until(lambda: ioctl(file, t.RELEASED) == released + 1)
    ways.append(ioctl(file, t.WAITING))
tell(*ways)
"""
    assert [9, 0, 9, 0] == ask(vm, source)


def test_what_waits_holds_up_nobody(vm: Machine, daemon: Job) -> None:
    source = """
file = device("trivial")
signal.signal(signal.SIGUSR1, lambda *_: None)
answers = []
threads = [threading.Thread(target=lambda: answers.append(ioctl(file, t.WAIT, 3_600_000))) for _ in range(4)]
for thread in threads:
    thread.start()
until(lambda: ioctl(file, t.WAITING) == 4)
others = [ioctl(file, t.BY_VALUE, number) for number in range(50)] == [number * 2 + 1 for number in range(50)]
for thread in threads:
    signal.pthread_kill(thread.ident, signal.SIGUSR1)
    thread.join()
tell(others, answers)
"""
    assert [True, [-errno.EINTR] * 4] == ask(vm, source)


def test_reading_writing_polling_and_mapping(vm: Machine, daemon: Job) -> None:
    source = """
file = device("trivial")
poll = select.poll()
poll.register(file, select.POLLIN | select.POLLOUT)
tell(attempt(os.read, file, 10), attempt(os.write, file, b"x"), attempt(os.write, file, bytes(300000)),
     attempt(mmap.mmap, file, 4096), poll.poll(5000)[0][1])
"""
    assert [-errno.EINVAL, -errno.EINVAL, -errno.EINVAL, -errno.ENODEV, 1 | 4] == ask(vm, source)


def test_a_file_is_released_with_its_last_descriptor(vm: Machine, daemon: Job) -> None:
    source = """
file = device("trivial")
before = ioctl(file, t.RELEASED)
second = device("trivial")
copy = os.dup(second)
asks, answers = os.pipe()
child = os.fork()
if not child:
    os.close(answers)
    os.read(asks, 1)
    os._exit(0)
os.close(second)
os.close(copy)
# Every answer is a chance for a release that comes too early.
early = {ioctl(file, t.RELEASED) - before for _ in range(100)}
os.close(answers)
os.waitpid(child, 0)
until(lambda: ioctl(file, t.RELEASED) == before + 1)
tell(sorted(early))
"""
    assert [[0]] == ask(vm, source)


def test_each_request_says_who_its_caller_is(vm: Machine, daemon: Job) -> None:
    source = """
file = device("trivial")
found = []
def look():
    found.append(ioctl(file, t.THREAD, 0) == threading.get_native_id())
thread = threading.Thread(target=look)
thread.start()
thread.join()
look()
if os.getuid() == 0:
    os.setegid(7)
    os.seteuid(5)
tell(found, ioctl(file, t.THREAD, 1), ioctl(file, t.THREAD, 2))
"""
    assert [[True, True], USER, USER] == ask(vm, source, user=USER)
    assert [[True, True], 5, 7] == ask(vm, source)  # another identity than the one that opened the file


@pytest.mark.parametrize(("processes", "calls"), [(64, 25)])
def test_many_clients_at_once_all_get_their_own_answers(
    vm: Machine, daemon: Job, compiled: Callable[[str], str], processes: int, calls: int
) -> None:
    result = vm.run(f"{compiled('crowd')} /dev/trivial {processes} {calls}", user=USER, timeout=60)
    assert (0, "") == result


def test_random_commands_end_nothing(vm: Machine, daemon: Job) -> None:
    source = """
import random
chance = random.Random(5)
file, memory = device("trivial"), bytearray(1 << 16)
known = list(t.SIZES)
for _ in range(1500):
    command = chance.choice((chance.choice(known) ^ 1 << chance.randrange(32), chance.getrandbits(32)))
    if command not in (t.WAIT, t.STUBBORN):
        ioctl(file, command, chance.choice((memory, 0, chance.getrandbits(64))))
tell(ioctl(file, t.BY_VALUE, 1))
"""
    assert [3] == ask(vm, source, user=USER)


def test_the_node_has_its_group_and_mode(vm: Machine) -> None:
    daemon = start_daemon(vm, "guarded", "--group", "77", "--mode", "660")
    assert "crw-rw---- 0 77\n" == vm.run("stat -c '%A %u %g' /dev/guarded").output
    source = 'tell(attempt(lambda: ioctl(device("guarded"), t.BY_VALUE, 4)))'
    assert [-errno.EACCES] == ask(vm, source, user=USER)
    assert [9] == ask(vm, source, user=USER, groups=(77,))
    daemon.kill()
    assert 0 != vm.run("ls /dev/guarded").code


def test_a_name_that_is_served_is_refused(vm: Machine, daemon: Job) -> None:
    result = vm.run(daemon_line("trivial"))
    assert 1 == result.code
    assert "/dev/trivial is served by another daemon already" in result.output
    # Without that look first, as when both start at the same time, the kernel tells.
    result = vm.python('from lswd.device.cuse.channel import Channel; Channel.create("trivial")')
    assert 1 == result.code
    assert "/dev/trivial cannot be created: another daemon or driver has the name" in result.output
    assert [3] == ask(vm, 'tell(ioctl(device("trivial"), t.BY_VALUE, 1))')


def test_an_ordinary_user_cannot_serve_a_device(vm: Machine) -> None:
    result = vm.run(daemon_line("mine"), user=USER)
    assert 1 == result.code
    assert "/dev/cuse may not be opened: serving a device takes root" in result.output


LIFE = """
def life(name, end):
    file = device(name)
    errors = []
    thread = threading.Thread(target=lambda: errors.append(ioctl(file, t.WAIT, 3_600_000)))
    thread.start()
    until(lambda: ioctl(file, t.WAITING) == 1)
    end()
    thread.join()
    until(lambda: not os.path.exists("/dev/" + name))
    memory = bytearray(88)
    return errors + [ioctl(file, t.BY_VALUE, 1), ioctl(file, t.BOTH, memory), file]
"""


def test_after_a_killed_daemon_callers_have_errors_and_the_next_one_serves_at_once(vm: Machine) -> None:
    source = f"""
import subprocess
{LIFE}
def start():
    daemon = subprocess.Popen({shlex.split(daemon_line("mortal"))!r}, stdout=subprocess.PIPE)
    assert daemon.stdout.readline() == b"ready\\n"
    return daemon
first = start()
*errors, file = life("mortal", first.kill)
first.wait()
second = start()
new = device("mortal")
tell(errors, ioctl(new, t.BY_VALUE, 1), ioctl(file, t.BY_VALUE, 1))
second.kill()
second.wait()
"""
    assert [[-errno.ECONNABORTED, -errno.ENOTCONN, -errno.ENOTCONN], 3, -errno.ENOTCONN] == ask(vm, source)


def test_a_device_that_the_kernel_aborts_ends_its_daemon(vm: Machine) -> None:
    daemon = start_daemon(vm, "broken")
    source = f"""
{LIFE}
def end():
    with open("/sys/class/cuse/broken/abort", "w") as abort:
        abort.write("1")
tell(life("broken", end)[:-1])
"""
    assert [[-errno.ECONNABORTED, -errno.ENOTCONN, -errno.ENOTCONN]] == ask(vm, source)
    result = daemon.wait()
    assert 1 == result.code
    assert "/dev/broken is gone: the kernel ended it" in result.output


def test_a_child_of_the_daemon_does_not_keep_the_device_alive(vm: Machine) -> None:
    result = vm.python(
        """
import os, signal, time
from lswd.device.cuse.node import create
channel = create("parent")
assert os.path.exists("/dev/parent")
child = os.fork()
if not child:
    signal.pause()
channel.close()
end = time.monotonic() + 20
while os.path.exists("/dev/parent"):
    assert time.monotonic() < end
os.kill(child, 0)
os.kill(child, signal.SIGKILL)
"""
    )
    assert (0, "") == result
