"""Hostile guest code in a jail: how it is run, and ways to reach Linux that it may try."""

from __future__ import annotations

import subprocess
import tempfile
import threading
from pathlib import Path

from lswd.cpu.engine import GuestLost
from lswd.cpu.jail import assemble, layout
from lswd.cpu.jail.engine import JailEngine
from lswd.cpu.jail.thread import JailThread
from tests.unit.test_cpu_unicorn import DATA, Machine

LOST = -1  # what ``Attack.run`` returns when the guest destroyed itself
PATH = DATA + 0x100  # "/etc/passwd"
SPACE = DATA + 0x200


def assembled(source: str) -> bytes:
    """Machine code for the code region of a ``Machine``."""
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory, "t.asm")
        file.write_text(f"bits 64\norg 0x400000\n{source}\n")
        subprocess.run(["nasm", "-f", "bin", "-o", "t.bin", "t.asm"], cwd=directory, check=True)
        return Path(directory, "t.bin").read_bytes()


def stub_system_call() -> int:
    """Address of the stub's one ``syscall`` instruction that takes its arguments from a list."""
    stub = Path(assemble.BINARY).read_bytes()
    at = stub.index(bytes.fromhex("4d8b4d300f05"))  # mov r9, [r13+48]; syscall
    return layout.STUB + at + 4


class Attack:
    """One jail with attacking code in it."""

    def __init__(self, source: str) -> None:
        self.machine = Machine(JailEngine)
        engine = self.machine.engine
        assert isinstance(engine, JailEngine)
        self.engine = engine
        self.machine.space.write(PATH, b"/etc/passwd\0")
        thread = self.machine.thread(assembled(source))
        assert isinstance(thread, JailThread)
        self.thread = thread
        self.calls: list[tuple[int, ...]] = []
        self.lost = ""

    def handler(self, *call: int) -> int | None:
        """Every NT system call leaves, so that the attack ends there."""
        self.calls.append(call)
        return None

    def run(self, *, interrupted: bool = False) -> int:
        """Run until something happens; ``interrupted``: a host thread keeps interrupting meanwhile."""
        done = threading.Event()

        def interrupt() -> None:
            while not done.wait(0.01):
                self.engine.interrupt()

        helper = threading.Thread(target=interrupt)
        if interrupted:
            helper.start()
        try:
            return self.thread.run(self.handler)
        except GuestLost as error:
            self.lost = str(error)
            return LOST
        finally:
            done.set()
            if interrupted:
                helper.join()

    @property
    def result(self) -> int:
        """RAX as a signed number."""
        value = self.thread.get_context()["rax"]
        return value - (1 << 64) if value >> 63 else value

    def close(self) -> None:
        self.engine.close()


def load(number: int, *arguments: int) -> str:
    """Instructions that load a Linux system call."""
    names = ("rdi", "rsi", "rdx", "r10", "r8", "r9")
    lines = [f"mov {name}, {value & (1 << 64) - 1:#x}" for name, value in zip(names, arguments, strict=False)]
    return "\n".join([*lines, f"mov rax, {number:#x}"])


def directly(number: int, *arguments: int) -> str:
    """A system call by the guest's own instruction, then an NT call that tells what came of it."""
    return f"{load(number, *arguments)}\nsyscall\nmov r10, rax\nmov eax, 0x7777\ncall [0x7ffe1000]\nhlt"


def through_the_stub(number: int, *arguments: int) -> str:
    """The same by a call into the middle of the stub, whose code then returns."""
    return (
        f"{load(number, *arguments)}\nmov r13, {SPACE + 0x800:#x}\nmov r12d, {number:#x}\nxor ebp, ebp\n"
        f"mov rbx, {SPACE + 0xC00:#x}\nmov r15, {stub_system_call():#x}\ncall r15\n"
        "mov r10, rax\nmov eax, 0x7777\ncall [0x7ffe1000]\nhlt"
    )


SHARED_FIXED = layout.MAP_SHARED_FIXED
# Linux system calls that no guest may make: number and arguments.
FORBIDDEN: dict[str, tuple[int, ...]] = {
    "read": (0, layout.MEMORY_FD, SPACE, 16),
    "write": (1, layout.MEMORY_FD, SPACE, 16),
    "open": (2, PATH, 0),
    "close the guest's memory": (3, layout.MEMORY_FD),
    "close the socket": (3, layout.SOCKET_FD),
    "map anonymous memory": (9, 0x900000, 0x1000, 3, 0x32, -1, 0),
    "map anonymous shared memory": (9, 0x900000, 0x1000, 3, 0x31, -1, 0),
    "map a private copy": (9, 0x900000, 0x1000, 3, 0x12, layout.MEMORY_FD, 0),
    "map anywhere": (9, 0, 0x1000, 3, 1, layout.MEMORY_FD, 0),
    "map a stack": (9, 0x900000, 0x1000, 0x01000003, SHARED_FIXED, layout.MEMORY_FD, 0),
    "map with a high half in the flags": (9, 0x900000, 0x1000, 3, 1 << 32 | SHARED_FIXED, layout.MEMORY_FD, 0),
    "map over the stub": (9, layout.STUB, 0x1000, 7, SHARED_FIXED, layout.MEMORY_FD, 0x10000),
    "map over the blocks": (9, layout.CONTROL, 0x1000, 3, SHARED_FIXED, layout.MEMORY_FD, 0x10000),
    "map across the limit": (9, layout.LIMIT - 0x10000, 0x20000, 3, SHARED_FIXED, layout.MEMORY_FD, 0),
    "map a size that wraps around": (9, 0x900000, -0x10000, 3, SHARED_FIXED, layout.MEMORY_FD, 0),
    "map above user space": (9, 1 << 48, 0x1000, 3, SHARED_FIXED, layout.MEMORY_FD, 0),
    "make the stub writable": (10, layout.STUB, 0x1000, 7),
    "unmap the stub": (11, layout.STUB, 0x1000),
    "unmap everything": (11, 0, 1 << 47),
    "handle signals itself": (13, 11, SPACE, 0, 8),
    "block signals": (14, 0, SPACE, 0, 8),
    "pipe": (22, SPACE),
    "duplicate a descriptor": (32, layout.MEMORY_FD),
    "getpid": (39,),
    "socket": (41, 2, 1, 0),
    "sendmsg": (46, layout.SOCKET_FD, SPACE, 0),
    "recvmsg elsewhere": (47, layout.MEMORY_FD, SPACE, 0),
    "clone a process": (56, 17),
    "clone a process that shares memory": (56, 0x100 | 17),
    "clone into a namespace": (56, layout.CLONE_FLAGS | 0x10000000),
    "clone with a high half in the flags": (56, 1 << 32 | layout.CLONE_FLAGS),
    "fork": (57,),
    "vfork": (58,),
    "execve": (59, PATH, 0, 0),
    "kill": (62, 0, 0),
    "uname": (63, SPACE),
    "fcntl": (72, layout.MEMORY_FD, 1, 0),
    "grow the memory": (77, layout.MEMORY_FD, 1 << 41),
    "getcwd": (79, SPACE, 100),
    "sysinfo": (99, SPACE),
    "ptrace": (101, 16, 0, 0, 0),
    "personality": (135, 0xFFFFFFFF),
    "a local descriptor table": (154, 0, SPACE, 16),
    "prctl": (157, 3, 0, 0, 0, 0),
    "another FS base": (158, layout.ARCH_SET_FS, 0),
    "set a limit": (160, 4, SPACE),
    "input and output": (172, 3),
    "futex with priorities": (202, SPACE, 6, 0, 0),
    "futex requeue": (202, SPACE, 3, 1, 1, SPACE + 8),
    "set_tid_address": (218, SPACE),
    "exit_group": (231, 0),
    "tgkill": (234, 0, 0, 0),
    "unshare": (272, 0x10000000),
    "set_robust_list": (273, SPACE, 24),
    "fallocate": (285, layout.MEMORY_FD, 0, 0, 0x1000),
    "prlimit": (302, 0, 4, SPACE, 0),
    "process_vm_readv": (310, 1, SPACE, 1, SPACE, 1, 0),
    "seccomp": (317, 1, 0, SPACE),
    "memfd_create": (319, PATH, 0),
    "userfaultfd": (323, 1),
    "rseq": (334, SPACE, 32, 0, 0),
    "io_uring": (425, 1, SPACE),
    "pidfd_open": (434, 1, 0),
    "clone3": (435, SPACE, 88),
    "x32": (0x40000000 | 39,),
}  # fmt: skip
# Those that would show no result when they are allowed: they replace, end or double the process.
NO_RESULT = {
    "execve", "exit_group", "fork", "vfork", "clone a process", "clone a process that shares memory",
    "clone into a namespace", "clone3", "clone with a high half in the flags", "unmap everything", "unmap the stub",
    "map over the stub", "map over the blocks", "close the guest's memory", "another FS base",
    "map a size that wraps around",
}  # fmt: skip
