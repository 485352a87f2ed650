"""Reading PE headers: what is taken, what is refused and with which words; pefile is the oracle for real files."""

from __future__ import annotations

import mmap
import os
import subprocess
from pathlib import Path
from struct import pack, pack_into

import pefile
import pytest

from lswd.image import errors
from lswd.image.errors import ImageError, printable
from lswd.image.pe import Image, check_machine, check_program, parse
from lswd.ntdef import status
from lswd.ntdef.status import NtError
from lswd.userland.discovery import find
from tests.unit.pe_builder import BSS, CODE, DATA, I386, PE_AT, RDATA, build_pe, poke, poke_section

THREE = ((".text", b"\x90" * 0x300, 0, CODE), (".data", b"data", 0x1800, DATA), (".bss", b"", 0x5000, BSS))


@pytest.fixture(scope="session")
def userland() -> list[Path]:
    """Every file of the installed userland."""
    files = sorted(p for p in Path(find(os.environ).directory).iterdir() if p.is_file())
    assert len(files) > 100
    return files


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """What mingw makes: a program with all its debugging sections, a stripped one, a DLL."""
    folder = tmp_path_factory.mktemp("built")
    source = folder / "a.c"
    source.write_text("""#include <stdio.h>
__declspec(dllexport) int f(void) { return puts("f"); }
int main(void) { return f(); }
""")
    results = {}
    for name, options in {"full.exe": ["-g"], "stripped.exe": ["-s"], "library.dll": ["-shared"]}.items():
        results[name] = folder / name
        subprocess.run(["x86_64-w64-mingw32-gcc", *options, "-o", results[name], source], check=True)
    return results


def refused(data: bytes | bytearray, name: str = "x.exe") -> ImageError:
    with pytest.raises(ImageError) as caught:
        parse(bytes(data), name)
    return caught.value


def not_a_program(data: bytes | bytearray) -> ImageError:
    image = parse(bytes(data), "x.exe")
    with pytest.raises(ImageError) as caught:
        check_program(image)
    return caught.value


def assert_agrees_with_pefile(path: Path) -> None:
    data = path.read_bytes()
    image = parse(data, path.name)
    oracle = pefile.PE(data=data, fast_load=True)
    header = oracle.OPTIONAL_HEADER
    assert (header.Magic == 0x20B) == image.is_64bit
    assert oracle.FILE_HEADER.Machine == image.machine
    assert oracle.FILE_HEADER.Characteristics == image.characteristics
    assert oracle.FILE_HEADER.TimeDateStamp == image.timestamp
    assert header.DllCharacteristics == image.dll_characteristics
    assert header.ImageBase == image.image_base
    assert header.AddressOfEntryPoint == image.entry_rva
    assert header.SizeOfCode == image.size_of_code
    assert header.SizeOfImage == image.size_of_image
    assert header.SizeOfHeaders == image.size_of_headers
    assert header.SectionAlignment == image.section_alignment
    assert header.FileAlignment == image.file_alignment
    assert header.Subsystem == image.subsystem
    assert (header.MajorSubsystemVersion, header.MinorSubsystemVersion) == image.subsystem_version
    assert (header.MajorOperatingSystemVersion, header.MinorOperatingSystemVersion) == image.os_version
    assert header.CheckSum == image.checksum
    assert (header.SizeOfStackReserve, header.SizeOfStackCommit) == (image.stack_reserve, image.stack_commit)
    assert (header.SizeOfHeapReserve, header.SizeOfHeapCommit) == (image.heap_reserve, image.heap_commit)
    assert header.LoaderFlags == image.loader_flags
    assert header.NumberOfRvaAndSizes == image.number_of_rva_and_sizes
    assert [(d.VirtualAddress, d.Size) for d in header.DATA_DIRECTORY] == image.directories
    assert [s.Name.rstrip(b"\0").decode("latin-1") for s in oracle.sections] == [s.name for s in image.sections]
    fields = ("VirtualAddress", "Misc_VirtualSize", "PointerToRawData", "SizeOfRawData", "Characteristics")
    expected = [tuple(getattr(s, field) for field in fields) for s in oracle.sections]
    assert expected == [
        (s.virtual_address, s.virtual_size, s.raw_offset, s.raw_size, s.characteristics) for s in image.sections
    ]
    assert len(data) == image.file_size


# ---- real files


def test_every_file_of_the_userland_that_is_a_pe_is_taken(userland: list[Path]) -> None:
    for path in userland:
        with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            if data[:2] == b"MZ":
                image = parse(data, path.name)
                assert image.size_of_image > 0


def test_a_sample_of_the_userland_is_read_as_pefile_reads_it(userland: list[Path]) -> None:
    sample = [p for p in userland[::16] if p.suffix in (".dll", ".exe")]
    assert len(sample) > 5
    for path in sample:
        assert_agrees_with_pefile(path)


def test_what_mingw_makes_is_read_as_pefile_reads_it(built: dict[str, Path]) -> None:
    for path in built.values():
        assert_agrees_with_pefile(path)


def test_an_unstripped_mingw_program_is_a_program_with_its_debugging_sections(built: dict[str, Path]) -> None:
    image = parse(built["full.exe"].read_bytes(), "full.exe")
    assert len(image.sections) >= 19
    assert "/4" in [section.name for section in image.sections]
    check_program(image)


def test_a_stripped_mingw_program_is_a_program(built: dict[str, Path]) -> None:
    check_program(parse(built["stripped.exe"].read_bytes(), "stripped.exe"))


def test_a_real_dll_is_not_a_program(built: dict[str, Path]) -> None:
    assert not_a_program(built["library.dll"].read_bytes()).kind == errors.NOT_EXECUTABLE


def test_a_real_driver_is_not_a_program(userland: list[Path]) -> None:
    driver = next(p for p in userland if p.name == "mountmgr.sys")
    assert not_a_program(driver.read_bytes()).kind == errors.DRIVER


def test_every_truncation_of_a_real_program_is_refused_with_a_reason(built: dict[str, Path]) -> None:
    data = built["stripped.exe"].read_bytes()
    assert len(data) % 0x200 == 0
    for size in [*range(0x400), *range(0x400, len(data), 0x80), len(data) - 1]:
        error = refused(data[:size])
        assert error.kind in (errors.TRUNCATED, errors.NOT_PE, errors.DOS_PROGRAM), size
        assert error.reason


# ---- made files


def test_all_fields_of_a_64_bit_image_are_read() -> None:
    data = build_pe(
        THREE, directories={1: (0x1010, 0x28), 15: (7, 9)}, timestamp=5, os_major=10, os_minor=1, subsystem_major=6,
        subsystem_minor=2, checksum=0xABCD, dll_characteristics=0x8160, loader_flags=3, stack_reserve=1 << 33,
        stack_commit=0x2000, heap_reserve=0x3000, heap_commit=0x4000, size_of_code=0x400,
    )  # fmt: skip
    image = parse(bytes(data), "x.exe")
    assert (0x8664, True, 0x22, 5) == (image.machine, image.is_64bit, image.characteristics, image.timestamp)
    assert (0x140000000, 0x1000, 0x9000) == (image.image_base, image.entry_rva, image.size_of_image)
    assert (0x200, 0x1000, 0x200) == (image.size_of_headers, image.section_alignment, image.file_alignment)
    assert ((10, 1), (6, 2), 3, 0x8160) == (
        image.os_version, image.subsystem_version, image.subsystem, image.dll_characteristics
    )  # fmt: skip
    assert (1 << 33, 0x2000, 0x3000, 0x4000) == (
        image.stack_reserve, image.stack_commit, image.heap_reserve, image.heap_commit
    )  # fmt: skip
    assert (0xABCD, 3, 16, 0x400) == (
        image.checksum, image.loader_flags, image.number_of_rva_and_sizes, image.size_of_code
    )  # fmt: skip
    assert {1: (0x1010, 0x28), 15: (7, 9)} == {i: d for i, d in enumerate(image.directories) if d != (0, 0)}
    assert [(".text", 0x1000, 0x300, 0x200, 0x400, CODE)] == [
        (s.name, s.virtual_address, s.virtual_size, s.raw_offset, s.raw_size, s.characteristics)
        for s in image.sections[:1]
    ]
    assert ([".text", ".data", ".bss"], len(data), None, False) == (
        [s.name for s in image.sections], image.file_size, image.clr, image.flat
    )  # fmt: skip
    check_program(image)


def test_all_fields_of_a_32_bit_image_are_read() -> None:
    data = build_pe(THREE, machine=I386, stack_reserve=0x5000, heap_commit=0x6000, loader_flags=7, checksum=8)
    image = parse(bytes(data), "x.exe")
    assert (I386, False, 0x400000) == (image.machine, image.is_64bit, image.image_base)
    assert (0x5000, 0x6000, 7, 8) == (image.stack_reserve, image.heap_commit, image.loader_flags, image.checksum)
    assert (0x1000, 0x9000, 3, (6, 0)) == (
        image.section_alignment, image.size_of_image, image.subsystem, image.subsystem_version
    )  # fmt: skip


def test_a_file_can_be_given_as_memoryview_bytearray_or_mapped_file(tmp_path: Path) -> None:
    data = build_pe(THREE)
    path = tmp_path / "x.exe"
    path.write_bytes(data)
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        for form in (data, memoryview(data), mapped):
            assert [".text", ".data", ".bss"] == [s.name for s in parse(form, "x.exe").sections]


def test_fewer_directories_than_sixteen_are_filled_up_with_zeros() -> None:
    image = parse(bytes(build_pe(directories={0: (1, 2), 5: (3, 4)}, number_of_rva_and_sizes=2)), "x.exe")
    assert [(1, 2)] + [(0, 0)] * 15 == image.directories


def test_a_claim_of_four_billion_directories_means_sixteen() -> None:
    image = parse(bytes(build_pe(number_of_rva_and_sizes=0xFFFFFFFF)), "x.exe")
    assert (16, 0xFFFFFFFF) == (len(image.directories), image.number_of_rva_and_sizes)


def test_the_section_table_may_stand_behind_a_gap() -> None:
    data = build_pe()
    table = PE_AT + 24 + 240
    row = bytes(data[table : table + 40])
    data[table : table + 40 + 0x18] = b"\xcc" * 0x18 + row
    image = parse(bytes(poke(data, 240 + 0x18, "size_of_optional_header")), "x.exe")
    assert [".text"] == [s.name for s in image.sections]


def test_size_of_image_counts_in_whole_pages() -> None:
    parse(bytes(build_pe(THREE, size_of_image=0x8001)), "x.exe")


def test_headers_may_be_larger_than_the_file() -> None:
    data = build_pe((), size_of_headers=0x1000, size_of_image=0x1000)
    assert [] == parse(bytes(data), "x.exe").sections


def test_headers_may_be_too_small_for_the_section_table() -> None:
    parse(bytes(build_pe(THREE, size_of_headers=0x100)), "x.exe")


def test_raw_data_may_overlap_in_the_file() -> None:
    data = build_pe(((".a", b"a" * 0x400, 0, DATA), (".b", b"b" * 0x400, 0, DATA)))
    parse(bytes(poke_section(data, 1, raw_offset=0x300)), "x.exe")


def test_a_section_without_virtual_size_has_its_raw_size() -> None:
    data = build_pe(((".a", b"a" * 0x1200, 0, DATA), (".b", b"b", 0, DATA)))
    parse(bytes(poke_section(data, 0, virtual_size=0)), "x.exe")


def test_a_section_of_zeros_needs_no_place_in_the_file() -> None:
    data = build_pe(THREE)
    parse(bytes(poke_section(data, 2, raw_offset=0x7FFFFFFF)), "x.exe")


def test_an_image_with_small_alignment_lies_in_memory_as_in_the_file() -> None:
    sections = ((".a", b"a" * 0x40, 0, CODE), (".b", b"b" * 0x40, 0, DATA))
    image = parse(bytes(build_pe(sections, section_alignment=0x20, file_alignment=0x20)), "x.exe")
    assert image.flat


# ---- refused images, in the order of the checks

REFUSED: dict[str, tuple[dict[str, int], str]] = {
    "no executable flag": ({"characteristics": 0x20}, errors.BAD_HEADER),
    "base within 64 KiB": ({"image_base": 0x140001000}, errors.BAD_HEADER),
    "97 sections": ({"number_of_sections": 97}, errors.BAD_HEADER),
    "65535 sections": ({"number_of_sections": 0xFFFF}, errors.BAD_HEADER),
    "PE32 magic": ({"magic": 0x10B}, errors.BAD_HEADER),
    "ROM magic": ({"magic": 0x107}, errors.BAD_HEADER),
    "unknown machine": ({"machine": 0xDEAD}, errors.WRONG_MACHINE),
    "no machine": ({"machine": 0}, errors.WRONG_MACHINE),
    "no section alignment": ({"section_alignment": 0}, errors.BAD_ALIGNMENT),
    "no file alignment": ({"file_alignment": 0}, errors.BAD_ALIGNMENT),
    "odd section alignment": ({"section_alignment": 0x3000}, errors.BAD_ALIGNMENT),
    "odd file alignment": ({"file_alignment": 0x600}, errors.BAD_ALIGNMENT),
    "file alignment above section alignment": ({"file_alignment": 0x2000}, errors.BAD_ALIGNMENT),
    "file alignment below a sector": ({"file_alignment": 0x100}, errors.BAD_ALIGNMENT),
    "two small alignments": ({"section_alignment": 0x800}, errors.BAD_ALIGNMENT),
    "empty image": ({"size_of_image": 0}, errors.BAD_SIZE),
    "image above a GiB": ({"size_of_image": 0x40000001}, errors.BAD_SIZE),
    "image of 4 GiB": ({"size_of_image": 0xFFFFFFFF}, errors.BAD_SIZE),
    "no headers": ({"size_of_headers": 0}, errors.BAD_SIZE),
    "headers larger than the image": ({"size_of_headers": 0xA000}, errors.BAD_SIZE),
    "headers reach into a section": ({"size_of_headers": 0x1001}, errors.BAD_SECTION),
    "image too small for its sections": ({"size_of_image": 0x8000}, errors.BAD_SECTION),
    "section table outside the file": ({"size_of_optional_header": 0xFFFF}, errors.TRUNCATED),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_damaged_header_is_refused(case: str) -> None:
    fields, kind = REFUSED[case]
    data = build_pe(THREE)
    for name, value in fields.items():
        poke(data, value, name)
    error = refused(data)
    assert (kind, status.STATUS_INVALID_IMAGE_FORMAT) == (error.kind, error.status)


REFUSED_SECTIONS: dict[str, tuple[int, dict[str, int], str]] = {
    "overlapping the one before": (1, {"virtual_address": 0x1000}, errors.BAD_SECTION),
    "behind a gap": (1, {"virtual_address": 0x3000}, errors.BAD_SECTION),
    "unaligned": (1, {"virtual_address": 0x2010}, errors.BAD_SECTION),
    "in the headers": (0, {"virtual_address": 0}, errors.BAD_SECTION),
    "behind a gap after the headers": (0, {"virtual_address": 0x2000}, errors.BAD_SECTION),
    "empty": (2, {"virtual_size": 0}, errors.BAD_SECTION),
    "growing into the next": (0, {"virtual_size": 0x1001}, errors.BAD_SECTION),
    "of 4 GiB": (2, {"virtual_size": 0xFFFFFFFF}, errors.BAD_SECTION),
    "behind the image": (2, {"virtual_size": 0x5001}, errors.BAD_SECTION),
    "with contents behind the file": (1, {"raw_offset": 0x10000}, errors.TRUNCATED),
    "with contents beyond the file": (1, {"raw_size": 0x201}, errors.TRUNCATED),
    "with 4 GiB of contents": (1, {"raw_size": 0xFFFFFFFF}, errors.TRUNCATED),
}


@pytest.mark.parametrize("case", REFUSED_SECTIONS)
def test_a_section_is_refused(case: str) -> None:
    index, fields, kind = REFUSED_SECTIONS[case]
    error = refused(poke_section(build_pe(THREE), index, **fields))
    assert (kind, status.STATUS_INVALID_IMAGE_FORMAT) == (error.kind, error.status)
    assert "section " in error.reason


@pytest.mark.parametrize("field", ["virtual_address", "virtual_size"])
def test_a_section_of_an_image_with_small_alignment_must_lie_in_memory_as_in_the_file(field: str) -> None:
    data = build_pe(((".a", b"a" * 0x40, 0, CODE),), section_alignment=0x20, file_alignment=0x20)
    assert refused(poke_section(data, 0, **{field: 0x4000})).kind == errors.BAD_SECTION


def test_a_section_of_an_image_with_small_alignment_must_lie_in_the_file() -> None:
    data = build_pe(((".a", b"a" * 0x40, 0, CODE),), section_alignment=0x20, file_alignment=0x20)
    assert refused(poke_section(data, 0, raw_size=0x60)).kind == errors.TRUNCATED


def test_a_pe_header_at_an_odd_place_is_refused() -> None:
    data = build_pe()
    data[PE_AT:PE_AT] = b"\0\0"
    pack_into("<I", data, 0x3C, PE_AT + 2)
    assert refused(data).kind == errors.BAD_HEADER


def test_a_file_that_ends_within_its_headers_is_truncated() -> None:
    data = build_pe(THREE)
    for size in (PE_AT + 24, PE_AT + 25, PE_AT + 26, PE_AT + 24 + 111, PE_AT + 24 + 240, PE_AT + 24 + 240 + 119):
        assert refused(data[:size]).kind == errors.TRUNCATED, size


def test_names_of_sections_cannot_write_to_the_terminal() -> None:
    data = build_pe((("\x1b[2J\r\n", b"a", 0, DATA),))
    error = refused(poke_section(data, 0, virtual_address=0x2000))
    assert "\x1b" not in str(error) and "\n" not in str(error)


def test_printable_text_is_short_and_has_no_control_characters() -> None:
    assert "a?b" == printable("a\x1bb")
    assert 203 == len(printable("x" * 5000))


# ---- files that are something else

FOREIGN: dict[str, tuple[bytes, str, str, int]] = {
    "nothing": (b"", "x.exe", "the file is empty", status.STATUS_INVALID_IMAGE_NOT_MZ),
    "one byte": (b"M", "x.exe", "does not begin with MZ", status.STATUS_INVALID_IMAGE_NOT_MZ),
    "text": (b"hello, world", "x.exe", "does not begin with MZ", status.STATUS_INVALID_IMAGE_NOT_MZ),
    "ELF": (b"\x7fELF\2\1\1" + bytes(60), "ls", "a Linux program", status.STATUS_INVALID_IMAGE_NOT_MZ),
    "script": (b"#!/bin/sh\n", "x", "a script", status.STATUS_INVALID_IMAGE_NOT_MZ),
    "batch": (b"@echo off\r\n", "x.BAT", "a batch script", status.STATUS_INVALID_IMAGE_NOT_MZ),
    "installer": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "x.msi", "installer", status.STATUS_INVALID_IMAGE_NOT_MZ),
    "archive": (b"PK\3\4" + bytes(60), "x.zip", "a ZIP archive", status.STATUS_INVALID_IMAGE_NOT_MZ),
}


@pytest.mark.parametrize("case", FOREIGN)
def test_a_file_of_another_kind_is_named(case: str) -> None:
    data, name, words, expected = FOREIGN[case]
    error = refused(data, name)
    assert (errors.NOT_PE, expected) == (error.kind, error.status)
    assert words in error.reason


def mz(signature: bytes, *, target: int = 0, relocations_at: int = 0x40, header_at: int = 0x80) -> bytes:
    data = bytearray(0x100)
    data[:2] = b"MZ"
    pack_into("<H", data, 0x18, relocations_at)
    pack_into("<I", data, 0x3C, header_at)
    data[0x80 : 0x80 + len(signature)] = signature
    data[0x80 + 0x36] = target
    return bytes(data)


OLD: dict[str, tuple[bytes, str, str, int]] = {
    "DOS": (mz(b"", relocations_at=0x1C, header_at=0x12345678), errors.DOS_PROGRAM, "16-bit DOS program",
            status.STATUS_INVALID_IMAGE_PROTECT),
    "16-bit Windows": (mz(b"NE", target=2), errors.DOS_PROGRAM, "16-bit Windows", status.STATUS_INVALID_IMAGE_WIN_16),
    "OS/2": (mz(b"NE", target=1), errors.DOS_PROGRAM, "OS/2", status.STATUS_INVALID_IMAGE_NE_FORMAT),
    "unknown NE": (mz(b"NE", target=9), errors.DOS_PROGRAM, "NE format", status.STATUS_INVALID_IMAGE_NE_FORMAT),
    "NE for DOS": (mz(b"NE", target=5), errors.DOS_PROGRAM, "DOS", status.STATUS_INVALID_IMAGE_PROTECT),
    "LE": (mz(b"LE"), errors.DOS_PROGRAM, "LE format", status.STATUS_INVALID_IMAGE_LE_FORMAT),
    "LX": (mz(b"LX"), errors.DOS_PROGRAM, "LX format", status.STATUS_INVALID_IMAGE_LE_FORMAT),
    "damage": (mz(b"XYZW"), errors.NOT_PE, "no PE signature at byte 0x80", status.STATUS_INVALID_IMAGE_PROTECT),
    "truncated": (mz(b"", header_at=0x98760000), errors.TRUNCATED, "truncated", status.STATUS_INVALID_IMAGE_PROTECT),
    "MZ": (b"MZ", errors.TRUNCATED, "truncated", status.STATUS_INVALID_IMAGE_PROTECT),
}  # fmt: skip


@pytest.mark.parametrize("case", OLD)
def test_an_mz_file_without_pe_header_is_named(case: str) -> None:
    data, kind, words, expected = OLD[case]
    error = refused(data)
    assert (kind, expected) == (error.kind, error.status)
    assert words in error.reason


# ---- sound images that are no programs

NOT_PROGRAMS: dict[str, tuple[dict[str, int], str, str]] = {
    "DLL": ({"characteristics": 0x2022}, errors.NOT_EXECUTABLE, "a DLL"),
    "driver": ({"subsystem": 1}, errors.DRIVER, "a driver"),
    "driver DLL": ({"subsystem": 1, "characteristics": 0x2022}, errors.DRIVER, "a driver"),
    "EFI": ({"subsystem": 10}, errors.EFI, "an EFI program"),
    "EFI driver": ({"subsystem": 12}, errors.EFI, "an EFI program"),
    "POSIX": ({"subsystem": 7}, errors.WRONG_SUBSYSTEM, "POSIX"),
    "none": ({"subsystem": 0}, errors.WRONG_SUBSYSTEM, "no subsystem"),
    "unknown": ({"subsystem": 999}, errors.WRONG_SUBSYSTEM, "unknown subsystem 999"),
    "ARM64": ({"machine": 0xAA64}, errors.WRONG_MACHINE, "ARM64"),
    "IA64": ({"machine": 0x0200}, errors.WRONG_MACHINE, "Itanium"),
    "entry": ({"entry_rva": 0x9000}, errors.BAD_ENTRY, "entry point 0x9000"),
    "far entry": ({"entry_rva": 0xFFFFFFF0}, errors.BAD_ENTRY, "entry point"),
}


@pytest.mark.parametrize("case", NOT_PROGRAMS)
def test_a_sound_image_that_is_no_program_is_refused_with_a_reason(case: str) -> None:
    fields, kind, words = NOT_PROGRAMS[case]
    machine = fields.get("machine", 0x8664)
    data = build_pe(THREE, machine=machine)
    for name, value in fields.items():
        poke(data, value, name)
    error = not_a_program(data)
    assert kind == error.kind
    assert words in error.reason


def test_a_program_for_an_arm_phone_is_named() -> None:
    data = build_pe(THREE, machine=I386)
    assert "ARM" in not_a_program(poke(data, 0x1C4, "machine")).reason


@pytest.mark.parametrize("machine", [0x8664, I386])
def test_both_kinds_of_pc_code_pass_the_machine_check(machine: int) -> None:
    check_machine(parse(bytes(build_pe(machine=machine)), "x.dll"))


def dotnet(flags: int, **fields: int) -> bytearray:
    header = pack("<IHHIII", 72, 2, 5, 0x1100, 0x100, flags).ljust(72, b"\0")
    return build_pe(((".text", header, 0x400, CODE),), directories={14: (0x1000, 72)}, **fields)


@pytest.mark.parametrize("machine", [0x8664, I386])
def test_a_dotnet_assembly_is_no_program_whatever_machine_it_names(machine: int) -> None:
    error = not_a_program(dotnet(1, machine=machine))
    assert (errors.DOTNET, "a .NET assembly: it holds no processor code") == (error.kind, error.reason)


def test_a_mixed_dotnet_assembly_is_named() -> None:
    error = not_a_program(dotnet(0x10))
    assert errors.DOTNET == error.kind
    assert "mixed" in error.reason


def test_version_and_flags_of_the_dotnet_header_are_read() -> None:
    assert (2, 5, 3) == parse(bytes(dotnet(3)), "x.exe").clr


@pytest.mark.parametrize("directory", [(1, 1), (0xFFFFFFFF, 72), (0x1000, 8), (0x1FF0, 72)])
def test_an_unreadable_dotnet_header_makes_no_assembly(directory: tuple[int, int]) -> None:
    image = parse(bytes(build_pe(directories={14: directory})), "x.exe")
    assert image.clr is None
    check_program(image)


def with_thread_data(start: int, end: int, zeros: int, machine: int) -> bytearray:
    header = pack("<4QII" if machine != I386 else "<4III", start, end, 0, 0, zeros, 0)
    return build_pe(((".text", header, 0x400, CODE),), directories={9: (0x1000, len(header))}, machine=machine)


@pytest.mark.parametrize("machine", [0x8664, I386])
@pytest.mark.parametrize("case", [(0x401000, 0x401100, 0xFFFFFFF0), (0x401000, 0x60000000, 0), (0x401000, 0x400000, 0)])
def test_absurd_amounts_of_data_for_each_thread_are_damage(case: tuple[int, int, int], machine: int) -> None:
    error = not_a_program(with_thread_data(*case, machine))
    assert errors.BAD_SIZE == error.kind
    assert "bytes for each thread" in error.reason


@pytest.mark.parametrize("machine", [0x8664, I386])
def test_a_program_may_have_data_for_each_thread(machine: int) -> None:
    image = parse(bytes(with_thread_data(0x401000, 0x401100, 0x300, machine)), "x.exe")
    assert 0x400 == image.thread_data
    check_program(image)


# ---- what an error is


def test_an_image_error_is_the_failure_of_a_system_call() -> None:
    error = refused(b"")
    assert isinstance(error, NtError)
    assert status.STATUS_INVALID_IMAGE_NOT_MZ == error.status


def test_an_error_reads_as_one_line_with_name_reason_and_hint() -> None:
    assert "x.exe: a DLL, not a program; launch the program that uses it" == str(
        not_a_program(build_pe(characteristics=0x2022))
    )


def test_images_and_sections_show_what_they_are() -> None:
    image = parse(bytes(build_pe(THREE)), "x.exe")
    assert isinstance(image, Image)
    assert "<Image 'x.exe' x86-64 0x9000 bytes>" == repr(image)
    assert "<Section '.data' rva 0x2000+0x1800>" == repr(image.sections[1])


def test_the_name_of_a_section_may_fill_all_eight_bytes() -> None:
    image = parse(bytes(build_pe(((".eightch", b"a", 0, RDATA),))), "x.exe")
    assert ".eightch" == image.sections[0].name
