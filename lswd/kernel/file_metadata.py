"""What NT knows about a file and how Linux keeps it: attributes, times, sizes, identity.

    READONLY                  no write permission for the owner
    HIDDEN, SYSTEM, ARCHIVE   extended attribute ``user.DOSATTRIB`` (as Samba and Wine have it), where there are any
    creation time             extended attribute ``user.lsw.created`` once set, else the earlier of mtime and ctime

Source: [MS-FSCC] 2.6 "File Attributes", 2.4.7 "FileBasicInformation".
"""

from __future__ import annotations

import errno
import os
import stat

from lswd.kernel.wait import EPOCH_DIFFERENCE
from lswd.ntdef.file import (
    FILE_ATTRIBUTE_ARCHIVE,
    FILE_ATTRIBUTE_DIRECTORY,
    FILE_ATTRIBUTE_HIDDEN,
    FILE_ATTRIBUTE_NORMAL,
    FILE_ATTRIBUTE_READONLY,
    FILE_ATTRIBUTE_REPARSE_POINT,
    FILE_ATTRIBUTE_SYSTEM,
    IO_REPARSE_TAG_MOUNT_POINT,
    IO_REPARSE_TAG_SYMLINK,
)
from lswd.ntdef.status import (
    STATUS_ACCESS_DENIED,
    STATUS_DIRECTORY_NOT_EMPTY,
    STATUS_DISK_FULL,
    STATUS_FILE_IS_A_DIRECTORY,
    STATUS_INVALID_PARAMETER,
    STATUS_IO_DEVICE_ERROR,
    STATUS_MEDIA_WRITE_PROTECTED,
    STATUS_NAME_TOO_LONG,
    STATUS_NO_MEMORY,
    STATUS_NOT_A_DIRECTORY,
    STATUS_NOT_SAME_DEVICE,
    STATUS_OBJECT_NAME_COLLISION,
    STATUS_OBJECT_NAME_NOT_FOUND,
    STATUS_PIPE_BROKEN,
    STATUS_PIPE_NOT_AVAILABLE,
    STATUS_REPARSE_POINT_NOT_RESOLVED,
    STATUS_SHARING_VIOLATION,
    STATUS_TOO_MANY_OPENED_FILES,
    NtError,
)

JUNCTION_END = "/."
_DOS_ATTRIBUTES = "user.DOSATTRIB"
_CREATED = "user.lsw.created"
STORED = FILE_ATTRIBUTE_HIDDEN | FILE_ATTRIBUTE_SYSTEM | FILE_ATTRIBUTE_ARCHIVE
_SETTABLE = STORED | FILE_ATTRIBUTE_READONLY

_STATUS_OF_ERRNO = {
    errno.ENOENT: STATUS_OBJECT_NAME_NOT_FOUND,
    errno.EACCES: STATUS_ACCESS_DENIED,
    errno.EPERM: STATUS_ACCESS_DENIED,
    errno.EROFS: STATUS_MEDIA_WRITE_PROTECTED,
    errno.ENOSPC: STATUS_DISK_FULL,
    errno.EDQUOT: STATUS_DISK_FULL,
    errno.EFBIG: STATUS_DISK_FULL,
    errno.EEXIST: STATUS_OBJECT_NAME_COLLISION,
    errno.EISDIR: STATUS_FILE_IS_A_DIRECTORY,
    errno.ENOTDIR: STATUS_NOT_A_DIRECTORY,
    errno.ENOTEMPTY: STATUS_DIRECTORY_NOT_EMPTY,
    errno.EXDEV: STATUS_NOT_SAME_DEVICE,
    errno.EMFILE: STATUS_TOO_MANY_OPENED_FILES,
    errno.ENFILE: STATUS_TOO_MANY_OPENED_FILES,
    errno.ENAMETOOLONG: STATUS_NAME_TOO_LONG,
    errno.ELOOP: STATUS_REPARSE_POINT_NOT_RESOLVED,
    errno.ENOMEM: STATUS_NO_MEMORY,
    errno.EINVAL: STATUS_INVALID_PARAMETER,
    errno.ETXTBSY: STATUS_SHARING_VIOLATION,
    errno.EBUSY: STATUS_SHARING_VIOLATION,
    errno.EPIPE: STATUS_PIPE_BROKEN,
    errno.ECONNRESET: STATUS_PIPE_BROKEN,
    errno.ENXIO: STATUS_PIPE_NOT_AVAILABLE,
}


def nt_error(error: OSError) -> NtError:
    """The failure the guest sees for a failed host call."""
    return NtError(_STATUS_OF_ERRNO.get(error.errno or 0, STATUS_IO_DEVICE_ERROR))


def nt_time(ns: int) -> int:
    """Unix time in nanoseconds to NT's."""
    return ns // 100 + EPOCH_DIFFERENCE


def unix_ns(time: int) -> int:
    """NT's time to Unix time in nanoseconds."""
    return (time - EPOCH_DIFFERENCE) * 100


def link_tag(path: str) -> int:
    """The reparse tag of the host's link at ``path``: a junction's target ends in "/.", for which the host does not
    care."""
    try:
        target = os.readlink(path)
    except OSError:
        target = ""
    junction = target.startswith("/") and target.endswith(JUNCTION_END)
    return IO_REPARSE_TAG_MOUNT_POINT if junction else IO_REPARSE_TAG_SYMLINK


def is_directory_link(path: str) -> bool:
    """Does the link at ``path`` count as a directory?"""
    return os.path.isdir(path) or link_tag(path) == IO_REPARSE_TAG_MOUNT_POINT


class Metadata:
    """One look at a file: its stat result and the attributes and times that derive from it."""

    __slots__ = ("accessed", "attributes", "changed", "created", "reparse_tag", "stat", "written")

    def __init__(self, found: os.stat_result, path: str | int) -> None:
        """``path``: where the extended attributes are: a path, an open descriptor, or "" for none."""
        self.stat = found
        self.accessed = nt_time(found.st_atime_ns)
        self.written = nt_time(found.st_mtime_ns)
        self.changed = nt_time(found.st_ctime_ns)
        self.created = min(self.written, self.changed)
        mode = found.st_mode
        attributes = self.reparse_tag = 0
        if stat.S_ISDIR(mode):
            attributes = FILE_ATTRIBUTE_DIRECTORY
        elif stat.S_ISREG(mode):
            attributes = FILE_ATTRIBUTE_ARCHIVE
        elif stat.S_ISLNK(mode):
            attributes = FILE_ATTRIBUTE_REPARSE_POINT
            self.reparse_tag = IO_REPARSE_TAG_SYMLINK
            if isinstance(path, str):
                self.reparse_tag = link_tag(path)
                if is_directory_link(path):
                    attributes |= FILE_ATTRIBUTE_DIRECTORY
        if not mode & stat.S_IWUSR:
            attributes |= FILE_ATTRIBUTE_READONLY
        if path != "" and not stat.S_ISLNK(mode):
            names = _extended_names(path)
            if _DOS_ATTRIBUTES in names:
                stored = _stored_attributes(path)
                if stored is not None:
                    attributes = attributes & ~STORED | stored
            if _CREATED in names:
                self.created = _stored_creation(path) or self.created
        self.attributes = attributes or FILE_ATTRIBUTE_NORMAL

    @property
    def is_directory(self) -> bool:
        return bool(self.attributes & FILE_ATTRIBUTE_DIRECTORY)

    @property
    def size(self) -> int:
        """End of file: 0 for a directory or a link."""
        return self.stat.st_size if stat.S_ISREG(self.stat.st_mode) else 0

    @property
    def allocation(self) -> int:
        return self.stat.st_blocks * 512 if stat.S_ISREG(self.stat.st_mode) else 0


def _extended_names(path: str | int) -> list[str]:
    try:
        return os.listxattr(path)
    except OSError:
        return []


def _stored_attributes(path: str | int) -> int | None:
    try:
        text = os.getxattr(path, _DOS_ATTRIBUTES)
    except OSError:
        return None
    try:
        return int(text[:16].rstrip(b"\0"), 16) & STORED
    except ValueError:
        return None  # Samba's newer binary form says more than we keep


def _stored_creation(path: str | int) -> int:
    try:
        data = os.getxattr(path, _CREATED)
    except OSError:
        return 0
    return int.from_bytes(data, "little") if len(data) == 8 else 0


def set_attributes(path: str | int, found: os.stat_result, attributes: int) -> None:
    """Change what can be changed; attributes a file system has no room for are dropped silently.

    Raises:
        OSError: the permissions could not be changed.
    """
    mode = stat.S_IMODE(found.st_mode)
    if stat.S_ISREG(found.st_mode):
        wanted = mode
        if attributes & FILE_ATTRIBUTE_READONLY:
            wanted = mode & ~0o222
        elif not mode & stat.S_IWUSR:
            # Write permission comes back for whoever may read and is not kept out by the umask.
            wanted = mode | stat.S_IWUSR | (mode >> 1 & 0o022 & ~_umask())
        if wanted != mode:
            os.chmod(path, wanted)
    plain = FILE_ATTRIBUTE_ARCHIVE if stat.S_ISREG(found.st_mode) else 0
    stored = attributes & STORED
    try:
        if stored != plain:
            os.setxattr(path, _DOS_ATTRIBUTES, f"0x{stored:x}".encode())
        elif _DOS_ATTRIBUTES in _extended_names(path):
            os.removexattr(path, _DOS_ATTRIBUTES)
    except OSError:
        pass


def set_creation_time(path: str | int, time: int) -> None:
    """Keep a creation time, where the file system has room for it."""
    try:
        os.setxattr(path, _CREATED, time.to_bytes(8, "little"))
    except OSError:
        pass


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
