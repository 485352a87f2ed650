"""Tables derived from files (system call numbers, exports, the API set schema), kept between runs.

A table is stored by ``marshal`` under ``$XDG_CACHE_HOME/lsw`` with the path, modification time and size of every file
it came from, and is used only while all of them still agree. The cache is never needed: if its directory is not ours
alone, is not writable or holds rubbish, the table is computed again.
"""

from __future__ import annotations

import marshal
import os
import stat
import sys
import zlib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

FORMAT = 3  # raise it whenever the meaning of any stored table changes
_MAGIC = b"LSWC"
_LARGEST = 16 << 20
_DIRECTORY_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_WRITE_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def cache_directory(environ: Mapping[str, str]) -> str | None:
    """Where the cache belongs: ``$XDG_CACHE_HOME/lsw`` or ``~/.cache/lsw``; None if neither variable names a place.

    Source: freedesktop.org, "XDG Base Directory Specification" (a relative XDG_CACHE_HOME is to be ignored).
    """
    base = environ.get("XDG_CACHE_HOME", "")
    if not base.startswith("/"):
        home = environ.get("HOME", "")
        if not home.startswith("/"):
            return None
        base = home + "/.cache"
    return base + "/lsw"


def open_private_directory(path: str) -> int | None:
    """Open ``path`` as a directory that only its owner, us, can write; it is made if missing. None if it is not so."""
    try:
        try:
            descriptor = os.open(path, _DIRECTORY_FLAGS)
        except FileNotFoundError:
            os.makedirs(os.path.dirname(path), 0o700, exist_ok=True)
            os.mkdir(path, 0o700)
            descriptor = os.open(path, _DIRECTORY_FLAGS)
    except OSError:
        return None
    if _is_private(os.fstat(descriptor)):
        return descriptor
    os.close(descriptor)
    return None


def write_atomically(directory: int, name: str, data: bytes, *, time_ns: int | None = None) -> bool:
    """Put ``data`` at ``name`` in the open ``directory``, whole or not at all, with ``time_ns`` for its times if given.

    False if it could not be done."""
    temporary = f".{name}.{os.getpid()}"
    try:
        descriptor = os.open(temporary, _WRITE_FLAGS, 0o600, dir_fd=directory)
    except OSError:
        return False
    try:
        with open(descriptor, "wb") as file:
            file.write(data)
            if time_ns is not None:
                file.flush()
                os.utime(file.fileno(), ns=(time_ns, time_ns))
        os.rename(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
    except OSError:
        try:
            os.unlink(temporary, dir_fd=directory)
        except OSError:
            pass  # the directory itself has gone
        return False
    return True


def file_key(path: str) -> tuple[str, int, int]:
    """What identifies a version of a file: its path, modification time in nanoseconds and size; -1 if it is missing."""
    try:
        status = os.stat(path)
    except OSError:
        return (path, -1, -1)
    return (path, status.st_mtime_ns, status.st_size)


# Tables by key, in a process that expects to use them again; None in others, which have no second use for them.
_remembered: dict[Any, Any] | None = None


def remember() -> None:
    """From now on, keep tables in memory too."""
    global _remembered
    _remembered = {}


def cached(
    kind: str, inputs: Iterable[str], compute: Callable[[], Any], *, extra: Any = None, directory: str | None = None
) -> Any:
    """The value of ``compute()``, from the cache if it holds one for the present state of the input files.

    ``kind`` names the table and is part of its file name; ``inputs`` are the host paths it is derived from; ``extra``
    is anything else (of marshal's types) that the value depends on. ``compute`` must return marshal's types: numbers,
    strings, bytes, None, and tuples, lists, dicts and sets of these. Its exceptions pass through and store nothing.
    ``directory`` replaces the user's cache directory.
    """
    key = (FORMAT, sys.hexversion, kind, tuple([file_key(path) for path in inputs]), extra)
    if directory is None:
        if _remembered is not None:
            if key not in _remembered:
                _remembered[key] = _stored(key, kind, cache_directory(os.environ), compute)
            return _remembered[key]
        directory = cache_directory(os.environ)
    return _stored(key, kind, directory, compute)


def _stored(key: tuple[Any, ...], kind: str, directory: str | None, compute: Callable[[], Any]) -> Any:
    """From the cache in ``directory``, else computed and put there."""
    descriptor = open_private_directory(directory) if directory is not None else None
    if descriptor is None:
        return compute()
    try:
        paths = "\0".join([path for path, _, _ in key[3]])
        name = f"{kind}-{zlib.crc32(paths.encode('utf-8', 'surrogateescape')):08x}"
        stored = _read(descriptor, name)
        if stored is not None and stored[0] == key:
            return stored[1]
        value = compute()
        body = marshal.dumps((key, value))
        write_atomically(descriptor, name, _MAGIC + zlib.crc32(body).to_bytes(4, "little") + body)
    finally:
        os.close(descriptor)
    return value


def _read(directory: int, name: str) -> tuple[Any, Any] | None:
    """The (key, value) pair stored in a cache file; None if there is none or it is not exactly what we once wrote."""
    try:
        descriptor = os.open(name, _READ_FLAGS, dir_fd=directory)
    except OSError:
        return None
    with open(descriptor, "rb", buffering=0) as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or not _is_private(status) or status.st_size > _LARGEST:
            return None
        data = file.read(status.st_size)
    # marshal trusts its input, so nothing reaches it that differs by a bit from what was written.
    if data is None or data[:4] != _MAGIC or zlib.crc32(data[8:]) != int.from_bytes(data[4:8], "little"):
        return None
    try:
        stored = marshal.loads(memoryview(data)[8:])
    except (EOFError, ValueError, TypeError):
        return None
    if type(stored) is tuple and len(stored) == 2:
        return stored
    return None


def _is_private(status: os.stat_result) -> bool:
    return status.st_uid == os.geteuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
