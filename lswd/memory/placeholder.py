"""Placeholders: reserved addresses that are kept free so that memory or a view can be put exactly there.

A placeholder can be split, and what replaced one can be turned back into one, without anybody else getting the
addresses meanwhile. V8 and others carve what they use out of one large placeholder.
Source: Microsoft "VirtualAlloc2", "VirtualFree" (MEM_PRESERVE_PLACEHOLDER and its kin), "MapViewOfFile3".
"""

from __future__ import annotations

from lswd.memory.protection import PAGE_NOACCESS
from lswd.memory.region import MEM_PRIVATE
from lswd.ntdef.status import STATUS_CONFLICTING_ADDRESSES, STATUS_INVALID_PARAMETER, NtError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.memory.region import Region
    from lswd.memory.space import AddressSpace

MEM_COALESCE_PLACEHOLDERS = 0x1
MEM_PRESERVE_PLACEHOLDER = 0x2
MEM_REPLACE_PLACEHOLDER = 0x4000
MEM_RESERVE_PLACEHOLDER = 0x40000


def fill(space: AddressSpace, base: int, size: int) -> None:
    """Make room for what replaces the placeholder at ``base``.

    Raises:
        NtError: STATUS_CONFLICTING_ADDRESSES when there is none of exactly this size.
    """
    region = space.find(base)
    if region is None or not region.placeholder or (region.base, region.size) != (base, size):
        raise NtError(STATUS_CONFLICTING_ADDRESSES)
    space.unmap(region)


def reserve_placeholder(space: AddressSpace, base: int, size: int) -> None:
    """Keep free addresses free."""
    space.reserve(base, size, PAGE_NOACCESS).placeholder = True


def leave(space: AddressSpace, region: Region) -> None:
    """Put a placeholder where ``region`` is, which goes."""
    base, size = region.base, region.size
    space.unmap(region)
    reserve_placeholder(space, base, size)


def preserve(space: AddressSpace, region: Region, start: int, end: int) -> None:
    """What MEM_RELEASE | MEM_PRESERVE_PLACEHOLDER does: split a placeholder, or turn private memory back into one.

    Raises:
        NtError: STATUS_CONFLICTING_ADDRESSES when that is only part of what was allocated.
    """
    if region.placeholder:
        if (start, end) == (region.base, region.end):
            raise NtError(STATUS_CONFLICTING_ADDRESSES)
        space.split(region, start, end)
    elif region.kind == MEM_PRIVATE and (start, end) == (region.base, region.end):
        leave(space, region)
    else:
        raise NtError(STATUS_CONFLICTING_ADDRESSES)


def coalesce(space: AddressSpace, start: int, end: int) -> None:
    """Make one placeholder of adjacent ones.

    Raises:
        NtError: STATUS_CONFLICTING_ADDRESSES when the range is not made of whole placeholders.
    """
    regions = space.overlapping(start, end)
    at = start
    for region in regions:
        if region.base != at or not region.placeholder:
            raise NtError(STATUS_CONFLICTING_ADDRESSES)
        at = region.end
    if at != end or start == end:
        raise NtError(STATUS_INVALID_PARAMETER if start == end else STATUS_CONFLICTING_ADDRESSES)
    for region in regions:
        space.unmap(region)
    reserve_placeholder(space, start, end - start)
