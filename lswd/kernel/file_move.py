"""Giving an open file another name: rename and hard link.

Source: [MS-FSA] 2.1.5.15.11 "FileRenameInformation", 2.1.5.15.6 "FileLinkInformation".
"""

from __future__ import annotations

import os
import stat

from lswd.host.names import to_host_name
from lswd.kernel.file_metadata import nt_error
from lswd.ntdef.status import (
    STATUS_ACCESS_DENIED,
    STATUS_FILE_IS_A_DIRECTORY,
    STATUS_NOT_SUPPORTED,
    STATUS_OBJECT_NAME_COLLISION,
    STATUS_OBJECT_NAME_INVALID,
    NtError,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.host.drives import Resolution
    from lswd.kernel.file_block import FileControlBlock
    from lswd.kernel.file_disk import DiskObject
    from lswd.kernel.volume import Volume

REPLACE_IF_EXISTS = 0x1
POSIX_SEMANTICS = 0x2
IGNORE_READONLY_ATTRIBUTE = 0x40


class _Target:
    """Where the new name is: the file there now, if any, and the new file's path on both sides."""

    __slots__ = ("dos", "found", "host", "volume")

    def __init__(self, volume: Volume, dos_path: str) -> None:
        found = volume.drives.resolve(dos_path, follow_last=False)
        name = dos_path.rstrip("\\").rpartition("\\")[2]
        if not name or found.dos.endswith("\\"):  # the root
            raise NtError(STATUS_OBJECT_NAME_COLLISION)
        if name[-7:].upper() == "::$DATA":
            raise NtError(STATUS_OBJECT_NAME_INVALID)
        self.volume = volume
        self.found: Resolution = found
        # A file that is there under another spelling of the name makes way for the spelling asked for.
        self.host = os.path.join(os.path.dirname(found.host), to_host_name(name))
        self.dos = found.dos.rpartition("\\")[0] + "\\" + name

    def replace(self, blocks: dict[tuple[int, int], FileControlBlock], flags: int) -> None:
        """Check that the file there may be replaced, and remove it if it is spelled differently."""
        there = self.found.stat
        assert there is not None
        if not flags & REPLACE_IF_EXISTS:
            raise NtError(STATUS_OBJECT_NAME_COLLISION)
        if stat.S_ISDIR(there.st_mode) or self.found.overlay:
            raise NtError(STATUS_ACCESS_DENIED)
        readonly = stat.S_ISREG(there.st_mode) and not there.st_mode & stat.S_IWUSR
        if readonly and not flags & IGNORE_READONLY_ATTRIBUTE:
            raise NtError(STATUS_ACCESS_DENIED)
        block = blocks.get((there.st_dev, there.st_ino))
        if block is not None and block.opens and not flags & POSIX_SEMANTICS:
            raise NtError(STATUS_ACCESS_DENIED)
        if self.host != self.found.host:
            os.unlink(self.found.host)


def rename(file: DiskObject, volume: Volume, dos_path: str, flags: int) -> None:
    """Rename an open file or directory.

    Args:
        volume, dos_path: the new name, complete.
        flags: FILE_RENAME_*.

    Raises:
    """
    if file.overlay or file.dos_path.endswith("\\"):
        raise NtError(STATUS_ACCESS_DENIED)
    target = _Target(volume, dos_path)
    if file.is_directory:
        _check_directory(file, target)
    own = os.fstat(file.fd)
    there = target.found.stat
    same = there is not None and (there.st_dev, there.st_ino) == (own.st_dev, own.st_ino)
    try:
        if there is not None and not same:
            target.replace(file.volume.blocks, flags)
        if same and target.found.host != file.host_path:
            # Another hard link of the same file: Linux's rename would do nothing.
            if not flags & REPLACE_IF_EXISTS:
                raise NtError(STATUS_OBJECT_NAME_COLLISION)
            os.unlink(target.found.host)
        os.rename(file.host_path, target.host)
    except OSError as error:
        raise nt_error(error) from None
    old = file.host_path
    for other in tuple(file.block.opens):
        if other.host_path == old:
            other.host_path = target.host
            other.dos_path = target.dos
            other.volume = volume


def _check_directory(file: DiskObject, target: _Target) -> None:
    inside = file.host_path + "/"
    if (target.host + "/").startswith(inside) and target.host != file.host_path:
        raise NtError(STATUS_ACCESS_DENIED)
    for block in file.volume.blocks.values():
        for other in block.opens:
            if other.host_path.startswith(inside):
                raise NtError(STATUS_ACCESS_DENIED)


def link(file: DiskObject, volume: Volume, dos_path: str, flags: int) -> None:
    """Give an open file a further name. Arguments and errors as for ``rename``."""
    if file.is_directory:
        raise NtError(STATUS_FILE_IS_A_DIRECTORY)
    if file.overlay:
        raise NtError(STATUS_NOT_SUPPORTED)
    target = _Target(volume, dos_path)
    try:
        there = target.found.stat
        if there is not None:
            own = os.fstat(file.fd)
            if flags & REPLACE_IF_EXISTS and (there.st_dev, there.st_ino) == (own.st_dev, own.st_ino):
                return
            target.replace(file.volume.blocks, flags)
            if target.host == target.found.host:
                os.unlink(target.host)
        os.link(file.host_path, target.host, follow_symlinks=False)
    except OSError as error:
        raise nt_error(error) from None
