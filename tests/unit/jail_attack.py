"""Hostile guest code in a jail: how it is run, and how a protection is taken away to see that it mattered."""

from __future__ import annotations

import ctypes
import errno
import functools
import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from lswd.cpu import engine as cpu
from lswd.cpu.context import Context
from lswd.cpu.context32 import ContextI386
from lswd.cpu.engine import GuestLost
from lswd.cpu.jail import assemble, layout, lock, seccomp
from lswd.cpu.jail.child import Child
from lswd.cpu.jail.engine import JailEngine
from lswd.cpu.jail.stub_code import labels
from lswd.cpu.jail.thread import JailThread
from lswd.host import bpf
from tests.unit.test_cpu_unicorn import CODE, DATA, STACK_TOP, Machine
from tests.unit.test_cpu_unicorn32 import Machine as Machine32

LOST = -1  # what ``Attack.run`` returns when the guest destroyed itself
TOLD = 0x7777  # the NT call that attacks end with
PATH, PROGRAM = DATA + 0x100, DATA + 0x180  # texts
SPACE = DATA + 0x200  # zeros
RESULT = SPACE + 0x838  # where an attack leaves what Linux said
_LIST = RESULT - 0x38  # so that the stub leaves it there, too
STACK = SPACE + 0xA00  # of a second thread; there is the address of ``spin``
UNTOUCHED = 0x7A7A_7A7A_7A7A_7A7A
_DYING_SECONDS = 10.0
_INTERRUPTED_SECONDS = 0.3
_GETPID = 39
_I386 = 0x40000003  # AUDIT_ARCH_I386


@functools.cache
def assembled(source: str) -> bytes:
    """Machine code for the code region of a ``Machine``."""
    with tempfile.TemporaryDirectory() as directory:
        Path(directory, "t.asm").write_text(f"org {CODE:#x}\n{source}\n")
        subprocess.run(["nasm", "-f", "bin", "-o", "t.bin", "t.asm"], cwd=directory, check=True)
        return Path(directory, "t.bin").read_bytes()


@functools.cache
def stub() -> bytes:
    """The stub's bytes."""
    return Path(assemble.BINARY).read_bytes()


def stub_system_calls() -> list[int]:
    """Addresses of all ``syscall`` instructions in the stub, also of such as are parts of others."""
    code = stub()[: labels(stub())["code_end"] - layout.STUB]
    return [layout.STUB + at for at in range(len(code) - 1) if code[at : at + 2] == b"\x0f\x05"]


def stub_system_call() -> int:
    """Address of the one that takes its arguments from a list."""
    return layout.STUB + stub().index(bytes.fromhex("4d8b4d300f05")) + 4  # mov r9, [r13+48]; syscall


class Attack:
    """One jail with attacking code in it.

    The source may use the symbols OWN and KERNEL, the process ids of the jail and of ours, and SECRET, the address of
    eight bytes of ours.
    """

    def __init__(self, source: str, *, word: int = 8) -> None:
        self.machine = Machine(JailEngine) if word == 8 else Machine32(JailEngine)
        engine = self.machine.engine
        assert isinstance(engine, JailEngine)
        self.engine = engine
        self.process = engine.child.pid
        self.secret = ctypes.create_string_buffer(b"SECRETS!", 8)
        space = self.machine.space
        space.write(PATH, b"/etc/passwd\0")
        space.write(PROGRAM, b"/bin/true\0")
        space.write(RESULT, UNTOUCHED.to_bytes(8, "little"))
        code_at = self.machine.code.offset
        symbols = {
            "CODE_AT": code_at,
            "OWN": self.process,
            "KERNEL": os.getpid(),
            "SECRET": ctypes.addressof(self.secret),
        }
        for name, value in symbols.items():
            source = source.replace(name, f"{value:#x}")
        thread = self.machine.thread(assembled(source if word == 4 else f"bits 64\n{source}"))
        assert isinstance(thread, JailThread)
        self.thread = thread
        self.calls: list[tuple[int, ...]] = []
        self.lost = ""
        self.too_late = False  # it would have gone on for ever
        self.answer: Callable[[Attack], int | None] = lambda attack: None  # what the kernel does about a call

    def handler(self, *call: int) -> int | None:
        """An NT system call leaves, so that the attack ends there, unless ``answer`` knows better."""
        self.calls.append(call)
        return self.answer(self)

    def run(self, *, interrupted: bool = False, seconds: float = 60.0) -> int:
        """Run until something happens.

        Args:
            interrupted: a host thread keeps interrupting meanwhile.
            seconds: then the process is killed from outside.
        """
        done = threading.Event()

        def watch() -> None:
            left = seconds
            while not done.wait(0.01):
                left -= 0.01
                if interrupted:
                    self.engine.interrupt()
                if left < 0:
                    self.too_late = True
                    setattr(self.engine.child, "given_up", True)  # noqa: B010
                    self.kill()

        helper = threading.Thread(target=watch)
        helper.start()
        enough = time.monotonic() + _INTERRUPTED_SECONDS
        try:
            while True:  # an interrupt may come before the attack
                outcome = self.thread.run(self.handler)
                if outcome != cpu.INTERRUPTED or time.monotonic() > enough:
                    return outcome
        except GuestLost as error:
            self.lost = str(error)
            return LOST
        finally:
            done.set()
            helper.join()

    @property
    def result(self) -> int | None:
        """What Linux said, or None: it was not asked."""
        value = int.from_bytes(self.machine.space.read(RESULT, 8), "little")
        return None if value == UNTOUCHED else value - (1 << 64) if value >> 63 else value

    @property
    def granted(self) -> bool:
        """Linux did as it was asked."""
        return self.result is not None and self.result >= 0

    @property
    def died(self) -> bool:
        """The process is gone, by its own doing."""
        end = time.monotonic() + _DYING_SECONDS
        while self.lost and not self.too_late and time.monotonic() < end:
            if not self.tasks() or _state(self.process) in "ZX":
                return True
            time.sleep(0.001)
        return False

    def tasks(self) -> int:
        """How many Linux threads the process has."""
        try:
            return len(os.listdir(f"/proc/{self.process}/task"))
        except OSError:
            return 0

    def context(self) -> Context | ContextI386:
        """The attacking thread's registers: looking at them must always do."""
        return self.thread.get_context()

    def kill(self) -> None:
        """End the process and what it may have started."""
        for kill in (os.killpg, os.kill):
            try:
                kill(self.process, 9)
            except OSError as error:
                assert error.errno == errno.ESRCH

    def close(self) -> None:
        """Whatever has come of it, nothing stays."""
        self.kill()
        self.engine.close()


def _state(process: int) -> str:
    try:
        with open(f"/proc/{process}/stat") as file:
            return file.read().rpartition(")")[2].split()[0]
    except OSError:
        return "X"


# ---- pieces of attacks


def load(number: int, *arguments: int | str) -> str:
    """Instructions that load a Linux system call."""
    names = ("rdi", "rsi", "rdx", "r10", "r8", "r9")
    lines = [
        f"mov {name}, {value if isinstance(value, str) else hex(value & (1 << 64) - 1)}"
        for name, value in zip(names, arguments, strict=False)
    ]
    return "\n".join([*lines, f"mov rax, {number:#x}"])


def directly(number: int, *arguments: int | str, doubles: bool = False) -> str:
    """A system call by the guest's own instruction. ``doubles``: what it makes, if it works, stays out of the way."""
    return f"{load(number, *arguments)}\nsyscall\n{_finish(doubles)}"


def through_the_stub(number: int, *arguments: int | str, doubles: bool = False) -> str:
    """The same by a call into the middle of the stub, whose code then leaves the result."""
    return f"{stub_call(number, *arguments)}{_finish(doubles)}"


def stub_call(number: int, *arguments: int | str) -> str:
    """Go on behind a system call of the stub's, which has left its result."""
    return (
        f"{load(number, *arguments)}\nmov r13, {_LIST:#x}\nxor r12d, r12d\nxor ebp, ebp\n"
        f"mov rbx, {SPACE + 0xC00:#x}\nmov r15, {stub_system_call():#x}\n"
        f"lea rcx, [rel spin]\nmov [{STACK:#x}], rcx\ncall r15\n"
    )


def _finish(doubles: bool) -> str:
    other = "test rax, rax\njz spin\n" if doubles else ""
    return f"{other}mov [{RESULT:#x}], rax\nhlt\nspin: jmp spin\n"


def in_long_mode(source: str) -> str:
    """64-bit code in a 32-bit program."""
    return f"bits 32\nmov esp, {STACK_TOP:#x}\njmp 0x33:wide\nbits 64\nwide:\n{source}"


def in_compatibility_mode(source: str) -> str:
    """32-bit code in a 64-bit program."""
    return f"mov rsp, {STACK_TOP:#x}\njmp far [rel there]\nthere: dd low\ndw 0x23\nbits 32\nlow:\n{source}"


def by_interrupt(number: int, *arguments: int | str, doubles: bool = False) -> str:
    """An i386 system call, in code of any kind."""
    names = ("ebx", "ecx", "edx", "esi", "edi", "ebp")
    lines = [
        f"mov {name}, {value if isinstance(value, str) else hex(value & 0xFFFFFFFF)}"
        for name, value in zip(names, arguments, strict=False)
    ]
    return "\n".join([*lines, f"mov eax, {number}", "int 0x80", after_i386(doubles)])


def after_i386(doubles: bool = False) -> str:
    """Leave EAX as 64 bits, which a 32-bit program has to write in two halves."""
    other = "test eax, eax\njz spin\n" if doubles else ""
    leave = f"{other}mov edx, eax\nsar edx, 31\nmov ebx, {RESULT:#x}\nmov [ebx], eax\nmov [ebx + 4], edx\n"
    return f"{leave}hlt\nspin: jmp spin\n"


def pokes(block: int, *values: tuple[int, int | str]) -> str:
    """Write to a block of the jail: quads, by their offsets. RBX is left at the block."""
    lines = [f"mov rbx, {layout.CONTROL + block:#x}"]
    for offset, value in values:
        lines.append(f"mov rax, {value if isinstance(value, str) else hex(value & (1 << 64) - 1)}")
        lines.append(f"mov [rbx + {offset:#x}], rax")
    return "\n".join(lines) + "\n"


STOPPED = f"mov eax, {layout.STATE_STOPPED}\nxchg [rbx + {layout.STATE}], eax\n"  # says the block at RBX


# ---- taking protections away

Opening = Callable[[pytest.MonkeyPatch], None]


def permit(*numbers: int, arch: int = bpf.AUDIT_ARCH_X86_64) -> Opening:
    """The filter lets these system calls through, from anywhere and with any arguments."""

    def apply(monkeypatch: pytest.MonkeyPatch) -> None:
        p = bpf.Program()
        p.add(bpf.LOAD, bpf.ARCH)
        p.add(bpf.JUMP_EQUAL, arch, no="judge")
        p.add(bpf.LOAD, bpf.NUMBER)
        for number in numbers:
            p.add(bpf.JUMP_EQUAL, number, yes="allow")
        p.add(bpf.JUMP_EQUAL, numbers[0], no="judge")
        p.label("allow")
        p.add(bpf.RETURN, bpf.ALLOW)
        p.label("judge")
        code = p.pack() + seccomp.program()
        monkeypatch.setattr(lock, "program", lambda: code)
        monkeypatch.setattr(Child, "_test_filter", lambda self: None)  # getpid may be one of them

    return apply


def permit_i386(*numbers: int) -> Opening:
    """The same for calls by ``int 0x80``."""
    return permit(*numbers, arch=_I386)


def no_supervision(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel is not asked about new threads."""
    code = bpf.Program()
    code.add(bpf.RETURN, bpf.ALLOW)
    monkeypatch.setattr(lock, "supervision", code.pack)
    monkeypatch.setattr(Child, "_allow_thread", lambda self: None)


def without_limit(kind: int) -> Opening:
    """One of the resource limits is not set."""

    def apply(monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(lock, "_LIMITS", tuple(each for each in lock._LIMITS if each[0] != kind))

    return apply


def open_descriptors(monkeypatch: pytest.MonkeyPatch) -> None:
    """The descriptors that the process was started with stay open, but for standard input."""
    put = Child.put_operations

    def put_others(self: Child, block: int, operations: Sequence[tuple[int, ...]]) -> None:
        others: dict[tuple[int, ...], tuple[int, ...]] = {}
        others.update((each, (_GETPID,)) for each in operations if each[0] == layout.SYS_CLOSE_RANGE)
        for first in list(others)[:1]:  # where the listener will be
            others[first] = (layout.SYS_CLOSE, 0)
        put(self, block, [others.get(each, each) for each in operations])

    monkeypatch.setattr(Child, "put_operations", put_others)


def replaced(target: object, name: str, value: object) -> Opening:
    """A check is replaced, or a time limit."""
    return lambda monkeypatch: monkeypatch.setattr(target, name, value)
