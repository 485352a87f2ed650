"""Numbers that a userland's DLLs tell in their type information, where nothing else does.

What a DLL and its Unix half agree on (which function has which number, which algorithm) is in enumerations that are
compiled away and change from version to version. Wine's DLLs carry DWARF, where an enumerator is its name, a zero and
its value; enumerations count from 0 without gaps, so one is recognised without reading all of DWARF.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_LARGEST = 128


def enumerators(data: bytes, prefix: str) -> tuple[str, ...]:
    """The first enumeration whose members begin with ``prefix``: their names without it, in order. Empty: none."""
    names: list[str] = []
    for name, value in _candidates(data, prefix.encode("ascii")):
        if value == len(names) and name not in names and len(names) < _LARGEST:
            names.append(name)
    return tuple(names)


def _candidates(data: bytes, prefix: bytes) -> Iterator[tuple[str, int]]:
    import re

    for match in re.finditer(rb"(?<![A-Za-z0-9_])" + re.escape(prefix) + rb"([A-Za-z0-9_]+)\0([\0-\x7f])", data):
        yield match[1].decode("ascii"), match[2][0]
