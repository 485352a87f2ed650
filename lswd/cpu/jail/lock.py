"""How the jailed process is locked: the Linux system calls that the stub makes before it answers for the first time.

After them it has no mapping, descriptor, privilege or system call but those that ``seccomp.py`` and this file name.
"""

from __future__ import annotations

import resource
import struct

from lswd.cpu.jail import layout
from lswd.cpu.jail.layout import CONTROL
from lswd.cpu.jail.message import put_message
from lswd.cpu.jail.seccomp import program, supervision

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.cpu.jail.child import Operation

_SA_FLAGS = 0x4 | 0x04000000 | 0x08000000  # SA_SIGINFO, SA_RESTORER, SA_ONSTACK
_SIGNALS = (
    layout.SIGILL, layout.SIGTRAP, layout.SIGBUS, layout.SIGFPE, layout.SIGUSR1, layout.SIGSEGV, layout.SIGSYS
)  # fmt: skip
_NEW_LISTENER = 1 << 3  # SECCOMP_FILTER_FLAG_NEW_LISTENER
_SPEC_ALLOW = 1 << 2  # SECCOMP_FILTER_FLAG_SPEC_ALLOW: no slow-down against attacks on the own address space
_PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 4, 38
MOST_DESCRIPTORS = 1 << 16
_LIMITS = (
    (resource.RLIMIT_CORE, 0),
    (resource.RLIMIT_FSIZE, 0),
    (resource.RLIMIT_MEMLOCK, 0),
    (12, 0),  # RLIMIT_MSGQUEUE
    (resource.RLIMIT_NOFILE, MOST_DESCRIPTORS),
    (resource.RLIMIT_NPROC, 8192),
    (resource.RLIMIT_AS, 256 << 30),
)
_LISTENER_FD = 0  # the lowest free descriptor when it is made
_MASK = (1 << 64) - 1


def locking(view: memoryview, addresses: dict[str, int]) -> tuple[list[Operation], range]:
    """The calls, and which of them (by their places in the list) may fail: those for the supervision of new threads,
    after which the listener arrives at our socket.

    Args:
        view: the blocks' memory, to which what the calls point at is written.
        addresses: where the stub's labels are.
    """
    scratch = layout.SCRATCH
    handler, restorer = addresses["signal_entry"], addresses["signal_restorer"]
    action, stack, pointer, limits, code = scratch, scratch + 0x20, scratch + 0x40, scratch + 0x50, scratch + 0x100
    struct.pack_into("<4Q", view, action, handler, _SA_FLAGS, restorer, _MASK)
    struct.pack_into("<QIIQ", view, stack, CONTROL + layout.SIGNAL_STACK, 0, 0, layout.SIGNAL_STACK_SIZE)
    rules = program()
    struct.pack_into("<H6xQ", view, pointer, len(rules) // 8, CONTROL + code)
    view[code : code + len(rules)] = rules
    asks, ask_code, message = scratch + 0x3C0, scratch + 0x3D0, layout.SIGNAL_STACK
    rules = supervision()
    struct.pack_into("<H6xQ", view, asks, len(rules) // 8, CONTROL + ask_code)
    view[ask_code : ask_code + len(rules)] = rules
    put_message(view, message, _LISTENER_FD)
    operations: list[Operation] = [
        (layout.SYS_MUNMAP, 0, CONTROL),
        (layout.SYS_MUNMAP, CONTROL + layout.CONTROL_SIZE, layout.STUB - CONTROL - layout.CONTROL_SIZE),
        (layout.SYS_MUNMAP, layout.STUB + layout.STUB_SIZE, layout.TASK_END - layout.STUB - layout.STUB_SIZE),
        (layout.SYS_CLOSE_RANGE, 0, 2, 0),
        (layout.SYS_CLOSE, layout.CONTROL_FD),
        (layout.SYS_CLOSE_RANGE, layout.STUB_FD, 0xFFFFFFFF, 0),
        (layout.SYS_SIGALTSTACK, CONTROL + stack, 0),
        (layout.SYS_PRCTL, _PR_SET_NO_NEW_PRIVS, 1),
        (layout.SYS_PRCTL, _PR_SET_DUMPABLE, 0),
    ]
    operations += [(layout.SYS_SIGACTION, signal, CONTROL + action, 0, 8) for signal in _SIGNALS]
    for i, (kind, most) in enumerate(_LIMITS):
        hard = resource.getrlimit(kind)[1]
        value = most if hard == resource.RLIM_INFINITY else min(most, hard)
        struct.pack_into("<2Q", view, limits + 16 * i, value, value)
        operations.append((layout.SYS_PRLIMIT, 0, kind, CONTROL + limits + 16 * i, 0))
    # Can guest memory be executed? (Security modules may not want it.)
    operations.append((layout.SYS_MMAP, 0x10000, 0x1000, 7, layout.MAP_SHARED_FIXED, layout.MEMORY_FD, 0))
    operations.append((layout.SYS_MUNMAP, 0x10000, 0x1000))
    optional = range(len(operations), len(operations) + 3)
    operations += [
        (layout.SYS_SECCOMP, 1, _SPEC_ALLOW | _NEW_LISTENER, CONTROL + asks),
        (layout.SYS_SENDMSG, layout.SOCKET_FD, CONTROL + message, 0),
        (layout.SYS_CLOSE, _LISTENER_FD),
        (layout.SYS_SECCOMP, 1, _SPEC_ALLOW, CONTROL + pointer),
    ]
    return operations, optional
