"""Declaring supplements, and finding the handler behind a supplement's system call number.

    @supplement("bcryptprimitives.dll")
    def ProcessPrng(call: Call, pbData: PVOID, cbData: SIZE_T) -> BOOL: ...

The annotations mean what they mean on a system call; whoever dispatches the call compiles them. This module only knows
which function answers for which export.
"""

from __future__ import annotations

import sys

from lswd.userland.supplements import Export, exports

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Protocol, TypeVar

    F = TypeVar("F", bound=Callable[..., Any])

    class Space(Protocol):
        """Guest memory. An address that the guest may not write is an NtError."""

        def write(self, address: int, data: bytes, /) -> None: ...
        def read(self, address: int, size: int, /) -> bytes: ...

    class Handles(Protocol):
        """What the process has open. A handle that is none is an NtError."""

        def get(self, value: int, /) -> object: ...

    class Namespace(Protocol):
        """Where names lead: the last object, and what of the name is left for it. A name of nothing is an NtError."""

        def walk(self, name: str, root: None, /) -> tuple[object, str]: ...

    class System(Protocol):
        @property
        def namespace(self) -> Namespace: ...

    class Process(Protocol):
        @property
        def handles(self) -> Handles: ...
        @property
        def peb(self) -> int: ...
        @property
        def system(self) -> System: ...

    class Thread(Protocol):
        @property
        def teb(self) -> int: ...

    class UserMode(Protocol):
        def push(self, data: bytes, /) -> int: ...

    class Call(Protocol):
        """What a supplement may ask of the call it answers."""

        @property
        def space(self) -> Space: ...

    class ProcessCall(Call, Protocol):
        """The same, when it is about more than memory."""

        @property
        def process(self) -> Process: ...
        @property
        def thread(self) -> Thread: ...
        @property
        def word(self) -> int: ...

        def system_call(self, name: str, /, *arguments: int) -> Any: ...
        def user_mode(self) -> UserMode: ...


class Supplement:
    """A declared supplement: the export it answers for and the function that answers."""

    __slots__ = ("export", "function", "partial")

    def __init__(self, export: Export, function: Callable[..., Any], partial: str) -> None:
        self.export = export
        self.function = function
        self.partial = partial


REGISTRY: dict[int, Supplement] = {}
_BY_NUMBER = {each.number: each for group in exports().values() for each in group if not each.alias}
_BY_NAME = {(each.dll, each.name): each for each in _BY_NUMBER.values()}


def supplement(dll: str, name: str | None = None, *, partial: str = "") -> Callable[[F], F]:
    """Register the decorated function as the handler of an export of ``dll``.

    ``name`` is the export's name where it is not the function's; ``partial`` says what the handler does not do, as for
    a system call. Raises LookupError if SUPPLEMENTS does not list the export, ValueError if it has a handler.
    """

    def register(function: F) -> F:
        export = _BY_NAME.get((dll, name or function.__name__))
        if export is None:
            raise LookupError(f"{dll}!{name or function.__name__} is not listed in SUPPLEMENTS")
        known = REGISTRY.get(export.number)
        if known is not None and known.function.__module__ != function.__module__:
            raise ValueError(f"{dll}!{export.name} has a handler in {known.function.__module__}")
        REGISTRY[export.number] = Supplement(export, function, partial)
        return function

    return register


def lookup(number: int) -> Supplement | None:
    """The supplement behind a system call number, its module imported if need be; None if there is no such number."""
    found = REGISTRY.get(number)
    if found is None:
        export = _BY_NUMBER.get(number)
        if export is None:
            return None
        load(export.dll)
        found = REGISTRY[number]
    return found


def load(dll: str) -> None:
    """Import the module that holds the handlers for ``dll``, one of SUPPLEMENTS."""
    module = f"{__package__}.{module_name(dll)}"
    if module not in sys.modules:
        __import__(module)


def module_name(dll: str) -> str:
    """The module of this package that holds the handlers for ``dll``."""
    return dll.removesuffix(".dll").replace("-", "_").replace(".", "_")
