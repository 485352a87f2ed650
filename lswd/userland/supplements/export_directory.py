"""An export directory that can be changed: read from an image, added to, and written for another place.

Unlike ``lswd.image.exports``, which answers what an image offers, this keeps the directory as it is: every ordinal,
gap, alias and forwarder. Layout: Microsoft "PE Format", "The .edata Section".
"""

from __future__ import annotations

from struct import Struct, pack, unpack

from lswd.image.errors import BAD_EXPORTS, ImageError
from lswd.image.pe import DIRECTORY_EXPORT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.image.pe import Image
    from lswd.image.rva import OnDisk

_HEADER = Struct("<IIHHIIIIIII")
_MOST_ORDINALS = 0x10000


class ExportDirectory:
    """Exports in the making.

    Attributes:
        module: the DLL's name as its linker wrote it.
        base: the ordinal of ``functions[0]``.
        functions: what each ordinal stands for: an RVA, a forwarder's text, or 0 for nothing.
        names: name -> index into ``functions``.
    """

    __slots__ = ("base", "functions", "module", "names")

    def __init__(self, module: bytes, base: int = 1) -> None:
        self.module = module
        self.base = base
        self.functions: list[int | bytes] = []
        self.names: dict[bytes, int] = {}

    def put(self, name: str, rva: int, ordinal: int | None = None) -> None:
        """Export ``rva`` as ``name``, under ``ordinal`` or the next one after all others.

        A name that exists is redirected and keeps its ordinal. Raises ValueError for an ordinal that is taken, out of
        range or not that of the existing name.
        """
        key = name.encode("ascii")
        index = self.names.get(key)
        if index is None:
            index = len(self.functions) if ordinal is None else ordinal - self.base
            if not 0 <= index < _MOST_ORDINALS or (index < len(self.functions) and self.functions[index]):
                raise ValueError(f"ordinal {index + self.base} for {name} is taken or out of range")
            self.functions.extend([0] * (index + 1 - len(self.functions)))
            self.names[key] = index
        elif ordinal is not None and ordinal != self.base + index:
            raise ValueError(f"{name} has ordinal {self.base + index}, not {ordinal}")
        self.functions[index] = rva

    def alias(self, name: str, meant: str) -> None:
        """Export what ``meant`` means as ``name``, too: a function here, or ``dll.function``, another DLL's.

        Raises LookupError for a function that is not here.
        """
        if "." in meant:
            what: int | bytes = meant.encode("ascii")
        else:
            known = self.names.get(meant.encode("ascii"))
            if known is None:
                raise LookupError(f"there is no {meant} that {name} could be another name of")
            what = self.functions[known]
        self.names[name.encode("ascii")] = len(self.functions)
        self.functions.append(what)

    def encode(self, rva: int) -> bytes:
        """The directory with its tables and strings, to be placed at ``rva``."""
        names = sorted(self.names)
        functions_at = rva + _HEADER.size
        names_at = functions_at + 4 * len(self.functions)
        ordinals_at = names_at + 4 * len(names)
        strings_at = ordinals_at + 2 * len(names)
        strings = bytearray()

        def place(text: bytes) -> int:
            at = strings_at + len(strings)
            strings.extend(text + b"\0")
            return at

        module_at = place(self.module)
        name_rvas = [place(name) for name in names]
        # An RVA within the directory marks a forwarder, so these texts have to move with it.
        functions = [place(each) if isinstance(each, bytes) else each for each in self.functions]
        places = (module_at, self.base, len(functions), len(names), functions_at, names_at, ordinals_at)
        return b"".join(
            (
                _HEADER.pack(0, 0, 0, 0, *places),
                pack(f"<{len(functions)}I", *functions),
                pack(f"<{len(names)}I", *name_rvas),
                pack(f"<{len(names)}H", *[self.names[name] for name in names]),
                strings,
            )
        )


def read(reader: OnDisk, image: Image) -> ExportDirectory:
    """The export directory of ``image``; an empty one if it has none.

    Raises ImageError if any part of it lies outside of the image.
    """
    start, size = image.directories[DIRECTORY_EXPORT]
    if not start:
        return ExportDirectory(image.name.encode("ascii", "replace"))
    header = _HEADER.unpack(reader.read(start, _HEADER.size))
    module, base, function_count, name_count, functions_at, names_at, ordinals_at = header[4:]
    if function_count > _MOST_ORDINALS or name_count > _MOST_ORDINALS:
        raise ImageError(BAD_EXPORTS, "damaged export table: more than 65536 exports", name=image.name)
    directory = ExportDirectory(reader.string(module), base)
    functions = unpack(f"<{function_count}I", reader.read(functions_at, 4 * function_count)) if function_count else ()
    directory.functions = [reader.string(each) if start <= each < start + size else each for each in functions]
    names = unpack(f"<{name_count}I", reader.read(names_at, 4 * name_count)) if name_count else ()
    indices = unpack(f"<{name_count}H", reader.read(ordinals_at, 2 * name_count)) if name_count else ()
    for name, index in zip(names, indices, strict=True):
        if index >= function_count:
            raise ImageError(BAD_EXPORTS, f"damaged export table: no function {index}", name=image.name)
        directory.names[reader.string(name)] = index
    return directory
