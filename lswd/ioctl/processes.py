"""Linux processes that callers speak of: whose they are, what they are called in the caller's pid namespace, their end.

Source: proc(5), credentials(7), signal(7).
"""

from __future__ import annotations

import errno

from lswd.ioctl.native.process_files import status_fields

_SIGKILL_BIT = 1 << 8
_SIGSTOP_BIT = 1 << 18
_STOPS = 1 << 19 | 1 << 20 | 1 << 21  # SIGTSTP, SIGTTIN, SIGTTOU
_LARGEST_PID = 1 << 22


def status_of(tid: int) -> dict[bytes, bytes]:
    """Fields of /proc/TID/status. Raises OSError: ESRCH when there is no such process."""
    try:
        with open(f"/proc/{tid}/status", "rb", buffering=0) as file:
            return status_fields(file.read(64 << 10) or b"")
    except (FileNotFoundError, ProcessLookupError):
        raise ProcessLookupError(errno.ESRCH, "no such process") from None


def group_of(tid: int) -> int:
    """The process that thread ``tid`` belongs to; 0 when it is gone or cannot be seen."""
    try:
        return int(status_of(tid).get(b"Tgid", b"0")) if tid else 0
    except (OSError, ValueError):
        return 0


def inner_pid(tid: int) -> int:
    """What thread ``tid``'s process is called in its own pid namespace, when that is not ours; otherwise 0."""
    try:
        names = status_of(tid).get(b"NStgid", b"").split() if tid else []
        return int(names[-1]) if len(names) > 1 else 0
    except (OSError, ValueError):
        return 0


def is_owned(pid: int, uid: int) -> bool:
    """Are all of the process's user ids ``uid``? Raises OSError (ESRCH)."""
    if not 0 < pid <= _LARGEST_PID:
        raise ProcessLookupError(errno.ESRCH, "no such process")
    fields = status_of(pid)
    return all(int(text) == uid for text in fields.get(b"Uid", b"-1").split()[:3])


def owner_of(pid: int) -> tuple[int, int]:
    """The file system uid and gid of a process. Raises OSError (ESRCH)."""
    fields = status_of(pid)
    return int(fields[b"Uid"].split()[3]), int(fields[b"Gid"].split()[3])


def is_dying(tid: int) -> bool:
    """Is the thread gone, or about to be: killed, but held up by a system call?"""
    try:
        fields = status_of(tid)
        pending = int(fields.get(b"SigPnd", b"0"), 16) | int(fields.get(b"ShdPnd", b"0"), 16)
    except (OSError, ValueError):
        return True
    return bool(pending & _SIGKILL_BIT) or fields.get(b"State", b"Z")[:1] in (b"Z", b"X")


def is_stopping(tid: int) -> bool:
    """Of a thread that a signal has interrupted: does none wait for it but those that stop its process?

    The signal may be another thread's as well, which makes this one stop, too.
    """
    try:
        fields = status_of(tid) if tid else {}
        pending, blocked, caught = (int(fields[name], 16) for name in (b"SigPnd", b"SigBlk", b"SigCgt"))
        pending |= int(fields[b"ShdPnd"], 16)
    except (OSError, KeyError, ValueError):
        return False
    return not pending & ~blocked & ~_SIGSTOP_BIT & ~(_STOPS & ~caught)
