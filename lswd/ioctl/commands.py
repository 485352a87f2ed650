"""The commands of /dev/lsw: names, numbers and structures, declared once.

lsw.h and docs/protocol.md are checked against this module.

Numbers and layouts of the first five are the kernel module's; the rest is ours, with numbers from 0x20 on.
"""

from __future__ import annotations

from lswd.ioctl import numbers
from lswd.ntdef.types import LONG, UCHAR, ULONG, ULONGLONG, Struct, array, raw

MAGIC = 0x4C  # 'L'
WORD = 8  # structures are those of a 64-bit Linux, the only one the module served

NONE, WRITE, READ, READ_WRITE = range(4)  # asm-generic/ioctl.h _IOC_NONE, _IOC_WRITE, _IOC_READ


class PeInfo(Struct):
    """What a loader tells of the image it has mapped. ``entry`` is an absolute address, ``path`` its argv[0]."""

    base: ULONGLONG
    entry: ULONGLONG
    image_size: ULONG
    pid: ULONG
    is_64bit: UCHAR
    reserved: bytes = raw(3)
    path: bytes = raw(256)


class Request(Struct):
    """A native system call, and its answer in the last two fields (error_code: a negative errno)."""

    number: ULONG
    arg_count: ULONG
    args: tuple[int, ...] = array(ULONGLONG, 8)
    return_value: ULONGLONG
    error_code: LONG


class Status(Struct):
    """The number of registrations."""

    count: LONG


class Wait(Struct):
    """Wait for a program's end: pid and timeout_ms in (0: only look; FOREVER: no limit), the rest out."""

    pid: ULONG
    timeout_ms: ULONG
    exit_status: ULONG
    reason: ULONG


class Kill(Struct):
    """End a program with this exit status."""

    pid: ULONG
    exit_status: ULONG


class Info(Struct):
    """What the daemon is. ``limit``: registrations allowed to the caller's user; ``registered``: those he has."""

    protocol: ULONG
    features: ULONG
    limit: ULONG
    registered: ULONG
    version: bytes = raw(16)


class Signal(Struct):
    """Deliver an event (SIGNAL_*) to a program. pid 0: the one launched through this connection."""

    pid: ULONG
    event: ULONG


class Launch(Struct):
    """How a launched program ended (numbers.ENDING). ``report``: JSON, session.order.Ending."""

    exit_status: ULONG
    reason: ULONG
    exit_code: ULONG
    report_size: ULONG
    report: bytes = raw(4080)


# Declared where clients need not import the rest.
REASON_RUNNING = numbers.REASON_RUNNING
REASON_EXITED = numbers.REASON_EXITED
REASON_CRASHED = numbers.REASON_CRASHED
REASON_KILLED = numbers.REASON_KILLED
REASON_NOT_STARTED = numbers.REASON_NOT_STARTED
REASON_LOST = numbers.REASON_LOST
SIGNAL_CTRL_C = numbers.SIGNAL_CTRL_C
SIGNAL_CTRL_BREAK = numbers.SIGNAL_CTRL_BREAK
SIGNAL_CLOSE = numbers.SIGNAL_CLOSE
SIGNAL_RESIZED = numbers.SIGNAL_RESIZED
SIGNAL_STOP = numbers.SIGNAL_STOP
SIGNAL_CONTINUE = numbers.SIGNAL_CONTINUE

FOREVER = 0xFFFF_FFFF
STILL_ACTIVE = 259  # winnt.h STATUS_PENDING, as GetExitCodeProcess has it

PROTOCOL = 1
FEATURE_EMULATE = 1  # EXECUTE runs the program
FEATURE_WAIT = 2
FEATURE_KILL = 4
FEATURE_SIGNAL = 8
FEATURE_LAUNCH = 16  # on the socket

class Command:
    """One command.

    Attributes:
        number: all 32 bits, as ioctl(2) gets them.
        in_size, out_size: bytes its argument points to; 0 and 0 when the argument is a value.
        ours: the kernel module has no such command. socket_only: it needs descriptors.
    """

    __slots__ = (
        "by_value",
        "direction",
        "in_size",
        "layout",
        "name",
        "nr",
        "number",
        "ours",
        "out_size",
        "socket_only",
    )

    def __init__(
        self, name: str, nr: int, direction: int, layout: type[Struct] | None, *, ours: bool = False,
        socket_only: bool = False,
    ) -> None:  # fmt: skip
        size = layout.size(WORD) if layout else 4
        self.name = name
        self.nr = nr
        self.direction = direction
        self.layout = layout
        self.by_value = layout is None
        self.number = direction << 30 | size << 16 | MAGIC << 8 | nr
        self.in_size = size if layout and direction & WRITE else 0
        self.out_size = size if layout and direction & READ else 0
        self.ours = ours
        self.socket_only = socket_only


REGISTER_PE = Command("REGISTER_PE", 1, WRITE, PeInfo)
UNREGISTER_PE = Command("UNREGISTER_PE", 2, WRITE, None)
GET_STATUS = Command("GET_STATUS", 3, READ, Status)
EXECUTE_PE = Command("EXECUTE_PE", 4, WRITE, None)
SYSCALL_A = Command("SYSCALL_A", 4, READ_WRITE, Request)
SYSCALL = Command("SYSCALL", 5, READ_WRITE, Request)
WAIT_PE = Command("WAIT_PE", 0x20, READ_WRITE, Wait, ours=True)
KILL_PE = Command("KILL_PE", 0x21, WRITE, Kill, ours=True)
INFO = Command("INFO", 0x22, READ, Info, ours=True)
SIGNAL_PE = Command("SIGNAL_PE", 0x23, WRITE, Signal, ours=True)
LAUNCH_PE = Command("LAUNCH_PE", 0x24, READ, Launch, ours=True, socket_only=True)

COMMANDS = {
    command.number: command
    for command in (
        REGISTER_PE, UNREGISTER_PE, GET_STATUS, EXECUTE_PE, SYSCALL_A, SYSCALL, WAIT_PE, KILL_PE, INFO, SIGNAL_PE,
        LAUNCH_PE,
    )
}  # fmt: skip
