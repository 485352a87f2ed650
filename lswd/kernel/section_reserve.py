"""Sections created with SEC_RESERVE: their pages are committed one view at a time, but for every view.

A page that one process commits through its view is there in all others too, as on NT, where the page belongs to the
section. Programs lay a large section out once and let its users commit what they come to need.
Source: Microsoft "CreateFileMapping" (SEC_RESERVE).
"""

from __future__ import annotations

from lswd.kernel.section import SEC_RESERVE, FileSection
from lswd.memory.backing import FileMapping
from lswd.memory.protection import PAGE_SIZE, RESERVED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.kernel.process import Process
    from lswd.memory.region import Region
    from lswd.memory.space import AddressSpace


def share_commit(process: Process, view: Region, start: int, end: int) -> None:
    """``[start, end)`` of a view has just been committed: do it in all others, and in those to come."""
    section = view.source
    if not isinstance(section, FileSection) or not section.attributes & SEC_RESERVE:
        return
    first = _first_page(view) + (start - view.base) // PAGE_SIZE
    count = (end - start) // PAGE_SIZE
    if section.note_committed(first, count):
        for other in process.system.running_processes():
            for region in other.space.regions():
                if region.source is section and region is not view:
                    _commit(other.space, region, first, count)


def _commit(space: AddressSpace, view: Region, first: int, count: int) -> None:
    """Commit the pages of the section that lie in ``view``, where it has not been done."""
    at = max(first - _first_page(view), 0)
    last = min(first + count - _first_page(view), len(view.pages))
    while at < last:
        run = min(view.run_length(at, bytes((view.pages[at],))), last - at)
        if view.pages[at] == RESERVED:
            space.commit(view, view.base + at * PAGE_SIZE, run * PAGE_SIZE, view.allocation_protect)
        at += run


def _first_page(view: Region) -> int:
    """The number that a view's first page has in its section."""
    backing = view.backing
    return backing.offset // PAGE_SIZE if isinstance(backing, FileMapping) else 0
