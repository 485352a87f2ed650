"""Python functions that C calls: what they are given and return, and that no other process has them."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lswd.cpu.unicorn import callback
from lswd.cpu.unicorn.callback import Callbacks

ROOT = Path(__file__).resolve().parents[2]
SIX = ctypes.CFUNCTYPE(ctypes.c_bool, *[ctypes.c_uint64] * 6)
# A process and two that are forked from it, of which the second makes an engine of its own before the first runs code.
FORKED = """
import os
from tests.unit.test_cpu_unicorn import CODE, Machine

def run(machine):
    thread = machine.thread(bytes.fromhex("b801000000 ff14250010fe7f"), CODE)
    left = thread.run(lambda *call: machine.answer(*call))
    return [call[0] for call in machine.calls]

Machine()  # libffi, if it is asked, has its memory before there are others
ready, go = os.pipe(), os.pipe()
first = os.fork()
if not first:
    machine = Machine()
    os.write(ready[1], b"r")
    os.read(go[0], 1)
    os._exit(run(machine) != [1])
os.read(ready[0], 1)
second = os.fork()
if not second:
    ballast = [bytes(size) for size in range(512) for _ in range(200)]  # so that its objects are at other addresses
    machine = Machine()
    os._exit(run(machine) != [1])
codes = [os.waitstatus_to_exitcode(os.waitpid(second, 0)[1])]
os.write(go[1], b"g")
codes.append(os.waitstatus_to_exitcode(os.waitpid(first, 0)[1]))
print(codes)
"""


def test_the_code_is_what_its_source_assembles_to(tmp_path: Path) -> None:
    source = Path(callback.__file__).with_suffix(".asm")
    subprocess.run(["nasm", "-f", "bin", "-Wall", "-o", tmp_path / "code", source], check=True)
    assert (tmp_path / "code").read_bytes() == callback._CODE.ljust(callback._TABLE, b"\xcc")


def test_arguments_arrive_and_the_answer_goes_back() -> None:
    callbacks = Callbacks()
    seen: list[tuple[int, ...]] = []

    def all_six(*arguments: int) -> bool:
        seen.append(arguments)
        return arguments[0] == 1

    given = (1, 2, 3, 1 << 63, 0xFFFF_FFFF_FFFF_FFFF, 6)
    called = SIX(callbacks.add(all_six, 6))
    assert called(*given) is True
    assert called(2, 0, 0, 0, 0, 0) is False
    two = SIX(callbacks.add(lambda *arguments: seen.append(arguments), 2))
    assert two(*given) is False
    assert seen == [given, (2, 0, 0, 0, 0, 0), given[:2]]


def test_an_exception_is_reported_and_is_no() -> None:
    callbacks = Callbacks()
    reported: list[object] = []

    def fails(_a: int, _b: int) -> bool:
        raise ValueError("on purpose")

    hook, sys.unraisablehook = sys.unraisablehook, lambda what: reported.append(what.exc_value)
    try:
        assert SIX(callbacks.add(fails, 2))(0, 0, 0, 0, 0, 0) is False
    finally:
        sys.unraisablehook = hook
    assert ["on purpose"] == [str(error) for error in reported]


def test_nothing_is_leaked_or_lost_in_many_calls() -> None:
    callbacks = Callbacks()
    answer = [object()]
    called = SIX(callbacks.add(lambda _a, _b: answer, 2))  # type: ignore[arg-type, return-value]
    before = sys.getrefcount(answer)
    for _ in range(1000):
        assert called(0, 0, 0, 0, 0, 0)
    assert sys.getrefcount(answer) == before


@pytest.mark.parametrize("selinux", [False, True])
def test_forked_processes_have_their_own(tmp_path: Path, selinux: bool) -> None:
    """With SELinux as libffi looks for it: in the list of mounted file systems."""
    mounts = tmp_path / "mounts"
    mounts.write_text("selinuxfs /sys/fs/selinux selinuxfs rw,relatime 0 0\n")
    script = 'mount --bind "$1" /proc/$$/mounts && ' if selinux else ""
    alone = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--mount", "--user", "--map-root-user"]
    result = subprocess.run(
        [*alone, "sh", "-c", script + 'exec "$2" -c "$3"', "sh", mounts, sys.executable, FORKED],
        capture_output=True, text=True, timeout=100, cwd=ROOT, check=False,
    )  # fmt: skip
    assert ("[0, 0]\n", "") == (result.stdout, result.stderr)
