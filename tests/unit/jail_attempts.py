"""What hostile guests try to have Linux do: each with what keeps them from it, which a test can take away."""

from __future__ import annotations

import resource
from collections.abc import Callable, Iterator, Sequence

from lswd.cpu.jail import layout
from tests.unit.jail_attack import (
    PATH,
    PROGRAM,
    RESULT,
    SPACE,
    STACK,
    UNTOUCHED,
    Attack,
    Opening,
    after_i386,
    by_interrupt,
    directly,
    in_compatibility_mode,
    in_long_mode,
    no_supervision,
    open_descriptors,
    permit,
    permit_i386,
    stub_call,
    stub_system_calls,
    through_the_stub,
    without_limit,
)
from tests.unit.test_cpu_unicorn import CODE, DATA

Judge = Callable[[Attack], bool]


class Attempt:
    """One attempt.

    Attributes:
        source: the attacking code, or what makes it.
        word: of the guest, 8 or 4.
        openings: take away each protection there is against it.
        succeeded: has it done what it wanted?
        why_not: why it cannot succeed on this machine whatever we do, or "".
    """

    def __init__(
        self,
        source: str,
        *openings: Opening,
        succeeded: Judge = lambda attack: attack.granted,
        word: int = 8,
        why_not: str = "",
    ) -> None:
        self.source = source
        self.openings = openings
        self.succeeded = succeeded
        self.word = word
        self.why_not = why_not


def _ended(attack: Attack) -> bool:
    return attack.died


def _asked(attack: Attack) -> bool:
    """Linux has answered, though it would not do it either."""
    return attack.result is not None


def _granted_or_ended(attack: Attack) -> bool:
    return attack.granted or attack.died


def _third_thread(attack: Attack) -> bool:
    return attack.granted and attack.tasks() == 3


def _secret(attack: Attack) -> bool:
    return attack.machine.space.read(SPACE, 8) == attack.secret.raw


SHARED_FIXED = layout.MAP_SHARED_FIXED
FREE = 0x900000  # nothing is there
_NAMESPACE = 0x10000000  # CLONE_NEWUSER
_SIGCHLD = 17
_FILE_SIZE, _LOCKED = without_limit(resource.RLIMIT_FSIZE), without_limit(resource.RLIMIT_MEMLOCK)
_THREAD = (layout.CLONE_FLAGS, STACK, 0, SPACE + 0x600, SPACE)

_YAMA = "/proc/sys/kernel/yama/ptrace_scope"


def _scope() -> str:
    try:
        with open(_YAMA) as file:
            return "" if file.read(1) == "0" else "Yama does not let processes look at their parents"
    except OSError:
        return ""


def _no_rings() -> str:
    try:
        with open("/proc/sys/kernel/io_uring_disabled") as file:
            return "" if file.read(1) == "0" else "io_uring is switched off"
    except OSError:
        return ""


class Call:
    """A Linux system call no guest may make."""

    def __init__(
        self,
        number: int,
        *arguments: int | str,
        also: Sequence[Opening] = (),
        succeeded: Judge = lambda attack: attack.granted,
        doubles: bool = False,
        why_not: str = "",
        data: str = "",
    ) -> None:
        """
        Args:
            also: protections beside the filter.
            doubles: it makes a process or thread.
            data: declarations for the assembler.
        """
        self.number = number
        self.arguments = arguments
        self.also = also
        self.succeeded = succeeded
        self.doubles = doubles
        self.why_not = why_not
        self.data = f"\nalign 32\n{data}\n"

    def attempt(self, way: Callable[..., str], word: int = 8) -> Attempt:
        """The call made by code of this kind."""
        source = way(self.number, *self.arguments, doubles=self.doubles) + self.data
        openings = (permit(self.number), *self.also)
        if word == 4:
            source = in_long_mode(source)
        return Attempt(source, *openings, succeeded=self.succeeded, word=word, why_not=self.why_not)


CALLS: dict[str, Call] = {
    # descriptors
    "read the memory as a file": Call(0, layout.MEMORY_FD, SPACE, 16),
    "write to the memory as a file": Call(1, layout.MEMORY_FD, SPACE, 16, also=[_FILE_SIZE]),
    "look at standard output": Call(72, 1, 1, 0, also=[open_descriptors]),
    "look at the blocks' descriptor": Call(72, layout.STUB_FD, 1, 0, also=[open_descriptors]),
    "open": Call(2, PATH, 0),
    "openat": Call(257, -100, PATH, 0),
    "openat2": Call(437, -100, PATH, "how", 24, data="how: dq 0, 0, 0"),
    "stat": Call(4, PATH, SPACE),
    "close the guest's memory": Call(3, layout.MEMORY_FD),
    "close the socket": Call(3, layout.SOCKET_FD),
    "close_range": Call(436, layout.MEMORY_FD, layout.SOCKET_FD, 0),
    "duplicate a descriptor": Call(32, layout.MEMORY_FD),
    "dup2": Call(33, layout.MEMORY_FD, 9),
    "fcntl": Call(72, layout.MEMORY_FD, 1, 0),
    "pipe": Call(22, SPACE),
    "epoll": Call(291, 0),
    "eventfd": Call(290, 0, 0),
    "inotify": Call(294, 0),
    "memfd_create": Call(319, PATH, 0),
    "sendmsg": Call(46, layout.SOCKET_FD, SPACE, 0),
    "recvmsg on another descriptor": Call(47, layout.MEMORY_FD, SPACE, 0, succeeded=_asked),
    "io_uring": Call(425, 1, SPACE, also=[_LOCKED], why_not=_no_rings()),
    # the network
    "socket": Call(41, 2, 1, 0),
    "a local socket": Call(41, 1, 1, 0),
    "socketpair": Call(53, 1, 1, 0, SPACE),
    # mapping something else
    "map anonymous memory": Call(9, FREE, 0x1000, 3, 0x32, -1, 0),
    "map anonymous shared memory": Call(9, FREE, 0x1000, 3, 0x31, -1, 0),
    "map a private copy": Call(9, FREE, 0x1000, 3, 0x12, layout.MEMORY_FD, 0),
    "map anywhere": Call(9, 0, 0x1000, 3, 1, layout.MEMORY_FD, 0),
    "map a stack": Call(9, FREE, 0x1000, 0x01000003, SHARED_FIXED, layout.MEMORY_FD, 0),
    "map with a high half in the flags": Call(9, FREE, 0x1000, 3, 1 << 32 | SHARED_FIXED, layout.MEMORY_FD, 0),
    "map over the stub": Call(
        9, layout.STUB, 0x1000, 7, SHARED_FIXED, layout.MEMORY_FD, 0x10000, succeeded=_granted_or_ended
    ),
    "map over the blocks": Call(
        9, layout.CONTROL, 0x1000, 3, SHARED_FIXED, layout.MEMORY_FD, 0x10000, succeeded=_granted_or_ended
    ),
    "map across the limit": Call(9, layout.LIMIT - 0x10000, 0x20000, 3, SHARED_FIXED, layout.MEMORY_FD, 0),
    "make the stub writable": Call(10, layout.STUB, 0x1000, 7),
    "unmap the stub": Call(11, layout.STUB, 0x1000, succeeded=_granted_or_ended),
    "unmap the blocks": Call(11, layout.CONTROL, layout.CONTROL_SIZE, succeeded=_granted_or_ended),
    "unmap everything": Call(11, 0, layout.TASK_END, succeeded=_ended),
    "move a mapping": Call(25, DATA + 0x8000, 0x1000, 0x2000, 1),
    "move the break": Call(12, 0),
    "throw pages away": Call(28, DATA + 0x8000, 0x1000, 4),
    "lock memory": Call(149, DATA, 0x1000, also=[_LOCKED]),
    "change a protection key": Call(329, DATA + 0x8000, 0x1000, 3, -1),
    "userfaultfd": Call(323, 1),
    # growing the memory
    "grow the memory": Call(77, layout.MEMORY_FD, 1 << 41, also=[_FILE_SIZE]),
    "shrink the memory": Call(77, layout.MEMORY_FD, 1 << 20, also=[_FILE_SIZE]),
    "fallocate": Call(285, layout.MEMORY_FD, 0, 0, 0x1000, also=[_FILE_SIZE]),
    # signals
    "handle signals itself": Call(13, 11, SPACE, 0, 8),
    "block signals": Call(14, 0, SPACE, 0, 8),
    "a timer": Call(38, 0, SPACE, 0),
    "an alarm": Call(37, 0),
    "signalfd": Call(289, -1, SPACE, 8, 0),
    "timerfd": Call(283, 1, 0),
    # other processes
    "getpid": Call(39),
    "getppid": Call(110),
    "signal the kernel": Call(62, "KERNEL", 0),
    "signal everybody": Call(62, -1, 0),
    "signal a thread": Call(234, "OWN", "OWN", 0),
    "find a process": Call(434, "KERNEL", 0),
    "the kernel's group": Call(121, "KERNEL"),
    "the kernel's limits": Call(302, "KERNEL", 4, 0, SPACE + 0x40),
    "the kernel's memory": Call(
        310, "KERNEL", "here", 1, "there", 1, 0, data=f"here: dq {SPACE}, 8\nthere: dq SECRET, 8",
        succeeded=_secret, why_not=_scope(),
    ),
    "trace the kernel": Call(101, 0x4206, "KERNEL", 0, 0, why_not=_scope()),
    # new processes and threads
    "fork": Call(57, doubles=True),
    "vfork": Call(58),
    "clone a process": Call(56, _SIGCHLD, also=[no_supervision], doubles=True),
    "clone a process that shares memory": Call(56, 0x100 | _SIGCHLD, also=[no_supervision], doubles=True),
    "clone into a namespace": Call(56, _NAMESPACE | _SIGCHLD, also=[no_supervision], doubles=True),
    "clone with a high half in the flags": Call(
        56, 1 << 32 | _THREAD[0], *_THREAD[1:], also=[no_supervision], doubles=True, succeeded=_third_thread
    ),
    "clone3": Call(435, "how", 88, doubles=True, data="how: dq 0, 0, 0, 0, 17, 0, 0, 0, 0, 0, 0"),
    "execve": Call(59, PROGRAM, 0, 0, succeeded=_ended),
    "exit_group": Call(231, 77, succeeded=_ended),
    "unshare": Call(272, 0x400),
    # what else Linux has
    "uname": Call(63, SPACE),
    "getcwd": Call(79, SPACE, 100),
    "sysinfo": Call(99, SPACE),
    "personality": Call(135, 0xFFFFFFFF),
    "a local descriptor table": Call(154, 1, "entry", 16, data="entry: dd 0, 0, 0xFFFFF, 0x51"),
    "prctl": Call(157, 3, 0, 0, 0, 0),
    "another FS base": Call(158, layout.ARCH_SET_FS, 0),
    "set a limit": Call(160, 4, SPACE),
    "prlimit": Call(302, 0, 4, SPACE, 0),
    "input and output": Call(172, 3, succeeded=_asked),
    "the time": Call(228, 0, SPACE),
    "sleep": Call(35, SPACE, 0),
    "processors": Call(204, 0, 128, SPACE),
    "futex with priorities": Call(202, SPACE, 6, 0, 0),
    "futex requeue": Call(202, SPACE, 3, 1, 1, SPACE + 8),
    "set_tid_address": Call(218, SPACE),
    "set_robust_list": Call(273, SPACE, 24),
    "rseq": Call(334, "area", 32, 0, 0x53053053, data="area: times 32 db 0"),
    "seccomp": Call(317, 2, 0, "action", data="action: dd 0x7fff0000"),
    "getrandom": Call(318, SPACE, 8, 0),
    "membarrier": Call(324, 0, 0, 0),
    "x32": Call(0x40000000 | 39, succeeded=_asked),
}  # fmt: skip

# The same by the i386 convention, which has its own numbers.
CALLS_I386: dict[str, Call] = {
    "exit_group": Call(252, 77, succeeded=_ended),
    "fork": Call(2, doubles=True),
    "read": Call(3, layout.MEMORY_FD, SPACE, 16),
    "write": Call(4, layout.MEMORY_FD, SPACE, 16, also=[_FILE_SIZE]),
    "open": Call(5, PATH, 0),
    "close": Call(6, layout.MEMORY_FD),
    "execve": Call(11, PROGRAM, 0, 0, succeeded=_ended),
    "getpid": Call(20),
    "ptrace": Call(26, 0x4206, "KERNEL", 0, 0, why_not=_scope()),
    "kill": Call(37, "KERNEL", 0),
    "sigaction": Call(174, 11, SPACE, 0, 8),
    "munmap": Call(91, FREE, 0x1000),
    "clone": Call(120, _SIGCHLD, also=[no_supervision], doubles=True),
    "modify_ldt": Call(123, 1, "entry", 16, data="entry: dd 0, 0, 0xFFFFF, 0x51"),
    "mprotect": Call(125, DATA + 0x8000, 0x1000, 7),
    "mmap2": Call(192, FREE, 0x1000, 3, 0x32, -1, 0),
    "ftruncate64": Call(194, layout.MEMORY_FD, 0, 0x100, also=[_FILE_SIZE]),
    "set_thread_area": Call(243, "entry", data="entry: dd -1, 0, 0xFFFFF, 0x51"),
    "process_vm_readv": Call(
        347, "OWN", "here", 1, "there", 1, 0, data=f"here: dd {SPACE}, 8\nthere: dd {PATH}, 8",
    ),
    "memfd_create": Call(356, PATH, 0),
    "socket": Call(359, 2, 1, 0),
}  # fmt: skip


def _i386(call: Call, word: int, wrap: Callable[[str], str] = lambda source: source) -> Attempt:
    source = wrap(by_interrupt(call.number, *call.arguments, doubles=call.doubles)) + call.data
    source = source if word == 8 else f"bits 32\n{source}"
    openings = (permit_i386(call.number), *call.also)
    return Attempt(source, *openings, succeeded=call.succeeded, word=word, why_not=call.why_not)


def _read(path: str) -> str:
    with open(path) as file:
        return file.read()


_PROCESSOR = _read("/proc/cpuinfo")
_INTEL, _AMD = "GenuineIntel" in _PROCESSOR, "AuthenticAMD" in _PROCESSOR or "HygonGenuine" in _PROCESSOR
_NO_SYSENTER = "" if _INTEL else "this processor has no SYSENTER in long mode"
_NO_VSYSCALL = "" if "[vsyscall]" in _read("/proc/self/maps") else "this Linux has no vsyscall page"
_NO_SYSCALL = "" if _AMD else "this processor has no SYSCALL in 32-bit code"
_SYSENTER = "mov eax, 252\nmov ebx, 77\nmov ebp, esp\nsysenter\nhlt\n"
_SYSCALL_32 = "mov eax, 252\nmov ebx, 77\nmov ebp, esp\nsyscall\nhlt\n"


_VSYSCALL = 0xFFFFFFFFFF600000
_LEAVE = f"mov [{RESULT:#x}], rax\nhlt\n"
# The page of the code, which is the guest's own, mapped a second time.
_SECOND_MAPPING = (
    stub_call(layout.SYS_MMAP, 0x10000000, 0x10000, 3, layout.MAP_SHARED_FIXED, layout.MEMORY_FD, "CODE_AT")
    + f"mov rax, {UNTOUCHED:#x}\nmov [{RESULT:#x}], rax\nmov word [0x10000000 + new - {CODE:#x}], 0x050f\n"
    + f"mov eax, 39\nnew: dw 0x9090\n{_LEAVE}spin: jmp spin\n"
)


def attempts() -> Iterator[tuple[str, Attempt]]:
    """All of them."""
    for name, call in CALLS.items():
        yield f"64 directly: {name}", call.attempt(directly)
        yield f"64 stub: {name}", call.attempt(through_the_stub)
        yield f"32 stub: {name}", call.attempt(through_the_stub, word=4)
    for name, call in CALLS_I386.items():
        yield f"64 int 0x80: {name}", _i386(call, 8)
        yield f"32 int 0x80: {name}", _i386(call, 4)
    for name in ("getpid", "open", "exit_group", "map anonymous memory"):
        yield f"32 directly: {name}", CALLS[name].attempt(directly, word=4)
        if name in CALLS_I386:
            yield f"64 int 0x80 in a 32-bit segment: {name}", _i386(CALLS_I386[name], 8, in_compatibility_mode)
    for at in stub_system_calls():
        jump = f"mov edi, 77\nmov eax, 231\nmov rcx, {at:#x}\njmp rcx"
        name = f"into the stub at {at - layout.STUB:#x}: exit_group"
        yield f"64 {name}", Attempt(jump, permit(231), succeeded=_ended)
        yield f"32 {name}", Attempt(in_long_mode(jump), permit(231), succeeded=_ended, word=4)
    for name, source, word in (
        ("64 sysenter", _SYSENTER, 8),
        ("64 sysenter in a 32-bit segment", in_compatibility_mode(_SYSENTER), 8),
        ("32 sysenter", f"bits 32\n{_SYSENTER}", 4),
        ("32 sysenter in a 64-bit segment", in_long_mode(_SYSENTER), 4),
    ):
        yield name, Attempt(source, permit_i386(252), succeeded=_ended, word=word, why_not=_NO_SYSENTER)
    yield (
        "64 syscall in a 32-bit segment",
        Attempt(in_compatibility_mode(_SYSCALL_32), permit_i386(252), succeeded=_ended, why_not=_NO_SYSCALL),
    )
    plain = f"bits 32\n{_SYSCALL_32}"
    yield "32 syscall", Attempt(plain, permit_i386(252), succeeded=_ended, word=4, why_not=_NO_SYSCALL)
    for at, number in ((0, 96), (0x400, 201), (0x800, 309)):
        source = f"mov rdi, {SPACE:#x}\nxor esi, esi\nxor edx, edx\nmov rcx, {_VSYSCALL + at:#x}\ncall rcx\n{_LEAVE}"
        yield f"64 vsyscall {at:#x}", Attempt(source, permit(number), why_not=_NO_VSYSCALL)
        yield f"32 vsyscall {at:#x}", Attempt(in_long_mode(source), permit(number), word=4, why_not=_NO_VSYSCALL)
    for name, source, word in (
        ("64 self-written code", f"mov word [rel new], 0x050f\nmov eax, 39\nnew: dw 0x9090\n{_LEAVE}", 8),
        ("64 code written through another mapping", _SECOND_MAPPING, 8),
        ("32 self-written 64-bit code", in_long_mode(
            f"mov word [rel new], 0x050f\nmov eax, 39\nnew: dw 0x9090\n{_LEAVE}"), 4),
    ):  # fmt: skip
        yield name, Attempt(source, permit(39), word=word)
    written = f"mov word [new], 0x80cd\nmov eax, 20\nnew: dw 0x9090\n{after_i386()}"
    yield "32 self-written code", Attempt(f"bits 32\n{written}", permit_i386(20), word=4)
