"""Which module declares which system call, so that a launch imports only the families its program uses.

The index is derived from the sources (a line ``@syscall...`` and the ``def`` below it) and cached until one of them
changes; nobody maintains it. ``tests/unit/test_nt_catalogue.py`` compares it with what importing everything declares.
"""

from __future__ import annotations

import os

from lswd.nt import FAMILIES
from lswd.nt.declare import DECLARED, SystemCall
from lswd.userland.cache import cached

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_index: dict[str, str] | None = None


def declaration(name: str) -> SystemCall | None:
    """The declaration of the system call ``name``, its module imported if need be; None when there is none."""
    found = DECLARED.get(name)
    if found is None and name:
        family = index().get(name)
        if family is not None:
            __import__(f"lswd.nt.{family}")
            found = DECLARED.get(name)
    return found


def load_families() -> None:
    """Import every module that declares system calls."""
    for family in FAMILIES:
        __import__(f"lswd.nt.{family}")


def index() -> dict[str, str]:
    """System call name to the module of ``lswd.nt`` that declares it."""
    global _index
    if _index is None:
        folder = os.path.dirname(__file__)
        paths = [f"{folder}/{family}.py" for family in FAMILIES]
        _index = cached("syscalls", paths, lambda: scan(zip(FAMILIES, paths, strict=True)))
    return _index


def scan(sources: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The index of (family, path of its source) pairs.

    Raises:
        ValueError: a call is declared twice. OSError: a source cannot be read.
    """
    found: dict[str, str] = {}
    for family, path in sources:
        with open(path, encoding="utf-8") as file:
            declared = False
            for line in file:
                if line.startswith("@syscall"):
                    declared = True
                elif declared and line.startswith(("def ", "async def ")):
                    declared = False
                    name = line.partition("def ")[2].partition("(")[0]
                    if name in found:
                        raise ValueError(f"{name} is declared twice: in {found[name]} and in {family}")
                    found[name] = family
    return found
