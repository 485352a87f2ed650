"""Generated DLLs are what an independent reader, NT's checks and a processor take for DLLs with working stubs."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import pefile
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lswd.image.exports import export_table
from lswd.image.formats import I386
from lswd.image.pe import parse
from lswd.image.rva import OnDisk
from lswd.userland.discovery import find
from lswd.userland.supplements.image_builder import ImageBuilderError, build_dll, extend_dll, stub
from tests.unit.stub_processor import RESULT, TOP, run_stub

E_LFANEW = 64
SECTION_COUNT = E_LFANEW + 6
OPTIONAL = E_LFANEW + 24
FILE_ALIGNMENT = OPTIONAL + 36
SIZE_OF_HEADERS = OPTIONAL + 60
BOUND_IMPORTS = OPTIONAL + 112 + 8 * 11
SECURITY = OPTIONAL + 112 + 8 * 4
SECTION_TABLE = OPTIONAL + 240
AFTER_TABLE = SECTION_TABLE + 3 * 40


def complaints(image: pefile.PE) -> list[str]:
    """What pefile finds wrong, but for its views on padding and on DLLs without an entry point."""
    tolerated = ("Byte 0x00 makes up", "SizeOfHeaders is smaller than AddressOfEntryPoint", "AddressOfEntryPoint lies")
    return [warning for warning in image.get_warnings() if not warning.startswith(tolerated)]


def seen(data: bytes) -> tuple[pefile.PE, dict[str, tuple[int, object]]]:
    """pefile's view of an image, which must not have any complaint: name -> (ordinal, RVA or forwarder)."""
    image = pefile.PE(data=data)
    assert [] == complaints(image)
    return image, {
        each.name.decode(): (each.ordinal, each.forwarder or each.address)
        for each in image.DIRECTORY_ENTRY_EXPORT.symbols
        if each.name
    }


def stub_number(image: pefile.PE, rva: object) -> int:
    assert isinstance(rva, int)
    code = image.get_data(rva, 32)
    (number,) = struct.unpack_from("<I", code, 4)
    assert stub(number) == code
    return int(number)


def wine_dll(name: str) -> bytes:
    path = find(os.environ).native(name)
    assert path is not None
    return Path(path).read_bytes()


@pytest.mark.parametrize("with_handoff", [False, True])
def test_a_stub_hands_over_number_argument_and_stack_as_a_system_call(with_handoff: bool) -> None:
    outcome = run_stub(stub(0x8123), first_argument=0x1111, with_handoff=with_handoff)
    assert [(0x8123, 0x1111, TOP - 8 if with_handoff else TOP)] == outcome.calls
    assert (RESULT, TOP + 8) == (outcome.result, outcome.stack)


@pytest.mark.parametrize("with_handoff", [False, True])
def test_a_stub_arrives_as_the_userlands_own_does(with_handoff: bool) -> None:
    userland = find(os.environ)
    image = pefile.PE(f"{userland.directory}/ntdll.dll", fast_load=True)
    theirs = run_stub(image.get_data(userland.ntdll_exports["NtClose"], 32), with_handoff=with_handoff)
    ours = run_stub(stub(theirs.calls[0][0]), with_handoff=with_handoff)
    assert (theirs.calls, theirs.result, theirs.stack) == (ours.calls, ours.result, ours.stack)


def test_a_built_dll_has_its_exports_and_nothing_else() -> None:
    data = build_dll("made.dll", [("Gamma", 0x8002, None, 0), ("Alpha", 0x8000, None, 0), ("alpha", 0x8001, None, 0)])
    image, exports = seen(data)
    numbers = {name: stub_number(image, rva) for name, (_, rva) in exports.items()}
    assert {"Gamma": 0x8002, "Alpha": 0x8000, "alpha": 0x8001} == numbers
    assert image.is_dll()
    assert not hasattr(image, "DIRECTORY_ENTRY_IMPORT")
    assert (0, 0) == (image.OPTIONAL_HEADER.AddressOfEntryPoint, image.OPTIONAL_HEADER.DllCharacteristics & 0x40)
    assert b"made.dll" == image.get_string_at_rva(image.DIRECTORY_ENTRY_EXPORT.struct.Name)


def test_a_built_dll_may_be_moved_and_lies_in_the_file_as_in_memory() -> None:
    data = build_dll("made.dll", [("Alpha", 0x8000, None, 0)])
    image, _ = seen(data)
    assert not image.FILE_HEADER.Characteristics & 1  # relocations stripped
    assert {0} == {entry.type for block in image.DIRECTORY_ENTRY_BASERELOC for entry in block.entries}
    headers = parse(data, "made.dll")
    assert headers.size_of_image == len(data)
    assert {True} == {each.raw_offset == each.virtual_address for each in headers.sections}


def test_builds_are_reproducible_and_bases_differ_by_name() -> None:
    exports = [("Alpha", 0x8000, None, 0)]
    assert build_dll("one.dll", exports) == build_dll("one.dll", exports)
    bases = {parse(build_dll(name, exports), name).image_base for name in ("one.dll", "two.dll", "three.dll")}
    assert 3 == len(bases)


def test_many_exports_take_many_pages() -> None:
    expected = {f"Function{index}": 0x8000 + index for index in range(1000)}
    data = build_dll("made.dll", [(name, number, None, 0) for name, number in expected.items()])
    image, exports = seen(data)
    assert expected == {name: stub_number(image, rva) for name, (_, rva) in exports.items()}
    parse(data, "made.dll")


def test_ordinals_are_kept_and_the_rest_goes_behind_them() -> None:
    wanted = [("First", 1, None, 0), ("Seven", 2, 7, 0), ("Three", 3, 3, 0), ("Last", 4, None, 0)]
    _, exports = seen(build_dll("made.dll", wanted))
    assert {"First": 8, "Seven": 7, "Three": 3, "Last": 9} == {name: ordinal for name, (ordinal, _) in exports.items()}
    image, exports = seen(build_dll("made.dll", [("B", 1, 1001, 0), ("A", 2, 1000, 0)]))
    assert {"A": 1000, "B": 1001} == {name: ordinal for name, (ordinal, _) in exports.items()}
    table = image.DIRECTORY_ENTRY_EXPORT.struct
    assert (1000, 2) == (table.Base, table.NumberOfFunctions)


@pytest.mark.parametrize(
    "exports",
    [
        [("Same", 1, None, 0), ("Same", 2, None, 0)],
        [("", 1, None, 0)],
        [("Nåme", 1, None, 0)],
        [("New\nline", 1, None, 0)],
        [("A", 1, 5, 0), ("B", 2, 5, 0)],
        [("A", 1, -1, 0), ("B", 2, None, 0)],
        [("A", 1, 70000, 0), ("B", 2, None, 0)],
    ],
)
def test_what_cannot_be_exported_is_refused(exports: list[tuple[str, int, int | None, int]]) -> None:
    with pytest.raises(ImageBuilderError):
        build_dll("made.dll", exports)


@pytest.mark.parametrize("name", ["kernelbase.dll", "ntdll.dll", "ws2_32.dll", "msvcrt.dll", "version.dll"])
def test_an_extended_dll_keeps_all_it_had_and_has_more(name: str) -> None:
    original = wine_dll(name)
    extended = extend_dll(original, [("ZzzAdded", 0x8001, None, 0), ("AAdded", 0x8000, None, 0)], name)
    before, old = seen(original)
    after, new = seen(extended)
    assert {"AAdded": 0x8000, "ZzzAdded": 0x8001} == {
        added: stub_number(after, new[added][1]) for added in set(new) - set(old)
    }
    assert old == {each: new[each] for each in old}
    unnamed = [
        {(each.ordinal, each.forwarder or each.address) for each in image.DIRECTORY_ENTRY_EXPORT.symbols}
        for image in (before, after)
    ]
    assert unnamed[0] < unnamed[1]
    for index, section in enumerate(before.sections):
        assert section.get_data() == after.sections[index].get_data()
    assert len(before.sections) + 1 == len(after.sections)
    headers = parse(extended, name)
    assert before.OPTIONAL_HEADER.SizeOfImage == headers.sections[-1].virtual_address
    assert before.OPTIONAL_HEADER.AddressOfEntryPoint == headers.entry_rva


def test_names_are_in_the_order_that_a_binary_search_needs() -> None:
    added = [("MmmAdded", 1, None, 0), ("_added", 2, None, 0), ("Added", 3, None, 0)]
    extended = extend_dll(wine_dll("kernelbase.dll"), added)
    image = pefile.PE(data=extended, fast_load=True)
    image.parse_data_directories([0])
    table = image.DIRECTORY_ENTRY_EXPORT.struct
    rvas = struct.unpack(f"<{table.NumberOfNames}I", image.get_data(table.AddressOfNames, 4 * table.NumberOfNames))
    names = [image.get_string_at_rva(rva) for rva in rvas]
    assert sorted(names) == names
    assert {b"MmmAdded", b"_added", b"Added"} <= set(names)


def test_a_name_that_exists_is_redirected_and_keeps_its_ordinal() -> None:
    original = build_dll("made.dll", [("A", 1, None, 0), ("B", 2, None, 0)])
    image, exports = seen(extend_dll(original, [("A", 9, None, 0)]))
    assert {"A": (1, 9), "B": (2, 2)} == {
        name: (ordinal, stub_number(image, rva)) for name, (ordinal, rva) in exports.items()
    }
    with pytest.raises(ImageBuilderError):
        extend_dll(original, [("A", 9, 2, 0)])


def test_a_dll_can_be_extended_again_and_again() -> None:
    data = build_dll("made.dll", [("F0", 0, None, 0)])
    for number in range(1, 20):
        data = extend_dll(data, [(f"F{number}", number, None, 0)])
    image, exports = seen(data)
    assert {f"F{number}": number for number in range(20)} == {
        name: stub_number(image, rva) for name, (_, rva) in exports.items()
    }


def test_size_of_headers_grows_when_the_new_section_header_takes_it() -> None:
    data = bytearray(build_dll("made.dll", [("A", 1, None, 0)]))
    struct.pack_into("<I", data, FILE_ALIGNMENT, 0x200)
    struct.pack_into("<I", data, SIZE_OF_HEADERS, AFTER_TABLE)
    image, exports = seen(extend_dll(bytes(data), [("B", 2, None, 0)]))
    assert (0x200, {"A", "B"}) == (image.OPTIONAL_HEADER.SizeOfHeaders, set(exports))


def test_bound_imports_in_the_way_are_taken_out() -> None:
    data = bytearray(build_dll("made.dll", [("A", 1, None, 0)]))
    struct.pack_into("<II", data, BOUND_IMPORTS, AFTER_TABLE, 64)
    data[AFTER_TABLE : AFTER_TABLE + 64] = b"\x77" * 64
    extended = extend_dll(bytes(data), [("B", 2, None, 0)])
    assert bytes(8) == extended[BOUND_IMPORTS : BOUND_IMPORTS + 8]
    _, exports = seen(extended)
    assert {"A", "B"} == set(exports)


def test_a_signature_is_taken_out() -> None:
    data = bytearray(build_dll("made.dll", [("A", 1, None, 0)]))
    struct.pack_into("<II", data, SECURITY, len(data), 16)
    extended = extend_dll(bytes(data) + bytes(16), [("B", 2, None, 0)])
    assert bytes(8) == extended[SECURITY : SECURITY + 8]
    _, exports = seen(extended)
    assert {"A", "B"} == set(exports)


def test_headers_without_room_are_refused() -> None:
    data = bytearray(build_dll("made.dll", [("A", 1, None, 0)]))
    data[AFTER_TABLE + 39] = 1
    with pytest.raises(ImageBuilderError, match="no room for one more section header"):
        extend_dll(bytes(data), [("B", 2, None, 0)])


def test_an_image_without_exports_gets_its_first() -> None:
    data = bytearray(build_dll("made.dll", [("A", 1, None, 0)]))
    struct.pack_into("<II", data, OPTIONAL + 112, 0, 0)
    image, exports = seen(extend_dll(bytes(data), [("B", 2, None, 0)], "made.dll"))
    assert {"B": (1, 2)} == {name: (ordinal, stub_number(image, rva)) for name, (ordinal, rva) in exports.items()}
    assert b"made.dll" == image.get_string_at_rva(image.DIRECTORY_ENTRY_EXPORT.struct.Name)


@pytest.mark.parametrize("data", [b"", b"MZ", b"\x7fELF" * 100, build_dll("m.dll", [("A", 1, None, 0)])[:600]])
def test_what_is_no_dll_is_refused(data: bytes) -> None:
    with pytest.raises(ImageBuilderError):
        extend_dll(data, [("B", 2, None, 0)])


SMALL = build_dll("made.dll", [("A", 1, None, 0), ("B", 2, 5, 0)])


@given(st.lists(st.tuples(st.integers(0, len(SMALL) - 1), st.integers(0, 255)), min_size=1, max_size=8))
def test_a_damaged_dll_is_extended_soundly_or_refused(changes: list[tuple[int, int]]) -> None:
    data = bytearray(SMALL)
    for offset, value in changes:
        # Most of the file is padding: spend the changes on headers and tables.
        data[offset % 0x1D0 if offset & 1 else 0x2000 + offset % 0x60] = value
    try:
        extended = extend_dll(bytes(data), [("C", 3, None, 0)], "made.dll")
    except ImageBuilderError:
        return
    assert len(parse(bytes(data), "made.dll").sections) + 1 == len(parse(extended, "made.dll").sections)


def test_a_32_bit_dll_has_stubs_that_take_their_arguments_off_the_stack() -> None:
    data = build_dll("made.dll", [("Alpha", 0x8000, None, 12)], 4)
    image = parse(data, "made.dll")
    rva = export_table(OnDisk(data, image), image).names["Alpha"]
    assert (I386, False) == (image.machine, image.is_64bit)
    code = bytes.fromhex("b800800000 ff150010fe7f c20c00")  # mov eax, number; call [0x7ffe1000]; ret 12
    assert code == OnDisk(data, image).read(rva, len(code))


def test_a_32_bit_dll_can_be_extended() -> None:
    data = extend_dll(build_dll("made.dll", [("A", 1, None, 4)], 4), [("B", 2, None, 8)], "made.dll")
    image = parse(data, "made.dll")
    assert ["A", "B"] == sorted(export_table(OnDisk(data, image), image).names)


@pytest.mark.parametrize("word", [8, 4])
def test_a_flag_is_put_into_another_argument_before_the_function(word: int) -> None:
    own = build_dll("own.dll", [("Own", 0x8001, None, 24)], word)
    data = extend_dll(own, [], "own.dll", None, [("Own", 5, 0x200000, 1), ("NotThere", 5, 1, 1)])
    image = pefile.PE(data=data)
    (export,) = image.DIRECTORY_ENTRY_EXPORT.symbols
    code = image.get_data(export.address, 32)
    put = {8: "81ca00002000", 4: "814c240800002000"}[word]  # or edx / [esp + 8], flag
    test = {8: "f744243000002000", 4: "f744241800002000"}[word] + f"74{len(put) // 2:02x}"
    expected = bytes.fromhex(test + put + "e9")
    assert expected == code[: len(expected)]
    (distance,) = struct.unpack_from("<i", code, len(expected))
    assert export.address + len(expected) + 4 + distance == 0x1000  # where its stub is
