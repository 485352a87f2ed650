"""The call graph of an image is what its code's bytes say."""

from __future__ import annotations

import struct
from typing import cast

from lswd.image.calls import call_graph
from lswd.image.errors import ImageError
from lswd.image.imports import ImportedDll
from lswd.image.pe import Image, Section

TEXT, PDATA, SLOTS = 0x1000, 0x3000, 0x4000


class _Memory:
    """An image's bytes by rva."""

    name = "made.dll"

    def __init__(self, parts: dict[int, bytes]) -> None:
        self.parts = parts

    def read(self, rva: int, size: int) -> bytes:
        for start, data in self.parts.items():
            if start <= rva and rva + size <= start + len(data):
                return data[rva - start : rva - start + size]
        raise ImageError("outside", "outside of it")

    def string(self, rva: int, limit: int = 4096) -> bytes:
        raise NotImplementedError


def _image(functions: list[tuple[int, int]], code: bytes) -> tuple[_Memory, Image]:
    table = b"".join(struct.pack("<III", begin, end, 0) for begin, end in functions)
    image = Image()
    image.is_64bit, image.image_base, image.entry_rva, image.size_of_image = True, 0x180000000, 0, 0x5000
    image.directories = [(0, 0)] * 16
    image.directories[3] = (PDATA, len(table))
    image.sections = [Section(".text", len(code), TEXT, len(code), 0x400, 0x60000020)]
    return _Memory({TEXT: code, PDATA: table}), image


def _relative(at: int, opcode: bytes, target: int) -> bytes:
    return opcode + struct.pack("<i", target - (at + len(opcode) + 4))


def test_calls_jumps_thunks_and_imports_are_edges_and_padding_is_not() -> None:
    code = bytearray(b"\x90" * 0x100)

    def put(at: int, opcode: bytes, target: int) -> None:
        data = _relative(at, opcode, target)
        code[at - TEXT : at - TEXT + len(data)] = data

    put(0x1000, b"\xe8", 0x1020)  # call a function
    put(0x1008, b"\xff\x15", SLOTS)  # call through the first slot
    put(0x1020, b"\x48\x8d\x05", 0x1040)  # take a function's address
    put(0x1028, b"\xe9", 0x1063)  # jump to a thunk
    put(0x1048, b"\xe8", 0x9000)  # outside of the image
    put(0x1063, b"\xff\x25", SLOTS + 8)  # the thunk
    put(0x1069, b"\xff\x25", SLOTS + 16)  # one that nobody uses
    reader, image = _image([(0x1000, 0x1020), (0x1020, 0x1040), (0x1040, 0x1060)], bytes(code))
    imported = [ImportedDll("NTDLL.dll", ["NtClose", "NtOpenKey", 7], False, SLOTS)]
    graph = call_graph(reader, image, imported, [])
    assert ([0x1020], [("ntdll.dll", "NtClose")]) == graph.edges[0x1000]
    assert ([0x1040, 0x1063], []) == graph.edges[0x1020]
    assert ([], [("ntdll.dll", "NtOpenKey")]) == graph.edges[0x1063]
    assert 0x1040 not in graph.edges
    assert (0x1020, 0x1063) == (graph.function(0x103F), graph.function(0x1065))


def test_damaged_tables_say_so() -> None:
    reader, image = _image([(0x1000, 0x1020)], bytes(0x40))
    image.directories[3] = (0x9000, 24)
    try:
        call_graph(reader, image, cast("list[ImportedDll]", []), [])
    except ImageError:
        return
    raise AssertionError
