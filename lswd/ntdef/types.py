"""NT's scalar types and declared structure layouts, for 32- and 64-bit guests from one declaration.

A type checker sees scalars as ``int``; at run time each is a :class:`Scalar` that knows its width. A structure is a
class whose annotations are its fields in order::

    class CLIENT_ID(Struct):
        UniqueProcess: HANDLE
        UniqueThread: HANDLE

``word`` is the guest's pointer size in bytes everywhere: 8 or 4. Names and widths: Microsoft "Windows Data Types".
"""

from __future__ import annotations

import struct
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, ClassVar, Self, TypeAlias


class Scalar:
    """An integer type: its name and its ``struct`` codes for 32- and 64-bit guests."""

    __slots__ = ("code32", "code64", "name", "signed")

    def __init__(self, name: str, code32: str, code64: str | None = None) -> None:
        self.name = name
        self.code32 = code32
        self.code64 = code64 or code32
        self.signed = code32.islower()

    def code(self, word: int) -> str:
        return self.code64 if word == 8 else self.code32

    def size(self, word: int) -> int:
        """Width in bytes."""
        return struct.calcsize("<" + self.code(word))


if TYPE_CHECKING:
    UCHAR: TypeAlias = int
    CHAR: TypeAlias = int
    BOOLEAN: TypeAlias = int
    USHORT: TypeAlias = int
    SHORT: TypeAlias = int
    WCHAR: TypeAlias = int
    ULONG: TypeAlias = int
    LONG: TypeAlias = int
    BOOL: TypeAlias = int
    NTSTATUS: TypeAlias = int
    ACCESS_MASK: TypeAlias = int
    ULONGLONG: TypeAlias = int
    LONGLONG: TypeAlias = int
    LARGE_INTEGER: TypeAlias = int
    ULARGE_INTEGER: TypeAlias = int
    ULONG_PTR: TypeAlias = int
    LONG_PTR: TypeAlias = int
    SIZE_T: TypeAlias = int
    PVOID: TypeAlias = int
    HANDLE: TypeAlias = int
else:
    UCHAR = Scalar("UCHAR", "B")
    CHAR = Scalar("CHAR", "b")
    BOOLEAN = Scalar("BOOLEAN", "B")
    USHORT = Scalar("USHORT", "H")
    SHORT = Scalar("SHORT", "h")
    WCHAR = Scalar("WCHAR", "H")
    ULONG = Scalar("ULONG", "I")
    LONG = Scalar("LONG", "i")
    BOOL = Scalar("BOOL", "i")
    NTSTATUS = Scalar("NTSTATUS", "I")
    ACCESS_MASK = Scalar("ACCESS_MASK", "I")
    ULONGLONG = Scalar("ULONGLONG", "Q")
    LONGLONG = Scalar("LONGLONG", "q")
    LARGE_INTEGER = Scalar("LARGE_INTEGER", "q")
    ULARGE_INTEGER = Scalar("ULARGE_INTEGER", "Q")
    ULONG_PTR = Scalar("ULONG_PTR", "I", "Q")
    LONG_PTR = Scalar("LONG_PTR", "i", "q")
    SIZE_T = Scalar("SIZE_T", "I", "Q")
    PVOID = Scalar("PVOID", "I", "Q")
    HANDLE = Scalar("HANDLE", "I", "Q")


class _Array:
    """A fixed run inside a structure: raw bytes, ``count`` scalars, or ``count`` structures as raw bytes."""

    __slots__ = ("count", "element")

    def __init__(self, element: Scalar | type[Struct] | None, count: int) -> None:
        self.element = element
        self.count = count


def raw(count: int) -> Any:
    """A field of ``count`` raw bytes (``Name: bytes = raw(16)``)."""
    return _Array(None, count)


def array(element: Any, count: int) -> Any:
    """A field of ``count`` scalars (``Name: tuple[int, ...] = array(ULONG, 4)``), or of structures as raw bytes."""
    return _Array(element, count)


class _Layout:
    """A structure compiled for one word size: one flat ``struct`` format and where each field's values go."""

    __slots__ = ("alignment", "fields", "format", "narrow", "offsets", "packer", "plain", "size")
    if TYPE_CHECKING:
        size: int

    def __init__(self, cls: type[Struct], word: int) -> None:
        module = sys.modules[cls.__module__].__dict__
        offset = 0
        self.alignment = 1
        self.format = ""
        self.offsets: dict[str, int] = {}
        # (name, how many flat values, nested structure or None, scalar array?)
        self.fields: list[tuple[str, int, type[Struct] | None, bool]] = []
        self.narrow: set[str] = set()  # pointer-sized numbers of a 32-bit guest: what does not fit is cut off
        for name, declared in cls.declared():
            kind = cls.__dict__.get(name)
            if not isinstance(kind, _Array):
                kind = eval(declared, module) if isinstance(declared, str) else declared
            nested: type[Struct] | None = None
            count = 1
            if isinstance(kind, _Array):
                element = kind.element
                if isinstance(element, Scalar):
                    align = element.size(word)
                    size, count, code = align * kind.count, kind.count, f"{kind.count}{element.code(word)}"
                else:
                    align = element.layout(word).alignment if element else 1
                    size = kind.count * (element.layout(word).size if element else 1)
                    code = f"{size}s"
            elif isinstance(kind, Scalar):
                size = align = kind.size(word)
                code = kind.code(word)
                if word == 4 and kind.code64 != code and not kind.signed:
                    self.narrow.add(name)
            else:
                nested = kind
                layout = kind.layout(word)
                size, align, code = layout.size, layout.alignment, layout.format
                count = sum(f[1] for f in layout.fields)
            pad = -offset % align
            self.format += f"{pad}x{code}" if pad else code
            offset += pad
            self.offsets[name] = offset
            offset += size
            self.alignment = max(self.alignment, align)
            self.fields.append((name, count, nested, isinstance(kind, _Array) and isinstance(kind.element, Scalar)))
        pad = -offset % self.alignment
        if pad:
            self.format += f"{pad}x"
        self.size = offset + pad
        # The fields' names if each is one number, or else nothing.
        arrays = any(isinstance(cls.__dict__.get(name), _Array) for name in self.offsets)
        self.plain = () if arrays or any(f[2] for f in self.fields) else tuple(self.offsets)
        self.packer = struct.Struct("<" + self.format)


_ROUND = (1 << 64) - 1


class Struct:
    """Base of declared structures. Fields not given to the constructor are zero."""

    _layouts: ClassVar[dict[int, _Layout]]

    def __init_subclass__(cls) -> None:
        cls._layouts = {}

    def __init__(self, **fields: Any) -> None:
        self.__dict__.update(fields)

    @classmethod
    def declared(cls) -> list[tuple[str, Any]]:
        """Field names and annotations, in order."""
        return [(n, a) for n, a in cls.__dict__.get("__annotations__", {}).items() if not n.startswith("_")]

    @classmethod
    def layout(cls, word: int) -> _Layout:
        found = cls._layouts.get(word)
        if found is None:
            found = cls._layouts[word] = _Layout(cls, word)
        return found

    @classmethod
    def size(cls, word: int) -> int:
        """Bytes the structure takes in the guest."""
        return cls.layout(word).size

    @classmethod
    def offset(cls, word: int, field: str) -> int:
        """Byte offset of ``field``."""
        return cls.layout(word).offsets[field]

    def _flat(self, word: int) -> list[Any]:
        own = self.__dict__
        layout = self.layout(word)
        if layout.plain and not layout.narrow:
            return [own.get(name) or 0 for name in layout.plain]
        values: list[Any] = []
        for name, count, nested, many in layout.fields:
            value = own.get(name)
            if nested is not None:
                values += (value if value is not None else nested())._flat(word)
            elif many:
                given = tuple(value or ())
                values += given + (0,) * (count - len(given))
            elif value is None:
                values.append(b"" if isinstance(getattr(type(self), name, None), _Array) else 0)
            else:
                values.append(value & 0xFFFFFFFF if name in layout.narrow else value)
        return values

    def pack(self, word: int) -> bytes:
        """The structure as the guest sees it."""
        values = self._flat(word)
        try:
            return self.layout(word).packer.pack(*values)
        except struct.error:
            # A place behind a buffer that a caller says is at the end of all addresses: it goes round, as in C.
            cut = (value & _ROUND if isinstance(value, int) and value > _ROUND else value for value in values)
            return self.layout(word).packer.pack(*cut)

    @classmethod
    def _build(cls, word: int, values: list[Any], at: int) -> tuple[Self, int]:
        result = cls()
        own = result.__dict__
        for name, count, nested, many in cls.layout(word).fields:
            if nested is not None:
                own[name], at = nested._build(word, values, at)
            elif many:
                own[name] = tuple(values[at : at + count])
                at += count
            else:
                own[name] = values[at]
                at += 1
        return result, at

    @classmethod
    def unpack(cls, word: int, data: bytes | memoryview, offset: int = 0) -> Self:
        """Read the structure from ``data`` at ``offset``.

        Raises:
            struct.error: ``data`` is too short.
        """
        layout = cls.layout(word)
        values = layout.packer.unpack_from(data, offset)
        if not layout.plain:
            return cls._build(word, list(values), 0)[0]
        result = cls()
        result.__dict__.update(zip(layout.plain, values, strict=True))
        return result

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.__dict__ == other.__dict__

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        inside = ", ".join(f"{k}={v:#x}" if isinstance(v, int) else f"{k}={v!r}" for k, v in self.__dict__.items())
        return f"{type(self).__name__}({inside})"


class UNICODE_STRING(Struct):
    """[ntdef.h] counted UTF-16 string: lengths in bytes."""

    Length: USHORT
    MaximumLength: USHORT
    Buffer: PVOID


class CLIENT_ID(Struct):
    """[ntdef.h] process and thread identifiers."""

    UniqueProcess: HANDLE
    UniqueThread: HANDLE


class IO_STATUS_BLOCK(Struct):
    """[wdm.h] outcome of an I/O request; Status is pointer-sized because it shares a union with a pointer."""

    Status: ULONG_PTR
    Information: ULONG_PTR


class OBJECT_ATTRIBUTES(Struct):
    """[ntdef.h] how an object is named."""

    Length: ULONG
    RootDirectory: HANDLE
    ObjectName: PVOID
    Attributes: ULONG
    SecurityDescriptor: PVOID
    SecurityQualityOfService: PVOID


# A handle that means "the calling process" or "the calling thread" (winternl.h NtCurrentProcess, NtCurrentThread).
CURRENT_PROCESS = 0xFFFFFFFFFFFFFFFF
CURRENT_THREAD = 0xFFFFFFFFFFFFFFFE
# The same for tokens (processthreadsapi.h GetCurrentProcessToken, ...).
CURRENT_PROCESS_TOKEN = 0xFFFFFFFFFFFFFFFC
CURRENT_THREAD_TOKEN = 0xFFFFFFFFFFFFFFFB
CURRENT_EFFECTIVE_TOKEN = 0xFFFFFFFFFFFFFFFA
