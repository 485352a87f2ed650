"""Where a userland is: the directory of 64-bit Windows DLLs that a distribution's Wine package installs.

The 32-bit DLLs, for 32-bit programs, are looked for when one is launched: beside the 64-bit ones, where distributions
put them, and where ``setup/i386-userland.sh`` does. ``LSW_USERLAND_I386`` names another place.

The first place that has one wins, in this order: what the caller configured, ``LSW_USERLAND``, the directories that
distributions and WineHQ's packages use, and at last beside the ``wine`` found on PATH. A place the user named must hold
a userland: falling back silently to another would run programs under something the user did not choose.
"""

from __future__ import annotations

import os

from lswd.userland.userland import Userland, UserlandError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ARCHITECTURE = "x86_64-windows"
I386 = "i386-windows"
REQUIRED = ("ntdll.dll", "kernel32.dll", "kernelbase.dll")
MULTIARCH = f"/usr/lib/x86_64-linux-gnu/wine/{ARCHITECTURE}"  # Debian, Ubuntu
WINEHQ = tuple([f"/opt/wine-{branch}/lib64/wine/{ARCHITECTURE}" for branch in ("stable", "staging", "devel")])
OTHERS = (
    f"/usr/lib64/wine/{ARCHITECTURE}",  # Fedora, openSUSE
    f"/usr/lib/wine/{ARCHITECTURE}",  # Arch, Alpine
    f"/usr/lib/x86_64-linux-gnu/wine-development/{ARCHITECTURE}",  # Debian's second package
)
I386_PLACES = (
    f"/usr/lib/i386-linux-gnu/wine/{I386}",  # Debian, Ubuntu: libwine:i386
    f"/usr/lib/wine/{I386}",  # Fedora, Arch
    *[f"/opt/wine-{branch}/lib/wine/{I386}" for branch in ("stable", "staging", "devel")],
)
NLS = "/usr/share/wine/nls"
NLS_FILE = "locale.nls"  # every version since Wine 6 has it, and nothing starts without it

# Distribution id in /etc/os-release (ID or one of ID_LIKE) -> the command that installs the DLLs.
INSTALL = {
    "debian": "apt install libwine",
    "ubuntu": "apt install libwine",
    "fedora": "dnf install wine-core",
    "rhel": "dnf install wine-core",
    "arch": "pacman -S wine",
    "suse": "zypper install wine",
    "opensuse": "zypper install wine",
    "alpine": "apk add wine",
    "gentoo": "emerge app-emulation/wine-vanilla",
}


INSTALL_I386 = {
    "debian": "dpkg --add-architecture i386 && apt update && apt install libwine:i386",
    "ubuntu": "dpkg --add-architecture i386 && apt update && apt install libwine:i386",
    "fedora": "dnf install wine-core.i686",
    "suse": "zypper install wine-32bit",
    "opensuse": "zypper install wine-32bit",
}


def find(environ: Mapping[str, str], configured: str | None = None, *, root: str = "") -> Userland:
    """The userland to run programs under.

    ``configured`` (the configuration's choice, which wins) and ``environ["LSW_USERLAND"]`` each name the DLL directory,
    or a directory that has ``x86_64-windows`` in it. ``root`` is put before every well-known path (a mounted system,
    or a test's tree). Raises UserlandError.
    """
    for origin, chosen in (("userland", configured), ("LSW_USERLAND", environ.get("LSW_USERLAND"))):
        if chosen:
            return _chosen(origin, chosen, root)
    searched: list[str] = []
    for directory in _places(environ, root):
        if missing_file(directory) is None:
            return _with_nls(directory, root)
        if directory not in searched:
            searched.append(directory)
    raise UserlandError(
        f"no Windows userland (the DLLs of Wine 8 or newer) found in {', '.join(searched)}: "
        f"{_advice(root)}, or set LSW_USERLAND to a directory that holds {ARCHITECTURE}"
    )


def find_i386(environ: Mapping[str, str], beside: Userland, *, root: str = "") -> Userland:
    """The 32-bit userland that goes with the 64-bit one ``beside``. Raises UserlandError."""
    chosen = environ.get("LSW_USERLAND_I386")
    if chosen:
        directory = os.path.abspath(os.path.expanduser(chosen))
        inner = f"{directory}/{I386}"
        directory = inner if os.path.isdir(inner) else directory
        missing = missing_file(directory)
        if missing is not None:
            problem = f"has no {missing}" if os.path.isdir(directory) else "is not a directory"
            raise UserlandError(f"LSW_USERLAND_I386: {directory} {problem}; it must be Wine's {I386}")
        return Userland(directory, beside.nls_directory, word=4)
    places = [f"{os.path.dirname(beside.directory)}/{I386}", *[root + place for place in I386_PLACES]]
    own = _own_i386(environ)
    if own:
        places.append(own)
    for directory in dict.fromkeys(places):
        if missing_file(directory) is None:
            return Userland(directory, beside.nls_directory, word=4)
    raise UserlandError(
        f"no 32-bit userland (Wine's {I386}) found in {', '.join(dict.fromkeys(places))}: "
        f"{_advice(root, INSTALL_I386)}, or set LSW_USERLAND_I386 to its directory"
    )


def _own_i386(environ: Mapping[str, str]) -> str:
    """Where the setup script unpacks it: $XDG_DATA_HOME/lsw/userland (XDG Base Directory Specification)."""
    base = environ.get("XDG_DATA_HOME", "")
    if not base.startswith("/"):
        home = environ.get("HOME", "")
        if not home.startswith("/"):
            return ""
        base = home + "/.local/share"
    return f"{base}/lsw/userland/{I386}"


def missing_file(directory: str) -> str | None:
    """The first of the files no userland can lack that ``directory`` lacks; None if it has them all."""
    for name in REQUIRED:
        if not os.path.isfile(f"{directory}/{name}"):
            return name
    return None


def _chosen(origin: str, chosen: str, root: str) -> Userland:
    directory = os.path.abspath(os.path.expanduser(chosen))
    inner = f"{directory}/{ARCHITECTURE}"
    missing = missing_file(directory)
    if missing is not None and os.path.isdir(inner):
        directory = inner
        missing = missing_file(directory)
    if missing is not None:
        problem = f"has no {missing}" if os.path.isdir(directory) else "is not a directory"
        wanted = f"it must be Wine's {ARCHITECTURE} or the directory above"
        raise UserlandError(f"{origin}: {directory} {problem}; {wanted} ({_advice(root)})")
    return _with_nls(directory, root)


def _places(environ: Mapping[str, str], root: str) -> Iterator[str]:
    """The well-known directories, then those that need a look around."""
    yield root + MULTIARCH
    for path in WINEHQ:
        yield root + path
    try:
        branches = sorted([name for name in os.listdir(root + "/opt") if name.startswith("wine-")])
    except OSError:
        branches = []
    for branch in branches:
        yield f"{root}/opt/{branch}/lib/wine/{ARCHITECTURE}"
    for path in OTHERS:
        yield root + path
    for folder in environ.get("PATH", "").split(":"):
        program = f"{folder}/wine"
        if folder.startswith("/") and os.access(program, os.X_OK):
            installation = os.path.dirname(os.path.dirname(os.path.realpath(program)))
            for library in ("lib", "lib64"):
                yield f"{installation}/{library}/wine/{ARCHITECTURE}"
            return


def _with_nls(directory: str, root: str) -> Userland:
    """The userland in ``directory`` with its NLS tables: its own, if it has them, else the system's."""
    # prefix/lib/wine/x86_64-windows, prefix/lib/<multiarch>/wine/x86_64-windows, a copied tree, a licensed System32
    own = ("../../../share/wine/nls", "../../../../share/wine/nls", "../nls", "nls", ".")
    searched = []
    for nls in [os.path.normpath(f"{directory}/{path}") for path in own] + [root + NLS]:
        if os.path.isfile(f"{nls}/{NLS_FILE}"):
            return Userland(directory, nls)
        searched.append(nls)
    raise UserlandError(
        f"the userland {directory} has no NLS tables ({NLS_FILE} is not in {', '.join(searched)}): {_advice(root)}"
    )


def _advice(root: str, commands: Mapping[str, str] = INSTALL) -> str:
    """How to install a userland on this distribution. Source: os-release(5)."""
    values: dict[str, str] = {}
    for path in ("/etc/os-release", "/usr/lib/os-release"):
        try:
            with open(root + path, encoding="utf-8", errors="replace") as file:
                lines = file.read(1 << 16).splitlines()
        except OSError:
            continue
        for line in lines:
            key, _, value = line.partition("=")
            values[key] = value.strip("\"' ")
        break
    for name in [values.get("ID", ""), *values.get("ID_LIKE", "").split()]:
        command = commands.get(name)
        if command is not None:
            return f"install one with '{command}'"
    return "install your distribution's Wine package, version 8 or newer (Debian: apt install libwine)"


__all__ = ["UserlandError", "find", "find_i386", "missing_file"]
