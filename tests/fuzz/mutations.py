"""Ways to damage a PE file, chosen and placed by a random number generator: the same seed, the same damage."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from struct import calcsize, pack_into, unpack_from

from lswd.image.pe import DIRECTORY_IMPORT, FILE_RELOCS_STRIPPED, Image, parse
from lswd.image.rva import ranges

EXTREMES = (
    0, 1, 2, 3, 7, 8, 0x10, 0x3F, 0x40, 0xFF, 0x100, 0x1FF, 0x200, 0xFFF, 0x1000, 0x1001, 0x2000, 0xFFFF, 0x10000,
    0x10001, 0xFFFFF, 0x100000, 0x1000000, 0x10000000, 0x3FFFFFFF, 0x40000000, 0x7FFFF000, 0x7FFFFFFE, 0x7FFFFFFF,
    0x80000000, 0x80000001, 0xC0000000, 0xFFFFF000, 0xFFFFFFF0, 0xFFFFFFFE, 0xFFFFFFFF,
)  # fmt: skip
EXTREMES_64 = (*EXTREMES, 1 << 32, (1 << 47) - 0x10000, 1 << 47, 1 << 63, (1 << 64) - 0x10000, (1 << 64) - 1)

# From the PE header on; the same in PE32 and PE32+ but for the wide ones.
HEADER_FIELDS = (
    (4, "H"), (6, "H"), (8, "I"), (20, "H"), (22, "H"), (24, "H"), (40, "I"), (44, "I"), (48, "Q"), (56, "I"),
    (60, "I"), (64, "H"), (72, "H"), (74, "H"), (80, "I"), (84, "I"), (88, "I"), (92, "H"), (94, "H"), (96, "Q"),
    (104, "Q"), (112, "Q"), (120, "Q"), (128, "I"), (132, "I"),
)  # fmt: skip
SECTION_FIELDS = ((0, "Q"), (8, "I"), (12, "I"), (16, "I"), (20, "I"), (36, "I"))
MACHINES = (0x014C, 0x8664, 0xAA64, 0x01C4, 0x0200, 0xDEAD, 0)
DIRECTORIES_THAT_MATTER = (0, 1, 3, 5, 6, 9, 10, 12, 13, 14)


class Specimen:
    """A sound file and where its interesting places are."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.image: Image = parse(data, "specimen")
        self.header: int = unpack_from("<I", data, 0x3C)[0]
        self.optional = self.header + 24
        self.directories = self.optional + (112 if self.image.is_64bit else 96)
        self.sections = self.optional + int(unpack_from("<H", data, self.header + 20)[0])
        self.end_of_headers = self.sections + 40 * len(self.image.sections)

    def offset(self, rva: int) -> int | None:
        """Where in the file the byte at ``rva`` is."""
        for start, end, offset, count in ranges(self.image):
            if start <= rva < end and rva - start < count:
                return offset + rva - start
        return None


Mutation = Callable[[bytearray, Specimen, Random], str]


def _poke(data: bytearray, offset: int, code: str, value: int) -> None:
    width = calcsize(code)
    if 0 <= offset <= len(data) - width:
        pack_into(f"<{code}", data, offset, value & ((1 << 8 * width) - 1))


def _value(data: bytearray, offset: int, code: str, random: Random) -> int:
    """An extreme number, or one near the present one, or any."""
    width = calcsize(code)
    choice = random.random()
    if choice < 0.6 or offset + width > len(data):
        return random.choice(EXTREMES_64 if code == "Q" else EXTREMES)
    present: int = unpack_from(f"<{code}", data, offset)[0]
    if choice < 0.85:
        return present + random.choice((-0x1000, -0x200, -8, -2, -1, 1, 2, 8, 0x200, 0x1000))
    return random.getrandbits(8 * width)


def flip_bits(data: bytearray, specimen: Specimen, random: Random) -> str:
    """Some bits, anywhere or in the headers."""
    end = min(len(data), specimen.end_of_headers if random.random() < 0.5 else len(data))
    count = random.choice((1, 1, 2, 4, 16, 64))
    for _ in range(count if end else 0):
        data[random.randrange(end)] ^= 1 << random.randrange(8)
    return f"{count} bits flipped below {end:#x}"


def header_field(data: bytearray, specimen: Specimen, random: Random) -> str:
    """An extreme value in a field of the headers."""
    if random.random() < 0.1:
        offset, code = 0x3C, "I"
    else:
        at, code = random.choice(HEADER_FIELDS)
        offset = specimen.header + at
    value = random.choice(MACHINES) if offset == specimen.header + 4 else _value(data, offset, code, random)
    _poke(data, offset, code, value)
    return f"header field at {offset:#x} := {value:#x}"


def truncate(data: bytearray, specimen: Specimen, random: Random) -> str:
    """The end is missing."""
    where = random.random()
    if where < 0.3:
        size = random.randrange(specimen.end_of_headers + 1)
    elif where < 0.6 and specimen.image.sections:
        section = random.choice(specimen.image.sections)
        size = section.raw_offset + random.choice((-1, 0, 1, section.raw_size - 1, section.raw_size // 2))
    else:
        size = random.randrange(len(specimen.data))
    del data[max(size, 0) :]
    return f"truncated to {max(size, 0):#x} bytes"


def section_row(data: bytearray, specimen: Specimen, random: Random) -> str:
    """A row of the section table: a field, or rows exchanged, doubled or emptied."""
    count = len(specimen.image.sections)
    if not count:
        return header_field(data, specimen, random)
    row = specimen.sections + 40 * random.randrange(count)
    other = specimen.sections + 40 * random.randrange(count)
    choice = random.random()
    if choice < 0.7:
        at, code = random.choice(SECTION_FIELDS)
        value = _value(data, row + at, code, random)
        _poke(data, row + at, code, value)
        return f"section field at {row + at:#x} := {value:#x}"
    if len(data) < specimen.end_of_headers:
        return "nothing, the section table is cut off"
    if choice < 0.8:
        data[row : row + 40], data[other : other + 40] = data[other : other + 40], data[row : row + 40]
        return f"section rows at {row:#x} and {other:#x} exchanged"
    if choice < 0.9:
        data[row : row + 40] = data[other : other + 40]
        return f"section row at {other:#x} copied to {row:#x}"
    data[row : row + 40] = bytes(40)
    return f"section row at {row:#x} emptied"


def directory(data: bytearray, specimen: Specimen, random: Random) -> str:
    """Where a directory is and how large."""
    index = random.choice(DIRECTORIES_THAT_MATTER)
    offset = specimen.directories + 8 * index + random.choice((0, 0, 4))
    if random.random() < 0.3:
        value = random.randrange(specimen.image.size_of_image)
    elif random.random() < 0.3:
        value = random.choice(specimen.image.directories)[0]
    else:
        value = _value(data, offset, "I", random)
    _poke(data, offset, "I", value)
    return f"directory {index} at {offset:#x} := {value:#x}"


def table(data: bytearray, specimen: Specimen, random: Random) -> str:
    """A number inside a table that a directory points to: imports, relocations, TLS, exceptions, ..."""
    present = [d for d in DIRECTORIES_THAT_MATTER if specimen.image.directories[d][0]]
    if not present:
        return flip_bits(data, specimen, random)
    index = random.choice(present)
    rva, size = specimen.image.directories[index]
    if index == DIRECTORY_IMPORT:
        size = max(size, 0x400)  # the thunks and names stand behind it
    offset = specimen.offset(rva + random.randrange(max(size, 1)))
    if offset is None:
        return f"nothing, directory {index} is not in the file"
    code = random.choice("HIIQ")
    offset -= offset % 2
    value = _value(data, offset, code, random)
    _poke(data, offset, code, value)
    return f"in directory {index} at {offset:#x} := {value:#x}"


def splice(data: bytearray, specimen: Specimen, random: Random) -> str:
    """A piece copied over another, put in, or taken out."""
    if len(data) < 2:
        return "nothing, there is hardly a file"
    size = random.choice((1, 2, 8, 40, 0x200, 0x1000))
    source, target = random.randrange(len(data)), random.randrange(len(data))
    piece = data[source : source + size]
    choice = random.random()
    if choice < 0.5:
        data[target : target + len(piece)] = piece
        return f"{len(piece):#x} bytes copied from {source:#x} to {target:#x}"
    if choice < 0.75:
        data[target:target] = piece
        return f"{len(piece):#x} bytes of {source:#x} put in at {target:#x}"
    del data[target : target + size]
    return f"{size:#x} bytes taken out at {target:#x}"


def code_bytes(data: bytearray, specimen: Specimen, random: Random) -> str:
    """Instructions near the entry point or anywhere in the code overwritten: the program runs astray."""
    start = specimen.offset(specimen.image.entry_rva)
    if start is None or random.random() < 0.5:
        section = specimen.image.sections[0] if specimen.image.sections else None
        if section is None or not section.raw_size:
            return flip_bits(data, specimen, random)
        start = section.raw_offset + random.randrange(section.raw_size)
    count = random.choice((1, 4, 16))
    for i in range(start, min(start + count, len(data))):
        data[i] = random.getrandbits(8)
    return f"{count} bytes of code at {start:#x} overwritten"


def strip_relocations(data: bytearray, specimen: Specimen, random: Random) -> str:
    """Another preferred base, with or without relocations to get there."""
    base = random.choice((0, 0x10000, 0x7FFE0000, 0x7FFF_0000_0000, 0xFFFF_8000_0000_0000, 0x1_4000_0000))
    at, code = (48, "Q") if specimen.image.is_64bit else (52, "I")
    _poke(data, specimen.header + at, code, base)
    if random.random() < 0.5:
        _poke(data, specimen.header + 22, "H", specimen.image.characteristics | FILE_RELOCS_STRIPPED)
    return f"preferred base := {base:#x}"


MUTATIONS: tuple[tuple[Mutation, int], ...] = (
    (flip_bits, 4),
    (header_field, 5),
    (truncate, 2),
    (section_row, 5),
    (directory, 4),
    (table, 6),
    (splice, 2),
    (code_bytes, 4),
    (strip_relocations, 1),
)


def mutate(specimen: Specimen, random: Random) -> tuple[bytes, str]:
    """A damaged copy of ``specimen`` and what was done to it."""
    data = bytearray(specimen.data)
    mutations = [mutation for mutation, _ in MUTATIONS]
    weights = [weight for _, weight in MUTATIONS]
    count = random.choice((1, 1, 1, 2, 3, 5))
    done = [mutation(data, specimen, random) for mutation in random.choices(mutations, weights, k=count)]
    return bytes(data), "; ".join(done)
