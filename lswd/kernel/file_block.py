"""What all opens of one file share: who has it open and how, its locks, whether it is to be deleted.

One table of these per NT system, keyed by the file's host identity, whatever path led to it.
Source: IoCheckShareAccess; [MS-FSA] 2.1.5.1.2 "Open of an Existing File", 2.1.5.4 "Server Requests Closing an Open".
"""

from __future__ import annotations

import os
import stat

from lswd.kernel.file_metadata import nt_error
from lswd.kernel.object import DELETE
from lswd.ntdef import file as nt
from lswd.ntdef.status import (
    STATUS_ACCESS_DENIED,
    STATUS_CANNOT_DELETE,
    STATUS_DELETE_PENDING,
    STATUS_DIRECTORY_NOT_EMPTY,
    STATUS_SHARING_VIOLATION,
    NtError,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.kernel.file_disk import DiskObject
    from lswd.kernel.file_lock import LockTable

READS = nt.FILE_READ_DATA | nt.FILE_EXECUTE
WRITES = nt.FILE_WRITE_DATA | nt.FILE_APPEND_DATA


class FileControlBlock:
    """What all opens of one file share.

    Attributes:
        opens: the file objects; locks: byte-range locks, or None while there are none.
        delete_pending: the file goes away when the last of them is closed.
    """

    __slots__ = ("delete_pending", "key", "locks", "opens", "_table")

    def __init__(self, table: dict[tuple[int, int], FileControlBlock], key: tuple[int, int]) -> None:
        self._table = table
        self.key = key
        self.opens: list[DiskObject] = []
        self.locks: LockTable | None = None
        self.delete_pending = False

    def check_share(self, access: int, share: int) -> None:
        """May the file be opened this way beside those who have it open?

        Raises:
            NtError: STATUS_SHARING_VIOLATION, STATUS_DELETE_PENDING.
        """
        if self.delete_pending:
            raise NtError(STATUS_DELETE_PENDING)
        if not access & (READS | WRITES | DELETE):
            return
        for other in self.opens:
            if not other.access & (READS | WRITES | DELETE):
                continue
            if _needs(access) & ~other.share or _needs(other.access) & ~share:
                raise NtError(STATUS_SHARING_VIOLATION)

    def closed(self, file: DiskObject) -> None:
        """``file`` is being closed."""
        if file in self.opens:
            self.opens.remove(file)
        if self.locks is not None:
            self.locks.release_all(file)
        if file.delete_on_close:
            self.delete_pending = True
        if self.delete_pending and (not self.opens or file.posix_delete):
            self._delete(file)
        if not self.opens:
            self._table.pop(self.key, None)

    def _delete(self, file: DiskObject) -> None:
        try:
            found = os.lstat(file.host_path)
            own = os.fstat(file.fd)
            if (found.st_dev, found.st_ino) != (own.st_dev, own.st_ino) and not stat.S_ISLNK(found.st_mode):
                return  # somebody has put something else there
            if stat.S_ISDIR(found.st_mode):
                os.rmdir(file.host_path)
            else:
                os.unlink(file.host_path)
        except OSError:
            pass  # closing a handle cannot fail; NT leaves the file too


def _needs(access: int) -> int:
    """The FILE_SHARE_* that others must have granted for this access."""
    share = nt.FILE_SHARE_READ if access & READS else 0
    share |= nt.FILE_SHARE_WRITE if access & WRITES else 0
    return share | (nt.FILE_SHARE_DELETE if access & DELETE else 0)


def check_deletable(file: DiskObject, *, ignore_readonly: bool = False) -> None:
    """May the file be deleted?

    Raises:
        NtError: STATUS_CANNOT_DELETE for a read-only one, STATUS_DIRECTORY_NOT_EMPTY, STATUS_ACCESS_DENIED.
    """
    own = os.fstat(file.fd)
    if file.overlay or file.dos_path.endswith("\\"):
        raise NtError(STATUS_CANNOT_DELETE if file.dos_path.endswith("\\") else STATUS_ACCESS_DENIED)
    if not ignore_readonly and stat.S_ISREG(own.st_mode) and not own.st_mode & stat.S_IWUSR:
        raise NtError(STATUS_CANNOT_DELETE)
    if file.is_directory:
        try:
            with os.scandir(file.host_path) as entries:
                if next(entries, None) is not None:
                    raise NtError(STATUS_DIRECTORY_NOT_EMPTY)
        except OSError as error:
            raise nt_error(error) from None
    parent = os.path.dirname(file.host_path)
    if not os.access(parent, os.W_OK | os.X_OK):
        raise NtError(STATUS_ACCESS_DENIED)


def block_of(table: dict[tuple[int, int], FileControlBlock], found: os.stat_result) -> FileControlBlock:
    """The block of the file that ``found`` is about."""
    key = (found.st_dev, found.st_ino)
    block = table.get(key)
    if block is None:
        block = table[key] = FileControlBlock(table, key)
    return block
