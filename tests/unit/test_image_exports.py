"""The export table, as pefile reads it, and damaged ones."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from struct import pack_into

import pefile
import pytest

from lswd.image import errors
from lswd.image.errors import ImageError
from lswd.image.exports import ExportTable, export_table, exports, find_export, forwarders
from lswd.image.pe import Image, parse
from lswd.image.rva import Mapped, OnDisk
from lswd.userland.discovery import find
from tests.unit.pe_builder import RDATA, build_pe, map_file
from tests.unit.pe_tables import build_module, export_body, poke_exports

DEF = """LIBRARY renamed.dll
EXPORTS
  plain
  by_number @7 NONAME
  alias = plain
  elsewhere = kernel32.Sleep
  number_elsewhere = kernel32.Beep @9 NONAME
"""


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A DLL by mingw with every kind of export it can make."""
    folder = tmp_path_factory.mktemp("exports")
    (folder / "a.c").write_text("int plain(void) { return 1; } int by_number(void) { return 2; }\n")
    (folder / "a.def").write_text(DEF)
    command = ["x86_64-w64-mingw32-gcc", "-s", "-shared", "-nostdlib", "-Wl,-e,plain", "-o", "a.dll", "a.c", "a.def"]
    subprocess.run(command, cwd=folder, check=True)
    return (folder / "a.dll").read_bytes()


def table_of(data: bytes | bytearray) -> tuple[ExportTable, Image]:
    image = parse(data, "a.dll")
    return export_table(OnDisk(data, image), image), image


def refusal(data: bytes | bytearray) -> ImageError:
    image = parse(data, "a.dll")
    with pytest.raises(ImageError) as caught:
        export_table(OnDisk(data, image), image)
    return caught.value


@pytest.mark.parametrize("name", ["ntdll.dll", "kernel32.dll", "ucrtbase.dll", "ws2_32.dll", "shlwapi.dll"])
def test_the_exports_of_a_real_dll_are_those_pefile_finds(name: str) -> None:
    data = (Path(find(os.environ).directory) / name).read_bytes()
    table, image = table_of(data)
    oracle = pefile.PE(data=data, fast_load=True)
    oracle.parse_data_directories(directories=[pefile.DIRECTORY_ENTRY["IMAGE_DIRECTORY_ENTRY_EXPORT"]])
    symbols = oracle.DIRECTORY_ENTRY_EXPORT.symbols
    own = {s.name.decode(): s.address for s in symbols if s.name and not s.forwarder}
    assert own == table.names
    assert {s.name.decode(): s.forwarder.decode() for s in symbols if s.name and s.forwarder} == table.forwarders
    assert {s.ordinal: s.address for s in symbols if s.address and not s.forwarder} == table.ordinals
    view = map_file(data, image)
    assert own == exports(view, image)
    assert table.forwarders == forwarders(view, image)
    for export in list(own)[::7]:
        assert own[export] == find_export(view, image, export)


def test_every_kind_of_export_mingw_makes_is_read(library: bytes) -> None:
    table, image = table_of(library)
    assert {"plain", "alias"} == set(table.names)
    assert table.names["plain"] == table.names["alias"]
    assert {"elsewhere": "kernel32.Sleep"} == table.forwarders
    assert "kernel32.Beep" == table.ordinal_forwarders[9]
    assert 7 in table.ordinals
    assert "renamed.dll" == table.dll_name
    assert image.entry_rva == table.names["plain"]


def test_a_table_knows_what_is_in_it_and_what_is_forwarded(library: bytes) -> None:
    table, _ = table_of(library)
    for function in ("plain", "elsewhere", 7, 9):
        assert function in table
    for function in ("by_number", "Plain", "", 99, 0):
        assert function not in table
    assert ("kernel32.Sleep", "kernel32.Beep") == (table.forwarder("elsewhere"), table.forwarder(9))
    assert (None, None) == (table.forwarder("plain"), table.forwarder("nothing"))


def test_one_export_is_found_by_name(library: bytes) -> None:
    _, image = table_of(library)
    view = map_file(library, image)
    assert exports(view, image)["plain"] == find_export(view, image, "plain")
    for absent in ("elsewhere", "by_number", "", "zzz", "plain\u4e00"):
        assert 0 == find_export(view, image, absent)


def test_mapped_and_file_give_the_same_table(library: bytes) -> None:
    table, image = table_of(library)
    mapped = export_table(Mapped(map_file(library, image), image), image)
    assert (table.names, table.ordinals, table.forwarders) == (mapped.names, mapped.ordinals, mapped.forwarders)


def test_an_image_without_exports_has_none() -> None:
    data = build_pe()
    image = parse(data, "a.dll")
    assert {} == exports(map_file(data, image), image)
    assert 0 == find_export(map_file(data, image), image, "f")


def test_a_function_without_address_is_not_exported() -> None:
    table, _ = table_of(build_module(export_body([0, 0x1800], [("none", 0), ("some", 1)], base=5)))
    assert ({"some": 0x1800}, {6: 0x1800}) == (table.names, table.ordinals)


def test_names_and_forwarders_may_stand_outside_of_the_directory() -> None:
    text = b"name\0"
    body = bytearray(export_body([0x1800], [("x", 0)]))
    size = len(body)
    body = body.ljust(0x400, b"\0") + text
    pack_into("<I", body, 44, 0x1400)
    data = build_pe(((".edata", bytes(body), 0, RDATA),), directories={0: (0x1000, size)})
    assert {"name": 0x1800} == table_of(data)[0].names


def test_the_dll_name_is_read() -> None:
    assert "x.dll" == table_of(build_module(export_body([], [], dll="x.dll")))[0].dll_name


DAMAGED: dict[str, dict[str, int]] = {
    "functions outside": {"functions": 0x80000000},
    "names outside": {"names": 0x2FFE},
    "ordinals outside": {"ordinals": 0xFFFFFFFF},
    "70000 functions": {"function_count": 70000},
    "4 billion functions": {"function_count": 0xFFFFFFFF},
    "4 billion names": {"name_count": 0xFFFFFFFF},
    "more names than fit": {"name_count": 0x10000},
    "name of the DLL outside": {"name": 0x7FFFFFFF},
    "fewer functions than names": {"function_count": 1},
}


def damaged(case: str) -> bytearray:
    body = export_body([0x1800, 0x1804], [("a", 0), ("b", 1)])
    return build_module(bytes(poke_exports(body, DAMAGED[case])))


@pytest.mark.parametrize("case", DAMAGED)
def test_a_damaged_table_is_refused(case: str) -> None:
    assert errors.BAD_EXPORTS == refusal(damaged(case)).kind


@pytest.mark.parametrize("case", ["names outside", "ordinals outside", "more names than fit"])
def test_finding_one_export_in_a_damaged_table_is_refused(case: str) -> None:
    data = damaged(case)
    image = parse(data, "a.dll")
    with pytest.raises(ImageError) as caught:
        find_export(map_file(data, image), image, "b")
    assert errors.BAD_EXPORTS == caught.value.kind


@pytest.mark.parametrize("directory", [(0x7FFFFFFF, 40), (0xFFFFFFFF, 0xFFFFFFFF), (0x2FF0, 40), (0x0FF0, 40)])
def test_a_table_outside_of_the_image_is_refused(directory: tuple[int, int]) -> None:
    assert errors.BAD_EXPORTS == refusal(build_pe(((".a", b"a", 0x2000, RDATA),), directories={0: directory})).kind


def test_a_name_without_end_is_refused() -> None:
    body = bytearray(export_body([0x1800], [("x", 0)]).ljust(0x1000, b"\0"))
    body[0xFFF] = 0x41
    pack_into("<I", body, 44, 0x1FFF)
    data = build_pe(((".edata", bytes(body), 0, RDATA),), directories={0: (0x1000, 0x100)})
    assert errors.BAD_EXPORTS == refusal(data).kind


def test_names_that_overlap_to_fill_the_memory_are_refused() -> None:
    count = 0x2000
    body = poke_exports(
        export_body([0x1800], []).ljust(0x20000, b"\0"), {"name_count": count, "names": 0x3000, "ordinals": 0xC000}
    )
    body[0x10000:0x10FFF] = b"a" * 0xFFF
    for i in range(count):
        pack_into("<I", body, 0x2000 + 4 * i, 0x11000 + i % 16)
    data = build_pe(((".edata", bytes(body), 0, RDATA),), directories={0: (0x1000, 0x100)})
    assert "endless names" in refusal(data).reason
