"""Linux system calls that the kernel's own side never makes, refused from then on: no new privileges, and a filter.

Guest code never gets this far; the filter is for the day on which a guest has found a mistake of ours and makes the
Python side do its bidding. What it inherits to (the jail, other programs of the launch) needs none of them either.
Sources: seccomp(2), arch/x86/entry/syscalls/syscall_64.tbl.
"""

from __future__ import annotations

import ctypes
import errno
import functools
import os

from lswd.host import bpf

# By what they would allow.
REFUSED = {
    # other processes' memory, registers and descriptors
    "ptrace": 101, "process_vm_readv": 310, "process_vm_writev": 311, "kcmp": 312, "pidfd_getfd": 438,
    "process_madvise": 440, "process_mrelease": 448,
    # another view of the file system
    "mount": 165, "umount2": 166, "pivot_root": 155, "chroot": 161, "open_tree": 428, "move_mount": 429,
    "fsopen": 430, "fsconfig": 431, "fsmount": 432, "fspick": 433, "mount_setattr": 442, "unshare": 272, "setns": 308,
    "open_by_handle_at": 304, "name_to_handle_at": 303, "mknod": 133, "mknodat": 259, "swapon": 167, "swapoff": 168,
    "quotactl": 179, "quotactl_fd": 443, "fanotify_init": 300, "acct": 163,
    # Linux itself
    "bpf": 321, "perf_event_open": 298, "userfaultfd": 323, "kexec_load": 246, "kexec_file_load": 320,
    "init_module": 175, "finit_module": 313, "delete_module": 176, "create_module": 174, "query_module": 178,
    "get_kernel_syms": 177, "_sysctl": 156, "syslog": 103, "lookup_dcookie": 212, "nfsservctl": 180, "uselib": 134,
    "io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427,
    "add_key": 248, "request_key": 249, "keyctl": 250,
    # the machine
    "reboot": 169, "sethostname": 170, "setdomainname": 171, "iopl": 172, "ioperm": 173, "settimeofday": 164,
    "clock_settime": 227, "clock_adjtime": 305, "adjtimex": 159, "vhangup": 153,
    # ways of running code
    "personality": 135, "modify_ldt": 154,
}  # fmt: skip
# Without a network, nobody can be reached through a socket either.
_TALK = {"connect": 42, "accept": 43, "bind": 49, "listen": 50, "accept4": 288}
_IOCTL, _SOCKET, _CLONE, _CLONE3 = 16, 41, 56, 435
_LAST_OF_MEMORY, _FUTEX = 15, 202  # read to rt_sigreturn, with mmap, mprotect, munmap; all of them harmless
_NAMESPACES = 0x7E020000  # CLONE_NEW*
_TERMINAL = (0x5412, 0x541C)  # TIOCSTI, TIOCLINUX: typing for the user
_LOCAL = (1, 16)  # AF_UNIX, AF_NETLINK
_INTERNET = (2, 10)  # AF_INET, AF_INET6
_X32 = 0x40000000

_PR_SET_NO_NEW_PRIVS = 38
_SYS_SECCOMP, _MODE_FILTER = 317, 1
_ALL_THREADS, _KEEP_SPEED = 1, 1 << 2  # SECCOMP_FILTER_FLAG_TSYNC, _SPEC_ALLOW


class _Filter(ctypes.Structure):
    _fields_ = (("count", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


_libc = ctypes.CDLL(None, use_errno=True)


@functools.cache
def program(network: bool) -> bytes:
    """The filter as an array of ``struct sock_filter``. ``network``: programs may have one."""
    p = bpf.Program()
    p.add(bpf.LOAD, bpf.ARCH)
    p.add(bpf.JUMP_EQUAL, bpf.AUDIT_ARCH_X86_64, no="refuse")
    p.add(bpf.LOAD, bpf.NUMBER)
    # First what a jail asks for all the time: it inherits this, and with its own filter no answer is cached.
    p.add(bpf.JUMP_GREATER, _LAST_OF_MEMORY, no="allow")
    p.add(bpf.JUMP_EQUAL, _FUTEX, yes="allow")
    p.add(bpf.JUMP_GREATER, _X32 - 1, yes="unknown")
    p.add(bpf.JUMP_EQUAL, _IOCTL, yes="ioctl")
    p.add(bpf.JUMP_EQUAL, _SOCKET, yes="socket")
    p.add(bpf.JUMP_EQUAL, _CLONE, yes="clone")
    p.add(bpf.JUMP_EQUAL, _CLONE3, yes="unknown")  # its flags are out of sight; the C library takes clone instead
    for number in (*REFUSED.values(), *(() if network else _TALK.values())):
        p.add(bpf.JUMP_EQUAL, number, yes="refuse")
    p.add(bpf.RETURN, bpf.ALLOW)
    p.label("ioctl")
    p.add(bpf.LOAD, bpf.argument(1))
    for request in _TERMINAL:
        p.add(bpf.JUMP_EQUAL, request, yes="refuse")
    p.add(bpf.RETURN, bpf.ALLOW)
    p.label("clone")
    p.add(bpf.LOAD, bpf.argument(0))
    p.add(bpf.JUMP_ANY_BIT, _NAMESPACES, yes="refuse")
    p.add(bpf.RETURN, bpf.ALLOW)
    p.label("socket")
    p.add(bpf.LOAD, bpf.argument(0))
    for family in (*_LOCAL, *(_INTERNET if network else ())):
        p.add(bpf.JUMP_EQUAL, family, yes="allow")
    p.add(bpf.RETURN, bpf.REFUSE | errno.EAFNOSUPPORT)
    p.label("allow")
    p.add(bpf.RETURN, bpf.ALLOW)
    p.label("refuse")
    p.add(bpf.RETURN, bpf.REFUSE | errno.EPERM)
    p.label("unknown")
    p.add(bpf.RETURN, bpf.REFUSE | errno.ENOSYS)
    return p.pack()


def give_up_privileges() -> None:
    """No program that this process executes gains any: what filters and rules need to be taken from anybody.

    Raises:
        OSError: Linux does not do it.
    """
    if _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")


def refuse_calls(network: bool) -> None:
    """Refuse them to all threads of this process, for good; ``give_up_privileges`` comes before.

    Raises:
        OSError: this Linux or this processor is not made for it.
    """
    if os.uname().machine != "x86_64":
        raise OSError(errno.ENOSYS, "only for x86-64")
    code = program(network)
    rules = _Filter(len(code) // 8, code)
    flags = ctypes.c_ulong(_ALL_THREADS | _KEEP_SPEED)
    if _libc.syscall(ctypes.c_long(_SYS_SECCOMP), ctypes.c_ulong(_MODE_FILTER), flags, ctypes.byref(rules)):
        raise OSError(ctypes.get_errno() or errno.ESRCH, "seccomp")
