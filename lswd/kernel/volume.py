"""A drive as an NT device, and opening or creating files on it.

Source: [MS-FSA] 2.1.5.1 "Server Requests an Open of a File", Microsoft "NtCreateFile".
"""

from __future__ import annotations

import os
import stat
import time

from lswd.kernel.file import FileDevice, FileObject
from lswd.kernel.file_block import READS, WRITES, FileControlBlock, block_of, check_deletable
from lswd.kernel.file_disk import kind_of
from lswd.kernel.file_mapping import mapped_by_data, mapped_by_image
from lswd.kernel.file_metadata import (
    STORED,
    Metadata,
    is_directory_link,
    nt_error,
    nt_time,
    set_attributes,
    set_creation_time,
)
from lswd.kernel.file_stream import StreamFile
from lswd.kernel.object import DELETE, MAXIMUM_ALLOWED
from lswd.kernel.redirection import redirected
from lswd.ntdef import file as nt
from lswd.ntdef.status import (
    STATUS_ACCESS_DENIED,
    STATUS_CANNOT_DELETE,
    STATUS_DELETE_PENDING,
    STATUS_FILE_IS_A_DIRECTORY,
    STATUS_INVALID_PARAMETER,
    STATUS_NOT_A_DIRECTORY,
    STATUS_NOT_SUPPORTED,
    STATUS_OBJECT_NAME_COLLISION,
    STATUS_OBJECT_NAME_INVALID,
    STATUS_OBJECT_NAME_NOT_FOUND,
    STATUS_SHARING_VIOLATION,
    STATUS_USER_MAPPED_FILE,
    NtError,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.host.drives import Resolution
    from lswd.kernel.file import OpenParameters
    from lswd.kernel.process import Process
    from lswd.kernel.system import System

_CHANGES = WRITES | nt.FILE_WRITE_EA | nt.FILE_WRITE_ATTRIBUTES | DELETE
_OWN_RIGHTS = 0x1FF  # those that mean something to files only
_REPLACING = (nt.FILE_SUPERSEDE, nt.FILE_OVERWRITE, nt.FILE_OVERWRITE_IF)


def volume_guid_name(letter: str) -> str:
    """The name of a drive's volume below ``\\??\\``."""
    return f"Volume{{00000000-0000-0000-0000-{ord(letter.upper()):012x}}}"


class Volume(FileDevice):
    """One drive letter's file system."""

    def __init__(self, system: System, blocks: dict[tuple[int, int], FileControlBlock], letter: str) -> None:
        super().__init__()
        self._system = system
        self.drives = system.drives
        self.blocks = blocks
        self.letter = letter

    @property
    def serves_wine(self) -> bool:
        """Are the DLLs Wine's, which expect some answers to be different from NT's?"""
        return "wine_get_version" in self._system.userland.ntdll_exports

    def object_name(self, dos_path: str) -> str:
        """What NtQueryObject calls a file: NT names the device, Wine's kernelbase wants ``\\??\\C:\\dir\\file``."""
        return "\\??\\" + dos_path if self.serves_wine else self.path() + dos_path[2:]

    def create_pipe(self, process: Process, rest: str, parameters: OpenParameters) -> FileObject:
        raise NtError(STATUS_OBJECT_NAME_INVALID)

    def open(self, process: Process, rest: str, parameters: OpenParameters) -> FileObject:
        """Open what follows the device's name; nothing means the volume itself."""
        if not rest:
            return VolumeFile(self, parameters)
        return self.open_path(process, redirected(process, f"{self.letter}:{rest}"), parameters)

    def open_path(
        self, process: Process, dos_path: str, parameters: OpenParameters, *, below: str = ""
    ) -> FileObject:
        """Open or create ``X:\\dir\\file``.

        Args:
            below: what it begins with is open already, so links in that part are of no interest.

        Raises:
            NtError: STATUS_OBJECT_NAME_NOT_FOUND, _PATH_NOT_FOUND, _NAME_COLLISION, STATUS_SHARING_VIOLATION, ...
        """
        options, disposition = parameters.options, parameters.disposition
        follow = not options & nt.FILE_OPEN_REPARSE_POINT
        if not parameters.access & (_OWN_RIGHTS | MAXIMUM_ALLOWED):
            if options & nt.FILE_DIRECTORY_FILE and parameters.access & DELETE and self.serves_wine:
                follow = False  # Wine's RemoveDirectory does not say that it means a link itself
            # Wine's kernelbase opens a file for SYNCHRONIZE or DELETE alone and then goes for its attributes.
            parameters.access |= nt.FILE_READ_ATTRIBUTES | nt.FILE_WRITE_ATTRIBUTES
        if options & nt.FILE_OPEN_BY_FILE_ID:
            raise NtError(STATUS_NOT_SUPPORTED)
        links = None if parameters.through_links else len([name for name in below[3:].split("\\") if name])
        for _ in range(3):
            found = self.drives.resolve(dos_path, follow_last=follow, links=links)
            if not found.exists:
                if disposition in (nt.FILE_OPEN, nt.FILE_OVERWRITE):
                    raise NtError(STATUS_OBJECT_NAME_NOT_FOUND)
                opened = self._create(found, parameters)
            else:
                opened = self._open(process, found, parameters)
            if opened is not None:
                return opened
        raise NtError(STATUS_SHARING_VIOLATION)  # it comes and goes faster than we can look

    def make_link(self, process: Process, rest: str, target: str, *, relative: bool, directory: bool) -> None:
        from lswd.kernel.reparse import host_target

        if not rest:
            raise NtError(STATUS_OBJECT_NAME_COLLISION)
        dos_path = redirected(process, f"{self.letter}:{rest}")
        found = self.drives.resolve(dos_path, follow_last=False)
        if found.exists:
            raise NtError(STATUS_OBJECT_NAME_COLLISION)
        if found.must_be_directory and not directory:
            raise NtError(STATUS_OBJECT_NAME_INVALID)
        try:
            os.symlink(host_target(self.drives, dos_path, target, relative), found.host)
        except OSError as error:
            raise nt_error(error) from None

    def look(self, process: Process, rest: str, *, links_known: bool = False) -> Metadata:
        if not rest:
            raise NtError(STATUS_INVALID_PARAMETER)
        return self.look_at(redirected(process, f"{self.letter}:{rest}"), links_known=links_known)

    def look_at(self, dos_path: str, *, links_known: bool = False) -> Metadata:
        """``look`` for a DOS path.

        A link is shown itself, as a reparse point. Wine's FindFirstFile loses the reparse tag without which a program
        cannot know it for a link, so there it is shown as what it leads to, marked only if that is a directory, and not
        at all when it leads nowhere. ``links_known``: not so where the caller gets the reparse tag, too.

        Raises:
            NtError: STATUS_OBJECT_NAME_NOT_FOUND, STATUS_DELETE_PENDING and what resolving the path says.
        """
        found = self.drives.resolve(dos_path, follow_last=False)
        through_link = found.stat is not None and stat.S_ISLNK(found.stat.st_mode)
        through_link = through_link and self.serves_wine and not links_known
        if through_link:
            found = self.drives.resolve(dos_path)
        if found.stat is None:
            raise NtError(STATUS_OBJECT_NAME_NOT_FOUND)
        block = self.blocks.get((found.stat.st_dev, found.stat.st_ino))
        if block is not None and block.delete_pending:
            raise NtError(STATUS_DELETE_PENDING)
        metadata = Metadata(found.stat, "" if found.overlay else found.host)
        if through_link and metadata.is_directory:
            metadata.attributes |= nt.FILE_ATTRIBUTE_REPARSE_POINT
        return metadata

    def _create(self, found: Resolution, parameters: OpenParameters) -> FileObject | None:
        """Create a file or directory; None when somebody else has just done so."""
        options = parameters.options
        if options & nt.FILE_DIRECTORY_FILE:
            try:
                os.mkdir(found.host)
            except FileExistsError:
                return None
            except OSError as error:
                raise nt_error(error) from None
            flags = os.O_RDONLY | os.O_DIRECTORY
        else:
            if found.must_be_directory:
                raise NtError(STATUS_OBJECT_NAME_INVALID)
            if parameters.attributes & nt.FILE_ATTRIBUTE_READONLY and options & nt.FILE_DELETE_ON_CLOSE:
                raise NtError(STATUS_CANNOT_DELETE)
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL
        mode = 0o444 if parameters.attributes & nt.FILE_ATTRIBUTE_READONLY else 0o666
        try:
            fd = os.open(found.host, flags | os.O_CLOEXEC | os.O_NOFOLLOW, mode)
        except FileExistsError:
            return None
        except OSError as error:
            raise nt_error(error) from None
        own = os.fstat(fd)
        # The host does not tell it of a file that has been written to since.
        set_creation_time(fd, nt_time(own.st_mtime_ns))
        if self._system.directory_watches is not None:
            self._system.directory_watches.expect(os.path.basename(found.host))
        plain = 0 if options & nt.FILE_DIRECTORY_FILE else nt.FILE_ATTRIBUTE_ARCHIVE
        wanted = parameters.attributes & STORED | plain
        if wanted != plain:
            set_attributes(fd, own, wanted | parameters.attributes & nt.FILE_ATTRIBUTE_READONLY)
        parameters.information = nt.FILE_CREATED
        if parameters.access & MAXIMUM_ALLOWED:
            parameters.access = nt.FILE_ALL_ACCESS
        return self._finish(found, own, fd, parameters, path_only=False)

    def _open(self, process: Process, found: Resolution, parameters: OpenParameters) -> FileObject | None:
        """Open what is there; None when it has just gone."""
        options, disposition = parameters.options, parameters.disposition
        status = found.stat
        assert status is not None
        block = self.blocks.get((status.st_dev, status.st_ino))
        if block is not None and block.delete_pending:
            raise NtError(STATUS_DELETE_PENDING)
        if disposition == nt.FILE_CREATE:
            parameters.information = nt.FILE_EXISTS
            raise NtError(STATUS_OBJECT_NAME_COLLISION)
        directory = stat.S_ISDIR(status.st_mode)
        if stat.S_ISLNK(status.st_mode):
            directory = is_directory_link(found.host)
        if directory and options & nt.FILE_NON_DIRECTORY_FILE:
            raise NtError(STATUS_FILE_IS_A_DIRECTORY)
        if not directory and options & nt.FILE_DIRECTORY_FILE:
            raise NtError(STATUS_NOT_A_DIRECTORY)
        if directory and disposition in _REPLACING:
            raise NtError(STATUS_OBJECT_NAME_COLLISION)
        replacing = disposition in _REPLACING
        readonly = self._check_access(found, status, parameters)
        self._check_mapping(process, status, parameters)
        if block is not None:
            extra = nt.FILE_WRITE_DATA if replacing else 0
            block.check_share(parameters.access & ~MAXIMUM_ALLOWED | extra, parameters.share)
        try:
            fd, path_only = _open_host(found, status, parameters, readonly)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise nt_error(error) from None
        own = os.fstat(fd)
        if (own.st_dev, own.st_ino) != (status.st_dev, status.st_ino):
            os.close(fd)
            return None
        if not (stat.S_ISREG(own.st_mode) or stat.S_ISDIR(own.st_mode) or path_only):
            parameters.information = nt.FILE_OPENED
            os.set_blocking(fd, True)
            return StreamFile(fd, parameters.access, options)
        parameters.information = nt.FILE_OPENED
        if replacing:
            self._replace(fd, own, parameters)
        return self._finish(found, own, fd, parameters, path_only=path_only)

    @staticmethod
    def _check_access(found: Resolution, status: os.stat_result, parameters: OpenParameters) -> bool:
        """NT's own checks, which hold for root too; returns whether the file cannot be written."""
        access = parameters.access
        replacing = parameters.disposition in _REPLACING
        readonly = stat.S_ISREG(status.st_mode) and not status.st_mode & stat.S_IWUSR
        if found.overlay and (replacing or access & _CHANGES & ~nt.FILE_WRITE_ATTRIBUTES):
            raise NtError(STATUS_ACCESS_DENIED)
        if readonly:
            if access & WRITES or replacing:
                raise NtError(STATUS_ACCESS_DENIED)
            if parameters.options & nt.FILE_DELETE_ON_CLOSE:
                raise NtError(STATUS_CANNOT_DELETE)
        if replacing and stat.S_ISREG(status.st_mode):
            kept = Metadata(status, found.host).attributes & (nt.FILE_ATTRIBUTE_HIDDEN | nt.FILE_ATTRIBUTE_SYSTEM)
            if kept & ~parameters.attributes:
                raise NtError(STATUS_ACCESS_DENIED)
        return readonly or found.overlay

    @staticmethod
    def _check_mapping(process: Process, status: os.stat_result, parameters: OpenParameters) -> None:
        """A running image is not written to or deleted, a mapped file is not truncated."""
        replacing = parameters.disposition in _REPLACING
        deleting = parameters.options & nt.FILE_DELETE_ON_CLOSE
        if not (replacing or deleting or parameters.access & WRITES) or not stat.S_ISREG(status.st_mode):
            return
        key = (status.st_dev, status.st_ino)
        if mapped_by_image(process, key):
            raise NtError(STATUS_CANNOT_DELETE if deleting else STATUS_SHARING_VIOLATION)
        if replacing and mapped_by_data(process, key):
            raise NtError(STATUS_USER_MAPPED_FILE)

    @staticmethod
    def _replace(fd: int, own: os.stat_result, parameters: OpenParameters) -> None:
        superseding = parameters.disposition == nt.FILE_SUPERSEDE
        parameters.information = nt.FILE_SUPERSEDED if superseding else nt.FILE_OVERWRITTEN
        try:
            os.ftruncate(fd, 0)
            if superseding:
                set_creation_time(fd, nt_time(time.time_ns()))
            set_attributes(fd, own, parameters.attributes | nt.FILE_ATTRIBUTE_ARCHIVE)
        except OSError as error:
            os.close(fd)
            raise nt_error(error) from None

    def _finish(
        self, found: Resolution, own: os.stat_result, fd: int, parameters: OpenParameters, *, path_only: bool
    ) -> FileObject:
        block = block_of(self.blocks, own)
        kind = kind_of(own)
        file = kind(
            self, block, found.host, found.dos, fd, parameters, path_only=path_only, overlay=found.overlay
        )  # fmt: skip
        if parameters.options & nt.FILE_DELETE_ON_CLOSE:
            try:
                check_deletable(file)
            except NtError:
                file.cleanup()
                raise
            file.delete_on_close = True
        return file


def _open_host(
    found: Resolution, status: os.stat_result, parameters: OpenParameters, readonly: bool
) -> tuple[int, bool]:
    """A descriptor with the rights asked for, and whether it is only good for looking at metadata."""
    access = parameters.access
    flags = os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
    if stat.S_ISLNK(status.st_mode):
        return os.open(found.host, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC), True
    if access & MAXIMUM_ALLOWED:
        tries = [(os.O_RDONLY, nt.FILE_ALL_ACCESS & ~WRITES), (os.O_PATH, nt.FILE_ALL_ACCESS & ~WRITES & ~READS)]
        if not readonly and not stat.S_ISDIR(status.st_mode):
            tries.insert(0, (os.O_RDWR, nt.FILE_ALL_ACCESS))
        for how, granted in tries:
            try:
                fd = os.open(found.host, how | flags)
            except PermissionError:
                continue
            parameters.access = granted
            return fd, how == os.O_PATH
        raise NtError(STATUS_ACCESS_DENIED)
    reads = bool(access & READS)
    writes = bool(access & WRITES) or parameters.disposition in _REPLACING
    if stat.S_ISDIR(status.st_mode):
        writes = False
    if not reads and not writes:
        return os.open(found.host, os.O_PATH | os.O_CLOEXEC), True
    how = os.O_RDWR if reads and writes else os.O_WRONLY if writes else os.O_RDONLY
    return os.open(found.host, how | flags), False


class VolumeFile(FileObject):
    """A volume opened itself (``\\\\.\\C:``): it can be asked about, not read."""

    device_type = nt.FILE_DEVICE_DISK_FILE_SYSTEM
    characteristics = nt.FILE_DEVICE_IS_MOUNTED

    def __init__(self, volume: Volume, parameters: OpenParameters) -> None:
        parameters.information = nt.FILE_OPENED
        if parameters.access & MAXIMUM_ALLOWED:
            parameters.access = nt.FILE_GENERIC_READ
        super().__init__(parameters.access, parameters.options)
        self.volume = volume

    def path(self) -> str:
        return self.volume.object_name(f"{self.volume.letter}:")

    def open_relative(self, process: Process, name: str, parameters: OpenParameters) -> FileObject:
        return self.volume.open_path(process, f"{self.volume.letter}:\\{name}", parameters)
