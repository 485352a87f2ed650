"""Locale names to LCIDs, from the userland's ``locale.nls``.

The file's directory says at 0x10 where the locale table is ("NSDS" at its fourth word); its name index holds
(offset of the name among the strings, locale's number, LCID), and each string is preceded by its length.
Source: [MS-LCID]; the layout is what ntdll itself expects of the file.
"""

from __future__ import annotations

import struct

_LOCALES_AT = 0x10
_NAME_COUNT_AT = 0x28
_NAMES_AT = 0x30
_STRINGS_AT = 0x40
_MAGIC = b"NSDS"
_ALIAS = 0x80000000  # marks a further name of a locale
_NO_NUMBER = 0x1000  # LOCALE_CUSTOM_UNSPECIFIED
_SUBLANG_DEFAULT = 0x400


def lcid_of(path: str, name: str) -> int:
    """The LCID of the locale called ``name`` ("de-DE") in the table at ``path``; 0 when it has none."""
    try:
        with open(path, "rb") as file:
            return _find(file.read(), name.lower())
    except (OSError, struct.error, UnicodeDecodeError):
        return 0


def _find(data: bytes, name: str) -> int:
    (base,) = struct.unpack_from("<I", data, _LOCALES_AT)
    if data[base + 12 : base + 16] != _MAGIC:
        return 0
    (count,) = struct.unpack_from("<H", data, base + _NAME_COUNT_AT)
    (names,) = struct.unpack_from("<I", data, base + _NAMES_AT)
    (strings,) = struct.unpack_from("<I", data, base + _STRINGS_AT)
    for at, _, lcid in struct.iter_unpack("<HHI", data[base + names : base + names + 8 * count]):
        start = base + strings + 2 * at
        (length,) = struct.unpack_from("<H", data, start)
        if data[start + 2 : start + 2 + 2 * length].decode("utf-16-le").lower() == name:
            found: int = lcid & ~_ALIAS
            if found == _NO_NUMBER:
                return 0
            return found if found >= _SUBLANG_DEFAULT else found | _SUBLANG_DEFAULT
    return 0
