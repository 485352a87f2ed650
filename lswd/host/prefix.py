"""The prefix: the directory that holds a user's drive C: and what NT keeps between runs (``~/.lsw``).

The shape is the upstream loader's (``drives/c`` with ``windows/system32``, ``users/<name>``, ``temp``), filled up
with the directories NT programs take for granted. DLLs are not copied here: they come from the userland by overlay.
"""

from __future__ import annotations

import os

from lswd.host.directories import DirectoryScans
from lswd.host.names import is_drive_letter, is_valid_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_DIRECTORIES = (
    "windows/system32/drivers/etc",
    "windows/syswow64",
    "windows/temp",
    "windows/Fonts",
    "temp",
    "Program Files/Common Files",
    "Program Files (x86)/Common Files",
    "ProgramData/Microsoft/Windows/Start Menu/Programs/Administrative Tools",
    "ProgramData/Microsoft/Windows/Start Menu/Programs/StartUp",
    "ProgramData/Microsoft/Windows/Templates",
    "windows/Resources",
    "users/Public/Desktop",
    "users/Public/Documents",
    "users/Public/Music",
    "users/Public/Pictures",
    "users/Public/Videos",
)
_USER_DIRECTORIES = (
    "AppData/Local/Temp",
    "AppData/Local/Microsoft/Windows/History",
    "AppData/Local/Microsoft/Windows/INetCache",
    "AppData/Local/Microsoft/Windows/INetCookies",
    "AppData/LocalLow",
    *[
        f"AppData/Roaming/Microsoft/Windows/{name}"
        for name in (
            "Network Shortcuts", "Printer Shortcuts", "Recent", "SendTo",
            "Start Menu/Programs/Administrative Tools", "Start Menu/Programs/StartUp", "Templates",
        )
    ],
    "Contacts",
    "Desktop",
    "Documents",
    "Downloads",
    "Favorites",
    "Links",
    "Music",
    "Pictures",
    "Saved Games",
    "Searches",
    "Videos",
)  # fmt: skip
# Made last, so one look at it tells that all else is there. The number changes with the lists above. It lies inside
# drive C: so that it goes when the drive goes.
_MARKER = ("AppData/Local/lsw", "layout-4")


class PrefixError(Exception):
    """The prefix, or a drive asked for, cannot be used. The message is for the user, one line."""


class Prefix:
    """One prefix directory, as seen by one user.

    root   host directory, made absolute
    user   name of the directory under ``users`` (default: whoever runs this)
    """

    __slots__ = ("root", "user")

    def __init__(self, root: str, user: str | None = None) -> None:
        self.root = os.path.abspath(root)
        self.user = user_name(os.environ) if user is None else user

    def create(self, progress: Callable[[str], None] | None = None) -> bool:
        """Make whatever is missing; True if anything had to be made. Cheap when complete, safe to run twice at once.

        progress   told what is being done, if something is
        Raises PrefixError if a directory cannot be made.
        """
        marker = f"{self.root}/drives/c/users/{self.user}/{_MARKER[0]}/{_MARKER[1]}"
        try:
            os.stat(marker)
            return False
        except OSError:
            pass
        if progress is not None:
            progress(f"creating the prefix {self.root}")
        scans = DirectoryScans()
        at = self.root
        try:
            _make_root(at)
            drive = _make(scans, at, "drives/c")
            for path in _DIRECTORIES:
                at = f"{drive}/{path}"
                made = _make(scans, drive, path)
                if path.endswith("/etc"):
                    _write_network_files(made)
            at = f"{drive}/users/{self.user}"
            home = _make(scans, drive, f"users/{self.user}")
            for path in (*_USER_DIRECTORIES, _MARKER[0]):
                at = f"{home}/{path}"
                last = _make(scans, home, path)
            at = f"{last}/{_MARKER[1]}"
            os.close(os.open(at, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o666))
        except OSError as error:
            raise PrefixError(
                f"cannot create the prefix {self.root}: {error.filename or at}: {error.strerror}; "
                "give a directory you can write to with --prefix or LSW_PREFIX"
            ) from None
        return True

    def drives(self, extra: Mapping[str, str] | Sequence[tuple[str, str]] = ()) -> dict[str, str]:
        """Host root by drive letter: C:, Z: (``/``), each directory or link ``drives/<letter>``, then ``extra``."""
        roots = {"C": f"{self.root}/drives/c", "Z": "/"}
        try:
            names = sorted(os.listdir(f"{self.root}/drives"))  # upper case first, so that lower case has the last word
        except OSError:
            names = []
        for name in names:
            path = f"{self.root}/drives/{name}"
            if is_drive_letter(name) and os.path.isdir(path):
                roots[name.upper()] = path
        roots.update(extra)
        return roots


def default_root(environ: Mapping[str, str]) -> str:
    """Where the prefix is: ``LSW_PREFIX``, else ``.lsw`` in the home directory.

    Raises PrefixError if the user has no home directory.
    """
    root = environ.get("LSW_PREFIX")
    if root:
        return os.path.abspath(root)
    home = environ.get("HOME")
    if not home:
        import pwd

        try:
            home = pwd.getpwuid(os.getuid()).pw_dir
        except KeyError:
            raise PrefixError(
                f"HOME is not set and user {os.getuid()} has no home directory; set LSW_PREFIX to a directory"
            ) from None
    return os.path.abspath(os.path.join(home, ".lsw"))


def user_name(environ: Mapping[str, str]) -> str:
    """The user's name as Windows would accept it: ``USER``, ``LOGNAME``, the password database, or ``user<uid>``."""
    name = environ.get("USER") or environ.get("LOGNAME") or ""
    if not name:
        import pwd

        try:
            name = pwd.getpwuid(os.geteuid()).pw_name
        except KeyError:
            name = f"user{os.geteuid()}"
    name = name.rpartition("\\")[2].rstrip(". ")
    if not is_valid_name(name):
        name = "".join(c if is_valid_name(c) else "_" for c in name) or f"user{os.geteuid()}"
    return name


def parse_drive(text: str) -> tuple[str, str]:
    """``X:=path`` of ``--drive`` as (letter, absolute host directory). Raises PrefixError saying what is wrong."""
    drive, equals, path = text.partition("=")
    if not equals or len(drive) != 2 or drive[1] != ":" or not is_drive_letter(drive[0]):
        raise PrefixError(f"--drive {text}: write it as X:=PATH")
    if not path:
        raise PrefixError(f"--drive {text}: no directory given")
    root = os.path.abspath(os.path.expanduser(path))
    if not os.path.isdir(root):
        what = "is not a directory" if os.path.lexists(root) else "does not exist"
        raise PrefixError(f"--drive {text}: {root} {what}")
    return drive[0].upper(), root


def _write_network_files(directory: str) -> None:
    from lswd.host.network_files import write_network_files

    try:
        write_network_files(directory)
    except FileExistsError:  # another process was quicker
        pass


def _make_root(root: str) -> None:
    os.makedirs(os.path.dirname(root), exist_ok=True)
    _make_one(root, 0o700)  # the registry and the user's files are nobody else's business


def _make(scans: DirectoryScans, directory: str, path: str) -> str:
    """Make ``path`` below ``directory``, going through what is there already whatever its case; its host path."""
    for name in path.split("/"):
        exact = f"{directory}/{name}"
        if not os.path.lexists(exact):
            found = scans.find(directory, name)
            exact = f"{directory}/{found}" if found is not None else exact
        _make_one(exact, 0o777)
        directory = exact
    return directory


def _make_one(path: str, mode: int) -> None:
    try:
        os.mkdir(path, mode)
    except OSError:
        if not os.path.isdir(path):  # otherwise it was there, or another process was quicker
            raise
