"""Landlock: this process and what it starts can reach only the files below some directories, for good.

Files that are open already stay so, and a file's existence and attributes can be seen everywhere.
Sources: landlock(7), linux/landlock.h; Documentation/userspace-api/landlock.rst in Linux.
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_SYS_CREATE, _SYS_ADD, _SYS_RESTRICT = 444, 445, 446
_VERSION = 1  # LANDLOCK_CREATE_RULESET_VERSION
_PATH_BENEATH = 1
_READ_FILE, _READ_DIRECTORY = 1 << 2, 1 << 3
_FILE_RIGHTS = 1 << 0 | 1 << 1 | _READ_FILE | 1 << 14 | 1 << 15  # execute, write, read, truncate, ioctl
_EXECUTE = 1 << 0
_MAKE_DEVICES = 1 << 6 | 1 << 11  # MAKE_CHAR, MAKE_BLOCK
_REFER, _REFER_FROM = 1 << 13, 2
# How many rights there are by version: REFER came with 2, TRUNCATE with 3, IOCTL_DEV with 5.
_RIGHTS = (0, 13, 14, 15, 15, 16)
_SCOPED_FROM, _SCOPES = 6, 3  # abstract sockets, signals


class _Ruleset(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("network", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32))


_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


def _call(number: int, *arguments: object) -> int:
    words = [ctypes.c_long(each) if isinstance(each, int) else each for each in arguments]
    result = int(_libc.syscall(ctypes.c_long(number), *words))
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return result


def version() -> int:
    """That of this Linux; 0: it has none, or it is switched off."""
    try:
        return _call(_SYS_CREATE, 0, 0, _VERSION)
    except OSError:
        return 0


def restrict(readable: Iterable[str], writable: Iterable[str]) -> None:
    """Allow this thread what is below these directories, or these files; nothing can be executed that is a file.

    ``give_up_privileges`` comes before, and there must be no other threads yet.

    Raises:
        OSError: it cannot be done here.
    """
    have = _usable(1)
    handled = (1 << _RIGHTS[min(have, len(_RIGHTS) - 1)]) - 1
    scoped = _SCOPES if have >= _SCOPED_FROM else 0
    _enter(
        handled,
        scoped,
        [(path, (_READ_FILE | _READ_DIRECTORY) & handled) for path in readable]
        + [(path, handled & ~_EXECUTE) for path in writable],
    )


def keep_apart() -> None:
    """Have this thread and what it starts look into no process that is outside: memory, descriptors, environment.

    That comes with rules about files, whatever they are: here, that no device nodes are made. As in ``restrict``.

    Raises:
        OSError: it cannot be done here.
    """
    _usable(_REFER_FROM)  # without that right nothing could be moved from one directory to another
    _enter(_MAKE_DEVICES | _REFER, 0, [("/", _REFER)])


def _usable(least: int) -> int:
    have = version()
    if have < least:
        raise OSError(errno.EOPNOTSUPP, "this Linux has no Landlock, or an old one, or it is switched off")
    if len(os.listdir("/proc/self/task")) != 1:
        raise OSError(errno.EBUSY, "there are other threads")
    return have


def _enter(handled: int, scoped: int, rules: Iterable[tuple[str, int]]) -> None:
    attributes = _Ruleset(handled, 0, scoped)
    size = ctypes.sizeof(attributes) if scoped else 8
    ruleset = _call(_SYS_CREATE, ctypes.byref(attributes), size, 0)
    try:
        for path, rights in rules:
            _allow(ruleset, path, rights)
        _call(_SYS_RESTRICT, ruleset, 0)
    finally:
        os.close(ruleset)


def _allow(ruleset: int, path: str, rights: int) -> None:
    """A path that is not there needs no rule."""
    try:
        fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not stat.S_ISDIR(os.fstat(fd).st_mode):
            rights &= _FILE_RIGHTS
        rule = _Beneath(rights, fd)
        _call(_SYS_ADD, ruleset, _PATH_BENEATH, ctypes.byref(rule), 0)
    finally:
        os.close(fd)
