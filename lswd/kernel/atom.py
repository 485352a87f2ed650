"""The global atom table: strings, ignoring case, that many share by a 16-bit number.

Source: Microsoft "About Atom Tables"; limits and statuses measured with Wine.
"""

from __future__ import annotations

from lswd.host.names import upcase
from lswd.ntdef.status import (
    STATUS_INVALID_HANDLE,
    STATUS_INVALID_PARAMETER,
    STATUS_NO_MEMORY,
    STATUS_OBJECT_NAME_INVALID,
    STATUS_OBJECT_NAME_NOT_FOUND,
    NtError,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.kernel.system import System

FIRST_STRING_ATOM = 0xC000  # numbers below stand for themselves
LONGEST_NAME = 255
_LAST = 0xFFFF


class Atom:
    """A string atom and how often it was added."""

    __slots__ = ("name", "number", "references")

    def __init__(self, number: int, name: str) -> None:
        self.number = number
        self.name = name
        self.references = 1


class AtomTable:
    """See the module's docstring."""

    def __init__(self, system: System | None = None) -> None:
        self._by_name: dict[str, Atom] = {}
        self._by_number: dict[int, Atom] = {}
        self._next = FIRST_STRING_ATOM

    def add(self, name: str) -> int:
        """The atom of ``name``, made or counted once more.

        Raises:
            NtError: STATUS_OBJECT_NAME_INVALID (empty), STATUS_INVALID_PARAMETER, STATUS_NO_MEMORY.
        """
        number = self._integer(name)
        if number:
            return number
        key = upcase(name)
        atom = self._by_name.get(key)
        if atom is not None:
            atom.references += 1
            return atom.number
        atom = Atom(self._free_number(), name)
        self._by_name[key] = self._by_number[atom.number] = atom
        return atom.number

    def find(self, name: str) -> int:
        """The atom of ``name``.

        Raises:
            NtError: STATUS_OBJECT_NAME_NOT_FOUND, and what ``add`` raises.
        """
        number = self._integer(name)
        if number:
            return number
        atom = self._by_name.get(upcase(name))
        if atom is None:
            raise NtError(STATUS_OBJECT_NAME_NOT_FOUND)
        return atom.number

    def get(self, number: int) -> Atom:
        """A string atom.

        Raises:
            NtError: STATUS_INVALID_HANDLE.
        """
        atom = self._by_number.get(number)
        if atom is None:
            raise NtError(STATUS_INVALID_HANDLE)
        return atom

    def delete(self, number: int) -> None:
        """Undo one ``add``.

        Raises:
            NtError: STATUS_INVALID_HANDLE.
        """
        atom = self.get(number)
        atom.references -= 1
        if not atom.references:
            del self._by_number[number]
            del self._by_name[upcase(atom.name)]

    @staticmethod
    def _integer(name: str) -> int:
        """The number that ``#1234`` stands for, 0 for any other name."""
        if not name:
            raise NtError(STATUS_OBJECT_NAME_INVALID)
        if len(name) > LONGEST_NAME:
            raise NtError(STATUS_INVALID_PARAMETER)
        digits = name[1:]
        if name[0] != "#" or not (digits.isascii() and digits.isdigit()):
            return 0
        number = int(digits)
        if not 0 < number < FIRST_STRING_ATOM:
            raise NtError(STATUS_INVALID_PARAMETER)
        return number

    def _free_number(self) -> int:
        for _ in range(_LAST - FIRST_STRING_ATOM + 1):
            number = self._next
            self._next = number + 1 if number < _LAST else FIRST_STRING_ATOM
            if number not in self._by_number:
                return number
        raise NtError(STATUS_NO_MEMORY)
