"""Pages whose contents are fetched when somebody first wants them."""

from __future__ import annotations

import pytest

from lswd.memory.protection import ABSENT, PAGE_READONLY, PAGE_READWRITE, PAGE_SIZE, READ, encode
from lswd.memory.region import MEM_IMAGE, Region
from lswd.memory.space import AddressSpace

BASE = 0x400000


class Image:
    """Eight pages, the middle four of them absent; ``fetched`` says which were asked for."""

    def __init__(self) -> None:
        self.space = AddressSpace()
        self.region: Region = self.space.map(BASE, 8 * PAGE_SIZE, MEM_IMAGE, PAGE_READWRITE, name="image")
        code = encode(PAGE_READONLY)
        self.region.pages[:] = bytes([code] * 2 + [code | ABSENT] * 4 + [code] * 2)
        self.region.fetch = self.fetch
        self.fetched: list[tuple[int, int]] = []

    def fetch(self, first: int, count: int) -> None:
        self.fetched.append((first, count))
        at = self.region.offset + first * PAGE_SIZE
        self.region.backing.view[at : at + count * PAGE_SIZE] = b"F" * (count * PAGE_SIZE)


@pytest.fixture
def image() -> Image:
    return Image()


def test_the_kernel_reads_what_is_fetched_for_it(image: Image) -> None:
    assert b"FF" == image.space.read(BASE + 4 * PAGE_SIZE - 1, 2)
    assert [(2, 4)] == image.fetched
    assert b"\0F" == image.space.read(BASE + 2 * PAGE_SIZE - 1, 2)
    assert [(2, 4)] == image.fetched


def test_a_fault_of_the_processor_fetches(image: Image) -> None:
    found = image.space.translate(BASE + 3 * PAGE_SIZE, READ)
    assert found is not None
    assert READ == found[1]
    assert [(2, 4)] == image.fetched


def test_a_query_tells_no_difference_and_fetches_nothing(image: Image) -> None:
    for page in range(8):
        answer = image.space.query(BASE + page * PAGE_SIZE)
        assert ((8 - page) * PAGE_SIZE, PAGE_READONLY) == (answer[3], answer[5])
    assert [] == image.fetched


def test_what_is_not_absent_fetches_nothing(image: Image) -> None:
    image.space.read(BASE, 2 * PAGE_SIZE)
    assert [] == image.fetched


def test_a_new_protection_keeps_the_contents(image: Image) -> None:
    image.space.protect(BASE + 5 * PAGE_SIZE, PAGE_SIZE, PAGE_READONLY)
    assert [(2, 4)] == image.fetched
    assert b"F" == image.space.read(BASE + 5 * PAGE_SIZE, 1)


def test_a_look_at_the_whole_region_fetches_all_of_it(image: Image) -> None:
    assert b"\0\0" + b"FFFF" + b"\0\0" == bytes(image.space.raw(image.region)[::PAGE_SIZE])
