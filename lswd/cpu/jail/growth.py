"""Memory that the guest commits piece by piece, as heaps do when they grow: its pages are there before it is touched.

A page of a shared memory file that is not there yet costs twice as much to touch as one of a process's own memory; of
those that are there, Linux maps sixteen at once. So a piece of the usual size is filled when it is committed, and after
a second one in a row the next is filled while the guest runs, if there is a processor for each.
"""

from __future__ import annotations

from lswd.memory.protection import PAGE_SIZE, PLAIN_CODES, RESERVED
from lswd.memory.region import MEM_PRIVATE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.memory.region import Region
    from lswd.memory.space import AddressSpace

_LARGEST = 0x10000  # what Windows heaps grow by


class Growth:
    """See the module's docstring."""

    def __init__(self, space: AddressSpace) -> None:
        self._space = space
        self._end = 0  # where the last piece ended
        self._ahead = (0, 0)  # address and size of the piece that is expected next

    def committed(self, base: int, size: int) -> bool:
        """Pages have been committed for the first time: are they there?"""
        region = self._space.find(base)
        if size > _LARGEST or region is None or region.kind != MEM_PRIVATE:
            return False
        if region.pages[(base - region.base) // PAGE_SIZE] not in PLAIN_CODES:
            return False
        self._fill(region, base, size)
        self._ahead = (base + size, size) if base == self._end else (0, 0)
        self._end = base + size
        return True

    @property
    def expects(self) -> bool:
        """Is there something to fill ahead?"""
        return self._ahead[1] > 0

    def fill_ahead(self, *, alone: bool) -> None:
        """Fill what the guest will commit next if it goes on like that, unless it has been committed meanwhile.

        Where threads run that are not ``alone``, they may still store to what was there before.
        """
        base, size = self._ahead
        if size:
            self._ahead = (0, 0)
            region = self._space.find(base)
            if region is not None and region.kind == MEM_PRIVATE:
                first, count = (base - region.base) // PAGE_SIZE, size // PAGE_SIZE
                if region.pages[first : first + count].count(RESERVED) == count and (
                    alone or not self._space.private.is_stale(region.offset + base - region.base, size)
                ):
                    self._fill(region, base, size)

    def _fill(self, region: Region, base: int, size: int) -> None:
        private = self._space.private
        offset = region.offset + base - region.base
        private.renew(offset, size)
        if private.filled != (offset, size):
            private.fill(offset, size)
