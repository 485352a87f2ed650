"""Damaged PE files go through everything that reads them before a guest runs: ImageError or success, nothing else."""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from lswd.image.errors import ImageError
from lswd.image.exports import export_table, exports, find_export
from lswd.image.imports import imports
from lswd.image.layout import plan
from lswd.image.pe import Image, check_program, parse
from lswd.image.relocate import relocate
from lswd.image.rva import Mapped, OnDisk
from lswd.userland.discovery import find
from tests.fuzz.mutations import Specimen, mutate
from tests.unit.pe_builder import DATA, I386, RDATA, build_pe, relocation_block
from tests.unit.pe_tables import ImportTable, build_module, export_body

ROUNDS = 5000


def with_tables(*, wide: bool) -> bytes:
    """Exports, forwarders, imports by name and ordinal, delayed imports."""
    table = ImportTable(wide=wide)
    table.add("a.dll", ["first", "second", 3])
    table.add("b.dll", ["third"], lookup=False)
    table.add_delayed("c.dll", ["fourth", 5])
    functions: list[int | str] = [0x1800, 0x1804, "other.function", 0x1808, "other.#7"]
    names = [("alpha", 0), ("beta", 1), ("gamma", 2), ("omega", 4)]
    return bytes(build_module(export_body(functions, names, dll="made.dll"), table))


def with_relocations(machine: int) -> bytes:
    kind = 3 if machine == I386 else 10
    blocks = b"".join(relocation_block(0x1000 + 0x1000 * i, *[(kind, 8 * n) for n in range(20)]) for i in range(4))
    sections = ((".data", bytes(0x4000), 0, DATA), (".reloc", blocks, 0, RDATA))
    return bytes(build_pe(sections, machine=machine, directories={5: (0x5000, len(blocks))}))


def flat() -> bytes:
    sections = ((".a", b"a" * 0x80, 0, DATA), (".b", b"b" * 0x80, 0, DATA))
    return bytes(build_pe(sections, section_alignment=0x20, file_alignment=0x20))


def of_userland(name: str) -> bytes:
    return (Path(find(os.environ).directory) / name).read_bytes()


SPECIMENS: dict[str, Callable[[], bytes]] = {
    "tables": lambda: with_tables(wide=True),
    "tables-32": lambda: with_tables(wide=False),
    "relocations": lambda: with_relocations(0x8664),
    "relocations-32": lambda: with_relocations(I386),
    "flat": flat,
    "version.dll": lambda: of_userland("version.dll"),
    "where.exe": lambda: of_userland("where.exe"),
}


def read_everything(data: bytes) -> tuple[int, int]:
    """How many of the readers took the file and how many refused it."""
    try:
        image = parse(data, "x.exe")
    except ImageError as error:
        assert error.reason
        assert error.status >= 0xC0000000
        assert str(error).isprintable()
        return 0, 1
    view = map_sparsely(data, image)
    disk, mapped = OnDisk(data, image), Mapped(view, image)
    taken = refused = 0
    readers: tuple[Callable[[], object], ...] = (
        lambda: check_program(image),
        lambda: relocate(memoryview(view), image, 0x1_2340_0000),
        lambda: exports(view, image),
        lambda: find_export(view, image, "gamma"),
        lambda: export_table(disk, image),
        lambda: imports(disk, image),
        lambda: imports(mapped, image),
    )
    for reader in readers:
        try:
            reader()
            taken += 1
        except ImageError as error:
            assert error.reason
            refused += 1
    return taken, refused


def map_sparsely(data: bytes, image: Image) -> mmap.mmap:
    """The image in memory that takes no room where it is all zeros."""
    parts = plan(image)
    end = 0
    for rva, size, offset, count, _ in parts:
        assert rva == end
        assert size > 0
        assert 0 <= count <= size
        assert 0 <= offset
        assert not count or offset + count <= len(data)
        end = rva + size
    assert (image.size_of_image + 0xFFF) & ~0xFFF == end
    view = mmap.mmap(-1, end)
    for rva, _, offset, count, _ in parts:
        view[rva : rva + count] = data[offset : offset + count]
    return view


@pytest.mark.parametrize("name", SPECIMENS)
def test_a_damaged_file_is_read_or_refused_and_nothing_else(name: str) -> None:
    specimen = Specimen(SPECIMENS[name]())
    taken = refused = 0
    for seed in range(ROUNDS):
        data, description = mutate(specimen, Random(f"{name}:{seed}"))
        try:
            some, others = read_everything(data)
        except Exception as error:
            raise AssertionError(f"{name}:{seed}: {description}") from error
        taken += some
        refused += others
    assert taken > ROUNDS // 10
    assert refused > ROUNDS // 10
