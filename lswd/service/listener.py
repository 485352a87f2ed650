"""The socket's place in the file system: making it, clearing away a dead daemon's, refusing to take a live one's."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import stat

BACKLOG = 128
_LONGEST_PATH = 107  # sockaddr_un.sun_path without its NUL


class ListenError(Exception):
    """There can be no socket; one line that says why and what to do."""


class Listener:
    """A listening socket and its file, which ``close`` removes.

    A lock beside it decides between two daemons that start at the same moment.
    """

    def __init__(self, path: str, mode: int) -> None:
        """Make the socket, and its directory if that is missing: for everybody, or for us alone when the socket is.

        Raises:
            ListenError: another daemon serves there, something else is in the way, or it is not allowed.
        """
        self.path = path
        self._lock = -1
        if len(os.fsencode(path)) > _LONGEST_PATH:
            raise ListenError(f"{path}: longer than the {_LONGEST_PATH} bytes that a socket's path may have")
        try:
            os.makedirs(os.path.dirname(path), mode=0o755 if mode & 0o077 else 0o700, exist_ok=True)
            self._lock = os.open(path + ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            _take(self._lock, path)
            _clear(path)
            self.socket = _bind(path, mode)
        except OSError as error:
            self._unlock()
            raise ListenError(f"{path}: {error.strerror}") from None
        except BaseException:
            self._unlock()
            raise
        self._file = _identity(path)

    def close(self) -> None:
        """Stop listening. The file goes too, unless it is somebody else's by now."""
        self.socket.close()
        try:
            if _identity(self.path) == self._file:
                os.unlink(self.path)
        except OSError:
            pass
        self._unlock()

    def _unlock(self) -> None:
        """The lock's file stays: removing it would let a third daemon lock another file of the same name."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


def _take(lock: int, path: str) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise ListenError(f"another lswd serves {path} already; stop it first, or choose another socket") from None


def _clear(path: str) -> None:
    """Remove what a dead daemon left. Raises ListenError when it is not dead, or no socket."""
    try:
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            raise ListenError(f"{path} is no socket; move it out of the way")
    except FileNotFoundError:
        return
    for kind in (socket.SOCK_SEQPACKET, socket.SOCK_STREAM):
        with socket.socket(socket.AF_UNIX, kind) as probe:
            probe.setblocking(False)
            try:
                probe.connect(path)
            except OSError as error:
                if error.errno == errno.EPROTOTYPE:
                    continue
                if error.errno == errno.ECONNREFUSED:
                    break
                if error.errno != errno.EAGAIN:  # its queue is full, so it has one
                    raise
        raise ListenError(f"{path} is served by something else already; stop it first, or choose another socket")
    os.unlink(path)


def _bind(path: str, mode: int) -> socket.socket:
    made = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC)
    try:
        before = os.umask(0o177)  # nobody gets in before the permissions are right
        try:
            made.bind(path)
        finally:
            os.umask(before)
        os.chmod(path, mode)
        made.listen(BACKLOG)
    except BaseException:
        made.close()
        raise
    return made


def _identity(path: str) -> tuple[int, int]:
    found = os.lstat(path)
    return found.st_dev, found.st_ino
