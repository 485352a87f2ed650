"""Objects of a Unix half that the guest knows by a number, each process its own."""

from __future__ import annotations

from lswd.ntdef.status import STATUS_INVALID_HANDLE, STATUS_NO_MEMORY, NtError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Generic, TypeVar

    from lswd.kernel.process import Process
    from lswd.kernel.system import System

    T = TypeVar("T")
else:
    T = None

    class Generic:
        """As much of it as there is to it at run time: importing typing is not free."""

        def __class_getitem__(cls, _: object) -> type:
            return cls


_MOST = 1 << 14


class Handles(Generic[T]):
    """A part of the System. Numbers are never used again, so one that was given back means nothing."""

    def __init__(self, system: System) -> None:
        self._objects: dict[Process, dict[int, T]] = {}
        self._last = 0

    def add(self, process: Process, thing: T) -> int:
        """
        Raises:
            NtError: STATUS_NO_MEMORY: the process has too many.
        """
        own = self._objects.get(process)
        if own is None:
            own = self._objects[process] = {}
            process.on_close.append(lambda: self._forget(process))
        if len(own) >= _MOST:
            raise NtError(STATUS_NO_MEMORY)
        self._last += 1
        own[self._last] = thing
        return self._last

    def get(self, process: Process, number: int) -> T:
        """
        Raises:
            NtError: STATUS_INVALID_HANDLE.
        """
        found = self._objects.get(process, {}).get(number)
        if found is None:
            raise NtError(STATUS_INVALID_HANDLE)
        return found

    def remove(self, process: Process, number: int) -> T | None:
        """None if there is no such object."""
        return self._objects.get(process, {}).pop(number, None)

    def _forget(self, process: Process) -> None:
        self._objects.pop(process, None)
