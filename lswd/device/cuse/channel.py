"""The descriptor of /dev/cuse: opening it creates the device, closing it ends it; in between it carries messages."""

from __future__ import annotations

import ctypes
import errno
import os
import weakref

from lswd.device.cuse import wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Self

CUSE = "/dev/cuse"

_DEAD = (errno.ENODEV, errno.ECONNABORTED, errno.ENOTCONN, errno.EBADF)
_TRANSIENT = (errno.EINTR, errno.ENOENT)
"""Of read: a request that its caller took back while it was read. Of write: one that nobody waits for any more."""

_libc = ctypes.CDLL(None, use_errno=True)
_libc.read.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t)
_libc.read.restype = ctypes.c_ssize_t

_open_channels: weakref.WeakSet[Channel] = weakref.WeakSet()


class DeviceError(Exception):
    """The device cannot be served; the message says why and what to do."""


class DeviceGoneError(DeviceError):
    """The device is there no more: the kernel ended the connection."""


class Channel:
    """One served device.

    Attributes:
        name: of the device, in /dev.
        buffer: holds the request that `read` received.
        file: the descriptor, for waiting until it is readable.
    """

    __slots__ = ("name", "buffer", "file", "_address", "_buffers", "_kept", "__weakref__")

    def __init__(self, file: int, name: str) -> None:
        """Take over a descriptor on which CUSE_INIT is done; most want `create`."""
        self.name = name
        self.file = file
        self.buffer = bytearray(wire.BUFFER_SIZE)
        self._buffers = [self.buffer]
        self._address = (ctypes.c_char * len(self.buffer)).from_buffer(self.buffer)
        self._kept = 0
        _open_channels.add(self)

    @classmethod
    def create(cls, name: str, path: str = CUSE) -> Self:
        """Create the device /dev/``name``. It is there when this returns; who opens it waits until it is served.

        Raises DeviceError when /dev/cuse is not there or closed to us, and when somebody has the name already.
        """
        return cls.introduce(_open_cuse(path), name)

    @classmethod
    def introduce(cls, file: int, name: str) -> Self:
        """Create the device over the open descriptor ``file``, which is closed on failure. Raises DeviceError."""
        channel = cls(file, name)
        try:
            received = channel.read()
            if received is None:
                raise DeviceError("the kernel sends no CUSE_INIT")
            opcode, unique, *_ = wire.read_header(channel.buffer, received)
            major, minor, _, flags = wire.read_body(wire.INIT_REQUEST, channel.buffer, received)
            if opcode != wire.CUSE_INIT or major != wire.MAJOR or minor < wire.OLDEST_MINOR:
                raise DeviceError(
                    f"the kernel begins with request {opcode} of FUSE {major}.{minor}, not CUSE_INIT of 7.x"
                )
            if not flags & wire.UNRESTRICTED_IOCTL:
                raise DeviceError("the kernel's CUSE does not offer unrestricted ioctls")
            if not channel.write(wire.initialisation(unique, name, minor)):
                raise DeviceError("the kernel refuses the answer to CUSE_INIT")
            os.set_blocking(file, False)
            # For a name that is taken the kernel accepts the answer and only then has no device to read from.
            channel._kept = channel.read() or 0
        except DeviceGoneError:
            channel.close()
            raise DeviceError(f"/dev/{name} cannot be created: another daemon or driver has the name") from None
        except wire.WireError as error:
            channel.close()
            raise DeviceError(f"the kernel sends {error}") from None
        except BaseException:
            channel.close()
            raise
        return channel

    def read(self) -> int | None:
        """Receive the next request into `buffer`. Returns its length, or None when there is none now.

        Raises DeviceGoneError when there never will be one, DeviceError when reading fails in a way that would repeat.
        """
        if self._kept:
            received, self._kept = self._kept, 0
            return received
        while True:
            try:
                received = os.readv(self.file, self._buffers)
            except BlockingIOError:
                return None
            except OSError as error:
                if error.errno in _TRANSIENT:
                    continue
                raise self._failed(error.errno or errno.EIO) from None
            if not received:
                raise self._failed(errno.ENODEV)
            return received

    def wait(self) -> int | None:
        """As `read`, but once `set_blocking` was called: None when a signal has come before any request.

        os.readv would go on after a signal, unless its handler raises; what it had received by then would be lost.
        """
        received: int = _libc.read(self.file, self._address, wire.BUFFER_SIZE)
        if received > 0:
            return received
        error = ctypes.get_errno() if received else errno.ENODEV
        if error in _TRANSIENT or error == errno.EAGAIN:
            return None
        raise self._failed(error)

    def _failed(self, error: int) -> DeviceError:
        if error in _DEAD:
            return DeviceGoneError(f"/dev/{self.name} is gone: the kernel ended it")
        return DeviceError(f"reading requests for /dev/{self.name}: {os.strerror(error)}")

    def set_blocking(self, blocking: bool) -> None:
        """Whether reading waits for a request (`wait`) or not (`read`). Not, to begin with."""
        if self.file >= 0:
            os.set_blocking(self.file, blocking)

    def write(self, message: bytes) -> bool:
        """Send one answer. Returns whether somebody was waiting for it.

        Raises DeviceGoneError when the device has ended, OSError when the kernel does not accept this answer.
        """
        try:
            os.write(self.file, message)
        except OSError as error:
            if error.errno in _TRANSIENT:
                return False
            if error.errno in _DEAD or error.errno == errno.EPIPE:
                raise DeviceGoneError(f"/dev/{self.name} is gone: the kernel ended it") from None
            raise
        return True

    def close(self) -> None:
        """End the device, if it is ours still: who waits for an answer gets ECONNABORTED. May be called again."""
        _open_channels.discard(self)
        if self.file >= 0:
            file, self.file = self.file, -1
            os.close(file)


def _open_cuse(path: str) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        raise DeviceError(f"{path} does not exist: load the kernel module cuse (modprobe cuse)") from None
    except PermissionError:
        raise DeviceError(f"{path} may not be opened: serving a device takes root") from None
    except OSError as error:
        raise DeviceError(f"{path} cannot be opened: {error.strerror}; is the kernel module cuse there?") from None


def _forget_in_child() -> None:
    # A child that held the descriptor would keep the device, and with it everybody waiting, beyond our end.
    for channel in list(_open_channels):
        channel.close()


os.register_at_fork(after_in_child=_forget_in_child)
