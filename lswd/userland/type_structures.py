"""Layouts of structures that a userland's DLLs tell in their type information, where nothing else does.

What user32 and its kernel half hand to each other are structures that change from version to version. Wine's DLLs carry
DWARF: a structure's entry begins with its name, and its members follow. So the entry is found by the name, without
reading all of DWARF; only what is needed to go through the members is understood.
Source: the DWARF Debugging Information Format, versions 4 and 5: 7.5 (units, abbreviations, forms), 7.6 (LEB128).
"""

from __future__ import annotations

import struct

from lswd.image.pe import parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeAlias, TypeVar

    T = TypeVar("T")
    Reader: TypeAlias = Callable[[bytes, int, "Abbreviations", bytes], T | None]
    Attributes: TypeAlias = list[tuple[int, int, int]]  # name, form, value of an implicit constant
    Abbreviations: TypeAlias = dict[int, tuple[int, Attributes]]  # code to tag and attributes

_MEMBER, _STRUCTURE, _ENUMERATOR = 0x0D, 0x13, 0x28
_NAME, _BYTE_SIZE, _CONSTANT, _MEMBER_LOCATION = 0x03, 0x0B, 0x1C, 0x38
_FORM_STRING, _FORM_STRING_ELSEWHERE, _FORM_IMPLICIT = 0x08, 0x0E, 0x21
_BEGINNINGS = ((_NAME, _FORM_STRING), (_NAME, _FORM_STRING_ELSEWHERE))
_LEB_FORMS = (0x0D, 0x0F)  # sdata, udata
_WIDTHS = {0x05: 2, 0x06: 4, 0x07: 8, 0x0B: 1, 0x0C: 1, 0x13: 4, 0x17: 4, 0x19: 0, _FORM_IMPLICIT: 0, 0x1F: 4}


def structure(data: bytes, name: str) -> tuple[int, dict[str, int]]:
    """The size of a structure and the offsets of its members, from a PE file; (0, {}) when it does not tell.

    Raises:
        ImageError: it is no PE file.
    """
    return _search(data, name, _read_structure) or (0, {})


def enumerator(data: bytes, name: str) -> int:
    """The value of a member of an enumeration; -1 when the file does not tell.

    Raises:
        ImageError: it is no PE file.
    """
    found = _search(data, name, _read_enumerator)
    return -1 if found is None else found


def _search(data: bytes, name: str, read: Reader[T]) -> T | None:
    """What the first entry of that name that ``read`` understands tells."""
    sections = _debug_sections(data)
    info, abbreviations, strings = (sections.get(f".debug_{kind}", b"") for kind in ("info", "abbrev", "str"))
    units = [*_units(info)]
    for wanted in _forms_of(name.encode("ascii") + b"\0", strings):
        for begin, end, offset in units:
            at = info.find(wanted, begin, end)
            table: Abbreviations = {}
            while at >= 0:
                table = table or _abbreviations(abbreviations, offset)
                try:
                    found = read(info, at, table, strings)
                except (IndexError, struct.error, ValueError):
                    found = None
                if found is not None:
                    return found
                at = info.find(wanted, at + 1, end)
    return None


def _forms_of(name: bytes, strings: bytes) -> Iterator[bytes]:
    """How an entry may begin with a name: with itself, or with where it lies among the strings."""
    yield name
    at = strings.find(b"\0" + name)
    while at >= 0:
        yield struct.pack("<I", at + 1)
        at = strings.find(b"\0" + name, at + 1)


def _debug_sections(data: bytes) -> dict[str, bytes]:
    """By their names, which are longer than a section header has room for and lie behind the symbols."""
    header = struct.unpack_from("<I", data, 0x3C)[0]
    symbols, count = struct.unpack_from("<II", data, header + 12)
    strings = symbols + 18 * count
    found = {}
    for section in parse(data, "").sections:
        name = section.name
        if name.startswith("/") and name[1:].isdigit():
            at = strings + int(name[1:])
            name = data[at : data.index(b"\0", at)].decode("ascii", "replace")
        found[name] = data[section.raw_offset : section.raw_offset + section.raw_size]
    return found


def _units(info: bytes) -> Iterator[tuple[int, int, int]]:
    """Where each unit's entries begin and end, and the offset of its abbreviations."""
    at = 0
    while at + 12 <= len(info):
        length, version = struct.unpack_from("<IH", info, at)
        if version >= 5:
            yield at + 12, at + 4 + length, struct.unpack_from("<I", info, at + 8)[0]
        elif version >= 2:
            yield at + 11, at + 4 + length, struct.unpack_from("<I", info, at + 6)[0]
        else:  # padding between sections of different units
            at += 1
            continue
        at += 4 + length


def _leb(data: bytes, at: int) -> tuple[int, int]:
    """An unsigned LEB128 number and where it ends."""
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def _abbreviations(data: bytes, at: int) -> Abbreviations:
    table: Abbreviations = {}
    while True:
        code, at = _leb(data, at)
        if not code:
            return table
        tag, at = _leb(data, at)
        at += 1  # has children?
        attributes: Attributes = []
        while True:
            name, at = _leb(data, at)
            form, at = _leb(data, at)
            constant = 0
            if form == _FORM_IMPLICIT:
                constant, at = _leb(data, at)
            if not name:
                break
            attributes.append((name, form, constant))
        table[code] = tag, attributes


def _begins(info: bytes, name_at: int, table: Abbreviations, wanted: int) -> Attributes:
    """The attributes of the entry whose name is at ``name_at``; none if it is not one with the tag ``wanted``."""
    for width in (1, 2):
        code, end = _leb(info, name_at - width)
        tag, attributes = table.get(code, (0, []))
        if end == name_at and tag == wanted and attributes[0][:2] in _BEGINNINGS:
            return attributes
    return []


def _read_enumerator(info: bytes, name_at: int, table: Abbreviations, strings: bytes) -> int | None:
    attributes = _begins(info, name_at, table, _ENUMERATOR)
    own, _ = _entry(info, name_at, attributes, strings)
    return int(own[_CONSTANT]) if _CONSTANT in own else None


def _read_structure(
    info: bytes, name_at: int, table: Abbreviations, strings: bytes
) -> tuple[int, dict[str, int]] | None:
    attributes = _begins(info, name_at, table, _STRUCTURE)
    own, at = _entry(info, name_at, attributes, strings)
    if _BYTE_SIZE not in own:
        return None  # only declared
    offsets: dict[str, int] = {}
    while True:
        code, at = _leb(info, at)
        if not code:
            return int(own[_BYTE_SIZE]), offsets
        tag, attributes = table[code]
        if tag != _MEMBER:
            return None
        member, at = _entry(info, at, attributes, strings)
        offsets[str(member[_NAME])] = int(member.get(_MEMBER_LOCATION, 0))


def _entry(info: bytes, at: int, attributes: Attributes, strings: bytes) -> tuple[dict[int, int | str], int]:
    """The attributes of an entry, and where it ends. Raises ValueError for a form that is not known."""
    values: dict[int, int | str] = {}
    for name, form, constant in attributes:
        if form == _FORM_STRING:
            end = info.index(b"\0", at)
            values[name], at = info[at:end].decode("ascii"), end + 1
        elif form == _FORM_STRING_ELSEWHERE:
            begin = int.from_bytes(info[at : at + 4], "little")
            values[name], at = strings[begin : strings.index(b"\0", begin)].decode("ascii"), at + 4
        elif form in _LEB_FORMS:
            values[name], at = _leb(info, at)
        elif form in _WIDTHS:
            width = _WIDTHS[form]
            values[name] = int.from_bytes(info[at : at + width], "little") if width else constant
            at += width
        else:
            raise ValueError(f"DWARF form {form:#x}")
    return values, at
