"""``@syscall``: one typed declaration of a system call, from which decoding, tracing, coverage and docs derive.

Annotations carry type and direction. A type checker sees what the handler receives:

    scalar (ULONG, HANDLE, PVOID, ...)  an int of that width and sign
    Handle[Event]                       the object behind the handle, its type (and the declared access) checked
    In[S]                               the value read through the pointer: an int, or the structure
    Out[S]                              a cell to ``set``; the memory has been probed for writing
    InOut[S]                            a cell with ``value`` and ``set``
    UnicodeString                       the ``str`` of a UNICODE_STRING pointer
    ObjectAttributes                    a decoded OBJECT_ATTRIBUTES

``| None`` makes NULL acceptable and passes None. Handlers that may block are ``async def``, or are declared to return
something besides NTSTATUS: a coroutine when they have to. A handler returns an NTSTATUS or raises ``NtError``; any
other exception is a bug of ours.
"""

from __future__ import annotations

import struct
import sys

from lswd.ntdef.status import STATUS_ACCESS_VIOLATION, STATUS_OBJECT_NAME_INVALID, NtError
from lswd.ntdef.types import OBJECT_ATTRIBUTES, UNICODE_STRING, Scalar, Struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Annotated, Any, Generic, TypeAlias, TypeVar

    from lswd.kernel.object import KernelObject
    from lswd.kernel.process import Process
    from lswd.kernel.thread import Thread
    from lswd.kernel.user_callback import UserMode
    from lswd.memory.space import AddressSpace

    T = TypeVar("T")
    Handle = Annotated[T, "handle"]
    In = Annotated[T, "in"]
    UnicodeString: TypeAlias = str
    Decoder: TypeAlias = Callable[["Call", int], Any]
    FastPath: TypeAlias = Callable[..., "int | None"]

    class Out(Generic[T]):
        """Where a result goes."""

        address: int

        def set(self, value: T) -> None: ...

    class InOut(Out[T]):
        value: T

    class Cell(InOut[Any]):
        """What a handler gets for either of these: a typed place in guest memory that has been probed."""

        def __init__(self, space: AddressSpace, address: int, form: Form) -> None: ...


class Call:
    """What a handler knows of its caller; one per guest thread, reused for each call."""

    __slots__ = ("process", "space", "thread", "word")

    def __init__(self, thread: Thread) -> None:
        self.thread = thread
        self.process: Process = thread.process
        self.space: AddressSpace = thread.process.space
        self.word: int = thread.process.space.word

    def pointer(self, value: int) -> bytes:
        """A pointer-sized number as the caller sees it; what a 32-bit caller has no room for is cut off."""
        return (value & (1 << 8 * self.word) - 1).to_bytes(self.word, "little")

    def system_call(self, name: str, /, *arguments: int) -> Any:
        """What a system call answers that the caller might make itself, with arguments as registers have them.

        Raises:
            NtError: what an argument or the call is refused with. LookupError: there is no such call.
        """
        from lswd.nt.catalogue import declaration

        declared = declaration(name)
        if declared is None:
            raise LookupError(name)
        decoded = [each.decode(self, value) for each, value in zip(declared.parameters, arguments, strict=True)]
        return declared.handler(self, *decoded)

    def user_mode(self) -> UserMode:
        """The caller's stack, to put things on for as long as this call lasts."""
        from lswd.kernel.user_callback import UserMode

        return UserMode(self.thread)

    def unicode_string(self, address: int) -> str:
        """The text of the UNICODE_STRING at ``address``."""
        layout = UNICODE_STRING.layout(self.word)
        length, _, buffer = layout.packer.unpack(self.space.read(address, layout.size))
        if length & 1:
            raise NtError(STATUS_OBJECT_NAME_INVALID)
        return decode_wide(self.space.read(buffer, length)) if length else ""


def decode_wide(data: bytes) -> str:
    """UTF-16 as Windows has it: lone surrogates are kept."""
    return data.decode("utf-16-le", "surrogatepass")


def encode_wide(text: str) -> bytes:
    """The inverse of ``decode_wide``."""
    return text.encode("utf-16-le", "surrogatepass")


class ObjectAttributes:
    """OBJECT_ATTRIBUTES decoded: the root object, the name below it, and OBJ_* flags."""

    __slots__ = ("attributes", "name", "quality_of_service", "root", "security_descriptor")

    def __init__(
        self,
        root: KernelObject | None,
        name: str,
        attributes: int,
        security_descriptor: int,
        quality_of_service: int = 0,
    ) -> None:
        self.root = root
        self.name = name
        self.attributes = attributes
        self.security_descriptor = security_descriptor
        self.quality_of_service = quality_of_service

    def __repr__(self) -> str:
        root = f"{self.root!r}, " if self.root is not None else ""
        return f"{{{root}{self.name!r}}}"


if not TYPE_CHECKING:

    class _Direction:
        """``Out[S]`` and friends at run time: the wrapped type, and whether NULL is accepted."""

        __slots__ = ("inner", "kind", "optional")

        def __init__(self, kind, inner=None, optional=False):
            self.kind = kind
            self.inner = inner
            self.optional = optional

        def __getitem__(self, inner):
            return _Direction(self.kind, inner)

        def __or__(self, none):
            return _Direction(self.kind, self.inner, True)

    Handle = _Direction("handle")
    In = _Direction("in")
    UnicodeString = _Direction("string")

    class Cell:
        """A typed place in guest memory."""

        __slots__ = ("_form", "_space", "address")

        def __init__(self, space, address, form):
            self._space = space
            self.address = address
            self._form = form

        @property
        def value(self):
            return self._form.unpack(self._space.read(self.address, self._form.size))

        def set(self, value):
            form = self._form
            space = self._space
            page = space.writable_pages.get(self.address >> 12)
            if page is not None and self.address & 0xFFF <= form.most and form.mask:
                at = page + (self.address & 0xFFF)
                space.memory[at : at + form.size] = form.store(value & form.mask)
            else:
                space.write(self.address, form.pack(value))

        def __repr__(self):
            try:
                value = self.value
            except NtError:
                return f"{self.address:#x}"
            return f"[{value:#x}]" if isinstance(value, int) else f"[{value!r}]"

    Out = _Direction("out")
    InOut = _Direction("inout")


class Form:
    """How a scalar or a structure lies in the memory of a guest with ``word``.

    Attributes:
        most: the last offset in a page at which all of it is inside the page.
        mask: a scalar's bits, 0 for a structure. store: the bytes of a scalar that has no others. (pack_into would
            show zeros first to those who look at the memory meanwhile.)
    """

    __slots__ = ("mask", "most", "pack", "size", "store", "unpack")

    def __init__(self, kind: Any, word: int) -> None:
        self.size: int = kind.size(word)
        self.most = 0x1000 - self.size
        self.mask = 0
        self.pack: Callable[[Any], bytes]
        self.unpack: Callable[[bytes], Any]
        if isinstance(kind, Scalar):
            mask = self.mask = (1 << 8 * self.size) - 1
            stored = struct.Struct("<" + kind.code(word).upper())
            read = struct.Struct("<" + kind.code(word)).unpack
            self.store = stored.pack
            self.pack = lambda value: stored.pack(value & mask)
            self.unpack = lambda data: read(data)[0]
        else:
            self.pack = lambda value: value.pack(word)
            self.unpack = lambda data: kind.unpack(word, data)


_forms: dict[tuple[Any, int], Form] = {}


def form_of(kind: Any, word: int) -> Form:
    """The form of a scalar or structure; there is one of each."""
    found = _forms.get((kind, word))
    if found is None:
        found = _forms[kind, word] = Form(kind, word)
    return found


class Parameter:
    """One declared parameter.

    Attributes:
        declared: its type as written; kind: the type inside the direction; optional: NULL is accepted.
        direction: "scalar", "handle", "in", "cell" (for results), "string" or "attributes".
        access: what its handle must have been opened with.
        decode: makes of a register's value what the handler receives.
        code32: how it lies on a 32-bit guest's stack.
    """

    __slots__ = ("access", "code32", "declared", "decode", "direction", "kind", "name", "optional")

    def __init__(
        self, name: str, declared: str, direction: str, kind: Any, optional: bool, access: int, code32: str
    ) -> None:
        self.name = name
        self.declared = declared
        self.direction = direction
        self.kind = kind
        self.optional = optional
        self.access = access
        self.code32 = code32
        self.decode = self._decoder()

    def _decoder(self) -> Decoder:
        optional = self.optional
        if self.direction == "scalar":
            return _scalar(self.kind)
        if self.direction == "attributes":
            return _object_attributes(optional)
        if self.direction == "handle":
            return _handle(self.kind, self.access, optional)
        if self.direction == "string":
            return _string(optional)
        return _value(self.kind, optional) if self.direction == "in" else _cell(self.kind, optional)


class SystemCall:
    """A declared system call."""

    __slots__ = ("access", "fast", "handler", "is_async", "module", "name", "partial", "_parameters")

    def __init__(
        self, handler: Callable[..., Any], partial: str, access: dict[str, int], fast: FastPath | None = None
    ) -> None:
        self.name = handler.__name__
        self.handler = handler
        self.module = handler.__module__
        self.partial = partial
        self.access = access
        self.fast = fast
        is_coroutine = bool(handler.__code__.co_flags & 0x80)  # inspect.CO_COROUTINE
        self.is_async = is_coroutine or handler.__annotations__.get("return", "NTSTATUS") != "NTSTATUS"
        self._parameters: list[Parameter] | None = None

    @property
    def parameters(self) -> list[Parameter]:
        """The parameters in order, compiled from the annotations on first use."""
        if self._parameters is None:
            scope = sys.modules[self.module].__dict__
            self._parameters = [
                self._parameter(name, declared, scope)
                for name, declared in self.handler.__annotations__.items()
                if name not in ("call", "return")
            ]
        return self._parameters

    def _parameter(self, name: str, declared: str, scope: dict[str, Any]) -> Parameter:
        text, optional = (declared[:-7], True) if declared.endswith(" | None") else (declared, False)
        kind = eval(text, scope)
        # Every slot has 32 bits; a 64-bit number takes two.
        code = "I"
        if isinstance(kind, Scalar) and (kind.signed or kind.size(4) == 8):
            code = kind.code(4) if kind.size(4) >= 4 else "i"
        direction = "scalar"
        if kind is ObjectAttributes:
            direction = "attributes"
        elif not isinstance(kind, Scalar):
            direction = "cell" if kind.kind in ("out", "inout") else kind.kind
            kind = kind.inner
        return Parameter(name, declared, direction, kind, optional, self.access.get(name, 0), code)


def _scalar(kind: Scalar) -> Decoder:
    # Widths are those of a 64-bit guest; a 32-bit guest's arguments arrive with the right width and sign.
    bits = 8 * kind.size(8)
    mask = (1 << bits) - 1
    if not kind.signed:
        return lambda call, value: value & mask
    sign = 1 << (bits - 1)
    return lambda call, value: ((value & mask) ^ sign) - sign


def _handle(kind: type[KernelObject], access: int, optional: bool) -> Decoder:
    def decode(call: Call, value: int) -> Any:
        if optional and not value:
            return None
        return call.process.handles.get(value, kind, access)

    return decode


def _string(optional: bool) -> Decoder:
    def decode(call: Call, value: int) -> Any:
        return None if optional and not value else call.unicode_string(value)

    return decode


def _object_attributes(optional: bool) -> Decoder:
    def decode(call: Call, value: int) -> Any:
        if optional and not value:
            return None
        layout = OBJECT_ATTRIBUTES.layout(call.word)
        _, directory, at, flags, security, quality = layout.packer.unpack(call.space.read(value, layout.size))
        root = call.process.handles.get(directory) if directory else None
        return ObjectAttributes(root, call.unicode_string(at) if at else "", flags, security, quality)

    return decode


def _value(kind: Any, optional: bool) -> Decoder:
    def decode(call: Call, value: int) -> Any:
        if not value:
            if optional:
                return None
            raise NtError(STATUS_ACCESS_VIOLATION)
        form = form_of(kind, call.word)
        return form.unpack(call.space.read(value, form.size))

    return decode


def _cell(kind: Any, optional: bool) -> Decoder:
    def decode(call: Call, value: int) -> Any:
        if optional and not value:
            return None
        form = form_of(kind, call.word)
        call.space.probe_write(value, form.size)
        return Cell(call.space, value, form)

    return decode


DECLARED: dict[str, SystemCall] = {}


def syscall(
    handler: Callable[..., Any] | None = None,
    *,
    partial: str = "",
    access: dict[str, int] | None = None,
    fast: FastPath | None = None,
) -> Callable[..., Any]:
    """Declare a system call (or, in supplements, any function the guest reaches through a system call stub).

    Args:
        partial: what is missing, for the coverage page; empty means fully implemented.
        access: parameter name to the access rights its handle must have been opened with.
        fast: does what the handler would, if the call is one of the many that are alike, from arguments that nobody
            has looked at; or returns None, having done nothing that the handler may not do after it. Compiled calls ask
            it first.
    """

    def declare(function: Callable[..., Any]) -> Callable[..., Any]:
        if function.__name__ in DECLARED:
            raise ValueError(f"{function.__name__} is declared twice")
        DECLARED[function.__name__] = SystemCall(function, partial, access or {}, fast)
        return function

    return declare(handler) if handler is not None else declare


__all__ = ["Call", "Handle", "In", "InOut", "ObjectAttributes", "Out", "Struct", "UnicodeString", "syscall"]
