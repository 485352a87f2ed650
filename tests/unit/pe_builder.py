"""Makes small PE files for tests, one field at a time changeable: sound by default, wrong where a test wants it."""

from __future__ import annotations

from collections.abc import Iterable
from struct import pack, pack_into, unpack_from

from lswd.image.layout import plan
from lswd.image.pe import Image

I386 = 0x014C
AMD64 = 0x8664

CODE = 0x60000020
RDATA = 0x40000040
DATA = 0xC0000040
BSS = 0xC0000080

PE_AT = 0x80

# Where the fields stand, from the beginning of the PE header; (offset in PE32, offset in PE32+, struct code).
FIELDS = {
    "signature": (0, 0, "I"),
    "machine": (4, 4, "H"),
    "number_of_sections": (6, 6, "H"),
    "timestamp": (8, 8, "I"),
    "size_of_optional_header": (20, 20, "H"),
    "characteristics": (22, 22, "H"),
    "magic": (24, 24, "H"),
    "size_of_code": (28, 28, "I"),
    "entry_rva": (40, 40, "I"),
    "image_base": (52, 48, "*"),
    "section_alignment": (56, 56, "I"),
    "file_alignment": (60, 60, "I"),
    "os_major": (64, 64, "H"),
    "os_minor": (66, 66, "H"),
    "subsystem_major": (72, 72, "H"),
    "subsystem_minor": (74, 74, "H"),
    "size_of_image": (80, 80, "I"),
    "size_of_headers": (84, 84, "I"),
    "checksum": (88, 88, "I"),
    "subsystem": (92, 92, "H"),
    "dll_characteristics": (94, 94, "H"),
    "stack_reserve": (96, 96, "*"),
    "stack_commit": (100, 104, "*"),
    "heap_reserve": (104, 112, "*"),
    "heap_commit": (108, 120, "*"),
    "loader_flags": (112, 128, "I"),
    "number_of_rva_and_sizes": (116, 132, "I"),
}
SECTION_FIELDS = {"virtual_size": 8, "virtual_address": 12, "raw_size": 16, "raw_offset": 20, "characteristics": 36}


def round_up(value: int, alignment: int) -> int:
    return (value + alignment - 1) // alignment * alignment


def build_pe(
    sections: Iterable[tuple[str, bytes, int, int]] = ((".text", b"\xc3", 0, CODE),),
    *,
    machine: int = AMD64,
    directories: dict[int, tuple[int, int]] | None = None,
    **fields: int,
) -> bytearray:
    """A PE file. ``directories`` by index; ``fields`` are named as in FIELDS and override what would be sound."""
    wide = machine != I386
    section_alignment = fields.get("section_alignment", 0x1000)
    file_alignment = fields.get("file_alignment", 0x200)
    rows = list(sections)
    optional = 112 + 128 if wide else 96 + 128
    table_at = PE_AT + 24 + optional
    headers = round_up(table_at + 40 * len(rows), file_alignment)
    out = bytearray(headers)
    out[:2] = b"MZ"
    pack_into("<H", out, 0x18, 0x40)
    pack_into("<I", out, 0x3C, PE_AT)
    rva = round_up(headers, section_alignment)
    for i, (name, contents, virtual_size, characteristics) in enumerate(rows):
        size = virtual_size or len(contents)
        raw = round_up(len(contents), file_alignment)
        at = len(out) if raw else 0
        row = (name.encode("latin-1")[:8], size, rva, raw, at, 0, 0, 0, 0, characteristics)
        pack_into("<8sIIIIIIHHI", out, table_at + 40 * i, *row)
        out += contents.ljust(raw, b"\0")
        rva = round_up(rva + size, section_alignment)
    values = {
        "signature": 0x4550,
        "machine": machine,
        "number_of_sections": len(rows),
        "size_of_optional_header": optional,
        "characteristics": 0x22,
        "magic": 0x20B if wide else 0x10B,
        "entry_rva": round_up(headers, section_alignment),
        "image_base": 0x140000000 if wide else 0x400000,
        "section_alignment": section_alignment,
        "file_alignment": file_alignment,
        "subsystem_major": 6,
        "size_of_image": rva,
        "size_of_headers": headers,
        "subsystem": 3,
        "stack_reserve": 0x200000,
        "stack_commit": 0x1000,
        "heap_reserve": 0x100000,
        "heap_commit": 0x1000,
        "number_of_rva_and_sizes": 16,
    }
    for name, value in (values | fields).items():
        poke(out, value, name)
    directory_at = PE_AT + 24 + (112 if wide else 96)
    for index, (at, size) in (directories or {}).items():
        pack_into("<II", out, directory_at + 8 * index, at, size)
    return out


def _is_wide(data: bytes | bytearray) -> bool:
    at: int = unpack_from("<I", data, 0x3C)[0]
    return bool(unpack_from("<H", data, at + 24)[0] != 0x10B)


def _place(data: bytearray, name: str) -> tuple[int, str]:
    narrow_at, wide_at, code = FIELDS[name]
    at: int = unpack_from("<I", data, 0x3C)[0]
    wide = _is_wide(data) if FIELDS["magic"][0] < narrow_at else True
    code = {"*": "Q" if wide else "I"}.get(code, code)
    return at + (wide_at if wide else narrow_at), f"<{code}"


def poke(data: bytearray, value: int, field: str) -> bytearray:
    """Change a header field of a PE file; returns it."""
    at, code = _place(data, field)
    pack_into(code, data, at, value)
    return data


def poke_section(data: bytearray, index: int, **fields: int) -> bytearray:
    """Change fields of a row in the section table; returns the file."""
    at: int = unpack_from("<I", data, 0x3C)[0]
    table: int = at + 24 + unpack_from("<H", data, at + 20)[0]
    for name, value in fields.items():
        pack_into("<I", data, table + 40 * index + SECTION_FIELDS[name], value)
    return data


def relocation_block(page: int, *entries: tuple[int, int]) -> bytes:
    """A block of base relocations from ``(type, offset)`` pairs, padded as linkers do."""
    if len(entries) % 2:
        entries = (*entries, (0, 0))
    body = b"".join(pack("<H", kind << 12 | offset) for kind, offset in entries)
    return pack("<II", page, 8 + len(body)) + body


def map_file(data: bytes | bytearray, image: Image) -> bytearray:
    """The image as its plan has it in memory."""
    view = bytearray()
    for rva, size, offset, count, _ in plan(image):
        assert rva == len(view)
        assert count <= size
        assert offset + count <= len(data)
        view += bytes(data[offset : offset + count]).ljust(size, b"\0")
    return view
