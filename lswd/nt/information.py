"""Information classes: what NtQueryInformationXxx and NtSetInformationXxx of every object family have in common.

A family declares tables, one entry a class, and answers its calls with them::

    QUERY = QueryTable()

    @QUERY.answers(ProcessBasicInformation)
    def _basic(call: Call, process: Process, address: int) -> Struct: ...

    return QUERY.answer(call, process, ProcessInformationClass, buffer, length, ReturnLength)

Source: Microsoft "NtQueryInformationProcess", "NtQuerySystemInformation": a length that does not fit the class is
STATUS_INFO_LENGTH_MISMATCH, and ReturnLength tells the length that does.
"""

from __future__ import annotations

from lswd.ntdef.status import (
    STATUS_INFO_LENGTH_MISMATCH,
    STATUS_INVALID_INFO_CLASS,
    STATUS_SUCCESS,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeAlias, TypeVar

    from lswd.nt.declare import Call, Out
    from lswd.ntdef.types import Struct

    # (caller, object, guest address the answer will have) -> the answer
    Builder: TypeAlias = Callable[[Call, Any, int], Struct | bytes]
    # (caller, object, the new value)
    Setter: TypeAlias = Callable[[Call, Any, bytes], None]
    Size: TypeAlias = int | type[Struct]
    Status: TypeAlias = int | Callable[[Any], int]
    BuilderT = TypeVar("BuilderT", bound=Builder)


def _size(size: Size, word: int) -> int:
    return size if isinstance(size, int) else size.size(word)


class _Query:
    __slots__ = ("build", "exact", "older", "prefix", "status", "too_small")

    def __init__(self, build: Builder, exact: bool, too_small: int, older: Size, prefix: bool, status: Status) -> None:
        self.build = build
        self.exact = exact
        self.too_small = too_small
        self.older = older
        self.prefix = prefix
        self.status = status


class QueryTable:
    """Class number to what answers it."""

    def __init__(self, *, exact: bool = False, too_small: int = STATUS_INFO_LENGTH_MISMATCH) -> None:
        """Defaults for the classes of the table, see ``answers``."""
        self._classes: dict[int, _Query] = {}
        self._deferred: dict[int, str] = {}
        self._exact = exact
        self._too_small = too_small

    def answers(
        self,
        *classes: int,
        exact: bool | None = None,
        too_small: int | None = None,
        older: Size = 0,
        prefix: bool = False,
        status: Status = STATUS_SUCCESS,
    ) -> Callable[[BuilderT], BuilderT]:
        """Register a builder.

        Args:
            exact: the buffer must have the very length of the answer, else STATUS_INFO_LENGTH_MISMATCH.
            too_small: the status for a shorter buffer when lengths are not exact.
            older: the size of the structure before it was extended; a buffer of that length gets that much.
            prefix: a shorter buffer gets as much as fits, a longer one is a mismatch.
            status: what an answered query returns, or what tells it of the object.
        """
        exact = self._exact if exact is None else exact
        too_small = self._too_small if too_small is None else too_small

        def register(build: BuilderT) -> BuilderT:
            for number in classes:
                self._classes[number] = _Query(build, exact, too_small, older, prefix, status)
            return build

        return register

    def defer(self, module: str, *classes: int) -> None:
        """Classes whose builders ``module`` registers when the first of them is asked for."""
        self._deferred.update(dict.fromkeys(classes, module))

    def _find(self, number: int) -> _Query | None:
        found = self._classes.get(number)
        if found is None and number in self._deferred:
            __import__(self._deferred[number])
            found = self._classes[number]
        return found

    def __contains__(self, number: int) -> bool:
        return number in self._classes or number in self._deferred

    def answer(self, call: Call, subject: Any, number: int, buffer: int, length: int, returned: Out[int] | None) -> int:
        """Answer a query into guest memory.

        Returns:
            The class's status, STATUS_INVALID_INFO_CLASS, or what the class says of a buffer of the wrong length.

        Raises:
            NtError: what the builder raises; STATUS_ACCESS_VIOLATION.
        """
        query = self._find(number)
        if query is None:
            return STATUS_INVALID_INFO_CLASS
        built = query.build(call, subject, buffer)
        data = built if isinstance(built, bytes) else built.pack(call.word)
        if query.prefix:
            if length > len(data):
                return STATUS_INFO_LENGTH_MISMATCH
            data = data[:length]
        elif query.older and length == _size(query.older, call.word):
            data = data[:length]
        if returned is not None:
            returned.set(len(data))
        if query.exact:
            if length != len(data):
                return STATUS_INFO_LENGTH_MISMATCH
        elif length < len(data):
            return query.too_small
        call.space.write(buffer, data)
        return query.status(subject) if callable(query.status) else query.status


class _Set:
    __slots__ = ("apply", "exact", "size")

    def __init__(self, apply: Setter, size: Size, exact: bool) -> None:
        self.apply = apply
        self.size = size
        self.exact = exact


class SetTable:
    """Class number to what takes a new value."""

    def __init__(self) -> None:
        self._classes: dict[int, _Set] = {}

    def takes(self, *classes: int, size: Size, exact: bool = True) -> Callable[[Setter], Setter]:
        """Register a setter for a value of ``size`` bytes (or of a structure's size), or of more unless ``exact``."""

        def register(apply: Setter) -> Setter:
            for number in classes:
                self._classes[number] = _Set(apply, size, exact)
            return apply

        return register

    def apply(self, call: Call, subject: Any, number: int, buffer: int, length: int) -> int:
        """Take the value in guest memory.

        Returns:
            STATUS_SUCCESS, STATUS_INVALID_INFO_CLASS or STATUS_INFO_LENGTH_MISMATCH.

        Raises:
            NtError: what the setter raises; STATUS_ACCESS_VIOLATION.
        """
        entry = self._classes.get(number)
        if entry is None:
            return STATUS_INVALID_INFO_CLASS
        size = _size(entry.size, call.word)
        if length < size or (entry.exact and length != size):
            return STATUS_INFO_LENGTH_MISMATCH
        entry.apply(call, subject, call.space.read(buffer, size))
        return STATUS_SUCCESS
