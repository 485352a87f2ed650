"""Import and export tables for made PE files, and whole DLLs that have them."""

from __future__ import annotations

from struct import pack, pack_into

from tests.unit.pe_builder import I386, RDATA, build_pe

EXPORTS_AT = 0x1000
IMPORTS_AT = 0x3000
DELAYED_AT = IMPORTS_AT + 0x200
EXPORT_FIELDS = (
    "flags", "time", "version", "name", "base", "function_count", "name_count", "functions", "names", "ordinals",
)  # fmt: skip


def export_body(
    functions: list[int | str], names: list[tuple[str, int]], *, base: int = 1, dll: str = ""
) -> bytes:
    """An export directory for EXPORTS_AT. ``names`` point into ``functions``, addresses or what is forwarded to."""
    functions_at = EXPORTS_AT + 40
    names_at = functions_at + 4 * len(functions)
    ordinals_at = names_at + 4 * len(names)
    text_at = ordinals_at + 2 * len(names)
    text = bytearray()

    def put(string: str) -> int:
        nonlocal text
        at = text_at + len(text)
        text += string.encode("latin-1") + b"\0"
        return at

    addresses = [put(function) if isinstance(function, str) else function for function in functions]
    pointers = [put(name) for name, _ in names]
    name = put(dll) if dll else 0
    return (
        pack("<10I", 0, 0, 0, name, base, len(functions), len(names), functions_at, names_at, ordinals_at)
        + pack(f"<{len(addresses)}I", *addresses)
        + pack(f"<{len(pointers)}I", *pointers)
        + pack(f"<{len(names)}H", *[index for _, index in names])
        + bytes(text)
    )


def poke_exports(body: bytes, fields: dict[str, int]) -> bytearray:
    """Change fields in the header of an export directory."""
    changed = bytearray(body)
    for name, value in fields.items():
        pack_into("<I", changed, 4 * EXPORT_FIELDS.index(name), value)
    return changed


class ImportTable:
    """Lays out import tables for IMPORTS_AT; ``base`` is what delayed imports by address are counted from."""

    def __init__(self, *, wide: bool = True, base: int = 0) -> None:
        self.wide = wide
        self.base = base
        self.descriptors = bytearray()
        self.delayed = bytearray()
        self._rest = bytearray(0x400)  # the descriptors go here

    def _put(self, data: bytes) -> int:
        at = IMPORTS_AT + len(self._rest)
        self._rest += data + bytes(-len(data) % 8)
        return at

    def _thunks(self, functions: list[str | int]) -> int:
        flag = 1 << 63 if self.wide else 1 << 31
        values = [
            f | flag if isinstance(f, int) else self._put(b"\0\0" + f.encode() + b"\0") + self.base for f in functions
        ]
        return self._put(pack(f"<{len(values) + 1}{'Q' if self.wide else 'I'}", *values, 0))

    def add(self, dll: str, functions: list[str | int], *, lookup: bool = True) -> None:
        """Import ``functions`` (names and ordinals), with or without a lookup table beside the address table."""
        name = self._put(dll.encode() + b"\0")
        thunks = self._thunks(functions)
        self.descriptors += pack("<IIIII", thunks if lookup else 0, 0, 0, name, thunks)

    def add_delayed(self, dll: str, functions: list[str | int]) -> None:
        """The same, at the first call."""
        name, thunks = self._put(dll.encode() + b"\0"), self._thunks(functions)
        flags = 0 if self.base else 1
        self.delayed += pack("<IIIIIIII", flags, name + self.base, 0, 0, thunks + self.base, 0, 0, 0)

    def body(self) -> bytes:
        body = bytearray(self._rest)
        body[: len(self.descriptors)] = self.descriptors
        body[0x200 : 0x200 + len(self.delayed)] = self.delayed
        return bytes(body)


def build_module(exported: bytes = b"", imported: ImportTable | None = None) -> bytearray:
    """A PE file with an export directory (``export_body``), import tables, or both."""
    sections = [(".edata", exported, 0x2000, RDATA)]
    directories = {0: (EXPORTS_AT, len(exported))} if exported else {}
    wide = True
    if imported is not None:
        wide = imported.wide
        sections.append((".idata", imported.body(), 0, RDATA))
        if imported.descriptors:
            directories[1] = (IMPORTS_AT, 40)
        if imported.delayed:
            directories[13] = (DELAYED_AT, 64)
    return build_pe(sections, directories=directories, machine=0x8664 if wide else I386)


def needing(**dlls: list[str | int]) -> bytearray:
    """A PE file that imports these functions; ``a=`` means a.dll."""
    table = ImportTable()
    for name, functions in dlls.items():
        table.add(f"{name}.dll", functions)
    return build_module(imported=table)


def offering(*names: str, imported: ImportTable | None = None) -> bytearray:
    """A DLL that exports these names, by ordinals from 1 too; may import something itself."""
    ordered = sorted(names)
    body = export_body([0x1F00 + i for i in range(len(ordered))], [(name, i) for i, name in enumerate(ordered)])
    return build_module(body, imported)
