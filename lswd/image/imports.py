"""The import tables: which DLLs and functions an image needs, and which of them cannot be had.

Read from the file, before anything is mapped, to tell the user what is missing. Sources: Microsoft "PE Format",
"The .idata Section" and "Delay-Load Import Tables"; forwarders from "The .edata Section".
"""

from __future__ import annotations

import os
from struct import Struct, iter_unpack

from lswd.host.regular_file import open_regular
from lswd.image.errors import BAD_HEADER, BAD_IMPORTS, ImageError, printable
from lswd.image.exports import export_table
from lswd.image.pe import DIRECTORY_DELAY_IMPORT, DIRECTORY_IMPORT, parse
from lswd.image.rva import OnDisk

TYPE_CHECKING = False
if TYPE_CHECKING:
    import mmap
    from collections.abc import Callable
    from io import BufferedReader

    from lswd.image.exports import ExportTable
    from lswd.image.pe import Image
    from lswd.image.rva import Reader

_DESCRIPTOR = Struct("<IIIII")
_DELAY_DESCRIPTOR = Struct("<IIIIIIII")
_DELAY_BY_RVA = 1

_MAX_DLLS = 1024  # in one import table
_MAX_FUNCTIONS = 0x20000  # in one image
_MAX_TEXT = 16 << 20  # of all names in one image
_LONGEST_NAME = 4096

# For one program with all its DLLs.
_MAX_IMAGES = 512
_MAX_CHECKS = 1_000_000
_MAX_EXPORTS_MEMORY = 256 << 20
_MAX_MISSING = 1000


class ImportedDll:
    """One DLL an image imports from: names and ordinals of what it needs. ``delay``: not before the first call.
    ``slots``: the rva of the table that their addresses are put into."""

    __slots__ = ("delay", "functions", "name", "slots")

    def __init__(self, name: str, functions: list[str | int], delay: bool, slots: int = 0) -> None:
        self.name = name
        self.functions = functions
        self.delay = delay
        self.slots = slots

    def __repr__(self) -> str:
        return f"<ImportedDll {self.name!r} {len(self.functions)} functions{' delayed' if self.delay else ''}>"


class Missing:
    """Something ``importer`` (a file name) needs and does not get: ``function`` of ``dll``, or all of ``dll``.

    ``reason`` says why a DLL that was found cannot be used; empty when it was not found.
    """

    __slots__ = ("dll", "function", "importer", "reason")

    def __init__(self, importer: str, dll: str, function: str | int | None = None, reason: str = "") -> None:
        self.importer = importer
        self.dll = dll
        self.function = function
        self.reason = reason

    def __str__(self) -> str:
        importer, dll = printable(self.importer), printable(self.dll)
        if self.function is not None:
            what = f"ordinal {self.function}" if isinstance(self.function, int) else printable(self.function)
            return f"{importer} needs {what} from {dll}, which does not have it"
        if self.reason:
            return f"{importer} needs {dll}, which cannot be used: {self.reason}"
        return f"{importer} needs {dll}, which was not found"

    def __repr__(self) -> str:
        return f"<Missing {self}>"


def imports(read: Reader, image: Image) -> list[ImportedDll]:
    """The DLLs ``image`` imports from, in the order of its tables, delay-loaded ones last.

    Args:
        read: ``OnDisk(data, image)`` for a file, ``Mapped(view, image)`` for memory.
        image: its headers.

    Raises:
        ImageError: BAD_IMPORTS when any part of the tables lies outside of the image or makes no sense.
    """
    collector = _Collector(read, image)
    try:
        collector.collect_imports()
        collector.collect_delayed()
    except ImageError as error:
        if error.kind != BAD_HEADER:
            raise
        raise ImageError(BAD_IMPORTS, f"damaged import table: {error.reason}", name=image.name) from None
    return collector.found


class _Collector:
    def __init__(self, reader: Reader, image: Image) -> None:
        self._reader = reader
        self._image = image
        self._functions_left = _MAX_FUNCTIONS
        self._text_left = _MAX_TEXT
        self.found: list[ImportedDll] = []

    def collect_imports(self) -> None:
        rva, size = self._image.directories[DIRECTORY_IMPORT]
        if not rva or not size:
            return
        while True:  # up to an empty descriptor; the directory's size is not what Windows goes by
            lookup, _, _, name, addresses = _DESCRIPTOR.unpack(self._reader.read(rva, _DESCRIPTOR.size))
            if not name or not addresses:
                return
            self._add(name, lookup or addresses, addresses, 0, False)
            rva += _DESCRIPTOR.size

    def collect_delayed(self) -> None:
        rva, size = self._image.directories[DIRECTORY_DELAY_IMPORT]
        if not rva or not size:
            return
        while True:
            descriptor = _DELAY_DESCRIPTOR.unpack(self._reader.read(rva, _DELAY_DESCRIPTOR.size))
            attributes, name, _, addresses, lookup = descriptor[:5]
            if not name:
                return
            base = 0 if attributes & _DELAY_BY_RVA else self._image.image_base  # before Visual C++ 7: addresses
            self._add(name, lookup, addresses, base, True)
            rva += _DELAY_DESCRIPTOR.size

    def _add(self, name_at: int, lookup: int, slots: int, base: int, delay: bool) -> None:
        if len(self.found) >= _MAX_DLLS:
            raise self._bad(f"more than {_MAX_DLLS} DLLs")
        name = self._text(self._rva(name_at, base))
        if not name:
            raise self._bad("a DLL without a name")
        functions = self._functions(self._rva(lookup, base), base) if lookup else []
        self.found.append(ImportedDll(name, functions, delay, max(slots - base, 0)))

    def _functions(self, rva: int, base: int) -> list[str | int]:
        wide = self._image.is_64bit
        by_ordinal = 1 << 63 if wide else 1 << 31
        functions: list[str | int] = []
        while True:
            for (thunk,) in self._thunks(rva, wide):
                if not thunk:
                    return functions
                self._functions_left -= 1
                if self._functions_left < 0:
                    raise self._bad(f"more than {_MAX_FUNCTIONS} functions")
                if thunk & by_ordinal:
                    functions.append(thunk & 0xFFFF)
                else:
                    functions.append(self._text(self._rva(thunk, base) + 2))  # behind the hint
                rva += 8 if wide else 4

    def _thunks(self, rva: int, wide: bool) -> list[tuple[int]]:
        """Some thunks from ``rva`` on: as many as are quick to read, at least one."""
        width, code = (8, "<Q") if wide else (4, "<I")
        try:
            data = self._reader.read(rva, 64 * width)
        except ImageError:  # near the end of its section
            data = self._reader.read(rva, width)
        return list(iter_unpack(code, data))

    def _rva(self, value: int, base: int) -> int:
        rva = value - base
        if rva < 0:
            raise self._bad(f"{value:#x} lies outside of it")
        return rva

    def _text(self, rva: int) -> str:
        piece = self._reader.string(rva, _LONGEST_NAME)
        self._text_left -= len(piece)
        if self._text_left < 0:
            raise self._bad("endless names")
        return piece.decode("latin-1")

    def _bad(self, detail: str) -> ImageError:
        return ImageError(BAD_IMPORTS, f"damaged import table: {detail}", name=self._image.name)


def missing_imports(
    path: str,
    locate: Callable[[str], str | None],
    *,
    delay: bool = False,
    supplied: Callable[[str, str | int], bool] | None = None,
) -> list[Missing]:
    """What the program at ``path``, or a DLL it needs, imports and will not get.

    Walks from DLL to DLL, each file once and no more than a fixed number of them; forwarders are followed one step.

    Args:
        path: the program, a host path.
        locate: host path of a DLL by the name in an import table (api-ms-win-* too), or None.
        delay: check delay-loaded DLLs as well; a program may run well without those.
        supplied: whether something else than its file provides ``(dll, function)``.

    Raises:
        ImageError: the program itself cannot be read as a PE file. (What is wrong with a DLL becomes a Missing.)
        OSError: the program cannot be opened.
    """
    walk = _Walk(locate, supplied)
    walk.enter(path)
    while walk.pending:
        importer, dlls = walk.pending.pop(0)
        for dll in dlls:
            if delay or not dll.delay:
                walk.check(importer, dll)
    return walk.missing


def _contents(file: BufferedReader) -> mmap.mmap | memoryview:
    """The bytes of an open file, without reading them all; works for an empty one too."""
    import mmap

    size = os.fstat(file.fileno()).st_size
    return mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ) if size else memoryview(b"")


class _Walk:
    def __init__(self, locate: Callable[[str], str | None], supplied: Callable[[str, str | int], bool] | None) -> None:
        self._locate = locate
        self._supplied = supplied
        self._machine = 0
        self._checks_left = _MAX_CHECKS
        self._memory_left = _MAX_EXPORTS_MEMORY
        self._tables: dict[str, ExportTable | str] = {}  # host path -> its exports, or what is wrong with it
        self._reported: set[tuple[str, str, str | int | None]] = set()
        self.pending: list[tuple[str, list[ImportedDll]]] = []
        self.missing: list[Missing] = []

    def enter(self, path: str) -> ExportTable:
        """Read one file: its imports become pending, its exports known."""
        name = path.rpartition("/")[2]
        with open(open_regular(path), "rb") as file, _contents(file) as data:
            image = parse(data, name)
            if self._machine and image.machine != self._machine:
                raise ImageError(BAD_IMPORTS, "it is made for another processor than the program", name=name)
            self._machine = image.machine
            reader = OnDisk(data, image)
            table = self._tables[path] = export_table(reader, image)
            self._memory_left -= table.text_size + 100 * (len(table.names) + len(table.ordinals))
            self.pending.append((name, imports(reader, image)))
        return table

    def check(self, importer: str, dll: ImportedDll) -> None:
        """See whether ``importer`` gets all it wants from ``dll``."""
        if not dll.functions:
            return  # Windows does not load it either
        table = self._table(dll.name)
        if not isinstance(table, str):
            for function in dll.functions:
                self._check_function(importer, dll.name, table, function)
        elif not self._is_supplied(dll.name, dll.functions):
            self._report(importer, dll.name, None, table)

    def _check_function(self, importer: str, dll: str, table: ExportTable, function: str | int) -> None:
        self._checks_left -= 1
        if self._checks_left < 0:
            return
        if function not in table:
            if not self._is_supplied(dll, [function]):
                self._report(importer, dll, function)
            return
        forwarder = table.forwarder(function)
        if forwarder is None:
            return
        module, _, target = forwarder.rpartition(".")
        wanted: str | int = target
        if target.startswith("#") and target[1:].isdecimal():
            wanted = int(target[1:7])
        module = module if "." in module else module + ".dll"
        next_table = self._table(module)
        if isinstance(next_table, str):
            if not self._is_supplied(module, [wanted]):
                self._report(dll, module, None, next_table)
        elif wanted not in next_table and not self._is_supplied(module, [wanted]):
            self._report(dll, module, wanted)

    def _is_supplied(self, dll: str, functions: list[str | int]) -> bool:
        supplied = self._supplied
        return supplied is not None and all(supplied(dll, function) for function in functions)

    def _table(self, dll: str) -> ExportTable | str:
        """The exports of ``dll``; or why there are none, an empty text when it does not exist."""
        path = self._locate(dll)
        if path is None:
            return ""
        known = self._tables.get(path)
        if known is None:
            if len(self._tables) >= _MAX_IMAGES or self._memory_left < 0 or self._checks_left < 0:
                return "too many DLLs are needed"
            try:
                known = self.enter(path)
            except ImageError as error:
                known = self._tables[path] = error.reason
            except OSError as error:
                known = self._tables[path] = error.strerror or "unreadable"
        return known

    def _report(self, importer: str, dll: str, function: str | int | None, reason: str = "") -> None:
        key = (importer.lower(), dll.lower(), function)
        if key not in self._reported and len(self.missing) < _MAX_MISSING:
            self._reported.add(key)
            self.missing.append(Missing(importer, dll, function, reason))
