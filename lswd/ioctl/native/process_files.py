"""What the calling process sees of the file system: its working directory, umask and standard streams.

Everything goes through a descriptor of /proc, so that it works wherever this process's own root is.
Source: proc(5), pidfd_getfd(2).
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_PIDFD_GETFD = 438  # asm/unistd.h, the same on every architecture
_LARGEST_STATUS = 64 << 10
_libc = ctypes.CDLL(None, use_errno=True)


class StaleSession(Exception):
    """The caller is no longer who this session was made for: it has changed its root, mounts or groups."""


def open_proc() -> int:
    """A descriptor of /proc."""
    return os.open("/proc", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)


def read_proc(proc: int, path: str, limit: int = _LARGEST_STATUS) -> bytes:
    """The file ``path`` below /proc, at most ``limit`` bytes of it. Raises OSError."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC, dir_fd=proc)
    try:
        data = b""
        while len(data) < limit:
            part = os.read(fd, limit - len(data))
            if not part:
                break
            data += part
        return data
    finally:
        os.close(fd)


def status_fields(text: bytes) -> dict[bytes, bytes]:
    """The fields of a /proc/PID/status."""
    fields = {}
    for line in text.splitlines():
        name, _, value = line.partition(b":")
        fields[name] = value.strip()
    return fields


def duplicate_fd(pid: int, number: int) -> int:
    """A descriptor of our own for descriptor ``number`` of process ``pid`` (no mere thread). Raises OSError."""
    pidfd = os.pidfd_open(pid)
    try:
        fd = int(_libc.syscall(_PIDFD_GETFD, pidfd, number, 0))
        if fd < 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))
        return fd  # close-on-exec is set
    finally:
        os.close(pidfd)


class CallerFiles:
    """The files of the process of thread ``tid``.

    Args:
        proc: a descriptor of /proc.
        check: given the caller's status fields, is it still whom we may act for? None: no need to ask.
    """

    __slots__ = ("_check", "proc", "tid")

    def __init__(self, tid: int, proc: int, check: Callable[[int, dict[bytes, bytes]], bool] | None = None) -> None:
        self.tid = tid
        self.proc = proc
        self._check = check

    def status(self) -> dict[bytes, bytes]:
        """Fields of /proc/TID/status. Raises OSError, StaleSession."""
        fields = status_fields(read_proc(self.proc, f"{self.tid}/status"))
        if self._check is not None and not self._check(self.tid, fields):
            raise StaleSession
        return fields

    def tgid(self) -> int:
        """The process's identifier. Raises OSError."""
        return int(status_fields(read_proc(self.proc, f"{self.tid}/status")).get(b"Tgid", b"0"))

    def parent(self) -> int:
        """Its parent's. Raises OSError."""
        return int(status_fields(read_proc(self.proc, f"{self.tid}/status")).get(b"PPid", b"0"))

    def open(self, path: bytes, flags: int) -> int:
        """Open ``path`` as the caller would, with mode 0644. Never waits, be it a FIFO or a terminal without a carrier.

        Raises OSError, StaleSession.
        """
        fields = self.status()
        flags |= os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK
        directory = -1
        if not path.startswith(b"/"):
            directory = os.open(f"{self.tid}/cwd", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=self.proc)
        try:
            if flags & os.O_CREAT:
                os.umask(int(fields.get(b"Umask", b"022"), 8) & 0o777)
            return os.open(path, flags, 0o644, dir_fd=directory if directory >= 0 else None)
        finally:
            if directory >= 0:
                os.close(directory)

    def standard(self, number: int) -> int:
        """A descriptor of our own for the caller's descriptor 0, 1 or 2. Raises OSError.

        Where tracing is restricted (Yama) it is opened anew, at the position it has.
        """
        try:
            return duplicate_fd(self.tgid(), number)
        except OSError as error:
            if error.errno not in (errno.EPERM, errno.EACCES, errno.ENOSYS):
                raise
        return self._reopen(number)

    def _reopen(self, number: int) -> int:
        info = status_fields(read_proc(self.proc, f"{self.tid}/fdinfo/{number}"))
        flags = int(info.get(b"flags", b"0"), 8) & (os.O_ACCMODE | os.O_APPEND | os.O_NONBLOCK)
        fd = os.open(f"{self.tid}/fd/{number}", flags | os.O_CLOEXEC | os.O_NOCTTY, dir_fd=self.proc)
        if stat.S_ISREG(os.fstat(fd).st_mode):
            os.lseek(fd, int(info.get(b"pos", b"0")), os.SEEK_SET)
        return fd
