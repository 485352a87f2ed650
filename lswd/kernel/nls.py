"""National language support: which tables there are, where they are mapped, and the locale the host asks for.

The tables are the userland's ``*.nls`` files; a view is mapped once a process, read-only, straight from the file.
Source: Microsoft "National Language Support"; the table kinds from ntdll's own calls of NtGetNlsSectionPtr.
"""

from __future__ import annotations

import os

from lswd.host.regular_file import open_regular
from lswd.kernel.section import SEC_COMMIT, FileSection, file_identity
from lswd.memory.protection import PAGE_READONLY
from lswd.ntdef.status import STATUS_INVALID_PARAMETER_1, STATUS_OBJECT_NAME_NOT_FOUND, NtError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from lswd.kernel.process import Process
    from lswd.kernel.system import System

# Kinds of tables (the first parameter of NtGetNlsSectionPtr).
SORT_KEYS = 9
CASE_MAP = 10
CODE_PAGE = 11
NORMALIZE = 12

EN_US = 0x409
_LONGEST_TABLE = 16 << 20

_NORMALIZATION = {1: "normnfc.nls", 2: "normnfd.nls", 5: "normnfkc.nls", 6: "normnfkd.nls", 13: "normidna.nls"}


_known: dict[str, tuple[int, ...]] = {}  # there are not many tables


def known() -> list[tuple[str, tuple[int, ...]]]:
    """Path and identity of the tables that have been mapped."""
    return list(_known.items())


class NlsSection(FileSection):
    """A table's file as a section."""


def table_name(kind: int, number: int) -> str:
    """File name of a table.

    Raises:
        NtError: STATUS_INVALID_PARAMETER_1 for an unknown kind, STATUS_OBJECT_NAME_NOT_FOUND for an unknown table.
    """
    if kind == SORT_KEYS:
        name = "sortdefault.nls" if number == 0 else ""
    elif kind == CASE_MAP:
        name = "l_intl.nls"
    elif kind == CODE_PAGE:
        name = f"c_{number:03d}.nls"
    elif kind == NORMALIZE:
        name = _NORMALIZATION.get(number, "")
    else:
        raise NtError(STATUS_INVALID_PARAMETER_1)
    if not name:
        raise NtError(STATUS_OBJECT_NAME_NOT_FOUND)
    return name


def map_table(process: Process, name: str) -> tuple[int, int]:
    """Guest address and size of the table in file ``name``, mapped on first use.

    Raises:
        NtError: STATUS_OBJECT_NAME_NOT_FOUND when the userland has no such table, STATUS_NO_MEMORY.
    """
    space = process.space
    dos_name = f"C:\\windows\\system32\\{name}"
    for region in space.regions():
        if region.name == dos_name and isinstance(region.source, NlsSection):
            return region.base, region.source.size
    path = process.userland.native(name)
    if path is None:
        raise NtError(STATUS_OBJECT_NAME_NOT_FOUND)
    try:
        fd = open_regular(path)
    except OSError:
        raise NtError(STATUS_OBJECT_NAME_NOT_FOUND) from None
    key = _known[path] = file_identity(fd)
    size = key[2]
    section = NlsSection(fd, size, PAGE_READONLY, SEC_COMMIT, name=dos_name)
    section.key = key
    if not 0 < size <= _LONGEST_TABLE:
        raise NtError(STATUS_OBJECT_NAME_NOT_FOUND)
    region, _ = section.map(space, 0, 0, 0, PAGE_READONLY)
    return region.base, size


class Locales:
    """The locales of one user: the system's, the user's and the one of user interfaces, as LCIDs.

    They follow the host's environment as the C library reads it (setlocale(3)): LC_ALL, else the category's own
    variable, else LANG.
    """

    def __init__(self, system: System, environment: Mapping[str, str] = os.environ) -> None:
        self.system_locale = host_locale(system, environment, "LC_CTYPE")
        self.user_locale = host_locale(system, environment, "LC_MESSAGES")
        self.install_language = EN_US
        self.user_language = self.user_locale & 0xFFFF


def host_locale(system: System, environment: Mapping[str, str], category: str) -> int:
    """The LCID of the host's locale for ``category``; en-US when it is "C", or nothing the userland knows."""
    text = environment.get("LC_ALL") or environment.get(category) or environment.get("LANG") or "C"
    language, _, modifier = text.partition("@")
    language = language.partition(".")[0].replace("_", "-")
    if language.lower() in ("c", "posix", "en-us", ""):
        return EN_US
    from lswd.kernel.locale_names import lcid_of

    names = [language]
    if modifier.lower() in ("latin", "cyrillic"):
        name, dash, territory = language.partition("-")
        names.insert(0, f"{name}-{'Latn' if modifier.lower() == 'latin' else 'Cyrl'}{dash}{territory}")
    path = system.userland.native("locale.nls")
    return next((found for found in (lcid_of(path, name) for name in names) if found), EN_US) if path else EN_US
