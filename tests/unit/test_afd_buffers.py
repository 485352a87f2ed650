"""The buffers of a Winsock call."""

from __future__ import annotations

import pytest

from lswd.kernel.afd.buffers import readable, writable
from lswd.memory.protection import PAGE_READWRITE
from lswd.memory.space import AddressSpace

MOST = 1 << 31  # bytes
SIZE = 1 << 24


@pytest.fixture
def space() -> AddressSpace:
    return AddressSpace()


def overlapping(space: AddressSpace, count: int) -> list[tuple[int, int]]:
    region = space.reserve(0, SIZE, PAGE_READWRITE)
    space.commit(region, region.base, SIZE, PAGE_READWRITE)
    return [(region.base, SIZE)] * count


def test_buffers_beyond_what_the_host_takes_at_once_are_not_looked_at(space: AddressSpace) -> None:
    """A receive into 65536 times the same gigabyte stopped the launch for minutes."""
    buffers = overlapping(space, 2 * MOST // SIZE)
    for views in (writable(space, buffers), readable(space, buffers), readable(space, buffers, SIZE // 2)):
        assert MOST - SIZE < sum(map(len, views)) < MOST + SIZE
