"""The Windows environment, made from the host's.

Host variables are carried over under their own names; those that mean something else on the other side (search
path, temporary directories, home) are translated or left out, and the ones every Windows process has are added.
Source of the names: "Recognized environment variables" (Microsoft, USMT reference), CreateEnvironmentBlock.
"""

from __future__ import annotations

import os

from lswd.host.names import to_guest_name, to_guest_text, upcase
from lswd.host.processors import usable
from lswd.ntdef.status import NtError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from lswd.host.drives import Drives

_SYSTEM_PATH = r"C:\windows\system32;C:\windows;C:\windows\system32\wbem"

# What a host path in these would mean to a Windows program is at best nothing.
_NOT_CARRIED = frozenset(
    ["_", "PATH", "PWD", "OLDPWD", "TEMP", "TMP", "TMPDIR", "HOME", "SHELL", "SSL_CERT_DIR", "SSL_CERT_FILE"]
)

_FIXED = {
    "ALLUSERSPROFILE": r"C:\ProgramData",
    "CommonProgramFiles": r"C:\Program Files\Common Files",
    "CommonProgramFiles(x86)": r"C:\Program Files (x86)\Common Files",
    "CommonProgramW6432": r"C:\Program Files\Common Files",
    "ComSpec": r"C:\windows\system32\cmd.exe",
    "HOMEDRIVE": "C:",
    "OS": "Windows_NT",
    "PATHEXT": ".COM;.EXE;.BAT;.CMD;.VBS;.VBE;.JS;.JSE;.WSF;.WSH;.MSC",
    "ProgramData": r"C:\ProgramData",
    "ProgramFiles": r"C:\Program Files",
    "ProgramFiles(x86)": r"C:\Program Files (x86)",
    "ProgramW6432": r"C:\Program Files",
    "PUBLIC": r"C:\users\Public",
    "SystemDrive": "C:",
    "SystemRoot": r"C:\windows",
    "windir": r"C:\windows",
}


def windows_environment(
    host_env: Mapping[str, str],
    drives: Drives,
    user: str,
    extra: Mapping[str, str] | None = None,
    *,
    architecture: str = "AMD64",
) -> dict[str, str]:
    """The environment of a Windows process.

    host_env       the host's variables
    drives         for the translation of ``PATH`` and ``HOME``
    user           directory name under ``C:\\users``
    extra          variables the user asked for (``--env``): taken as they are, and before all others
    architecture   PROCESSOR_ARCHITECTURE

    Names are unique without regard to case; of two host variables that differ by case only, the upper-case one stays.
    """
    merged: dict[str, tuple[str, str]] = {}
    for name, value in sorted(host_env.items(), reverse=True):  # upper case sorts first, so it comes last here
        if _is_carried(name, value):
            name = to_guest_text(name)
            merged[upcase(name)] = (name, to_guest_text(value))
    ours = {
        **_FIXED,
        **_user_variables(user),
        **_machine_variables(architecture),
        "PATH": _windows_path(host_env.get("PATH", ""), drives),
    }
    home = _existing_directory(host_env.get("HOME", ""), drives)
    if home is not None:
        ours["HOME"] = home
    for variables in (ours, extra or {}):
        for name, value in variables.items():
            name = to_guest_text(name)
            merged[upcase(name)] = (name, to_guest_text(value))
    return dict(merged.values())


def environment_block(env: Mapping[str, str]) -> bytes:
    """``env`` as a process's environment block: ``NAME=value`` strings in UTF-16LE, each and the whole ended by NUL.

    Sorted by upper-case name, as Windows keeps it ("Changing Environment Variables", Microsoft).
    Raises ValueError for a name that is empty or has ``=`` beyond its first character, and for NUL characters.
    """
    for name, value in env.items():
        if not name or "=" in name[1:] or "\0" in name or "\0" in value:
            raise ValueError(f"not an environment variable: {name!r}")
    names = sorted(env, key=upcase)
    text = "".join(f"{name}={env[name]}\0" for name in names) or "\0"
    return (text + "\0").encode("utf-16-le", "surrogatepass")


def _is_carried(name: str, value: str) -> bool:
    if not name or "=" in name or name.startswith(("BASH_FUNC_", "WINE")) or upcase(name) in _NOT_CARRIED:
        return False
    return name != "TZ" or _is_windows_time_zone(value)


def _is_windows_time_zone(value: str) -> bool:
    """Whether the C run-time library reads ``TZ`` as the host does: ``CET-1CEST`` and UTC, not ``Europe/Berlin``."""
    return value in ("UTC", "GMT") or (value[:3].isalpha() and value[3:4] in tuple("+-0123456789"))


def _user_variables(user: str) -> dict[str, str]:
    home = rf"\users\{to_guest_name(user)}"
    profile = "C:" + home
    temp = profile + r"\AppData\Local\Temp"
    return {
        "APPDATA": profile + r"\AppData\Roaming",
        "HOMEPATH": home,
        "LOCALAPPDATA": profile + r"\AppData\Local",
        "TEMP": temp,
        "TMP": temp,
        "USERNAME": user,
        "USERPROFILE": profile,
        "WINEUSERNAME": user,  # where advapi32's GetUserName looks
    }


def _machine_variables(architecture: str) -> dict[str, str]:
    computer = computer_name(os.uname().nodename)
    return {
        "COMPUTERNAME": computer,
        "NUMBER_OF_PROCESSORS": str(len(usable())),
        "PROCESSOR_ARCHITECTURE": architecture,
        "USERDOMAIN": computer,
    }


def computer_name(host_name: str) -> str:
    """The NetBIOS name of a host: first label, upper case, letters digits and hyphens, at most 15 of them."""
    label = host_name.partition(".")[0].upper()
    return "".join(c for c in label if c.isascii() and (c.isalnum() or c == "-"))[:15] or "LSW"


def _windows_path(path: str, drives: Drives) -> str:
    entries = [_SYSTEM_PATH]
    for directory in dict.fromkeys(path.split(":")):
        dos = _existing_directory(directory, drives)
        if dos is not None:
            entries.append(f'"{dos}"' if ";" in dos else dos)
    return ";".join(entries)


def _existing_directory(directory: str, drives: Drives) -> str | None:
    """DOS form of an absolute host directory; None if it is not one or lies on no drive."""
    if not directory.startswith("/") or not os.path.isdir(directory):
        return None
    try:
        return drives.to_dos(directory, as_written=True)
    except NtError:
        return None
