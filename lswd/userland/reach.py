"""Which system calls a program can reach: from its imports through the userland's DLLs, function by function.

A program's own images count with all they import, and with the names of functions that lie in their data as they do for
GetProcAddress. Of the userland's DLLs only the functions that are called are followed (``image.calls``), from the ones
imported, from entry points and from where the kernel enters ntdll.
"""

from __future__ import annotations

import os

from lswd.host.regular_file import open_regular
from lswd.image.calls import CallGraph, call_graph
from lswd.image.errors import ImageError
from lswd.image.exports import export_table
from lswd.image.imports import imports
from lswd.image.pe import parse
from lswd.image.rva import OnDisk
from lswd.userland.cache import cached
from lswd.userland.stubs import read_stubs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any, TypeAlias

    from lswd.userland.userland import Userland

    Function: TypeAlias = tuple[str, int]  # of the DLL with this file name, at this rva

_KERNEL_ENTERS = (
    "LdrInitializeThunk", "RtlUserThreadStart", "KiUserExceptionDispatcher", "KiUserApcDispatcher",
    "KiUserCallbackDispatcher",
)  # fmt: skip
_SHORTEST_NAME = 6  # that is taken for a function's
_MOST_IMAGES = 512
_UNIX_CALL = "__wine_unix_call"


def userland_for(path: str, userland: Userland) -> Userland:
    """The userland of the program's word size. Raises ImageError, OSError; UserlandError: there is none."""
    with open(open_regular(path), "rb") as file:
        image = parse(file.read(), os.path.basename(path))
    return userland if image.is_64bit else userland.i386


def dll_finder(program: str, userland: Userland) -> Callable[[str], str | None]:
    """A function that finds a DLL as the loader would: an API set's host, beside the program, in the userland."""
    folder = os.path.dirname(os.path.abspath(program))
    beside = {name.lower(): os.path.join(folder, name) for name in os.listdir(folder)}

    def find(name: str) -> str | None:
        host = userland.apiset_host(name)
        if host is not None:
            return userland.dll(host)
        return beside.get(name.lower()) or userland.dll(name)

    return find


class _Dll:
    """What is known of one image."""

    def __init__(self, path: str, own: bool) -> None:
        """``own``: it is none of the userland's. Raises ImageError, OSError."""
        self.name = os.path.basename(path).lower()
        self.path = path
        self.own = own
        names, ordinals, forwarders, imported, stubs, self.entry, starts, edges = cached(
            "calls", (path,), lambda: _tables(path, own)
        )
        self.names: dict[str, int] = names
        self.ordinals: dict[int, int] = ordinals
        self.forwarders: dict[str | int, str] = forwarders
        self.imported: list[tuple[str, list[str | int], bool]] = imported
        self.stubs: dict[int, str] = stubs  # rva to the system call's name
        self.graph = CallGraph(starts, edges)
        self.labels: dict[int, str] = {}
        for name, rva in names.items():
            if not name.startswith("Zw"):
                self.labels.setdefault(rva, name)

    def label(self, rva: int) -> str:
        """A function as a person calls it."""
        return f"{self.name}!{self.labels.get(rva) or f'{rva:#x}'}"


def _tables(path: str, own: bool) -> tuple[Any, ...]:
    with open(open_regular(path), "rb") as file:
        data = file.read()
    image = parse(data, os.path.basename(path))
    reader = OnDisk(data, image)
    table = export_table(reader, image)
    imported = imports(reader, image)
    by_number = read_stubs(reader, table.names) if not own else {}
    stubs = {table.names[name]: name for name in by_number.values()}
    graph = CallGraph([], {}) if own else call_graph(reader, image, imported, table.ordinals.values())
    return (
        table.names,
        table.ordinals,
        {**table.forwarders, **table.ordinal_forwarders},
        [(dll.name, dll.functions, dll.delay) for dll in imported],
        stubs,
        image.entry_rva,
        graph.starts,
        graph.edges,
    )


class Reach:
    """What a program reaches.

    Attributes:
        calls: system call to the way there: labels from the program's import on, or from where it begins.
        dlls: the images it loads or may load, by name.
        unix_halves: DLLs among them whose code asks for its Unix half.
        problems: images that were not found or cannot be read.
    """

    def __init__(self, userland: Userland, find: Callable[[str], str | None]) -> None:
        """``find``: host path of a DLL by the name that an import table has for it."""
        self._userland = userland
        self._find = find
        self._dlls: dict[str, _Dll | None] = {}  # by the name asked for
        self._by_path: dict[str, _Dll] = {}
        self._parents: dict[Function, Function | str] = {}
        self._pending: list[tuple[_Dll, int]] = []
        self.calls: dict[str, list[str]] = {}
        self.problems: list[str] = []

    def program(self, path: str) -> None:
        """Follow all that the program at ``path`` can call. Raises ImageError, OSError: it cannot be read."""
        ntdll = self._dll("ntdll.dll")
        if ntdll is not None:
            for name in _KERNEL_ENTERS:
                if name in ntdll.names:
                    self._enter(ntdll, ntdll.names[name], "the kernel")
        self._load_own(_Dll(path, own=True))
        while self._pending:
            dll, rva = self._pending.pop()
            self._follow(dll, rva)

    @property
    def dlls(self) -> list[str]:
        """Names of the images that were looked at."""
        return sorted(self._by_path_names())

    def _by_path_names(self) -> Iterable[str]:
        return (dll.name for dll in self._by_path.values())

    @property
    def unix_halves(self) -> list[str]:
        """DLLs with a Unix half beside them."""
        folder = self._userland.directory.rstrip("/").rpartition("-windows")[0] + "-unix"
        return [name for name in self.dlls if os.path.isfile(f"{folder}/{name.rpartition('.')[0]}.so")]

    # ---- images

    def _dll(self, name: str) -> _Dll | None:
        name = name.lower()
        if name in self._dlls:
            return self._dlls[name]
        found = None
        path = self._find(name)
        if path is None:
            self.problems.append(f"{name} was not found")
        elif path in self._by_path:
            found = self._by_path[path]
        elif len(self._by_path) < _MOST_IMAGES:
            try:
                found = _Dll(path, own=not self._is_userlands(path))
            except (ImageError, OSError) as error:
                self.problems.append(str(error))
        self._dlls[name] = found
        if found is not None and path is not None and path not in self._by_path:
            self._by_path[path] = found
            if found.own:
                self._load_own(found)
            else:
                self._load(found)
        return found

    def _is_userlands(self, path: str) -> bool:
        return path.startswith(self._userland.directory.rstrip("/") + "/") or f"{os.sep}lsw{os.sep}" in path

    def _load(self, dll: _Dll) -> None:
        """A DLL of the userland: its entry point, and those of the DLLs loaded with it."""
        if dll.entry:
            self._enter(dll, dll.graph.function(dll.entry), f"{dll.name} as it is loaded")
        for name, functions, delay in dll.imported:
            if functions and not delay:
                self._dll(name)

    def _load_own(self, dll: _Dll) -> None:
        """The program or a DLL of its own: all it imports, and all it might look up."""
        for name, functions, _ in dll.imported:
            target = self._dll(name)
            for function in functions if target is not None else ():
                self._import(target, function, dll.name)
        names = _names_in(dll.path)
        for asked in ("ntdll.dll", "kernel32.dll", *_dlls_named(names)):
            if self._find(asked) is None:
                continue
            target = self._dll(asked)
            if target is None or target.own:
                continue
            for function in names & (target.names.keys() | {n for n in target.forwarders if isinstance(n, str)}):
                self._import(target, function, f"{dll.name} by name")

    # ---- functions

    def _import(self, dll: _Dll | None, function: str | int, parent: Function | str) -> None:
        for _ in range(8):  # forwarders
            if dll is None:
                return
            forwarder = dll.forwarders.get(function)
            if forwarder is None:
                break
            module, _, target = forwarder.rpartition(".")
            function = int(target[1:]) if target.startswith("#") and target[1:].isdecimal() else target
            dll = self._dll(module if "." in module else module + ".dll")
        else:
            return
        rva = dll.ordinals.get(function) if isinstance(function, int) else dll.names.get(function)
        if rva is not None and not dll.own:
            self._enter(dll, rva, parent)

    def _enter(self, dll: _Dll, rva: int, parent: Function | str) -> None:
        key = (dll.name, rva)
        if key in self._parents:
            return
        self._parents[key] = parent
        stub = dll.stubs.get(rva)
        if stub is not None:
            self.calls[stub] = self._chain(key)
        elif dll.name == "ntdll.dll" and dll.labels.get(rva) == _UNIX_CALL:
            self.calls[_UNIX_CALL] = self._chain(key)
        else:
            self._pending.insert(0, (dll, rva))

    def _follow(self, dll: _Dll, rva: int) -> None:
        inside, outside = dll.graph.edges.get(dll.graph.function(rva), ((), ()))
        for target in inside:
            self._enter(dll, target, (dll.name, rva))
        for name, function in outside:
            self._import(self._dll(name), function, (dll.name, rva))

    def _chain(self, function: Function) -> list[str]:
        """The exported functions on the way, from the program's side on."""
        by_name = {dll.name: dll for dll in self._by_path.values()}
        labels: list[str] = []
        at: Function | str = self._parents[function]
        while not isinstance(at, str):
            dll = by_name[at[0]]
            if at[1] in dll.labels or not labels:
                labels.append(dll.label(at[1]))
            at = self._parents[at]
        return [at, *reversed(labels)]


def _names_in(path: str) -> set[str]:
    """The words in a file that might be a function's or a DLL's name, each as a text by itself."""
    import re

    with open(open_regular(path), "rb") as file:
        data = file.read()
    found = re.findall(rb"(?<=\0)[A-Za-z_][A-Za-z0-9_.\-]{%d,79}(?=\0)" % (_SHORTEST_NAME - 1), data)
    return {word.decode("ascii") for word in found}


def _dlls_named(names: set[str]) -> list[str]:
    return sorted({name.lower() for name in names if name.lower().endswith(".dll")})
