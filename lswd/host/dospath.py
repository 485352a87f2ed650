"""DOS paths as a user writes them: relative, drive-relative, reserved names, ``\\\\?\\``, UNC.

The guest's ntdll does this for the guest. This is for what arrives before there is a guest: the program's path,
the working directory, ``--cwd``. Text only, no file system.

Sources: "File path formats on Windows systems" and "Naming Files, Paths, and Namespaces" (Microsoft); where these
are silent, what GetFullPathNameW answers.
"""

from __future__ import annotations

from lswd.host.names import is_drive_letter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

# RTL_PATH_TYPE, as RtlDetermineDosPathNameType_U numbers them
RtlPathTypeUnknown = 0
RtlPathTypeUncAbsolute = 1  # \\server\share
RtlPathTypeDriveAbsolute = 2  # C:\dir
RtlPathTypeDriveRelative = 3  # C:dir
RtlPathTypeRooted = 4  # \dir
RtlPathTypeRelative = 5  # dir
RtlPathTypeLocalDevice = 6  # \\.\x and \\?\x
RtlPathTypeRootLocalDevice = 7  # \\. and \\? alone

_SEPARATORS = ("\\", "/")
_DEVICES = frozenset(
    ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"]
    + [port + digit for port in ("COM", "LPT") for digit in "123456789\u00b9\u00b2\u00b3"]
)


def path_type(path: str) -> int:
    """Which of the ``RtlPathType...`` kinds ``path`` is (RtlDetermineDosPathNameType_U)."""
    if not path:
        return RtlPathTypeUnknown
    if path[0] in _SEPARATORS:
        if path[1:2] not in _SEPARATORS:
            return RtlPathTypeRooted
        if path[2:3] not in (".", "?"):
            return RtlPathTypeUncAbsolute
        if len(path) == 3:
            return RtlPathTypeRootLocalDevice
        return RtlPathTypeLocalDevice if path[3] in _SEPARATORS else RtlPathTypeUncAbsolute
    if path[1:2] == ":" and is_drive_letter(path[0]):
        return RtlPathTypeDriveAbsolute if path[2:3] in _SEPARATORS else RtlPathTypeDriveRelative
    return RtlPathTypeRelative


def is_dos_path(text: str) -> bool:
    """Whether a PROGRAM argument means a DOS path rather than a host path.

    DOS paths are ``X:...``, whatever begins with a backslash, and whatever has backslashes but no slash. A plain
    name, and anything else, is the host's (write ``./c:name`` for a host file that is called so).
    """
    if text[:1] == "\\" or (text[1:2] == ":" and is_drive_letter(text[0])):
        return True
    return "\\" in text and "/" not in text


def dos_device_name(path: str) -> str | None:
    """The reserved device that ``path`` names, spelled as given (RtlIsDosDeviceName_U): ``NUL`` for ``C:\\d\\NUL.txt``.

    Only the last component counts, up to its first dot or colon, spaces at its end ignored. None for a path that
    names no device.
    """
    kind = path_type(path)
    if kind in (RtlPathTypeUncAbsolute, RtlPathTypeLocalDevice, RtlPathTypeRootLocalDevice):
        return None
    if kind in (RtlPathTypeDriveAbsolute, RtlPathTypeDriveRelative):
        path = path[2:]
    name = path.replace("/", "\\").rpartition("\\")[2]
    name = name.partition(".")[0].partition(":")[0].rstrip(" ")
    return name if name.upper() in _DEVICES else None


def full_dos_path(path: str, cwd_dos: str, drive_cwds: Mapping[str, str] | None = None) -> str:
    """``path`` made absolute and normal, as GetFullPathNameW does.

    cwd_dos      the current directory, an absolute DOS path
    drive_cwds   current directory by upper-case drive letter, for ``D:name`` on another drive (else ``D:\\``)

    Returns ``X:\\...``, ``\\\\server\\share\\...``, ``\\\\.\\NUL`` or another device, or for ``\\\\?\\`` and ``\\??\\``
    the verbatim ``\\\\?\\...`` with nothing in it touched.
    Raises ValueError for an empty path, one of spaces only, or one with a NUL character in it.
    """
    if not path.strip(" "):
        raise ValueError("the path is empty")
    if "\0" in path:
        raise ValueError("the path contains a NUL character")
    if path.startswith(("\\\\?\\", "\\??\\")):
        return "\\\\?\\" + path[4:]
    device = dos_device_name(path)
    if device is not None:
        return "\\\\.\\" + device
    kind = path_type(path)
    if kind == RtlPathTypeRootLocalDevice:
        return "\\\\.\\"
    if kind == RtlPathTypeDriveRelative:
        letter = path[0].upper()
        base = cwd_dos if cwd_dos[:2].upper() == letter + ":" else (drive_cwds or {}).get(letter, letter + ":\\")
        path = base.rstrip("\\/") + "\\" + path[2:] if path[2:] else base
    elif kind == RtlPathTypeRooted:
        path = _split_root(cwd_dos)[0].rstrip("\\") + path
    elif kind == RtlPathTypeRelative:
        path = cwd_dos.rstrip("\\/") + "\\" + path
    root, rest = _split_root(path)
    return _normalize(root, rest)


def nt_path(full: str) -> str:
    """The NT name of a path from ``full_dos_path``: ``\\??\\C:\\d``, ``\\??\\UNC\\server\\share``, ``\\??\\NUL``.

    Source: RtlDosPathNameToNtPathName_U.
    """
    if full.startswith(("\\\\?\\", "\\\\.\\")):
        return "\\??\\" + full[4:]
    if full.startswith("\\\\"):
        return "\\??\\UNC" + full[1:]
    return "\\??\\" + full


def _split_root(path: str) -> tuple[str, str]:
    """What ``..`` cannot climb out of, ending in a backslash (unless the path ends before), and the rest."""
    path = path.replace("/", "\\")
    kind = path_type(path)
    if kind in (RtlPathTypeDriveAbsolute, RtlPathTypeDriveRelative):
        return path[:2] + "\\", path[2:]
    keep = 2 if kind == RtlPathTypeUncAbsolute else 1  # server and share; the device
    start = 2 if kind == RtlPathTypeUncAbsolute else 4
    end = start
    for _ in range(keep):
        slash = path.find("\\", end)
        if slash < 0:
            return path, ""
        end = slash + 1
    return path[:end], path[end:]


def _normalize(root: str, rest: str) -> str:
    kept: list[str] = []
    parts = rest.split("\\")
    trailing = parts[-1] == ""
    last = len(parts) - 1
    for index, part in enumerate(parts):
        if part in ("", "."):
            continue
        if part == "..":
            if kept:
                kept.pop()
            continue
        if index == last:
            part = part.rstrip(" .")
            trailing = not part
        elif part.endswith(".") and not part.endswith(".."):
            part = part[:-1]
        if part:
            kept.append(part)
    return root + "\\".join(kept) + ("\\" if trailing and kept else "")
