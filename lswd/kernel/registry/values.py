"""Registry values: their types, and Python data as the bytes NT keeps.

Source: Microsoft "Registry value types", winnt.h.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Plain = str | int | bytes | list[str]
    SeedValue = Plain | Callable[[], Plain]

REG_NONE = 0
REG_SZ = 1
REG_EXPAND_SZ = 2
REG_BINARY = 3
REG_DWORD = 4
REG_DWORD_BIG_ENDIAN = 5
REG_LINK = 6
REG_MULTI_SZ = 7
REG_RESOURCE_LIST = 8
REG_FULL_RESOURCE_DESCRIPTOR = 9
REG_RESOURCE_REQUIREMENTS_LIST = 10
REG_QWORD = 11

LINK_VALUE = "SymbolicLinkValue"


class Value:
    """One value of a key. ``name`` is "" for the default value; ``type`` is any 32-bit number."""

    __slots__ = ("data", "name", "type")

    def __init__(self, name: str, kind: int, data: bytes) -> None:
        self.name = name
        self.type = kind
        self.data = data

    def __repr__(self) -> str:
        return f"Value({self.name!r}, {self.type}, {self.data!r})"


class Expand(str):
    """Seed data for REG_EXPAND_SZ: a string with %NAME% in it."""

    __slots__ = ()


class Link(str):
    """Seed data for REG_LINK: the full name of the key a link key stands for."""

    __slots__ = ()


def encode_text(text: str) -> bytes:
    """UTF-16LE without a terminator; unpaired surrogates pass."""
    return text.encode("utf-16-le", "surrogatepass")


def decode_text(data: bytes) -> str:
    """The string in ``data``: everything, terminators included; an odd last byte is dropped."""
    return data[: len(data) & ~1].decode("utf-16-le", "surrogatepass")


def encode(plain: Plain) -> tuple[int, bytes]:
    """Type and bytes of seed data: str, Expand, Link, int (REG_DWORD), bytes (REG_BINARY), list (REG_MULTI_SZ)."""
    if isinstance(plain, Link):
        return REG_LINK, encode_text(plain)
    if isinstance(plain, str):
        return REG_EXPAND_SZ if isinstance(plain, Expand) else REG_SZ, encode_text(plain + "\0")
    if isinstance(plain, int):
        return REG_DWORD, plain.to_bytes(4, "little")
    if isinstance(plain, bytes):
        return REG_BINARY, plain
    return REG_MULTI_SZ, encode_text("".join(text + "\0" for text in plain) + "\0")
