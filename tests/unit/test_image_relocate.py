"""Base relocations: applied as pefile applies them, and damaged ones touch nothing outside of the image."""

from __future__ import annotations

import os
from pathlib import Path
from struct import pack, pack_into, unpack_from

import pefile
import pytest

from lswd.image import errors
from lswd.image.errors import ImageError
from lswd.image.pe import parse
from lswd.image.relocate import is_relocatable, relocate
from lswd.ntdef.status import STATUS_CONFLICTING_ADDRESSES, STATUS_INVALID_IMAGE_FORMAT
from lswd.userland.discovery import find
from tests.unit.pe_builder import CODE, DATA, I386, RDATA, build_pe, map_file, relocation_block

ABSOLUTE, HIGH, LOW, HIGHLOW, DIR64 = 0, 1, 2, 3, 10


def relocated(contents: bytes, blocks: bytes, delta: int, *, machine: int = 0x8664, size: int = 0) -> bytearray:
    """The first section (at 0x1000) of an image after relocation."""
    sections = ((".data", contents, 0, DATA), (".reloc", blocks, 0, RDATA))
    at = 0x1000 + (len(contents) + 0xFFF & ~0xFFF)
    data = build_pe(sections, machine=machine, directories={5: (at, size or len(blocks))})
    image = parse(data, "x.dll")
    view = map_file(data, image)
    relocate(memoryview(view), image, delta)
    return view[0x1000 : 0x1000 + len(contents)]


def refusal(contents: bytes, blocks: bytes, *, size: int = 0) -> ImageError:
    with pytest.raises(ImageError) as caught:
        relocated(contents, blocks, 0x10000, size=size)
    return caught.value


@pytest.mark.parametrize("name", ["ntdll.dll", "kernel32.dll", "msvcrt.dll", "ucrtbase.dll", "mshtml.dll", "cmd.exe"])
@pytest.mark.parametrize("base", [0x10000, 0x7FFE_1234_0000])
def test_a_real_image_is_relocated_as_pefile_relocates_it(name: str, base: int) -> None:
    data = (Path(find(os.environ).directory) / name).read_bytes()
    image = parse(data, name)
    view = map_file(data, image)
    relocate(memoryview(view), image, base - image.image_base)
    oracle = pefile.PE(data=data, fast_load=True)
    oracle.parse_data_directories(directories=[pefile.DIRECTORY_ENTRY["IMAGE_DIRECTORY_ENTRY_BASERELOC"]])
    oracle.relocate_image(base)
    expected = oracle.get_memory_mapped_image()
    changed = 0
    before = map_file(data, image)
    for section in image.sections:
        start, end = section.virtual_address, section.virtual_address + section.virtual_size
        assert expected[start:end].ljust(end - start, b"\0") == view[start:end], section.name
        changed += before[start:end] != view[start:end]
    assert changed


def test_64_bit_addresses_are_moved_aligned_or_not() -> None:
    contents = pack("<QQB", 0x140001000, 0x140002000, 0) + pack("<Q", 0x140003000) + bytes(7)
    block = relocation_block(0x1000, (DIR64, 0), (DIR64, 8), (DIR64, 17))
    after = relocated(contents, block, 0x1_2345_0000)
    assert (0x140001000 + 0x1_2345_0000, 0x140002000 + 0x1_2345_0000) == unpack_from("<QQ", after, 0)
    assert (0x140003000 + 0x1_2345_0000,) == unpack_from("<Q", after, 17)


def test_addresses_move_down_as_well_as_up() -> None:
    block = relocation_block(0x1000, (DIR64, 0))
    assert pack("<Q", 0x130000000) == relocated(pack("<Q", 0x140000000), block, -0x10000000)


def test_a_sum_keeps_its_width() -> None:
    block = relocation_block(0x1000, (DIR64, 0), (HIGHLOW, 8), (LOW, 12), (HIGH, 14))
    contents = pack("<QIHH", 0xFFFFFFFFFFFFFFFF, 0xFFFFFFFF, 0xFFFF, 0xFFFF)
    assert pack("<QIHH", 0x0001_FFFE, 0x0001_FFFE, 0xFFFE, 0) == relocated(contents, block, 0x0001_FFFF)


def test_32_bit_addresses_and_halves_of_them_are_moved() -> None:
    contents = pack("<IHHI", 0x401000, 0x40, 0x1000, 7)
    block = relocation_block(0x1000, (HIGHLOW, 0), (HIGH, 4), (LOW, 6), (ABSOLUTE, 8))
    after = relocated(contents, block, 0x0123_0000, machine=I386)
    assert pack("<IHHI", 0x1631000, 0x163, 0x1000, 7) == after
    assert pack("<IHHI", 0x402234, 0x40, 0x2234, 7) == relocated(contents, block, 0x1234, machine=I386)


def test_no_difference_changes_nothing() -> None:
    assert pack("<Q", 5) == relocated(pack("<Q", 5), b"\xff" * 16, 0)


def test_several_blocks_are_applied_up_to_the_end_of_the_list() -> None:
    blocks = relocation_block(0x1000, (DIR64, 0)) + relocation_block(0x2000, (DIR64, 8))
    after = relocated(bytes(0x2000), blocks, 0x10000)
    assert (0x10000, 0x10000) == (unpack_from("<Q", after, 0)[0], unpack_from("<Q", after, 0x1008)[0])


def test_a_block_of_size_zero_ends_the_list() -> None:
    blocks = relocation_block(0x1000, (DIR64, 0)) + bytes(8) + relocation_block(0x1000, (DIR64, 8))
    assert pack("<QQ", 0x10000, 0) == relocated(bytes(16), blocks, 0x10000)


def test_an_address_may_end_with_the_image() -> None:
    block = relocation_block(0x2000, (DIR64, 0xFF8), (HIGHLOW, 0))
    data = build_pe(((".reloc", block, 0, RDATA), (".data", b"\1", 0x1000, DATA)), directories={5: (0x1000, 12)})
    image = parse(data, "x.dll")
    view = map_file(data, image)
    relocate(memoryview(view), image, 0x7FFF_0000_0000)
    assert 0x7FFF_0000_0000 == unpack_from("<Q", view, 0x2FF8)[0]
    assert 1 == unpack_from("<I", view, 0x2000)[0]


@pytest.mark.parametrize("kind", [DIR64, HIGHLOW, HIGH, LOW])
def test_an_address_behind_the_end_of_the_image_is_refused(kind: int) -> None:
    error = refusal(b"\1", relocation_block(0x2000, (kind, 0xFFF)))
    assert (errors.BAD_RELOCATIONS, STATUS_INVALID_IMAGE_FORMAT) == (error.kind, error.status)


@pytest.mark.parametrize("page", [0x3000, 0x100000, 0xFFFFF000, 0xFFFFFFFF])
def test_a_page_behind_the_end_of_the_image_is_refused(page: int) -> None:
    assert errors.BAD_RELOCATIONS == refusal(b"\1", relocation_block(page, (DIR64, 0))).kind


@pytest.mark.parametrize("size", [1, 7, 0x1000, 0xFFFFFFFF])
def test_a_block_of_impossible_size_is_refused(size: int) -> None:
    assert errors.BAD_RELOCATIONS == refusal(b"\1", pack("<IIHH", 0x1000, size, 0, 0)).kind


@pytest.mark.parametrize("size", [0x1001, 0xFFFFFFFF])
def test_a_list_that_ends_behind_the_image_is_refused(size: int) -> None:
    assert errors.BAD_RELOCATIONS == refusal(b"\1", relocation_block(0x1000, (DIR64, 0)), size=size).kind


@pytest.mark.parametrize("kind", [4, 5, 6, 7, 8, 9, 11, 15])
@pytest.mark.parametrize("page", [0x1000, 0x2000])
def test_an_unknown_type_is_refused(kind: int, page: int) -> None:
    error = refusal(b"\1" * 0x1001, relocation_block(page, (kind, 0)))
    assert f"unknown type {kind}" in error.reason


def test_more_relocations_than_any_program_has_are_refused() -> None:
    sections = ((".reloc", b"", 0x1000000, DATA),)
    image = parse(build_pe(sections, directories={5: (0x1000, 0x1000000)}), "x.dll")
    view = bytearray(image.size_of_image)
    pack_into("<II", view, 0x1000, 0x1000, 0x1000000)
    with pytest.raises(ImageError) as caught:
        relocate(memoryview(view), image, 0x10000)
    assert "too many" in caught.value.reason


def test_relocations_that_change_their_own_list_come_to_an_end() -> None:
    blocks = relocation_block(0x2000, *[(DIR64, 8 * i) for i in range(8)])
    with pytest.raises(ImageError):
        relocated(b"\1", blocks + blocks, 0x7FFF_FFFF_0000)


def test_an_image_whose_relocations_were_stripped_cannot_be_moved() -> None:
    image = parse(build_pe(characteristics=0x23), "x.exe")
    assert not is_relocatable(image)
    with pytest.raises(ImageError) as caught:
        relocate(memoryview(bytearray(image.size_of_image)), image, 0x10000)
    assert (errors.NO_RELOCATIONS, STATUS_CONFLICTING_ADDRESSES) == (caught.value.kind, caught.value.status)


def test_an_image_without_addresses_in_it_can_be_moved() -> None:
    data = build_pe(((".text", b"\xc3", 0, CODE),))
    image = parse(data, "x.dll")
    assert is_relocatable(image)
    view = map_file(data, image)
    relocate(memoryview(view), image, 0x10000)
    assert map_file(data, image) == view
