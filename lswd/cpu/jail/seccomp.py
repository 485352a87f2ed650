"""The seccomp filter of the jailed process: what its own stub may ask of Linux, and with which arguments.

Every other system call (any from outside the stub, any of another calling convention, any other number or argument)
becomes SIGSYS, which the stub reports to the kernel: a ``syscall`` instruction in guest code is an NT system call.
"""

from __future__ import annotations

from lswd.cpu.jail import layout
from lswd.host import bpf


def supervision() -> bytes:
    """A filter that has the kernel asked about each new thread; of the two filters' answers the stricter one counts."""
    p = bpf.Program()
    p.add(bpf.LOAD, bpf.NUMBER)
    p.add(bpf.JUMP_EQUAL, layout.SYS_CLONE, no="allow")
    p.add(bpf.RETURN, bpf.NOTIFY)
    p.label("allow")
    p.add(bpf.RETURN, bpf.ALLOW)
    return p.pack()


def program() -> bytes:
    """The filter as an array of ``struct sock_filter``."""
    p = bpf.Program()
    p.add(bpf.LOAD, bpf.ARCH)
    p.add(bpf.JUMP_EQUAL, bpf.AUDIT_ARCH_X86_64, no="trap")
    p.add(bpf.LOAD, bpf.POINTER + 4)
    p.add(bpf.JUMP_EQUAL, layout.STUB >> 32, no="trap")
    p.add(bpf.LOAD, bpf.POINTER)
    p.add(bpf.JUMP_GREATER, (layout.STUB & 0xFFFFFFFF) - 1, no="trap")
    p.add(bpf.JUMP_GREATER, (layout.STUB & 0xFFFFFFFF) + layout.STUB_SIZE - 1, yes="trap")
    p.add(bpf.LOAD, bpf.NUMBER)
    p.add(bpf.JUMP_EQUAL, layout.SYS_FUTEX, yes="futex")
    p.add(bpf.JUMP_EQUAL, layout.SYS_SIGRETURN, yes="allow")
    p.add(bpf.JUMP_EQUAL, layout.SYS_MMAP, yes="mmap")
    p.add(bpf.JUMP_EQUAL, layout.SYS_MPROTECT, yes="protect")
    p.add(bpf.JUMP_EQUAL, layout.SYS_MUNMAP, yes="range")
    p.add(bpf.JUMP_EQUAL, layout.SYS_CLONE, yes="clone")
    p.add(bpf.JUMP_EQUAL, layout.SYS_EXIT, yes="allow")
    p.add(bpf.JUMP_EQUAL, layout.SYS_SIGALTSTACK, yes="allow")
    p.add(bpf.JUMP_EQUAL, layout.SYS_ARCH_PRCTL, yes="arch_prctl")
    p.add(bpf.JUMP_EQUAL, layout.SYS_RECVMSG, yes="recvmsg")
    p.add(bpf.JUMP_EQUAL, layout.SYS_CLOSE, yes="close", no="trap")

    p.label("futex")  # wait and wake, nothing with timers of its own, priorities or robust lists
    p.add(bpf.LOAD, bpf.argument(1))
    p.add(bpf.JUMP_GREATER, 1, yes="trap", no="allow")

    p.label("clone")
    p.add(bpf.LOAD, bpf.argument(0, high=True))
    p.add(bpf.JUMP_EQUAL, 0, no="trap")
    p.add(bpf.LOAD, bpf.argument(0))
    p.add(bpf.JUMP_EQUAL, layout.CLONE_FLAGS, yes="allow", no="trap")

    p.label("arch_prctl")
    p.add(bpf.LOAD, bpf.argument(0, high=True))
    p.add(bpf.JUMP_EQUAL, 0, no="trap")
    p.add(bpf.LOAD, bpf.argument(0))
    p.add(bpf.JUMP_EQUAL, layout.ARCH_SET_GS, yes="allow", no="trap")

    p.label("recvmsg")
    p.add(bpf.LOAD, bpf.argument(0))
    p.add(bpf.JUMP_EQUAL, layout.SOCKET_FD, yes="allow", no="trap")

    p.label("close")  # the descriptors of mapped files; not the guest's memory, not the socket
    p.add(bpf.LOAD, bpf.argument(0))
    p.add(bpf.JUMP_EQUAL, layout.MEMORY_FD, yes="trap")
    p.add(bpf.JUMP_EQUAL, layout.SOCKET_FD, yes="trap", no="allow")

    p.label("mmap")  # shared, at a fixed address: so never anonymous, never a private copy
    p.add(bpf.LOAD, bpf.argument(3, high=True))
    p.add(bpf.JUMP_EQUAL, 0, no="trap")
    p.add(bpf.LOAD, bpf.argument(3))
    p.add(bpf.AND, ~layout.MAP_POPULATE)
    p.add(bpf.JUMP_EQUAL, layout.MAP_SHARED_FIXED, no="trap")
    p.label("protect")
    p.add(bpf.LOAD, bpf.argument(2, high=True))
    p.add(bpf.JUMP_EQUAL, 0, no="trap")
    p.add(bpf.LOAD, bpf.argument(2))
    p.add(bpf.JUMP_ANY_BIT, ~7, yes="trap")

    p.label("range")  # address and size in units of 64 KiB: both fit 31 bits, their sum ends below LIMIT
    for argument in (0, 1):
        p.add(bpf.LOAD, bpf.argument(argument, high=True))
        p.add(bpf.JUMP_GREATER, 0x7FFF, yes="trap")
        p.add(bpf.SHIFT_LEFT, 16)
        p.add(bpf.STORE, argument)
        p.add(bpf.LOAD, bpf.argument(argument))
        p.add(bpf.SHIFT_RIGHT, 16)
        p.add(bpf.LOAD_X_SCRATCH, argument)
        p.add(bpf.OR_X, 0)
        p.add(bpf.STORE, argument)
    p.add(bpf.LOAD_X_SCRATCH, 0)
    p.add(bpf.ADD_X, 0)
    p.add(bpf.JUMP_GREATER, (layout.LIMIT >> 16) - 2, yes="trap", no="allow")

    p.label("allow")
    p.add(bpf.RETURN, bpf.ALLOW)
    p.label("trap")
    p.add(bpf.RETURN, bpf.TRAP)
    return p.pack()
