"""Files, directories and links on a drive, open.

Reads and writes go straight between the host file and guest memory. The descriptor is opened with the user's own rights
and no more than was asked for; an open that only looks at attributes uses O_PATH, which opens anything.
Source: Microsoft "NtReadFile", "NtWriteFile"; [MS-FSA] 2.1.5.
"""

from __future__ import annotations

import os
import stat
import struct

from lswd.kernel.file import SYNCHRONOUS, FileObject
from lswd.kernel.file_metadata import Metadata, nt_error
from lswd.ntdef.file import (
    FILE_APPEND_DATA,
    FILE_DEVICE_DISK_FILE_SYSTEM,
    FILE_DEVICE_IS_MOUNTED,
    FILE_USE_FILE_POINTER_POSITION,
    FILE_WRITE_DATA,
    FILE_WRITE_TO_END_OF_FILE,
)
from lswd.ntdef.status import (
    STATUS_DISK_FULL,
    STATUS_END_OF_FILE,
    STATUS_FILE_LOCK_CONFLICT,
    STATUS_INVALID_PARAMETER,
    NtError,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.kernel.directory_watch import DirectoryWatch
    from lswd.kernel.file import OpenParameters
    from lswd.kernel.file_block import FileControlBlock
    from lswd.kernel.file_listing import Listing
    from lswd.kernel.process import Process
    from lswd.kernel.thread import Thread
    from lswd.kernel.volume import Volume

_MAX_VECTOR = 1024  # IOV_MAX
_MAX_OFFSET = (1 << 63) - 1
FSCTL_GET_OBJECT_ID = 0x9009C
_OBJECT_ID = struct.Struct("<QQ48x")  # FILE_OBJECTID_BUFFER


class DiskObject(FileObject):
    """What files, directories and links on a drive share.

    Attributes:
        volume: the drive; block: what all opens of the same file share.
        host_path, dos_path: where it is, on both sides; renaming changes them.
        fd: its descriptor (``path_only``: opened with O_PATH).
        overlay: it comes from the userland and cannot be changed.
        delete_on_close: delete it when this handle is closed.
    """

    device_type = FILE_DEVICE_DISK_FILE_SYSTEM
    characteristics = FILE_DEVICE_IS_MOUNTED

    def __init__(
        self,
        volume: Volume,
        block: FileControlBlock,
        host: str,
        dos: str,
        fd: int,
        parameters: OpenParameters,
        *,
        path_only: bool,
        overlay: bool,
    ) -> None:
        """Takes over ``fd``."""
        super().__init__(parameters.access, parameters.options)
        self.volume = volume
        self.block = block
        self.host_path = host
        self.dos_path = dos
        self.fd = fd
        self.share = parameters.share
        self.granted_write = bool(self.access & FILE_WRITE_DATA)
        self.path_only = path_only
        self.overlay = overlay
        self.delete_on_close = False
        self.posix_delete = False
        block.opens.append(self)

    @property
    def where(self) -> int | str:
        """What to give to ``os`` functions that change metadata: an O_PATH descriptor will not do."""
        return f"/proc/self/fd/{self.fd}" if self.path_only else self.fd

    def metadata(self) -> Metadata:
        """Attributes, times and sizes as they are now."""
        try:
            found = os.fstat(self.fd)
            place = self.host_path if stat.S_ISLNK(found.st_mode) else self.where
            return Metadata(found, "" if self.overlay else place)
        except OSError as error:
            raise nt_error(error) from None

    def section_fd(self) -> int:
        if self.path_only:
            try:
                return os.open(f"/proc/self/fd/{self.fd}", os.O_RDONLY | os.O_CLOEXEC)
            except OSError as error:
                raise nt_error(error) from None
        return os.dup(self.fd)

    def path(self) -> str:
        return self.volume.object_name(self.dos_path)

    def file_name(self) -> str:
        return self.dos_path[2:] or "\\"

    def open_relative(self, process: Process, name: str, parameters: OpenParameters) -> FileObject:
        path = self.dos_path.rstrip("\\") + ("\\" + name if name else "")
        return self.volume.open_path(process, path, parameters, below=self.dos_path)

    async def flush(self, thread: Thread, *, data_only: bool = False) -> None:
        if not self.path_only:
            try:
                (os.fdatasync if data_only else os.fsync)(self.fd)
            except OSError as error:
                raise nt_error(error) from None

    async def file_system_control(
        self, thread: Thread, code: int, address: int, length: int, out_address: int, out_length: int
    ) -> int:
        if code == FSCTL_GET_OBJECT_ID and out_length >= _OBJECT_ID.size:
            # Wine's loader asks this of every DLL, to know one again that it has loaded under another name.
            found = os.fstat(self.fd)
            thread.process.space.write(out_address, _OBJECT_ID.pack(found.st_dev, found.st_ino))
            return _OBJECT_ID.size
        from lswd.kernel.file_control import control

        return control(self, thread.process.space, code, address, length, out_address, out_length)

    def cleanup(self) -> None:
        self.block.closed(self)
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


class DiskFile(DiskObject):
    """A regular file. ``position`` is where reads and writes without an offset go on."""

    immediate = True
    position: int = 0

    def __init__(
        self,
        volume: Volume,
        block: FileControlBlock,
        host: str,
        dos: str,
        fd: int,
        parameters: OpenParameters,
        *,
        path_only: bool,
        overlay: bool,
    ) -> None:
        super().__init__(volume, block, host, dos, fd, parameters, path_only=path_only, overlay=overlay)
        self.append_only = parameters.access & (FILE_WRITE_DATA | FILE_APPEND_DATA) == FILE_APPEND_DATA

    def _offset(self, offset: int | None) -> int:
        if offset is None or offset == FILE_USE_FILE_POINTER_POSITION:
            if not self.options & SYNCHRONOUS:
                raise NtError(STATUS_INVALID_PARAMETER)
            return self.position
        if offset < 0:
            raise NtError(STATUS_INVALID_PARAMETER)
        return offset

    async def read(self, thread: Thread, address: int, length: int, offset: int | None, key: int = 0) -> int:
        return self.read_now(thread, address, length, offset, key)

    async def write(self, thread: Thread, address: int, length: int, offset: int | None, key: int = 0) -> int:
        return self.write_now(thread, address, length, offset, key)

    def read_now(self, thread: Thread, address: int, length: int, offset: int | None, key: int = 0) -> int:
        at = self._offset(offset)
        if at + length > _MAX_OFFSET:
            raise NtError(STATUS_INVALID_PARAMETER)
        views = thread.process.space.writable(address, length)
        if self.block.locks and not self.block.locks.allows(self, thread.process, key, at, length, writing=False):
            raise NtError(STATUS_FILE_LOCK_CONFLICT)
        try:
            done = count = os.preadv(self.fd, views[:_MAX_VECTOR], at)
            while count and done < length:
                views = after(views, count)
                count = os.preadv(self.fd, views[:_MAX_VECTOR], at + done)
                done += count
        except OSError as error:
            raise nt_error(error) from None
        if not done and length:
            raise NtError(STATUS_END_OF_FILE)
        if self.options & SYNCHRONOUS:
            self.position = at + done
        return done

    def write_now(self, thread: Thread, address: int, length: int, offset: int | None, key: int = 0) -> int:
        views = thread.process.space.readable(address, length)
        append = self.append_only or offset == FILE_WRITE_TO_END_OF_FILE
        try:
            at = os.fstat(self.fd).st_size if append else self._offset(offset)
            if at + length > _MAX_OFFSET:
                raise NtError(STATUS_INVALID_PARAMETER)
            if self.block.locks and not self.block.locks.allows(self, thread.process, key, at, length, writing=True):
                raise NtError(STATUS_FILE_LOCK_CONFLICT)
            done = 0
            flags = os.RWF_APPEND if append else 0
            while done < length:
                count = os.pwritev(self.fd, views[:_MAX_VECTOR], at + done, flags)
                if not count:
                    raise NtError(STATUS_DISK_FULL)
                done += count
                views = after(views, count)
        except OSError as error:
            raise nt_error(error) from None
        if self.options & SYNCHRONOUS:
            self.position = at + done
        return done

    def set_size(self, size: int) -> None:
        """Set the end of the file."""
        try:
            os.ftruncate(self.fd, size)
        except OSError as error:
            raise nt_error(error) from None


class InheritedFile(DiskFile):
    """A regular file that is somebody's standard stream: its position is the descriptor's own, shared with others."""

    @property
    def position(self) -> int:
        return os.lseek(self.fd, 0, os.SEEK_CUR)

    @position.setter
    def position(self, value: int) -> None:
        if value != os.lseek(self.fd, 0, os.SEEK_CUR):
            os.lseek(self.fd, value, os.SEEK_SET)


class DiskDirectory(DiskObject):
    """A directory. ``listing`` is an enumeration in progress (see kernel.file_listing), ``watch`` collects changes."""

    is_directory = True

    def __init__(
        self,
        volume: Volume,
        block: FileControlBlock,
        host: str,
        dos: str,
        fd: int,
        parameters: OpenParameters,
        *,
        path_only: bool,
        overlay: bool,
    ) -> None:
        super().__init__(volume, block, host, dos, fd, parameters, path_only=path_only, overlay=overlay)
        self.listing: Listing | None = None
        self.watch: DirectoryWatch | None = None

    def on_last_handle(self) -> None:
        if self.watch is not None:
            self.watch.end()
        super().on_last_handle()


class DiskLink(DiskObject):
    """A symbolic link opened itself (FILE_OPEN_REPARSE_POINT): it has no data."""

    async def read(self, thread: Thread, address: int, length: int, offset: int | None, key: int = 0) -> int:
        raise NtError(STATUS_END_OF_FILE)


def after(views: list[memoryview], count: int) -> list[memoryview]:
    """``views`` without their first ``count`` bytes."""
    while views and count >= len(views[0]):
        count -= len(views[0])
        views = views[1:]
    return [views[0][count:], *views[1:]] if count and views else views


def kind_of(found: os.stat_result) -> type[DiskObject]:
    """The class that serves a file of this mode on a drive."""
    if stat.S_ISDIR(found.st_mode):
        return DiskDirectory
    return DiskLink if stat.S_ISLNK(found.st_mode) else DiskFile
