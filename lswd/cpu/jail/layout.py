"""Addresses in the jailed process, and the block of memory each of its threads shares with the kernel.

Declared here only: the stub is assembled with these names (lswd.cpu.jail.assemble). Everything in a block can be
written by the guest at any time; whoever reads one must be content with any value.
"""

from __future__ import annotations

# Above the highest address NT hands out to programs (0x7ffffffeffff) and below the end of Linux's 47-bit user space.
STUB = 0x7FFF_FFFF_0000
STUB_SIZE = 0x1000
TASK_END = 0x7FFF_FFFF_F000
# Thread blocks; reserved in the guest's address space. The filter refuses to map or unmap anything from LIMIT on.
CONTROL = 0x7FFF_F000_0000
LIMIT = 0x7FFF_EFF0_0000
RESERVED = 0x7FFF_EFE0_0000  # from here on the guest's address space is taken: the filter counts in coarse units
BLOCK_SIZE = 0x8000
BLOCKS = 4096
CONTROL_SIZE = BLOCK_SIZE * BLOCKS

# Descriptors of the child.
MEMORY_FD = 3
CONTROL_FD = 4
SOCKET_FD = 5
STUB_FD = 6

# In a block: the mailbox.
SELF = 0x00  # u64: the block's own address (FS base)
STATE = 0x08  # u32: STATE_*; the futex both sides wait on
HOST_SLEEPS = 0x0C  # u32
GUEST_SLEEPS = 0x10  # u32
KIND = 0x14  # u32: why the thread stopped: KIND_*
ACTION = 0x18  # u32: how it goes on: ACTION_*
INTERRUPT = 0x1C  # u32: an interrupt came while it was stopped
SPIN = 0x20  # u64: time stamp counts to spin before sleeping
OPERATION_COUNT = 0x28  # u32
CARRYING_OUT = 0x2C  # u32: not 0 while operations are left to be carried out
OPERATION_ERROR = 0x30  # i64: what the last failed operation returned, or 0
SIGNAL_NUMBER = 0x38  # u64
SIGNAL_INFO = 0x40  # u64: address of the siginfo
SIGNAL_CONTEXT = 0x48  # u64: address of the ucontext
CREATOR = 0x50  # u32: process id of the kernel, for the child to see that its parent is still there
FS_BASE = 0x58  # u64: the TEB of a new 32-bit thread, or 0
REGISTERS = 0x80  # u64[17], in the order of the CONTEXT record
IRET = 0x110  # u64[5]: rip, cs, flags, rsp, ss
FLAGS = 0x138  # u64
FLOAT = 0x200  # FXSAVE image
SCRATCH = 0x400  # what operations point to
STACK_TOP = 0x1000
OPERATIONS = 0x1000  # records of eight u64: number, six arguments, result
MOST_OPERATIONS = 128
SIGNAL_STACK = 0x3000
SIGNAL_STACK_SIZE = BLOCK_SIZE - SIGNAL_STACK

STATE_GONE = 0  # the thread has ended: written by Linux
STATE_STOPPED = 1  # the guest waits for the kernel
STATE_RUNNING = 2  # the kernel has answered

KIND_IDLE = 1  # nothing to go on with: a new thread, or the manager
KIND_CALL = 2  # a system call through the hand-off
KIND_SIGNAL = 3  # a fault, a direct system call, an interrupt

ACTION_IDLE = 0
ACTION_RETURN = 1  # from the hand-off
ACTION_CONTEXT = 2  # load all registers
ACTION_SIGNAL = 3  # return from the signal handler
ACTION_EXIT = 4

TEB_BLOCK = 0x1F00  # behind a 32-bit thread's TEB: the address of its block

# Linux system calls (arch/x86/entry/syscalls/syscall_64.tbl).
SYS_CLOSE = 3
SYS_MMAP = 9
SYS_MPROTECT = 10
SYS_MUNMAP = 11
SYS_SIGACTION = 13
SYS_SIGRETURN = 15
SYS_SENDMSG = 46
SYS_RECVMSG = 47
SYS_CLONE = 56
SYS_EXIT = 60
SYS_SIGALTSTACK = 131
SYS_PRCTL = 157
SYS_ARCH_PRCTL = 158
SYS_FUTEX = 202
SYS_TGKILL = 234
SYS_PRLIMIT = 302
SYS_SECCOMP = 317
SYS_CLOSE_RANGE = 436
SYS_FUTEX_WAITV = 449

ARCH_SET_GS = 0x1001
ARCH_SET_FS = 0x1002
MAP_SHARED_FIXED = 0x11
MAP_POPULATE = 0x8000
# CLONE_VM FS FILES SIGHAND THREAD SYSVSEM SETTLS CHILD_CLEARTID
CLONE_FLAGS = 0x100 | 0x200 | 0x400 | 0x800 | 0x10000 | 0x40000 | 0x80000 | 0x200000

SIGILL, SIGTRAP, SIGBUS, SIGFPE, SIGUSR1, SIGSEGV, SIGSYS = 4, 5, 7, 8, 10, 11, 31
INTERRUPT_SIGNAL = SIGUSR1

# In a ucontext (asm/sigcontext.h): the registers, and the pointer to the XSAVE image.
UCONTEXT_REGISTERS = 40
UCONTEXT_FLOAT = 224
UCONTEXT_SIZE = 304

# Addresses of labels in the stub, in the order of the table at its end.
LABELS = (
    "call_entry", "call_saved", "return_begin", "return_end", "restore_begin", "restore_end", "signal_entry",
    "signal_restorer", "code_end", "call32_entry",
)  # fmt: skip
