"""Memory of a caller that its session may not touch, because the system restricts tracing (Yama): the daemon helps.

It copies bytes between a process and that process's own user's session, and nothing else: only for a thread whose
request the session is serving, only if all its user ids are the session's, and only if it may be looked into by that
user at all. A native client's memory is asked for by the worker; a loader's entry point the daemon retires itself.
Source: ptrace(2), "Ptrace access mode checking".
"""

from __future__ import annotations

import errno
import os
import struct

from lswd.host.process_memory import read_memory, read_some, write_memory
from lswd.ioctl.native.caller_memory import CallerMemory
from lswd.ioctl.native.process_files import open_proc
from lswd.ioctl.processes import is_owned
from lswd.session import messages as m
from lswd.session.caller_image import retire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from lswd.ioctl.commands import PeInfo

    Ask = Callable[[int, int, bytes], tuple[int, bytes]]

_ADDRESS = struct.Struct("<QI")
LARGEST_LOAN = 8192
RESTRICTED = "its memory is closed to us (kernel.yama.ptrace_scope) unless it allows us with prctl(PR_SET_PTRACER)"
_SCOPE = "/proc/sys/kernel/yama/ptrace_scope"


def tracing_is_restricted() -> bool:
    """May a process not look into others of its user?"""
    try:
        with open(_SCOPE, "rb") as file:
            return file.read().strip() != b"0"
    except OSError:
        return False


def _may_lend(tid: int, uid: int) -> bool:
    try:
        # What may not be looked into belongs to root in /proc.
        return os.geteuid() == 0 and is_owned(tid, uid) and os.stat(f"/proc/{tid}").st_uid == uid
    except (OSError, ValueError):
        return False


def serve(kind: int, tid: int, uid: int, data: bytes) -> tuple[int, bytes]:
    """In the daemon: an errno and the bytes read. ``data``: address, size, and the bytes to write."""
    if len(data) < _ADDRESS.size or not _may_lend(tid, uid):
        return errno.EPERM, b""
    address, size = _ADDRESS.unpack_from(data)
    if size > LARGEST_LOAN:
        return errno.EINVAL, b""
    try:
        if kind == m.BORROW:
            return 0, read_some(tid, address, size)
        write_memory(tid, address, data[_ADDRESS.size :])
    except OSError as error:
        return error.errno or errno.EIO, b""
    return 0, b""


def retire_for(uid: int, pid: int, info: PeInfo, exit_status: int) -> None:
    """In the daemon: what ``retire`` does, for a session that is not allowed to."""
    if _may_lend(pid, uid):
        proc = open_proc()
        try:
            retire(proc, pid, info, exit_status)
        finally:
            os.close(proc)


class LentMemory(CallerMemory):
    """In the worker: the caller's memory, directly or through the daemon. ``ask`` has the daemon ``serve``."""

    def __init__(self, ask: Ask, identifier: int) -> None:
        self._ask = ask
        self._identifier = identifier

    def _borrow(self, kind: int, address: int, size: int, data: bytes = b"") -> bytes:
        code, answer = self._ask(kind, self._identifier, _ADDRESS.pack(address & (1 << 64) - 1, size) + data)
        if code:
            raise OSError(code, os.strerror(code))
        return answer

    def read(self, tid: int, address: int, size: int) -> bytes:
        try:
            return read_memory(tid, address, size)
        except PermissionError:
            pass
        parts = []
        for at in range(0, size, LARGEST_LOAN):
            wanted = min(LARGEST_LOAN, size - at)
            part = self._borrow(m.BORROW, address + at, wanted)
            if len(part) != wanted:
                raise OSError(errno.EFAULT, os.strerror(errno.EFAULT))
            parts.append(part)
        return b"".join(parts)

    def some(self, tid: int, address: int, size: int) -> bytes:
        try:
            return read_some(tid, address, size)
        except PermissionError:
            return self._borrow(m.BORROW, address, size)

    def write(self, tid: int, address: int, data: bytes) -> None:
        try:
            write_memory(tid, address, data)
        except PermissionError:
            for at in range(0, len(data), LARGEST_LOAN):
                part = data[at : at + LARGEST_LOAN]
                self._borrow(m.GIVE_BACK, address + at, len(part), part)
