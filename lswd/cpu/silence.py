"""The jail has not answered when it was started: for how long it is not tried again.

Where it hangs (in User-Mode Linux), each trial costs seconds. But it may only have been that the host was busy: so the
first time is forgotten after a minute, each further one in a row after ten times as long, and all when the host starts.
"""

from __future__ import annotations

import os
import time

_NAME = "no-jail"
_FIRST = 60.0
_MORE = 10.0
_LONGEST_FILE = 4096


def recall() -> str:
    """Why the jail is not to be tried now; "" when it is."""
    until, _, reason = _read()
    return reason if time.clock_gettime(time.CLOCK_BOOTTIME) < until else ""


def note(reason: str) -> None:
    """It has been silent."""
    _, span, _ = _read()
    span = span * _MORE if span else _FIRST
    _write(f"{_boot()}\n{time.clock_gettime(time.CLOCK_BOOTTIME) + span}\n{span}\n{reason}".encode())


def forget() -> None:
    """It has answered."""
    if _read()[1]:
        _write(b"")


def _boot() -> str:
    try:
        with open("/proc/sys/kernel/random/boot_id") as file:
            return file.read(64).strip()
    except OSError:
        return ""


def _directory() -> int | None:
    from lswd.userland.cache import cache_directory, open_private_directory

    path = cache_directory(os.environ)
    return open_private_directory(path) if path is not None else None


def _read() -> tuple[float, float, str]:
    """Until when, for how long, why; zeros where nothing is known, or it was before the host started."""
    directory = _directory()
    if directory is None:
        return 0.0, 0.0, ""
    try:
        fd = os.open(_NAME, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=directory)
        try:
            boot, until, span, reason = os.read(fd, _LONGEST_FILE).decode().split("\n")
        finally:
            os.close(fd)
        return (float(until), float(span), reason) if boot and boot == _boot() else (0.0, 0.0, "")
    except (OSError, ValueError):
        return 0.0, 0.0, ""
    finally:
        os.close(directory)


def _write(data: bytes) -> None:
    from lswd.userland.cache import write_atomically

    directory = _directory()
    if directory is not None:
        write_atomically(directory, _NAME, data)
        os.close(directory)
