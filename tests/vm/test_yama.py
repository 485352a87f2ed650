"""`lswd --user` where the system restricts tracing: what it may not read it says, and a client may allow it."""

from __future__ import annotations

import errno
import json
from collections.abc import Iterator

import pytest

from tests.vm.machine import USER, Machine
from tests.vm.test_cuse import PRELUDE

SCOPE = "/proc/sys/kernel/yama/ptrace_scope"

SOURCE = """
import ctypes, socket, struct, subprocess
os.environ["XDG_RUNTIME_DIR"] = os.getcwd()
daemon = subprocess.Popen([sys.executable, "-m", "lswd", "--user"], stderr=subprocess.PIPE, text=True)
said = [daemon.stderr.readline() for _ in range(3)]
from lswd.ioctl import commands as c
from tests.guest.device_over_socket import SocketDevice

device = SocketDevice()
path = ctypes.create_string_buffer(b"/etc/passwd")
image = ctypes.create_string_buffer(b"MZ", 0x2000)
base = ctypes.addressof(image)

def open_it():
    request = struct.pack("<II8QQi4x", 0x55, 4, ctypes.addressof(path), 0x80000000, 3, 0, *[0] * 4, 0, 0)
    return struct.unpack_from("<i", device.command(c.SYSCALL, 0, request)[1], 80)[0]

def execute():
    info = c.PeInfo(pid=os.getpid(), base=base, entry=base + 0x1000, image_size=0x2000, path=b"unknown.exe")
    device.command(c.REGISTER_PE, 0, info.pack(8))
    return attempt(lambda: device.command(c.EXECUTE_PE, os.getpid())[0])

answers = [open_it(), execute()]
before = image.raw[0x1000:0x1006]
ctypes.CDLL(None).prctl(0x59616D61, ctypes.c_ulong(daemon.pid), 0, 0, 0)
answers.append(open_it())
execute()
daemon.terminate()
daemon.wait()
tell(answers, before == bytes(6), image.raw[0x1000] == 0xB8, any("ptrace_scope" in line for line in said))
"""


@pytest.fixture
def restricted(vm: Machine) -> Iterator[None]:
    """Tracing is restricted in the machine."""
    found = vm.run(f"cat {SCOPE} && echo 1 >{SCOPE}")
    assert 0 == found.code, found.output
    yield
    assert 0 == vm.run(f"echo {found.output.strip()} >{SCOPE}").code


def test_who_does_not_allow_it_has_an_error_and_who_does_is_served(vm: Machine, restricted: None) -> None:
    result = vm.python(PRELUDE + SOURCE, user=USER)
    assert 0 == result.code, result.output
    told = json.loads(result.output.splitlines()[-1])  # the program that is none says so first
    assert [[-errno.EPERM, -errno.EPERM, 0], True, True, True] == told
