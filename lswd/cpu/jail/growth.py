"""Memory that the guest commits piece by piece, as heaps do when they grow: its pages are there before it is touched.

A page of a shared memory file that is not there yet costs twice as much to touch as one of a process's own memory; of
those that are there, Linux maps sixteen at once. So a piece of the usual size is filled when it is committed, and after
a second one in a row the next is filled while the guest runs, if the kernel would only spin.
"""

from __future__ import annotations

from lswd.memory.protection import PAGE_SIZE, PLAIN_CODES, RESERVED
from lswd.memory.region import MEM_PRIVATE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.memory.space import AddressSpace

_LARGEST = 0x10000  # what Windows heaps grow by


class Growth:
    """See the module's docstring. ``ahead``: offset in the guest's memory and size of what is to be filled next."""

    def __init__(self, space: AddressSpace) -> None:
        self._space = space
        self._end = 0  # offset in the guest's memory at which the last piece ended
        self.ahead: tuple[int, int] | None = None

    def committed(self, base: int, size: int) -> bool:
        """Pages have been committed for the first time: are they there?"""
        region = self._space.find(base)
        if size > _LARGEST or region is None or region.kind != MEM_PRIVATE:
            return False
        first, last = (base - region.base) // PAGE_SIZE, (base + size - region.base) // PAGE_SIZE
        if region.pages[first] not in PLAIN_CODES:
            return False
        offset = region.offset + base - region.base
        self._fill(offset, size)
        next_codes = region.pages[last : last + size // PAGE_SIZE]
        if offset == self._end and next_codes.count(RESERVED) == size // PAGE_SIZE:
            self.ahead = (offset + size, size)
        self._end = offset + size
        return True

    def fill_ahead(self) -> None:
        """Fill what the guest will commit next, if it goes on like that."""
        if self.ahead is not None:
            ahead, self.ahead = self.ahead, None
            self._fill(*ahead)

    def _fill(self, offset: int, size: int) -> None:
        private = self._space.private
        private.renew(offset, size)
        if private.filled != (offset, size):
            private.fill(offset, size)
