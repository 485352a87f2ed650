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


def enumerators_beside(data: bytes, prefix: str, member: str) -> tuple[str, ...]:
    """The enumeration that ``prefix + member`` belongs to, for a prefix that several share: the names without it, in
    order. Empty: none. Its entries lie behind each other, with one or two bytes that say what they are."""
    import re

    wanted = member.encode("ascii")
    run: list[bytes] = []
    end = 0
    for match in re.finditer(re.escape(prefix.encode("ascii")) + rb"([A-Za-z0-9_]+)\0([\0-\x7f])", data):
        if match[2][0] != len(run) or match.start() - end > 2:
            if wanted in run:
                break
            run = []
        if match[2][0] == len(run):
            run.append(match[1])
        end = match.end()
    return tuple(name.decode("ascii") for name in run) if wanted in run else ()
