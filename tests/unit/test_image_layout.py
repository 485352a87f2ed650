"""Where the parts of an image lie in memory, with which protection, and which bytes of the file they get."""

from __future__ import annotations

import os
from pathlib import Path

import pefile
import pytest

from lswd.image.errors import ImageError
from lswd.image.layout import page_protection, plan
from lswd.image.pe import parse
from lswd.image.rva import Mapped, OnDisk
from lswd.memory.protection import (
    PAGE_EXECUTE,
    PAGE_EXECUTE_READ,
    PAGE_EXECUTE_READWRITE,
    PAGE_EXECUTE_WRITECOPY,
    PAGE_NOACCESS,
    PAGE_READONLY,
    PAGE_READWRITE,
    PAGE_WRITECOPY,
)
from lswd.userland.discovery import find
from tests.unit.pe_builder import BSS, CODE, DATA, RDATA, build_pe, map_file, poke_section

SHARED, EXECUTE, READ, WRITE = 0x10000000, 0x20000000, 0x40000000, 0x80000000


def userland_file(name: str) -> bytes:
    return (Path(find(os.environ).directory) / name).read_bytes()


@pytest.mark.parametrize(
    ("characteristics", "expected"),
    [
        (0, PAGE_NOACCESS),
        (READ, PAGE_READONLY),
        (WRITE, PAGE_WRITECOPY),
        (READ | WRITE, PAGE_WRITECOPY),
        (EXECUTE, PAGE_EXECUTE),
        (EXECUTE | READ, PAGE_EXECUTE_READ),
        (EXECUTE | WRITE, PAGE_EXECUTE_WRITECOPY),
        (EXECUTE | READ | WRITE, PAGE_EXECUTE_WRITECOPY),
        (SHARED, PAGE_NOACCESS),
        (SHARED | READ, PAGE_READONLY),
        (SHARED | READ | WRITE, PAGE_READWRITE),
        (SHARED | WRITE, PAGE_READWRITE),
        (SHARED | EXECUTE | READ, PAGE_EXECUTE_READ),
        (SHARED | EXECUTE | READ | WRITE, PAGE_EXECUTE_READWRITE),
    ],
)
def test_a_section_gets_the_protection_windows_reports_for_it(characteristics: int, expected: int) -> None:
    assert expected == page_protection(characteristics | 0x02000060)


def test_the_plan_of_a_plain_image() -> None:
    sections = ((".text", b"\x90" * 0x300, 0, CODE), (".data", b"data", 0x1800, DATA), (".bss", b"", 0x5000, BSS))
    image = parse(build_pe(sections), "x.exe")
    assert [
        (0x0000, 0x1000, 0x000, 0x200, PAGE_READONLY),
        (0x1000, 0x1000, 0x200, 0x400, PAGE_EXECUTE_READ),
        (0x2000, 0x2000, 0x600, 0x200, PAGE_WRITECOPY),
        (0x4000, 0x5000, 0x000, 0x000, PAGE_WRITECOPY),
    ] == plan(image)


def test_what_belongs_to_no_section_cannot_be_accessed() -> None:
    sections = ((".a", b"a", 0x1200, CODE), (".b", b"b", 0, RDATA))
    image = parse(build_pe(sections, section_alignment=0x4000, size_of_image=0xF000), "x.exe")
    assert [
        (0x0000, 0x1000, PAGE_READONLY),
        (0x1000, 0x3000, PAGE_NOACCESS),
        (0x4000, 0x2000, PAGE_EXECUTE_READ),
        (0x6000, 0x2000, PAGE_NOACCESS),
        (0x8000, 0x1000, PAGE_READONLY),
        (0x9000, 0x6000, PAGE_NOACCESS),
    ] == [(rva, size, protect) for rva, size, _, _, protect in plan(image)]


def test_raw_data_beyond_the_pages_of_its_section_is_left_out() -> None:
    data = build_pe(((".a", b"a" * 0x3000, 0, DATA), (".b", b"b", 0, DATA)))
    poke_section(data, 0, virtual_size=0x801)
    poke_section(data, 1, virtual_address=0x2000)
    view = map_file(data, parse(data, "x.exe"))
    assert b"a" * 0x1000 + b"b" == view[0x1000:0x2001]


def test_raw_data_beyond_the_virtual_size_is_there_up_to_the_end_of_the_page() -> None:
    data = poke_section(build_pe(((".a", b"a" * 0x400, 0, DATA),)), 0, virtual_size=0x10)
    assert b"a" * 0x400 + b"\0" == map_file(data, parse(data, "x.exe"))[0x1000:0x1401]


def test_a_section_without_virtual_size_gets_its_raw_data() -> None:
    data = poke_section(build_pe(((".a", b"a" * 0x1200, 0, DATA),)), 0, virtual_size=0)
    view = map_file(data, parse(data, "x.exe"))
    assert 0x3000 == len(view)
    assert b"a" * 0x1200 == view[0x1000:0x2200]


def test_raw_data_is_read_from_the_sector_it_starts_in_and_in_whole_units() -> None:
    data = build_pe(((".a", b"\1" * 0x20 + b"a" * 0x1E0, 0, DATA),))
    poke_section(data, 0, raw_offset=0x220, raw_size=0x10)
    view = map_file(data, parse(data, "x.exe"))
    assert b"\1" * 0x20 + b"a" * 0x1E0 + b"\0" == view[0x1000:0x1201]


def test_the_last_unit_of_raw_data_may_end_with_the_file() -> None:
    data = poke_section(build_pe(((".a", b"a" * 0x1F0, 0, DATA),)), 0, raw_size=0x1F0)[:0x3F0]
    assert b"a" * 0x1F0 + b"\0" == map_file(data, parse(data, "x.exe"))[0x1000:0x11F1]


def test_contents_without_a_place_in_the_file_are_zeros() -> None:
    data = poke_section(build_pe(((".a", b"a" * 0x200, 0, DATA),)), 0, raw_offset=0)
    assert bytes(0x1000) == map_file(data, parse(data, "x.exe"))[0x1000:]


def test_the_rest_of_the_header_page_is_zeros() -> None:
    data = build_pe(((".a", b"a", 0, DATA),))
    view = map_file(data, parse(data, "x.exe"))
    assert data[:0x200] + bytes(0xE00) == view[:0x1000]


def test_an_image_with_small_alignment_is_one_writable_and_executable_part() -> None:
    sections = ((".a", b"a" * 0x40, 0, CODE), (".b", b"b" * 0x40, 0, RDATA))
    data = build_pe(sections, section_alignment=0x20, file_alignment=0x20)
    image = parse(data, "x.exe")
    assert [(0, 0x1000, 0, len(data), PAGE_EXECUTE_WRITECOPY)] == plan(image)
    assert data == map_file(data, image)[: len(data)]


@pytest.mark.parametrize("name", ["ntdll.dll", "kernel32.dll", "msvcrt.dll", "cmd.exe", "apisetschema.dll"])
def test_a_real_image_is_mapped_as_pefile_maps_it(name: str) -> None:
    data = userland_file(name)
    image = parse(data, name)
    view = map_file(data, image)
    expected = pefile.PE(data=data, fast_load=True).get_memory_mapped_image()
    assert image.size_of_image == len(view)
    for section in image.sections:
        start, end = section.virtual_address, section.virtual_address + section.virtual_size
        assert expected[start:end].ljust(end - start, b"\0") == view[start:end], section.name


@pytest.mark.parametrize("name", ["ntdll.dll", "kernel32.dll", "cmd.exe"])
def test_a_file_reads_by_rva_as_its_mapped_image_does(name: str) -> None:
    data = userland_file(name)
    image = parse(data, name)
    view = map_file(data, image)
    memory, disk = Mapped(view, image), OnDisk(data, image)
    for start, size, *_, protect in plan(image):
        if protect != PAGE_NOACCESS:
            for rva in range(start, start + size - 15, 0x77):
                assert memory.read(rva, 16) == disk.read(rva, 16)
            assert memory.read(start, size) == disk.read(start, size)


@pytest.mark.parametrize(("rva", "size"), [(0x3000, 1), (0x2FFF, 2), (0xFFFFFFFF, 16), (0, 0x3001)])
def test_reading_outside_of_an_image_is_refused(rva: int, size: int) -> None:
    data = build_pe(((".a", b"a" * 0x1400, 0, DATA),))
    image = parse(data, "x.exe")
    for reader in (Mapped(map_file(data, image), image), OnDisk(data, image)):
        with pytest.raises(ImageError):
            reader.read(rva, size)


def test_a_text_ends_at_its_nul() -> None:
    data = build_pe(((".a", b"one\0" + b"t" * 700 + b"\0", 0, DATA),))
    image = parse(data, "x.exe")
    for reader in (Mapped(map_file(data, image), image), OnDisk(data, image)):
        assert (b"one", b"t" * 700) == (reader.string(0x1000), reader.string(0x1004))


def test_a_text_without_end_is_refused() -> None:
    data = build_pe(((".a", b"a" * 0x1000, 0, DATA),))
    image = parse(data, "x.exe")
    for reader in (Mapped(map_file(data, image), image), OnDisk(data, image)):
        for rva, limit in ((0x1000, 100), (0x1000, 10000), (0x1FFF, 10000), (0x2000, 1), (0x99999, 1)):
            with pytest.raises(ImageError):
                reader.string(rva, limit)
