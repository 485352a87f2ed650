"""The export table: which names and ordinals an image offers, and where they are.

Source: Microsoft "PE Format", "The .edata Section".
"""

from __future__ import annotations

from struct import Struct, unpack

from lswd.image.errors import BAD_EXPORTS, BAD_HEADER, ImageError
from lswd.image.pe import DIRECTORY_EXPORT
from lswd.image.rva import Mapped

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.image.formats import Data
    from lswd.image.pe import Image
    from lswd.image.rva import Reader

_TABLE = Struct("<IIHHIIIIIII")
_U16 = Struct("<H")
_U32 = Struct("<I")
_MAX_FUNCTIONS = 0x10000  # ordinals have 16 bits
_MAX_TEXT = 16 << 20  # of all names together; overlapping names could otherwise fill the memory
_LONGEST_NAME = 4096
_LARGEST_BLOB = 4 << 20  # read at once


class ExportTable:
    """All exports of an image.

    Attributes:
        names: name -> rva of what this image itself has.
        forwarders: name -> ``"DLL.Function"`` or ``"DLL.#Ordinal"`` of what another image has.
        ordinals: ordinal -> rva, of everything this image itself has, named or not.
        ordinal_forwarders: ordinal -> the same text as in ``forwarders``.
        dll_name: the name the linker gave the image; may be empty.
        text_size: bytes of all names and forwarders together.
    """

    __slots__ = ("dll_name", "forwarders", "names", "ordinal_forwarders", "ordinals", "text_size")

    def __init__(self) -> None:
        self.dll_name = ""
        self.text_size = 0
        self.names: dict[str, int] = {}
        self.forwarders: dict[str, str] = {}
        self.ordinals: dict[int, int] = {}
        self.ordinal_forwarders: dict[int, str] = {}

    def __contains__(self, function: str | int) -> bool:
        if isinstance(function, int):
            return function in self.ordinals or function in self.ordinal_forwarders
        return function in self.names or function in self.forwarders

    def forwarder(self, function: str | int) -> str | None:
        """Where ``function`` is forwarded to, if it is."""
        if isinstance(function, int):
            return self.ordinal_forwarders.get(function)
        return self.forwarders.get(function)


def exports(view: Data, image: Image) -> dict[str, int]:
    """Name -> rva of the functions and variables a mapped image exports itself (without forwarders).

    Args:
        view: the mapped image.
        image: its headers.

    Raises:
        ImageError: BAD_EXPORTS.
    """
    return export_table(Mapped(view, image), image).names


def forwarders(view: Data, image: Image) -> dict[str, str]:
    """Name -> ``"DLL.Function"`` of the exports of a mapped image that another image has.

    Raises:
        ImageError: BAD_EXPORTS.
    """
    return export_table(Mapped(view, image), image).forwarders


def find_export(view: Data, image: Image, name: str) -> int:
    """The rva of one export of a mapped image, or 0 when it does not export ``name`` itself.

    Finds it as NT does, by bisection (names are sorted), and so in a fraction of the time ``exports`` takes.

    Raises:
        ImageError: BAD_EXPORTS.
    """
    start, size = image.directories[DIRECTORY_EXPORT]
    if not start or not size:
        return 0
    reader = Mapped(view, image)
    wanted = name.encode("latin-1", "replace")
    try:
        header = _TABLE.unpack(reader.read(start, _TABLE.size))
        function_count, high, functions_rva, names_rva, name_ordinals_rva = header[6:]
        low = 0
        while low < high:
            middle = (low + high) // 2
            found = reader.string(_U32.unpack(reader.read(names_rva + 4 * middle, 4))[0], _LONGEST_NAME)
            if found == wanted:
                (index,) = _U16.unpack(reader.read(name_ordinals_rva + 2 * middle, 2))
                rva = _U32.unpack(reader.read(functions_rva + 4 * index, 4))[0] if index < function_count else 0
                return 0 if start <= rva < start + size else rva
            if found < wanted:
                low = middle + 1
            else:
                high = middle
    except ImageError as error:
        raise ImageError(BAD_EXPORTS, f"damaged export table: {error.reason}", name=image.name) from None
    return 0


def export_table(reader: Reader, image: Image) -> ExportTable:
    """The export table of ``image``, read through ``reader`` (``Mapped`` or ``OnDisk``).

    Raises:
        ImageError: BAD_EXPORTS when any part of it lies outside of the image or makes no sense.
    """
    table = ExportTable()
    rva, size = image.directories[DIRECTORY_EXPORT]
    if not rva or not size:
        return table
    try:
        _read(reader, image, rva, size, table)
    except ImageError as error:
        if error.kind != BAD_HEADER:
            raise
        raise ImageError(BAD_EXPORTS, f"damaged export table: {error.reason}", name=image.name) from None
    return table


def _read(reader: Reader, image: Image, start: int, size: int, table: ExportTable) -> None:
    header = _TABLE.unpack(reader.read(start, _TABLE.size))
    name_rva, base, function_count, name_count, functions_rva, names_rva, name_ordinals_rva = header[4:]
    if function_count > _MAX_FUNCTIONS or name_count > 2 * _MAX_FUNCTIONS:
        raise ImageError(
            BAD_EXPORTS, f"damaged export table: {function_count} functions, {name_count} names", name=image.name
        )
    text = _Text(reader, image, start, size)
    if name_rva:
        table.dll_name = text.at(name_rva)
    functions = unpack(f"<{function_count}I", reader.read(functions_rva, 4 * function_count)) if function_count else ()
    end = start + size
    for ordinal, rva in enumerate(functions, base):
        if start <= rva < end:
            table.ordinal_forwarders[ordinal] = text.at(rva)
        elif rva:
            table.ordinals[ordinal] = rva
    names = unpack(f"<{name_count}I", reader.read(names_rva, 4 * name_count)) if name_count else ()
    name_ordinals = unpack(f"<{name_count}H", reader.read(name_ordinals_rva, 2 * name_count)) if name_count else ()
    for name_at, index in zip(names, name_ordinals, strict=True):
        if index >= function_count:
            raise ImageError(BAD_EXPORTS, f"damaged export table: no function {index}", name=image.name)
        rva = functions[index]
        if start <= rva < end:
            table.forwarders[text.at(name_at)] = table.ordinal_forwarders[base + index]
        elif rva:
            table.names[text.at(name_at)] = rva
    table.text_size = _MAX_TEXT - text.left


class _Text:
    """Reads names, most of which stand in the export directory itself, and keeps their total size within bounds."""

    def __init__(self, reader: Reader, image: Image, start: int, size: int) -> None:
        self._reader = reader
        self._image = image
        self._start = start
        self.left = _MAX_TEXT
        try:
            self._blob = reader.read(start, min(size, _LARGEST_BLOB)).decode("latin-1")
        except ImageError:  # a size that promises too much: NT would not notice
            self._blob = ""

    def at(self, rva: int) -> str:
        offset = rva - self._start
        end = self._blob.find("\0", offset, offset + _LONGEST_NAME) if offset >= 0 else -1
        piece = self._blob[offset:end] if end >= 0 else self._reader.string(rva, _LONGEST_NAME).decode("latin-1")
        self.left -= len(piece)
        if self.left < 0:
            raise ImageError(BAD_EXPORTS, "damaged export table: endless names", name=self._image.name)
        return piece
