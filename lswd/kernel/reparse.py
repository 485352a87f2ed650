"""Reparse points: symbolic links and junctions, which are the host's symbolic links.

A junction is told from a symbolic link by the "/." that its target ends in: for the host that changes nothing.
Source: [MS-FSCC] 2.1.2.4 "Symbolic Link Reparse Data Buffer", 2.1.2.5 "Mount Point Reparse Data Buffer", 2.3.
"""

from __future__ import annotations

import os
import stat
import struct

from lswd.host.names import is_valid_name, to_guest_name, to_host_name
from lswd.kernel.file_block import block_of
from lswd.kernel.file_disk import DiskObject
from lswd.kernel.file_metadata import JUNCTION_END, is_directory_link, link_tag, nt_error
from lswd.ntdef.file import (
    FILE_OPEN_REPARSE_POINT,
    FILE_WRITE_ATTRIBUTES,
    FILE_WRITE_DATA,
    IO_REPARSE_TAG_MOUNT_POINT,
    IO_REPARSE_TAG_SYMLINK,
)
from lswd.ntdef.status import (
    STATUS_ACCESS_DENIED,
    STATUS_DIRECTORY_NOT_EMPTY,
    STATUS_INVALID_PARAMETER,
    STATUS_IO_REPARSE_DATA_INVALID,
    STATUS_IO_REPARSE_TAG_INVALID,
    STATUS_IO_REPARSE_TAG_MISMATCH,
    STATUS_NOT_A_REPARSE_POINT,
    NtError,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.host.drives import Drives

_HEAD = struct.Struct("<IHH")  # tag, length of the data, reserved
_NAMES = struct.Struct("<4H")  # offset and length of the substitute name, of the print name
_RELATIVE = 1  # SYMLINK_FLAG_RELATIVE
_LONGEST = 16 << 10  # MAXIMUM_REPARSE_DATA_BUFFER_SIZE


def is_link(file: DiskObject) -> bool:
    """Is it a link, opened itself?"""
    return stat.S_ISLNK(os.fstat(file.fd).st_mode)


def read(file: DiskObject) -> bytes:
    """REPARSE_DATA_BUFFER of a link. Raises NtError."""
    if not is_link(file):
        raise NtError(STATUS_NOT_A_REPARSE_POINT)
    try:
        target = os.readlink(file.host_path)
    except OSError as error:
        raise nt_error(error) from None
    junction = link_tag(file.host_path) == IO_REPARSE_TAG_MOUNT_POINT
    if target.startswith("/"):
        shown = file.volume.drives.to_dos(target.removesuffix(JUNCTION_END) or "/", as_written=True)
        substitute, flags = "\\??\\" + shown, 0
    else:
        names = (part if part in (".", "..") else to_guest_name(part) for part in target.split("/") if part)
        shown = substitute = "\\".join(names)
        flags = _RELATIVE
    first = substitute.encode("utf-16-le", "surrogatepass")
    second = shown.encode("utf-16-le", "surrogatepass")
    if junction:  # whose names end in zeros
        body = _NAMES.pack(0, len(first), len(first) + 2, len(second)) + first + b"\0\0" + second + b"\0\0"
        return _HEAD.pack(IO_REPARSE_TAG_MOUNT_POINT, len(body), 0) + body
    body = _NAMES.pack(0, len(first), len(first), len(second)) + struct.pack("<I", flags) + first + second
    return _HEAD.pack(IO_REPARSE_TAG_SYMLINK, len(body), 0) + body


def write(file: DiskObject, data: bytes) -> None:
    """Make an open, empty file or directory, or a link, one that leads where ``data`` says. Raises NtError."""
    _check(file)
    if not _HEAD.size <= len(data) <= _LONGEST:
        raise NtError(STATUS_IO_REPARSE_DATA_INVALID)
    tag, length, _ = _HEAD.unpack_from(data)
    if tag not in (IO_REPARSE_TAG_SYMLINK, IO_REPARSE_TAG_MOUNT_POINT):
        raise NtError(STATUS_IO_REPARSE_TAG_INVALID)
    if length != len(data) - _HEAD.size:
        raise NtError(STATUS_IO_REPARSE_DATA_INVALID)
    junction = tag == IO_REPARSE_TAG_MOUNT_POINT
    target = host_target(file.volume.drives, file.dos_path, *_substitute(data[_HEAD.size :], junction=junction))
    before = None
    try:
        if is_link(file):
            if link_tag(file.host_path) != tag:
                raise NtError(STATUS_IO_REPARSE_TAG_MISMATCH)
            before = os.readlink(file.host_path)
            os.unlink(file.host_path)
        elif file.is_directory:
            if os.listdir(file.host_path):
                raise NtError(STATUS_DIRECTORY_NOT_EMPTY)
            os.rmdir(file.host_path)
        elif junction:
            raise NtError(STATUS_INVALID_PARAMETER)
        elif os.fstat(file.fd).st_size:
            raise NtError(STATUS_IO_REPARSE_DATA_INVALID)
        else:
            os.unlink(file.host_path)
        try:
            os.symlink(target + JUNCTION_END if junction else target, file.host_path)
        except OSError:  # too long, or a file system without links: what was there is there again
            if before is not None:
                os.symlink(before, file.host_path)
            else:
                _make_empty(file.host_path, directory=file.is_directory)
            raise
        finally:
            _follow(file)
    except OSError as error:
        raise nt_error(error) from None


def delete(file: DiskObject, data: bytes) -> None:
    """Make a link an empty directory or file again; ``data`` has its tag. Raises NtError."""
    _check(file)
    if not is_link(file):
        raise NtError(STATUS_NOT_A_REPARSE_POINT)
    if len(data) < _HEAD.size:
        raise NtError(STATUS_IO_REPARSE_DATA_INVALID)
    tag, length, _ = _HEAD.unpack_from(data)
    if length:
        raise NtError(STATUS_IO_REPARSE_DATA_INVALID)
    try:
        if tag != link_tag(file.host_path):
            raise NtError(STATUS_IO_REPARSE_TAG_MISMATCH)
        directory = is_directory_link(file.host_path)
        os.unlink(file.host_path)
        _make_empty(file.host_path, directory=directory)
        _follow(file)
    except OSError as error:
        raise nt_error(error) from None


def _check(file: DiskObject) -> None:
    if file.overlay or file.dos_path.endswith("\\") or not file.access & (FILE_WRITE_DATA | FILE_WRITE_ATTRIBUTES):
        raise NtError(STATUS_ACCESS_DENIED)
    if not file.options & FILE_OPEN_REPARSE_POINT and not file.is_directory:
        raise NtError(STATUS_INVALID_PARAMETER)


def _make_empty(path: str, *, directory: bool) -> None:
    if directory:
        os.mkdir(path)
    else:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666))


def _follow(file: DiskObject) -> None:
    """The open file is what has been put into its place."""
    fd = os.open(file.host_path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    file.block.opens.remove(file)
    os.close(file.fd)
    file.fd, file.path_only = fd, True
    file.block = block_of(file.volume.blocks, os.fstat(fd))
    file.block.opens.append(file)


def _substitute(body: bytes, *, junction: bool) -> tuple[str, bool]:
    """The substitute name, and whether it is relative."""
    start = _NAMES.size + (0 if junction else 4)
    if len(body) < start:
        raise NtError(STATUS_IO_REPARSE_DATA_INVALID)
    offset, length = _NAMES.unpack_from(body)[:2]
    name = body[start + offset : start + offset + length]
    if len(name) != length or length & 1 or not length:
        raise NtError(STATUS_IO_REPARSE_DATA_INVALID)
    relative = not junction and bool(struct.unpack_from("<I", body, _NAMES.size)[0] & _RELATIVE)
    return name.decode("utf-16-le", "surrogatepass"), relative


def host_target(drives: Drives, link: str, name: str, relative: bool) -> str:
    """What the host's link says for one at the DOS path ``link`` that leads to ``name``.

    Raises NtError: nothing on a drive of ours is meant."""
    if relative and name.startswith("\\"):  # from the root of the link's own drive
        name, relative = link[:2] + name, False
    if relative:
        parts = [part for part in name.split("\\") if part]
        if not all(part in (".", "..") or is_valid_name(part) for part in parts) or not parts:
            raise NtError(STATUS_IO_REPARSE_DATA_INVALID)
        return "/".join(part if part in (".", "..") else to_host_name(part) for part in parts)
    for prefix in ("\\??\\", "\\DosDevices\\", "\\\\?\\"):
        name = name.removeprefix(prefix)
    dos = name if len(name) > 2 else name + "\\"
    try:
        return drives.resolve(dos, follow_last=False).host
    except NtError:  # what is not there may be led to all the same
        parts = [part for part in dos[3:].split("\\") if part]
        if dos[1:3] != ":\\" or not all(map(is_valid_name, parts)):
            raise NtError(STATUS_IO_REPARSE_DATA_INVALID) from None
        return drives.root(dos[0]).rstrip("/") + "".join("/" + to_host_name(part) for part in parts)
