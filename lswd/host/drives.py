"""Drive letters: which host directory each stands for, and how an NT path becomes a host path.

``Drives`` answers for paths of the form ``X:\\dir\\file``: what follows ``\\??\\`` once the guest's own ntdll has
dealt with relative paths, reserved names and trailing dots. Names are found regardless of case and created as given.

Confinement. ``..`` does not exist at this level, and a symbolic link is followed only to a place under the root of
some mapped drive (with the default ``Z:`` = ``/`` that is everywhere). A path that was checked is handed back with
its links resolved. Between that check and the caller's open another process with the user's rights may still put a
link in the way: the guest itself cannot make links, and whoever can has those rights anyway.
"""

from __future__ import annotations

import errno
import os
import stat

from lswd.host.directories import DirectoryScans
from lswd.host.names import is_drive_letter, is_valid_name, to_guest_name, to_host_name, upcase
from lswd.ntdef.status import (
    STATUS_ACCESS_DENIED,
    STATUS_FILE_IS_A_DIRECTORY,
    STATUS_IO_DEVICE_ERROR,
    STATUS_NOT_A_DIRECTORY,
    STATUS_OBJECT_NAME_INVALID,
    STATUS_OBJECT_PATH_NOT_FOUND,
    STATUS_REPARSE_POINT_ENCOUNTERED,
    STATUS_REPARSE_POINT_NOT_RESOLVED,
    NtError,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

_STATUS_OF_ERRNO = {
    errno.ENOENT: STATUS_OBJECT_PATH_NOT_FOUND,
    errno.ENOTDIR: STATUS_OBJECT_PATH_NOT_FOUND,
    errno.ENAMETOOLONG: STATUS_OBJECT_PATH_NOT_FOUND,
    errno.EACCES: STATUS_ACCESS_DENIED,
    errno.EPERM: STATUS_ACCESS_DENIED,
    errno.ELOOP: STATUS_REPARSE_POINT_NOT_RESOLVED,
}
_DATA_STREAM = "::$DATA"


class Overlay:
    """Read-only files that appear in one DOS directory without being there: the userland's DLLs, its NLS tables.

    prefix   the directory, as ``C:\\windows\\system32``
    find     host path of a file by its name in lower case, or None
    names    the names to show when the directory is listed
    """

    __slots__ = ("find", "names", "prefix")

    def __init__(
        self, prefix: str, find: Callable[[str], str | None], names: Callable[[], Iterable[str]] = tuple
    ) -> None:
        self.prefix = prefix
        self.find = find
        self.names = names


class Resolution:
    """Where a DOS path leads.

    host               path for ``os`` calls; if the file does not exist, its directory does
    exists             whether there is something of that name (a link that leads nowhere counts as nothing,
                       unless it was asked for itself)
    stat               its ``os.stat_result`` (the link's own with ``follow_last=False``), None if it does not exist
    dos                the path with the spelling found on disk, ``C:\\Temp\\a.TXT``; a root is ``C:\\``
    letter             drive letter, upper case
    overlay            the file comes from an overlay: it must not be written, renamed or deleted
    must_be_directory  the path ended in a backslash
    """

    __slots__ = ("dos", "exists", "host", "letter", "must_be_directory", "overlay", "stat")

    def __init__(
        self,
        host: str,
        found: os.stat_result | None,
        dos: str,
        *,
        overlay: bool = False,
        must_be_directory: bool = False,
    ) -> None:
        self.host = host
        self.stat = found
        self.exists = found is not None
        self.dos = dos
        self.letter = dos[0].upper()
        self.overlay = overlay
        self.must_be_directory = must_be_directory

    @property
    def is_directory(self) -> bool:
        return self.stat is not None and stat.S_ISDIR(self.stat.st_mode)

    def __repr__(self) -> str:
        return f"<Resolution {self.dos} -> {self.host}{'' if self.exists else ' (missing)'}>"


class Entry:
    """One name in a directory listing: the guest's spelling, the host path behind it, whether it is an overlay's."""

    __slots__ = ("host", "name", "overlay")

    def __init__(self, name: str, host: str, *, overlay: bool = False) -> None:
        self.name = name
        self.host = host
        self.overlay = overlay


class Drives:
    """The drive letters of one NT session.

    roots      host directory by drive letter (``{"C": "/home/u/.lsw/drives/c", "Z": "/"}``)
    overlays   in order: the first that knows a name supplies it; a real file always goes before
    """

    __slots__ = ("_deepest", "_overlays", "_real_roots", "_roots", "_scans", "_unconfined")

    def __init__(self, roots: Mapping[str, str], overlays: Sequence[Overlay] = ()) -> None:
        self._roots: dict[str, str] = {}
        for letter, root in roots.items():
            if not is_drive_letter(letter):
                raise ValueError(f"not a drive letter: {letter!r}")
            self._roots[letter.upper()] = os.path.normpath(os.path.join("/", root)).replace("//", "/")
        self._deepest = _deepest_first(self._roots)
        self._real_roots: list[tuple[str, str, str]] | None = None
        self._unconfined = "/" in self._roots.values()
        self._overlays: dict[str, list[Overlay]] = {}
        for overlay in overlays:
            self._overlays.setdefault(upcase(overlay.prefix.rstrip("\\")), []).append(overlay)
        self._scans = DirectoryScans()

    def letters(self) -> list[str]:
        """The mapped drive letters, sorted."""
        return sorted(self._roots)

    def root(self, letter: str) -> str:
        """Host root of a mapped drive. NtError(STATUS_OBJECT_PATH_NOT_FOUND) if there is no such drive."""
        root = self._roots.get(letter.upper())
        if root is None:
            raise NtError(STATUS_OBJECT_PATH_NOT_FOUND)
        return root

    def resolve(self, dos_path: str, *, follow_last: bool = True, links: int | None = None) -> Resolution:
        """Find ``X:\\dir\\file``.

        follow_last   False: if the last component is a symbolic link, the link itself is meant (delete, rename)
        links         how many components from the left may be links that are followed; None: all

        Raises NtError: STATUS_OBJECT_NAME_INVALID for a path NT would not accept, and for a file spelled with a
        backslash at its end; STATUS_OBJECT_PATH_NOT_FOUND if the drive or a directory on the way is missing;
        STATUS_ACCESS_DENIED for a link that leaves the drives or a directory the user may not enter;
        STATUS_REPARSE_POINT_NOT_RESOLVED for links in a circle; STATUS_REPARSE_POINT_ENCOUNTERED for one too many.
        Source: [MS-FSA] 2.1.5.1 "Server Requests an Open of a File".
        """
        if dos_path[1:2] != ":" or not is_drive_letter(dos_path[0]) or dos_path[2:3] not in ("", "\\"):
            raise NtError(STATUS_OBJECT_NAME_INVALID)
        root = self.root(dos_path[0])
        names = [name for name in dos_path[3:].split("\\") if name]
        trailing = dos_path.endswith("\\")
        stream = bool(names) and names[-1][-len(_DATA_STREAM) :].upper() == _DATA_STREAM
        if stream:
            names[-1] = names[-1][: -len(_DATA_STREAM)]
            if trailing:
                raise NtError(STATUS_OBJECT_NAME_INVALID)
        if not all(map(is_valid_name, names)):
            raise NtError(STATUS_OBJECT_NAME_INVALID)
        drive = dos_path[0].upper() + ":"

        found = self._exactly(root, drive, names, follow_last) if self._unconfined and links is None else None
        if found is None:
            found = self._by_case(root, drive, names, follow_last, links)
        if found.stat is not None:
            mode = found.stat.st_mode
            if stream and stat.S_ISDIR(mode):
                raise NtError(STATUS_FILE_IS_A_DIRECTORY)
            if trailing and not stat.S_ISDIR(mode) and not stat.S_ISLNK(mode):
                raise NtError(STATUS_OBJECT_NAME_INVALID)
        found.must_be_directory = trailing
        return found

    def list_directory(self, directory: Resolution) -> list[Entry]:
        """The entries of a directory and of its overlays, sorted as NTFS sorts (by upper case); no ``.`` and ``..``.

        Raises NtError: STATUS_NOT_A_DIRECTORY, STATUS_ACCESS_DENIED, STATUS_OBJECT_PATH_NOT_FOUND.
        """
        try:
            host_names = os.listdir(directory.host)
        except NotADirectoryError:
            raise NtError(STATUS_NOT_A_DIRECTORY) from None
        except OSError as error:
            raise NtError(_status_of(error)) from None
        base = directory.host if directory.host.endswith("/") else directory.host + "/"
        keyed = [(upcase(name), Entry(name, base + host)) for host in host_names for name in (to_guest_name(host),)]
        overlays = self._overlays.get(upcase(directory.dos.rstrip("\\")))
        if overlays:
            present = {key for key, _ in keyed}
            for overlay in overlays:
                for name in overlay.names():
                    key = upcase(name)
                    target = None if key in present else overlay.find(name.lower())
                    if target is not None:
                        present.add(key)
                        keyed.append((key, Entry(name, target, overlay=True)))
        keyed.sort(key=lambda pair: (pair[0], pair[1].name))
        return [entry for _, entry in keyed]

    def to_dos(self, host_path: str, *, as_written: bool = False) -> str:
        """The DOS spelling of a host path, relative ones taken from the current directory.

        The drive with the longest root that holds the path is used: the path as written, or if only ``/`` holds that,
        with the links on the way to it resolved.

        as_written   be content with ``/`` (resolving links costs a system call for each directory on the way)

        Raises NtError(STATUS_OBJECT_PATH_NOT_FOUND) if no drive holds the path.
        """
        directory, name = os.path.split(host_path.rstrip("/") or "/")
        if name in ("", ".", ".."):
            directory, name = host_path, ""
        if ".." in directory.split("/"):  # through a link this is not what the text says
            directory = os.path.realpath(directory)
        path = os.path.abspath(os.path.join(directory, name)).replace("//", "/")
        letter, rest = _longest(self._deepest, path)
        if not letter or (len(rest) == len(path) and not as_written):  # nothing, or only "/", holds it
            if os.path.lexists(path):
                head, tail = os.path.split(path)
                real = os.path.join(os.path.realpath(head), tail)
            else:
                real = os.path.realpath(path)
            real_letter, real_rest = _longest(self._reals(), real)
            if real_letter and len(real_rest) < len(real):
                letter, rest = real_letter, real_rest
        if not letter:
            raise NtError(STATUS_OBJECT_PATH_NOT_FOUND)
        return letter + ":\\" + "\\".join(map(to_guest_name, filter(None, rest.split("/"))))

    def _exactly(self, root: str, drive: str, names: list[str], follow_last: bool) -> Resolution | None:
        """The common cases quickly, if there is no confinement to check: all is spelled as on disk, or only the last
        component is missing. None if it is neither."""
        host = _join(root, "/".join(map(to_host_name, names))) if names else root
        try:
            found = os.stat(host, follow_symlinks=follow_last)
        except (OSError, ValueError):
            directory, _, name = host.rpartition("/")
            if not names or not self._scans.lacks(directory or "/", name):
                return None
            supplied = self._supplied(drive, names)
            if supplied is not None:
                return supplied
            found = None
        return Resolution(host, found, drive + "\\" + "\\".join(names))

    def _by_case(self, root: str, drive: str, names: list[str], follow_last: bool, links: int | None) -> Resolution:
        try:
            found = self._walk(root, drive, names, follow_last, links)
        except NtError as error:
            # An overlay's files are there even on a drive that lacks its directory.
            supplied = self._supplied(drive, names) if error.status == STATUS_OBJECT_PATH_NOT_FOUND else None
            if supplied is None:
                raise
            return supplied
        if found.exists:
            return found
        return self._supplied(drive, names) or found

    def _walk(self, host: str, dos: str, names: list[str], follow_last: bool, links: int | None) -> Resolution:
        found = _stat(host)
        if found is None:
            raise NtError(STATUS_OBJECT_PATH_NOT_FOUND)
        if not names:
            return Resolution(host, found, dos + "\\")
        last = len(names) - 1
        for index, name in enumerate(names):
            if found is None or not stat.S_ISDIR(found.st_mode):
                raise NtError(STATUS_OBJECT_PATH_NOT_FOUND)
            directory, plain = host, to_host_name(name)
            host = _join(directory, plain)
            found = _lstat(host)
            if found is None:
                spelled = self._scans.find(directory, plain)
                if spelled is not None:
                    host = _join(directory, spelled)
                    found = _lstat(host)
                    name = to_guest_name(spelled)
            if found is not None and stat.S_ISLNK(found.st_mode) and (follow_last or index != last):
                if links is not None and index >= links:
                    raise NtError(STATUS_REPARSE_POINT_ENCOUNTERED)
                host, found = self._follow(host)
            dos = f"{dos}\\{name}"
        if found is None and not os.path.isdir(os.path.dirname(host)):
            raise NtError(STATUS_OBJECT_PATH_NOT_FOUND)  # a link into a directory that is gone
        return Resolution(host, found, dos)

    def _follow(self, link: str) -> tuple[str, os.stat_result | None]:
        """Where a symbolic link ends: a host path without links in it (if it had to be checked), and what is there."""
        if self._unconfined:
            found = _stat(link)
            return (link, found) if found is not None else (os.path.realpath(link), None)
        real = os.path.realpath(link)
        if not _longest(self._reals(), real)[0]:
            raise NtError(STATUS_ACCESS_DENIED)
        found = _lstat(real)
        if found is not None and stat.S_ISLNK(found.st_mode):  # realpath leaves only what it could not resolve
            raise NtError(STATUS_REPARSE_POINT_NOT_RESOLVED)
        return real, found

    def _supplied(self, drive: str, names: list[str]) -> Resolution | None:
        if not self._overlays or not names:
            return None
        overlays = self._overlays.get(upcase("\\".join((drive, *names[:-1]))))
        name = names[-1].lower()
        for overlay in overlays or ():
            host = overlay.find(name)
            found = _stat(host) if host is not None else None
            if host is None or found is None:
                continue
            spelled = os.path.basename(host)
            if upcase(spelled) != upcase(names[-1]):
                spelled = names[-1]
            return Resolution(host, found, overlay.prefix.rstrip("\\") + "\\" + spelled, overlay=True)
        return None

    def _reals(self) -> list[tuple[str, str, str]]:
        if self._real_roots is None:
            reals = {letter: os.path.realpath(root) for letter, root in self._roots.items()}
            self._real_roots = _deepest_first(reals)
        return self._real_roots


def _join(directory: str, name: str) -> str:
    return f"{directory}/{name}" if directory != "/" else f"/{name}"


def _deepest_first(roots: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """Roots, what a path below each begins with, and their letters."""
    ordered = sorted(roots.items(), key=lambda pair: (-len(pair[1]), pair[0]))
    return [(root, _join(root, ""), letter) for letter, root in ordered]


def _longest(roots: Sequence[tuple[str, str, str]], path: str) -> tuple[str, str]:
    """Letter of the first root that holds ``path``, and the rest of the path below it (``"", path`` if none)."""
    for root, below, letter in roots:
        if path.startswith(below) or path == root:
            return letter, path[len(root) :] if root != "/" else path
    return "", path


def _status_of(error: OSError) -> int:
    return _STATUS_OF_ERRNO.get(error.errno or 0, STATUS_IO_DEVICE_ERROR)


def _stat(path: str, follow: bool = True) -> os.stat_result | None:
    try:
        return os.stat(path, follow_symlinks=follow)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG):
            return None
        raise NtError(_status_of(error)) from None
    except ValueError:  # a name the host's locale cannot spell
        return None


def _lstat(path: str) -> os.stat_result | None:
    return _stat(path, follow=False)
