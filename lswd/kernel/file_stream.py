"""Files without a position: inherited pipes, sockets and character devices, and the null device.

A read or write waits for the descriptor in the event loop, so that Ctrl-C and the program's other threads go on; one
that can be served at once is, without starting the loop.
"""

from __future__ import annotations

import errno
import os
import select
import stat
import struct

from lswd.kernel.file import FileObject
from lswd.kernel.file_metadata import nt_error
from lswd.kernel.loop import event_loop
from lswd.ntdef.file import (
    FILE_ATTRIBUTE_NORMAL,
    FILE_DEVICE_CONSOLE,
    FILE_DEVICE_NAMED_PIPE,
    FILE_DEVICE_NULL,
    FILE_READ_DATA,
    FILE_SYNCHRONOUS_IO_NONALERT,
)
from lswd.ntdef.status import (
    STATUS_BUFFER_TOO_SMALL,
    STATUS_CANCELLED,
    STATUS_END_OF_FILE,
    STATUS_INVALID_DEVICE_REQUEST,
    STATUS_INVALID_INFO_CLASS,
    STATUS_INVALID_PARAMETER,
    STATUS_PIPE_BROKEN,
    NtError,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from lswd.kernel.thread import Thread

FSCTL_PIPE_PEEK = 0x11400C
_CHUNK = 4096  # PIPE_BUF: a pipe that polls as writable takes this much without blocking
_MAX_READ = 1 << 20
_PEEK_HEADER = 16
_QUOTA = 65536
FileBasicInformation = 4
FileStandardInformation = 5
FilePositionInformation = 14
FilePipeInformation = 23
FilePipeLocalInformation = 24
FILE_PIPE_CONNECTED_STATE = 3


# trio lets one task at a time wait for a descriptor, which threads, and processes with the same standard stream, share.
_turns: dict[tuple[int, bool], Any] = {}


class NullDevice(FileObject):
    """NUL: nothing to read, takes everything."""

    device_type = FILE_DEVICE_NULL

    def path(self) -> str:
        return "\\Device\\Null"

    async def read(self, thread: Thread, address: int, length: int, offset: int | None, key: int = 0) -> int:
        thread.process.space.probe_write(address, length)
        raise NtError(STATUS_END_OF_FILE)

    async def write(self, thread: Thread, address: int, length: int, offset: int | None, key: int = 0) -> int:
        thread.process.space.readable(address, length)
        return length

    def query(self, information_class: int) -> bytes:
        if information_class == FileStandardInformation:
            return struct.pack("<qqIBB2x", 0, 0, 1, 0, 0)
        if information_class == FilePositionInformation:
            return bytes(8)
        raise NtError(STATUS_INVALID_INFO_CLASS)


class StreamFile(FileObject):
    """A host descriptor that is read and written in order."""

    def __init__(
        self, fd: int, access: int, options: int = FILE_SYNCHRONOUS_IO_NONALERT, *, owned: bool = True
    ) -> None:
        """``owned``: close ``fd`` with the last handle (a process's own standard descriptors stay open)."""
        super().__init__(access, options)
        self.fd = fd
        self._owned = owned
        mode = os.fstat(fd).st_mode
        self.is_pipe = stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)
        if self.is_pipe:
            self.device_type = FILE_DEVICE_NAMED_PIPE
        elif stat.S_ISCHR(mode):
            self.device_type = FILE_DEVICE_CONSOLE if os.isatty(fd) else FILE_DEVICE_NULL
        self._pollable = True
        self._waiting = 0  # how many calls wait in the event loop

    async def _ready(self, writing: bool) -> None:
        """Wait until the descriptor can be read (or written) without blocking.

        Raises:
            NtError: STATUS_CANCELLED: the last handle has been closed meanwhile.
        """
        while self._pollable:
            if self.fd < 0:
                raise NtError(STATUS_CANCELLED)
            poll = select.poll()
            poll.register(self.fd, select.POLLOUT if writing else select.POLLIN)
            if poll.poll(0):
                return
            await event_loop()
            self._waiting += 1
            try:
                await self._wait_in_loop(writing)
            except OSError as error:
                if error.errno != errno.EPERM:  # epoll does not take what never blocks
                    raise nt_error(error) from None
                self._pollable = False
            finally:
                self._waiting -= 1

    async def _wait_in_loop(self, writing: bool) -> None:
        """Until the descriptor may be ready, or closed."""
        import trio

        wait = trio.lowlevel.wait_writable if writing else trio.lowlevel.wait_readable
        async with _turns.setdefault((self.fd, writing), trio.Lock()):
            if self.fd >= 0:
                try:
                    await wait(self.fd)
                except trio.ClosedResourceError:
                    pass

    async def read(self, thread: Thread, address: int, length: int, offset: int | None, key: int = 0) -> int:
        space = thread.process.space
        space.probe_write(address, length)
        if not length:
            return 0
        while True:
            await self._ready(writing=False)
            try:
                data = os.read(self.fd, min(length, _MAX_READ))
            except BlockingIOError:
                continue
            except OSError as error:
                if error.errno == errno.EIO:  # the terminal is gone
                    raise NtError(STATUS_END_OF_FILE) from None
                raise nt_error(error) from None
            break
        if not data:
            raise NtError(STATUS_END_OF_FILE)
        space.write(address, data)
        return len(data)

    async def write(self, thread: Thread, address: int, length: int, offset: int | None, key: int = 0) -> int:
        space = thread.process.space
        space.readable(address, length)
        done = 0
        while done < length:
            await self._ready(writing=True)
            try:
                # Looked up each time: while we waited, others may have freed the memory, which is somebody's again.
                views = space.readable(address + done, min(length - done, _CHUNK))
                done += os.writev(self.fd, views)
            except BlockingIOError:
                continue
            except OSError as error:
                raise nt_error(error) from None
            except NtError:
                if done:
                    break
                raise
        return done

    async def file_system_control(
        self, thread: Thread, code: int, address: int, length: int, out_address: int, out_length: int
    ) -> int:
        if code != FSCTL_PIPE_PEEK or not self.is_pipe:
            raise NtError(STATUS_INVALID_DEVICE_REQUEST)
        if out_length < _PEEK_HEADER:
            raise NtError(STATUS_BUFFER_TOO_SMALL)
        available = self.available()
        header = FILE_PIPE_CONNECTED_STATE.to_bytes(4, "little") + available.to_bytes(4, "little") + bytes(8)
        thread.process.space.write(out_address, header)
        return _PEEK_HEADER

    def query(self, information_class: int) -> bytes:
        """What NT's pipe file system says of a pipe without limits; other streams have no information."""
        if not self.is_pipe:
            raise NtError(STATUS_INVALID_INFO_CLASS)
        if information_class == FileBasicInformation:
            return struct.pack("<qqqqI4x", 0, 0, 0, 0, FILE_ATTRIBUTE_NORMAL)
        if information_class == FileStandardInformation:
            return struct.pack("<qqIBB2x", 0, self._readable(), 1, 0, 0)
        if information_class == FilePositionInformation:
            return bytes(8)
        if information_class == FilePipeInformation:
            return bytes(8)
        if information_class == FilePipeLocalInformation:
            reads = self.access & FILE_READ_DATA
            state = FILE_PIPE_CONNECTED_STATE
            return struct.pack("<10I", 0, 0, 1, 1, _QUOTA, self._readable() if reads else 0, _QUOTA, _QUOTA, state, 0)
        raise NtError(STATUS_INVALID_INFO_CLASS)

    def set(self, information_class: int, data: bytes) -> None:
        if information_class != FilePipeInformation or not self.is_pipe:
            raise NtError(STATUS_INVALID_INFO_CLASS)
        if any(data[:8]):  # only bytes, and only waiting
            raise NtError(STATUS_INVALID_PARAMETER)

    def _readable(self) -> int:
        try:
            return self.available() if self.access & FILE_READ_DATA else 0
        except NtError:
            return 0

    def available(self) -> int:
        """Bytes that can be read now.

        Raises:
            NtError: STATUS_PIPE_BROKEN when there are none and never will be.
        """
        import fcntl
        import termios

        count = int.from_bytes(fcntl.ioctl(self.fd, termios.FIONREAD, bytes(4)), "little")
        if not count:
            poll = select.poll()
            poll.register(self.fd, select.POLLIN)
            if any(events & (select.POLLHUP | select.POLLERR) for _, events in poll.poll(0)):
                raise NtError(STATUS_PIPE_BROKEN)
        return count

    def cleanup(self) -> None:
        if self._owned and self.fd >= 0:
            if self._waiting:
                import trio

                trio.lowlevel.notify_closing(self.fd)
            os.close(self.fd)
            self.fd = -1
