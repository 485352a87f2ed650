"""The host's change notification, inotify(7), which Python's library does not offer."""

from __future__ import annotations

import ctypes
import os
import struct

IN_ACCESS = 0x001
IN_MODIFY = 0x002
IN_ATTRIB = 0x004
IN_MOVED_FROM = 0x040
IN_MOVED_TO = 0x080
IN_CREATE = 0x100
IN_DELETE = 0x200
IN_DELETE_SELF = 0x400
IN_Q_OVERFLOW = 0x4000
IN_IGNORED = 0x8000
IN_ONLYDIR = 0x01000000
IN_DONT_FOLLOW = 0x02000000
IN_MASK_ADD = 0x20000000
IN_ISDIR = 0x40000000

_EVENT = struct.Struct("=iIII")  # struct inotify_event: wd, mask, cookie, length of the name that follows
_READ_SIZE = 1 << 16


class Event:
    """One change: ``watch`` is where, ``name`` which entry, "" for the directory itself."""

    __slots__ = ("cookie", "mask", "name", "watch")

    def __init__(self, watch: int, mask: int, cookie: int, name: str) -> None:
        self.watch = watch
        self.mask = mask
        self.cookie = cookie
        self.name = name


class Inotify:
    """An inotify instance. Attributes: fd: readable when there are events."""

    def __init__(self) -> None:
        """Raises OSError: the user has too many."""
        library = ctypes.CDLL(None, use_errno=True)
        self._add = library.inotify_add_watch
        self._add.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_uint32]
        self._remove = library.inotify_rm_watch
        self._remove.argtypes = [ctypes.c_int, ctypes.c_int]
        self.fd: int = library.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self.fd < 0:
            raise _last_error()

    def add(self, path: str, mask: int) -> int:
        """Watch a directory, for ``mask`` beside what it is watched for already; returns its number. Raises OSError."""
        number: int = self._add(self.fd, os.fsencode(path), mask | IN_MASK_ADD | IN_ONLYDIR)
        if number < 0:
            raise _last_error()
        return number

    def remove(self, number: int) -> None:
        """Watch it no more; one that has gone already is no error."""
        self._remove(self.fd, number)

    def read(self) -> list[Event]:
        """What has happened since; [] when nothing has."""
        events: list[Event] = []
        while True:
            try:
                data = os.read(self.fd, _READ_SIZE)
            except BlockingIOError:
                return events
            at = 0
            while at < len(data):
                watch, mask, cookie, length = _EVENT.unpack_from(data, at)
                at += _EVENT.size
                name = data[at : at + length].partition(b"\0")[0]
                at += length
                events.append(Event(watch, mask, cookie, os.fsdecode(name)))

    def close(self) -> None:
        """End it with all its watches."""
        os.close(self.fd)


def _last_error() -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number))
