"""What an image needs: its import tables as pefile reads them, and which of it is missing."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from struct import pack

import pefile
import pytest

from lswd.image import errors
from lswd.image.errors import ImageError
from lswd.image.imports import ImportedDll, Missing, imports, missing_imports
from lswd.image.pe import parse
from lswd.image.rva import Mapped, OnDisk
from lswd.userland.discovery import find
from tests.unit.pe_builder import I386, RDATA, build_pe, map_file
from tests.unit.pe_tables import ImportTable, build_module, export_body, needing, offering


def imports_of(data: bytes | bytearray) -> list[ImportedDll]:
    image = parse(data, "a.exe")
    return imports(OnDisk(data, image), image)


def as_tuples(found: list[ImportedDll]) -> list[tuple[str, list[str | int]]]:
    return [(dll.name, dll.functions) for dll in found]


class Folder:
    """A folder of PE files that imports are looked up in, whatever their case."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def put(self, name: str, data: bytes | bytearray) -> None:
        (self.path / name).write_bytes(data)

    def locate(self, name: str) -> str | None:
        return next((str(path) for path in self.path.iterdir() if path.name.lower() == name.lower()), None)

    def missing(self, *, delay: bool = False, supplied: Callable[[str, str | int], bool] | None = None) -> list[str]:
        """What a.exe misses."""
        program = str(self.path / "a.exe")
        return [str(m) for m in missing_imports(program, self.locate, delay=delay, supplied=supplied)]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


# ---- reading


@pytest.mark.parametrize("name", ["cmd.exe", "kernel32.dll", "advapi32.dll", "mshtml.dll", "shell32.dll"])
def test_the_imports_of_a_real_file_are_those_pefile_finds(name: str) -> None:
    data = (Path(find(os.environ).directory) / name).read_bytes()
    image = parse(data, name)
    oracle = pefile.PE(data=data, fast_load=True)
    kinds = ("IMAGE_DIRECTORY_ENTRY_IMPORT", "IMAGE_DIRECTORY_ENTRY_DELAY_IMPORT")
    oracle.parse_data_directories(directories=[pefile.DIRECTORY_ENTRY[kind] for kind in kinds])
    expected = [
        (entry.dll.decode(), [i.name.decode() if i.name else i.ordinal for i in entry.imports], delay)
        for delay, attribute in ((False, "DIRECTORY_ENTRY_IMPORT"), (True, "DIRECTORY_ENTRY_DELAY_IMPORT"))
        for entry in getattr(oracle, attribute, [])
    ]
    found = imports(OnDisk(data, image), image)
    assert expected == [(dll.name, dll.functions, dll.delay) for dll in found]
    assert found
    assert as_tuples(found) == as_tuples(imports(Mapped(map_file(data, image), image), image))


@pytest.mark.parametrize("wide", [True, False])
def test_names_and_ordinals_are_read(wide: bool) -> None:
    table = ImportTable(wide=wide)
    table.add("A.dll", ["one", 7, "two", 0xFFFF])
    table.add("B.dll", ["three"])
    expected = [("A.dll", ["one", 7, "two", 0xFFFF]), ("B.dll", ["three"])]
    assert expected == as_tuples(imports_of(build_module(imported=table)))


def test_a_table_without_lookup_thunks_is_read_from_its_address_thunks() -> None:
    table = ImportTable()
    table.add("A.dll", ["one"], lookup=False)
    assert [("A.dll", ["one"])] == as_tuples(imports_of(build_module(imported=table)))


def test_more_functions_than_one_read_gets_are_all_found() -> None:
    functions: list[str | int] = [f"f{i}" for i in range(777)]
    assert [("a.dll", functions)] == as_tuples(imports_of(needing(a=functions)))


def test_delayed_imports_are_marked() -> None:
    table = ImportTable()
    table.add("A.dll", ["one"])
    table.add_delayed("B.dll", ["two", 3])
    found = imports_of(build_module(imported=table))
    assert [("A.dll", False), ("B.dll", True)] == [(dll.name, dll.delay) for dll in found]
    assert ["two", 3] == found[1].functions


def test_delayed_imports_may_be_given_as_addresses() -> None:
    table = ImportTable(wide=False, base=0x400000)
    table.add_delayed("B.dll", ["two"])
    assert [("B.dll", ["two"])] == as_tuples(imports_of(build_module(imported=table)))


def test_a_program_without_imports_needs_nothing() -> None:
    assert [] == imports_of(build_pe())


@pytest.mark.parametrize("directory", [(0x7FFFFFFF, 40), (0xFFFFFFFF, 0xFFFFFFFF), (0x1FF0, 40)])
@pytest.mark.parametrize("index", [1, 13])
def test_a_table_outside_of_the_image_is_refused(index: int, directory: tuple[int, int]) -> None:
    with pytest.raises(ImageError) as caught:
        imports_of(build_pe(directories={index: directory}))
    assert errors.BAD_IMPORTS == caught.value.kind


DAMAGED = {
    "name outside": (0, 0, 0, 0x7FFFFFFF, 0x1100),
    "lookup table outside": (0x7FFFFFFF, 0, 0, 0x1100, 0x1100),
    "address table outside": (0, 0, 0, 0x1100, 0xFFFFFFF8),
    "name of a function outside": (0x1180, 0, 0, 0x1100, 0x1180),
    "no name": (0x1180, 0, 0, 0x1110, 0x1180),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_a_damaged_table_is_refused(case: str) -> None:
    contents = bytearray(0x200)
    contents[:20] = pack("<IIIII", *DAMAGED[case])
    contents[0x100:0x106] = b"A.dll\0"
    contents[0x180:0x190] = pack("<QQ", 0x7FFF0000, 0)
    with pytest.raises(ImageError) as caught:
        imports_of(build_pe(((".idata", bytes(contents), 0, RDATA),), directories={1: (0x1000, 40)}))
    assert errors.BAD_IMPORTS == caught.value.kind


def test_more_dlls_than_any_program_needs_are_refused() -> None:
    contents = (pack("<IIIII", 0x8010, 0, 0, 0x8000, 0x8010) * 1025).ljust(0x7000, b"\0")
    contents += b"A.dll".ljust(0x20, b"\0")
    with pytest.raises(ImageError) as caught:
        imports_of(build_pe(((".idata", contents, 0, RDATA),), directories={1: (0x1000, 40)}))
    assert "more than 1024 DLLs" in caught.value.reason


def test_more_functions_than_any_program_needs_are_refused() -> None:
    contents = pack("<IIIII", 0x1200, 0, 0, 0x1100, 0x1200).ljust(0x100, b"\0")
    contents += b"A.dll".ljust(0x100, b"\0") + b"\1\0\0\0\0\0\0\x80" * 0x20001
    with pytest.raises(ImageError) as caught:
        imports_of(build_pe(((".idata", contents, 0, RDATA),), directories={1: (0x1000, 40)}))
    assert "functions" in caught.value.reason


def test_names_that_overlap_to_fill_the_memory_are_refused() -> None:
    contents = pack("<IIIII", 0x1200, 0, 0, 0x1100, 0x1200).ljust(0x100, b"\0") + b"A.dll".ljust(0x100, b"\0")
    contents += pack("<Q", 0x13000) * 0x2000 + bytes(8)
    contents = contents.ljust(0x12000, b"\0") + b"a" * 4000
    with pytest.raises(ImageError) as caught:
        imports_of(build_pe(((".idata", contents, 0, RDATA),), directories={1: (0x1000, 40)}))
    assert "endless names" in caught.value.reason


def test_a_delayed_import_below_the_image_is_refused() -> None:
    contents = pack("<IIIIIIII", 0, 0x1000, 0, 0, 0, 0, 0, 0).ljust(0x200, b"\0")
    with pytest.raises(ImageError) as caught:
        imports_of(build_pe(((".idata", contents, 0, RDATA),), directories={13: (0x1000, 64)}))
    assert errors.BAD_IMPORTS == caught.value.kind


# ---- what is missing


def test_nothing_is_missing_when_everything_is_there(folder: Folder) -> None:
    folder.put("a.exe", needing(b=["one", 2]))
    folder.put("B.DLL", offering("one", "two"))
    assert [] == folder.missing()


def test_a_missing_dll_is_named_with_its_importer(folder: Folder) -> None:
    folder.put("a.exe", needing(gone=["f", "g"]))
    assert ["a.exe needs gone.dll, which was not found"] == folder.missing()
    found = missing_imports(str(folder.path / "a.exe"), folder.locate)
    assert [("a.exe", "gone.dll", None, "")] == [(m.importer, m.dll, m.function, m.reason) for m in found]


def test_a_missing_function_is_named_with_its_importer(folder: Folder) -> None:
    folder.put("a.exe", needing(b=["there", "gone"]))
    folder.put("b.dll", offering("there"))
    assert ["a.exe needs gone from b.dll, which does not have it"] == folder.missing()


def test_a_missing_ordinal_is_named(folder: Folder) -> None:
    folder.put("a.exe", needing(b=[1, 2]))
    folder.put("b.dll", offering("there"))
    assert ["a.exe needs ordinal 2 from b.dll, which does not have it"] == folder.missing()


def test_what_a_dll_of_a_dll_needs_is_looked_for_too(folder: Folder) -> None:
    folder.put("a.exe", needing(b=["f"]))
    for name, next_name in (("b", "c.dll"), ("c", "gone.dll")):
        table = ImportTable()
        table.add(next_name, ["f"])
        folder.put(f"{name}.dll", offering("f", imported=table))
    assert ["c.dll needs gone.dll, which was not found"] == folder.missing()


def test_forwarders_are_followed_one_step(folder: Folder) -> None:
    targets: list[int | str] = ["c.there", "c.gone", "nowhere.x", "c.#1", "c.#9", "gone.unused"]
    names = ["f0", "f1", "f2", "f3", "f4", "f5"]
    folder.put("a.exe", needing(b=["f0", "f1", "f2", "f3", 5]))
    folder.put("b.dll", build_module(export_body(targets, [(name, i) for i, name in enumerate(names)])))
    folder.put("c.dll", offering("there"))
    assert [
        "b.dll needs gone from c.dll, which does not have it",
        "b.dll needs nowhere.dll, which was not found",
        "b.dll needs ordinal 9 from c.dll, which does not have it",
    ] == folder.missing()


def test_dlls_that_need_each_other_are_no_endless_walk(folder: Folder) -> None:
    folder.put("a.exe", needing(b=["f"]))
    for name, other in (("b.dll", "c.dll"), ("c.dll", "b.dll")):
        table = ImportTable()
        table.add(other, ["f"])
        folder.put(name, offering("f", imported=table))
    assert [] == folder.missing()


def test_a_dll_that_cannot_be_used_is_named_with_the_reason(folder: Folder) -> None:
    folder.put("a.exe", needing(text=["f"], narrow=["f"], directory=["f"], empty=["f"]))
    folder.put("text.dll", b"hello")
    folder.put("narrow.dll", build_pe(machine=I386))
    folder.put("empty.dll", b"")
    (folder.path / "directory.dll").mkdir()
    assert [
        "a.exe needs text.dll, which cannot be used: not a Windows program: it does not begin with MZ",
        "a.exe needs narrow.dll, which cannot be used: it is made for another processor than the program",
        "a.exe needs directory.dll, which cannot be used: Is a directory",
        "a.exe needs empty.dll, which cannot be used: the file is empty",
    ] == folder.missing()


def test_delayed_imports_are_looked_for_only_when_asked(folder: Folder) -> None:
    table = ImportTable()
    table.add_delayed("gone.dll", ["f"])
    folder.put("a.exe", build_module(imported=table))
    assert [] == folder.missing()
    assert ["a.exe needs gone.dll, which was not found"] == folder.missing(delay=True)


def test_a_dll_nothing_is_taken_from_is_not_needed(folder: Folder) -> None:
    folder.put("a.exe", needing(gone=[]))
    assert [] == folder.missing()


def test_what_is_supplied_otherwise_is_not_missing(folder: Folder) -> None:
    folder.put("a.exe", needing(gone=["f", 3], there=["g", "h"]))
    folder.put("there.dll", offering("x"))
    supplied: set[tuple[str, str | int]] = {("gone.dll", "f"), ("gone.dll", 3), ("there.dll", "g")}
    assert ["a.exe needs h from there.dll, which does not have it"] == folder.missing(
        supplied=lambda dll, function: (dll, function) in supplied
    )


def test_the_same_thing_is_reported_once(folder: Folder) -> None:
    folder.put("a.exe", needing(gone=["f"], GONE=["f"]))
    assert 1 == len(folder.missing())


def test_a_chain_of_dlls_without_end_comes_to_an_end(folder: Folder) -> None:
    def locate(name: str) -> str | None:
        table = ImportTable()
        table.add(f"{int(name.removesuffix('.dll')) + 1}.dll", ["f"])
        folder.put(name, offering("f", imported=table))
        return str(folder.path / name)

    table = ImportTable()
    table.add("1.dll", ["f"])
    folder.put("a.exe", build_module(imported=table))
    found = missing_imports(str(folder.path / "a.exe"), locate)
    assert ["too many DLLs are needed"] == [m.reason for m in found]


def test_nothing_is_missing_from_programs_of_the_userland() -> None:
    userland = Path(find(os.environ).directory)

    def locate(name: str) -> str | None:
        path = userland / name.lower()
        return str(path) if path.exists() else None

    for program in ("cmd.exe", "notepad.exe", "regedit.exe"):
        assert [] == missing_imports(str(userland / program), locate)


@pytest.mark.parametrize("contents", [b"", b"hello"])
def test_a_program_that_is_no_pe_is_an_error_not_a_missing_dll(folder: Folder, contents: bytes) -> None:
    folder.put("a.exe", contents)
    with pytest.raises(ImageError):
        folder.missing()


def test_names_of_missing_things_cannot_write_to_the_terminal() -> None:
    assert str(Missing("a\x1b.exe", "b\n.dll", "f\x07")).isprintable()
