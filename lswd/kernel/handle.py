"""The handle table of a process. Source: Microsoft "Object Handles"; values are multiples of four, starting at 4."""

from __future__ import annotations

from lswd.kernel.object import KernelObject
from lswd.ntdef.status import (
    STATUS_ACCESS_DENIED,
    STATUS_INVALID_HANDLE,
    STATUS_NO_MEMORY,
    STATUS_OBJECT_TYPE_MISMATCH,
    NtError,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeVar

    T = TypeVar("T", bound=KernelObject)

OBJ_INHERIT = 0x02
OBJ_PERMANENT = 0x10
OBJ_CASE_INSENSITIVE = 0x40
OBJ_OPENIF = 0x80
OBJ_OPENLINK = 0x100
OBJ_DONT_REPARSE = 0x1000

PROTECT_FROM_CLOSE = 1

_LIMIT = 1 << 24  # NT's own limit of handles in a process


class HandleEntry:
    """An object, the access it was opened with, and the handle's attributes."""

    __slots__ = ("access", "inherit", "object", "protect_from_close")

    def __init__(self, obj: KernelObject, access: int, inherit: bool) -> None:
        self.object = obj
        self.access = access
        self.inherit = inherit
        self.protect_from_close = False


class HandleTable:
    """Handles of one process (``entries``), and its pseudo handles (``pseudo``: value to what gives the object)."""

    def __init__(self) -> None:
        self.entries: dict[int, HandleEntry] = {}
        self._free: list[int] = []
        self._next = 4
        self.pseudo: dict[int, Callable[[], KernelObject]] = {}

    def __len__(self) -> int:
        return len(self.entries)

    def __iter__(self) -> Iterator[tuple[int, HandleEntry]]:
        return iter(list(self.entries.items()))

    def add(self, obj: KernelObject, access: int, *, inherit: bool = False, value: int = 0) -> int:
        """Open a handle; ``access`` may hold generic rights. ``value``: the free slot to take (process start only)."""
        if not value:
            if self._free:
                value = self._free.pop()
            else:
                if len(self.entries) >= _LIMIT:
                    raise NtError(STATUS_NO_MEMORY)
                value = self._next
                self._next += 4
        elif value >= self._next:
            self._free.extend(range(value - 4, self._next - 4, -4))
            self._next = value + 4
        else:
            self._free.remove(value)
        self.entries[value] = HandleEntry(obj, obj.map_access(access), inherit)
        obj.handle_count += 1
        return value

    def entry(self, handle: int) -> HandleEntry:
        """The table entry of a real handle; the two low bits are the program's to use.

        Raises:
            NtError: STATUS_INVALID_HANDLE.
        """
        found = self.entries.get(handle & 0xFFFFFFFC)
        if found is None or handle >> 32 not in (0, 0xFFFFFFFF):
            raise NtError(STATUS_INVALID_HANDLE)
        return found

    def get(self, handle: int, kind: type[T] | type[KernelObject] = KernelObject, access: int = 0) -> KernelObject:
        """The object behind a handle.

        Raises:
            NtError: STATUS_INVALID_HANDLE, STATUS_OBJECT_TYPE_MISMATCH, STATUS_ACCESS_DENIED.
        """
        entry = self.entries.get(handle)
        if entry is None:
            signed = handle | 0xFFFFFFFF00000000 if handle & 0x80000000 else handle
            pseudo = self.pseudo.get(signed)
            if pseudo is not None:
                obj = pseudo()
                if not isinstance(obj, kind):
                    raise NtError(STATUS_OBJECT_TYPE_MISMATCH)
                return obj
            entry = self.entry(handle)
        if not isinstance(entry.object, kind):
            raise NtError(STATUS_OBJECT_TYPE_MISMATCH)
        if access & ~entry.access:
            raise NtError(STATUS_ACCESS_DENIED)
        return entry.object

    def close(self, handle: int) -> None:
        """Close a handle; the object hears of its last one."""
        handle &= 0xFFFFFFFC
        entry = self.entry(handle)
        del self.entries[handle]
        self._free.append(handle)
        release(entry.object)

    def close_all(self) -> None:
        """At process end."""
        for handle in list(self.entries):
            entry = self.entries.pop(handle)
            release(entry.object)


def release(obj: KernelObject) -> None:
    """Drop one handle's hold on ``obj``."""
    obj.handle_count -= 1
    if obj.handle_count == 0:
        obj.on_last_handle()
