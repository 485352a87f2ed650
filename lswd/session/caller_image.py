"""A program that its loader has mapped in its own memory: what to run, with what, and what the loader finds afterwards.

The loader jumps to the entry point itself once EXECUTE_PE has returned, so the entry point is retired: it is
overwritten with code that only returns the exit status. That happens before the program runs, too, for a loader that a
signal takes out of EXECUTE_PE must not run the program a second time.
Source: protocol.md "EXECUTE"; Microsoft "PE Format".
"""

from __future__ import annotations

import os
import struct

from lswd.host.process_memory import read_some
from lswd.ioctl.native.process_files import CallerFiles, read_proc

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.ioctl.commands import PeInfo

UNKNOWN = "unknown.exe"
STATUS_CONTROL_C_EXIT = 0xC000_013A
_LARGEST_TEXT = 4 << 20


def program_of(info: PeInfo) -> str:
    """The path it was registered with."""
    return os.fsdecode(bytes(info.path).split(b"\0", 1)[0])


def arguments_of(proc: int, pid: int) -> list[str]:
    """What follows the first ``--`` on the process's command line."""
    words = read_proc(proc, f"{pid}/cmdline", _LARGEST_TEXT).split(b"\0")[:-1]
    return [os.fsdecode(word) for word in words[words.index(b"--") + 1 :]] if b"--" in words else []


def environment_of(proc: int, pid: int) -> dict[str, str]:
    """The environment the process was started with."""
    environment = {}
    for entry in read_proc(proc, f"{pid}/environ", _LARGEST_TEXT).split(b"\0"):
        name, equals, value = entry.partition(b"=")
        if name and equals:
            environment[os.fsdecode(name)] = os.fsdecode(value)
    return environment


def take_over(proc: int, pid: int) -> int:
    """Make the process's standard streams, working directory and umask ours; returns that umask. Raises OSError."""
    caller = CallerFiles(pid, proc)
    umask = int(caller.status().get(b"Umask", b"022"), 8) & 0o777
    streams = []
    for number in range(3):
        try:
            streams.append(caller.standard(number))
        except OSError:  # it has closed that one
            streams.append(os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC))
    directory = os.open(f"{pid}/cwd", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=proc)
    os.fchdir(directory)
    os.close(directory)
    for number, fd in enumerate(streams):
        os.dup2(fd, number)
        os.close(fd)
    return umask


def is_mapped(pid: int, info: PeInfo) -> bool:
    """Is there an image where the process says?"""
    try:
        return read_some(pid, info.base, 2) == b"MZ"
    except OSError:
        return False


def retire(proc: int, pid: int, info: PeInfo, exit_status: int) -> bool:
    """Have the entry point return ``exit_status``: ``mov eax, imm32; ret``. False if it cannot be."""
    code = b"\xb8" + struct.pack("<I", exit_status & 0xFFFF_FFFF) + b"\xc3"
    if not info.base <= info.entry <= info.base + info.image_size - len(code) or not is_mapped(pid, info):
        return False
    try:
        # Not process_vm_writev: code is not writable to the process itself.
        fd = os.open(f"{pid}/mem", os.O_RDWR | os.O_CLOEXEC, dir_fd=proc)
    except OSError:
        return False
    try:
        return os.pwrite(fd, code, info.entry) == len(code)
    except (OSError, OverflowError):
        return False
    finally:
        os.close(fd)
