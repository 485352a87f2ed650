"""PE images for supplements: DLLs that a userland lacks, and copies of its DLLs with exports added.

Every export made here is a system call stub of the shape that Wine's ntdll has, so the kernel meets a supplement's
call exactly as it meets a system call: number in eax, arguments in r10, rdx, r8, r9 and from [rsp+0x28] upwards; on
i386 all of them on the stack.
Layouts: Microsoft "PE Format" (optional header, section table, .reloc).
"""

from __future__ import annotations

import zlib
from struct import pack, pack_into, unpack_from

from lswd.image.errors import ImageError
from lswd.image.formats import AMD64, I386
from lswd.image.pe import (
    DIRECTORIES,
    DIRECTORY_BASERELOC,
    DIRECTORY_EXPORT,
    FILE_DLL,
    FILE_EXECUTABLE_IMAGE,
    parse,
)
from lswd.image.rva import OnDisk
from lswd.image.verify import MAX_IMAGE, MAX_SECTIONS
from lswd.userland.supplements import export_directory
from lswd.userland.supplements.export_directory import ExportDirectory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import TypeAlias

    from lswd.image.pe import Image
    from lswd.userland.supplements import Cases

    # A name, its system call number, its ordinal (None: any), and how many bytes of arguments an i386 stub has.
    StubExport: TypeAlias = tuple[str, int, int | None, int]
    # A function, the argument with a flag, the flag, the argument that gets it too.
    Flag: TypeAlias = tuple[str, int, int, int]

STUB_SIZE = 32
NEW_SECTION = b".lsw"

_PAGE = 0x1000
_OPTIONAL_HEADER = "<HBBIIIIIQIIHHHHHHIIIIHHQQQQII"
_OPTIONAL_HEADER_32 = "<HBBIIIIIIIIIHHHHHHIIIIHHIIIIII"
_DIRECTORIES_AT = {8: 112, 4: 96}  # offset in the optional header, by word size
_SECTION_HEADER = "<8sIIIIIIHHI"
_SECTION_HEADER_SIZE = 40
_DIRECTORY_SECURITY = 4
_DIRECTORY_BOUND_IMPORT = 11

_LARGE_ADDRESS_AWARE = 0x0020
_32BIT_MACHINE = 0x0100
_NX_COMPAT = 0x0100
_CONSOLE = 3
_CODE = 0x60000020  # CNT_CODE, MEM_EXECUTE, MEM_READ
_CODE_AND_DATA = 0x60000060
_DATA = 0x40000040  # CNT_INITIALIZED_DATA, MEM_READ
_DISCARDABLE_DATA = 0x42000040
_NO_RELOCATIONS = pack("<IIHH", _PAGE, 12, 0, 1)  # a block of two padding entries: nothing to change, free to move


class ImageBuilderError(Exception):
    """The image cannot be made; the message says why."""


def stub(number: int, word: int = 8, argument_bytes: int = 0) -> bytes:
    """A system call stub for ``number``: 32 bytes of position-independent code, as Wine's ntdll has them."""
    if word == 4:
        code = b"\xb8" + pack("<I", number) + b"\xff\x15\x00\x10\xfe\x7f"  # mov eax, number; call [0x7ffe1000]
        return (code + b"\xc2" + pack("<H", argument_bytes)).ljust(STUB_SIZE, b"\xcc")  # ret argument_bytes
    return b"".join(
        (
            b"\x4c\x8b\xd1\xb8" + pack("<I", number),  # mov r10, rcx; mov eax, number
            b"\xf6\x04\x25\x08\x03\xfe\x7f\x01",  # test byte [0x7ffe0308], 1
            b"\x75\x03\x0f\x05\xc3\xeb\x01\xc3",  # jne +3; syscall; ret; jmp +1; ret
            b"\xff\x14\x25\x00\x10\xfe\x7f\xc3",  # call [0x7ffe1000]; ret
        )
    )


def build_dll(name: str, exports: Sequence[StubExport], word: int = 8) -> bytes:
    """A DLL called ``name`` with nothing in it but ``exports``: no imports, no entry point, movable.

    Raises ImageBuilderError for names or ordinals that cannot be exported.
    """
    module = name.encode("ascii")
    ordinals = [ordinal for _, _, ordinal, _ in exports if ordinal is not None]
    # Where every ordinal is given, the table begins at the lowest, as a linker's does.
    directory = ExportDirectory(module, min(ordinals) if ordinals and len(ordinals) == len(exports) else 1)
    code = _add_stubs(directory, exports, _PAGE, word, {})
    data_at = _PAGE + _align(len(code), _PAGE)
    data = directory.encode(data_at)
    relocations_at = data_at + _align(len(data), _PAGE)
    end = relocations_at + _PAGE
    sections = (
        (b".text", _PAGE, code, _CODE),
        (b".rdata", data_at, data, _DATA),
        (b".reloc", relocations_at, _NO_RELOCATIONS, _DISCARDABLE_DATA),
    )

    image = bytearray(end)  # offsets in the file equal RVAs, so that the file can be mapped as it is
    pack_into("<2s58xI4s", image, 0, b"MZ", 64, b"PE\0\0")
    characteristics = FILE_EXECUTABLE_IMAGE | FILE_DLL | _LARGE_ADDRESS_AWARE
    header_size = _DIRECTORIES_AT[word] + 8 * DIRECTORIES
    machine = AMD64
    layout, magic = _OPTIONAL_HEADER, 0x20B
    spread = zlib.crc32(module.lower()) & 0xFFF  # so that few have to move
    base: tuple[int, ...] = (0x180000000 + spread * 0x100000,)
    if word == 4:
        machine = I386
        layout, magic = _OPTIONAL_HEADER_32, 0x10B
        characteristics |= _32BIT_MACHINE
        base = (data_at, 0x60000000 + spread * 0x10000)  # BaseOfData stands before ImageBase
    pack_into("<HHIIIHH", image, 68, machine, len(sections), 0, 0, 0, header_size, characteristics)
    pack_into(
        layout, image, 88,
        magic, 14, 0,  # linker version
        data_at - _PAGE, end - data_at, 0, 0, _PAGE,  # code, data, zeros, entry point, start of code
        *base, _PAGE, _PAGE, 6, 0, 0, 0, 6, 0, 0,  # alignments; versions of system, image and subsystem
        end, _PAGE, 0, _CONSOLE, _NX_COMPAT,
        0x100000, _PAGE, 0x100000, _PAGE, 0, DIRECTORIES,  # stack and heap
    )  # fmt: skip
    directories = 88 + _DIRECTORIES_AT[word]
    _set_directory(image, directories, DIRECTORY_EXPORT, data_at, len(data))
    _set_directory(image, directories, DIRECTORY_BASERELOC, relocations_at, len(_NO_RELOCATIONS))
    header_at = 88 + header_size
    for section, at, content, flags in sections:
        raw = (_align(len(content), _PAGE), at)
        pack_into(_SECTION_HEADER, image, header_at, section, len(content), at, *raw, 0, 0, 0, 0, flags)
        image[at : at + len(content)] = content
        header_at += _SECTION_HEADER_SIZE
    return bytes(image)


def extend_dll(
    data: bytes, exports: Sequence[StubExport], name: str = "", cases: Mapping[str, Cases] | None = None,
    flags: Sequence[Flag] = (), aliases: Sequence[tuple[str, str]] = (),
) -> bytes:  # fmt: skip
    """The x86-64 or i386 DLL ``data`` (called ``name``) with ``exports`` added in a new section at its end.

    ``cases`` says for which calls of an existing export ours is called instead; ``flags`` are put into another argument
    before an existing export is called. ``aliases`` are (name, what it is another name of).

    Existing names, ordinals and forwarders stay as they are, except that a name in ``exports`` which exists is
    redirected. A signature or a table of bound imports, void after any change, is taken out of the directories.
    Raises ImageBuilderError if ``data`` is no such DLL or has no place for one more section.
    """
    try:
        headers = parse(data, name)
        directory = export_directory.read(OnDisk(data, headers), headers)
    except ImageError as error:
        raise ImageBuilderError(str(error)) from error
    if headers.machine not in (AMD64, I386) or headers.flat or len(headers.sections) >= MAX_SECTIONS:
        raise ImageBuilderError("only x86 images with aligned and less than 96 sections can be extended")
    word = 8 if headers.is_64bit else 4
    image = bytearray(data)
    rva = _align(headers.size_of_image, headers.section_alignment)
    offset = _align(len(image), max(headers.file_alignment, 0x200))
    code = _add_stubs(directory, exports, rva, word, cases or {})
    for flag in flags:
        code += _pass_on(directory, flag, rva + len(code), word)
    try:
        for alias, meant in aliases:
            directory.alias(alias, meant)
    except LookupError as error:
        raise ImageBuilderError(str(error)) from error
    content = code + directory.encode(rva + len(code))
    raw_size = _align(len(content), headers.file_alignment)
    end = rva + _align(len(content), headers.section_alignment)
    if end > MAX_IMAGE:
        raise ImageBuilderError("the image would be too large")

    nt_headers = int(unpack_from("<I", image, 60)[0])
    optional = nt_headers + 24
    directories = optional + _DIRECTORIES_AT[word]
    table = optional + int(unpack_from("<H", image, nt_headers + 20)[0])
    at = _make_room(image, headers, optional, table)
    raw = (raw_size, offset)
    pack_into(_SECTION_HEADER, image, at, NEW_SECTION, len(content), rva, *raw, 0, 0, 0, 0, _CODE_AND_DATA)
    pack_into("<H", image, nt_headers + 6, len(headers.sections) + 1)
    pack_into("<I", image, optional + 56, end)
    if headers.number_of_rva_and_sizes <= DIRECTORY_EXPORT:
        raise ImageBuilderError("no room for an export directory")
    _set_directory(image, directories, DIRECTORY_EXPORT, rva + len(code), len(content) - len(code))
    if headers.directories[_DIRECTORY_SECURITY][0]:
        _set_directory(image, directories, _DIRECTORY_SECURITY, 0, 0)
    image.extend(bytes(offset - len(image)))
    image.extend(content)
    image.extend(bytes(raw_size - len(content)))
    return bytes(image)


def _add_stubs(
    directory: ExportDirectory, exports: Sequence[StubExport], rva: int, word: int, cases: Mapping[str, Cases]
) -> bytes:
    """The code of all ``exports``, for a place at ``rva``, and their entries in ``directory``."""
    names = [name for name, _, _, _ in exports]
    for name in names:
        if not name or not name.isascii() or not name.isprintable() or names.count(name) > 1:
            raise ImageBuilderError(f"{name!r} cannot be exported, or not twice")
    stubs = b"".join([stub(number, word, size) for _, number, _, size in exports])
    placed = []
    for index, (name, _, ordinal, _) in enumerate(exports):
        at = rva + STUB_SIZE * index
        if cases.get(name):
            own = directory.names.get(name.encode("ascii"))
            original = directory.functions[own] if own is not None else 0
            if not isinstance(original, int) or not original:
                raise ImageBuilderError(f"{name} has no code of its own to add cases to")
            filter_at = rva + len(stubs)
            stubs += _filter(cases[name], filter_at, at, original, word)
            at = filter_at
        placed.append((name, at, ordinal))
    try:
        for name, at, ordinal in sorted(placed, key=lambda each: each[2] is None):  # given ordinals first
            directory.put(name, at, ordinal)
    except ValueError as error:
        raise ImageBuilderError(str(error)) from error
    return stubs


# cmp with an immediate of 32 bits, by argument.
_COMPARE = {
    8: (b"\x81\xf9", b"\x81\xfa", b"\x41\x81\xf8", b"\x41\x81\xf9"),  # ecx, edx, r8d, r9d
    4: tuple([b"\x81\x7c\x24" + bytes((4 + 4 * argument,)) for argument in range(4)]),  # [esp + 4], ...
}


def _filter(cases: Cases, at: int, ours: int, original: int, word: int) -> bytes:
    """Code for ``at`` that goes on at ``ours`` when all ``cases`` hold, and at ``original`` when not."""
    code = bytearray()

    def jump(opcode: bytes, to: int) -> None:
        code.extend(opcode)
        code.extend(pack("<i", to - (at + len(code) + 4)))

    for argument, values in cases:
        # compare, je next (over what follows), ..., jmp original
        compare = _COMPARE[word][argument]
        left = len(values) * (len(compare) + 4 + 6) + 5
        end = at + len(code) + left
        for value in values:
            code += compare + pack("<I", value)
            jump(b"\x0f\x84", end)
        jump(b"\xe9", original)
    jump(b"\xe9", ours)
    return bytes(code).ljust(_align(len(code), 16), b"\xcc")


# or with an immediate of 32 bits, by argument.
_OR = {
    8: (b"\x81\xc9", b"\x81\xca", b"\x41\x81\xc8", b"\x41\x81\xc9"),
    4: tuple([b"\x81\x4c\x24" + bytes((4 + 4 * argument,)) for argument in range(4)]),
}


def _pass_on(directory: ExportDirectory, flag: Flag, at: int, word: int) -> bytes:
    """Code for ``at``, which the function's name in ``directory`` is made to mean, that goes on at what it meant."""
    name, source, value, argument = flag
    index = directory.names.get(name.encode("ascii"))
    original = directory.functions[index] if index is not None else 0
    if not isinstance(original, int) or not original:
        return b""
    immediate = pack("<I", value)
    put = _OR[word][argument] + immediate
    code = b"\xf7\x44\x24" + bytes((word + word * source,)) + immediate  # test [the source], flag
    code += b"\x74" + bytes((len(put),)) + put  # je over it; or argument, flag
    code += b"\xe9" + pack("<i", original - (at + len(code) + 5))
    directory.put(name, at)
    return code.ljust(_align(len(code), 16), b"\xcc")


def _make_room(image: bytearray, headers: Image, optional: int, table: int) -> int:
    """The offset of a free section header in ``image``; SizeOfHeaders grows if that takes it."""
    at = table + _SECTION_HEADER_SIZE * len(headers.sections)
    end = at + _SECTION_HEADER_SIZE
    used = [each.raw_offset & -0x200 for each in headers.sections if each.raw_size and each.raw_offset]
    limit = min([each.virtual_address for each in headers.sections] + used + [len(image)])
    bound_at, bound_size = headers.directories[_DIRECTORY_BOUND_IMPORT]
    if bound_at and bound_at < end <= limit:
        bound_end = min(bound_at + bound_size, limit)
        image[bound_at:bound_end] = bytes(bound_end - bound_at)
        _set_directory(image, optional + _DIRECTORIES_AT[8 if headers.is_64bit else 4], _DIRECTORY_BOUND_IMPORT, 0, 0)
    if end > limit or any(image[at:end]):
        raise ImageBuilderError("no room for one more section header")
    if end > headers.size_of_headers:
        pack_into("<I", image, optional + 60, min(_align(end, headers.file_alignment), limit))
    return at


def _set_directory(image: bytearray, directories: int, index: int, rva: int, size: int) -> None:
    pack_into("<II", image, directories + 8 * index, rva, size)


def _align(value: int, alignment: int) -> int:
    return (value + alignment - 1) & -alignment
