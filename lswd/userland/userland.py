"""A userland: the directory of Windows DLLs that programs run on, and what the kernel must know of them.

Everything is found out on first use and most of it comes from the cache, so that a launch pays only for what it asks.
"""

from __future__ import annotations

import os

from lswd.userland.cache import cached, file_key
from lswd.userland.structure import Structure
from lswd.userland.supplements import FORGOTTEN, SUPPLEMENTS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_LONGEST_NAME = 255
_WITH_STUBS = ("ntdll.dll", "win32u.dll")
_FIRST_WRAPPER = 0x1800  # in the second service table, where no userland has any
# DLLs with supplements that every program loads: what stands in for them is noted with what a launch reads anyway.
_BASIC = ("kernel32.dll", "kernelbase.dll", "ntdll.dll")


class UserlandError(Exception):
    """No usable userland; the message is one line that says what was searched and what to do."""


class Userland:
    """The userland in ``directory``, with the NLS tables in ``nls_directory``. ``lswd.userland.discovery`` finds it."""

    __slots__ = (
        "_apisets", "_constants", "_enumerations", "_files", "_i386", "_ntdll", "_overlays", "_schema", "_structures",
        "_win32u", "directory", "nls_directory", "word",
    )  # fmt: skip

    def __init__(self, directory: str, nls_directory: str, word: int = 8) -> None:
        """``word`` is the pointer size of the programs that the DLLs are for."""
        self.word = word
        self._i386: Userland | None = None
        self.directory = directory
        self.nls_directory = nls_directory
        self._files: dict[str, str] | None = None
        self._overlays: dict[str, str | None] = {}
        self._ntdll: tuple[dict[int, str], dict[str, int], dict[str, tuple[str, int, int]]] | None = None
        self._win32u: tuple[dict[int, str], dict[str, int]] | None = None
        self._enumerations: dict[tuple[str, str], tuple[str, ...]] = {}
        self._constants: dict[tuple[str, str], int] = {}
        self._structures: dict[tuple[str, str], Structure] = {}
        self._apisets: dict[str, tuple[str, dict[str, str]]] | None = None
        self._schema: bytes | None = None

    @property
    def i386(self) -> Userland:
        """The 32-bit userland that goes with this one. Raises UserlandError when there is none."""
        if self._i386 is None:
            from lswd.userland.discovery import find_i386

            self._i386 = find_i386(os.environ, self)
        return self._i386

    def i386_dll(self, name: str) -> str | None:
        """As ``dll``, of the 32-bit userland; None also when there is no such userland."""
        try:
            return self.i386.dll(name)
        except UserlandError:
            return None

    def i386_names(self) -> list[str]:
        """As ``names``, of the 32-bit userland."""
        try:
            return self.i386.names()
        except UserlandError:
            return []

    def file(self, name: str) -> str | None:
        """The host path of a file of ``C:\\windows\\system32`` by its name in any case, or None.

        Supplements come first, then the userland's own files, then the NLS tables, which Windows keeps there too.
        """
        lowered = name.lower()
        if lowered in SUPPLEMENTS:
            path = self._overlay(lowered)
            if path is not None:
                return path
        return self.native(name)

    def dll(self, name: str) -> str | None:
        """As ``file``, for a module name: one without an extension means a DLL."""
        return self.file(name if "." in name else name + ".dll")

    def owns(self, path: str) -> bool:
        """Is this host path one of its DLLs, which nobody changes in place?"""
        return os.path.dirname(path) == self.directory or path in self._overlays.values()

    def native(self, name: str) -> str | None:
        """As ``file``, but only what is the userland's own."""
        if not name or len(name) > _LONGEST_NAME or "/" in name or "\0" in name or name in (".", ".."):
            return None
        lowered = name.lower()
        if self._files is None:
            # Wine's names are in lower case, and most programs name only files that exist: no listing needed.
            path = f"{self.nls_directory if lowered.endswith('.nls') else self.directory}/{lowered}"
            if os.path.isfile(path):
                return path
        return self._listing().get(lowered)

    def names(self) -> list[str]:
        """The names of all files that ``file`` finds, sorted: what a listing of system32 shows."""
        listing = self._listing()
        names = {lowered: os.path.basename(path) for lowered, path in listing.items()}
        for name in SUPPLEMENTS:
            names.setdefault(name, name)
        return sorted(names.values())

    @property
    def system_calls(self) -> dict[int, str]:
        """Number -> name of ntdll's system calls, Wine's private ones (``wine_server_call``) among them."""
        return self._ntdll_tables()[0]

    def dispatcher_slot(self, path: str) -> int:
        """In a 32-bit userland: the rva of the variable through which the stubs of the DLL at ``path`` enter the
        kernel; 0 for a DLL that has no stubs."""
        if os.path.basename(path) not in _WITH_STUBS or not self.owns(path):
            return 0
        own = f"{self.directory}/{os.path.basename(path)}"  # what stands in for it has it in the same place
        slot: int = cached("slot", (own,), lambda: _dispatcher_slot(own))
        return slot

    @property
    def win32u_system_calls(self) -> dict[int, str]:
        """Number -> name of win32u's system calls; empty if the userland has no win32u.dll. Among them are
        ``win32u_wrappers``, by their numbers."""
        if self._win32u is None:
            path = self.native("win32u.dll")
            numbers, exports = ({}, {}) if path is None else _tables(path)
            self._win32u = numbers | {number: name for name, (number, _, _) in self.win32u_wrappers.items()}, exports
        return self._win32u[0]

    @property
    def win32u_wrappers(self) -> dict[str, tuple[int, int, int]]:
        """The functions of win32u that would call its Unix half (Wine 8): name to a number of ours, rva, and bytes of
        arguments on an i386 stack. They are made system calls when win32u is mapped."""
        path = self.native("win32u.dll")
        found: dict[str, tuple[int, int]] = {}
        if path is not None:
            found = cached("wrappers", (path,), lambda: _wrappers(path, self.word))
        return {name: (_FIRST_WRAPPER + i, *found[name]) for i, name in enumerate(sorted(found))}

    @property
    def ntdll_exports(self) -> dict[str, int]:
        """Name -> rva of everything ntdll exports: functions (``LdrInitializeThunk``) and variables alike."""
        return self._ntdll_tables()[1]

    def enumeration(self, dll: str, prefix: str) -> tuple[str, ...]:
        """The enumeration in a DLL's type information whose members begin with ``prefix``, in order and without it;
        empty if the DLL has none. See ``type_information``."""
        key = (dll, prefix)
        if key not in self._enumerations:
            path = self.native(dll)
            self._enumerations[key] = () if path is None else _enumeration(path, prefix)
        return self._enumerations[key]

    def enumeration_beside(self, dll: str, prefix: str, member: str) -> tuple[str, ...]:
        """As ``enumeration``, for a prefix that several share: the one with ``prefix + member``."""
        key = (dll, f"{prefix}+{member}")
        if key not in self._enumerations:
            path = self.native(dll)
            self._enumerations[key] = () if path is None else _enumeration(path, prefix, member)
        return self._enumerations[key]

    def structure(self, dll: str, name: str) -> Structure:
        """The layout of a structure from a DLL's type information; one without members if the DLL does not tell. See
        ``type_structures``."""
        key = (dll, name)
        if key not in self._structures:
            path = self.native(dll)
            self._structures[key] = Structure(0, {}) if path is None else _structure(path, name)
        return self._structures[key]

    def constant(self, dll: str, name: str) -> int:
        """The value of a member of some enumeration in a DLL's type information; -1 if the DLL does not tell."""
        key = (dll, name)
        if key not in self._constants:
            path = self.native(dll)
            self._constants[key] = -1 if path is None else _constant(path, name)
        return self._constants[key]

    @property
    def apiset_schema(self) -> bytes:
        """The contents of the API set schema, to be mapped for PEB.ApiSetMap; empty if the userland has none."""
        if self._schema is None:
            path = self.native("apisetschema.dll")
            self._schema = b"" if path is None else _apiset_section(path)
        return self._schema

    def apiset_host(self, name: str, importer: str = "") -> str | None:
        """The DLL behind the contract ``name`` (with or without ".dll") when ``importer`` imports from it.

        None if it is no contract, or one that this userland does not know or does not implement.
        """
        from lswd.userland import apiset

        key = apiset.contract(name)
        if key is None:
            return None
        if self._apisets is None:
            path = self.native("apisetschema.dll")
            self._apisets = {} if path is None else cached("apiset", (path,), lambda: _apisets(self.apiset_schema))
        host, exceptions = self._apisets.get(key, ("", {}))
        return exceptions.get(importer.lower(), host) or None

    @property
    def fingerprint(self) -> tuple[tuple[str, int, int], ...]:
        """What changes whenever the userland is replaced by another: path, time and size of its basic DLLs."""
        return tuple([file_key(f"{self.directory}/{name}") for name in ("ntdll.dll", "kernelbase.dll", "kernel32.dll")])

    def identity(self) -> str:
        """What this userland is, in a few words for diagnostics: ``Wine 8.0`` and where it is."""
        return f"{self._version()} in {self.directory}"

    def _version(self) -> str:
        try:
            # Wine's installer script, beside the NLS tables, names the version in a comment on its second line.
            with open(os.path.join(os.path.dirname(self.nls_directory), "wine.inf"), "rb") as file:
                head = file.read(256)
        except OSError:
            head = b""
        for line in head.splitlines():
            _, found, version = line.partition(b";; Version: ")
            if found:
                return version.decode("ascii", "replace").strip()
        try:
            with open(f"{self.directory}/ntdll.dll", "rb") as file:
                head = file.read(128)
        except OSError:
            head = b""
        return "Wine of unknown version" if b"Wine builtin" in head else "a userland other than Wine"

    def _listing(self) -> dict[str, str]:
        """Lower-case name -> host path of all files."""
        if self._files is None:
            files = {}
            for directory in (self.nls_directory, self.directory):  # the userland's own files win
                with os.scandir(directory) as entries:
                    for entry in entries:
                        if entry.is_file() and (directory == self.directory or entry.name.endswith(".nls")):
                            files[entry.name.lower()] = entry.path
            self._files = files
        return self._files

    def _overlay(self, lowered: str) -> str | None:
        if lowered not in self._overlays:
            noted = self._ntdll_tables()[2].get(lowered) if lowered in _BASIC else None
            if noted is not None and file_key(noted[0]) == noted:
                self._overlays[lowered] = noted[0] or None
            else:
                self._overlays[lowered] = self._made(lowered)
        return self._overlays[lowered]

    def _made(self, lowered: str) -> str | None:
        from lswd.userland.supplements.overlay import overlay

        return overlay(lowered, self.native(lowered), word=self.word)

    def _ntdll_tables(self) -> tuple[dict[int, str], dict[str, int], dict[str, tuple[str, int, int]]]:
        """Numbers and exports of ntdll, and what stands in for the DLLs in _BASIC: its ``file_key``, "" for nothing."""
        if self._ntdll is None:
            ntdll = f"{self.directory}/ntdll.dll"

            def compute() -> Any:
                made = {name: file_key(self._made(name) or "") for name in _BASIC}
                return (*_tables_of(ntdll), made)

            inputs = tuple([f"{self.directory}/{name}" for name in _BASIC])
            self._ntdll = cached("basic", inputs, compute, extra=(*SUPPLEMENTS.items(), *FORGOTTEN.items()))
        return self._ntdll


def _tables(path: str) -> tuple[dict[int, str], dict[str, int]]:
    """As ``_tables_of``, from the cache."""
    result: tuple[dict[int, str], dict[str, int]] = cached("stubs", (path,), lambda: _tables_of(path))
    return result


def _tables_of(path: str) -> tuple[dict[int, str], dict[str, int]]:
    """Number -> name of the system calls and name -> rva of the exports of a DLL. Raises ImageError, OSError."""
    from lswd.image.exports import export_table
    from lswd.image.pe import parse
    from lswd.image.rva import OnDisk
    from lswd.userland.stubs import read_stubs

    with open(path, "rb") as file:
        data = file.read()
    image = parse(data, os.path.basename(path))
    reader = OnDisk(data, image)
    exports = export_table(reader, image).names
    return read_stubs(reader, exports), exports


def _wrappers(path: str, word: int) -> dict[str, tuple[int, int]]:
    from lswd.image.exports import export_table
    from lswd.image.pe import parse
    from lswd.image.rva import OnDisk
    from lswd.userland.stubs import read_wrappers

    with open(path, "rb") as file:
        data = file.read()
    image = parse(data, os.path.basename(path))
    reader = OnDisk(data, image)
    return read_wrappers(reader, export_table(reader, image).names, word)


def _enumeration(path: str, prefix: str, member: str = "") -> tuple[str, ...]:
    def compute() -> tuple[str, ...]:
        from lswd.userland.type_information import enumerators, enumerators_beside

        with open(path, "rb") as file:
            data = file.read()
        return enumerators_beside(data, prefix, member) if member else enumerators(data, prefix)

    found: tuple[str, ...] = cached(f"enumeration-{prefix}{member}", (path,), compute)
    return found


def _structure(path: str, name: str) -> Structure:
    def compute() -> tuple[int, dict[str, int]]:
        from lswd.userland.type_structures import structure

        with open(path, "rb") as file:
            return structure(file.read(), name)

    size, offsets = cached(f"structure-{name}", (path,), compute)
    return Structure(size, offsets)


def _constant(path: str, name: str) -> int:
    def compute() -> int:
        from lswd.userland.type_structures import enumerator

        with open(path, "rb") as file:
            return enumerator(file.read(), name)

    value: int = cached(f"constant-{name}", (path,), compute)
    return value


def _dispatcher_slot(path: str) -> int:
    from lswd.image.exports import export_table
    from lswd.image.pe import parse
    from lswd.image.rva import OnDisk
    from lswd.userland.stubs import dispatcher_slot

    with open(path, "rb") as file:
        data = file.read()
    image = parse(data, os.path.basename(path))
    reader = OnDisk(data, image)
    return dispatcher_slot(reader, export_table(reader, image).names, image.image_base)


def _apiset_section(path: str) -> bytes:
    def compute() -> bytes:
        from lswd.image.pe import parse
        from lswd.userland.apiset import SECTION

        with open(path, "rb") as file:
            data = file.read()
        for section in parse(data, os.path.basename(path)).sections:
            if section.name == SECTION:
                start = section.raw_offset
                return data[start : start + min(section.raw_size, section.virtual_size)]
        return b""

    schema: bytes = cached("apiset-section", (path,), compute)
    return schema


def _apisets(schema: bytes) -> dict[str, Any]:
    from lswd.userland.apiset import parse

    try:
        return parse(schema)
    except ValueError:
        return {}  # another version: ntdll may know it, only our diagnostics are poorer
